//! One connection of the server.

use std::io::{self, ErrorKind, Read, Write};

use mio::net::TcpStream;

/// Bytes that one call reads or writes at most.
pub const BUFFER: usize = 256 * 1024;
/// Calls before others have their turn.
const CALLS: usize = 8;
/// What the character generator sends.
static ZEROS: [u8; BUFFER] = [0; BUFFER];

/// As long as longwire's answer to `GET /healthz`.
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nServer: epoll-pee\r\n\
Content-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\n\r\nok\n";
/// What ends a request's head.
const END: &[u8] = b"\r\n\r\n";

/// What a port does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Sends back what it gets.
    Echo,
    /// Reads and forgets.
    Discard,
    /// Sends as fast as the client's window allows.
    Chargen,
    /// One answer to each empty line.
    Http,
}

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
    /// How much of a request's end has been seen.
    matched: usize,
    /// Nothing more is read once the output is gone.
    closing: bool,
}

impl Connection {
    pub fn new(stream: TcpStream, service: Service) -> Connection {
        Connection { stream, service, output: Vec::new(), matched: 0, closing: false }
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
                for _ in 0..self.requests(bytes) {
                    self.output.extend_from_slice(ANSWER);
                }
                self.closing = bytes.windows(7).any(|window| window == b": close");
            }
            Service::Discard | Service::Chargen => {}
        }
    }

    /// How many requests end within these bytes.
    fn requests(&mut self, bytes: &[u8]) -> usize {
        let mut count = 0;
        for &byte in bytes {
            self.matched = match (byte == END[self.matched], byte) {
                (true, _) => self.matched + 1,
                (false, b'\r') => 1,
                (false, _) => 0,
            };
            if self.matched == END.len() {
                self.matched = 0;
                count += 1;
            }
        }
        count
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
