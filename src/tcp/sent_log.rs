//! What is under way: every segment sent and not acknowledged, and what is known of it.

use std::collections::VecDeque;

use crate::time::Instant;
use crate::wire::{SackBlocks, SeqNumber};

/// Segments SACKed above a hole before it counts as lost (RFC 6675 2, DupThresh).
const DUP_THRESH: u32 = 3;

/// One segment, perhaps a super-packet of many wire segments.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub(super) seq: SeqNumber,
    /// Octets of sequence space; a FIN counts one.
    pub(super) len: u32,
    /// Payload size of each wire segment but the last. The log splits only at multiples of it, so a peer cannot
    /// shred it.
    pub(super) size: u16,
    pub(super) sent_at: Instant,
    /// The peer has it, says a SACK block.
    sacked: bool,
    /// Presumed lost and not sent again.
    lost: bool,
    retransmitted: bool,
}

impl Sent {
    fn end(&self) -> SeqNumber {
        self.seq + self.len
    }
}

/// What a cumulative acknowledgment brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Acked {
    /// When the newest segment that it covers was sent, unless one of those was sent twice (Karn's rule).
    pub(super) sample: Option<Instant>,
    /// When the last of what was sent twice went out, if something it covers was.
    pub(super) resent_at: Option<Instant>,
    /// Bytes that left the network now: SACKed ones had left before.
    pub(super) delivered: u32,
}

/// A part of the log to be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hole {
    pub(super) seq: SeqNumber,
    pub(super) len: u32,
    pub(super) size: u16,
}

/// The segments in flight, oldest first, without gaps: from SND.UNA to SND.NXT.
#[derive(Debug, Default)]
pub(super) struct SentLog {
    entries: VecDeque<Sent>,
    sacked: u32,
    lost: u32,
}

impl SentLog {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Octets that the peer has SACKed.
    pub(super) fn sacked(&self) -> u32 {
        self.sacked
    }

    /// Octets presumed lost and not sent again.
    pub(super) fn lost(&self) -> u32 {
        self.lost
    }

    /// Adds what was just sent at SND.NXT.
    pub(super) fn push(&mut self, seq: SeqNumber, len: u32, size: u16, now: Instant) {
        let entry = Sent { seq, len, size, sent_at: now, sacked: false, lost: false, retransmitted: false };
        self.entries.push_back(entry);
    }

    /// Removes what lies below `ack`.
    pub(super) fn acknowledge(&mut self, ack: SeqNumber) -> Acked {
        let mut acked = Acked::default();
        while let Some(head) = self.entries.front_mut() {
            if head.seq.ge(ack) {
                break;
            }
            let covered = head.len.min(ack - head.seq);
            if head.retransmitted {
                acked.resent_at = acked.resent_at.max(Some(head.sent_at));
            }
            if head.sacked {
                self.sacked -= covered;
            } else {
                acked.sample = Some(head.sent_at);
                acked.delivered += covered;
            }
            if head.lost {
                self.lost -= covered;
            }
            if covered < head.len {
                head.seq += covered;
                head.len -= covered;
                break;
            }
            self.entries.pop_front();
        }
        if acked.resent_at.is_some() {
            acked.sample = None;
        }
        acked
    }

    /// Marks what the blocks cover (RFC 6675 4, Update) and returns the octets that were not marked before.
    pub(super) fn mark_sacked(&mut self, blocks: &SackBlocks) -> u32 {
        let mut newly = 0;
        for &(left, right) in blocks.as_slice() {
            if left.lt(right) {
                newly += self.mark_block(left, right);
            }
        }
        self.sacked += newly;
        newly
    }

    fn mark_block(&mut self, left: SeqNumber, right: SeqNumber) -> u32 {
        let mut newly = 0;
        let mut index = self.entries.partition_point(|entry| entry.end().le(left));
        while let Some(entry) = self.entries.get(index) {
            if entry.seq.ge(right) {
                break;
            }
            if !entry.sacked {
                if entry.seq.lt(left) && self.split(index, left - entry.seq, Round::Up) {
                    index += 1;
                }
                let entry = &self.entries[index];
                if entry.end().gt(right) {
                    self.split(index, right - entry.seq, Round::Down);
                }
                let entry = &mut self.entries[index];
                if left.le(entry.seq) && entry.end().le(right) {
                    newly += entry.len;
                    entry.sacked = true;
                    if std::mem::take(&mut entry.lost) {
                        self.lost -= entry.len;
                    }
                }
            }
            index += 1;
        }
        newly
    }

