//! What answers a request.

use std::borrow::Cow;
use std::task::{Context, Poll};

use ::http::{HeaderMap, Request, Response, StatusCode};

use super::answer::plain_answer;
use crate::http::message::Framing;
use crate::http::{BodySize, Piece};

/// The next thing a handler has to say.
#[derive(Debug)]
pub enum Step {
    /// The whole answer.
    Whole(Response<Piece>),
    /// The head of the answer; [`Step::Body`] and [`Step::End`] follow.
    Head(Response<BodySize>),
    /// A piece of the body.
    Body(Piece),
    /// The body is complete, with trailer fields if there are any (sent only if the body is chunked).
    End(Option<HeaderMap>),
}

/// What a handler wants of the request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appetite {
    /// The next piece.
    Hungry,
    /// Nothing until later: the client is made to wait. An answer that begins before the body was first asked for
    /// refuses the body.
    Later,
    /// Nothing more at all; the rest is skipped, or the connection closed if it is long.
    Never,
}

/// A small machine that answers one request. It must not block: it runs where packets are handled.
///
/// The calls come in this order: [`on_head`](Self::on_head) once; [`on_body`](Self::on_body) for each piece and
/// [`on_end`](Self::on_end) at the end of the body, as [`appetite`](Self::appetite) allows; and
/// [`poll_response`](Self::poll_response) after each of these (where the end follows at once, after that), whenever output
/// has gone, and after the waker was woken. It is dropped once its answer is complete or can no longer be delivered. A panic in any of them becomes a
/// 500, or a cut answer, on this connection alone.
///
/// ```
/// use std::task::{Context, Poll};
/// use longwire::http::{BodySize, Handler, Step};
///
/// /// Ten bytes a piece, until a thousand.
/// #[derive(Default)]
/// struct Thousand { sent: Option<usize> }
///
/// impl Handler for Thousand {
///     fn poll_response(&mut self, _: &mut Context<'_>, _budget: usize) -> Poll<Step> {
///         Poll::Ready(match &mut self.sent {
///             None => {
///                 self.sent = Some(0);
///                 Step::Head(http::Response::new(BodySize::Known(1000)))
///             }
///             Some(1000) => Step::End(None),
///             Some(sent) => {
///                 *sent += 10;
///                 Step::Body(b"0123456789".as_slice().into())
///             }
///         })
///     }
/// }
/// ```
pub trait Handler: Send {
    /// The request, and how its body is delimited. The values of its fields may share a copy of the head: whoever keeps
    /// one of them for longer than the answer takes should keep a copy of it.
    fn on_head(&mut self, request: Request<()>, body: Framing) {
        let _ = (request, body);
    }

    /// A piece of the request's body, of any size.
    fn on_body(&mut self, piece: &[u8]) {
        let _ = piece;
    }

    /// The request's body is complete (also when there was none).
    fn on_end(&mut self, trailers: Option<HeaderMap>) {
        let _ = trailers;
    }

    /// What it wants of the body now. By default nothing: what is not asked for is not read.
    fn appetite(&self) -> Appetite {
        Appetite::Never
    }

