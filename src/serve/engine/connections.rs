//! All connections of a server, and which of them have something to do.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use super::Turn;
use super::connection::{Connection, Fate};
use super::cooling::Cooling;
use super::table::{Rest, Table, Waiting};
use super::wakes::Wakers;
use super::wheel::Wheel;
use crate::driver::{Event, Instant, SharedStack, SocketId};
use crate::http::{ServerConfig, ServerConnection};
use crate::serve::budget::budget_of_each;

/// Connections that are looked at in one turn.
const RUNS: usize = 1024;

pub(super) struct Connections {
    table: Table,
    /// Deadlines of those that are being served; who is idle has one in the order of its queue.
    wheel: Wheel,
    /// Those that have something to do, each once.
    ready: VecDeque<SocketId>,
    /// Those that are served, and on which nothing was under way a moment ago.
    cooling: Cooling,
    wakers: Wakers,
    /// The last turn's.
    now: Instant,
}

impl Connections {
    pub(super) fn new(now: Instant) -> Self {
        Connections {
            table: Table::new(),
            wheel: Wheel::new(now),
            ready: VecDeque::new(),
            cooling: Cooling::default(),
            wakers: Wakers::default(),
            now,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    pub(super) fn idle_len(&self) -> usize {
        self.table.idle_len() + self.cooling.quiet()
    }

    /// When the next turn is due though nothing happens.
    pub(super) fn deadline(&self, config: &ServerConfig) -> Option<Instant> {
        if !self.ready.is_empty() {
            return Some(Instant::ZERO);
        }
        let idle = Waiting::ALL.into_iter().filter_map(|waiting| self.table.longest_idle(waiting, self.now));
        let idle = idle.filter_map(|(_, rest)| rest.deadline(config));
        idle.chain(self.wheel.next()).chain(self.cooling.deadline()).min()
    }

    /// Takes note of what has happened to one of ours; `false`: it is not.
    pub(super) fn notice(
        &mut self,
        stack: &SharedStack,
        config: &Arc<ServerConfig>,
        now: Instant,
        event: &Event,
    ) -> bool {
        if !self.table.has(event.socket) {
            return false;
        }
        if self.table.idle(event.socket, now).is_some() && is_news(stack, event.socket) {
            self.wake(config, now, event.socket);
        }
        if let Some(connection) = self.table.busy_mut(event.socket) {
            connection.notice(event.kinds);
        }
        self.enqueue(event.socket);
        true
    }

    /// Has it looked at in its turn.
    pub(super) fn enqueue(&mut self, socket: SocketId) {
        if let Some(connection) = self.table.busy_mut(socket)
            && !std::mem::replace(&mut connection.queued, true)
        {
            self.ready.push_back(socket);
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
        self.table.insert(peer.ip(), Connection::new(socket, connection));
        self.enqueue(socket);
        if all >= config.crowded_above() {
            self.make_room(turn);
        }
    }

    /// The longest idle connection goes, if there is one.
    fn make_room(&mut self, turn: &Turn<'_>) {
        let waiting =
            Waiting::ALL.into_iter().filter_map(|waiting| self.table.longest_idle(waiting, turn.now));
        let idle = waiting.chain(self.cooling.longest_quiet(&self.table));
        let Some((socket, _)) = idle.min_by_key(|(_, rest)| rest.since) else { return };
        self.wake(&turn.env.http, turn.now, socket);
        if let Some(connection) = self.table.busy_mut(socket) {
            connection.make_room(turn);
        }
        self.enqueue(socket);
    }

    /// Deadlines that have come.
    pub(super) fn fire(&mut self, turn: &Turn<'_>) {
        self.now = turn.now;
        self.cooling.fire(&mut self.table, turn.now);
        let mut due = Vec::new();
        self.wheel.expire(turn.now, &mut due);
        for post in due {
            if let Some(connection) = self.table.crew_mut().fire(post, turn.now) {
                connection.fire(turn);
                let socket = connection.socket();
                self.enqueue(socket);
            }
        }
        // As many as can be looked at: the others are overdue in the next turn, and need no memory until then.
        let mut most = RUNS;
        for waiting in Waiting::ALL {
            while most > 0
                && let Some(socket) = self.overdue(waiting, turn)
            {
                most -= 1;
                self.wake(&turn.env.http, turn.now, socket);
                if let Some(connection) = self.table.busy_mut(socket) {
                    connection.fire(turn);
                }
                self.enqueue(socket);
            }
        }
    }

    fn overdue(&self, waiting: Waiting, turn: &Turn<'_>) -> Option<SocketId> {
        let (socket, rest) = self.table.longest_idle(waiting, turn.now)?;
        (rest.deadline(&turn.env.http)? <= turn.now).then_some(socket)
    }

    /// Looks at those that have something to do, up to a budget.
    pub(super) fn run(&mut self, turn: &Turn<'_>) {
        let budget = budget_of_each(self.ready.len());
        for _ in 0..self.ready.len().min(RUNS) {
            let Some(socket) = self.ready.pop_front() else { break };
            self.run_one(turn, socket, budget);
        }
    }

    /// The server ends: each exchange is the last of its connection.
    pub(super) fn shutdown(&mut self, turn: &Turn<'_>) {
        for socket in self.table.sockets() {
            self.wake(&turn.env.http, turn.now, socket);
            // A request that has arrived and was not looked at is in flight, too.
            self.run_one(turn, socket, budget_of_each(1));
            self.wake(&turn.env.http, turn.now, socket);
            if let Some(connection) = self.table.busy_mut(socket) {
                connection.shutdown(turn);
                self.enqueue(socket);
            }
        }
    }

    /// Resets all; says how many.
    pub(super) fn abort(&mut self, turn: &Turn<'_>) -> usize {
        let sockets = self.table.sockets();
        for &socket in &sockets {
            self.wake(&turn.env.http, turn.now, socket);
            if let Some(connection) = self.table.busy_mut(socket) {
                connection.abort(turn);
            }
            self.table.remove(socket, None);
        }
        self.ready.clear();
        self.cooling.clear();
        sockets.len()
    }

    /// Has it served, if it is idle.
    fn wake(&mut self, config: &Arc<ServerConfig>, now: Instant, socket: SocketId) {
        if let Some(rest) = self.table.idle(socket, now) {
            self.table.wake(socket, Connection::resume(socket, config, rest));
        }
    }

    fn run_one(&mut self, turn: &Turn<'_>, socket: SocketId, budget: usize) {
        let Some(connection) = self.table.busy_mut(socket) else { return };
        connection.queued = false;
        self.cooling.stir(connection);
        let fate = connection.run(turn, &self.wakers.waker(&turn.env.wakes, socket), budget);
        let deadline = connection.deadline();
        match fate {
            Fate::Gone(peer) => return self.table.remove(socket, peer.map(|peer| peer.ip())),
            Fate::More => {
                connection.queued = true;
                self.ready.push_back(socket);
            }
            Fate::Waits => {
                connection.note_rest(turn.now);
                match connection.rest() {
                    Some(Rest { waiting: Waiting::Next, .. }) => {
                        self.cooling.calm(&mut self.table, socket, turn.now);
                    }
                    // Nothing was asked.
                    Some(rest) => return self.table.rest(socket, rest),
                    None => {}
                }
            }
        }
        if let (Some(deadline), Some(post)) = (deadline, self.table.post_of(socket)) {
            self.table.crew_mut().arm(&mut self.wheel, post, deadline);
        }
    }
}

/// Whether there is anything for an idle connection to do. What an event tells of may have been read before it came: a
/// connection that was accepted with its first request hears of that once more.
fn is_news(stack: &SharedStack, socket: SocketId) -> bool {
    let readiness = stack.with(|stack| stack.readiness(socket));
    readiness.map_or(true, |now| now.readable || now.closed || now.failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device;
    use crate::driver::Duration;
    use crate::http::{Clock, Router};
    use crate::net::Network;
    use crate::serve::engine::{Environment, Wakes};
    use crate::serve::reception::Reception;
    use crate::serve::{Config, Stats};

    /// More than a turn looks at, and some.
    const MANY: usize = 2 * RUNS + 100;

    #[test]
    fn many_that_are_overdue_at_once_are_woken_a_few_in_each_turn() {
        let network = Network::builder(device::pair(1_500).0);
        let network = network.address("10.9.0.1/24".parse().unwrap()).start().unwrap();
        let stack = network.shared();
        let (config, stats) = (Config::default(), Arc::new(Stats::default()));
        let http = Arc::new(config.http.clone());
        let reception = Reception::new(Arc::new(Router::default()), &config, Arc::clone(&stats));
        let wakes = Wakes::new(stack.ringer().clone());
        let env = Environment { config, http: Arc::clone(&http), reception, wakes, stats };
        let moment = |now: Instant| Clock::default().now(now - Instant::ZERO, 784_111_777);
        let begin = Instant::from_secs(100);

        let mut connections = Connections::new(begin);
        for index in 0..MANY {
            let socket = SocketId::from_bits(index as u64);
            let served = ServerConnection::new(Arc::clone(&http), moment(begin));
            connections.table.insert([127, 0, 0, 1].into(), Connection::new(socket, served));
            connections.table.rest(socket, Rest::new(1, begin + Duration::from_millis(index as u64)));
        }
        let now = begin + Duration::from_secs(86_400);
        let turn = Turn { stack, now, moment: moment(now), env: &env };
        let mut woken = 0;
        while woken < MANY {
            assert!(connections.deadline(&http).is_some_and(|at| at <= now), "{woken} were woken");
            connections.fire(&turn);
            woken = MANY.min(woken + RUNS);
            assert_eq!(connections.idle_len(), MANY - woken);
            let longest = connections.table.longest_idle(Waiting::Next, now);
            assert_eq!(longest.map(|(socket, _)| socket.index() as usize), (woken < MANY).then_some(woken));
            connections.run(&turn);
        }
        // Each waits for its client's FIN, but not for ever.
        let now = now + Duration::from_secs(3_600);
        let turn = Turn { stack, now, moment: moment(now), env: &env };
        connections.fire(&turn);
        (0..=MANY / RUNS).for_each(|_| connections.run(&turn));
        assert_eq!(connections.len(), 0);
    }
}
