//! Connections that wait for their next request with everything in place for it.

use std::collections::VecDeque;

use super::connection::Connection;
use super::table::{Rest, Table};
use crate::driver::{Duration, Instant, SocketId};

/// How long a connection stays as it is after a request, at least: it is looked at when as long again is over at the latest.
const COOLING: Duration = Duration::from_millis(250);
/// Connections that may do so at once: what they keep, a few kilobytes each at most, is bounded by this, and not by how many
/// requests come in a moment.
const MOST: usize = 1024;
/// Of those on which nothing is under way, how many are looked at when room is needed.
const LOOKS: usize = 16;

/// The connections that are served although nothing may be under way on them.
#[derive(Default)]
pub(super) struct Cooling {
    /// Each once, and when it is looked at.
    queue: VecDeque<(SocketId, Instant)>,
    /// Those on which nothing is under way.
    quiet: usize,
}

impl Cooling {
    /// How many are idle, though they are served.
    pub(super) fn quiet(&self) -> usize {
        self.quiet
    }

    /// When the next of them is looked at.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.queue.front().map(|(_, at)| *at)
    }

    /// Something may be under way on a connection.
    pub(super) fn stir(&mut self, connection: &mut Connection) {
        self.quiet -= usize::from(std::mem::take(&mut connection.quiet));
    }

    /// Nothing is under way on a connection of `table` after a request: it begins to cool down, unless it does already. If
    /// too many do, the first of them does no more.
    pub(super) fn calm(&mut self, table: &mut Table, socket: SocketId, now: Instant) {
        let Some(connection) = table.busy_mut(socket) else { return };
        self.quiet += usize::from(!std::mem::replace(&mut connection.quiet, true));
        if std::mem::replace(&mut connection.cooling, true) {
            return;
        }
        self.queue.push_back((socket, now + COOLING));
        if self.queue.len() > MOST {
            self.look_at_first(table, now, Duration::ZERO);
        }
    }

    /// Those on which nothing has been under way for long enough come to rest.
    pub(super) fn fire(&mut self, table: &mut Table, now: Instant) {
        while self.deadline().is_some_and(|at| at <= now) {
            self.look_at_first(table, now, COOLING);
        }
    }

    /// The first comes to rest if nothing has been under way on it for `long`.
    fn look_at_first(&mut self, table: &mut Table, now: Instant, long: Duration) {
        let Some((socket, _)) = self.queue.pop_front() else { return };
        let Some(connection) = table.busy_mut(socket) else { return };
        match connection.rest() {
            Some(rest) if rest.since + long <= now => {
                self.stir(connection);
                table.rest(socket, rest);
            }
            Some(_) => self.queue.push_back((socket, now + COOLING)),
            // It begins anew once what is under way is done.
            None => connection.cooling = false,
        }
    }

    /// The one that has been idle for about the longest time.
    pub(super) fn longest_quiet(&self, table: &Table) -> Option<(SocketId, Rest)> {
        let quiet = self.queue.iter().filter_map(|&(socket, _)| Some((socket, table.busy(socket)?.rest()?)));
        quiet.take(LOOKS).min_by_key(|(_, rest)| rest.since)
    }

    /// There are no connections any more.
    pub(super) fn clear(&mut self) {
        *self = Cooling::default();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::driver::Readiness;
    use crate::http::ServerConfig;

    const BEGIN: Instant = Instant::from_secs(100);

    /// So many connections that have had seven requests each, cooling down since `BEGIN`.
    fn cooling(count: usize) -> (Cooling, Table, Vec<SocketId>) {
        let (mut cooling, mut table) = (Cooling::default(), Table::new());
        let http = Arc::new(ServerConfig::default());
        let sockets: Vec<_> = (0..count as u64).map(SocketId::from_bits).collect();
        for &socket in &sockets {
            table.insert([127, 0, 0, 1].into(), Connection::resume(socket, &http, Rest::new(7, BEGIN)));
            cooling.calm(&mut table, socket, BEGIN);
        }
        (cooling, table, sockets)
    }

    fn make_busy(table: &mut Table, socket: SocketId) {
        let readable = Readiness { readable: true, ..Readiness::default() };
        table.busy_mut(socket).unwrap().notice(readable);
    }

    #[test]
    fn who_is_asked_nothing_for_a_while_rests_and_who_is_busy_begins_anew_when_that_is_done() {
        let (mut cooling, mut table, sockets) = cooling(2);
        let [quiet, busy] = sockets[..] else { panic!() };
        assert_eq!((cooling.deadline(), cooling.quiet()), (Some(BEGIN + COOLING), 2));
        make_busy(&mut table, busy);
        cooling.stir(table.busy_mut(busy).unwrap());

        let now = BEGIN + COOLING;
        cooling.fire(&mut table, now);
        let rest = table.idle(quiet, now).expect("at rest");
        assert!(rest.requests == 7 && BEGIN - rest.since < Duration::from_millis(17), "{rest:?}");
        assert_eq!((cooling.deadline(), cooling.quiet()), (None, 0));

        cooling.calm(&mut table, busy, now);
        assert_eq!((cooling.deadline(), cooling.quiet()), (Some(now + COOLING), 1));
    }

    #[test]
    fn when_too_many_cool_down_the_first_of_them_rests_at_once() {
        let (cooling, table, sockets) = cooling(MOST + 1);
        let rest: Vec<_> = sockets.iter().filter(|&&socket| table.idle(socket, BEGIN).is_some()).collect();
        assert_eq!(rest, [&sockets[0]]);
        assert_eq!((cooling.queue.len(), cooling.quiet()), (MOST, MOST));
    }

    #[test]
    fn however_many_are_busy_a_quiet_one_is_found() {
        let (cooling, mut table, sockets) = cooling(2 * LOOKS);
        let (quiet, busy) = sockets.split_last().unwrap();
        busy.iter().for_each(|&socket| make_busy(&mut table, socket));
        assert_eq!(cooling.longest_quiet(&table).map(|(socket, _)| socket), Some(*quiet));
    }
}
