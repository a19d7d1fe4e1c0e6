//! Storage by index, in pages that never move, with a generation for each place.

use super::SocketId;

/// Values of one page: growing allocates one page and copies nothing.
const PAGE: usize = 64;
/// The end of the list of vacant places.
const NONE: u32 = u32::MAX;

/// Values addressed by a small index. An index is used again; its generation tells the old value from the new.
#[derive(Debug)]
pub(super) struct Slab<T> {
    pages: Vec<Vec<Slot<T>>>,
    free: u32,
    len: usize,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    content: Content<T>,
}

#[derive(Debug)]
enum Content<T> {
    Vacant { next: u32 },
    Occupied(T),
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Slab { pages: Vec::new(), free: NONE, len: 0 }
    }
}

impl<T> Slab<T> {
    /// Values held.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Places, vacant ones included: every index in use is below this.
    pub(super) fn places(&self) -> u32 {
        let full = self.pages.len().saturating_sub(1) * PAGE;
        (full + self.pages.last().map_or(0, Vec::len)) as u32
    }

    /// Stores a value in the place that was vacated last, or in a fresh one.
    pub(super) fn insert(&mut self, value: T) -> SocketId {
        self.len += 1;
        if self.free == NONE {
            return self.push(value);
        }
        let index = self.free;
        let slot = &mut self.pages[index as usize / PAGE][index as usize % PAGE];
        if let Content::Vacant { next } = slot.content {
            self.free = next;
        }
        slot.content = Content::Occupied(value);
        SocketId { index, generation: slot.generation }
    }

    fn push(&mut self, value: T) -> SocketId {
        if self.pages.last().is_none_or(|page| page.len() == PAGE) {
            self.pages.push(Vec::with_capacity(PAGE));
        }
        let page = self.pages.len() - 1;
        let slots = &mut self.pages[page];
        slots.push(Slot { generation: 0, content: Content::Occupied(value) });
        SocketId { index: (page * PAGE + slots.len() - 1) as u32, generation: 0 }
    }

    fn slot(&self, index: u32) -> Option<&Slot<T>> {
        self.pages.get(index as usize / PAGE)?.get(index as usize % PAGE)
    }

    fn slot_mut(&mut self, index: u32) -> Option<&mut Slot<T>> {
        self.pages.get_mut(index as usize / PAGE)?.get_mut(index as usize % PAGE)
    }

    /// The value of a handle that is not stale.
    pub(super) fn get(&self, id: SocketId) -> Option<&T> {
        match self.slot(id.index)? {
            Slot { generation, content: Content::Occupied(value) } if *generation == id.generation => {
                Some(value)
            }
            _ => None,
        }
    }

    /// The value of a handle that is not stale.
    pub(super) fn get_mut(&mut self, id: SocketId) -> Option<&mut T> {
        match self.slot_mut(id.index)? {
            Slot { generation, content: Content::Occupied(value) } if *generation == id.generation => {
                Some(value)
            }
            _ => None,
        }
    }

    /// The value at an index, whatever its generation: for those who take their references back when it goes.
    pub(super) fn at(&self, index: u32) -> Option<&T> {
        match &self.slot(index)?.content {
            Content::Occupied(value) => Some(value),
            Content::Vacant { .. } => None,
        }
    }

    /// The value at an index, whatever its generation.
    pub(super) fn at_mut(&mut self, index: u32) -> Option<&mut T> {
        match &mut self.slot_mut(index)?.content {
            Content::Occupied(value) => Some(value),
            Content::Vacant { .. } => None,
        }
    }

    /// The handle that is valid now for an index in use.
    pub(super) fn id_at(&self, index: u32) -> Option<SocketId> {
        match self.slot(index)? {
            Slot { generation, content: Content::Occupied(_) } => {
                Some(SocketId { index, generation: *generation })
            }
            Slot { .. } => None,
        }
    }

    /// Makes the handles given out so far stale, and leaves the value where it is.
    pub(super) fn renew(&mut self, index: u32) -> Option<SocketId> {
        let slot = self.slot_mut(index)?;
        slot.generation = slot.generation.wrapping_add(1);
        self.id_at(index)
    }

    /// Takes a value out; handles on it are stale from now on.
    pub(super) fn remove(&mut self, index: u32) -> Option<T> {
        let next = self.free;
        let slot = self.slot_mut(index)?;
        if matches!(slot.content, Content::Vacant { .. }) {
            return None;
        }
        slot.generation = slot.generation.wrapping_add(1);
        let Content::Occupied(value) = std::mem::replace(&mut slot.content, Content::Vacant { next }) else {
            return None;
        };
        self.free = index;
        self.len -= 1;
        Some(value)
    }

    /// All values with their indices.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        self.pages.iter().flatten().enumerate().filter_map(|(index, slot)| match &slot.content {
            Content::Occupied(value) => Some((index as u32, value)),
            Content::Vacant { .. } => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_used_again_does_not_answer_to_the_old_handle() {
        let mut slab = Slab::default();
        let old = slab.insert("old");
        assert_eq!(slab.remove(old.index), Some("old"));
        let new = slab.insert("new");
        assert_eq!(new.index, old.index, "the place is used again");
        assert_eq!((slab.get(old), slab.get(new)), (None, Some(&"new")));
        assert_eq!(slab.at(old.index), Some(&"new"));
    }

    #[test]
    fn renewing_keeps_the_value() {
        let mut slab = Slab::default();
        let old = slab.insert(1);
        let new = slab.renew(old.index).unwrap();
        assert_eq!((slab.get(old), slab.get(new)), (None, Some(&1)));
    }

    #[test]
    fn removing_twice_is_harmless() {
        let mut slab = Slab::default();
        let id = slab.insert(());
        assert_eq!(slab.remove(id.index), Some(()));
        assert_eq!(slab.remove(id.index), None);
        assert_eq!(slab.remove(12_345), None);
        assert_eq!(slab.len(), 0);
        assert_ne!(slab.insert(()), slab.insert(()), "the free list has no place twice");
    }

    #[test]
    fn values_over_many_pages_are_all_there() {
        let mut slab = Slab::default();
        let ids: Vec<_> = (0..1_000).map(|value| slab.insert(value)).collect();
        for id in ids.iter().step_by(3) {
            slab.remove(id.index);
        }
        let left: Vec<_> = slab.iter().map(|(_, value)| *value).collect();
        let expected: Vec<_> = (0..1_000).filter(|value| value % 3 != 0).collect();
        assert_eq!(left, expected);
        assert_eq!(slab.len(), expected.len());
    }
}
