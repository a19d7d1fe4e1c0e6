//! The life of one connection, short or long (RFC 9112 9).

mod input;
mod life;
mod reply;

use std::io::IoSlice;
use std::sync::Arc;
use std::time::Duration;

use ::http::header::RETRY_AFTER;
use ::http::{HeaderMap, HeaderValue, Request, StatusCode};

use super::answer::plain_answer;
use super::exchange::{Exchange, Reading, Writing};
use super::{Reason, Reasons, ServerConfig};
use crate::http::message::Framing;
use crate::http::{Now, Piece};

/// Something of a request has arrived.
#[derive(Debug)]
pub enum Event<'a> {
    /// A request, and how its body is delimited. If there is one, say
    /// [`accept_body`](ServerConnection::accept_body) or [`refuse_body`](ServerConnection::refuse_body).
    Head(Request<()>, Framing),
    /// Bytes of its body, lent from the input.
    Body(&'a [u8]),
    /// The request is complete (also one without a body), with its trailer fields if there were any.
    End(Option<HeaderMap>),
}

/// What [`ServerConnection::receive`] made of its input.
#[derive(Debug)]
pub struct Received<'a> {
    /// Bytes of the input that are used up.
    pub consumed: usize,
    /// What came of them.
    pub event: Option<Event<'a>>,
}

impl Received<'_> {
    fn nothing(consumed: usize) -> Self {
        Received { consumed, event: None }
    }

    /// Whether the call changed nothing, so that the same input would change nothing again.
    pub fn is_idle(&self) -> bool {
        self.consumed == 0 && self.event.is_none()
    }
}

/// What the transport has to do, once the output that there is has been written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Nothing: the connection is open.
    Continue,
    /// Send FIN, and go on reading: the client must not be reset before it has read the answer (RFC 9112 9.6).
    ShutdownWrite,
    /// Close in order.
    Close,
    /// Reset: the answer is cut short, or nobody takes it, and the client must not think that it is whole.
    Abort,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// The last answer is complete and waits to go.
    Flushing,
    /// FIN is out; what still comes is dropped.
    Lingering,
    Closed,
    Aborted,
}

