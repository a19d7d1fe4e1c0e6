//! How a handler's waker reaches its connection.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

use crate::driver::{Ringer, SocketId};

/// Connections that were woken, from whichever thread.
pub(super) struct Wakes {
    woken: Mutex<Vec<SocketId>>,
    ringer: Ringer,
}

impl Wakes {
    pub(super) fn new(ringer: Ringer) -> Arc<Self> {
        Arc::new(Wakes { woken: Mutex::default(), ringer })
    }

    /// Takes those that were woken since the last call.
    pub(super) fn take(&self) -> Vec<SocketId> {
        std::mem::take(&mut self.woken.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Makes wakers, of which most are never kept: the memory of one that was not serves for the next.
#[derive(Default)]
pub(super) struct Wakers {
    last: Option<Arc<ConnectionWaker>>,
}

impl Wakers {
    /// A waker that lets the connection of `socket` be polled again.
    pub(super) fn waker(&mut self, wakes: &Arc<Wakes>, socket: SocketId) -> Waker {
        match self.last.as_mut().and_then(Arc::get_mut) {
            Some(unused) => unused.socket = socket,
            None => self.last = None,
        }
        let new = || Arc::new(ConnectionWaker { wakes: Arc::clone(wakes), socket });
        Waker::from(Arc::clone(self.last.get_or_insert_with(new)))
    }
}

struct ConnectionWaker {
    wakes: Arc<Wakes>,
    socket: SocketId,
}

impl Wake for ConnectionWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wakes.woken.lock().unwrap_or_else(PoisonError::into_inner).push(self.socket);
        self.wakes.ringer.ring();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device;
    use crate::net::Network;

    #[test]
    fn a_waker_that_was_kept_still_wakes_its_own() {
        let (device, _other) = device::pair(1_500);
        let network = Network::builder(device).address("10.9.0.2/24".parse().unwrap()).start().unwrap();
        let wakes = Wakes::new(network.shared().ringer().clone());
        let mut wakers = Wakers::default();
        let [first, second, third] = [1, 2, 3].map(SocketId::from_bits);
        drop(wakers.waker(&wakes, first));
        let kept = wakers.waker(&wakes, second);
        let other = wakers.waker(&wakes, third);
        kept.wake();
        other.wake();
        assert_eq!(wakes.take(), [second, third]);
    }
}
