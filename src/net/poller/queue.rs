//! Sources with something to say, and who waits for them.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use mio::{Interest, Token};
use nix::sys::eventfd::{EfdFlags, EventFd};

use super::{Event, Events};
use crate::driver::{Clock, Readiness, Subscriber, Waiter};

/// What a poller, its wakers and its registrations share.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    arrived: Condvar,
    /// Readable while there are events; rung only once somebody has asked for it, as that is a system call.
    bell: EventFd,
    bell_in_use: AtomicBool,
    clock: Clock,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<Key, Entry>,
    /// In the order in which they first had something to say.
    ready: VecDeque<Ready>,
    /// Registrations so far.
    count: u64,
    sleeping: usize,
}

/// A source's name: where its waiter lies, which nothing else can as long as the entry holds a weak handle on it.
type Key = usize;

#[derive(Debug)]
struct Entry {
    /// Tells this registration of the source from an earlier one, which may still be on its way to being dropped.
    number: u64,
    waiter: Weak<Waiter>,
    token: Token,
    interest: Interest,
    /// What it has to say: not empty if and only if it is in the queue.
    pending: Readiness,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ready {
    Source(Key),
    Woken(Token),
}

impl Queue {
    pub(super) fn new() -> io::Result<Queue> {
        let flags = EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC;
        Ok(Queue {
            state: Mutex::new(State::default()),
            arrived: Condvar::new(),
            bell: EventFd::from_value_and_flags(0, flags)?,
            bell_in_use: AtomicBool::new(false),
            clock: Clock::start(),
        })
    }

    /// The descriptor for other event loops. From now on it is kept up to date.
    pub(super) fn bell(&self) -> BorrowedFd<'_> {
        if !self.bell_in_use.swap(true, Ordering::AcqRel) {
            let state = self.lock();
            self.update_bell(&state);
        }
        self.bell.as_fd()
    }

    /// Takes events out, and waits for the first.
    pub(super) fn take(&self, events: &mut Events, timeout: Option<Duration>) {
        events.clear();
        let deadline = timeout.map(|timeout| self.clock.now() + timeout);
        let mut state = self.lock();
        loop {
            state.drain(events);
            let left = deadline.map(|deadline| deadline - self.clock.now());
            if !events.is_empty() || left.is_some_and(|left| left.is_zero()) {
                return self.update_bell(&state);
            }
            state.sleeping += 1;
            state = match left {
                None => self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(left) => {
                    self.arrived.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
            state.sleeping -= 1;
        }
    }

    /// Another source has something to say.
    pub(super) fn add(&self, waiter: &Arc<Waiter>, kinds: Readiness) {
        self.add_to(key(waiter), None, kinds);
    }

    fn add_to(&self, key: Key, number: Option<u64>, kinds: Readiness) {
        let mut state = self.lock();
        let Some(entry) = state.entries.get_mut(&key) else { return };
        let of_interest = filter(kinds, entry.interest);
        if of_interest.is_empty() || number.is_some_and(|number| number != entry.number) {
            return;
        }
        let is_news = entry.pending.is_empty();
        entry.pending |= of_interest;
        if is_news {
            self.push(state, Ready::Source(key));
        }
    }

    pub(super) fn wake(&self, token: Token) {
        let state = self.lock();
        if !state.ready.contains(&Ready::Woken(token)) {
            self.push(state, Ready::Woken(token));
        }
    }

    fn push(&self, mut state: MutexGuard<'_, State>, ready: Ready) {
        state.ready.push_back(ready);
        self.update_bell(&state);
        let sleeping = state.sleeping > 0;
        drop(state);
        if sleeping {
            self.arrived.notify_one();
        }
    }

    pub(super) fn change(&self, waiter: &Arc<Waiter>, token: Token, interest: Interest) -> io::Result<()> {
        let mut state = self.lock();
        let entry = state.entries.get_mut(&key(waiter)).ok_or_else(not_registered)?;
        (entry.token, entry.interest) = (token, interest);
        Ok(())
    }

    /// Fails for a source that is not registered here.
    pub(super) fn check(&self, waiter: &Arc<Waiter>) -> io::Result<()> {
        let known = self.lock().entries.contains_key(&key(waiter));
        known.then_some(()).ok_or_else(not_registered)
    }

    /// Everything that is registered.
    pub(super) fn sources(&self) -> Vec<Arc<Waiter>> {
        self.lock().entries.values().filter_map(|entry| entry.waiter.upgrade()).collect()
    }

    /// Makes the bell say whether there are events. Under the lock, so that the last to write is right.
    fn update_bell(&self, state: &State) {
        if !self.bell_in_use.load(Ordering::Acquire) {
            return;
        }
        // Neither can fail but with `WouldBlock`, when the bell says already what it is to say.
        let _ =
            if state.ready.is_empty() { self.bell.read().map(drop) } else { self.bell.write(1).map(drop) };
    }

    /// Nothing panics under this lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn drain(&mut self, events: &mut Events) {
        while !events.is_full() {
            match self.ready.pop_front() {
                None => return,
                Some(Ready::Woken(token)) => {
                    events.push(Event::new(token, Readiness { readable: true, ..Readiness::default() }));
                }
                Some(Ready::Source(key)) => {
                    if let Some(entry) = self.entries.get_mut(&key) {
                        events.push(Event::new(entry.token, std::mem::take(&mut entry.pending)));
                    }
                }
            }
        }
    }
}

/// One source's place in a queue; dropping it gives the place up.
#[derive(Debug)]
pub(super) struct Registration {
    queue: Arc<Queue>,
    key: Key,
    number: u64,
}

impl Registration {
    /// # Errors
    /// `AlreadyExists` if the source is registered here.
    pub(super) fn new(
        queue: &Arc<Queue>,
        waiter: &Arc<Waiter>,
        token: Token,
        interest: Interest,
    ) -> io::Result<Registration> {
        let mut state = queue.lock();
        let (key, number) = (key(waiter), state.count);
        if state.entries.contains_key(&key) {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "registered already"));
        }
        let waiter = Arc::downgrade(waiter);
        let entry = Entry { number, waiter, token, interest, pending: Readiness::default() };
        state.entries.insert(key, entry);
        state.count += 1;
        Ok(Registration { queue: Arc::clone(queue), key, number })
    }
}