/// One connection of a server: requests come out of the bytes it is fed, answers go into bytes it lends.
///
/// It has no transport and no clock. Whoever drives it does this, in any order that suits the transport:
///
/// 1. *Input*: [`receive`](Self::receive) with what has arrived, again with what was not consumed, until
///    [`Received::is_idle`]. What it leaves is for later, after output has gone or the body was accepted: keep it where it
///    is, so that the peer's window closes. [`wants_input`](Self::wants_input) says whether reading is of use.
///    At the end of the stream, and after the last `receive`: [`receive_eof`](Self::receive_eof).
/// 2. *The answer* to an [`Event::Head`]: [`respond`](Self::respond), [`send`](Self::send) while
///    [`output_room`](Self::output_room) says so, [`finish`](Self::finish); or [`respond_whole`](Self::respond_whole).
///    It may begin before the request is complete. Calls that come too late, because the exchange has failed
///    meanwhile, do nothing; [`wants_answer`](Self::wants_answer) tells.
/// 3. *Output*: [`output`](Self::output) and [`advance`](Self::advance), or [`take_output`](Self::take_output).
/// 4. *Time*: at [`deadline`](Self::deadline), [`handle_timeout`](Self::handle_timeout).
/// 5. After any of these: what [`transport`](Self::transport) says; counters from
///    [`take_reasons`](Self::take_reasons).
///
/// Requests are answered one after another in the order in which they came; a pipelined one stays in the transport until
/// the answer before it is complete. Memory is bounded by [`ServerConfig::head`] for input,
/// [`ServerConfig::output_limit`] and one piece for output. An idle connection keeps memory for its next
/// request, a few kilobytes at most; who has very many drops it, and [resumes](Self::resume) another when that comes.
///
/// ```
/// use std::{sync::Arc, time::Duration};
/// use longwire::http::{Clock, Event, ServerConfig, ServerConnection, Transport};
///
/// let now = Clock::default().now(Duration::ZERO, 784_111_777);
/// let mut connection = ServerConnection::new(Arc::new(ServerConfig::default()), now);
/// let input = b"GET /hello HTTP/1.0\r\n\r\n";
/// let received = connection.receive(now, input);
/// let Some(Event::Head(request, _)) = received.event else { panic!("a whole head was there") };
/// assert_eq!(request.uri().path(), "/hello");
/// assert!(matches!(connection.receive(now, b"").event, Some(Event::End(None))));
///
/// connection.respond_whole(now, http::Response::new(b"hello\n".as_slice().into()));
/// let output = connection.take_output(now).expect("the answer");
/// assert!(output.starts_with(b"HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994"));
/// assert!(output.ends_with(b"Content-Length: 6\r\nConnection: close\r\n\r\nhello\n"));
/// assert_eq!(connection.transport(), Transport::ShutdownWrite);
/// connection.receive_eof(now);
/// assert_eq!(connection.transport(), Transport::Close);
/// ```
///
/// ```
/// use std::{sync::Arc, time::Duration};
/// use longwire::http::{BadMessage, Clock, Now, Reason, Reasons, Received, ServerConfig, ServerConnection};
///
/// let now: Now = Clock::default().now(Duration::ZERO, 784_111_777);
/// let mut connection = ServerConnection::new(Arc::new(ServerConfig::default()), now);
/// let Received { consumed, event } = connection.receive(now, b"GET / HTTP/9.9\r\n\r\n");
/// assert!(event.is_none(), "{consumed} bytes were no request");
/// let answer = connection.take_output(now).unwrap();
/// assert!(answer.starts_with(b"HTTP/1.1 505 "), "as it says: {}", BadMessage::Version.status());
/// let why: Reasons = connection.take_reasons();
/// assert!(why.contains(Reason::BadRequest));
/// ```
#[derive(Debug)]
pub struct ServerConnection {
    config: Arc<ServerConfig>,
    exchange: Option<Box<Exchange>>,
    /// The last exchange's memory, in which nothing is under way.
    spare: Option<Box<Exchange>>,
    /// Without an exchange: when the first head has to be here, idleness ends, or lingering ends.
    deadline: Duration,
    /// Requests whose head was read.
    requests: u32,
    reasons: Reasons,
    phase: Phase,
    /// No request will be read after the present one.
    last: bool,
    /// The peer has ended its stream.
    peer_done: bool,
}

/// Construction, and what a driver asks between calls.
impl ServerConnection {
    /// A connection that was just accepted.
    pub fn new(config: Arc<ServerConfig>, now: Now) -> Self {
        Self {
            deadline: now.at.saturating_add(config.header_timeout),
            config,
            exchange: None,
            spare: None,
            requests: 0,
            reasons: Reasons::default(),
            phase: Phase::Open,
            last: false,
            peer_done: false,
        }
    }

    /// One on which nothing was under way, of which only this was kept: how many requests it has had, and when its
    /// idleness ends (before the first request: when that has to be here).
    pub fn resume(config: Arc<ServerConfig>, requests: u32, deadline: Duration) -> Self {
        ServerConnection {
            config,
            exchange: None,
            spare: None,
            deadline,
            requests,
            reasons: Reasons::default(),
            phase: Phase::Open,
            last: false,
            peer_done: false,
        }
    }

    /// Whether it could be [resumed](Self::resume) from as little.
    pub fn is_at_rest(&self) -> bool {
        self.is_idle() && !self.last && !self.peer_done && self.reasons.is_empty()
    }

    /// A connection over the maximum: it says 503 and when to come back, and closes.
    pub fn overloaded(config: Arc<ServerConfig>, now: Now, retry_after: Duration) -> Self {
        let mut connection = Self::new(config, now);
        let mut response = plain_answer(StatusCode::SERVICE_UNAVAILABLE, "too many connections");
        let seconds = HeaderValue::from(retry_after.as_secs().max(1));
        response.headers_mut().insert(RETRY_AFTER, seconds);
        connection.reasons.insert(Reason::Overload);
        connection.answer_unread(now, response);
        connection.settle(now.at);
        connection
    }

