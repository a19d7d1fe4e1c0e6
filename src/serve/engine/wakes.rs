//! How a handler's waker reaches its connection.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

use super::Key;
use crate::driver::Ringer;

/// Connections that were woken, from whichever thread.
pub(super) struct Wakes {
    woken: Mutex<Vec<Key>>,
    ringer: Ringer,
}

impl Wakes {
    pub(super) fn new(ringer: Ringer) -> Arc<Self> {
        Arc::new(Wakes { woken: Mutex::default(), ringer })
    }

    /// A waker that lets the connection `key` be polled again.
    pub(super) fn waker(self: &Arc<Self>, key: Key) -> Waker {
        Waker::from(Arc::new(ConnectionWaker { wakes: Arc::clone(self), key }))
    }

    /// Takes those that were woken since the last call.
    pub(super) fn take(&self) -> Vec<Key> {
        std::mem::take(&mut self.woken.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct ConnectionWaker {
    wakes: Arc<Wakes>,
    key: Key,
}

impl Wake for ConnectionWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wakes.woken.lock().unwrap_or_else(PoisonError::into_inner).push(self.key);
        self.wakes.ringer.ring();
    }
}