    /// The next step of the answer; a body piece should not be much longer than `budget` bytes. `Pending`: later,
    /// after more of the body, or after the context's waker was woken.
    fn poll_response(&mut self, cx: &mut Context<'_>, budget: usize) -> Poll<Step>;
}

/// Finds the handler for each request; shared by all connections of a server.
///
/// ```
/// use std::task::{Context, Poll};
/// use http::{HeaderMap, Request, Response};
/// use longwire::http::{Appetite, Buffered, Handler, Piece, Service, Step};
///
/// /// Counts the bytes of a body without keeping them.
/// #[derive(Default)]
/// struct Counting { bytes: usize, complete: bool }
///
/// impl Handler for Counting {
///     fn appetite(&self) -> Appetite { Appetite::Hungry }
///     fn on_body(&mut self, piece: &[u8]) { self.bytes += piece.len(); }
///     fn on_end(&mut self, _trailers: Option<HeaderMap>) { self.complete = true; }
///     fn poll_response(&mut self, _: &mut Context<'_>, _budget: usize) -> Poll<Step> {
///         if !self.complete {
///             return Poll::Pending;
///         }
///         let text: Piece = format!("{} bytes\n", self.bytes).into_bytes().into();
///         Poll::Ready(Step::Whole(Response::new(text)))
///     }
/// }
///
/// /// Counts what is put, and sends everything else back.
/// struct Site;
///
/// impl Service for Site {
///     fn handler(&self, request: &mut Request<()>) -> Box<dyn Handler> {
///         match request.method().as_str() {
///             "PUT" => Box::new(Counting::default()),
///             _ => Box::new(Buffered::new(1_000_000, |request| Response::new(request.into_body().into()))),
///         }
///     }
/// }
/// # let _: Box<dyn Handler> = Site.handler(&mut Request::new(()));
/// ```
pub trait Service: Send + Sync {
    /// A new handler for `request`, to which it will be shown next. What a server knows beside the request, such as
    /// the peer's address, it may leave in the request's extensions before it asks another service.
    fn handler(&self, request: &mut Request<()>) -> Box<dyn Handler>;

    /// [`handler`](Self::handler) for a server that knows more than what stands in the request: `introduce` leaves it in the
    /// request's extensions. That has its price, so a service may spare those who do not ask for it.
    fn introduced_handler(
        &self,
        request: &mut Request<()>,
        introduce: &dyn Fn(&mut Request<()>),
    ) -> Box<dyn Handler> {
        introduce(request);
        self.handler(request)
    }
}

/// A function over whole requests as a [`Handler`]: it collects the body, up to a limit, and answers 413 beyond.
pub struct Buffered<F> {
    limit: usize,
    function: F,
    request: Option<Request<Vec<u8>>>,
    state: Collecting,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Collecting {
    Body,
    Complete,
    TooLarge,
}

impl<F: Fn(Request<Vec<u8>>) -> Response<Piece> + Send> Buffered<F> {
    /// `function` answers requests whose body has at most `limit` bytes.
    pub fn new(limit: usize, function: F) -> Self {
        Self { limit, function, request: None, state: Collecting::Body }
    }
}

impl<F: Fn(Request<Vec<u8>>) -> Response<Piece> + Send> Handler for Buffered<F> {
    fn on_head(&mut self, request: Request<()>, body: Framing) {
        // Nothing is reserved for what is only announced: the announcement costs the client nothing.
        if matches!(body, Framing::Length(length) if length > self.limit as u64) {
            self.state = Collecting::TooLarge;
        }
        self.request = Some(request.map(|()| Vec::new()));
    }

    fn on_body(&mut self, piece: &[u8]) {
        let Some(body) = self.request.as_mut().map(Request::body_mut) else { return };
        if body.len() + piece.len() > self.limit {
            self.state = Collecting::TooLarge;
            *body = Vec::new();
        } else if self.state == Collecting::Body {
            body.extend_from_slice(piece);
        }
    }

    fn on_end(&mut self, _trailers: Option<HeaderMap>) {
        if self.state == Collecting::Body {
            self.state = Collecting::Complete;
        }
    }

    fn appetite(&self) -> Appetite {
        if self.state == Collecting::TooLarge { Appetite::Never } else { Appetite::Hungry }
    }

    fn poll_response(&mut self, _cx: &mut Context<'_>, _budget: usize) -> Poll<Step> {
        let answer = match self.state {
            Collecting::Body => None,
            Collecting::Complete => self.request.take().map(&self.function),
            Collecting::TooLarge => Some(plain_answer(StatusCode::PAYLOAD_TOO_LARGE, "")),
        };
        answer.map_or(Poll::Pending, |answer| Poll::Ready(Step::Whole(answer)))
    }
}

/// A ready answer as a handler.
pub(super) struct Ready(pub(super) Option<Response<Piece>>);

impl Handler for Ready {
    fn poll_response(&mut self, _cx: &mut Context<'_>, _budget: usize) -> Poll<Step> {
        Poll::Ready(match self.0.take() {
            Some(response) => Step::Whole(response),
            None => Step::Body(Cow::Borrowed(b"")),
        })
    }
}
