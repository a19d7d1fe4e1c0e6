//! From a 4-tuple to the state of its connection.
//!
//! An open-addressing table of 8-byte slots: 32 bits of a keyed hash beside 32 bits that say where the state is kept.
//! The tuples themselves stay with the state, so a lookup reads one cache line here and then the entry that the
//! packet needs anyway. The stored hash is enough to move a slot, so neither growth nor deletion reads any entry.
//!
//! Deletion shifts the rest of the cluster back and leaves no tombstones; a table that has seen a flood is as fast as
//! before. Growth moves a few slots with each change, so that no single packet pays for it.

use siphasher::sip::SipHasher13;

use super::flow::{Flow, FourTuple};

const SMALLEST: usize = 64;
/// Steps of a move that ride on one change. A table of C slots needs at most 1.8 C steps and, at one and a half times the
/// size, 0.4 C changes until it must grow again; at half the size, 0.06 C until it may shrink again.
const STEPS_PER_CHANGE: usize = 32;

/// The table. Hash it once ([`tag`](Demux::tag)), then ask.
pub(super) struct Demux {
    hasher: SipHasher13,
    current: Table,
    /// The table being emptied into `current`, and how far that has come.
    old: Option<(Table, usize)>,
    /// What the last segment that came in had.
    last: Option<(FourTuple, Tag)>,
}

/// The 32 bits of hash that find a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag(u32);

impl Demux {
    /// An empty table under a secret key, so that nobody can aim for collisions.
    pub(super) fn new(key: &[u8; 16]) -> Demux {
        Demux { hasher: SipHasher13::new_with_key(key), current: Table::new(SMALLEST), old: None, last: None }
    }

    /// Flows held.
    pub(super) fn len(&self) -> usize {
        self.current.len + self.old.as_ref().map_or(0, |(table, _)| table.len)
    }

    /// The tag of an arriving segment's tuple. Segments come in trains, so most have that of the one before.
    pub(super) fn tag_of_arrival(&mut self, tuple: &FourTuple) -> Tag {
        match self.last {
            Some((last, tag)) if last == *tuple => tag,
            _ => {
                let tag = self.tag(tuple);
                self.last = Some((*tuple, tag));
                tag
            }
        }
    }

    /// The tag of a tuple.
    pub(super) fn tag(&self, tuple: &FourTuple) -> Tag {
        let (bytes, len) = tuple.to_bytes();
        Tag(self.hasher.hash(&bytes[..len]) as u32)
    }

    /// The flow with this tag for which `is_it` holds.
    pub(super) fn find(&self, tag: Tag, mut is_it: impl FnMut(Flow) -> bool) -> Option<Flow> {
        let found = |table: &Table, is_it: &mut dyn FnMut(Flow) -> bool| {
            table.position(tag, is_it).map(|position| table.flow(position))
        };
        found(&self.current, &mut is_it)
            .or_else(|| self.old.as_ref().and_then(|(table, _)| found(table, &mut is_it)))
    }

    /// Adds a flow. The caller knows that its tuple is not there yet.
    pub(super) fn insert(&mut self, tag: Tag, flow: Flow) {
        self.migrate(STEPS_PER_CHANGE);
        // By half and not to the double: of a million slots as few as possible shall be for nothing.
        if (self.len() + 1) * 5 > self.current.capacity() * 4 {
            self.resize(self.current.capacity() * 3 / 2);
        }
        self.current.insert(u64::from(tag.0) << 32 | u64::from(flow.to_bits()));
    }

    /// Removes a flow; `false` if it was not there.
    pub(super) fn remove(&mut self, tag: Tag, flow: Flow) -> bool {
        self.migrate(STEPS_PER_CHANGE);
        let removed = self.current.remove(tag, flow)
            || self.old.as_mut().is_some_and(|(table, _)| table.remove(tag, flow));
        let capacity = self.current.capacity();
        if self.old.is_none() && capacity > SMALLEST && self.len() * 8 < capacity {
            self.resize((capacity / 2).max(SMALLEST));
        }
        removed
    }