    /// Splits an entry at a multiple of its segment size near `at`; says whether it did.
    fn split(&mut self, index: usize, at: u32, round: Round) -> bool {
        let entry = &mut self.entries[index];
        let size = u32::from(entry.size).max(1);
        let at = match round {
            Round::Up => at.div_ceil(size) * size,
            Round::Down => at / size * size,
            Round::No => at,
        };
        if at == 0 || at >= entry.len {
            return false;
        }
        let rest = Sent { seq: entry.seq + at, len: entry.len - at, ..*entry };
        entry.len = at;
        self.entries.insert(index + 1, rest);
        true
    }

    /// Marks holes with enough SACKed above them as lost (RFC 6675 4, IsLost) and says whether there was a new one.
    /// What was sent again is left to the timer: its SACKs may still be those of the original's time.
    pub(super) fn mark_lost_below_sacked(&mut self, mss: u32) -> bool {
        if self.sacked == 0 {
            return false;
        }
        let mut sacked_above = 0;
        let mut found = false;
        for entry in self.entries.iter_mut().rev() {
            if entry.sacked {
                sacked_above += entry.len;
            } else if sacked_above > (DUP_THRESH - 1) * mss && !entry.lost && !entry.retransmitted {
                entry.lost = true;
                self.lost += entry.len;
                found = true;
            }
        }
        found
    }

    /// Marks the first wire segment as lost, if the peer does not have it and it is not already on its way again.
    pub(super) fn mark_head_lost(&mut self) {
        let Some(head) = self.entries.front() else { return };
        if head.sacked || head.lost || head.retransmitted {
            return;
        }
        let size = u32::from(head.size);
        self.split(0, size, Round::Down);
        let head = &mut self.entries[0];
        head.lost = true;
        self.lost += head.len;
    }

    /// The timer fired: everything counts as lost, and SACK marks are forgotten, since the peer may have dropped what
    /// it announced (RFC 2018 8).
    pub(super) fn mark_all_lost(&mut self) {
        self.sacked = 0;
        self.lost = 0;
        for entry in &mut self.entries {
            entry.sacked = false;
            entry.lost = true;
            self.lost += entry.len;
        }
    }

    /// The oldest part that is lost and not sent again.
    pub(super) fn first_hole(&self) -> Option<Hole> {
        if self.lost == 0 {
            return None;
        }
        let entry = self.entries.iter().find(|entry| entry.lost)?;
        Some(Hole { seq: entry.seq, len: entry.len, size: entry.size })
    }

    /// The first `len` octets of the hole at `seq` have been sent again.
    pub(super) fn mark_retransmitted(&mut self, seq: SeqNumber, len: u32, now: Instant) {
        let index = self.entries.partition_point(|entry| entry.seq.lt(seq));
        if self.entries.get(index).is_none_or(|entry| entry.seq != seq) {
            return;
        }
        self.split(index, len, Round::No);
        let entry = &mut self.entries[index];
        if std::mem::take(&mut entry.lost) {
            self.lost -= entry.len;
        }
        entry.retransmitted = true;
        entry.sent_at = now;
    }

    /// `Err` says what is wrong: the log must cover exactly `snd_una..snd_nxt`, and its sums must hold.
    pub(super) fn check(&self, snd_una: SeqNumber, snd_nxt: SeqNumber) -> Result<(), String> {
        let mut at = snd_una;
        let (mut sacked, mut lost) = (0, 0);
        for entry in &self.entries {
            if entry.seq != at || entry.len == 0 {
                return Err(format!("sent log has {entry:?} where {at:?} is expected"));
            }
            if entry.sacked && entry.lost {
                return Err(format!("{entry:?} is both SACKed and lost"));
            }
            sacked += if entry.sacked { entry.len } else { 0 };
            lost += if entry.lost { entry.len } else { 0 };
            at = entry.end();
        }
        if at != snd_nxt {
            return Err(format!("sent log ends at {at:?}, SND.NXT is {snd_nxt:?}"));
        }
        if (sacked, lost) != (self.sacked, self.lost) {
            return Err(format!("sums {:?} are not {:?}", (self.sacked, self.lost), (sacked, lost)));
        }
        Ok(())
    }
}

/// Which way to go from a point inside a wire segment: a segment is SACKed whole or not at all.
#[derive(Clone, Copy)]
enum Round {
    Up,
    Down,
    /// Exactly there: our own doing, not a peer's claim.
    No,
}

#[cfg(test)]
mod tests {
    use super::*;

    const MSS: u32 = 100;

