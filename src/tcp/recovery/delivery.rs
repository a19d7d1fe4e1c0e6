//! How fast the path delivers: a sample of the delivery rate with each acknowledgment (draft-ietf-ccwg-bbr-06 4.1).

use super::rack::Newest;
use super::sent_log::Sent;
use crate::time::{Duration, Instant};
use crate::wire::SeqNumber;

/// What was known when a segment was sent: the draft's per-packet state (4.1.2.1.2). A super-packet has one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::tcp) struct Snapshot {
    /// P.delivered
    delivered: u64,
    /// P.send_time - P.delivered_time, in microseconds.
    since_delivery: u32,
    /// P.send_time - P.first_send_time, in microseconds.
    sending: u32,
    /// P.tx_in_flight: bytes under way with it.
    in_flight: u32,
    /// P.lost
    lost: u32,
    /// P.is_app_limited
    app_limited: bool,
}

/// What an acknowledgment says of the path (4.1.2.1.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::tcp) struct RateSample {
    /// RS.delivery_rate in bytes a second, 0 if the interval is too short to tell.
    pub(in crate::tcp) rate: u64,
    /// RS.delivered: bytes delivered between the sending and the acknowledgment of the segment.
    pub(in crate::tcp) delivered: u32,
    /// RS.prior_delivered: bytes delivered before it was sent.
    pub(in crate::tcp) prior_delivered: u64,
    /// RS.newly_acked: bytes that this acknowledgment tells of.
    pub(in crate::tcp) newly_acked: u32,
    /// RS.tx_in_flight: bytes that were under way when it was sent.
    pub(in crate::tcp) tx_in_flight: u32,
    /// RS.lost: bytes that were found to be lost since.
    pub(in crate::tcp) lost: u32,
    /// RS.is_app_limited: the application had nothing more to send.
    pub(in crate::tcp) app_limited: bool,
    /// RS.rtt, unless it was sent more than once.
    pub(in crate::tcp) rtt: Option<Duration>,
}

/// A segment that was found to be lost, as of now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tcp) struct LostSegment {
    /// P.size
    pub(in crate::tcp) bytes: u32,
    /// P.tx_in_flight
    pub(in crate::tcp) tx_in_flight: u32,
    /// C.lost - P.lost, itself included.
    pub(in crate::tcp) lost: u32,
    /// P.is_app_limited
    pub(in crate::tcp) app_limited: bool,
    /// Whether it does not follow the one that was lost before it.
    pub(in crate::tcp) begins_range: bool,
    /// C.delivered
    pub(in crate::tcp) delivered: u64,
}

/// The measurement of one connection, for as long as it has something to send (4.1.2.1.1).
#[derive(Clone, Debug)]
pub(in crate::tcp) struct DeliveryRate {
    /// C.delivered, from the beginning of the measurement on.
    delivered: u64,
    /// C.delivered_time
    delivered_at: Instant,
    /// C.first_send_time
    first_sent_at: Instant,
    /// C.lost, likewise; it wraps.
    lost: u32,
    lost_upto: Option<SeqNumber>,
    /// C.app_limited: once more than this is delivered, what the application left out is no longer part of a sample.
    app_limited: Option<u64>,
    /// The segment delivered that was sent last.
    newest: Option<Newest>,
    /// The same among those of this acknowledgment, and when it was sent, if only once.
    current: Option<(Snapshot, Instant, bool)>,
    newly_acked: u32,
    /// The last sample that the application did not limit, in bytes a second.
    latest: u64,
}

impl Default for DeliveryRate {
    /// What is sent first finds an application that had nothing to send before.
    fn default() -> Self {
        DeliveryRate {
            delivered: 0,
            delivered_at: Instant::ZERO,
            first_sent_at: Instant::ZERO,
            lost: 0,
            lost_upto: None,
            app_limited: Some(0),
            newest: None,
            current: None,
            newly_acked: 0,
            latest: 0,
        }
    }
}

impl DeliveryRate {
    /// C.delivered
    pub(in crate::tcp) fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Whether the application leaves the path unused.
    pub(in crate::tcp) fn is_app_limited(&self) -> bool {
        self.app_limited.is_some()
    }

    /// The last sample that was not limited by the application, in bytes a second; 0 before there is one.
    pub(in crate::tcp) fn latest(&self) -> u64 {
        self.latest
    }

