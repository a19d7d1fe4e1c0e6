//! Echo, discard and character generator (RFC 862, 863, 864): what one tests a TCP with.

mod datagrams;
mod stream;

use std::collections::VecDeque;

use self::datagrams::Datagrams;
use self::stream::{Fate, Stream};
use super::budget::budget_of_each;
use crate::driver::{Duration, Event, Instant, SharedStack, SocketId, SocketMap};

/// Connections that are looked at in one turn.
const RUNS: usize = 256;

/// Which of the services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Sends back what it gets; at the end of the client's stream, the end of its own.
    Echo,
    /// Throws away what it gets.
    Discard,
    /// Sends printable characters until the client closes.
    Chargen,
}

/// The services of one server.
#[derive(Default)]
pub(super) struct Services {
    listeners: Vec<(SocketId, Kind)>,
    /// A listener may have connections.
    accepting: bool,
    streams: SocketMap<Stream>,
    /// Those that have something to do, each once.
    ready: VecDeque<SocketId>,
    datagrams: Datagrams,
    /// Since the server is ending: when the streams that are left are closed.
    limit: Option<Instant>,
}

impl Services {
    pub(super) fn new() -> Self {
        Services::default()
    }

    pub(super) fn add_listener(&mut self, listener: SocketId, kind: Kind) {
        self.listeners.push((listener, kind));
        self.accepting = true;
    }

    /// An echo over UDP.
    pub(super) fn add_datagrams(&mut self, socket: SocketId) {
        self.datagrams.add(socket);
    }

    /// Streams that are open.
    pub(super) fn len(&self) -> usize {
        self.streams.len()
    }

    /// Takes note of what has happened to a socket of ours; `false`: it is not.
    pub(super) fn notice(&mut self, event: &Event) -> bool {
        let socket = event.socket;
        if let Some(stream) = self.streams.get_mut(&socket) {
            if !std::mem::replace(&mut stream.queued, true) {
                self.ready.push_back(socket);
            }
            return true;
        }
        if self.listeners.iter().any(|(listener, _)| *listener == socket) {
            self.accepting = true;
            return true;
        }
        self.datagrams.notice(socket)
    }

    /// Moves what can be moved, within a budget.
    pub(super) fn run(&mut self, stack: &SharedStack, now: Instant) {
        if std::mem::take(&mut self.accepting) {
            self.accept(stack);
        }
        let budget = budget_of_each(self.ready.len());
        for _ in 0..self.ready.len().min(RUNS) {
            let Some(socket) = self.ready.pop_front() else { break };
            let Some(stream) = self.streams.get_mut(&socket) else { continue };
            match stream.run(stack, now, socket, budget) {
                Fate::Waits => stream.queued = false,
                Fate::More => self.ready.push_back(socket),
                Fate::Gone => drop(self.streams.remove(&socket)),
            }
        }
        self.datagrams.run(stack);
        if self.limit.is_some_and(|limit| limit <= now) {
            self.streams.drain().for_each(|(socket, _)| {
                let _ = stack.with(|stack| stack.close(now, socket));
            });
        }
    }

    /// When the next turn is due though nothing happens.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let more = self.accepting || !self.ready.is_empty() || self.datagrams.has_more();
        if more { Some(Instant::ZERO) } else { self.limit.filter(|_| !self.streams.is_empty()) }
    }

    /// The server ends: nothing more is taken, each stream ends behind what it has, and is closed when the client
    /// does the same or `linger` is over.
    pub(super) fn shutdown(&mut self, stack: &SharedStack, now: Instant, linger: Duration) {
        let listeners = self.listeners.drain(..).map(|(listener, _)| listener);
        for socket in listeners.chain(self.datagrams.take()) {
            let _ = stack.with(|stack| stack.close(now, socket));
        }
        for (&socket, stream) in &mut self.streams {
            stream.end();
            if !std::mem::replace(&mut stream.queued, true) {
                self.ready.push_back(socket);
            }
        }
        self.limit = Some(now + linger);
    }

    /// Resets what is open; says how many that were.
    pub(super) fn abort(&mut self, stack: &SharedStack, now: Instant) -> usize {
        self.shutdown(stack, now, Duration::ZERO);
        self.ready.clear();
        let count = self.streams.len();
        for (socket, _) in self.streams.drain() {
            stack.with(|stack| {
                let _ = stack.abort(socket);
                let _ = stack.close(now, socket);
            });
        }
        count
    }

    fn accept(&mut self, stack: &SharedStack) {
        for &(listener, kind) in &self.listeners {
            while let Ok((socket, _)) = stack.with(|stack| stack.accept(listener)) {
                self.streams.insert(socket, Stream::new(kind));
                self.ready.push_back(socket);
            }
        }
    }
}
