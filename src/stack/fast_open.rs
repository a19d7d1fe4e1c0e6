//! TCP Fast Open (RFC 7413): which SYNs have their data taken at once, and what is remembered of servers.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::flow::FourTuple;
use super::handshake::listener_at;
use super::listener::Listener;
use super::socket::{Entry, Known, Socket};
use super::tcp_input::Segment;
use super::{Chunk, Duration, Error, Instant, SocketId, Stack};
use crate::tcp::{Connection, FastOpenAttempt, FastOpenReport, TimeWait};
use crate::wire::FastOpenCookie;

/// Servers of which something is remembered; the one that was used longest ago makes room.
const MAX_SERVERS: usize = 1024;
/// How long a negative response keeps us from trying again (RFC 7413 4.1.3.1).
const REFUSED_FOR: Duration = Duration::from_secs(600);
/// How long a handshake still counts as pending that something else than its time-out has ended, a reset mostly: as long
/// as it might have lasted. Whoever sends SYNs in somebody else's name would otherwise have the resets that these draw
/// make room for more (RFC 7413 5.1), or an application that is quick to abort.
const CUT_SHORT_COUNTS_FOR: Duration = Duration::from_secs(63);

/// What becomes of a SYN.
pub(super) enum FastOpening {
    /// The usual: its data is left to come again.
    No,
    /// The same, and the SYN-ACK gives out a cookie.
    Grant(FastOpenCookie),
    /// Its data is taken; the SYN-ACK gives out a new cookie if the peer's is getting old.
    Yes { grant: Option<FastOpenCookie> },
}

/// How many connections of a listener wait for the first acknowledgment of a peer whose data has been taken.
#[derive(Debug, Default)]
pub(super) struct PendingFastOpens {
    /// Most of them (RFC 7413 5.1); 0: the listener does not take part.
    pub(super) limit: usize,
    waiting: usize,
    /// When those that ended before their time cease to count.
    cut_short: VecDeque<Instant>,
}

impl PendingFastOpens {
    pub(super) fn new(limit: usize) -> PendingFastOpens {
        PendingFastOpens { limit, ..PendingFastOpens::default() }
    }

    /// Whether one more may wait.
    fn have_room(&mut self, now: Instant) -> bool {
        while self.cut_short.front().is_some_and(|until| *until <= now) {
            self.cut_short.pop_front();
        }
        self.waiting + self.cut_short.len() < self.limit
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// One does not wait any more; `cut_short` says that it ended before its time, and unconfirmed.
    fn settle(&mut self, now: Instant, cut_short: bool) {
        self.waiting -= 1;
        if cut_short {
            self.cut_short.push_back(now + CUT_SHORT_COUNTS_FOR);
        }
    }
}

/// Which of our addresses, and a server: cookies are for a pair of addresses, and whether data on SYNs is taken depends
/// on the port as well (RFC 7413 4.1.3).
type Route = (IpAddr, SocketAddr);

/// What a server has shown of itself.
#[derive(Clone, Copy, Debug)]
struct Server {
    attempt: FastOpenAttempt,
    refused_until: Option<Instant>,
    used: u64,
}

/// The client's memory (RFC 7413 4.1.3).
#[derive(Debug, Default)]
pub(super) struct FastOpenCache {
    servers: BTreeMap<Route, Server>,
    uses: u64,
}

impl FastOpenCache {
    /// How to go about a connection: `None` without Fast Open, as it has failed not long ago.
    fn attempt(&mut self, now: Instant, route: &Route) -> Option<FastOpenAttempt> {
        self.uses += 1;
        let Some(server) = self.servers.get_mut(route) else { return Some(FastOpenAttempt::default()) };
        server.used = self.uses;
        server.refused_until.is_none_or(|until| until <= now).then_some(server.attempt)
    }

