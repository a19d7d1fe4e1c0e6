//! The application in the loop: connections that only send, and others that only receive.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use longwire::driver::{Application, Chunk, Error, Event, Instant, SendFlags, SharedStack, SocketId, Stack};

/// Bytes that all connections move in a turn: a turn's bytes are still in the nearer cache when they are sent.
const TURN: usize = 512 * 1024;
/// Bytes that one call moves at most: as much as a super-packet.
const PIECE: usize = 64 * 1024;
/// Where what is received goes within its allocation: half a page from where it comes from, as with the floor.
const APART: usize = 2_048;

/// How a connection moves its bytes. What it sends it announces to have more of: it is limited by its turn alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Receives into memory of its own.
    Read,
    /// Receives the buffers that the packets came in.
    ReadChunk,
    /// Sends from memory of its own, which is free again at once.
    Write,
    /// Sends memory that it shares with the stack.
    WriteChunk,
}

pub struct Bulk {
    pub listeners: Vec<(SocketId, Form)>,
    /// Each with whether it waits in `ready`.
    streams: HashMap<SocketId, (Form, bool)>,
    ready: VecDeque<SocketId>,
    memory: Vec<u8>,
    shared: Arc<[u8]>,
}

/// What becomes of a connection after its turn.
enum Fate {
    Waits,
    More,
    Over,
}

impl Bulk {
    pub fn new() -> Bulk {
        Bulk {
            listeners: Vec::new(),
            streams: HashMap::new(),
            ready: VecDeque::new(),
            memory: vec![b'x'; APART + PIECE],
            shared: vec![b'x'; PIECE].into(),
        }
    }

    fn accept(&mut self, stack: &SharedStack) {
        for &(listener, form) in &self.listeners {
            while let Ok((socket, _)) = stack.with(|stack| stack.accept(listener)) {
                self.streams.insert(socket, (form, true));
                self.ready.push_back(socket);
            }
        }
    }

    /// Moves up to `budget` bytes.
    fn run(&mut self, stack: &mut Stack, socket: SocketId, form: Form, budget: usize) -> Fate {
        let mut moved = 0;
        while moved < budget {
            match self.step(stack, socket, form) {
                Ok(0) => return Fate::Over,
                Ok(count) => moved += count,
                Err(Error::WouldBlock) => return Fate::Waits,
                Err(_) => return Fate::Over,
            }
        }
        Fate::More
    }

    /// One call; 0 at the end of the client's stream.
    fn step(&mut self, stack: &mut Stack, socket: SocketId, form: Form) -> Result<usize, Error> {
        match form {
            Form::Read => stack.read(socket, &mut self.memory[APART..]),
            Form::ReadChunk => stack.read_chunk(socket).map(|chunk| chunk.map_or(0, |chunk| chunk.len())),
            Form::Write => stack.write_with(socket, &self.memory[APART..], SendFlags::MORE),
            Form::WriteChunk => {
                let chunk = Chunk::from(self.shared.clone());
                let written = stack.write_chunk_with(socket, chunk, SendFlags::MORE);
                written.map(|()| self.shared.len()).map_err(|(error, _)| error)
            }
        }
    }
}

impl Application for Bulk {
    fn turn(&mut self, stack: &SharedStack, now: Instant, events: &[Event]) {
        for event in events {
            match self.streams.get_mut(&event.socket) {
                Some((_, queued @ false)) => {
                    *queued = true;
                    self.ready.push_back(event.socket);
                }
                Some(_) => {}
                None => self.accept(stack),
            }
        }
        let budget = (TURN / self.ready.len().max(1)).max(PIECE);
        for _ in 0..self.ready.len() {
            let Some(socket) = self.ready.pop_front() else { break };
            let Some(&(form, _)) = self.streams.get(&socket) else { continue };
            match stack.with(|stack| self.run(stack, socket, form, budget)) {
                Fate::Waits => drop(self.streams.insert(socket, (form, false))),
                Fate::More => self.ready.push_back(socket),
                Fate::Over => {
                    self.streams.remove(&socket);
                    // Only one that is gone already cannot be closed.
                    let _ = stack.with(|stack| stack.close(now, socket));
                }
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        (!self.ready.is_empty()).then_some(Instant::ZERO)
    }
}
