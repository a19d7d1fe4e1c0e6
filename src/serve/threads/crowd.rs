//! Who is there: connections in all and of each client, and which of them are idle.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Shutdown};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::net::TcpStream;
use crate::serve::{Config, Stats};

/// The connections of a server.
#[derive(Default)]
pub(super) struct Crowd {
    state: Mutex<State>,
    stats: Arc<Stats>,
}

#[derive(Default)]
struct State {
    all: usize,
    clients: HashMap<IpAddr, usize>,
    /// The idle ones, the longest idle first.
    idle: BTreeMap<u64, TcpStream>,
    /// The number of the next that becomes idle.
    next: u64,
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
    pub(super) fn admit(self: &Arc<Self>, config: &Config, client: IpAddr) -> Admission {
        let mut state = self.lock();
        let (all, of_client) = (state.all, state.clients.get(&client).copied().unwrap_or(0));
        if all >= config.most_with_reserve() || of_client >= config.most_of_client_with_reserve() {
            self.stats.refuse();
            return Admission::Refused;
        }
        state.all += 1;
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
        let guest = Guest { crowd: Arc::clone(self), client };
        let has_room = all < config.max_connections && of_client < config.max_per_client;
        if has_room { Admission::Served(guest) } else { Admission::Told(guest) }
    }

    /// A connection has become idle. Its number, for [`resume`](Self::resume).
    pub(super) fn rest(&self, stream: &TcpStream) -> Option<u64> {
        let stream = stream.try_clone().ok()?;
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        state.idle.insert(number, stream);
        self.show(&state);
        Some(number)
    }

    /// It is idle no longer. `false`: it had to make room meanwhile.
    pub(super) fn resume(&self, number: u64) -> bool {
        let mut state = self.lock();
        let was_there = state.idle.remove(&number);
        self.show(&state);
        drop(state);
        was_there.is_some()
    }

    fn show(&self, state: &State) {
        self.stats.set_open(state.all, state.idle.len());
    }

    /// Nothing panics under this lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a connection for as long as it lives.
pub(super) struct Guest {
    pub(super) crowd: Arc<Crowd>,
    client: IpAddr,
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut state = self.crowd.lock();
        state.all -= 1;
        if let Some(count) = state.clients.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                state.clients.remove(&self.client);
            }
        }
        self.crowd.show(&state);
    }
}
