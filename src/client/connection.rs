//! One connection with its HTTP machine.

use std::io::{self, IoSlice, Write};
use std::time::Duration;

use ::http::{Request, Response, StatusCode};

use super::limits::Limits;
use super::upload::Upload;
use super::{Error, RequestBody};
use crate::http::{BadMessage, ClientConnection, ResponseEvent};
use crate::net::{Chunk, Events, Instant, Interest, Poller, TcpStream, Token};

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
    /// The rest of a request whose answer has begun.
    upload: Option<Upload>,
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
            upload: None,
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

    /// Writes a request. Ends early when an answer comes meanwhile: where that is no refusal, the rest goes out while
    /// the answer is [received](Self::receive_body). Whatever can be sent again is in `body` again afterwards.
    pub(super) fn send(
        &mut self,
        request: &Request<()>,
        body: &mut RequestBody,
        limits: &Limits,
    ) -> Result<(), Error> {
        self.http.begin(request, body.size());
        let mut upload = Upload::new(std::mem::take(body));
        let sent = self.send_body(&mut upload, limits);
        match sent {
            Ok(Sent::UpToTheAnswer) => self.upload = Some(upload),
            _ => *body = upload.into_body(),
        }
        sent.map(drop)
    }

    fn send_body(&mut self, upload: &mut Upload, limits: &Limits) -> Result<Sent, Error> {
        loop {
            // The last piece leaves together with the end of the body.
            let is_last = self.take_piece(upload)?;
            match self.write_out(limits)? {
                Sent::All if !is_last => {}
                sent => return Ok(sent),
            }
        }
    }

    /// Takes the next piece of the body for output; whether it was the end.
    fn take_piece(&mut self, upload: &mut Upload) -> Result<bool, Error> {
        let piece = upload.next()?;
        let is_last = piece.is_none();
        match piece {
            Some(piece) => self.http.send(piece),
            None => self.http.finish(None),
        }
        Ok(is_last)
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

    /// Writes what waits, or up to an early answer.
    fn write_out(&mut self, limits: &Limits) -> Result<Sent, Error> {
        let mut since = self.now();
        while self.http.output_len() > 0 {
            let left = limits.left(self.now(), since)?;
            let look_up = left.map_or(LOOK_UP, |left| left.min(LOOK_UP));
            self.stream.set_write_timeout(Some(look_up)).map_err(Error::Send)?;
            match self.write_some() {
                Ok(_) => since = self.now(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => match self.early_answer()? {
                    Some(status) if is_refusal(status) => return Ok(Sent::UpToTheRefusal),
                    Some(_) => return Ok(Sent::UpToTheAnswer),
                    None => {}
                },
                // A server that refuses a request may close before it has read it all: its answer says more than
                // the failed write.
                Err(error) => {
                    let refused = self.early_answer()?.is_some_and(is_refusal);
                    return if refused { Ok(Sent::UpToTheRefusal) } else { Err(Error::Send(error)) };
                }
            }
        }
        Ok(Sent::All)
    }

    fn write_some(&mut self) -> io::Result<usize> {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let filled = self.http.output(&mut slices);
        let count = self.stream.write_vectored(&slices[..filled])?;
        self.http.advance(count);
        Ok(count)
    }

    /// Looks, without waiting, whether an answer has begun already: its status.
    fn early_answer(&mut self) -> Result<Option<StatusCode>, Error> {
        while self.early.is_none()
            && self.input.is_empty()
            && let Ok(Some(chunk)) = self.without_blocking(TcpStream::read_chunk)
        {
            self.input = chunk;
            self.early = self.next_head()?;
        }
        Ok(self.early.as_ref().map(Response::status))
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
        if let Some(upload) = self.upload.take() {
            self.stream.set_nonblocking(true).map_err(Error::Receive)?;
            let filled = self.fill_while_sending(upload, limits);
            self.stream.set_nonblocking(false).map_err(Error::Receive)?;
            if let Some(filled) = filled? {
                return Ok(filled);
            }
        }
        let since = self.now();
        loop {
            let left = limits.left(self.now(), since)?;
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

    /// As [`fill`](Self::fill), sending the rest of the request meanwhile: a server that gets no further with its answer
    /// may have stopped reading. `None` once all of it is out.
    fn fill_while_sending(&mut self, mut upload: Upload, limits: &Limits) -> Result<Option<bool>, Error> {
        let poller = Poller::new().map_err(Error::Receive)?;
        poller
            .register(&self.stream, Token(0), Interest::READABLE | Interest::WRITABLE)
            .map_err(Error::Receive)?;
        let mut events = Events::with_capacity(1);
        let mut since = self.now();
        loop {
            // Also where there is always room for more: the exchange as a whole has its limit.
            let left = limits.left(self.now(), since)?;
            match self.stream.read_chunk() {
                Ok(Some(chunk)) => {
                    self.input = chunk;
                    self.upload = Some(upload);
                    return Ok(Some(true));
                }
                Ok(None) => return Ok(Some(false)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::Receive(error)),
            }
            match self.send_some(&mut upload)? {
                SentSome::TheRest => return Ok(None),
                SentSome::Part => since = self.now(),
                SentSome::Nothing => {
                    poller.poll(&mut events, left).map_err(Error::Receive)?;
                }
            }
        }
    }

    /// Sends as much as there is room for, up to a piece.
    fn send_some(&mut self, upload: &mut Upload) -> Result<SentSome, Error> {
        if self.http.output_len() == 0 && self.take_piece(upload)? && self.http.output_len() == 0 {
            return Ok(SentSome::TheRest);
        }
        match self.write_some() {
            Ok(_) => Ok(SentSome::Part),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(SentSome::Nothing),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(SentSome::Part),
            // The server wants no more of it; what it answers is still to be read.
            Err(_) => Ok(SentSome::TheRest),
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

/// How far a request has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    All,
    /// An answer has come that needs no more of it.
    UpToTheRefusal,
    /// An answer has begun that may need more of it.
    UpToTheAnswer,
}

/// How far the rest of a request has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SentSome {
    Nothing,
    Part,
    TheRest,
}

/// Whether a server that answers so, before it has the whole request, wants no more of it.
fn is_refusal(status: StatusCode) -> bool {
    status.as_u16() >= 300
}
