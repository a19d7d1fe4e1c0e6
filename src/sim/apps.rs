//! Scripted applications: each drives one connection through the calls that programs use.
//!
//! An application acts only when an event of its socket or a time it set itself wakes it, and then until
//! `WouldBlock`: an event that the stack forgets leaves it asleep, and the world reports a deadlock.

use std::net::Shutdown;

use fastrand::Rng;

use super::script::{Ending, Script};
use crate::stack::{Error, Instant, Readiness, SocketId, Stack};

/// How an application's connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// When.
    pub at: Instant,
    /// The error that ended it early.
    pub error: Option<Error>,
}

/// What an application has in hand during its turn.
///
/// ```
/// use longwire::sim::{Endpoint, Turn};
/// use longwire::stack::{Instant, Stack};
///
/// /// Lets an application do what it can do now; when it wants to be called again.
/// fn act(endpoint: &mut Endpoint, stack: &mut Stack, now: Instant) -> Option<Instant> {
///     endpoint.act(&mut Turn { now, stack, scratch: &mut [0; 4_096] });
///     endpoint.deadline()
/// }
/// ```
pub struct Turn<'a> {
    /// Now.
    pub now: Instant,
    /// The stack of its host.
    pub stack: &'a mut Stack,
    /// Room for whatever is read or written.
    pub scratch: &'a mut [u8],
}

/// One application at work.
#[derive(Debug)]
pub struct Endpoint {
    socket: SocketId,
    script: Script,
    rng: Rng,
    connected_at: Option<Instant>,
    can_read: bool,
    can_write: bool,
    read_pause: Option<Instant>,
    write_pause: Option<Instant>,
    sent: u64,
    received: u64,
    peer_finished: bool,
    half_closed: bool,
    outcome: Option<Outcome>,
    fault: Option<String>,
}

impl Endpoint {
    /// An application whose connection is still being opened.
    pub fn connecting(socket: SocketId, script: Script, seed: u64) -> Self {
        Endpoint {
            socket,
            script,
            rng: Rng::with_seed(seed),
            connected_at: None,
            can_read: false,
            can_write: false,
            read_pause: None,
            write_pause: None,
            sent: 0,
            received: 0,
            peer_finished: false,
            half_closed: false,
            outcome: None,
            fault: None,
        }
    }

    /// An application that was handed an accepted connection.
    pub fn accepted(socket: SocketId, script: Script, seed: u64, now: Instant) -> Self {
        let mut endpoint = Endpoint::connecting(socket, script, seed);
        endpoint.connect(now);
        endpoint
    }

    /// Its socket; stale once there is an outcome.
    pub fn socket(&self) -> SocketId {
        self.socket
    }

    /// What it does.
    pub fn script(&self) -> &Script {
        &self.script
    }

    /// How it ended, if it has.
    pub fn outcome(&self) -> Option<Outcome> {
        self.outcome
    }

    /// A breach of the contract that it noticed: wrong bytes, or a call that answered what it must not.
    pub fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    /// Bytes written so far.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Bytes read so far.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Whether the handshake was complete.
    pub fn was_connected(&self) -> bool {
        self.connected_at.is_some()
    }

    /// Says in words where it stands.
    pub fn progress(&self) -> String {
        format!(
            "wrote {} of {}, read {} of {}, peer finished: {}, outcome: {:?}",
            self.sent,
            self.script.sends.len,
            self.received,
            self.script.expects.len,
            self.peer_finished,
            self.outcome
        )
    }

    /// Whether the peer's end of stream came, behind everything that it had written.
    pub fn peer_finished(&self) -> bool {
        self.peer_finished
    }

