//! All connections of a server: by socket, by how long they are idle, by client.
//!
//! A connection on which nothing is under way is a few numbers in a slot of this table. The slot is that of the socket in
//! the stack's own table, so that there is no map to keep; pages are made where sockets are. What is needed to serve a
//! request is in a [`Crew`] for as long as that lasts.

use std::collections::HashMap;
use std::net::IpAddr;

use super::connection::Connection;
use super::crew::{Crew, Post};
use crate::driver::{Duration, Instant, SocketId};
use crate::http::ServerConfig;

/// Slots that are made at once.
const PAGE: usize = 64;
/// No neighbour.
const NONE: u32 = u32::MAX;
/// A tick is 2^24 ns, about 17 ms; 2^32 of them are two years.
const SHIFT: u32 = 24;
const TICK: Duration = Duration::from_nanos(1 << SHIFT);

/// Where a connection is.
#[derive(Clone, Copy)]
enum Slot {
    /// The socket at this place is none of ours.
    Vacant,
    Idle(Idle),
    Busy {
        generation: u32,
        post: Post,
    },
}

/// A connection on which nothing is under way.
#[derive(Clone, Copy)]
struct Idle {
    generation: u32,
    requests: u32,
    /// When it became idle, in ticks.
    since: u32,
    before: u32,
    after: u32,
    waiting: Waiting,
}

/// What is kept of a connection while nothing is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rest {
    /// Requests so far.
    pub(super) requests: u32,
    pub(super) since: Instant,
    pub(super) waiting: Waiting,
}

impl Rest {
    /// Of one that has just done what it had to do.
    pub(super) fn new(requests: u32, since: Instant) -> Rest {
        let waiting = if requests == 0 { Waiting::First } else { Waiting::Next };
        Rest { requests, since, waiting }
    }

    /// When it ends if nothing comes. Of those who wait for the same, who has begun first ends first.
    pub(super) fn deadline(&self, config: &ServerConfig) -> Option<Instant> {
        let limit = match self.waiting {
            Waiting::First => Some(config.header_timeout),
            Waiting::Next | Waiting::Stirred => config.idle_timeout,
        };
        Some(self.since + limit? + TICK)
    }
}

/// Those who are idle, the longest first: they became so in this order.
#[derive(Clone, Copy)]
struct Queue {
    longest: u32,
    latest: u32,
    len: usize,
}

impl Queue {
    const EMPTY: Queue = Queue { longest: NONE, latest: NONE, len: 0 };
}

/// Which of the queues of idle connections: they wait for different times, or from different times on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waiting {
    /// For their first request.
    First,
    /// For another one.
    Next,
    /// For another one, too. Something has come since it became idle that was none, and puts nothing off: it does not go
    /// behind those who have become idle since.
    Stirred,
}

impl Waiting {
    pub(super) const ALL: [Waiting; 3] = [Waiting::First, Waiting::Next, Waiting::Stirred];
}

/// The connections. Every operation but [`sockets`](Table::sockets) takes the same time however many there are.
pub(super) struct Table {
    pages: Vec<Option<Box<[Slot; PAGE]>>>,
    len: usize,
    queues: [Queue; 3],
    crew: Crew,
    clients: HashMap<IpAddr, u32>,
}

