//! One connection of a service.

use std::net::Shutdown;

use super::Kind;
use crate::driver::{Chunk, Error, Instant, SendFlags, SharedStack, SocketId, Stack};

/// RFC 864's pattern: 95 lines of 72 characters, each beginning one character later.
const LINE: usize = 74;
const LINES: usize = 95;
static CHARACTERS: [u8; LINE * LINES] = {
    let mut characters = [0; LINE * LINES];
    let mut index = 0;
    while index < LINE * LINES {
        let (line, column) = (index / LINE, index % LINE);
        characters[index] = match column {
            72 => b'\r',
            73 => b'\n',
            _ => b' ' + ((line + column) % LINES) as u8,
        };
        index += 1;
    }
    characters
};

/// What becomes of a stream after its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Waits,
    More,
    Gone,
}

/// A connection.
pub(super) struct Stream {
    kind: Kind,
    /// In the queue of those that have something to do.
    pub(super) queued: bool,
    /// Read, and not taken by the stack yet: until it is, nothing more is read, and the client's window closes.
    held: Option<Chunk>,
    /// Where in its pattern the character generator is.
    position: usize,
    ending: bool,
    fin_sent: bool,
}

impl Stream {
    pub(super) fn new(kind: Kind) -> Self {
        Stream { kind, queued: true, held: None, position: 0, ending: false, fin_sent: false }
    }

    /// What has been taken is finished, and nothing else.
    pub(super) fn end(&mut self) {
        self.ending = true;
    }

    /// Moves what can be moved, up to `budget` bytes.
    pub(super) fn run(&mut self, stack: &SharedStack, now: Instant, socket: SocketId, budget: usize) -> Fate {
        stack.with(|stack| {
            let fate = self.transfer(stack, socket, budget).unwrap_or(Fate::Gone);
            if fate == Fate::Gone {
                // In order if nothing has failed: what was written still goes, and all that came has been read.
                let _ = stack.close(now, socket);
            }
            fate
        })
    }

    fn transfer(&mut self, stack: &mut Stack, socket: SocketId, budget: usize) -> Result<Fate, Error> {
        let mut moved = 0;
        while moved < budget {
            let sent = self.send(stack, socket)?;
            if self.ending && self.held.is_none() && !std::mem::replace(&mut self.fin_sent, true) {
                stack.shutdown(socket, Shutdown::Write)?;
            }
            moved += match (sent, self.receive(stack, socket)?) {
                (_, Step::End) => return Ok(Fate::Gone),
                // All that came has been sent back.
                (Step::Moved(_), Step::Blocked) if self.kind == Kind::Echo => return Ok(Fate::Waits),
                (Step::Moved(sent), Step::Moved(received)) => sent + received,
                (Step::Moved(count), _) | (_, Step::Moved(count)) => count,
                _ => return Ok(Fate::Waits),
            };
        }
        Ok(Fate::More)
    }

    fn send(&mut self, stack: &mut Stack, socket: SocketId) -> Result<Step, Error> {
        if let Some(chunk) = self.held.take() {
            let length = chunk.len();
            return Step::of(stack.write_chunk(socket, chunk).map(|()| length).map_err(|(error, chunk)| {
                self.held = Some(chunk);
                error
            }));
        }
        if self.kind != Kind::Chargen || self.fin_sent {
            return Ok(Step::Blocked);
        }
        let step = Step::of(stack.write_with(socket, &CHARACTERS[self.position..], SendFlags::MORE));
        if let Ok(Step::Moved(count)) = step {
            self.position = (self.position + count) % CHARACTERS.len();
        }
        step
    }

    fn receive(&mut self, stack: &mut Stack, socket: SocketId) -> Result<Step, Error> {
        if self.held.is_some() {
            return Ok(Step::Blocked);
        }
        let chunk = match stack.read_chunk(socket) {
            Ok(Some(chunk)) => chunk,
            Ok(None) => return Ok(Step::End),
            Err(error) => return Step::of(Err(error)),
        };
        let length = chunk.len();
        self.held = Some(chunk).filter(|_| self.kind == Kind::Echo && !self.fin_sent);
        Ok(Step::Moved(length))
    }
}

/// What one call has done.
enum Step {
    Moved(usize),
    /// Nothing, until an event.
    Blocked,
    /// The client's stream is at its end.
    End,
}

impl Step {
    fn of(result: Result<usize, Error>) -> Result<Step, Error> {
        match result {
            Ok(count) => Ok(Step::Moved(count)),
            Err(Error::WouldBlock) => Ok(Step::Blocked),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pattern_is_that_of_rfc_864() {
        let lines: Vec<&[u8]> = CHARACTERS.chunks(LINE).collect();
        assert!(lines.iter().all(|line| line.ends_with(b"\r\n") && line.len() == 74));
        assert_eq!(&lines[0][..8], b" !\"#$%&'");
        assert_eq!(&lines[1][..8], b"!\"#$%&'(");
        assert_eq!(&lines[94][..4], b"~ !\"");
        assert!(CHARACTERS.iter().all(|&byte| byte == b'\r' || byte == b'\n' || (32..127).contains(&byte)));
    }
}
