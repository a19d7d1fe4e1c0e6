//! A listener's two queues: handshakes under way, and connections to be accepted.

use std::collections::VecDeque;
use std::net::SocketAddr;

use fastrand::Rng;

use super::fast_open::PendingFastOpens;
use super::origin::Origin;
use super::socket::SharedOptions;
use super::{Instant, SocketId};
use crate::tcp::IsnGenerator;

/// The SYN queue has room for at least this many handshakes, whatever the backlog.
const MIN_SYN_QUEUE: usize = 1024;
/// Entries looked at to find one that may go.
const SAMPLES: usize = 8;

/// A listening socket.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) local: SocketAddr,
    pub(super) options: SharedOptions,
    backlog: usize,
    max_connections: usize,
    /// What connections that came from here know it by.
    pub(super) origin: Origin,
    /// Those that are alive, accepted or not.
    pub(super) connections: usize,
    /// Complete, and waiting for the application.
    pub(super) accept_queue: VecDeque<SocketId>,
    /// Indices of half-open connections, in no order.
    pub(super) syn_queue: Vec<u32>,
    pub(super) fast_opens: PendingFastOpens,
    /// When the last SYN cookie was sent.
    cookie_sent_at: Option<Instant>,
}

impl Listener {
    /// A listener with empty queues.
    pub(super) fn new(
        local: SocketAddr,
        backlog: usize,
        max_connections: Option<usize>,
        options: SharedOptions,
    ) -> Listener {
        Listener {
            local,
            options,
            backlog: backlog.max(1),
            max_connections: max_connections.unwrap_or(usize::MAX),
            origin: Origin::NONE,
            connections: 0,
            accept_queue: VecDeque::new(),
            syn_queue: Vec::new(),
            fast_opens: PendingFastOpens::default(),
            cookie_sent_at: None,
        }
    }

    /// Most connections that may wait to be accepted.
    pub(super) const fn backlog(&self) -> usize {
        self.backlog
    }

    /// Whether no connection more may wait to be accepted.
    pub(super) fn is_accept_queue_full(&self) -> bool {
        self.accept_queue.len() >= self.backlog
    }

    /// Whether no connection more may live.
    pub(super) const fn is_at_limit(&self) -> bool {
        self.connections >= self.max_connections
    }

    /// Whether no handshake more may begin without another one ending.
    pub(super) fn is_syn_queue_full(&self) -> bool {
        self.syn_queue.len() >= self.backlog.max(MIN_SYN_QUEUE)
    }

    /// Notes that a SYN is answered without being remembered.
    pub(super) fn note_cookie(&mut self, now: Instant) {
        self.cookie_sent_at = Some(now);
    }

    /// Whether an acknowledgment may bring a cookie. None is looked for in quiet times, when only guesses would.
    pub(super) fn expects_cookies(&self, now: Instant) -> bool {
        self.cookie_sent_at.is_some_and(|sent| now - sent < IsnGenerator::COOKIE_LIFE)
    }

    /// Which handshake ends when another one needs its place: among a few at random the first that `is_stale`, whose
    /// SYN-ACK has gone unanswered for a second; else any of them.
    ///
    /// Of a flood's entries nearly all are stale after a second and go first.
    pub(super) fn to_evict(&self, rng: &mut Rng, is_stale: impl Fn(u32) -> bool) -> Option<u32> {
        let mut sample = || self.syn_queue.get(rng.usize(..self.syn_queue.len().max(1))).copied();
        let first = sample()?;
        let stale = std::iter::once(Some(first))
            .chain(std::iter::repeat_with(&mut sample).take(SAMPLES - 1))
            .flatten()
            .find(|&index| is_stale(index));
        Some(stale.unwrap_or(first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn listener(backlog: usize) -> Listener {
        Listener::new("10.0.0.1:80".parse().unwrap(), backlog, Some(2), Arc::default())
    }

    #[test]
    fn bounds() {
        let mut listener = listener(0);
        assert!(!listener.is_accept_queue_full(), "a backlog of none is one of one");
        listener.accept_queue.push_back(SocketId { index: 0, generation: 0 });
        assert!(listener.is_accept_queue_full());
        listener.syn_queue = (0..1023).collect();
        assert!(!listener.is_syn_queue_full());
        listener.syn_queue.push(1023);
        assert!(listener.is_syn_queue_full());
        listener.connections = 2;
        assert!(listener.is_at_limit());
    }

    #[test]
    fn stale_handshakes_go_first_and_then_any() {
        let mut listener = listener(1);
        let mut rng = Rng::with_seed(1);
        assert_eq!(listener.to_evict(&mut rng, |_| true), None);
        listener.syn_queue = (0..1024).collect();
        let stale = |index: u32| !index.is_multiple_of(2);
        let evicted: Vec<_> = (0..1000).filter_map(|_| listener.to_evict(&mut rng, stale)).collect();
        let fresh = evicted.iter().filter(|&&index| !stale(index)).count();
        assert!(fresh < 20, "{fresh} fresh ones in spite of as many stale ones");
        let chosen = listener.to_evict(&mut rng, |_| false);
        assert!(chosen.is_some_and(|index| index < 1024));
    }
}
