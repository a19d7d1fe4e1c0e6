//! Data that arrived before what precedes it.

use std::collections::VecDeque;

use crate::buffer::Chunk;
use crate::wire::{SackBlocks, SeqNumber};

/// Most discontiguous ranges held. A hostile sender of one-byte holes gets this far.
const MAX_RANGES: usize = 256;
/// Most payloads held, so that one-byte segments without holes are bounded as well.
const MAX_CHUNKS: usize = 8192;
/// Ranges reported first, most recently changed first (RFC 2018 4).
const RECENT: usize = 4;

/// Out-of-order payloads above RCV.NXT: sorted, without overlap. Bytes that were accepted first win.
#[derive(Debug, Default)]
pub(super) struct Reassembly {
    chunks: VecDeque<(SeqNumber, Chunk)>,
    /// The same, with neighbours merged: what SACK reports.
    ranges: Vec<(SeqNumber, SeqNumber)>,
    /// Where data arrived last, most recent first.
    recent: [Option<SeqNumber>; RECENT],
    pinned: usize,
}

impl Reassembly {
    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Bytes of memory that holding the content costs.
    pub(super) fn pinned(&self) -> usize {
        self.pinned
    }

    /// Keeps what is new in a payload that begins at `seq`, above RCV.NXT, and says whether it could: `false` means
    /// that a limit was reached and something new was dropped. The chunk is taken over if it is at least half full.
    pub(super) fn insert(&mut self, seq: SeqNumber, payload: &mut Chunk) -> bool {
        let end = seq + payload.len() as u32;
        let gaps = self.gaps(seq, end);
        self.note_recent(seq);
        for &(left, right) in &gaps {
            if self.chunks.len() >= MAX_CHUNKS || !self.merge_range(left, right) {
                return false;
            }
            let whole = gaps.len() == 1 && left == seq && right == end;
            let chunk = if whole && payload.is_half_full() {
                std::mem::take(payload)
            } else {
                Chunk::copy_of(&payload[(left - seq) as usize..(right - seq) as usize])
            };
            self.pinned += chunk.capacity();
            let at = self.chunks.partition_point(|(start, _)| start.lt(left));
            self.chunks.insert(at, (left, chunk));
        }
        true
    }

    /// The first part of `seq..end` that is held already.
    pub(super) fn held(&self, seq: SeqNumber, end: SeqNumber) -> Option<(SeqNumber, SeqNumber)> {
        let at = self.ranges.partition_point(|(_, right)| right.le(seq));
        let &(left, right) = self.ranges.get(at)?;
        let (left, right) = (left.max(seq), right.min(end));
        left.lt(right).then_some((left, right))
    }

    /// The parts of `seq..end` that are not held yet.
    fn gaps(&self, seq: SeqNumber, end: SeqNumber) -> Vec<(SeqNumber, SeqNumber)> {
        let mut gaps = Vec::new();
        let mut at = seq;
        let first = self.ranges.partition_point(|(_, right)| right.le(seq));
        for &(left, right) in &self.ranges[first..] {
            if left.ge(end) {
                break;
            }
            if at.lt(left) {
                gaps.push((at, left));
            }
            at = at.max(right);
        }
        if at.lt(end) {
            gaps.push((at, end));
        }
        gaps
    }

    /// Adds a range that overlaps none, joining its neighbours; `false` if it would be one too many.
    fn merge_range(&mut self, left: SeqNumber, right: SeqNumber) -> bool {
        let at = self.ranges.partition_point(|&(_, end)| end.lt(left));
        let joins_left = self.ranges.get(at).is_some_and(|&(_, end)| end == left);
        let next = at + usize::from(joins_left);
        let joins_right = self.ranges.get(next).is_some_and(|&(start, _)| start == right);
        match (joins_left, joins_right) {
            (true, true) => {
                self.ranges[at].1 = self.ranges[next].1;
                self.ranges.remove(next);
            }
            (true, false) => self.ranges[at].1 = right,
            (false, true) => self.ranges[next].0 = left,
            (false, false) if self.ranges.len() >= MAX_RANGES => return false,
            (false, false) => self.ranges.insert(at, (left, right)),
        }
        true
    }

