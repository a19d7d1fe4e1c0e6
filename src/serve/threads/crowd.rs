//! Who is there: connections in all and of each client, and which of them are idle.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Shutdown};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::net::{TcpStream, Waker};
use crate::serve::{Config, Ended, Stats};

/// The connections of a server.
#[derive(Default)]
pub(super) struct Crowd {
    state: Mutex<State>,
    emptied: Condvar,
    ending: AtomicBool,
    cutting: AtomicBool,
    stats: Arc<Stats>,
}

#[derive(Default)]
struct State {
    all: HashMap<u64, TcpStream>,
    clients: HashMap<IpAddr, usize>,
    /// The idle ones, the longest idle first.
    idle: BTreeMap<u64, TcpStream>,
    /// The number of the next that comes, or becomes idle.
    next: u64,
    /// Of the threads that accept.
    wakers: Vec<Waker>,
}

impl State {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

/// What becomes of a new connection.
pub(super) enum Admission {
    Served(Guest),
    /// It is told that there is no room.
    Told(Guest),
    /// Not even that can be afforded.
    Refused,
}

impl Crowd {
    pub(super) fn new(stats: Arc<Stats>) -> Arc<Self> {
        Arc::new(Crowd { stats, ..Crowd::default() })
    }

    /// Counts a new connection of `client`; if it becomes crowded, the longest idle one has to go.
    pub(super) fn admit(self: &Arc<Self>, config: &Config, stream: &TcpStream, client: IpAddr) -> Admission {
        let mut state = self.lock();
        let (all, of_client) = (state.all.len(), state.clients.get(&client).copied().unwrap_or(0));
        let has_reserve =
            all < config.most_with_reserve() && of_client < config.most_of_client_with_reserve();
        let Some(stream) = stream.try_clone().ok().filter(|_| has_reserve) else {
            self.stats.refuse();
            return Admission::Refused;
        };
        let number = state.number();
        state.all.insert(number, stream);
        *state.clients.entry(client).or_default() += 1;
        self.stats.accept();
        self.show(&state);
        let crowded = all >= config.crowded_above();
        let longest = crowded.then(|| state.idle.pop_first()).flatten();
        drop(state);
        if let Some((_, stream)) = longest {
            // Its thread is reading, and finds that it is no longer among the idle ones.
            let _ = stream.shutdown(Shutdown::Read);
        }
        let guest = Guest { crowd: Arc::clone(self), number, client };
        let has_room = all < config.max_connections && of_client < config.max_per_client;
        if has_room { Admission::Served(guest) } else { Admission::Told(guest) }
    }

    /// A connection has become idle. Its number, for [`resume`](Self::resume); `None` if it must not rest.
    pub(super) fn rest(&self, stream: &TcpStream) -> Option<u64> {
        let stream = stream.try_clone().ok()?;
        let mut state = self.lock();
        if self.is_ending() {
            return None;
        }
        let number = state.number();
        state.idle.insert(number, stream);
        self.show(&state);
        Some(number)
    }

    /// It is idle no longer. `false`: it had to make room meanwhile, or everything ends.
    pub(super) fn resume(&self, number: u64) -> bool {
        let mut state = self.lock();
        let was_there = state.idle.remove(&number);
        self.show(&state);
        drop(state);
        was_there.is_some()
    }

    /// Whether each exchange is the last of its connection.
    pub(super) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Acquire)
    }

    /// Whether what is still there has had its time.
    pub(super) fn is_cutting(&self) -> bool {
        self.cutting.load(Ordering::Acquire)
    }

    /// Wakes a thread that accepts once everything ends.
    pub(super) fn watch(&self, waker: Waker) {
        self.lock().wakers.push(waker);
    }

    /// Ends everything: what is idle now, what is in flight when it is done, and what is not done after `limit` by
    /// force.
    pub(super) fn end(&self, limit: Duration) -> Ended {
        let mut state = self.lock();
        self.ending.store(true, Ordering::Release);
        let (idle, wakers) = (std::mem::take(&mut state.idle), std::mem::take(&mut state.wakers));
        drop(state);
        for waker in &wakers {
            let _ = waker.wake();
        }
        for stream in idle.values() {
            let _ = stream.shutdown(Shutdown::Read);
        }
        let waiting = self.emptied.wait_timeout_while(self.lock(), limit, |state| !state.all.is_empty());
        let state = waiting.unwrap_or_else(PoisonError::into_inner).0;
        self.cutting.store(true, Ordering::Release);
        let left: Vec<TcpStream> = state.all.values().filter_map(|stream| stream.try_clone().ok()).collect();
        drop(state);
        for stream in &left {
            stream.set_reset_on_drop(true);
            // Its thread waits for input, or for room to write. A FIN must not tell the client that all is well.
            let is_writing = stream.info().is_ok_and(|info| info.send_queue > 0);
            let _ = stream.shutdown(if is_writing { Shutdown::Both } else { Shutdown::Read });
        }
        Ended { cut: left.len() }
    }

    fn show(&self, state: &State) {
        self.stats.set_open(state.all.len(), state.idle.len());
    }

    /// Nothing panics under this lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a connection for as long as it lives.
pub(super) struct Guest {
    pub(super) crowd: Arc<Crowd>,
    number: u64,
    client: IpAddr,
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut state = self.crowd.lock();
        let stream = state.all.remove(&self.number);
        if let Some(count) = state.clients.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                state.clients.remove(&self.client);
            }
        }
        self.crowd.show(&state);
        drop(state);
        // The last handle of the connection, which closes it: not under the lock.
        drop(stream);
        self.crowd.emptied.notify_all();
    }
}
