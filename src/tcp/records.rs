//! Where records end: points in the send sequence space that no segment lies across.

use std::collections::VecDeque;

use crate::wire::SeqNumber;

/// The ends of the records that are not acknowledged yet, in order. A record has at least a byte, so that there are no
/// more of them than bytes in the send queue.
#[derive(Debug, Default)]
pub(super) struct Records(VecDeque<SeqNumber>);

impl Records {
    /// What is written next begins a new record, at `end`.
    pub(super) fn end_at(&mut self, end: SeqNumber) {
        self.0.push_back(end);
    }

    /// The end of the record that the byte at `seq` belongs to, if that is known yet.
    pub(super) fn end_behind(&self, seq: SeqNumber) -> Option<SeqNumber> {
        let index = self.0.partition_point(|end| end.le(seq));
        self.0.get(index).copied()
    }

    /// Everything below `ack` is acknowledged.
    pub(super) fn discard(&mut self, ack: SeqNumber) {
        while self.0.front().is_some_and(|end| end.le(ack)) {
            self.0.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_belongs_to_the_record_that_ends_behind_it() {
        let mut records = Records::default();
        let at = |n: u32| SeqNumber(u32::MAX - 5) + n;
        records.end_at(at(10));
        records.end_at(at(30));
        assert_eq!(records.end_behind(at(0)), Some(at(10)));
        assert_eq!(records.end_behind(at(10)), Some(at(30)), "across 2^32");
        assert_eq!(records.end_behind(at(30)), None);
        records.discard(at(15));
        assert_eq!(records.end_behind(at(15)), Some(at(30)));
        records.discard(at(30));
        assert_eq!(records.end_behind(at(20)), None);
    }
}
