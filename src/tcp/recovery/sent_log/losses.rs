//! What the sent log holds to be lost, and what of it has been sent again.

use super::{Hole, Round, Sent, SentLog, Transmission};
use crate::tcp::recovery::delivery::Snapshot;
use crate::tcp::recovery::rack::Newest;
use crate::time::{Duration, Instant};
use crate::wire::SeqNumber;

impl SentLog {
    /// Marks as lost what was sent before `newest`, which has been delivered, and for which patience has run out at
    /// `now` (RFC 8985 6.2 step 5), and shows it. Says whether there was something, and when it will run out for the
    /// next one.
    pub(in crate::tcp) fn mark_lost_before(
        &mut self,
        newest: Newest,
        now: Instant,
        patience: Duration,
        lost: &mut dyn FnMut(&Sent),
    ) -> (bool, Option<Instant>) {
        let mut found = false;
        while let Some(&sent) = self.order.front() {
            let mut index = self.entries.partition_point(|entry| entry.end().le(sent.seq));
            let mut waiting = false;
            while let Some(entry) = self.entries.get(index).filter(|entry| entry.seq.lt(sent.end)) {
                if entry.sent_at == sent.at && !entry.sacked && !entry.lost {
                    if !newest.was_sent_after(sent.at, entry.end()) {
                        waiting = true; // as is all that was sent later
                        break;
                    }
                    let due = sent.at + patience;
                    if due > now {
                        return (found, Some(due));
                    }
                    self.mark_lost(index, lost);
                    found = true;
                }
                index += 1;
            }
            if waiting {
                break;
            }
            self.order.pop_front();
        }
        (found, None)
    }

    fn mark_lost(&mut self, index: usize, lost: &mut dyn FnMut(&Sent)) {
        let entry = &mut self.entries[index];
        self.hole = if self.lost == 0 { entry.seq } else { self.hole.min(entry.seq) };
        entry.lost = true;
        self.lost += entry.len;
        lost(entry);
    }

    /// Marks the first wire segment as lost, if the peer does not have it and it is not already on its way again.
    pub(in crate::tcp) fn mark_head_lost(&mut self, lost: &mut dyn FnMut(&Sent)) {
        let Some(head) = self.entries.front() else { return };
        if head.sacked || head.lost || head.retransmitted {
            return;
        }
        let size = u32::from(head.size);
        self.split(0, size, Round::Down);
        self.mark_lost(0, lost);
    }

    /// The timer fired: what patience has run out for counts as lost, and in any case the first segment. SACK marks are
    /// forgotten, since the peer may have dropped what it announced (RFC 2018 8); when those segments arrived is not
    /// known any more, so they measure nothing from here on.
    pub(in crate::tcp) fn mark_lost_at_time_out(
        &mut self,
        now: Instant,
        patience: Duration,
        lost: &mut dyn FnMut(&Sent),
    ) {
        let is_late = |sent_at: Instant| sent_at + patience <= now;
        if let Some(head) = self.entries.front().filter(|head| !is_late(head.sent_at)) {
            self.split(0, u32::from(head.size), Round::Down);
        }
        (self.sacked, self.lost) = (0, 0);
        for (index, entry) in self.entries.iter_mut().enumerate() {
            entry.retransmitted |= std::mem::take(&mut entry.sacked);
            let known = std::mem::replace(&mut entry.lost, index == 0 || is_late(entry.sent_at));
            if entry.lost {
                if !known {
                    lost(entry);
                }
                self.hole = if self.lost == 0 { entry.seq } else { self.hole };
                self.lost += entry.len;
            }
        }
    }

    /// Takes everything for lost, which says nothing of the path: the peer has dropped it.
    pub(in crate::tcp) fn mark_all_lost(&mut self) {
        self.mark_lost_at_time_out(Instant::from_nanos(u64::MAX), Duration::ZERO, &mut |_| ());
    }

    /// Segments of more than `size` octets do not arrive: what consists of such counts as lost, and is going to be sent
    /// in smaller ones. Whether there was any.
    pub(in crate::tcp) fn cut_anew(&mut self, size: u16) -> bool {
        let mut found = false;
        for index in 0..self.entries.len() {
            let entry = &mut self.entries[index];
            if entry.sacked || entry.size <= size {
                continue;
            }
            entry.size = size;
            if entry.len > u32::from(size) && !entry.lost {
                self.mark_lost(index, &mut |_| ());
                found = true;
            }
        }
        found
    }

    /// The first segment, which is lost, goes out again with `size` octets at most; what follows, with as many as before.
    pub(in crate::tcp) fn cut_head(&mut self, size: u16) {
        self.split(0, size.into(), Round::No);
        if let Some(head) = self.entries.front_mut() {
            head.size = head.size.min(size);
        }
    }

    /// Nothing is lost after all. What was marked is watched again, by the time at which it was sent.
    pub(in crate::tcp) fn forget_losses(&mut self) {
        self.lost = 0;
        let mut order: Vec<Transmission> = std::iter::from_fn(|| self.order.pop_front()).collect();
        for entry in self.entries.iter_mut().filter(|entry| entry.lost) {
            entry.lost = false;
            order.push(Transmission { at: entry.sent_at, seq: entry.seq, end: entry.end() });
        }
        order.sort_by_key(|sent| sent.at);
        order.into_iter().for_each(|sent| self.order.push_back(sent));
    }

    /// The oldest part that is lost and not sent again.
    pub(in crate::tcp) fn first_hole(&self) -> Option<Hole> {
        if self.lost == 0 {
            return None;
        }
        let entry = self.entries.get(self.index_of(self.hole))?;
        Some(Hole { seq: entry.seq, len: entry.len, size: entry.size })
    }

    /// The last wire segment that was sent, for a tail loss probe.
    pub(in crate::tcp) fn tail(&self) -> Option<Hole> {
        let tail = self.entries.back()?;
        let size = u32::from(tail.size).max(1);
        let before = (tail.len - 1) / size * size;
        Some(Hole { seq: tail.seq + before, len: tail.len - before, size: tail.size })
    }

    /// The `len` octets from `seq` on have been sent again.
    pub(in crate::tcp) fn mark_retransmitted(
        &mut self,
        seq: SeqNumber,
        len: u32,
        now: Instant,
        snapshot: Snapshot,
    ) {
        let mut index = self.index_of(seq);
        let Some(entry) = self.entries.get(index) else { return };
        if entry.seq.lt(seq) && self.split(index, seq - entry.seq, Round::No) {
            index += 1;
        }
        self.split(index, len, Round::No);
        let entry = &mut self.entries[index];
        if std::mem::take(&mut entry.lost) {
            self.lost -= entry.len;
        }
        entry.retransmitted = true;
        entry.sent_at = now;
        entry.snapshot = snapshot;
        self.order.push_back(Transmission { at: now, seq, end: entry.end() });
        self.settle();
    }

    /// Finds the first hole again after something has ceased to be one.
    pub(super) fn settle(&mut self) {
        if self.lost == 0 {
            return;
        }
        let from = self.index_of(self.hole);
        if let Some(first) = self.entries.range(from..).find(|entry| entry.lost) {
            self.hole = first.seq;
        }
    }
}
