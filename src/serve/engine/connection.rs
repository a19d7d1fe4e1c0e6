//! One connection: bytes between the stack and its session.

use std::io::IoSlice;
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::task;

use super::Turn;
use super::table::{Rest, Waiting};
use crate::driver::{Chunk, Duration, Error, Instant, Readiness, SocketId};
use crate::http::{Reason, Reasons, ServerConfig, ServerConnection, Session, Transport};

/// Slices of one write.
const SLICES: usize = 16;
/// How often a connection that is to be closed is asked whether everything has been acknowledged.
const DRAIN_INTERVAL: Duration = Duration::from_millis(250);
/// Chunks dropped at once of what a client sends that is not listened to any more.
const DISCARD: usize = 16;

/// What becomes of a connection after its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It waits for an event, its waker or its deadline.
    Waits,
    /// It has more to do, after the others.
    More,
    /// Its socket is closed. It was this client's, if the stack still knew.
    Gone(Option<SocketAddr>),
}

/// A connection that is being served.
pub(super) struct Connection {
    socket: SocketId,
    session: Session,
    /// What was kept of it when it was woken, or is to be kept since it became quiet; nothing if it is new.
    kept: Option<Rest>,
    /// In the queue of those that have something to do.
    pub(super) queued: bool,
    /// In the queue of those that are looked at again before they rest.
    pub(super) cooling: bool,
    /// Nothing is under way, and it is counted as idle.
    pub(super) quiet: bool,
    /// There may be something to read.
    readable: bool,
    /// The stack had no room; it says when it has.
    blocked: bool,
    failed: bool,
    fin_sent: bool,
    extra: Option<Box<Extra>>,
}

/// What only few connections have.
#[derive(Default)]
struct Extra {
    /// Read, and not taken by the session yet.
    leftover: Option<Chunk>,
    drain: Option<Drain>,
}

/// The end of a connection whose last bytes are still on their way: closed now, anything that the client sends would
/// reset it, and the answer would be lost.
#[derive(Clone, Copy)]
struct Drain {
    unacknowledged: usize,
    progress_at: Instant,
    next_look: Instant,
}

impl Connection {
    pub(super) fn new(socket: SocketId, connection: ServerConnection) -> Self {
        Connection {
            socket,
            session: Session::new(connection),
            kept: None,
            queued: false,
            cooling: false,
            quiet: false,
            readable: true,
            blocked: false,
            failed: false,
            fin_sent: false,
            extra: None,
        }
    }

    /// One that was idle, of which this is what was kept.
    pub(super) fn resume(socket: SocketId, config: &Arc<ServerConfig>, rest: Rest) -> Self {
        let deadline = rest.deadline(config).map_or(Duration::MAX, |at| at - Instant::ZERO);
        let connection = ServerConnection::resume(Arc::clone(config), rest.requests, deadline);
        Connection { kept: Some(rest), readable: false, ..Self::new(socket, connection) }
    }

    /// Takes down since when nothing is under way, if that is so. One on which nothing was asked since it was woken waits
    /// on, and does not begin anew.
    pub(super) fn note_rest(&mut self, now: Instant) {
        if !self.is_at_rest() {
            return;
        }
        match &mut self.kept {
            Some(rest) if rest.requests == self.session.connection().requests() => {
                if !self.cooling {
                    rest.waiting = Waiting::Stirred;
                }
            }
            _ => self.kept = Some(Rest::new(self.requests(), now)),
        }
    }

    /// What to keep of it, if nothing is under way. One that was stirred before its first request is served until its
    /// header time-out.
    pub(super) fn rest(&self) -> Option<Rest> {
        let rest = self.kept.filter(|rest| rest.requests == self.requests() && self.is_at_rest())?;
        (rest.requests > 0 || rest.waiting == Waiting::First).then_some(rest)
    }

    fn is_at_rest(&self) -> bool {
        self.session.is_at_rest() && !self.readable && !self.failed && self.extra.is_none()
    }

    pub(super) fn socket(&self) -> SocketId {
        self.socket
    }