    fn note(&mut self, now: Instant, route: Route, report: &FastOpenReport) {
        let attempt = match report.cookie {
            Some(cookie) => FastOpenAttempt { cookie, peer_mss: Some(report.peer_mss) },
            None if report.refused => FastOpenAttempt::default(),
            None => return, // nothing new
        };
        if self.servers.len() >= MAX_SERVERS && !self.servers.contains_key(&route) {
            let oldest = self.servers.iter().min_by_key(|(_, server)| server.used).map(|(route, _)| *route);
            oldest.and_then(|oldest| self.servers.remove(&oldest));
        }
        let refused_until = report.refused.then(|| now + REFUSED_FOR);
        self.servers.insert(route, Server { attempt, refused_until, used: self.uses });
    }
}

fn route(tuple: &FourTuple) -> Route {
    (tuple.local().ip(), tuple.remote())
}

impl Stack {
    /// Sets how many connections of a listener may wait for the first acknowledgment of peers whose data came with the
    /// SYN (RFC 7413); 0, as for a new one: data is taken only behind the handshake.
    ///
    /// Data on a SYN may be delivered twice, when a SYN that the network has kept arrives after its connection has
    /// ended. Only applications for which this makes no difference should set it (RFC 7413 6.1).
    ///
    /// # Errors
    /// `StaleSocket`; `InvalidInput` for a socket that does not listen.
    pub fn set_fast_open(&mut self, id: SocketId, limit: usize) -> Result<(), Error> {
        match &mut self.sockets.get_mut(id).ok_or(Error::StaleSocket)?.socket {
            Socket::Listener(listener) => listener.fast_opens.limit = limit,
            _ => return Err(Error::InvalidInput),
        }
        Ok(())
    }

    /// What to do with the data of a SYN (RFC 7413 4.2.2).
    pub(super) fn judge_fast_open(&mut self, listener: u32, segment: &Segment) -> FastOpening {
        let (now, client) = (self.env.now, segment.tuple.remote().ip());
        let Some(cookie) = segment.header.options.fast_open else { return FastOpening::No };
        let Some(Listener { fast_opens, .. }) = listener_at(&mut self.sockets, listener) else {
            return FastOpening::No;
        };
        let counters = &mut self.env.counters.stack;
        if fast_opens.limit == 0 {
            return FastOpening::No;
        }
        let fresh = self.isn.fast_open_cookie(now, client);
        if cookie.is_request() || !self.isn.knows_fast_open_cookie(now, client, &cookie) {
            counters.fast_open_cookies_invalid += u64::from(!cookie.is_request());
            counters.fast_open_cookies_sent += 1;
            return FastOpening::Grant(fresh);
        }
        if !fast_opens.have_room(now) {
            counters.fast_open_queue_full += 1;
            return FastOpening::No;
        }
        fast_opens.waiting += 1;
        let grant = (cookie != fresh).then_some(fresh);
        counters.fast_open_cookies_sent += u64::from(grant.is_some());
        FastOpening::Yes { grant }
    }

    /// Makes a connection of a SYN, which the application can have at once.
    pub(super) fn open_fast(
        &mut self,
        listener: u32,
        segment: &Segment,
        payload: &mut Chunk,
        old: Option<TimeWait>,
        grant: Option<FastOpenCookie>,
    ) {
        let Some(listening) = listener_at(&mut self.sockets, listener) else { return };
        listening.connections += 1;
        let options = Arc::clone(&listening.options);
        let open = self.open(&segment.tuple, old.map(|old| old.snd_nxt), options);
        let half = self.half_open_for(&segment.header, &open);
        let syn = (&segment.header, &segment.meta, payload);
        let connection = Connection::accept_fast(&mut self.env.context(), &half, open, syn, grant);
        let index = self.insert_passive(listener, segment.tuple, connection);
        if let Some(entry) = self.sockets.at_mut(index) {
            entry.progress.set(Known::FastOpen);
        }
        self.env.counters.stack.handshakes_started += 1;
        self.touch(index);
    }