    /// Starts to move everything to a table of another size.
    fn resize(&mut self, capacity: usize) {
        self.migrate(usize::MAX);
        let old = std::mem::replace(&mut self.current, Table::new(capacity));
        self.old = Some((old, 0));
    }

    /// Moves on by at most `steps` slots. Where the cursor has passed, the old table stays empty.
    fn migrate(&mut self, steps: usize) {
        let Some((old, cursor)) = &mut self.old else { return };
        for _ in 0..steps {
            if old.len == 0 || *cursor == old.capacity() {
                self.old = None;
                return;
            }
            match old.slots[*cursor] {
                0 => *cursor += 1,
                slot => {
                    old.remove_at(*cursor);
                    self.current.insert(slot);
                }
            }
        }
    }
}

/// `tag << 32 | flow`; zero is vacant, as no flow is zero.
type Slot = u64;

/// Bytes of the table for each flow that there is room for.
#[cfg(test)]
pub(super) const SLOT_BYTES: usize = size_of::<Slot>();

/// Linear probing over slots.
struct Table {
    slots: Box<[Slot]>,
    len: usize,
}

impl Table {
    fn new(capacity: usize) -> Table {
        Table { slots: vec![0; capacity].into_boxed_slice(), len: 0 }
    }

    fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// Where probing begins: the tag as a fraction of 2^32, so that any capacity will do.
    fn home(&self, tag: u32) -> usize {
        ((u64::from(tag) * self.slots.len() as u64) >> 32) as usize
    }

    fn after(&self, position: usize) -> usize {
        if position + 1 == self.slots.len() { 0 } else { position + 1 }
    }

    /// Steps of probing from one position to another.
    fn distance(&self, from: usize, to: usize) -> usize {
        if to >= from { to - from } else { to + self.slots.len() - from }
    }

    fn flow(&self, position: usize) -> Flow {
        Flow::from_bits(self.slots[position] as u32)
    }

    fn position(&self, tag: Tag, is_it: &mut dyn FnMut(Flow) -> bool) -> Option<usize> {
        let mut position = self.home(tag.0);
        loop {
            let slot = self.slots[position];
            if slot == 0 {
                return None;
            }
            if (slot >> 32) as u32 == tag.0 && is_it(Flow::from_bits(slot as u32)) {
                return Some(position);
            }
            position = self.after(position);
        }
    }

    fn insert(&mut self, slot: Slot) {
        let mut position = self.home((slot >> 32) as u32);
        while self.slots[position] != 0 {
            position = self.after(position);
        }
        self.slots[position] = slot;
        self.len += 1;
    }

    fn remove(&mut self, tag: Tag, flow: Flow) -> bool {
        let position = self.position(tag, &mut |candidate| candidate == flow);
        position.map(|position| self.remove_at(position)).is_some()
    }