    /// Sending begins with nothing under way: intervals count from now (4.1.2.2).
    pub(in crate::tcp) fn start(&mut self, now: Instant) {
        self.first_sent_at = now;
        self.delivered_at = now;
    }

    /// What goes with a segment that is sent now and makes `in_flight` bytes under way.
    pub(in crate::tcp) fn snapshot(&self, now: Instant, in_flight: u32) -> Snapshot {
        Snapshot {
            delivered: self.delivered,
            since_delivery: micros(now - self.delivered_at),
            sending: micros(now - self.first_sent_at),
            in_flight,
            lost: self.lost,
            app_limited: self.is_app_limited(),
        }
    }

    /// The application has nothing more to send, and the window would let it, with `in_flight` bytes under way
    /// (MarkConnectionAppLimited, 4.1.2.4).
    pub(in crate::tcp) fn mark_app_limited(&mut self, in_flight: u32) {
        self.app_limited = Some(self.delivered + u64::from(in_flight));
    }

    /// A segment was acknowledged or SACKed for the first time (UpdateRateSample, 4.1.2.3).
    pub(in crate::tcp) fn on_delivered(&mut self, sent: &Sent, now: Instant) {
        self.delivered += u64::from(sent.len);
        self.newly_acked = self.newly_acked.saturating_add(sent.len);
        self.delivered_at = now;
        let newer = self.newest.is_none_or(|newest| !newest.was_sent_after(sent.sent_at, sent.end()));
        if newer || self.current.is_none() {
            self.current = Some((sent.snapshot, sent.sent_at, sent.retransmitted));
            self.newest = Some(Newest { sent_at: sent.sent_at, end: sent.end() });
            self.first_sent_at = sent.sent_at;
        }
    }

    /// A segment counts as lost.
    pub(in crate::tcp) fn on_lost(&mut self, sent: &Sent) -> LostSegment {
        self.lost = self.lost.wrapping_add(sent.len);
        let begins_range = self.lost_upto.replace(sent.end()) != Some(sent.seq);
        LostSegment {
            bytes: sent.len,
            tx_in_flight: sent.snapshot.in_flight,
            lost: self.lost.wrapping_sub(sent.snapshot.lost),
            app_limited: sent.snapshot.app_limited,
            begins_range,
            delivered: self.delivered,
        }
    }

    /// The sample of the acknowledgment whose segments were told of; `None` if it delivered none
    /// (GenerateRateSample, 4.1.2.3).
    pub(in crate::tcp) fn take_sample(&mut self, min_rtt: Duration) -> Option<RateSample> {
        if self.app_limited.is_some_and(|upto| self.delivered > upto) {
            self.app_limited = None;
        }
        let newly_acked = std::mem::take(&mut self.newly_acked);
        let (sent, sent_at, retransmitted) = self.current.take()?;
        let rtt = self.delivered_at - sent_at;
        // The longer of the two: neither a burst of acknowledgments nor one of segments is the path's rate (4.1.1.2.4).
        let acknowledging = rtt + Duration::from_micros(sent.since_delivery.into());
        let interval = acknowledging.max(Duration::from_micros(sent.sending.into()));
        let delivered = self.delivered - sent.delivered;
        // Less than a round trip is no interval: the segment was sent twice, and the first copy has arrived.
        let plausible = interval >= min_rtt && !interval.is_zero();
        let rate = if plausible { per_second(delivered, interval) } else { 0 };
        if rate > 0 && (!sent.app_limited || rate > self.latest) {
            self.latest = rate;
        }
        Some(RateSample {
            rate,
            delivered: u32::try_from(delivered).unwrap_or(u32::MAX),
            prior_delivered: sent.delivered,
            newly_acked,
            tx_in_flight: sent.in_flight,
            lost: self.lost.wrapping_sub(sent.lost),
            app_limited: sent.app_limited,
            rtt: (!retransmitted).then_some(rtt),
        })
    }
}

/// `bytes` in `interval`, as bytes a second.
fn per_second(bytes: u64, interval: Duration) -> u64 {
    let nanos = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX).max(1);
    match bytes.checked_mul(1_000_000_000) {
        Some(product) => product / nanos,
        // More than 18 GB in one interval: in wider numbers, which cost ten times as much.
        None => u64::try_from(u128::from(bytes) * 1_000_000_000 / u128::from(nanos)).unwrap_or(u64::MAX),
    }
}

