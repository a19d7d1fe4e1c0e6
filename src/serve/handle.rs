//! The end of a server, ordered from outside.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Stats;
use crate::driver::Ringer;

/// A handle on a running server. Dropping it leaves the server running; clones are the same handle.
#[derive(Clone, Debug)]
pub struct ServerHandle {
    control: Arc<Control>,
    ringer: Ringer,
    stats: Arc<Stats>,
}

/// How a server ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Connections that had to be reset, because they were not done in time.
    pub cut: usize,
}

impl ServerHandle {
    pub(super) fn new(control: Arc<Control>, ringer: Ringer, stats: Arc<Stats>) -> Self {
        ServerHandle { control, ringer, stats }
    }

    /// Ends the server in order: nothing more is accepted, what is in flight is finished, every connection gets its
    /// FIN. What is not done after `limit` is reset. A second call resets everything at once. Returns immediately;
    /// [`wait`](Self::wait) waits.
    pub fn shutdown(&self, limit: Duration) {
        {
            let mut state = self.control.lock();
            state.order = Some(if state.order.is_none() { Order::Finish(limit) } else { Order::Abort });
        }
        self.ringer.ring();
    }

    /// Waits until the server has ended, after [`shutdown`](Self::shutdown) or with its stack. Not to be called on
    /// the loop's thread.
    pub fn wait(&self) -> Ended {
        let state = self.control.lock();
        let ended = self.control.ended.wait_while(state, |state| state.ended.is_none());
        ended.unwrap_or_else(PoisonError::into_inner).ended.unwrap_or_default()
    }

    /// As [`wait`](Self::wait), but `None` if it takes longer than `timeout`.
    pub fn wait_timeout(&self, timeout: Duration) -> Option<Ended> {
        let state = self.control.lock();
        let result = self.control.ended.wait_timeout_while(state, timeout, |state| state.ended.is_none());
        result.unwrap_or_else(PoisonError::into_inner).0.ended
    }

    /// Counters and gauges.
    pub fn stats(&self) -> &Arc<Stats> {
        &self.stats
    }
}

/// What the handle has ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// End in order, within so long.
    Finish(Duration),
    /// Reset everything.
    Abort,
}

/// Between the handle and the loop.
#[derive(Debug, Default)]
pub(super) struct Control {
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    order: Option<Order>,
    ended: Option<Ended>,
}

impl Control {
    pub(super) fn order(&self) -> Option<Order> {
        self.lock().order
    }

    /// Reports the end; only the first report counts.
    pub(super) fn end(&self, ended: Ended) {
        self.lock().ended.get_or_insert(ended);
        self.ended.notify_all();
    }

    /// Nothing panics under this lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
