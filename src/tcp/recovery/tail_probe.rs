//! The tail loss probe: what is lost at the end of a burst is found in two round-trips instead of a time-out (RFC 8985 7).

use crate::time::{Duration, Instant};
use crate::wire::SeqNumber;

/// What the receiver may take to acknowledge a lone segment: TLP.max_ack_delay.
const MAX_ACK_DELAY: Duration = Duration::from_millis(200);
/// The probe's time-out before anything was measured.
const INITIAL_TIMEOUT: Duration = Duration::from_secs(1);

/// PTO (RFC 8985 7.2): two round-trips, and time for a delayed acknowledgment if only one segment is under way; never
/// later than the retransmission timer.
pub(in crate::tcp) fn timeout(
    now: Instant,
    srtt: Option<Duration>,
    one_segment: bool,
    rto_at: Instant,
) -> Instant {
    let delay = if one_segment { MAX_ACK_DELAY } else { Duration::ZERO };
    let timeout = srtt.map_or(INITIAL_TIMEOUT, |srtt| 2 * srtt + delay);
    (now + timeout).min(rto_at)
}

/// A probe that is out: TLP.end_seq and TLP.is_retrans. It outlives the data under way, as only what follows shows
/// whether it has repaired a loss.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::tcp) struct TailProbe {
    outstanding: Option<Outstanding>,
}

#[derive(Clone, Copy, Debug)]
struct Outstanding {
    end: SeqNumber,
    retransmission: bool,
}

/// What an acknowledgment says of a probe.
#[derive(Clone, Copy, Debug)]
pub(in crate::tcp) struct Answer {
    pub(in crate::tcp) ack: SeqNumber,
    /// The end of the D-SACK block that it has.
    pub(in crate::tcp) dsack: Option<SeqNumber>,
    /// A duplicate acknowledgment without any SACK block.
    pub(in crate::tcp) bare_duplicate: bool,
}

impl TailProbe {
    /// None is out.
    pub(in crate::tcp) const NONE: TailProbe = TailProbe { outstanding: None };

    /// Whether the fate of one is not known yet, so that no other may be sent (RFC 8985 7.3).
    pub(in crate::tcp) fn is_outstanding(&self) -> bool {
        self.outstanding.is_some()
    }

    /// A probe was sent: new data, or the last segment again.
    pub(in crate::tcp) fn on_sent(&mut self, snd_nxt: SeqNumber, retransmission: bool) {
        self.outstanding = Some(Outstanding { end: snd_nxt, retransmission });
    }

    /// A recovery begins, which finds out more.
    pub(in crate::tcp) fn forget(&mut self) {
        self.outstanding = None;
    }

    /// RFC 8985 7.4.2. Says whether the probe has repaired the loss of the last segment: congestion control has to
    /// hear of it.
    pub(in crate::tcp) fn on_ack(&mut self, answer: &Answer) -> bool {
        let Some(Outstanding { end, retransmission }) = self.outstanding else { return false };
        if answer.ack.lt(end) {
            return false;
        }
        let original_arrived = !retransmission || answer.dsack == Some(end) || answer.bare_duplicate;
        let repaired = !original_arrived && answer.ack.gt(end);
        if original_arrived || repaired {
            self.outstanding = None;
        }
        repaired
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: SeqNumber = SeqNumber(1_000);
    const ANSWER: Answer = Answer { ack: END, dsack: None, bare_duplicate: false };

    fn probed(retransmission: bool) -> TailProbe {
        let mut probe = TailProbe::default();
        probe.on_sent(END, retransmission);
        probe
    }

    #[test]
    fn rfc_8985_7_2_two_round_trips_and_never_after_the_timer() {
        let (now, srtt) = (Instant::from_secs(1), Duration::from_millis(10));
        let at = |one, rto| timeout(now, Some(srtt), one, now + Duration::from_millis(rto)) - now;
        assert_eq!(at(false, 300), Duration::from_millis(20));
        assert_eq!(at(true, 300), Duration::from_millis(220), "a delayed acknowledgment");
        assert_eq!(at(true, 200), Duration::from_millis(200));
        assert_eq!(timeout(now, None, false, now + Duration::from_secs(3)) - now, Duration::from_secs(1));
    }

    #[test]
    fn rfc_8985_7_4_new_data_that_is_acknowledged_was_no_repair() {
        let mut probe = probed(false);
        assert!(!probe.on_ack(&Answer { ack: SeqNumber(999), ..ANSWER }));
        assert!(probe.is_outstanding());
        assert!(!probe.on_ack(&ANSWER));
        assert!(!probe.is_outstanding());
    }

    #[test]
    fn rfc_8985_7_4_a_duplicate_or_a_d_sack_says_that_both_copies_arrived() {
        for answer in [Answer { dsack: Some(END), ..ANSWER }, Answer { bare_duplicate: true, ..ANSWER }] {
            let mut probe = probed(true);
            assert!(!probe.on_ack(&ANSWER));
            assert!(probe.is_outstanding(), "one of the two");
            assert!(!probe.on_ack(&answer));
            assert!(!probe.is_outstanding());
        }
    }

    #[test]
    fn rfc_8985_7_4_without_either_the_probe_repaired_a_loss() {
        let mut probe = probed(true);
        assert!(!probe.on_ack(&ANSWER));
        assert!(probe.on_ack(&Answer { ack: SeqNumber(1_001), ..ANSWER }));
        assert!(!probe.is_outstanding());
    }
}