    fn note_recent(&mut self, seq: SeqNumber) {
        self.recent.rotate_right(1);
        self.recent[0] = Some(seq);
    }

    /// Takes the chunk that begins at or before `rcv_nxt`, cut to what is new, or drops what is entirely old.
    pub(super) fn take_next(&mut self, rcv_nxt: SeqNumber) -> Option<Chunk> {
        while let Some((seq, chunk)) = self.chunks.front_mut() {
            if seq.gt(rcv_nxt) {
                break;
            }
            let old = rcv_nxt - *seq;
            let fresh = (old as usize) < chunk.len();
            let (_, mut chunk) = self.chunks.pop_front().expect("the front was just looked at");
            self.pinned -= chunk.capacity();
            if fresh {
                chunk.advance(old as usize);
                self.forget_below(rcv_nxt + chunk.len() as u32);
                return Some(chunk);
            }
        }
        self.forget_below(rcv_nxt);
        None
    }

    fn forget_below(&mut self, rcv_nxt: SeqNumber) {
        self.ranges.retain_mut(|(left, right)| {
            *left = left.max(rcv_nxt);
            left.lt(*right)
        });
    }

    /// The ranges for a SACK option: those that changed last come first (RFC 2018 4), then the rest from the lowest.
    pub(super) fn sack_blocks(&self) -> SackBlocks {
        let mut blocks = SackBlocks::default();
        let recent = self.recent.iter().flatten().filter_map(|&seq| self.range_at(seq));
        for (left, right) in recent.chain(self.ranges.iter().copied().take(RECENT)) {
            if !blocks.as_slice().contains(&(left, right)) {
                blocks.push(left, right);
            }
        }
        blocks
    }

    fn range_at(&self, seq: SeqNumber) -> Option<(SeqNumber, SeqNumber)> {
        let at = self.ranges.partition_point(|(_, right)| right.le(seq));
        self.ranges.get(at).copied().filter(|(left, _)| left.le(seq))
    }

