//! What the peer sent in order and the application has not read.

use super::{Chunk, Pool};
use crate::few::Few;

/// Bytes in order. Limits count what is pinned ([`pinned`](ReceiveQueue::pinned)), not only what is held.
///
/// ```
/// use longwire::buffer::{Chunk, Pool, ReceiveQueue};
/// let mut queue = ReceiveQueue::default();
/// queue.push(&Pool::new(), &mut Chunk::copy_of(b"hello"));
/// let mut out = [0; 4];
/// assert_eq!(queue.read(&mut out), 4);
/// assert_eq!(&out, b"hell");
/// ```
#[derive(Debug, Default)]
pub struct ReceiveQueue {
    chunks: Few<Chunk>,
    len: usize,
    pinned: usize,
}

impl ReceiveQueue {
    /// Bytes that can be read.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing to read.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of memory that holding the content costs.
    pub fn pinned(&self) -> usize {
        self.pinned
    }

    /// Appends a payload. A chunk at least half full is taken over as it is and `payload` left empty; a smaller one,
    /// and one for which the tail has room, is copied to the tail. So what the tail leaves unused is always less than
    /// what follows it, and the memory pinned stays in proportion to the bytes held.
    pub fn push(&mut self, pool: &Pool, payload: &mut Chunk) {
        let tail_has_room = self.chunks.back_mut().is_some_and(|tail| tail.spare().len() >= payload.len());
        if payload.is_half_full() && !tail_has_room {
            let owned = std::mem::take(payload);
            self.len += owned.len();
            self.pinned += owned.capacity();
            self.chunks.push_back(owned);
        } else {
            self.push_copy(pool, payload);
        }
    }

    fn push_copy(&mut self, pool: &Pool, bytes: &[u8]) {
        let mut rest = match self.chunks.back_mut() {
            Some(tail) => &bytes[tail.append(bytes)..],
            None => bytes,
        };
        while !rest.is_empty() {
            let mut chunk = pool.take(rest.len().max(self.len.min(64 * 1024)));
            self.pinned += chunk.capacity();
            rest = &rest[chunk.append(rest)..];
            self.chunks.push_back(chunk);
        }
        self.len += bytes.len();
    }

    /// Moves up to `out.len()` bytes out, and says how many.
    pub fn read(&mut self, out: &mut [u8]) -> usize {
        let count = self.peek(out);
        self.consume(count);
        count
    }

    /// Copies up to `out.len()` bytes out and leaves them in the queue.
    pub fn peek(&self, out: &mut [u8]) -> usize {
        let mut done = 0;
        for chunk in self.chunks.iter() {
            let take = chunk.len().min(out.len() - done);
            out[done..done + take].copy_from_slice(&chunk[..take]);
            done += take;
            if done == out.len() {
                break;
            }
        }
        done
    }

    /// Takes the oldest chunk out whole, without copying.
    pub fn pop(&mut self) -> Option<Chunk> {
        let chunk = self.chunks.pop_front()?;
        self.len -= chunk.len();
        self.pinned -= chunk.capacity();
        self.chunks.release_if_empty(); // an idle connection holds no queue
        Some(chunk)
    }

    fn consume(&mut self, count: usize) {
        self.len -= count;
        let mut left = count;
        while left > 0 {
            let Some(head) = self.chunks.front_mut() else { break };
            if head.len() > left {
                head.advance(left);
                return;
            }
            left -= head.len();
            self.pinned -= head.capacity();
            self.chunks.pop_front();
        }
        self.chunks.release_if_empty();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_payloads_share_a_chunk_and_large_ones_move() {
        let pool = Pool::new();
        let mut queue = ReceiveQueue::default();
        let mut small = pool.take(1000);
        small.append(b"abc");
        queue.push(&pool, &mut small);
        queue.push(&pool, &mut small);
        assert_eq!(queue.chunks.iter().count(), 1);
        assert_eq!(&small[..], b"abc", "a copied payload stays with the caller");

        let mut large = pool.take(1000);
        large.append(&[1; 2_045]);
        let place = large.storage_ptr();
        queue.push(&pool, &mut large);
        assert!(large.is_empty());
        assert_eq!(queue.chunks.back_mut().unwrap().storage_ptr(), place);
        assert_eq!(queue.len(), 2_051);
    }

    #[test]
    fn owned_and_copied_payloads_in_turn_pin_no_more_than_in_proportion() {
        let pool = Pool::new();
        let mut queue = ReceiveQueue::default();
        for _ in 0..200 {
            let mut copied = pool.take_largest();
            copied.append(&[1; 1_448]);
            queue.push(&pool, &mut copied);
            queue.push(&pool, &mut Chunk::copy_of(&[2; 1_448]));
        }
        assert!(queue.pinned() < 2 * queue.len(), "{} pinned for {}", queue.pinned(), queue.len());
    }

    #[test]
    fn reading_gives_memory_back() {
        let pool = Pool::new();
        let mut queue = ReceiveQueue::default();
        queue.push(&pool, &mut Chunk::copy_of(&[5; 100]));
        queue.push(&pool, &mut Chunk::copy_of(&[6; 100]));
        let mut out = [0; 150];
        assert_eq!(queue.read(&mut out), 150);
        assert_eq!((out[99], out[100]), (5, 6));
        assert_eq!(queue.pinned(), 100);
        assert_eq!(queue.read(&mut out), 50);
        assert_eq!((queue.pinned(), queue.len(), queue.chunks.allocated()), (0, 0, 0));
    }

    #[test]
    fn chunks_come_out_whole() {
        let mut queue = ReceiveQueue::default();
        queue.push(&Pool::new(), &mut Chunk::copy_of(b"one"));
        queue.push(&Pool::new(), &mut Chunk::copy_of(b"two"));
        assert_eq!(&queue.pop().unwrap()[..], b"one");
        assert_eq!(&queue.pop().unwrap()[..], b"two");
        assert!(queue.pop().is_none());
    }
}
