//! Who waits for which socket.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::{Clock, SocketMap};
use crate::stack::{Event, Instant, Readiness, SocketId};

/// The registry: a socket with a [`Waiter`] has its events sent there instead of to the applications.
#[derive(Debug, Default)]
pub struct Waiters {
    table: Mutex<SocketMap<Arc<Waiter>>>,
}

impl Waiters {
    /// Claims the events of `socket` until [`remove`](Waiters::remove). What happened before is not repeated: try
    /// first, then wait.
    pub fn register(&self, socket: SocketId) -> Arc<Waiter> {
        Arc::clone(lock(&self.table).entry(socket).or_default())
    }

    /// Claims the events of `socket` for a waiter that has other sockets' as well.
    pub fn register_with(&self, socket: SocketId, waiter: &Arc<Waiter>) {
        lock(&self.table).insert(socket, Arc::clone(waiter));
    }

    /// Ends the claim.
    pub fn remove(&self, socket: SocketId) {
        lock(&self.table).remove(&socket);
    }

    /// The sockets that are claimed now.
    pub fn sockets(&self) -> Vec<SocketId> {
        lock(&self.table).keys().copied().collect()
    }

    /// Moves those of `events` that nobody claims to `unclaimed`.
    pub(super) fn take_unclaimed(&self, events: &mut Vec<Event>, unclaimed: &mut Vec<Event>) {
        if events.is_empty() {
            return;
        }
        let table = lock(&self.table);
        unclaimed.extend(events.extract_if(.., |event| !table.contains_key(&event.socket)));
    }

    /// Wakes the waiters of `events` and leaves there only what nobody claims. To be called without the stack's lock.
    pub(super) fn deliver(&self, events: &mut Vec<Event>) {
        if events.is_empty() {
            return;
        }
        let mut claimed = Vec::new();
        {
            let table = lock(&self.table);
            events.retain(|event| match table.get(&event.socket) {
                Some(waiter) => {
                    claimed.push((Arc::clone(waiter), event.kinds));
                    false
                }
                None => true,
            });
        }
        for (waiter, kinds) in claimed {
            waiter.notify(kinds);
        }
    }

    /// Wakes everybody for everything: the stack is going away, and each will find out when it tries.
    pub fn wake_all(&self) {
        let all: Vec<_> = lock(&self.table).values().cloned().collect();
        for waiter in all {
            waiter.notify(Readiness {
                readable: true,
                writable: true,
                connected: false,
                closed: true,
                failed: true,
            });
        }
    }
}

/// What a thread waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Data, the end of the stream, a connection to accept, a datagram.
    Read,
    /// Room to write, or the end of the handshake.
    Write,
}

/// Told of each event of a socket, on whichever thread it came up: pollers and futures hang on here.
///
/// ```
/// use std::sync::{Arc, mpsc};
/// use longwire::driver::{Direction, Readiness, Subscriber, Ticket, Waiter};
///
/// struct Telling(mpsc::SyncSender<Readiness>);
///
/// impl Subscriber for Telling {
///     fn notify(&self, kinds: Readiness) {
///         // Nobody listens any more, or not now: the next event comes all the same.
///         let _ = self.0.try_send(kinds);
///     }
/// }
///
/// let (sender, _receiver) = mpsc::sync_channel(16);
/// let waiter = Waiter::default();
/// assert!(waiter.try_subscribe(Arc::new(Telling(sender))));
/// let _before_the_attempt: Ticket = waiter.ticket(Direction::Read);
/// ```
pub trait Subscriber: Send + Sync {
    /// Something of `kinds` happened. Called without any lock; must not block.
    fn notify(&self, kinds: Readiness);

    /// It is a subscriber no longer. A notification that was under way just now may still come.
    fn ended(&self) {}
}

/// Where the threads sleep that wait for one socket.
///
/// No wake-up is lost if the [`Ticket`] is taken before the attempt that may block:
///
/// ```
/// # use longwire::driver::{Clock, Direction, Waiters, Waiter};
/// # fn blocking<T>(waiter: &Waiter, clock: &Clock, mut attempt: impl FnMut() -> Option<T>) -> T {
/// loop {
///     let ticket = waiter.ticket(Direction::Read);
///     if let Some(done) = attempt() {
///         return done;
///     }
///     waiter.wait(ticket, clock, None);
/// }
/// # }
/// ```
#[derive(Default)]
pub struct Waiter {
    read: Gate,
    write: Gate,
    subscriber: Mutex<Option<Arc<dyn Subscriber>>>,
}

/// A moment in the life of a [`Waiter`]: waiting with it ends at the first event after it.
#[derive(Clone, Copy, Debug)]
pub struct Ticket {
    direction: Direction,
    epoch: u64,
}

#[derive(Default)]
struct Gate {
    state: Mutex<GateState>,
    condvar: Condvar,
}

#[derive(Default)]
struct GateState {
    /// Events so far.
    epoch: u64,
    /// Threads asleep: without any the system call is spared.
    sleeping: u32,
}

impl Waiter {
    /// Now.
    pub fn ticket(&self, direction: Direction) -> Ticket {
        Ticket { direction, epoch: lock(&self.gate(direction).state).epoch }
    }

    /// Sleeps until something happened in the ticket's direction since it was taken: `true`; or until `deadline`
    /// has come: `false`.
    pub fn wait(&self, ticket: Ticket, clock: &Clock, deadline: Option<Instant>) -> bool {
        let gate = self.gate(ticket.direction);
        let mut state = lock(&gate.state);
        while state.epoch == ticket.epoch {
            let left = deadline.map(|deadline| deadline - clock.now());
            if left.is_some_and(|left| left.is_zero()) {
                return false;
            }
            state.sleeping += 1;
            state = match left {
                None => gate.condvar.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(left) => {
                    gate.condvar.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
            state.sleeping -= 1;
        }
        true
    }

    /// From now on `subscriber` is told of each event, beside the threads that sleep here. `None` ends that.
    pub fn subscribe(&self, subscriber: Option<Arc<dyn Subscriber>>) {
        let before = std::mem::replace(&mut *lock(&self.subscriber), subscriber);
        // What this does is not done under the lock.
        if let Some(before) = before {
            before.ended();
        }
    }

    /// As [`subscribe`](Waiter::subscribe), unless there is a subscriber already. Whether there was none.
    pub fn try_subscribe(&self, subscriber: Arc<dyn Subscriber>) -> bool {
        let mut current = lock(&self.subscriber);
        let free = current.is_none();
        if free {
            *current = Some(subscriber);
        }
        free
    }

    fn notify(&self, kinds: Readiness) {
        let over = kinds.closed || kinds.failed;
        if kinds.readable || over {
            self.read.open();
        }
        if kinds.writable || kinds.connected || over {
            self.write.open();
        }
        let subscriber = lock(&self.subscriber).clone();
        if let Some(subscriber) = subscriber {
            subscriber.notify(kinds);
        }
    }

    fn gate(&self, direction: Direction) -> &Gate {
        match direction {
            Direction::Read => &self.read,
            Direction::Write => &self.write,
        }
    }
}

impl std::fmt::Debug for Waiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Waiter")
    }
}

impl Gate {
    /// Everybody goes: one event may stand for several connections to accept.
    fn open(&self) {
        let mut state = lock(&self.state);
        state.epoch += 1;
        let sleeping = state.sleeping > 0;
        drop(state);
        if sleeping {
            self.condvar.notify_all();
        }
    }
}

/// Nothing panics under these locks, and no state of theirs is ever half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