    /// `Err` says what is wrong with the order, the ranges or the sums.
    pub(super) fn check(&self, rcv_nxt: SeqNumber) -> Result<(), String> {
        let mut merged: Vec<(SeqNumber, SeqNumber)> = Vec::new();
        for (seq, chunk) in &self.chunks {
            let end = *seq + chunk.len() as u32;
            match merged.last_mut() {
                Some((_, right)) if *right == *seq => *right = end,
                Some((_, right)) if right.gt(*seq) => return Err(format!("overlap at {seq:?}")),
                _ => merged.push((*seq, end)),
            }
        }
        if merged != self.ranges {
            return Err(format!("ranges {:?} are not {merged:?}", self.ranges));
        }
        if merged.first().is_some_and(|(left, _)| left.le(rcv_nxt)) {
            return Err(format!("{merged:?} is not above RCV.NXT {rcv_nxt:?}"));
        }
        let pinned: usize = self.chunks.iter().map(|(_, chunk)| chunk.capacity()).sum();
        if pinned != self.pinned { Err(format!("pinned {} is not {pinned}", self.pinned)) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn insert(reassembly: &mut Reassembly, seq: u32, bytes: &[u8]) -> bool {
        reassembly.insert(SeqNumber(seq), &mut Chunk::copy_of(bytes))
    }

    fn drain(reassembly: &mut Reassembly, mut rcv_nxt: SeqNumber) -> Vec<u8> {
        let mut out = Vec::new();
        while let Some(chunk) = reassembly.take_next(rcv_nxt) {
            rcv_nxt += chunk.len() as u32;
            out.extend_from_slice(&chunk);
        }
        out
    }

    #[test]
    fn a_filled_gap_releases_what_follows() {
        let mut reassembly = Reassembly::default();
        insert(&mut reassembly, 30, b"late");
        insert(&mut reassembly, 20, b"0123456789");
        assert_eq!(drain(&mut reassembly, SeqNumber(10)), b"");
        assert_eq!(drain(&mut reassembly, SeqNumber(20)), b"0123456789late");
        assert!(reassembly.is_empty());
        assert_eq!(reassembly.pinned(), 0);
    }

    #[test]
    fn bytes_accepted_first_win() {
        let mut reassembly = Reassembly::default();
        insert(&mut reassembly, 12, b"CDE");
        insert(&mut reassembly, 10, b"abcdefgh");
        assert_eq!(drain(&mut reassembly, SeqNumber(10)), b"abCDEfgh");
    }

    #[test]
    fn rfc_2018_section_4_most_recent_block_first() {
        let mut reassembly = Reassembly::default();
        insert(&mut reassembly, 100, &[0; 10]);
        insert(&mut reassembly, 200, &[0; 10]);
        insert(&mut reassembly, 300, &[0; 10]);
        insert(&mut reassembly, 110, &[0; 5]);
        let blocks: Vec<_> = reassembly.sack_blocks().as_slice().iter().map(|b| (b.0.0, b.1.0)).collect();
        assert_eq!(blocks, [(100, 115), (300, 310), (200, 210)]);
    }

    #[test]
    fn one_byte_holes_are_bounded() {
        let mut reassembly = Reassembly::default();
        let kept = (0..10_000).filter(|i| insert(&mut reassembly, 10 + 2 * i, b"x")).count();
        assert_eq!(kept, MAX_RANGES);
        assert!(!insert(&mut reassembly, 1_000_000, b"x"));
        assert!(insert(&mut reassembly, 11, b"y"), "filling a hole still works");
        reassembly.check(SeqNumber(9)).unwrap();
    }

    #[test]
    fn a_chunk_that_has_grown_old_goes_with_its_range() {
        let mut reassembly = Reassembly::default();
        insert(&mut reassembly, 20, b"old");
        insert(&mut reassembly, 30, b"later");
        assert_eq!(drain(&mut reassembly, SeqNumber(25)), b"", "a longer segment has brought 20..25");
        reassembly.check(SeqNumber(25)).unwrap();
        assert_eq!(reassembly.sack_blocks().as_slice(), [(SeqNumber(30), SeqNumber(35))]);
    }

    #[test]
    fn works_across_the_wrap() {
        let mut reassembly = Reassembly::default();
        insert(&mut reassembly, 2, b"after");
        insert(&mut reassembly, u32::MAX - 1, b"1234");
        assert_eq!(drain(&mut reassembly, SeqNumber(u32::MAX - 1)), b"1234after");
    }

    proptest! {
        #[test]
        fn any_order_and_overlap_gives_the_stream(
            pieces in prop::collection::vec((0u32..200, 1u32..40), 1..60),
            start in any::<u32>(),
        ) {
            let stream: Vec<u8> = (0..240u32).map(|i| i as u8).collect();
            let base = SeqNumber(start);
            let mut held = [false; 240];
            let mut reassembly = Reassembly::default();
            for (offset, len) in pieces {
                let range = offset as usize..(offset + len) as usize;
                held[range.clone()].fill(true);
                prop_assert!(reassembly.insert(base + 1 + offset, &mut Chunk::copy_of(&stream[range])));
                prop_assert_eq!(reassembly.check(base), Ok(()));
            }
            let first = held.iter().position(|&byte| byte).unwrap();
            let run = held[first..].iter().take_while(|&&byte| byte).count();
            let out = drain(&mut reassembly, base + 1 + first as u32);
            prop_assert_eq!(out, &stream[first..first + run]);
        }
    }
}