impl Subscriber for Registration {
    fn notify(&self, kinds: Readiness) {
        self.queue.add_to(self.key, Some(self.number), kinds);
    }

    fn ended(&self) {
        self.give_up();
    }
}

impl Registration {
    /// Whoever is just telling of something holds it, too: dropping it is not enough.
    fn give_up(&self) {
        let mut state = self.queue.lock();
        if state.entries.get(&self.key).is_some_and(|entry| entry.number == self.number) {
            state.entries.remove(&self.key);
            state.ready.retain(|ready| *ready != Ready::Source(self.key));
            self.queue.update_bell(&state);
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.give_up();
    }
}

fn key(waiter: &Arc<Waiter>) -> Key {
    Arc::as_ptr(waiter).addr()
}

fn not_registered() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "not registered with this poller")
}

/// What of `kinds` is to be reported. The end always is, and then nothing blocks any more.
fn filter(kinds: Readiness, interest: Interest) -> Readiness {
    let over = kinds.closed || kinds.failed;
    Readiness {
        readable: (kinds.readable || over) && interest.is_readable(),
        writable: (kinds.writable || kinds.connected || over) && interest.is_writable(),
        connected: false,
        closed: kinds.closed,
        failed: kinds.failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_ended_is_not_heard_though_it_is_being_told_of_something() {
        let queue = Arc::new(Queue::new().unwrap());
        let waiter = Arc::new(Waiter::default());
        let registration = Registration::new(&queue, &waiter, Token(1), Interest::WRITABLE).unwrap();
        let registration = Arc::new(registration);
        let with_the_loop = Arc::clone(&registration);
        assert!(waiter.try_subscribe(registration));
        waiter.subscribe(None);
        with_the_loop.notify(Readiness { writable: true, ..Readiness::default() });
        let mut events = Events::with_capacity(4);
        queue.take(&mut events, Some(Duration::ZERO));
        assert!(events.is_empty());
    }
}
