//! What a poller reports.

use mio::Token;

use crate::driver::Readiness;

/// Something has happened to a source: mio's `Event`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    token: Token,
    ready: Readiness,
}

impl Event {
    pub(super) fn new(token: Token, ready: Readiness) -> Event {
        Event { token, ready }
    }

    /// Which source: the token that it was registered with.
    pub fn token(&self) -> Token {
        self.token
    }

    /// Reading, accepting or receiving does not block, or fails.
    pub fn is_readable(&self) -> bool {
        self.ready.readable
    }

    /// Writing or sending does not block, or fails; a connection that was begun stands or has failed.
    pub fn is_writable(&self) -> bool {
        self.ready.writable
    }

    /// There is an error: the next call, or `take_error`, says which.
    pub fn is_error(&self) -> bool {
        self.ready.failed
    }

    /// The connection has ended: there is nothing to read but what has come already. That the peer has only closed its
    /// direction is seen by reading.
    pub fn is_read_closed(&self) -> bool {
        self.ready.closed || self.ready.failed
    }

    /// The connection has ended: nothing can be written any more.
    pub fn is_write_closed(&self) -> bool {
        self.ready.closed || self.ready.failed
    }
}

/// Events that a poller has reported: mio's `Events`.
#[derive(Debug)]
pub struct Events {
    list: Vec<Event>,
    capacity: usize,
}

/// The iterator over [`Events`].
///
/// ```
/// use longwire::net::{Events, Iter};
/// let events = Events::with_capacity(64);
/// let mut iter: Iter<'_> = events.iter();
/// assert!(iter.next().is_none(), "nothing was polled");
/// ```
pub type Iter<'a> = std::slice::Iter<'a, Event>;

impl Events {
    /// Room for `capacity` events, at least one.
    pub fn with_capacity(capacity: usize) -> Events {
        let capacity = capacity.max(1);
        Events { list: Vec::with_capacity(capacity), capacity }
    }

    /// Most events that one call reports.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Whether there are none: the time-out was over.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The events of the last call.
    pub fn iter(&self) -> Iter<'_> {
        self.list.iter()
    }

    /// Forgets them. [`Poller::poll`](super::Poller::poll) does so by itself.
    pub fn clear(&mut self) {
        self.list.clear();
    }

    pub(super) fn is_full(&self) -> bool {
        self.list.len() >= self.capacity
    }

    pub(super) fn push(&mut self, event: Event) {
        self.list.push(event);
    }
}

impl<'a> IntoIterator for &'a Events {
    type Item = &'a Event;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}