    /// What has become of a Fast Open, once it is known.
    pub(super) fn settle_fast_open(&mut self, index: u32) {
        let now = self.env.now;
        let Some(Entry { socket: Socket::Tcp(tcp), origin, progress, .. }) = self.sockets.at_mut(index)
        else {
            return;
        };
        if let Some(report) = tcp.connection.take_fast_open_report() {
            let route = route(&tcp.ends.tuple());
            self.fast_opens.note(now, route, &report);
        } else if !tcp.connection.is_unconfirmed() && progress.unset(Known::FastOpen) {
            let (listener, cut_short) = (self.origins.listener(*origin), tcp.connection.take_cut_short());
            if let Some(entry) = self.sockets.get_mut(listener)
                && let Socket::Listener(listening) = &mut entry.socket
            {
                listening.fast_opens.settle(now, cut_short);
            }
        }
    }

    /// How to begin a connection that has data from the first.
    pub(super) fn plan_fast_open(&mut self, tuple: &FourTuple) -> Option<FastOpenAttempt> {
        self.fast_opens.attempt(self.env.now, &route(tuple))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(n: u16) -> Route {
        (IpAddr::from([10, 0, 0, 1]), SocketAddr::from(([10, 0, 0, 2], n)))
    }

    fn report(cookie: u8) -> FastOpenReport {
        FastOpenReport { cookie: FastOpenCookie::new(&[cookie; 8]), peer_mss: 1_200, refused: false }
    }

    #[test]
    fn rfc_7413_4_1_3_the_last_cookie_and_segment_size_of_each_server_are_kept() {
        let (mut cache, now) = (FastOpenCache::default(), Instant::from_secs(1));
        assert_eq!(cache.attempt(now, &server(80)), Some(FastOpenAttempt::default()));
        cache.note(now, server(80), &report(1));
        cache.note(now, server(80), &report(2));
        let known = cache.attempt(now, &server(80)).unwrap();
        assert_eq!((known.cookie.as_slice(), known.peer_mss), (&[2; 8][..], Some(1_200)));
        assert_eq!(cache.attempt(now, &server(81)), Some(FastOpenAttempt::default()), "another port");
    }

    #[test]
    fn rfc_7413_4_1_3_1_a_negative_response_is_remembered_for_a_while() {
        let (mut cache, now) = (FastOpenCache::default(), Instant::from_secs(1));
        cache.note(now, server(80), &report(1));
        cache.note(now, server(80), &FastOpenReport { cookie: None, refused: true, peer_mss: 1_200 });
        assert_eq!(cache.attempt(now, &server(80)), None);
        let later = now + REFUSED_FOR;
        assert_eq!(cache.attempt(later, &server(80)), Some(FastOpenAttempt::default()), "its cookie is gone");
    }

    #[test]
    fn the_memory_is_bounded_and_the_server_used_longest_ago_is_forgotten() {
        let (mut cache, now) = (FastOpenCache::default(), Instant::from_secs(1));
        for port in 0..MAX_SERVERS as u16 {
            cache.attempt(now, &server(port));
            cache.note(now, server(port), &report(1));
        }
        cache.attempt(now, &server(0));
        cache.note(now, server(5_000), &report(1));
        assert_eq!(cache.servers.len(), MAX_SERVERS);
        assert!(cache.servers.contains_key(&server(0)) && !cache.servers.contains_key(&server(1)));
    }

    #[test]
    fn rfc_7413_5_1_resets_make_no_room_before_their_time() {
        let (mut pending, now) = (PendingFastOpens::new(2), Instant::from_secs(1));
        pending.waiting = 2;
        assert!(!pending.have_room(now));
        pending.settle(now, true);
        assert!(!pending.have_room(now + (CUT_SHORT_COUNTS_FOR - Duration::from_micros(1))));
        assert!(pending.have_room(now + CUT_SHORT_COUNTS_FOR));
        pending.waiting = 2;
        pending.settle(now, false);
        assert!(pending.have_room(now));
    }
}
