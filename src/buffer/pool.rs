//! Free lists of allocations by size class, shared by everyone who handles chunks of one stack.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Chunk;

/// Capacities in bytes: a small message, a page of them, a super-packet with its headers.
const CLASSES: [usize; 3] = [2 * 1024, 16 * 1024, 66 * 1024];

/// Free bytes a class may keep; what exceeds it goes back to the allocator.
const FREE_BYTES_PER_CLASS: usize = 8 * 1024 * 1024;

/// The allocations of one class.
#[derive(Debug, Default)]
struct Class {
    free: Vec<Box<[u8]>>,
    /// How many a chunk holds.
    in_use: usize,
}

/// A handle on the free lists. Cloning it shares them.
///
/// ```
/// use longwire::buffer::Pool;
/// let pool = Pool::new();
/// let chunk = pool.take(1000);
/// assert!(chunk.capacity() >= 1000);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Pool {
    classes: Arc<[Mutex<Class>; CLASSES.len()]>,
}

impl Pool {
    /// A pool with empty free lists.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty chunk with room for at least `capacity` bytes. Larger than the largest class, it is allocated
    /// for itself and not pooled.
    pub fn take(&self, capacity: usize) -> Chunk {
        let Some(class) = CLASSES.iter().position(|&size| size >= capacity) else {
            return Chunk::with_storage(vec![0; capacity].into_boxed_slice(), None);
        };
        let recycled = {
            let mut class = self.class(class);
            class.in_use += 1;
            class.free.pop()
        };
        let storage = recycled.unwrap_or_else(|| vec![0; CLASSES[class]].into_boxed_slice());
        Chunk::with_storage(storage, Some(self.clone()))
    }

    /// An empty chunk of the largest class: room for any IP packet and a header in front of it.
    pub fn take_largest(&self) -> Chunk {
        self.take(CLASSES[CLASSES.len() - 1])
    }

    /// The capacity of the class that serves `len` bytes, or `len` beyond the largest.
    pub fn class_capacity(len: usize) -> usize {
        CLASSES.into_iter().find(|&size| size >= len).unwrap_or(len)
    }

    /// Bytes of the pool's allocations that chunks hold now, those larger than the largest class not counted.
    pub fn in_use(&self) -> usize {
        (0..CLASSES.len()).map(|class| self.class(class).in_use * CLASSES[class]).sum()
    }

    pub(super) fn give_back(&self, storage: Box<[u8]>) {
        let Some(class) = CLASSES.iter().position(|&size| size == storage.len()) else { return };
        let size = CLASSES[class];
        let mut class = self.class(class);
        class.in_use -= 1;
        if class.free.len() * size < FREE_BYTES_PER_CLASS {
            class.free.push(storage);
        }
    }

    fn class(&self, class: usize) -> MutexGuard<'_, Class> {
        // A panic elsewhere cannot leave a class half changed: nothing that happens under the lock panics.
        self.classes[class].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropped_chunks_are_recycled() {
        let pool = Pool::new();
        let first = pool.take(100).storage_ptr();
        assert_eq!(pool.take(100).storage_ptr(), first);
    }

    #[test]
    fn free_lists_are_bounded() {
        let pool = Pool::new();
        let chunks: Vec<_> = (0..400).map(|_| pool.take_largest()).collect();
        drop(chunks);
        let kept = pool.class(CLASSES.len() - 1).free.len();
        assert!(kept * CLASSES[2] <= FREE_BYTES_PER_CLASS + CLASSES[2], "kept {kept}");
    }

    #[test]
    fn what_chunks_hold_is_counted() {
        let pool = Pool::new();
        let (small, large) = (pool.take(1), pool.take_largest());
        assert_eq!(pool.in_use(), CLASSES[0] + CLASSES[2]);
        drop(small);
        assert_eq!(pool.in_use(), CLASSES[2]);
        drop(large);
        assert_eq!(pool.in_use(), 0);
    }

    #[test]
    fn oversize_is_served_but_not_kept() {
        let pool = Pool::new();
        let chunk = pool.take(1 << 20);
        assert_eq!(chunk.capacity(), 1 << 20);
    }
}