    pub(super) fn requests(&self) -> u32 {
        self.session.connection().requests()
    }

    /// Takes note of an event.
    pub(super) fn notice(&mut self, kinds: Readiness) {
        self.readable |= kinds.readable || kinds.closed;
        self.blocked &= !(kinds.writable || kinds.closed);
        self.failed |= kinds.failed;
    }

    /// The wheel has fired.
    pub(super) fn fire(&mut self, turn: &Turn<'_>) {
        self.session.handle_timeout(turn.moment);
    }

    /// The server ends: this exchange is the last.
    pub(super) fn shutdown(&mut self, turn: &Turn<'_>) {
        self.session.connection_mut().shutdown(turn.moment);
    }

    /// Others need the room.
    pub(super) fn make_room(&mut self, turn: &Turn<'_>) {
        self.session.connection_mut().make_room(turn.moment);
    }

    /// When to look at it though nothing happens.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let drain = self.extra.as_ref().and_then(|extra| extra.drain);
        match drain {
            Some(drain) => Some(drain.next_look),
            None => self.session.connection().deadline().map(|at| Instant::ZERO + at),
        }
    }

    /// Moves what can be moved, up to `budget` bytes. `waker` has it moved again.
    pub(super) fn run(&mut self, turn: &Turn<'_>, waker: &task::Waker, budget: usize) -> Fate {
        let mut cx = task::Context::from_waker(waker);
        let requests = self.requests();
        if self.failed {
            self.session.connection_mut().transport_failed();
        }
        self.session.poll(turn.moment, &mut cx);
        let mut moved = 0;
        let more = loop {
            let step = self.read(turn, &mut cx) + self.write(turn, &mut cx);
            moved += step;
            if step == 0 || moved >= budget {
                break step > 0;
            }
        };
        let fate = self.obey(turn);
        turn.env.stats.add_requests(self.requests() - requests);
        turn.env.stats.add_reasons(self.session.connection_mut().take_reasons());
        if fate == Fate::Waits && more { Fate::More } else { fate }
    }

    /// Resets it.
    pub(super) fn abort(&self, turn: &Turn<'_>) -> Fate {
        turn.stack.with(|stack| {
            let peer = stack.remote_addr(self.socket).ok();
            // Both fail only if the connection is gone already, which is what is wanted.
            let _ = stack.abort(self.socket);
            let _ = stack.close(turn.now, self.socket);
            Fate::Gone(peer)
        })
    }

    /// Shows the session one chunk. How much has changed: bytes, or 1 for the end of the stream.
    fn read(&mut self, turn: &Turn<'_>, cx: &mut task::Context<'_>) -> usize {
        if !self.session.connection().wants_input() {
            return 0;
        }
        let leftover = self.take_leftover();
        let mut chunk = match leftover.map_or_else(|| self.receive(turn), |chunk| Ok(Some(chunk))) {
            Ok(Some(chunk)) => chunk,
            Ok(None) => {
                self.session.connection_mut().receive_eof(turn.moment);
                self.session.poll(turn.moment, cx);
                return 1;
            }
            Err(Error::WouldBlock) => return 0,
            Err(_) => {
                self.session.connection_mut().transport_failed();
                return 0;
            }
        };
        let peer = || turn.stack.with(|stack| stack.remote_addr(self.socket)).ok();
        let requests = self.session.connection().requests();
        let service = turn.env.reception.introduce(turn.now, requests, peer);
        let used = self.session.receive(turn.moment, &service, cx, &chunk);
        if used < chunk.len() {
            chunk.advance(used);
            self.extra.get_or_insert_default().leftover = Some(chunk);
        }
        used
    }

    fn take_leftover(&mut self) -> Option<Chunk> {
        let leftover = self.extra.as_mut()?.leftover.take();
        self.extra.take_if(|extra| extra.drain.is_none());
        leftover
    }

    fn receive(&mut self, turn: &Turn<'_>) -> Result<Option<Chunk>, Error> {
        if !self.readable {
            return Err(Error::WouldBlock);
        }
        let (received, more) = turn.stack.with(|stack| {
            let received = stack.read_chunk(self.socket);
            // Asked while the lock is held, as the answer is mostly that there is no more.
            (received, stack.readiness(self.socket).is_ok_and(|now| now.readable))
        });
        match &received {
            Ok(Some(chunk)) => {
                self.readable = more;
                turn.env.stats.add_received(chunk.len());
            }
            Ok(None) | Err(_) => self.readable = false,
        }
        received
    }

    /// Gives the stack what waits to go. How many bytes went.
    fn write(&mut self, turn: &Turn<'_>, cx: &mut task::Context<'_>) -> usize {
        let mut total = 0;
        while !self.blocked {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let filled = self.session.connection().output(&mut slices);
            if filled == 0 {
                break;
            }
            let (taken, result) = self.write_slices(turn, &slices[..filled]);
            total += taken;
            self.session.connection_mut().advance(turn.moment, taken);
            match result {
                Ok(()) => {}
                Err(Error::WouldBlock) => self.blocked = true,
                Err(_) => {
                    self.session.connection_mut().transport_failed();
                    break;
                }
            }
        }
        if total > 0 {
            turn.env.stats.add_sent(total);
            self.session.poll(turn.moment, cx);
        }
        total
    }

    /// All slices under one lock, so that they leave together.
    fn write_slices(&self, turn: &Turn<'_>, slices: &[IoSlice<'_>]) -> (usize, Result<(), Error>) {
        turn.stack.with(|stack| {
            let mut taken = 0;
            for slice in slices {
                let mut rest = &slice[..];
                while !rest.is_empty() {
                    match stack.write(self.socket, rest) {
                        Ok(count) => {
                            taken += count;
                            rest = &rest[count..];
                        }
                        Err(error) => return (taken, Err(error)),
                    }
                }
            }
            (taken, Ok(()))
        })
    }

    /// Does to the transport what the session wants.
    fn obey(&mut self, turn: &Turn<'_>) -> Fate {
        match self.session.connection().transport() {
            Transport::Continue => Fate::Waits,
            Transport::ShutdownWrite => {
                self.send_fin(turn);
                Fate::Waits
            }
            Transport::Close => self.close(turn),
            Transport::Abort => self.abort(turn),
        }
    }

    fn send_fin(&mut self, turn: &Turn<'_>) {
        if !std::mem::replace(&mut self.fin_sent, true) {
            // If it fails the connection is gone, and an event says so.
            let _ = turn.stack.with(|stack| stack.shutdown(self.socket, Shutdown::Write));
        }
    }

    /// Closes once everything is acknowledged; resets a client that takes nothing any more.
    fn close(&mut self, turn: &Turn<'_>) -> Fate {
        self.send_fin(turn);
        let closed = turn.stack.with(|stack| {
            // What is left unread would make the close a reset.
            (0..DISCARD).take_while(|_| matches!(stack.read_chunk(self.socket), Ok(Some(_)))).for_each(drop);
            match stack.info(self.socket).map_or(0, |info| info.send_queue) {
                0 => {
                    let peer = stack.remote_addr(self.socket).ok();
                    let _ = stack.close(turn.now, self.socket);
                    Ok(peer)
                }
                unacknowledged => Err(unacknowledged),
            }
        });
        let unacknowledged = match closed {
            Ok(peer) => return Fate::Gone(peer),
            Err(unacknowledged) => unacknowledged,
        };
        let begun = Drain { unacknowledged, progress_at: turn.now, next_look: turn.now };
        let drain = self.extra.get_or_insert_default().drain.get_or_insert(begun);
        if unacknowledged < drain.unacknowledged {
            *drain = Drain { unacknowledged, progress_at: turn.now, ..*drain };
        }
        if turn.now - drain.progress_at >= turn.env.http.send_timeout {
            let mut reasons = Reasons::default();
            reasons.insert(Reason::SendTimeout);
            turn.env.stats.add_reasons(reasons);
            return self.abort(turn);
        }
        drain.next_look = turn.now + DRAIN_INTERVAL.min(turn.env.http.send_timeout);
        Fate::Waits
    }
}