    /// Vacates a slot and moves back into it whatever would otherwise be out of reach of its home.
    fn remove_at(&mut self, mut hole: usize) {
        let mut next = hole;
        loop {
            next = self.after(next);
            let slot = self.slots[next];
            if slot == 0 {
                break;
            }
            if self.distance(self.home((slot >> 32) as u32), next) >= self.distance(hole, next) {
                self.slots[hole] = slot;
                hole = next;
            }
        }
        self.slots[hole] = 0;
        self.len -= 1;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn tuple(n: u32) -> FourTuple {
        let (local, remote) = if n.is_multiple_of(2) {
            (format!("10.0.0.{}:80", n % 7), format!("10.1.{}.{}:{}", n >> 8 & 255, n & 255, 1 + n % 60_000))
        } else {
            (format!("[fd00::{}]:80", n % 7), format!("[fd01::{n:x}]:{}", 1 + n % 60_000))
        };
        FourTuple::new(local.parse().unwrap(), remote.parse().unwrap()).unwrap()
    }

    /// The demultiplexer beside a map with whole tuples; entry `i` of `entries` has the tuple of `Connection(i)`.
    struct Pair {
        demux: Demux,
        model: HashMap<FourTuple, Flow>,
        entries: Vec<FourTuple>,
    }

    impl Pair {
        fn new() -> Pair {
            Pair { demux: Demux::new(&[7; 16]), model: HashMap::new(), entries: Vec::new() }
        }

        fn find(&self, tuple: &FourTuple) -> Option<Flow> {
            self.demux.find(self.demux.tag(tuple), |flow| match flow {
                Flow::Connection(index) => self.entries[index as usize] == *tuple,
                _ => false,
            })
        }

        fn insert(&mut self, tuple: FourTuple) {
            if self.model.contains_key(&tuple) {
                return;
            }
            let flow = Flow::Connection(self.entries.len() as u32);
            self.entries.push(tuple);
            self.model.insert(tuple, flow);
            self.demux.insert(self.demux.tag(&tuple), flow);
        }

        fn remove(&mut self, tuple: FourTuple) {
            let tag = self.demux.tag(&tuple);
            match self.model.remove(&tuple) {
                Some(flow) => assert!(self.demux.remove(tag, flow)),
                None => assert!(!self.demux.remove(tag, Flow::HalfOpen(0))),
            }
        }
    }

    proptest! {
        #[test]
        fn agrees_with_a_map(operations in prop::collection::vec((0..3u8, 0..400u32), 1..2_000)) {
            let mut pair = Pair::new();
            for (operation, n) in operations {
                match operation {
                    0 | 1 => pair.insert(tuple(n)),
                    _ => pair.remove(tuple(n)),
                }
                prop_assert_eq!(pair.find(&tuple(n)), pair.model.get(&tuple(n)).copied());
                prop_assert_eq!(pair.demux.len(), pair.model.len());
            }
            for n in 0..400 {
                prop_assert_eq!(pair.find(&tuple(n)), pair.model.get(&tuple(n)).copied());
            }
        }

        #[test]
        fn equal_tags_are_told_apart_by_their_entries(order in Just((0..40u32).collect::<Vec<_>>()).prop_shuffle()) {
            let (mut demux, tag) = (Demux::new(&[0; 16]), Tag(u32::MAX - 3));
            (0..40).for_each(|n| demux.insert(tag, Flow::HalfOpen(n)));
            for (gone, n) in order.iter().enumerate() {
                prop_assert_eq!(demux.find(tag, |flow| flow == Flow::HalfOpen(*n)), Some(Flow::HalfOpen(*n)));
                prop_assert!(demux.remove(tag, Flow::HalfOpen(*n)));
                prop_assert_eq!(demux.find(tag, |flow| flow == Flow::HalfOpen(*n)), None);
                prop_assert_eq!(demux.len(), 39 - gone);
            }
        }
    }

    #[test]
    fn grows_and_shrinks_and_loses_nothing() {
        let mut pair = Pair::new();
        (0..20_000).for_each(|n| pair.insert(tuple(n)));
        assert!(pair.entries.iter().all(|tuple| pair.find(tuple).is_some()));
        assert!(pair.demux.current.capacity() >= 20_000);
        let gone: Vec<_> = pair.entries[10..].to_vec();
        gone.into_iter().for_each(|tuple| pair.remove(tuple));
        assert_eq!(pair.demux.len(), 10);
        assert!(pair.demux.current.capacity() <= 1024, "{} slots left", pair.demux.current.capacity());
        assert!(pair.entries[..10].iter().all(|tuple| pair.find(tuple).is_some()));
    }

    #[test]
    fn keys_decide_where_a_tuple_goes() {
        assert_ne!(Demux::new(&[1; 16]).tag(&tuple(1)), Demux::new(&[2; 16]).tag(&tuple(1)));
    }

    #[test]
    fn a_slot_is_8_bytes() {
        assert_eq!(SLOT_BYTES, 8);
    }
}
