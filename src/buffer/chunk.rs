//! Owned bytes: a range of one allocation.

use std::fmt;
use std::ops::{Deref, Range};

use super::Pool;

/// Owned, contiguous bytes: a range of an allocation that returns to its [`Pool`] when the chunk is dropped.
///
/// The bytes are what [`Deref`] shows. Behind them may be [`spare`](Chunk::spare) room to append to.
///
/// ```
/// use longwire::buffer::Chunk;
/// let mut chunk = Chunk::copy_of(b"header payload");
/// chunk.narrow(7..14);
/// assert_eq!(&chunk[..], b"payload");
/// chunk.advance(3);
/// assert_eq!(&chunk[..], b"load");
/// ```
#[derive(Default)]
pub struct Chunk {
    storage: Box<[u8]>,
    start: usize,
    end: usize,
    pool: Option<Pool>,
}

impl Chunk {
    /// A chunk of its own allocation, holding a copy of `bytes`.
    pub fn copy_of(bytes: &[u8]) -> Self {
        let storage: Box<[u8]> = bytes.into();
        Chunk { start: 0, end: storage.len(), storage, pool: None }
    }

    pub(super) fn with_storage(storage: Box<[u8]>, pool: Option<Pool>) -> Self {
        Chunk { storage, start: 0, end: 0, pool }
    }

    /// Bytes of the whole allocation: what holding this chunk costs, whatever its length.
    pub fn capacity(&self) -> usize {
        self.storage.len()
    }

    /// Forgets the content; all of the capacity becomes spare.
    pub fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
    }

    /// The room behind the bytes. What is written there counts after [`commit`](Chunk::commit).
    pub fn spare(&mut self) -> &mut [u8] {
        &mut self.storage[self.end..]
    }

    /// Takes the first `count` bytes of [`spare`](Chunk::spare) into the chunk.
    ///
    /// # Panics
    /// If there is less spare room than that.
    pub fn commit(&mut self, count: usize) {
        assert!(count <= self.storage.len() - self.end, "commit beyond the chunk's capacity");
        self.end += count;
    }

    /// Copies as much of `bytes` as fits into the spare room and returns how much that was.
    pub fn append(&mut self, bytes: &[u8]) -> usize {
        let count = bytes.len().min(self.storage.len() - self.end);
        self.spare()[..count].copy_from_slice(&bytes[..count]);
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
        self.storage.as_ptr()
    }
}

impl Deref for Chunk {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.storage[self.start..self.end]
    }
}

impl std::ops::DerefMut for Chunk {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.storage[self.start..self.end]
    }
}

impl AsRef<[u8]> for Chunk {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl From<Vec<u8>> for Chunk {
    fn from(bytes: Vec<u8>) -> Self {
        let storage = bytes.into_boxed_slice();
        Chunk { start: 0, end: storage.len(), storage, pool: None }
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.take() {
            pool.give_back(std::mem::take(&mut self.storage));
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
    #[should_panic(expected = "narrow outside")]
    fn narrow_outside_is_our_own_bug() {
        Chunk::copy_of(b"ab").narrow(0..3);
    }
}
