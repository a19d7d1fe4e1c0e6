//! All connections of a server, and which of them have something to do.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use super::Turn;
use super::connection::{Connection, Fate};
use super::table::{Key, Table};
use super::wakes::Wakers;
use super::wheel::Wheel;
use crate::driver::{Event, Instant, SocketId};
use crate::http::ServerConnection;
use crate::serve::budget::budget_of_each;

/// Connections that are looked at in one turn.
const RUNS: usize = 1024;

pub(super) struct Connections {
    table: Table,
    wheel: Wheel,
    /// Those that have something to do, each once.
    ready: VecDeque<Key>,
    wakers: Wakers,
}

impl Connections {
    pub(super) fn new(now: Instant) -> Self {
        Connections {
            table: Table::new(),
            wheel: Wheel::new(now),
            ready: VecDeque::new(),
            wakers: Wakers::default(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    pub(super) fn idle_len(&self) -> usize {
        self.table.idle_len()
    }

    /// When the next turn is due though nothing happens.
    pub(super) fn deadline(&self) -> Option<Instant> {
        if self.ready.is_empty() { self.wheel.next() } else { Some(Instant::ZERO) }
    }

    /// Takes note of what has happened to one of ours; `false`: it is not.
    pub(super) fn notice(&mut self, event: &Event) -> bool {
        let Some(key) = self.table.key_of(event.socket) else { return false };
        if let Some(connection) = self.table.get_mut(key) {
            connection.notice(event.kinds);
        }
        self.enqueue(key);
        true
    }

    /// Has it looked at in its turn.
    pub(super) fn enqueue(&mut self, key: Key) {
        if let Some(connection) = self.table.get_mut(key)
            && !std::mem::replace(&mut connection.queued, true)
        {
            self.ready.push_back(key);
        }
    }

    /// A new connection: it is served, told that there is no room, or not even that.
    pub(super) fn admit(&mut self, turn: &Turn<'_>, socket: SocketId, peer: SocketAddr) {
        let (all, of_client) = (self.table.len(), self.table.of_client(peer.ip()));
        let config = &turn.env.config;
        let (most, most_of_client) = (config.max_connections, config.max_per_client);
        if all >= config.most_with_reserve() || of_client >= config.most_of_client_with_reserve() {
            turn.env.stats.refuse();
            turn.stack.with(|stack| {
                // Both fail only if it is gone already.
                let _ = stack.abort(socket);
                let _ = stack.close(turn.now, socket);
            });
            return;
        }
        let http = Arc::clone(&turn.env.http);
        let connection = if all >= most || of_client >= most_of_client {
            ServerConnection::overloaded(http, turn.moment, config.retry_after)
        } else {
            ServerConnection::new(http, turn.moment)
        };
        turn.env.stats.accept();
        let key = self.table.insert(peer.ip(), Connection::new(socket, connection));
        self.enqueue(key);
        if all >= config.crowded_above() {
            self.make_room(turn);
        }
    }

    /// The longest idle connection goes, if there is one.
    fn make_room(&mut self, turn: &Turn<'_>) {
        let Some(key) = self.table.longest_idle() else { return };
        if let Some(connection) = self.table.get_mut(key) {
            connection.make_room(turn);
        }
        self.table.set_idle(key, false);
        self.enqueue(key);
    }

    /// Deadlines that have come.
    pub(super) fn fire(&mut self, turn: &Turn<'_>) {
        let mut due = Vec::new();
        self.wheel.expire(turn.now, &mut due);
        for key in due {
            if let Some(connection) = self.table.get_mut(key).filter(|it| it.armed <= turn.now) {
                connection.fire(turn);
                self.enqueue(key);
            }
        }
    }

    /// Looks at those that have something to do, up to a budget.
    pub(super) fn run(&mut self, turn: &Turn<'_>) {
        let budget = budget_of_each(self.ready.len());
        for _ in 0..self.ready.len().min(RUNS) {
            let Some(key) = self.ready.pop_front() else { break };
            self.run_one(turn, key, budget);
        }
    }

    /// The server ends: each exchange is the last of its connection.
    pub(super) fn shutdown(&mut self, turn: &Turn<'_>) {
        for key in self.table.keys() {
            // A request that has arrived and was not looked at is in flight, too.
            self.run_one(turn, key, budget_of_each(1));
            if let Some(connection) = self.table.get_mut(key) {
                connection.shutdown(turn);
                self.enqueue(key);
            }
        }
    }

    /// Resets all; says how many.
    pub(super) fn abort(&mut self, turn: &Turn<'_>) -> usize {
        let keys = self.table.keys();
        for &key in &keys {
            if let Some(connection) = self.table.remove(key, None) {
                connection.abort(turn);
            }
        }
        self.ready.clear();
        keys.len()
    }

    fn run_one(&mut self, turn: &Turn<'_>, key: Key, budget: usize) {
        let Some(connection) = self.table.get_mut(key) else { return };
        connection.queued = false;
        let requests = connection.requests();
        match connection.run(turn, &self.wakers.waker(&turn.env.wakes, key), budget) {
            Fate::Gone(peer) => {
                self.table.remove(key, peer.map(|peer| peer.ip()));
                return;
            }
            Fate::More => {
                connection.queued = true;
                self.ready.push_back(key);
            }
            Fate::Waits => {}
        }
        if let Some(deadline) = connection.deadline() {
            let firing = self.wheel.firing(deadline);
            if firing < connection.armed {
                connection.armed = firing;
                self.wheel.insert(key, deadline);
            }
        }
        let (idle, served) = (connection.is_idle(), connection.requests() != requests);
        if served {
            // It has been busy in between: it goes to the end of those that are idle.
            self.table.set_idle(key, false);
        }
        self.table.set_idle(key, idle);
    }
}