impl Table {
    pub(super) fn new() -> Self {
        Table {
            pages: Vec::new(),
            len: 0,
            queues: [Queue::EMPTY; 3],
            crew: Crew::default(),
            clients: HashMap::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn idle_len(&self) -> usize {
        self.queues.iter().map(|queue| queue.len).sum()
    }

    /// Connections of one client.
    pub(super) fn of_client(&self, client: IpAddr) -> usize {
        self.clients.get(&client).map_or(0, |&count| count as usize)
    }

    /// Those that are being served.
    pub(super) fn crew_mut(&mut self) -> &mut Crew {
        &mut self.crew
    }

    /// Takes a connection in, to be looked at.
    pub(super) fn insert(&mut self, client: IpAddr, connection: Connection) {
        let socket = connection.socket();
        let page = socket.index() as usize / PAGE;
        if self.pages.len() <= page {
            self.pages.resize_with(page + 1, || None);
        }
        self.pages[page].get_or_insert_with(|| Box::new([Slot::Vacant; PAGE]));
        let post = self.crew.take_on(connection);
        *self.slot_mut(socket.index()) = Slot::Busy { generation: generation(socket), post };
        self.len += 1;
        *self.clients.entry(client).or_default() += 1;
    }

    /// Whether a socket is one of ours.
    pub(super) fn has(&self, socket: SocketId) -> bool {
        match self.slot(socket.index()) {
            Slot::Vacant => false,
            Slot::Idle(Idle { generation: ours, .. }) | Slot::Busy { generation: ours, .. } => {
                ours == generation(socket)
            }
        }
    }

    /// The connection of a socket, if it is being served.
    pub(super) fn busy(&self, socket: SocketId) -> Option<&Connection> {
        self.crew.get(self.post_of(socket)?)
    }

    /// The same, to be changed.
    pub(super) fn busy_mut(&mut self, socket: SocketId) -> Option<&mut Connection> {
        self.crew.get_mut(self.post_of(socket)?)
    }

    /// Where a connection is being served.
    pub(super) fn post_of(&self, socket: SocketId) -> Option<Post> {
        match self.slot(socket.index()) {
            Slot::Busy { generation: ours, post } if ours == generation(socket) => Some(post),
            _ => None,
        }
    }

    /// What was kept of a connection that is idle.
    pub(super) fn idle(&self, socket: SocketId, now: Instant) -> Option<Rest> {
        match self.slot(socket.index()) {
            Slot::Idle(idle) if idle.generation == generation(socket) => Some(idle.rest(now)),
            _ => None,
        }
    }

    /// Something has happened on an idle connection: it is served from what was kept of it.
    pub(super) fn wake(&mut self, socket: SocketId, connection: Connection) {
        if self.take_from_queue(socket.index()) {
            let post = self.crew.take_on(connection);
            *self.slot_mut(socket.index()) = Slot::Busy { generation: generation(socket), post };
        }
    }

    /// Nothing is under way on a connection any more.
    pub(super) fn rest(&mut self, socket: SocketId, rest: Rest) {
        let Some(post) = self.post_of(socket) else { return };
        self.crew.let_go(post);
        let Rest { requests, waiting, .. } = rest;
        let queue = &mut self.queues[waiting as usize];
        let before = std::mem::replace(&mut queue.latest, socket.index());
        queue.len += 1;
        if before == NONE {
            queue.longest = socket.index();
        }
        // Nobody overtakes in a queue, so that its order is that of the deadlines: one that was stirred after another
        // waits as long as that one. Whoever gains by that has asked something on the other.
        let mut since = tick(rest.since);
        if let Slot::Idle(last) = self.slot(before)
            && last.since.wrapping_sub(since) < 1 << 31
        {
            since = last.since;
        }
        let generation = generation(socket);
        *self.slot_mut(socket.index()) =
            Slot::Idle(Idle { generation, requests, since, before, after: NONE, waiting });
        self.link(before, |idle| idle.after = socket.index());
    }

    /// Forgets a connection; `client` is who it was counted for.
    pub(super) fn remove(&mut self, socket: SocketId, client: Option<IpAddr>) {
        if !self.has(socket) {
            return;
        }
        if let Some(post) = self.post_of(socket) {
            self.crew.let_go(post);
        }
        self.take_from_queue(socket.index());
        *self.slot_mut(socket.index()) = Slot::Vacant;
        self.len -= 1;
        if let Some(client) = client
            && let Some(count) = self.clients.get_mut(&client)
        {
            *count -= 1;
            if *count == 0 {
                self.clients.remove(&client);
            }
        }
    }

    /// All sockets.
    pub(super) fn sockets(&self) -> Vec<SocketId> {
        let pages = self.pages.iter().enumerate().filter_map(|(page, slots)| Some((page, slots.as_ref()?)));
        let slots = pages.flat_map(|(page, slots)| (page * PAGE..).zip(slots.iter()));
        slots
            .filter_map(|(index, slot)| match *slot {
                Slot::Vacant => None,
                Slot::Idle(Idle { generation, .. }) | Slot::Busy { generation, .. } => {
                    Some(socket(index as u32, generation))
                }
            })
            .collect()
    }

    /// The connection that has waited for the longest time in one of the queues.
    pub(super) fn longest_idle(&self, waiting: Waiting, now: Instant) -> Option<(SocketId, Rest)> {
        let index = self.queues[waiting as usize].longest;
        match self.slot(index) {
            Slot::Idle(idle) => Some((socket(index, idle.generation), idle.rest(now))),
            Slot::Vacant | Slot::Busy { .. } => None,
        }
    }

    fn slot(&self, index: u32) -> Slot {
        let page = self.pages.get(index as usize / PAGE).and_then(Option::as_ref);
        page.map_or(Slot::Vacant, |slots| slots[index as usize % PAGE])
    }

    /// One whose page is there.
    fn slot_mut(&mut self, index: u32) -> &mut Slot {
        let page = self.pages[index as usize / PAGE].as_mut().expect("its page was made when it came");
        &mut page[index as usize % PAGE]
    }

    fn link(&mut self, index: u32, change: impl FnOnce(&mut Idle)) {
        if index != NONE
            && let Slot::Idle(idle) = self.slot_mut(index)
        {
            change(idle);
        }
    }

    /// Whether it was in a queue.
    fn take_from_queue(&mut self, index: u32) -> bool {
        let Slot::Idle(Idle { waiting, before, after, .. }) = self.slot(index) else { return false };
        self.link(before, |idle| idle.after = after);
        self.link(after, |idle| idle.before = before);
        let queue = &mut self.queues[waiting as usize];
        if before == NONE {
            queue.longest = after;
        }
        if after == NONE {
            queue.latest = before;
        }
        queue.len -= 1;
        true
    }
}

impl Idle {
    fn rest(&self, now: Instant) -> Rest {
        let ago = u64::from(tick(now).wrapping_sub(self.since));
        let since = Instant::from_nanos((now.as_nanos() >> SHIFT).saturating_sub(ago) << SHIFT);
        Rest { requests: self.requests, since, waiting: self.waiting }
    }
}

/// The tick that an instant is in.
fn tick(at: Instant) -> u32 {
    (at.as_nanos() >> SHIFT) as u32
}

fn generation(socket: SocketId) -> u32 {
    (socket.to_bits() >> 32) as u32
}

fn socket(index: u32, generation: u32) -> SocketId {
    SocketId::from_bits(u64::from(generation) << 32 | u64::from(index))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::http::{Clock, ServerConnection};

    const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn connection(socket: SocketId) -> Connection {
        let now = Clock::default().now(Duration::ZERO, 784_111_777);
        Connection::new(socket, ServerConnection::new(Arc::new(ServerConfig::default()), now))
    }

    /// With a connection at each of `indices`, which becomes idle in that order, a second after the other.
    fn table(indices: &[u32]) -> Table {
        let mut table = Table::new();
        for (second, &index) in indices.iter().enumerate() {
            table.insert(CLIENT, connection(socket(index, 7)));
            table.rest(socket(index, 7), Rest::new(1, Instant::from_secs(second as u64)));
        }
        table
    }

    /// Indices of those that are idle, the longest first.
    fn drain(table: &mut Table) -> Vec<u32> {
        std::iter::from_fn(|| {
            let (socket, _) = table.longest_idle(Waiting::Next, Instant::from_secs(100))?;
            table.remove(socket, Some(CLIENT));
            Some(socket.index())
        })
        .collect()
    }

    #[test]
    fn the_longest_idle_goes_first_and_one_that_was_busy_in_between_last() {
        let mut table = table(&[3, 1_000, 5, 70]);
        let woken = socket(1_000, 7);
        table.wake(woken, connection(woken));
        assert!(table.busy_mut(woken).is_some());
        assert_eq!((table.len(), table.idle_len()), (4, 3));
        table.rest(woken, Rest::new(2, Instant::from_secs(50)));
        assert_eq!(drain(&mut table), [3, 5, 70, 1_000]);
        assert_eq!((table.len(), table.idle_len(), table.of_client(CLIENT)), (0, 0, 0));
    }

    #[test]
    fn a_socket_that_took_the_place_of_another_is_told_from_it() {
        let mut table = table(&[4]);
        let (ours, other) = (socket(4, 7), socket(4, 8));
        assert!(table.has(ours) && !table.has(other) && !table.has(socket(5, 7)));
        table.remove(other, Some(CLIENT));
        assert_eq!(table.len(), 1);
        assert_eq!(table.idle(other, Instant::ZERO), None);
        assert_eq!(table.sockets(), [ours]);
    }

    #[test]
    fn what_waits_for_its_first_request_waits_apart() {
        let mut table = table(&[1]);
        table.insert(CLIENT, connection(socket(2, 0)));
        table.rest(socket(2, 0), Rest::new(0, Instant::from_secs(9)));
        let first = table.longest_idle(Waiting::First, Instant::from_secs(10)).unwrap();
        assert_eq!((first.0, first.1.requests), (socket(2, 0), 0));
        assert!(Instant::from_secs(9) - first.1.since < Duration::from_millis(17), "{:?}", first.1);
        assert_eq!(drain(&mut table), [1]);
    }

    #[test]
    fn what_is_stirred_waits_on_and_the_order_stays_that_of_the_deadlines() {
        let mut table = table(&[1, 2, 3]);
        for index in [2, 1] {
            let stirred = socket(index, 7);
            let rest = table.idle(stirred, Instant::from_secs(10)).unwrap();
            table.wake(stirred, connection(stirred));
            table.rest(stirred, Rest { waiting: Waiting::Stirred, ..rest });
        }
        assert_eq!(table.idle_len(), 3);
        let since = |index| table.idle(socket(index, 7), Instant::from_secs(10)).unwrap().since;
        assert!(Instant::from_secs(1) - since(2) < TICK, "as before: {:?}", since(2));
        assert_eq!(since(1), since(2), "it does not overtake");
        let first = table.longest_idle(Waiting::Stirred, Instant::from_secs(10)).unwrap();
        assert_eq!(first.0, socket(2, 7));
        assert_eq!(drain(&mut table), [3]);
    }

    #[test]
    fn an_idle_connection_is_24_bytes() {
        assert_eq!(size_of::<Slot>(), 24);
    }
}