fn micros(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MSS: u32 = 1_000;

    fn ms(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    /// Segments of 1,000 bytes, told of by number.
    #[derive(Default)]
    struct Path {
        rate: DeliveryRate,
        sent: Vec<Sent>,
        acknowledged: usize,
    }

    impl Path {
        fn send(&mut self, at: u64, count: usize) {
            for _ in 0..count {
                if self.acknowledged == self.sent.len() {
                    self.rate.start(ms(at));
                }
                let seq = SeqNumber(self.sent.len() as u32 * MSS);
                let in_flight = (self.sent.len() - self.acknowledged + 1) as u32 * MSS;
                let mut sent = Sent::for_tests(seq, MSS, ms(at));
                sent.snapshot = self.rate.snapshot(ms(at), in_flight);
                self.sent.push(sent);
            }
        }

        fn acknowledge(&mut self, at: u64, count: usize) -> RateSample {
            for _ in 0..count {
                self.rate.on_delivered(&self.sent[self.acknowledged], ms(at));
                self.acknowledged += 1;
            }
            self.rate.take_sample(Duration::from_millis(5)).unwrap()
        }
    }

    #[test]
    fn bbr_4_1_1_2_the_rate_is_what_was_delivered_in_a_round_trip() {
        let mut path = Path::default();
        for at in 0..10 {
            path.send(at, 1);
        }
        // A round trip of 10 ms, a segment each millisecond.
        for at in 10..19 {
            path.acknowledge(at, 1);
            path.send(at, 1);
        }
        let first = path.acknowledge(19, 1);
        assert_eq!(first.rtt, Some(Duration::from_millis(10)));
        assert!(first.rate < 1_000_000, "the path was empty when these began");
        path.send(19, 1);
        let later = path.acknowledge(20, 1);
        assert_eq!((later.delivered, later.tx_in_flight), (10 * MSS, 10 * MSS));
        assert_eq!(later.rate, 1_000_000);
    }

    #[test]
    fn bbr_4_1_1_2_4_compressed_acknowledgments_do_not_look_like_a_fast_path() {
        let mut path = Path::default();
        for at in 0..10 {
            path.send(at, 1);
        }
        for at in 10..19 {
            path.acknowledge(at, 1);
            path.send(at, 1);
        }
        path.acknowledge(19, 1);
        // The next nine come all at once: it took them 9 ms to be sent.
        let sample = path.acknowledge(29, 9);
        assert!(sample.rate <= 1_000_000, "{}", sample.rate);
    }

    #[test]
    fn bbr_4_1_1_3_what_the_application_left_out_is_marked() {
        let mut path = Path::default();
        path.send(0, 2);
        assert!(path.acknowledge(10, 1).app_limited, "the first flight");
        path.send(10, 2);
        path.acknowledge(11, 1);
        assert!(!path.acknowledge(20, 1).app_limited, "sent after something was delivered");
        path.rate.mark_app_limited(MSS);
        path.send(21, 1);
        path.acknowledge(22, 1);
        assert!(path.acknowledge(32, 1).app_limited);
        assert!(!path.rate.is_app_limited(), "the gap is acknowledged, and gone");
    }

    #[test]
    fn bbr_4_1_2_3_a_sample_of_less_than_a_round_trip_is_none() {
        let mut path = Path::default();
        path.send(0, 1);
        assert_eq!(path.acknowledge(4, 1).rate, 0);
        assert!(path.rate.take_sample(Duration::ZERO).is_none(), "nothing was delivered");
    }

    #[test]
    fn bbr_5_5_10_2_losses_count_from_when_the_segment_was_sent() {
        let mut path = Path::default();
        path.send(0, 4);
        let lost = path.rate.on_lost(&path.sent[0]);
        assert_eq!((lost.lost, lost.tx_in_flight, lost.begins_range), (MSS, MSS, true));
        let next = path.rate.on_lost(&path.sent[1]);
        assert_eq!((next.lost, next.tx_in_flight, next.begins_range), (2 * MSS, 2 * MSS, false));
        assert!(path.rate.on_lost(&path.sent[3]).begins_range);
        path.acknowledged = 3;
        assert_eq!(path.acknowledge(10, 1).lost, 3 * MSS);
        path.send(11, 1);
        assert_eq!(path.acknowledge(21, 1).lost, 0, "those were before it");
    }
}