    /// The configuration it was made with.
    pub fn config(&self) -> &ServerConfig {
        &self.config
    }

    /// Whether input is of use now; if not, leave it in the transport.
    pub fn wants_input(&self) -> bool {
        match self.phase {
            Phase::Open if self.peer_done => false,
            Phase::Open => self.exchange.as_ref().is_none_or(|exchange| exchange.wants_input(&self.config)),
            Phase::Flushing | Phase::Lingering => !self.peer_done,
            Phase::Closed | Phase::Aborted => false,
        }
    }

    /// Whether a request waits for its answer, or for the rest of it.
    pub fn wants_answer(&self) -> bool {
        let writing = self.exchange.as_ref().map(|exchange| &exchange.writing);
        matches!(writing, Some(Writing::Awaited | Writing::Body(_)))
    }

    /// Whether the head of the present answer is written, and its body not complete.
    pub fn answer_has_begun(&self) -> bool {
        matches!(self.exchange.as_ref().map(|exchange| &exchange.writing), Some(Writing::Body(_)))
    }

    /// Whether a handler's appetite matters: there is a body, or its end is still to be told.
    pub(in crate::http::server) fn is_reading_body(&self) -> bool {
        let reading = self.exchange.as_ref().map(|exchange| &exchange.reading);
        matches!(reading, Some(Reading::Undecided(_) | Reading::Body(_)))
    }

    /// Whether nothing of another request has come.
    fn is_between_requests(&self) -> bool {
        self.exchange.as_ref().is_none_or(|exchange| exchange.is_between_requests())
    }

    /// Whether nothing is under way: no part of a request, no answer, no output. What may be closed when room is
    /// needed.
    pub fn is_idle(&self) -> bool {
        self.phase == Phase::Open && self.exchange.is_none()
    }

    /// Requests whose head was read so far.
    pub fn requests(&self) -> u32 {
        self.requests
    }

    /// When to call [`handle_timeout`](Self::handle_timeout). A call before that does nothing.
    pub fn deadline(&self) -> Option<Duration> {
        self.due().map(|(at, _)| at)
    }

    /// What the transport has to do once there is no output. Stays the same until something changes it.
    pub fn transport(&self) -> Transport {
        match self.phase {
            Phase::Open | Phase::Flushing => Transport::Continue,
            Phase::Lingering => Transport::ShutdownWrite,
            Phase::Closed => Transport::Close,
            Phase::Aborted => Transport::Abort,
        }
    }

    /// What has been worth counting since the last call.
    pub fn take_reasons(&mut self) -> Reasons {
        std::mem::take(&mut self.reasons)
    }
}

/// Output.
impl ServerConnection {
    /// Bytes that wait for the transport.
    pub fn output_len(&self) -> usize {
        self.exchange.as_ref().map_or(0, |exchange| exchange.output.len())
    }

    /// How many body bytes may be produced now, so that the output stays bounded.
    pub fn output_room(&self) -> usize {
        self.config.output_limit.saturating_sub(self.output_len())
    }

    /// Lends the output for a vectored write; returns how many slices were filled.
    pub fn output<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        self.exchange.as_ref().map_or(0, |exchange| exchange.output.slices(slices))
    }

    /// The transport has taken `n` bytes of what [`output`](Self::output) lent.
    pub fn advance(&mut self, now: Now, n: usize) {
        if let Some(exchange) = self.exchange.as_mut().filter(|_| n > 0) {
            exchange.output.advance(n);
            exchange.progress_at = now.at;
        }
        self.settle(now.at);
    }

    /// Gives the next piece of output away, for a transport that takes buffers by ownership.
    pub fn take_output(&mut self, now: Now) -> Option<Piece> {
        let exchange = self.exchange.as_mut()?;
        let piece = exchange.output.take();
        exchange.progress_at = now.at;
        self.settle(now.at);
        piece
    }
}
