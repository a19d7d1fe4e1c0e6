//! What an application is told, and the queue in which it waits to be told.

use std::collections::VecDeque;
use std::ops::BitOrAssign;

use super::SocketId;

/// What changed for the application. Edge-triggered and coalesced per socket: read, write and accept until
/// [`Error::WouldBlock`](super::Error::WouldBlock).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The socket.
    pub socket: SocketId,
    /// What is new about it.
    pub kinds: Readiness,
}

/// What can be done with a socket now, or has become possible.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// Data or the end of the stream; for a listener a connection to accept; for UDP and ICMP a datagram.
    pub readable: bool,
    /// There is room to write.
    pub writable: bool,
    /// The handshake is complete.
    pub connected: bool,
    /// The connection has ended, with or without an error.
    pub closed: bool,
    /// The connection has failed; `error(id)` says why.
    pub failed: bool,
}

impl Readiness {
    /// Nothing but something to read.
    pub(super) const READABLE: Readiness =
        Readiness { readable: true, writable: false, connected: false, closed: false, failed: false };
    /// Nothing but room to write.
    pub(super) const WRITABLE: Readiness =
        Readiness { readable: false, writable: true, connected: false, closed: false, failed: false };

    /// Whether there is nothing to tell.
    pub fn is_empty(self) -> bool {
        self == Readiness::default()
    }
}

impl BitOrAssign for Readiness {
    fn bitor_assign(&mut self, other: Readiness) {
        self.readable |= other.readable;
        self.writable |= other.writable;
        self.connected |= other.connected;
        self.closed |= other.closed;
        self.failed |= other.failed;
    }
}

/// What a socket has to tell, in a byte: every socket has one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Untold(u8);

impl Untold {
    const fn is_empty(self) -> bool {
        self.0 == 0
    }

    fn add(&mut self, kinds: Readiness) {
        let Readiness { readable, writable, connected, closed, failed } = kinds;
        for (bit, set) in [readable, writable, connected, closed, failed].into_iter().enumerate() {
            self.0 |= u8::from(set) << bit;
        }
    }

    /// All of it; nothing is left.
    pub(super) fn take(&mut self) -> Readiness {
        let bits = std::mem::take(&mut self.0);
        let [readable, writable, connected, closed, failed] = [0, 1, 2, 3, 4].map(|bit| bits & 1 << bit != 0);
        Readiness { readable, writable, connected, closed, failed }
    }
}

/// Sockets that have something to tell, in the order in which they first had. What that is stays with the socket.
#[derive(Debug, Default)]
pub(super) struct EventQueue {
    sockets: VecDeque<SocketId>,
}

impl EventQueue {
    /// Adds `kinds` to what the socket has to tell; `untold` is where the socket keeps that.
    pub(super) fn post(&mut self, socket: SocketId, untold: &mut Untold, kinds: Readiness) {
        if kinds.is_empty() {
            return;
        }
        if untold.is_empty() {
            self.sockets.push_back(socket);
        }
        untold.add(kinds);
    }

    /// The socket whose turn it is. It may be gone by now.
    pub(super) fn pop(&mut self) -> Option<SocketId> {
        self.sockets.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_queued_once_for_all_that_it_has_to_tell() {
        let (mut queue, mut untold) = (EventQueue::default(), Untold::default());
        let socket = SocketId { index: 1, generation: 0 };
        queue.post(socket, &mut untold, Readiness::default());
        assert_eq!(queue.pop(), None, "nothing to tell");
        queue.post(socket, &mut untold, Readiness::READABLE);
        queue.post(socket, &mut untold, Readiness::WRITABLE);
        assert_eq!((queue.pop(), queue.pop()), (Some(socket), None));
        let told = untold.take();
        assert!(told.readable && told.writable && !told.closed);
        assert!(untold.is_empty());
    }
}