    /// Whether it ended as its script says, with all bytes of both directions in their places.
    ///
    /// # Errors
    /// What went wrong, in words.
    pub fn verdict(&self) -> Result<(), String> {
        let Some(outcome) = self.outcome else { return Err(format!("did not end: {}", self.progress())) };
        let all_sent = self.sent == self.script.sends.len;
        let all_received = self.received == self.script.expects.len;
        let waits = self.script.ending != Ending::Leave;
        if outcome.error.is_some() || !all_sent || (waits && !(all_received && self.peer_finished)) {
            return Err(format!("ended wrongly: {}", self.progress()));
        }
        Ok(())
    }

    /// When it wants to act although nothing happens.
    pub fn deadline(&self) -> Option<Instant> {
        if self.outcome.is_some() {
            return None;
        }
        [self.read_pause, self.write_pause, self.rude_end()].into_iter().flatten().min()
    }

    /// Tells it of an event.
    pub fn wake(&mut self, kinds: Readiness, turn: &mut Turn<'_>) {
        if self.outcome.is_some() {
            return;
        }
        if kinds.connected {
            self.connect(turn.now);
        }
        self.can_read |= kinds.readable;
        self.can_write |= kinds.writable;
        if kinds.failed {
            match turn.stack.error(self.socket) {
                Ok(Some(error)) => self.finish(turn, Some(error)),
                answer => self.breach(format!("failed, but error() says {answer:?}")),
            }
        }
    }

    /// Lets it act until it would block.
    pub fn act(&mut self, turn: &mut Turn<'_>) {
        self.read_pause = self.read_pause.filter(|&until| until > turn.now);
        self.write_pause = self.write_pause.filter(|&until| until > turn.now);
        if self.outcome.is_some() || self.end_rudely(turn) || self.connected_at.is_none() {
            return;
        }
        loop {
            let before = (self.sent, self.received);
            self.read(turn);
            self.write(turn);
            if self.outcome.is_some() || self.fault.is_some() {
                return;
            }
            if before == (self.sent, self.received) {
                break;
            }
        }
        self.end_orderly(turn);
    }

    fn connect(&mut self, now: Instant) {
        if self.connected_at.is_none() {
            self.connected_at = Some(now);
            self.can_read = true;
            self.can_write = true;
        }
    }

    fn rude_end(&self) -> Option<Instant> {
        match self.script.ending {
            Ending::LeaveAfter(delay) | Ending::AbortAfter(delay) => Some(self.connected_at? + delay),
            Ending::First | Ending::Second | Ending::Leave => None,
        }
    }

    fn end_rudely(&mut self, turn: &mut Turn<'_>) -> bool {
        if self.rude_end().is_none_or(|at| at > turn.now) {
            return false;
        }
        let aborts = matches!(self.script.ending, Ending::AbortAfter(_));
        if aborts && let Err(error) = turn.stack.abort(self.socket) {
            self.breach(format!("abort answered {error:?}"));
        }
        self.finish(turn, None);
        true
    }

    fn end_orderly(&mut self, turn: &mut Turn<'_>) {
        let all_sent = self.sent == self.script.sends.len;
        match self.script.ending {
            Ending::First if all_sent && !self.half_closed => {
                self.half_closed = true;
                match turn.stack.shutdown(self.socket, Shutdown::Write) {
                    Ok(()) => self.expect_broken_pipe(turn),
                    Err(error) => return self.finish(turn, Some(error)),
                }
            }
            Ending::Leave if all_sent => return self.finish(turn, None),
            _ => {}
        }
        if all_sent && self.peer_finished {
            self.finish(turn, None);
        }
    }

    /// A direction that was shut down takes nothing more.
    fn expect_broken_pipe(&mut self, turn: &mut Turn<'_>) {
        let answer = turn.stack.write(self.socket, b"x");
        if answer != Err(Error::BrokenPipe) && turn.stack.error(self.socket) == Ok(None) {
            self.breach(format!("a write after shutdown answered {answer:?}"));
        }
    }

