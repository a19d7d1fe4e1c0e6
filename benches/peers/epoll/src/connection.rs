//! One connection of the server.

use std::io::{self, ErrorKind, Read, Write};

use mio::net::TcpStream;
use service::{ANSWER, Requests, Service, is_last};

/// Bytes that one call reads or writes at most.
pub const BUFFER: usize = 256 * 1024;
/// Calls before others have their turn.
const CALLS: usize = 8;
/// What the character generator sends.
static ZEROS: [u8; BUFFER] = [0; BUFFER];

/// What becomes of a connection after its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// An event calls it again.
    Waits,
    /// It could go on at once.
    More,
    Over,
}

pub struct Connection {
    stream: TcpStream,
    service: Service,
    /// What is to be sent before anything else is read.
    output: Vec<u8>,
    requests: Requests,
    /// Nothing more is read once the output is gone.
    closing: bool,
}

impl Connection {
    pub fn new(stream: TcpStream, service: Service) -> Connection {
        Connection { stream, service, output: Vec::new(), requests: Requests::default(), closing: false }
    }

    /// Does what can be done without waiting, and without keeping the others waiting.
    ///
    /// # Errors
    /// The socket's.
    pub fn turn(&mut self, buffer: &mut [u8]) -> io::Result<Fate> {
        for _ in 0..CALLS {
            if !self.flush()? {
                return Ok(Fate::Waits);
            }
            if self.closing {
                return Ok(Fate::Over);
            }
            if self.service == Service::Chargen && or_later(self.stream.write(&ZEROS))?.is_some() {
                continue;
            }
            match or_later(self.stream.read(buffer))? {
                None => return Ok(Fate::Waits),
                Some(0) => return Ok(Fate::Over),
                Some(count) => self.take(&buffer[..count]),
            }
        }
        Ok(Fate::More)
    }

    fn take(&mut self, bytes: &[u8]) {
        match self.service {
            Service::Echo => self.output.extend_from_slice(bytes),
            Service::Http => {
                for _ in 0..self.requests.ends_in(bytes) {
                    self.output.extend_from_slice(ANSWER);
                }
                self.closing = is_last(bytes);
            }
            Service::Discard | Service::Chargen => {}
        }
    }

    /// Whether all output is gone.
    fn flush(&mut self) -> io::Result<bool> {
        while !self.output.is_empty() {
            let Some(count) = or_later(self.stream.write(&self.output))? else { return Ok(false) };
            self.output.drain(..count);
        }
        Ok(true)
    }
}

/// `None` for what would block.
fn or_later(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        result => result.map(Some),
    }
}
