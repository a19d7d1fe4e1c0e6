//! RACK: a segment is lost once one that was sent later has been delivered, and time for reordering has passed (RFC 8985
//! 5 and 6).

use super::sent_log::Sent;
use crate::time::{Duration, Instant};
use crate::wire::SeqNumber;

/// More than so many full segments SACKed mean a loss while no reordering has been seen (RFC 8985 6.2 step 4). Counted in
/// bytes, as RFC 6675 4 (IsLost) does: DupThresh - 1.
const DUP_THRESH_LESS_ONE: u32 = 2;
/// Recoveries without a D-SACK after which the reordering window is small again (RFC 8985 6.2 step 4).
const PERSISTENCE: u8 = 16;

/// What is known of reordering on the path: it outlives the data under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::tcp) struct Reordering {
    /// RACK.reordering_seen
    pub(in crate::tcp) seen: bool,
    /// RACK.reo_wnd_mult - 1
    growth: u8,
    /// RACK.reo_wnd_persist
    persistence: u8,
}

impl Reordering {
    /// A recovery has ended.
    pub(in crate::tcp) fn on_recovery_end(&mut self) {
        self.persistence = self.persistence.saturating_sub(1);
        if self.persistence == 0 {
            self.growth = 0;
        }
    }

    /// RACK.reo_wnd: quarters of the smallest round-trip time, at most the smoothed one.
    fn window(self, min_rtt: Duration, srtt: Duration) -> Duration {
        (min_rtt / 4).saturating_mul(u32::from(self.growth) + 1).min(srtt)
    }
}

/// The segment that was sent last of those that have been delivered: RACK.xmit_ts and RACK.end_seq.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tcp) struct Newest {
    pub(in crate::tcp) sent_at: Instant,
    pub(in crate::tcp) end: SeqNumber,
}

impl Newest {
    /// RACK_sent_after: segments of one instant were sent in the order of their numbers.
    pub(in crate::tcp) fn was_sent_after(&self, sent_at: Instant, end: SeqNumber) -> bool {
        self.sent_at > sent_at || (self.sent_at == sent_at && self.end.gt(end))
    }
}

/// What an acknowledgment tells beside the numbers.
#[derive(Clone, Copy, Debug)]
pub(in crate::tcp) struct Evidence {
    /// When the device read it.
    pub(in crate::tcp) received_at: Instant,
    /// By the timestamp that it echoes, the segment that it answers was sent no later than this.
    pub(in crate::tcp) echo: Option<Instant>,
    /// The smallest round-trip time so far.
    pub(in crate::tcp) min_rtt: Duration,
}

/// What losses are found by, while data is under way.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::tcp) struct Rack {
    newest: Option<Newest>,
    /// RACK.rtt: the round-trip time of that segment.
    rtt: Duration,
    /// RACK.fack: the highest number delivered.
    highest: Option<SeqNumber>,
    /// The same before the acknowledgment that is being read: its SACK blocks come before what it acknowledges.
    highest_before: Option<SeqNumber>,
    /// RACK.dsack_round: until here is acknowledged, no further D-SACK grows the window.
    dsack_round: Option<SeqNumber>,
}

impl Rack {
    /// An acknowledgment is about to be read.
    pub(in crate::tcp) fn on_ack(&mut self) {
        self.highest_before = self.highest;
    }

    /// A segment was acknowledged or SACKed for the first time (RFC 8985 6.2 steps 2 and 3).
    pub(in crate::tcp) fn on_delivered(
        &mut self,
        sent: &Sent,
        evidence: &Evidence,
        reordering: &mut Reordering,
    ) {
        if self.highest.is_none_or(|highest| sent.end().gt(highest)) {
            self.highest = Some(sent.end());
        }
        if !sent.retransmitted {
            reordering.seen |= self.highest_before.is_some_and(|highest| sent.end().lt(highest));
        }
        let rtt = evidence.received_at - sent.sent_at;
        if sent.retransmitted {
            // It may be the acknowledgment of an earlier copy: an echo from before, or too soon to be true.
            let older = evidence.echo.is_some_and(|echo| echo < sent.sent_at);
            if older || rtt < evidence.min_rtt {
                return;
            }
        }
        self.rtt = rtt;
        if self.newest.is_none_or(|newest| !newest.was_sent_after(sent.sent_at, sent.end())) {
            self.newest = Some(Newest { sent_at: sent.sent_at, end: sent.end() });
        }
    }

    /// A D-SACK: something was sent again that had not been lost. The window grows once a round-trip (step 4).
    pub(in crate::tcp) fn on_dsack(
        &mut self,
        snd_una: SeqNumber,
        snd_nxt: SeqNumber,
        reordering: &mut Reordering,
    ) {
        if self.dsack_round.is_none_or(|round| snd_una.ge(round)) {
            self.dsack_round = Some(snd_nxt);
            reordering.growth = reordering.growth.saturating_add(1);
            reordering.persistence = PERSISTENCE;
        }
    }

