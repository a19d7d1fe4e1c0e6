//! A queue that mostly holds one thing, for whichever layer has one.

use std::collections::{VecDeque, vec_deque};
use std::iter::Chain;
use std::option;

/// A queue whose first element needs no allocation: a request and its answer are a chunk each, and most queues never
/// hold more.
#[derive(Debug)]
pub(crate) struct Few<T> {
    /// Empty only if there are no others.
    first: Option<T>,
    others: VecDeque<T>,
}

impl<T> Few<T> {
    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(crate) fn front(&self) -> Option<&T> {
        self.first.as_ref()
    }

    pub(crate) fn front_mut(&mut self) -> Option<&mut T> {
        self.first.as_mut()
    }

    pub(crate) fn back_mut(&mut self) -> Option<&mut T> {
        self.others.back_mut().or(self.first.as_mut())
    }

    pub(crate) fn push_back(&mut self, element: T) {
        if self.first.is_none() {
            self.first = Some(element);
        } else {
            self.others.push_back(element);
        }
    }

    pub(crate) fn pop_front(&mut self) -> Option<T> {
        let next = self.others.pop_front();
        std::mem::replace(&mut self.first, next)
    }

    pub(crate) fn iter(&self) -> Chain<option::Iter<'_, T>, vec_deque::Iter<'_, T>> {
        self.first.iter().chain(&self.others)
    }

    /// Gives the memory back if nothing is held.
    pub(crate) fn release_if_empty(&mut self) {
        if self.is_empty() && self.others.capacity() > 0 {
            self.others = VecDeque::new();
        }
    }

    /// Elements that memory is allocated for.
    #[cfg(test)]
    pub(crate) fn allocated(&self) -> usize {
        self.others.capacity()
    }
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Few { first: None, others: VecDeque::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out_in_order() {
        let mut few = Few::default();
        assert!(few.is_empty() && few.front().is_none() && few.pop_front().is_none());
        (1..=3).for_each(|number| few.push_back(number));
        assert_eq!(few.iter().copied().collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!((few.front().copied(), few.back_mut().copied()), (Some(1), Some(3)));
        assert_eq!(few.pop_front(), Some(1));
        few.push_back(4);
        assert_eq!([few.pop_front(), few.pop_front(), few.pop_front()], [Some(2), Some(3), Some(4)]);
        assert!(few.is_empty());
    }

    #[test]
    fn one_element_is_held_without_an_allocation() {
        let mut few = Few::default();
        few.push_back(1);
        assert_eq!((few.front_mut().copied(), few.back_mut().copied()), (Some(1), Some(1)));
        assert_eq!(few.allocated(), 0);
        few.push_back(2);
        assert!(few.allocated() > 0);
        assert_eq!([few.pop_front(), few.pop_front()], [Some(1), Some(2)]);
        few.release_if_empty();
        assert_eq!(few.allocated(), 0);
    }
}
