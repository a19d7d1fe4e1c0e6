//! Owned bytes: a range of one allocation.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

use super::Pool;

/// Owned, contiguous bytes: a range of an allocation that returns to its [`Pool`] when the chunk is dropped.
///
/// The bytes are what [`Deref`] shows. Behind them may be [`spare`](Chunk::spare) room to append to.
///
/// Bytes that many chunks are to have at once, such as a file that many connections send, are given as an `Arc<[u8]>`:
/// nothing is copied then, unless somebody changes them.
///
/// ```
/// use longwire::buffer::Chunk;
/// let mut chunk = Chunk::copy_of(b"header payload");
/// chunk.narrow(7..14);
/// assert_eq!(&chunk[..], b"payload");
/// chunk.advance(3);
/// assert_eq!(&chunk[..], b"load");
///
/// let page: std::sync::Arc<[u8]> = b"the same for all".as_slice().into();
/// let (one, other) = (Chunk::from(page.clone()), Chunk::from(page));
/// assert_eq!(one.as_ptr(), other.as_ptr());
/// ```
#[derive(Default)]
pub struct Chunk {
    storage: Storage,
    start: usize,
    end: usize,
    pool: Option<Pool>,
}

/// Whose the allocation is.
enum Storage {
    Own(Box<[u8]>),
    /// Others have it too, so that nobody writes to it.
    Shared(Arc<[u8]>),
}

impl Chunk {
    /// A chunk of its own allocation, holding a copy of `bytes`.
    pub fn copy_of(bytes: &[u8]) -> Self {
        Chunk::whole(Storage::Own(bytes.into()))
    }

    pub(super) fn with_storage(storage: Box<[u8]>, pool: Option<Pool>) -> Self {
        Chunk { storage: Storage::Own(storage), start: 0, end: 0, pool }
    }

    fn whole(storage: Storage) -> Self {
        Chunk { start: 0, end: storage.bytes().len(), storage, pool: None }
    }

    /// Bytes of the whole allocation: what holding this chunk costs, whatever its length, and whoever holds it too.
    pub fn capacity(&self) -> usize {
        self.storage.bytes().len()
    }

    /// Forgets the content; all of the capacity becomes spare. What was shared is given up, and there is none.
    pub fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
        if let Storage::Shared(_) = self.storage {
            self.storage = Storage::default();
        }
    }

    /// The room behind the bytes, none behind shared ones. What is written there counts after
    /// [`commit`](Chunk::commit).
    pub fn spare(&mut self) -> &mut [u8] {
        match &mut self.storage {
            Storage::Own(bytes) => &mut bytes[self.end..],
            Storage::Shared(_) => &mut [],
        }
    }

    /// Takes the first `count` bytes of [`spare`](Chunk::spare) into the chunk.
    ///
    /// # Panics
    /// If there is less spare room than that.
    pub fn commit(&mut self, count: usize) {
        assert!(count <= self.spare().len(), "commit beyond the chunk's capacity");
        self.end += count;
    }

    /// Copies as much of `bytes` as fits into the spare room and returns how much that was.
    pub fn append(&mut self, bytes: &[u8]) -> usize {
        let spare = self.spare();
        let count = bytes.len().min(spare.len());
        spare[..count].copy_from_slice(&bytes[..count]);
        self.end += count;
        count
    }

    /// Keeps only `range` of the bytes.
    ///
    /// # Panics
    /// If the range is not within the chunk's length.
    pub fn narrow(&mut self, range: Range<usize>) {
        assert!(range.start <= range.end && range.end <= self.len(), "narrow outside the chunk");
        self.end = self.start + range.end;
        self.start += range.start;
    }

    /// Drops the first `count` bytes.
    ///
    /// # Panics
    /// If the chunk is shorter than that.
    pub fn advance(&mut self, count: usize) {
        self.narrow(count..self.len());
    }

    /// Drops what is behind the first `len` bytes, if anything is.
    pub fn truncate(&mut self, len: usize) {
        self.end = self.end.min(self.start + len);
    }

    /// Whether the bytes fill at least half of the allocation, so that keeping the chunk wastes less than it holds.
    pub fn is_half_full(&self) -> bool {
        self.len() * 2 >= self.capacity() && !self.is_empty()
    }

    #[cfg(test)]
    pub(super) fn storage_ptr(&self) -> *const u8 {
        self.storage.bytes().as_ptr()
    }
}

impl Storage {
    fn bytes(&self) -> &[u8] {
        match self {
            Storage::Own(bytes) => bytes,
            Storage::Shared(bytes) => bytes,
        }
    }
}

impl Default for Storage {
    fn default() -> Self {
        Storage::Own(Box::default())
    }
}

impl Deref for Chunk {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.storage.bytes()[self.start..self.end]
    }
}

impl std::ops::DerefMut for Chunk {
    /// The bytes to be changed. Shared ones are copied first: the others keep what they have.
    fn deref_mut(&mut self) -> &mut [u8] {
        if let Storage::Shared(_) = self.storage {
            *self = Chunk::copy_of(self);
        }
        match &mut self.storage {
            Storage::Own(bytes) => &mut bytes[self.start..self.end],
            Storage::Shared(_) => unreachable!("a copy is nobody else's"),
        }
    }
}

impl AsRef<[u8]> for Chunk {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl From<Vec<u8>> for Chunk {
    fn from(bytes: Vec<u8>) -> Self {
        Chunk::whole(Storage::Own(bytes.into_boxed_slice()))
    }
}

impl From<Arc<[u8]>> for Chunk {
    fn from(bytes: Arc<[u8]>) -> Self {
        Chunk::whole(Storage::Shared(bytes))
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        if let (Some(pool), Storage::Own(bytes)) = (self.pool.take(), &mut self.storage) {
            pool.give_back(std::mem::take(bytes));
        }
    }
}

impl fmt::Debug for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Chunk({} of {} bytes)", self.len(), self.capacity())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn append_fills_the_spare_room_and_no_more() {
        let mut chunk = Pool::new().take(10);
        let room = chunk.capacity();
        assert_eq!(chunk.append(&vec![7; room + 5]), room);
        assert_eq!(chunk.len(), room);
        assert_eq!(chunk.append(b"x"), 0);
    }

    #[test]
    fn narrow_then_clear_gives_the_whole_room_back() {
        let mut chunk = Chunk::copy_of(b"abcdef");
        chunk.narrow(2..4);
        assert_eq!(&chunk[..], b"cd");
        chunk.clear();
        assert_eq!(chunk.spare().len(), 6);
    }

    #[test]
    fn shared_bytes_are_copied_when_one_changes_them() {
        let page: Arc<[u8]> = (*b"abcdef").into();
        let (mut one, mut other) = (Chunk::from(page.clone()), Chunk::from(page.clone()));
        one.narrow(2..4);
        assert_eq!(one.storage_ptr(), page.as_ptr());
        one[0] = b'x';
        assert_eq!((&one[..], &other[..], &page[..]), (&b"xd"[..], &b"abcdef"[..], &b"abcdef"[..]));
        assert_eq!((other.append(b"g"), other.spare().len()), (0, 0), "there is no room in what others have");
        other.clear();
        assert_eq!((other.capacity(), Arc::strong_count(&page)), (0, 1));
    }

    #[test]
    #[should_panic(expected = "narrow outside")]
    fn narrow_outside_is_our_own_bug() {
        Chunk::copy_of(b"ab").narrow(0..3);
    }
}