    /// The segment behind which losses are looked for, if anything was delivered.
    pub(in crate::tcp) fn newest(&self) -> Option<Newest> {
        self.newest
    }

    /// How long after it was sent a segment may still arrive, when a later one has: RACK.rtt + RACK.reo_wnd.
    pub(in crate::tcp) fn patience(&self, path: &Path) -> Duration {
        let Path { reordering, recovering, sacked, mss, min_rtt, srtt } = *path;
        let enough = recovering || sacked > DUP_THRESH_LESS_ONE * mss;
        let window =
            if !reordering.seen && enough { Duration::ZERO } else { reordering.window(min_rtt, srtt) };
        self.rtt + window
    }
}

/// What the reordering window depends on (RFC 8985 6.2 step 4).
#[derive(Clone, Copy, Debug)]
pub(in crate::tcp) struct Path {
    pub(in crate::tcp) reordering: Reordering,
    /// Whether in fast recovery or after a time-out.
    pub(in crate::tcp) recovering: bool,
    /// Octets SACKed.
    pub(in crate::tcp) sacked: u32,
    /// Of a full segment.
    pub(in crate::tcp) mss: u32,
    pub(in crate::tcp) min_rtt: Duration,
    pub(in crate::tcp) srtt: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: Path = Path {
        reordering: Reordering { seen: false, growth: 0, persistence: 0 },
        recovering: false,
        sacked: 0,
        mss: 1_000,
        min_rtt: Duration::from_millis(8),
        srtt: Duration::from_millis(20),
    };

    fn patience(path: &Path) -> u128 {
        Rack::default().patience(path).as_millis()
    }

    #[test]
    fn rfc_8985_6_2_the_window_is_a_quarter_of_the_smallest_rtt_or_none() {
        assert_eq!(patience(&PATH), 2);
        assert_eq!(patience(&Path { sacked: 2_000, ..PATH }), 2);
        assert_eq!(patience(&Path { sacked: 2_001, ..PATH }), 0, "DupThresh");
        assert_eq!(patience(&Path { recovering: true, ..PATH }), 0);
        let reordering = Reordering { seen: true, ..Reordering::default() };
        assert_eq!(patience(&Path { sacked: 3_000, recovering: true, reordering, ..PATH }), 2);
    }

    #[test]
    fn rfc_8985_6_2_each_round_with_a_d_sack_widens_it_up_to_srtt() {
        let (mut rack, mut reordering) = (Rack::default(), Reordering::default());
        rack.on_dsack(SeqNumber(1), SeqNumber(100), &mut reordering);
        rack.on_dsack(SeqNumber(99), SeqNumber(200), &mut reordering);
        assert_eq!(patience(&Path { reordering, ..PATH }), 4, "once a round");
        for una in 1..20 {
            rack.on_dsack(SeqNumber(100 * una), SeqNumber(100 * una + 100), &mut reordering);
        }
        assert_eq!(patience(&Path { reordering, ..PATH }), 20);
    }

    #[test]
    fn rfc_8985_6_2_sixteen_recoveries_without_a_d_sack_make_it_small_again() {
        let mut reordering = Reordering::default();
        Rack::default().on_dsack(SeqNumber(1), SeqNumber(100), &mut reordering);
        (0..15).for_each(|_| reordering.on_recovery_end());
        assert_eq!(patience(&Path { reordering, ..PATH }), 4);
        reordering.on_recovery_end();
        assert_eq!(patience(&Path { reordering, ..PATH }), 2);
    }

    #[test]
    fn rfc_8985_6_2_a_copy_is_not_taken_for_its_original() {
        let evidence = Evidence {
            received_at: Instant::from_millis(100),
            echo: None,
            min_rtt: Duration::from_millis(8),
        };
        let sent = |at, retransmitted| {
            let mut sent = Sent::for_tests(SeqNumber(0), 100, Instant::from_millis(at));
            sent.retransmitted = retransmitted;
            sent
        };
        let newest = |sent: &Sent, evidence: &Evidence| {
            let mut rack = Rack::default();
            rack.on_delivered(sent, evidence, &mut Reordering::default());
            rack.newest().map(|newest| newest.sent_at.as_millis())
        };
        assert_eq!(newest(&sent(95, false), &evidence), Some(95));
        assert_eq!(newest(&sent(95, true), &evidence), None, "sooner than the path allows");
        assert_eq!(newest(&sent(90, true), &evidence), Some(90));
        let evidence = Evidence { echo: Some(Instant::from_millis(89)), ..evidence };
        assert_eq!(newest(&sent(90, true), &evidence), None, "the echo is of an earlier copy");
    }
}
