//! What is under way: every segment sent and not acknowledged, and what is known of it.

use std::collections::VecDeque;

use super::delivery::Snapshot;
use crate::few::Few;
use crate::time::Instant;
use crate::wire::{SackBlocks, SeqNumber};

/// Entries that a log keeps memory for.
const KEPT: usize = 8;

/// One segment, perhaps a super-packet of many wire segments.
#[derive(Clone, Copy, Debug)]
pub(in crate::tcp) struct Sent {
    pub(in crate::tcp) seq: SeqNumber,
    /// Octets of sequence space; a FIN counts one.
    pub(in crate::tcp) len: u32,
    /// Payload size of each wire segment but the last. The log splits only at multiples of it, so a peer cannot
    /// shred it.
    pub(in crate::tcp) size: u16,
    /// When it was last sent.
    pub(in crate::tcp) sent_at: Instant,
    /// The peer has it, says a SACK block.
    sacked: bool,
    /// Presumed lost and not sent again.
    lost: bool,
    /// It was sent more than once, or its acknowledgment says nothing about a copy for another reason.
    pub(in crate::tcp) retransmitted: bool,
    /// What was known of the path when it was last sent.
    pub(in crate::tcp) snapshot: Snapshot,
}

impl Sent {
    /// A segment that is sent for the first time.
    fn new(seq: SeqNumber, len: u32, size: u16, sent_at: Instant, snapshot: Snapshot) -> Sent {
        Sent { seq, len, size, sent_at, sacked: false, lost: false, retransmitted: false, snapshot }
    }

    pub(in crate::tcp) fn end(&self) -> SeqNumber {
        self.seq + self.len
    }

    #[cfg(test)]
    pub(in crate::tcp) fn for_tests(seq: SeqNumber, len: u32, sent_at: Instant) -> Sent {
        Sent::new(seq, len, 100, sent_at, Snapshot::default())
    }
}

/// One act of sending, in the order of time: what RACK goes through. It is out of date once its octets have been
/// acknowledged, or sent again at another time.
#[derive(Clone, Copy, Debug)]
struct Transmission {
    at: Instant,
    seq: SeqNumber,
    end: SeqNumber,
}

/// What a cumulative acknowledgment brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::tcp) struct Acked {
    /// When the newest segment that it covers was sent, unless one of those was sent twice (Karn's rule).
    pub(in crate::tcp) sample: Option<Instant>,
    /// When the last of what was sent twice went out, if something it covers was.
    pub(in crate::tcp) resent_at: Option<Instant>,
    /// Bytes that left the network now: SACKed ones had left before.
    pub(in crate::tcp) delivered: u32,
}

/// A part of the log to be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tcp) struct Hole {
    pub(in crate::tcp) seq: SeqNumber,
    pub(in crate::tcp) len: u32,
    pub(in crate::tcp) size: u16,
}

/// The segments in flight, oldest first, without gaps: from SND.UNA to SND.NXT.
///
/// An acknowledgment costs what it covers for the first time, and a search: SACKed neighbours are one entry, the first
/// hole is remembered, and losses are found in the order of sending.
#[derive(Debug, Default)]
pub(in crate::tcp) struct SentLog {
    entries: VecDeque<Sent>,
    order: Few<Transmission>,
    sacked: u32,
    lost: u32,
    /// Where the first lost entry begins, if `lost` is not 0.
    hole: SeqNumber,
}

impl SentLog {
    pub(in crate::tcp) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Octets that the peer has SACKed.
    pub(in crate::tcp) fn sacked(&self) -> u32 {
        self.sacked
    }

    /// Octets presumed lost and not sent again.
    pub(in crate::tcp) fn lost(&self) -> u32 {
        self.lost
    }

    /// Forgets everything, but keeps the memory for a few entries: those of the next answer.
    pub(in crate::tcp) fn clear(&mut self) {
        let SentLog { entries, order, sacked, lost, hole } = self;
        entries.clear();
        entries.shrink_to(KEPT);
        (*order, *sacked, *lost, *hole) = Default::default();
    }

