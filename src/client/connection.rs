//! One connection with its HTTP machine.

use std::io::{self, IoSlice, Write};
use std::time::Duration;

use ::http::{Request, Response};

use super::limits::Limits;
use super::{Error, RequestBody};
use crate::http::{BadMessage, ClientConnection, ResponseEvent};
use crate::net::{Chunk, Instant, TcpStream};

/// How long a write may be stuck before we look whether the server has answered already.
const LOOK_UP: Duration = Duration::from_millis(100);

/// Pieces that are given to one write.
const SLICES: usize = 16;

/// A connection to a server. Whatever fails leaves it unusable: drop it then.
pub(super) struct Connection {
    stream: TcpStream,
    http: ClientConnection,
    /// What has arrived and was not looked at.
    input: Chunk,
    /// The head of an answer that came before the request was all out.
    early: Option<Response<()>>,
    /// How long its server keeps it when idle, if it said so.
    pub(super) announced_timeout: Option<Duration>,
}

impl Connection {
    pub(super) fn new(stream: TcpStream) -> io::Result<Self> {
        // A request's last part must not wait for the acknowledgment of its first.
        stream.set_nodelay(true)?;
        Ok(Connection {
            stream,
            http: ClientConnection::default(),
            input: Chunk::default(),
            early: None,
            announced_timeout: None,
        })
    }

    /// Whether another exchange may follow.
    pub(super) fn is_reusable(&self) -> bool {
        self.http.is_reusable() && self.input.is_empty()
    }

    /// Whether the peer has closed it, or sent what nobody asked for, while it was idle.
    pub(super) fn is_stale(&self) -> bool {
        let looked = self.without_blocking(|stream| stream.peek(&mut [0]));
        !matches!(looked, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Whether a byte of the present answer has come.
    pub(super) fn answer_has_begun(&self) -> bool {
        self.http.answer_has_begun()
    }

    /// Writes a request. Ends early when the server refuses it before it is all out.
    pub(super) fn send(
        &mut self,
        request: &Request<()>,
        body: &mut RequestBody,
        limits: &Limits,
    ) -> Result<(), Error> {
        self.http.begin(request, body.size());
        let mut pieces = body.pieces();
        loop {
            let piece = pieces.next()?;
            let is_last = piece.is_none();
            match piece {
                Some(piece) => self.http.send(piece),
                None => self.http.finish(None),
            }
            // The last piece leaves together with the end of the body.
            if !self.write_out(limits)? || is_last {
                return Ok(());
            }
        }
    }

    /// The head of the answer.
    pub(super) fn receive_head(&mut self, limits: &mut Limits) -> Result<Response<()>, Error> {
        loop {
            if let Some(head) = self.next_head()? {
                limits.first_byte_came();
                return Ok(head);
            }
            if self.answer_has_begun() {
                limits.first_byte_came();
            }
            if !self.fill(limits)? {
                // Only an error can come of the end of the stream before a head.
                self.end_of_stream()?;
                return Err(Error::NoAnswer);
            }
        }
    }

    /// Bytes of the body into `buffer`, which is not empty; `None` at its end.
    pub(super) fn receive_body(
        &mut self,
        buffer: &mut [u8],
        limits: &Limits,
    ) -> Result<Option<usize>, Error> {
        loop {
            let offered = &self.input[..self.input.len().min(buffer.len())];
            let (used, event) = self.http.receive(offered).map_err(Error::BadAnswer)?;
            let found = match event {
                Some(ResponseEvent::Body(data)) => {
                    buffer[..data.len()].copy_from_slice(data);
                    Some(Some(data.len()))
                }
                Some(ResponseEvent::End(_)) => Some(None),
                Some(ResponseEvent::Head(_) | ResponseEvent::Continue) | None => None,
            };
            self.input.advance(used);
            if let Some(found) = found {
                return Ok(found);
            }
            if self.input.is_empty() && !self.fill(limits)? {
                self.end_of_stream()?;
                return Ok(None);
            }
        }
    }

    /// Whether the body is empty, or has otherwise ended already.
    pub(super) fn body_has_ended(&mut self) -> Result<bool, Error> {
        let (_, event) = self.http.receive(&[]).map_err(Error::BadAnswer)?;
        Ok(matches!(event, Some(ResponseEvent::End(_))))
    }

    fn now(&self) -> Instant {
        self.stream.network().shared().now()
    }

    /// Writes what waits. `false`: the server has refused the request, and the rest of it need not go out.
    fn write_out(&mut self, limits: &Limits) -> Result<bool, Error> {
        while self.http.output_len() > 0 {
            let left = limits.left(self.now())?;
            let look_up = left.map_or(LOOK_UP, |left| left.min(LOOK_UP));
            self.stream.set_write_timeout(Some(look_up)).map_err(Error::Send)?;
            let mut slices = [IoSlice::new(&[]); SLICES];
            let filled = self.http.output(&mut slices);
            match self.stream.write_vectored(&slices[..filled]) {
                Ok(count) => self.http.advance(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.is_refused_early()? {
                        return Ok(false);
                    }
                }
                // A server that refuses a request may close before it has read it all: its answer says more than
                // the failed write.
                Err(error) => {
                    return if self.is_refused_early()? { Ok(false) } else { Err(Error::Send(error)) };
                }
            }
        }
        Ok(true)
    }

    /// Looks, without waiting, whether an answer has come that makes the rest of the request pointless.
    fn is_refused_early(&mut self) -> Result<bool, Error> {
        if self.early.is_none() {
            while self.input.is_empty()
                && let Ok(Some(chunk)) = self.without_blocking(TcpStream::read_chunk)
            {
                self.input = chunk;
                self.early = self.next_head()?;
            }
        }
        Ok(self.early.as_ref().is_some_and(|head| head.status().as_u16() >= 300))
    }

    /// The head, if what has arrived completes it.
    fn next_head(&mut self) -> Result<Option<Response<()>>, Error> {
        if let Some(head) = self.early.take() {
            return Ok(Some(head));
        }
        loop {
            let (used, event) = self.http.receive(&self.input).map_err(Error::BadAnswer)?;
            let head = match event {
                Some(ResponseEvent::Head(head)) => Some(head),
                Some(_) => None,
                None => {
                    self.input.advance(used);
                    return Ok(None);
                }
            };
            self.input.advance(used);
            if head.is_some() {
                return Ok(head);
            }
        }
    }

    /// Waits for more input. `false` at the end of the stream.
    fn fill(&mut self, limits: &Limits) -> Result<bool, Error> {
        loop {
            let left = limits.left(self.now())?;
            self.stream.set_read_timeout(left).map_err(Error::Receive)?;
            match self.stream.read_chunk() {
                Ok(Some(chunk)) => {
                    self.input = chunk;
                    return Ok(true);
                }
                Ok(None) => return Ok(false),
                // When the time is over, the limits say which it was.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::Receive(error)),
            }
        }
    }

    /// The stream has ended: all right where that is the end of the body too.
    fn end_of_stream(&mut self) -> Result<(), Error> {
        match self.http.receive_eof() {
            Ok(_) => Ok(()),
            Err(BadMessage::Truncated) if !self.answer_has_begun() => Err(Error::NoAnswer),
            Err(BadMessage::Truncated) => Err(Error::Truncated),
            Err(bad) => Err(Error::BadAnswer(bad)),
        }
    }

    fn without_blocking<T>(&self, call: impl FnOnce(&TcpStream) -> io::Result<T>) -> io::Result<T> {
        self.stream.set_nonblocking(true)?;
        let result = call(&self.stream);
        self.stream.set_nonblocking(false)?;
        result
    }
}
