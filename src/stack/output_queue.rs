//! Whose turn it is to send.

use std::collections::VecDeque;

/// Sockets that may have something to send, each once, served in turn.
#[derive(Debug, Default)]
pub(super) struct OutputQueue {
    turns: VecDeque<u32>,
    wanted: usize,
    /// Those of `wanted` that cannot wait.
    urgent: usize,
}

/// What the queue keeps with each socket, in a byte.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct OutputMark(u8);

/// It has a turn in the queue.
const QUEUED: u8 = 1;
/// It wants to send. Without that its turn is passed over.
const WANTED: u8 = 2;
/// It wants to send now.
const URGENT: u8 = 4;

impl OutputMark {
    /// Whether the socket wants to send.
    pub(super) const fn is_wanted(self) -> bool {
        self.0 & WANTED != 0
    }

    /// Whether that is news.
    const fn set(&mut self, bit: u8) -> bool {
        let news = self.0 & bit == 0;
        self.0 |= bit;
        news
    }

    /// Whether that is news.
    const fn clear(&mut self, bit: u8) -> bool {
        let news = self.0 & bit != 0;
        self.0 &= !bit;
        news
    }
}

impl OutputQueue {
    /// Gives a socket a turn, unless it has one.
    pub(super) fn mark(&mut self, index: u32, mark: &mut OutputMark) {
        self.mark_patient(index, mark);
        self.urgent += usize::from(mark.set(URGENT));
    }

    /// Gives a socket a turn that may come late.
    pub(super) fn mark_patient(&mut self, index: u32, mark: &mut OutputMark) {
        self.wanted += usize::from(mark.set(WANTED));
        if mark.set(QUEUED) {
            self.turns.push_back(index);
        }
    }

    /// Gives a socket the next turn: it was interrupted.
    pub(super) fn mark_first(&mut self, index: u32, mark: &mut OutputMark) {
        if mark.set(QUEUED) {
            self.turns.push_front(index);
        }
        self.mark(index, mark);
    }

    /// The socket has nothing to send any more, or is gone.
    pub(super) fn clear(&mut self, mark: &mut OutputMark) {
        self.wanted -= usize::from(mark.clear(WANTED));
        self.urgent -= usize::from(mark.clear(URGENT));
    }

    /// Whose turn it is. The socket may be gone or content: ask [`take_turn`](OutputQueue::take_turn).
    pub(super) fn pop(&mut self) -> Option<u32> {
        self.turns.pop_front()
    }

    /// Ends a popped socket's turn, and says whether it wants to send.
    pub(super) fn take_turn(mark: &mut OutputMark) -> bool {
        mark.clear(QUEUED);
        mark.is_wanted()
    }

    /// Turns given and not taken, passed-over ones included.
    pub(super) fn turns(&self) -> usize {
        self.turns.len()
    }

    /// Sockets that want to send.
    pub(super) const fn wanted(&self) -> usize {
        self.wanted
    }

    /// Sockets that want to send now.
    pub(super) const fn urgent(&self) -> usize {
        self.urgent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_socket_has_one_turn_in_order() {
        let mut queue = OutputQueue::default();
        let mut marks = [OutputMark::default(); 3];
        for index in [2, 0, 2, 1, 0] {
            queue.mark(index, &mut marks[index as usize]);
        }
        assert_eq!(queue.wanted(), 3);
        assert_eq!(std::iter::from_fn(|| queue.pop()).collect::<Vec<_>>(), [2, 0, 1]);
    }

    #[test]
    fn marking_again_and_again_between_turns_does_not_grow_the_queue() {
        let mut queue = OutputQueue::default();
        let mut mark = OutputMark::default();
        for _ in 0..100 {
            queue.mark(7, &mut mark);
            queue.clear(&mut mark); // its output ran apart from the queue
        }
        assert_eq!((queue.turns.len(), queue.wanted()), (1, 0));
        assert_eq!(queue.pop(), Some(7));
        assert!(!OutputQueue::take_turn(&mut mark), "passed over");
    }

    #[test]
    fn who_can_wait_is_not_urgent_until_it_cannot() {
        let mut queue = OutputQueue::default();
        let mut mark = OutputMark::default();
        queue.mark_patient(3, &mut mark);
        assert_eq!((queue.wanted(), queue.urgent()), (1, 0));
        queue.mark(3, &mut mark);
        queue.mark_patient(3, &mut mark);
        assert_eq!((queue.wanted(), queue.urgent(), queue.turns()), (1, 1, 1));
        queue.clear(&mut mark);
        assert_eq!((queue.wanted(), queue.urgent()), (0, 0));
    }

    #[test]
    fn an_interrupted_socket_goes_first() {
        let mut queue = OutputQueue::default();
        let mut marks = [OutputMark::default(); 2];
        queue.mark(0, &mut marks[0]);
        queue.mark(1, &mut marks[1]);
        assert_eq!(queue.pop(), Some(0));
        assert!(OutputQueue::take_turn(&mut marks[0]));
        queue.mark_first(0, &mut marks[0]);
        assert_eq!((queue.pop(), queue.pop(), queue.pop()), (Some(0), Some(1), None));
        assert_eq!(queue.wanted(), 2);
    }
}
