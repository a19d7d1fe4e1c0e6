//! The end of a server, ordered from outside.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Stats;
use crate::driver::Ringer;

/// How long the other loops of a server may take for what is in flight there, once one has ended by itself. It is
/// not cut off, since they may all be ending because their network is, each when nothing is left to send.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// A handle on a running server. Dropping it leaves the server running; clones are the same handle.
#[derive(Clone, Debug)]
pub struct ServerHandle {
    loops: Arc<Loops>,
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
    pub(super) fn new(ringers: impl Iterator<Item = Ringer>, stats: Arc<Stats>) -> (Self, Vec<Control>) {
        let each: Vec<_> = ringers.map(|ringer| Loop { state: Mutex::default(), ringer }).collect();
        let end = EndState { left: each.len(), ended: Ended::default() };
        let loops = Arc::new(Loops { each, end: Mutex::new(end), told: Condvar::new() });
        let control = |place| Control { loops: Arc::clone(&loops), place };
        let controls = (0..loops.each.len()).map(control).collect();
        (ServerHandle { loops, stats }, controls)
    }

    /// Ends the server in order: nothing more is accepted, what is in flight is finished, every connection gets its
    /// FIN. What is not done after `limit` is reset. A second call resets everything at once. Returns immediately;
    /// [`wait`](Self::wait) waits.
    pub fn shutdown(&self, limit: Duration) {
        for each in &self.loops.each {
            each.order(|earlier| if earlier.is_none() { Order::Finish(limit) } else { Order::Abort });
        }
    }

    /// Waits until the server has ended, after [`shutdown`](Self::shutdown) or with its stack. Of several stacks one is
    /// enough: the server then ends on the others, too, within five seconds. Not to be called on the loop's thread.
    pub fn wait(&self) -> Ended {
        let state = self.loops.end();
        let state = self.loops.told.wait_while(state, |state| state.left > 0);
        state.unwrap_or_else(PoisonError::into_inner).ended
    }

    /// As [`wait`](Self::wait), but `None` if it takes longer than `timeout`.
    pub fn wait_timeout(&self, timeout: Duration) -> Option<Ended> {
        let state = self.loops.end();
        let result = self.loops.told.wait_timeout_while(state, timeout, |state| state.left > 0);
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
    loops: Arc<Loops>,
    place: usize,
}

impl Control {
    pub(super) fn order(&self) -> Option<Order> {
        self.own().lock().order
    }

    /// Reports the end in this loop; only the first report counts. One that nobody has ordered is the end in all of them:
    /// clients whose connections would come to this loop get no answer any more, however well the others are.
    pub(super) fn end(&self, ended: Ended) {
        let mut state = self.own().lock();
        if std::mem::replace(&mut state.has_ended, true) {
            return;
        }
        let was_ordered = state.order.is_some();
        drop(state);
        if !was_ordered {
            for other in &self.loops.each {
                other.order(|earlier| earlier.unwrap_or(Order::Finish(LAST_ANSWERS)));
            }
        }
        self.loops.report(ended);
    }

    fn own(&self) -> &Loop {
        &self.loops.each[self.place]
    }
}

/// All loops that a server lives in, and its end in them.
#[derive(Debug)]
struct Loops {
    each: Vec<Loop>,
    end: Mutex<EndState>,
    told: Condvar,
}

#[derive(Debug)]
struct EndState {
    /// Loops that go on.
    left: usize,
    /// All of them together.
    ended: Ended,
}

impl Loops {
    fn report(&self, ended: Ended) {
        let mut state = self.end();
        state.left -= 1;
        state.ended.cut += ended.cut;
        drop(state);
        self.told.notify_all();
    }

    /// Nothing panics under this lock.
    fn end(&self) -> MutexGuard<'_, EndState> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One loop, on cache lines of its own, as it looks for orders in each turn.
#[derive(Debug)]
#[repr(align(128))]
struct Loop {
    state: Mutex<State>,
    ringer: Ringer,
}

#[derive(Debug, Default)]
struct State {
    order: Option<Order>,
    has_ended: bool,
}

impl Loop {
    /// Gives the order that follows on the earlier one, if there is any.
    fn order(&self, next: impl FnOnce(Option<Order>) -> Order) {
        let mut state = self.lock();
        state.order = Some(next(state.order));
        drop(state);
        self.ringer.ring();
    }

    /// Nothing panics under this lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
