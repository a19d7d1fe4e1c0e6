//! How large the two buffers are: as large as what they are used for, within the socket's limits.
//!
//! *Receiving* (dynamic right-sizing): a sender fills at most one window in a round trip. So the window has to be
//! larger than what the application took during the last one, and more so while that grows, or it is the window that
//! limits the sender. A peer whose data nobody reads gets no more than the first window.
//!
//! *Sending*: what is under way has to be kept, and as much again lets the application write while it is.

use crate::time::{Duration, Instant};
use crate::wire::SeqNumber;

/// The receive window that a connection begins with.
pub(super) const FIRST_BUFFER: usize = 64 * 1024;

/// The size of the receive buffer, which follows what the application takes in a round trip.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RightSizing {
    /// Bytes of memory for what the peer sends; it only grows.
    size: u32,
}

/// A round trip over which what the application takes is measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct RoundTrip {
    /// Bytes that the application took in the one before.
    taken_before: u32,
    /// Where the application was when this one began.
    from: SeqNumber,
    /// When it ends.
    until: Instant,
}

impl RoundTrip {
    /// Before the first, or after a pause.
    pub(super) const UNKNOWN: RoundTrip =
        RoundTrip { taken_before: 0, from: SeqNumber(0), until: Instant::ZERO };

    /// The peer's first byte will be at `rcv_nxt`.
    pub(super) fn start(now: Instant, rcv_nxt: SeqNumber) -> Self {
        RoundTrip { taken_before: 0, from: rcv_nxt, until: now }
    }

    /// Whether it is over, so that it can be [measured](RightSizing::measure).
    pub(super) fn is_over(&self, now: Instant) -> bool {
        now >= self.until
    }
}

impl RightSizing {
    /// For a connection that is not open yet, and may receive `limit` bytes without reading.
    pub(super) fn new(limit: usize) -> Self {
        RightSizing { size: FIRST_BUFFER.min(limit) as u32 }
    }

    /// Bytes of memory for what the peer sends.
    pub(super) const fn size(&self) -> usize {
        self.size as usize
    }

    /// A socket option has set another limit.
    pub(super) fn limit(&mut self, limit: usize) {
        self.size =
            self.size.min(u32::try_from(limit).unwrap_or(u32::MAX)).max(FIRST_BUFFER.min(limit) as u32);
    }

    /// A round trip is over: the application has come to `taken`, and the next, which begins now, takes `rtt`.
    pub(super) fn measure(
        &mut self,
        round: &mut RoundTrip,
        now: Instant,
        rtt: Duration,
        taken: SeqNumber,
        limit: usize,
    ) {
        let octets = u32::try_from(taken.distance(round.from)).unwrap_or(0);
        // After a pause it was more than one round trip: nothing follows from that.
        let paused = now - round.until > rtt;
        if !paused {
            let growth = octets.saturating_sub(round.taken_before);
            let wanted = octets.saturating_mul(2).saturating_add(growth.saturating_mul(4));
            self.size = self.size.max(wanted.min(u32::try_from(limit).unwrap_or(u32::MAX)));
        }
        let taken_before = if paused { 0 } else { octets };
        *round = RoundTrip { taken_before, from: taken, until: now + rtt };
    }
}

/// Bytes that may be written and unacknowledged: twice the congestion window, and what the socket begins with at least,
/// within its limit.
pub(super) fn send_buffer(cwnd: u32, first: usize, limit: usize) -> usize {
    (2 * cwnd as usize).max(first).min(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(10);
    const LIMIT: usize = 1024 * 1024;

    /// Round trips in each of which the application takes so many bytes; the size after each.
    fn sizes(octets: &[u32]) -> Vec<usize> {
        let mut sizing = RightSizing::new(LIMIT);
        let mut now = Instant::ZERO;
        let mut taken = SeqNumber(77);
        let mut round = RoundTrip::start(now, taken);
        sizing.measure(&mut round, now, RTT, taken, LIMIT);
        octets
            .iter()
            .map(|&octets| {
                now += RTT;
                taken += octets;
                assert!(round.is_over(now));
                sizing.measure(&mut round, now, RTT, taken, LIMIT);
                sizing.size()
            })
            .collect()
    }

    #[test]
    fn the_window_keeps_ahead_of_slow_start() {
        let sizes = sizes(&[20_000, 40_000, 80_000, 160_000]);
        assert_eq!(sizes, [120_000, 160_000, 320_000, 640_000], "four times what is to be doubled");
    }

    #[test]
    fn a_steady_sender_gets_twice_what_it_uses() {
        assert_eq!(
            sizes(&[100_000, 100_000, 100_000])[1..],
            [600_000, 600_000],
            "and what it had is not taken away"
        );
        assert_eq!(sizes(&[20_000, 40_000, 45_000, 45_000])[2..], [160_000, 160_000]);
    }

    #[test]
    fn what_nobody_reads_opens_no_window() {
        assert_eq!(sizes(&[0, 0, 0]), [FIRST_BUFFER; 3]);
    }

    #[test]
    fn the_limit_holds() {
        assert_eq!(sizes(&[10_000_000]), [LIMIT]);
        assert_eq!(RightSizing::new(1_000).size(), 1_000);
        let mut sizing = RightSizing::new(LIMIT);
        sizing.limit(5_000);
        assert_eq!(sizing.size(), 5_000);
        sizing.limit(LIMIT);
        assert_eq!(sizing.size(), FIRST_BUFFER);
    }

    #[test]
    fn a_pause_says_nothing_about_the_rate() {
        let mut sizing = RightSizing::new(LIMIT);
        let mut round = RoundTrip::start(Instant::ZERO, SeqNumber(0));
        sizing.measure(&mut round, Instant::ZERO, RTT, SeqNumber(0), LIMIT);
        sizing.measure(&mut round, Instant::ZERO + RTT * 100, RTT, SeqNumber(500_000), LIMIT);
        assert_eq!(sizing.size(), FIRST_BUFFER);
    }

    #[test]
    fn room_to_write_follows_the_congestion_window() {
        assert_eq!(send_buffer(14_600, FIRST_BUFFER, LIMIT), FIRST_BUFFER);
        assert_eq!(send_buffer(100_000, FIRST_BUFFER, LIMIT), 200_000);
        assert_eq!(send_buffer(u32::MAX, FIRST_BUFFER, LIMIT), LIMIT);
        assert_eq!(send_buffer(14_600, FIRST_BUFFER, 1_000), 1_000);
    }
}