    fn read(&mut self, turn: &mut Turn<'_>) {
        while self.can_read && !self.peer_finished && self.read_pause.is_none() && self.outcome.is_none() {
            let size = self.script.reading.size(&mut self.rng).min(turn.scratch.len());
            let before = self.received;
            match self.read_once(turn, size) {
                Ok(0) => self.peer_finished = true,
                Ok(count) => self.received += count as u64,
                Err(Error::WouldBlock) => self.can_read = false,
                Err(error) => return self.finish(turn, Some(error)),
            }
            if self.fault.is_some() {
                return;
            }
            if self.received > before {
                self.read_pause = self.script.reading.pause(&mut self.rng, turn.now);
            }
        }
    }

    /// One call of one of the three kinds, and the check of what came.
    fn read_once(&mut self, turn: &mut Turn<'_>, size: usize) -> Result<usize, Error> {
        match self.rng.u8(0..8) {
            0 => {
                let Some(chunk) = turn.stack.read_chunk(self.socket)? else { return Ok(0) };
                self.check(&chunk);
                Ok(chunk.len())
            }
            1 => {
                let (peeked, rest) = turn.scratch.split_at_mut(size.min(turn.scratch.len() / 2));
                let ahead = turn.stack.peek(self.socket, peeked)?;
                let count = turn.stack.read(self.socket, &mut rest[..peeked.len()])?;
                if peeked[..ahead] != rest[..count] {
                    self.breach(format!("peek gave {ahead} bytes and read then {count}, or other ones"));
                }
                let bytes = &rest[..count];
                self.check(bytes);
                Ok(count)
            }
            _ => {
                let count = turn.stack.read(self.socket, &mut turn.scratch[..size])?;
                self.check(&turn.scratch[..count]);
                Ok(count)
            }
        }
    }

    fn check(&mut self, bytes: &[u8]) {
        let expects = self.script.expects;
        if let Some(at) = expects.pattern.first_difference(self.received, bytes) {
            self.breach(format!("read a wrong byte at offset {at} (a read at {})", self.received));
        } else if self.received + bytes.len() as u64 > expects.len {
            self.breach(format!("read beyond the {} bytes that the peer has", expects.len));
        }
    }

    fn write(&mut self, turn: &mut Turn<'_>) {
        let sends = self.script.sends;
        while self.can_write && self.write_pause.is_none() && self.outcome.is_none() {
            let left = self.script.pace.allowance(self.received, sends.len) - self.sent;
            if left == 0 {
                return;
            }
            let size = self.script.writing.size(&mut self.rng).min(turn.scratch.len()).min(left as usize);
            sends.pattern.fill(self.sent, &mut turn.scratch[..size]);
            match self.write_once(turn, size) {
                Ok(count) if count == 0 || count > size => {
                    return self.breach(format!("a write of {size} bytes answered {count}"));
                }
                Ok(count) => self.sent += count as u64,
                Err(Error::WouldBlock) => {
                    self.can_write = false;
                    return;
                }
                Err(error) => return self.finish(turn, Some(error)),
            }
            self.write_pause = self.script.writing.pause(&mut self.rng, turn.now);
        }
    }

    fn write_once(&mut self, turn: &mut Turn<'_>, size: usize) -> Result<usize, Error> {
        if self.rng.u8(0..8) != 0 {
            return turn.stack.write(self.socket, &turn.scratch[..size]);
        }
        let mut chunk = turn.stack.pool().take(size);
        chunk.append(&turn.scratch[..size]);
        turn.stack.write_chunk(self.socket, chunk).map(|()| size).map_err(|(error, _)| error)
    }

    fn finish(&mut self, turn: &mut Turn<'_>, error: Option<Error>) {
        self.outcome = Some(Outcome { at: turn.now, error });
        if let Err(error) = turn.stack.close(turn.now, self.socket) {
            self.breach(format!("close answered {error:?}"));
        }
        let stale = turn.stack.read(self.socket, &mut [0]);
        if stale != Err(Error::StaleSocket) {
            self.breach(format!("a read of a closed socket answered {stale:?}"));
        }
    }

    fn breach(&mut self, what: String) {
        self.fault.get_or_insert(what);
    }
}