    /// Adds what was just sent at SND.NXT.
    pub(in crate::tcp) fn push(
        &mut self,
        seq: SeqNumber,
        len: u32,
        size: u16,
        now: Instant,
        snapshot: Snapshot,
    ) {
        let entry = Sent::new(seq, len, size, now, snapshot);
        self.order.push_back(Transmission { at: now, seq, end: entry.end() });
        self.entries.push_back(entry);
    }

    /// Removes what lies below `ack`, and shows `delivered` what had not left the network before.
    pub(in crate::tcp) fn acknowledge(&mut self, ack: SeqNumber, delivered: &mut dyn FnMut(&Sent)) -> Acked {
        let mut acked = Acked::default();
        while let Some(head) = self.entries.front_mut() {
            if head.seq.ge(ack) {
                break;
            }
            let covered = Sent { len: head.len.min(ack - head.seq), ..*head };
            let whole = covered.len == head.len;
            head.seq += covered.len;
            head.len -= covered.len;
            if whole {
                self.entries.pop_front();
            }
            if covered.retransmitted {
                acked.resent_at = acked.resent_at.max(Some(covered.sent_at));
            }
            if covered.sacked {
                self.sacked -= covered.len;
            } else {
                acked.sample = Some(covered.sent_at);
                acked.delivered += covered.len;
                delivered(&covered);
            }
            if covered.lost {
                self.lost -= covered.len;
            }
        }
        if acked.resent_at.is_some() {
            acked.sample = None;
        }
        while self.order.front().is_some_and(|sent| sent.end.le(ack)) {
            self.order.pop_front();
        }
        self.settle();
        acked
    }

    /// Marks what the blocks cover (RFC 6675 4, Update), shows `delivered` what was not marked before, and returns
    /// how many octets that is.
    pub(in crate::tcp) fn mark_sacked(
        &mut self,
        blocks: &SackBlocks,
        delivered: &mut dyn FnMut(&Sent),
    ) -> u32 {
        let mut newly = 0;
        for &(left, right) in blocks.as_slice() {
            if left.lt(right) {
                newly += self.mark_block(left, right, delivered);
            }
        }
        self.sacked += newly;
        self.settle();
        newly
    }

    fn mark_block(&mut self, left: SeqNumber, right: SeqNumber, delivered: &mut dyn FnMut(&Sent)) -> u32 {
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
                    delivered(entry);
                    index = self.merge_sacked(index);
                }
            }
            index += 1;
        }
        newly
    }

    /// Makes a SACKed entry one with its SACKed neighbours, so that a block that is told again costs a step, and says
    /// where it is now.
    fn merge_sacked(&mut self, mut index: usize) -> usize {
        if self.entries.get(index + 1).is_some_and(|next| next.sacked) {
            self.join_with_next(index);
        }
        if index > 0 && self.entries[index - 1].sacked {
            index -= 1;
            self.join_with_next(index);
        }
        index
    }

    fn join_with_next(&mut self, index: usize) {
        let Some(next) = self.entries.remove(index + 1) else { return };
        let entry = &mut self.entries[index];
        entry.len += next.len;
        entry.size = entry.size.max(next.size);
        entry.sent_at = entry.sent_at.max(next.sent_at);
        entry.retransmitted |= next.retransmitted;
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

    /// Where the entry is that holds `seq`.
    fn index_of(&self, seq: SeqNumber) -> usize {
        self.entries.partition_point(|entry| entry.end().le(seq))
    }

    /// `Err` says what is wrong: the log must cover exactly `snd_una..snd_nxt`, and its sums must hold.
    pub(in crate::tcp) fn check(&self, snd_una: SeqNumber, snd_nxt: SeqNumber) -> Result<(), String> {
        let mut at = snd_una;
        let (mut sacked, mut lost, mut hole) = (0, 0, None);
        for entry in &self.entries {
            if entry.seq != at || entry.len == 0 {
                return Err(format!("sent log has {entry:?} where {at:?} is expected"));
            }
            if entry.sacked && entry.lost {
                return Err(format!("{entry:?} is both SACKed and lost"));
            }
            if entry.lost {
                hole = hole.or(Some(entry.seq));
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
        if hole.is_some_and(|hole| hole != self.hole) {
            return Err(format!("the first hole is {hole:?}, not {:?}", self.hole));
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

mod losses;
#[cfg(test)]
mod tests;
