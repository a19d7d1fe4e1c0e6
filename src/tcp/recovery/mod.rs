//! Loss recovery: what is under way, what of it is lost, and when to send it again.
//!
//! With SACK, losses are found by time (RACK-TLP, RFC 8985); without it by duplicate acknowledgments (RFC 5681 3.2,
//! RFC 6582). Each part here is a value of its own; `loss.rs` puts them to work for a connection.

pub(super) mod delivery;
pub(super) mod prr;
pub(super) mod rack;
pub(super) mod sent_log;
pub(super) mod tail_probe;
pub(super) mod undo;

use prr::Prr;

use super::spurious::Delivered;
use crate::wire::SeqNumber;

/// Duplicate acknowledgments that mean a loss (RFC 5681 3.2).
const DUP_ACKS: u32 = 3;

/// What the sender believes of the path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing is known to be lost.
    #[default]
    Open,
    /// Fast recovery until everything up to the point is acknowledged (RFC 6582 3.2).
    Fast(SeqNumber),
    /// Recovery after a retransmission time-out, until the same.
    Timeout(SeqNumber),
}

/// Telling a spurious time-out by what the first acknowledgments after it bring (RFC 5682).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Frto {
    /// Not under way, or the time-out was due.
    #[default]
    Off,
    /// Step 2: the first segment was sent again, its acknowledgment is awaited.
    FirstAck,
    /// Step 3: new data was sent instead of what may not be lost.
    SecondAck,
}

/// Counts duplicate acknowledgments and remembers how far a recovery reaches.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Recovery {
    phase: Phase,
    dup_acks: u32,
    /// Of fast recovery.
    prr: Prr,
    frto: Frto,
}

impl Recovery {
    pub(super) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Whether in fast recovery.
    pub(super) fn is_fast(&self) -> bool {
        matches!(self.phase, Phase::Fast(_))
    }

    /// Where recovery ends.
    pub(super) fn point(&self) -> Option<SeqNumber> {
        match self.phase {
            Phase::Open => None,
            Phase::Fast(point) | Phase::Timeout(point) => Some(point),
        }
    }

    /// Whether what seems lost is held back until it is known whether it is (RFC 5682 3.1 step 2b).
    pub(super) fn withholds_retransmissions(&self) -> bool {
        self.frto == Frto::SecondAck
    }

    /// An acknowledgment has come; `room` says that there is new data and a window for it. Says whether the time-out was
    /// spurious (RFC 5682 2.1 and 3.1, steps 2 and 3).
    pub(super) fn on_frto(&mut self, delivered: Delivered, room: bool) -> bool {
        let Delivered { advanced, sacked, original } = delivered;
        let (next, spurious) = match self.frto {
            Frto::FirstAck if advanced && room => (Frto::SecondAck, false),
            Frto::FirstAck if !advanced && sacked > 0 => (Frto::FirstAck, false),
            Frto::SecondAck => (Frto::Off, original),
            _ => (Frto::Off, false),
        };
        self.frto = next;
        spurious
    }

    /// Segments that have left the network without our knowing which: each duplicate acknowledgment of a peer
    /// without SACK stands for one.
    pub(super) fn dup_acks(&self) -> u32 {
        self.dup_acks
    }

    /// A duplicate acknowledgment came; whether it is the one that starts fast retransmit. During a recovery none
    /// does: the data below the point may simply be what was sent twice (RFC 6582 3.2 step 1).
    pub(super) fn on_duplicate(&mut self) -> bool {
        self.dup_acks = self.dup_acks.saturating_add(1);
        self.dup_acks >= DUP_ACKS && self.is_open()
    }

    /// Everything below `snd_una` is acknowledged, `segments` more of them now. Says whether a recovery goes on, so
    /// that this was a partial acknowledgment (RFC 6582 3.2 step 3).
    pub(super) fn on_progress(&mut self, snd_una: SeqNumber, segments: u32) -> bool {
        match self.phase {
            Phase::Fast(point) | Phase::Timeout(point) if snd_una.lt(point) => {
                // The acknowledged segments include those that the duplicates stood for.
                self.dup_acks = self.dup_acks.saturating_sub(segments);
                true
            }
            _ => {
                *self = Recovery::default();
                false
            }
        }
    }

    /// Fast recovery begins with `flight` bytes under way; it ends when `snd_nxt` is acknowledged.
    pub(super) fn enter_fast(&mut self, snd_nxt: SeqNumber, flight: u32) {
        self.phase = Phase::Fast(snd_nxt);
        self.prr = Prr::new(flight);
    }

    /// What says how much goes out, during fast recovery.
    pub(super) fn prr(&mut self) -> Option<&mut Prr> {
        self.is_fast().then_some(&mut self.prr)
    }

    /// What fast recovery lets out now; `None` outside of it, where the congestion window says so.
    pub(super) fn allowance(&self) -> Option<u32> {
        self.is_fast().then(|| self.prr.allowance())
    }

    /// The timer fired. Says whether this is the first time for this data, and so a sign of congestion that has not
    /// been answered yet (RFC 5681 3.1).
    pub(super) fn enter_timeout(&mut self, snd_nxt: SeqNumber) -> bool {
        let first = !matches!(self.phase, Phase::Timeout(_));
        // RFC 5682 2.1 step 1: what an earlier recovery has sent again proves nothing.
        self.frto = if self.is_open() { Frto::FirstAck } else { Frto::Off };
        self.phase = Phase::Timeout(snd_nxt);
        self.dup_acks = 0;
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_5681_3_2_the_third_duplicate_counts() {
        let mut recovery = Recovery::default();
        assert_eq!(
            [recovery.on_duplicate(), recovery.on_duplicate(), recovery.on_duplicate()],
            [false, false, true]
        );
    }

    #[test]
    fn rfc_6582_3_2_partial_and_full_acknowledgments() {
        let mut recovery = Recovery::default();
        recovery.enter_fast(SeqNumber(1000), 1000);
        assert!(recovery.on_progress(SeqNumber(500), 5), "partial");
        assert!(recovery.is_fast());
        assert!(!recovery.on_progress(SeqNumber(1000), 5), "full");
        assert!(recovery.is_open());
    }

    #[test]
    fn rfc_6582_3_2_no_second_fast_retransmit_below_the_point() {
        let mut recovery = Recovery::default();
        assert!(recovery.enter_timeout(SeqNumber(1000)));
        assert!(!recovery.enter_timeout(SeqNumber(1200)), "the second time-out of the same data");
        for _ in 0..10 {
            assert!(!recovery.on_duplicate());
        }
    }
}