    /// A super-packet of ten segments, then two single ones, sent at 1, 2 and 3 ms.
    fn log() -> SentLog {
        let mut log = SentLog::default();
        log.push(SeqNumber(0), 1000, 100, Instant::from_millis(1));
        log.push(SeqNumber(1000), 100, 100, Instant::from_millis(2));
        log.push(SeqNumber(1100), 50, 100, Instant::from_millis(3));
        log
    }

    fn blocks(ranges: &[(u32, u32)]) -> SackBlocks {
        let mut blocks = SackBlocks::default();
        ranges.iter().for_each(|&(left, right)| blocks.push(SeqNumber(left), SeqNumber(right)));
        blocks
    }

    #[test]
    fn an_acknowledgment_samples_the_newest_segment_it_covers() {
        let mut log = log();
        let acked = log.acknowledge(SeqNumber(1100));
        assert_eq!(acked, Acked { sample: Some(Instant::from_millis(2)), resent_at: None, delivered: 1100 });
        log.check(SeqNumber(1100), SeqNumber(1150)).unwrap();
    }

    #[test]
    fn karn_no_sample_of_what_was_sent_twice() {
        let mut log = log();
        log.mark_head_lost();
        log.mark_retransmitted(SeqNumber(0), 100, Instant::from_millis(9));
        assert_eq!(log.acknowledge(SeqNumber(1000)).sample, None);
        assert_eq!(log.acknowledge(SeqNumber(1150)).sample, Some(Instant::from_millis(3)));
    }

    #[test]
    fn a_super_packet_splits_at_segment_boundaries() {
        let mut log = log();
        assert_eq!(log.mark_sacked(&blocks(&[(300, 500)])), 200);
        log.check(SeqNumber(0), SeqNumber(1150)).unwrap();
        assert_eq!(log.entries.len(), 5);
        assert_eq!(log.mark_sacked(&blocks(&[(300, 500)])), 0, "the same block again brings nothing");
        assert_eq!(log.acknowledge(SeqNumber(500)).delivered, 300);
        log.check(SeqNumber(500), SeqNumber(1150)).unwrap();
    }

    #[test]
    fn a_peer_cannot_shred_the_log() {
        let mut log = log();
        for at in 0..1150 {
            log.mark_sacked(&blocks(&[(at, at + 1)]));
        }
        assert!(log.entries.len() <= 12);
        assert_eq!(log.sacked(), 0);
        log.check(SeqNumber(0), SeqNumber(1150)).unwrap();
    }

    #[test]
    fn rfc_6675_4_is_lost_needs_more_than_two_segments_above() {
        let mut log = log();
        log.mark_sacked(&blocks(&[(300, 500)]));
        assert!(!log.mark_lost_below_sacked(MSS));
        log.mark_sacked(&blocks(&[(300, 600)]));
        assert!(log.mark_lost_below_sacked(MSS));
        assert_eq!(log.first_hole(), Some(Hole { seq: SeqNumber(0), len: 300, size: 100 }));
        assert_eq!(log.lost(), 300);
        assert!(!log.mark_lost_below_sacked(MSS), "nothing new");
    }

    #[test]
    fn a_hole_is_sent_again_piece_by_piece() {
        let mut log = log();
        log.mark_all_lost();
        log.mark_retransmitted(SeqNumber(0), 100, Instant::from_millis(5));
        assert_eq!(log.first_hole(), Some(Hole { seq: SeqNumber(100), len: 900, size: 100 }));
        log.mark_retransmitted(SeqNumber(100), 900, Instant::from_millis(5));
        assert_eq!(log.lost(), 150);
        log.check(SeqNumber(0), SeqNumber(1150)).unwrap();
    }

    #[test]
    fn rfc_2018_8_a_time_out_forgets_sack_marks() {
        let mut log = log();
        log.mark_sacked(&blocks(&[(300, 500)]));
        log.mark_all_lost();
        assert_eq!((log.sacked(), log.lost()), (0, 1150));
    }

    #[test]
    fn lost_then_sacked_is_not_lost() {
        let mut log = log();
        log.mark_all_lost();
        log.mark_sacked(&blocks(&[(0, 1000)]));
        assert_eq!((log.sacked(), log.lost()), (1000, 150));
        log.check(SeqNumber(0), SeqNumber(1150)).unwrap();
    }

    #[test]
    fn reversed_and_foreign_blocks_are_harmless() {
        let mut log = log();
        assert_eq!(log.mark_sacked(&blocks(&[(500, 300), (5000, 6000)])), 0);
        log.check(SeqNumber(0), SeqNumber(1150)).unwrap();
    }
}
