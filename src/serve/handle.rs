//! The end of a server, ordered from outside.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Stats;
use crate::driver::Ringer;

/// A handle on a running server. Dropping it leaves the server running; clones are the same handle.
#[derive(Clone, Debug)]
pub struct ServerHandle {
    /// One for each loop that it lives in.
    loops: Vec<(Arc<Control>, Ringer)>,
    end: Arc<End>,
    stats: Arc<Stats>,
}

/// How a server ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Connections that had to be reset, because they were not done in time.
    pub cut: usize,
}

impl ServerHandle {
    /// For a server in the loops that `ringers` ring for; and what each of these is told by.
    pub(super) fn new(ringers: impl Iterator<Item = Ringer>, stats: Arc<Stats>) -> (Self, Vec<Arc<Control>>) {
        let end = Arc::new(End::default());
        let loops: Vec<_> = ringers.map(|ringer| (Arc::new(Control::new(&end)), ringer)).collect();
        end.lock().left = loops.len();
        let controls = loops.iter().map(|(control, _)| Arc::clone(control)).collect();
        (ServerHandle { loops, end, stats }, controls)
    }

    /// Ends the server in order: nothing more is accepted, what is in flight is finished, every connection gets its
    /// FIN. What is not done after `limit` is reset. A second call resets everything at once. Returns immediately;
    /// [`wait`](Self::wait) waits.
    pub fn shutdown(&self, limit: Duration) {
        for (control, ringer) in &self.loops {
            control.give(limit);
            ringer.ring();
        }
    }

    /// Waits until the server has ended, after [`shutdown`](Self::shutdown) or with its stack. Not to be called on
    /// the loop's thread.
    pub fn wait(&self) -> Ended {
        let state = self.end.lock();
        let state = self.end.told.wait_while(state, |state| state.left > 0);
        state.unwrap_or_else(PoisonError::into_inner).ended
    }

    /// As [`wait`](Self::wait), but `None` if it takes longer than `timeout`.
    pub fn wait_timeout(&self, timeout: Duration) -> Option<Ended> {
        let state = self.end.lock();
        let result = self.end.told.wait_timeout_while(state, timeout, |state| state.left > 0);
        let (state, _) = result.unwrap_or_else(PoisonError::into_inner);
        (state.left == 0).then_some(state.ended)
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

/// Between the handle and one loop.
#[derive(Debug)]
pub(super) struct Control {
    state: Mutex<State>,
    end: Arc<End>,
}

#[derive(Debug, Default)]
struct State {
    order: Option<Order>,
    has_ended: bool,
}

impl Control {
    fn new(end: &Arc<End>) -> Self {
        Control { state: Mutex::default(), end: Arc::clone(end) }
    }

    pub(super) fn order(&self) -> Option<Order> {
        self.lock().order
    }

    fn give(&self, limit: Duration) {
        let mut state = self.lock();
        state.order = Some(if state.order.is_none() { Order::Finish(limit) } else { Order::Abort });
    }

    /// Reports the end in this loop; only the first report counts.
    pub(super) fn end(&self, ended: Ended) {
        if !std::mem::replace(&mut self.lock().has_ended, true) {
            self.end.report(ended);
        }
    }

    /// Nothing panics under this lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end in all loops.
#[derive(Debug, Default)]
struct End {
    state: Mutex<EndState>,
    told: Condvar,
}

#[derive(Debug, Default)]
struct EndState {
    /// Loops that go on.
    left: usize,
    /// All of them together.
    ended: Ended,
}

impl End {
    fn report(&self, ended: Ended) {
        let mut state = self.lock();
        state.left -= 1;
        state.ended.cut += ended.cut;
        drop(state);
        self.told.notify_all();
    }

    /// Nothing panics under this lock.
    fn lock(&self) -> MutexGuard<'_, EndState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
