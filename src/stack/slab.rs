//! Storage by index, in pages that never move, with a generation for each place.

use super::SocketId;

/// Values of one page: growing allocates one page and copies nothing.
const PAGE: usize = 64;
/// The end of the list of vacant places.
const NONE: u32 = u32::MAX;

/// Values addressed by a small index. An index is used again; its generation tells the old value from the new.
#[derive(Debug)]
pub(super) struct Slab<T> {
    /// Boxed, so that growing moves pointers and no page.
    pages: Vec<Box<Page<T>>>,
    /// Places that have been used at least once.
    places: u32,
    free: u32,
    len: usize,
}

/// Generations are apart from the values: beside each of them four bytes would become eight.
#[derive(Debug)]
struct Page<T> {
    generations: [u32; PAGE],
    contents: [Content<T>; PAGE],
}

#[derive(Debug)]
enum Content<T> {
    Vacant { next: u32 },
    Occupied(T),
}

impl<T> Page<T> {
    fn new() -> Self {
        Page { generations: [0; PAGE], contents: [const { Content::Vacant { next: NONE } }; PAGE] }
    }
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Slab { pages: Vec::new(), places: 0, free: NONE, len: 0 }
    }
}

impl<T> Slab<T> {
    /// Bytes of a place, its generation included.
    #[cfg(test)]
    pub(super) const PLACE_BYTES: usize = size_of::<Page<T>>().div_ceil(PAGE);

    /// Values held.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Places, vacant ones included: every index in use is below this.
    pub(super) fn places(&self) -> u32 {
        self.places
    }

    /// Stores a value in the place that was vacated last, or in a fresh one.
    pub(super) fn insert(&mut self, value: T) -> SocketId {
        let index = self.vacancy();
        let page = &mut self.pages[index as usize / PAGE];
        let content = &mut page.contents[index as usize % PAGE];
        if let Content::Vacant { next } = std::mem::replace(content, Content::Occupied(value)) {
            self.free = next;
        }
        self.len += 1;
        SocketId { index, generation: page.generations[index as usize % PAGE] }
    }

    /// A place that is vacant: a fresh one, if no other is.
    fn vacancy(&mut self) -> u32 {
        if self.free != NONE {
            return self.free;
        }
        let index = self.places;
        if index as usize == self.pages.len() * PAGE {
            self.pages.push(Box::new(Page::new()));
        }
        self.places += 1;
        index
    }

    fn generation(&self, index: u32) -> Option<u32> {
        Some(self.pages.get(index as usize / PAGE)?.generations[index as usize % PAGE])
    }

    fn content(&self, index: u32) -> Option<&Content<T>> {
        Some(&self.pages.get(index as usize / PAGE)?.contents[index as usize % PAGE])
    }

    fn content_mut(&mut self, index: u32) -> Option<&mut Content<T>> {
        Some(&mut self.pages.get_mut(index as usize / PAGE)?.contents[index as usize % PAGE])
    }

    /// Makes the handles on a place stale.
    fn age(&mut self, index: u32) {
        if let Some(page) = self.pages.get_mut(index as usize / PAGE) {
            let generation = &mut page.generations[index as usize % PAGE];
            *generation = generation.wrapping_add(1);
        }
    }

    /// The value of a handle that is not stale.
    pub(super) fn get(&self, id: SocketId) -> Option<&T> {
        self.at(id.index).filter(|_| self.generation(id.index) == Some(id.generation))
    }

    /// The value of a handle that is not stale.
    pub(super) fn get_mut(&mut self, id: SocketId) -> Option<&mut T> {
        if self.generation(id.index)? == id.generation { self.at_mut(id.index) } else { None }
    }

    /// The value at an index, whatever its generation: for those who take their references back when it goes.
    pub(super) fn at(&self, index: u32) -> Option<&T> {
        match self.content(index)? {
            Content::Occupied(value) => Some(value),
            Content::Vacant { .. } => None,
        }
    }

    /// The value at an index, whatever its generation.
    pub(super) fn at_mut(&mut self, index: u32) -> Option<&mut T> {
        match self.content_mut(index)? {
            Content::Occupied(value) => Some(value),
            Content::Vacant { .. } => None,
        }
    }

    /// The handle that is valid now for an index in use.
    pub(super) fn id_at(&self, index: u32) -> Option<SocketId> {
        self.at(index)?;
        Some(SocketId { index, generation: self.generation(index)? })
    }

    /// Makes the handles given out so far stale, and leaves the value where it is.
    pub(super) fn renew(&mut self, index: u32) -> Option<SocketId> {
        self.age(index);
        self.id_at(index)
    }

    /// Takes a value out; handles on it are stale from now on.
    pub(super) fn remove(&mut self, index: u32) -> Option<T> {
        let next = self.free;
        let content = self.content_mut(index)?;
        if matches!(content, Content::Vacant { .. }) {
            return None;
        }
        let Content::Occupied(value) = std::mem::replace(content, Content::Vacant { next }) else {
            return None;
        };
        self.age(index);
        self.free = index;
        self.len -= 1;
        Some(value)
    }

    /// All values with their indices.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        let contents = self.pages.iter().flat_map(|page| &page.contents);
        contents.enumerate().filter_map(|(index, content)| match content {
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
