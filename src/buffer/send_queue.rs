//! What the application wrote and the peer has not acknowledged.

use super::{Chunk, Pool};
use crate::few::Few;

/// A chunk for a write takes at least this much, so that small writes share allocations.
const SMALL: usize = 2 * 1024;
const MEDIUM: usize = 16 * 1024;
const LARGE: usize = 64 * 1024;

/// Bytes in the order they were written, addressed by offset from the oldest one that is still held.
///
/// ```
/// use longwire::buffer::{Pool, SendQueue};
/// let mut queue = SendQueue::default();
/// queue.write(&Pool::new(), b"hello world");
/// queue.discard(6);
/// let mut slices = [&[][..]; 4];
/// let used = queue.slices(0, 3, &mut slices);
/// assert_eq!(slices[..used].concat(), b"wor");
/// ```
#[derive(Debug, Default)]
pub struct SendQueue {
    chunks: Few<Chunk>,
    len: usize,
}

impl SendQueue {
    /// Bytes held.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Copies `bytes` to the end: once, into pooled chunks.
    pub fn write(&mut self, pool: &Pool, bytes: &[u8]) {
        let mut rest = match self.chunks.back_mut() {
            Some(tail) => &bytes[tail.append(bytes)..],
            None => bytes,
        };
        while !rest.is_empty() {
            let mut chunk = pool.take(chunk_size(self.len, rest.len()));
            rest = &rest[chunk.append(rest)..];
            self.chunks.push_back(chunk);
        }
        self.len += bytes.len();
    }

    /// Appends an owned chunk without copying it, unless it is so small that a place of its own would cost more.
    pub fn push(&mut self, pool: &Pool, chunk: Chunk) {
        if chunk.len() < SMALL {
            self.write(pool, &chunk);
        } else {
            self.len += chunk.len();
            self.chunks.push_back(chunk);
        }
    }

    /// Drops the oldest `count` bytes; allocations that hold nothing else return to their pool.
    ///
    /// # Panics
    /// If fewer are held.
    pub fn discard(&mut self, count: usize) {
        assert!(count <= self.len, "discard of bytes that were never written");
        self.len -= count;
        let mut left = count;
        while left > 0 {
            let Some(head) = self.chunks.front_mut() else { break };
            if head.len() > left {
                head.advance(left);
                return;
            }
            left -= head.len();
            self.chunks.pop_front();
        }
        self.chunks.release_if_empty(); // an idle connection holds no queue
    }

    /// Lends the pieces that make up the `len` bytes from `offset` on and says how many there are. With fewer places
    /// in `slices` than pieces, or fewer bytes held, they make up less.
    pub fn slices<'a>(&'a self, offset: usize, len: usize, slices: &mut [&'a [u8]]) -> usize {
        let mut skip = offset;
        let mut left = len;
        let mut used = 0;
        for chunk in self.chunks.iter() {
            if left == 0 || used == slices.len() {
                break;
            }
            if skip >= chunk.len() {
                skip -= chunk.len();
                continue;
            }
            let take = left.min(chunk.len() - skip);
            slices[used] = &chunk[skip..skip + take];
            used += 1;
            skip = 0;
            left -= take;
        }
        used
    }
}

/// Small for a first short write, large once a stream is flowing.
fn chunk_size(queued: usize, wanted: usize) -> usize {
    match queued + wanted {
        total if total <= SMALL => SMALL,
        total if total <= MEDIUM => MEDIUM,
        _ => LARGE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(queue: &SendQueue, offset: usize, len: usize) -> Vec<u8> {
        let mut slices = [&[][..]; 64];
        let used = queue.slices(offset, len, &mut slices);
        slices[..used].concat()
    }

    #[test]
    fn ranges_cross_chunks() {
        let pool = Pool::new();
        let mut queue = SendQueue::default();
        let data: Vec<u8> = (0..200_000u32).map(|i| (i % 251) as u8).collect();
        for part in data.chunks(3_333) {
            queue.write(&pool, part);
        }
        assert_eq!(queue.len(), data.len());
        assert_eq!(bytes(&queue, 60_000, 70_000), &data[60_000..130_000]);
        queue.discard(65_000);
        assert_eq!(bytes(&queue, 0, 1_000), &data[65_000..66_000]);
        assert_eq!(bytes(&queue, 134_000, 9_999), &data[199_000..]);
    }

    #[test]
    fn an_empty_queue_holds_no_memory() {
        let mut queue = SendQueue::default();
        queue.write(&Pool::new(), b"abc");
        queue.discard(3);
        assert!(queue.is_empty());
        assert_eq!(queue.chunks.allocated(), 0);
    }

    #[test]
    fn owned_chunks_keep_their_place() {
        let pool = Pool::new();
        let mut queue = SendQueue::default();
        queue.write(&pool, b"one ");
        queue.push(&pool, Chunk::copy_of(b"two "));
        queue.push(&pool, Chunk::copy_of(&[b'x'; SMALL]));
        queue.write(&pool, b" three");
        assert_eq!(queue.chunks.iter().count(), 3, "small ones are copied together");
        assert_eq!(bytes(&queue, 0, 10), b"one two xx");
        assert_eq!(bytes(&queue, 8 + SMALL, 6), b" three");
    }

    #[test]
    fn shared_bytes_are_lent_from_where_they_are() {
        let (pool, page) = (Pool::new(), std::sync::Arc::<[u8]>::from(vec![b'x'; 2 * SMALL]));
        let mut queue = SendQueue::default();
        (0..3).for_each(|_| queue.push(&pool, Chunk::from(page.clone())));
        queue.write(&pool, b"end");
        let mut slices = [&[][..]; 2];
        assert_eq!(queue.slices(SMALL, 2 * SMALL, &mut slices), 2);
        assert_eq!((slices[0].as_ptr(), slices[1].as_ptr()), (page[SMALL..].as_ptr(), page.as_ptr()));
        assert_eq!(bytes(&queue, 6 * SMALL, 3), b"end", "and nothing is written behind them");
        queue.discard(6 * SMALL);
        assert_eq!(std::sync::Arc::strong_count(&page), 1);
    }
}
