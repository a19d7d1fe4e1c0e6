//! From a representation and a request to an answer, piece by piece.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::task::{Context, Poll};

use ::http::header::{ACCEPT_RANGES, CONTENT_RANGE, CONTENT_TYPE};
use ::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};

use super::multipart::Multipart;
use super::range::{Selection, select};
use crate::http::message::Framing;
use crate::http::{BodySize, Handler, Piece, Step};

/// Where the bytes of a representation come from.
pub(in crate::serve) trait Source: Send {
    /// At least one and at most `most` bytes from `offset` on. `Pending`: the waker is woken when there are some.
    ///
    /// # Errors
    /// They cannot be had any more; the answer is cut.
    fn read(&mut self, cx: &mut Context<'_>, offset: u64, most: usize) -> Poll<io::Result<Piece>>;
}

/// What can be delivered, without its bytes.
#[derive(Clone, Debug)]
pub(in crate::serve) struct Representation {
    length: u64,
    headers: HeaderMap,
}

impl Representation {
    /// Of `length` bytes of no known type.
    pub(in crate::serve) fn new(length: u64) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        Representation { length, headers }
    }
}

/// A stretch of the answer's body.
#[derive(Debug)]
pub(super) enum Part {
    Text(Vec<u8>),
    Range(Range<u64>),
}

impl Part {
    pub(super) fn len(&self) -> u64 {
        match self {
            Part::Text(text) => text.len() as u64,
            Part::Range(range) => range.end - range.start,
        }
    }
}

/// A handler that delivers a representation, or says that there is none.
pub(in crate::serve) struct Delivery<S> {
    found: Option<(Representation, S)>,
    head: Option<Response<BodySize>>,
    parts: VecDeque<Part>,
}

impl<S: Source> Delivery<S> {
    pub(in crate::serve) fn new(found: Option<(Representation, S)>) -> Self {
        Delivery { found, head: None, parts: VecDeque::new() }
    }
}

impl<S: Source> Handler for Delivery<S> {
    fn on_head(&mut self, request: Request<()>, _body: Framing) {
        let (head, parts) = match &self.found {
            Some((representation, _)) => plan(&request, representation),
            None => status(StatusCode::NOT_FOUND),
        };
        (self.head, self.parts) = (Some(head), parts);
    }

    fn poll_response(&mut self, cx: &mut Context<'_>, budget: usize) -> Poll<Step> {
        if let Some(head) = self.head.take() {
            return Poll::Ready(Step::Head(head));
        }
        let piece = match self.parts.front_mut() {
            None => return Poll::Ready(Step::End(None)),
            Some(Part::Text(text)) => Piece::Owned(std::mem::take(text)),
            Some(Part::Range(range)) => {
                let Some((_, source)) = &mut self.found else { return Poll::Ready(Step::End(None)) };
                let most = usize::try_from(range.end - range.start).unwrap_or(usize::MAX).min(budget);
                match source.read(cx, range.start, most) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Ok(piece)) => {
                        range.start += piece.len() as u64;
                        piece
                    }
                    // Less than was announced: the connection is cut, so that nobody takes it for the whole.
                    Poll::Ready(Err(_)) => return Poll::Ready(Step::End(None)),
                }
            }
        };
        let exhausted = match self.parts.front() {
            Some(Part::Range(range)) => range.is_empty(),
            _ => true,
        };
        if exhausted {
            self.parts.pop_front();
        }
        Poll::Ready(Step::Body(piece))
    }
}

/// The head of the answer, and what its body is made of.
fn plan(request: &Request<()>, representation: &Representation) -> (Response<BodySize>, VecDeque<Part>) {
    let Representation { length, headers } = representation;
    let length = *length;
    // RFC 9110 14.2: ranges are defined for GET only.
    let selection =
        if request.method() == Method::GET { select(request.headers(), length) } else { Selection::Whole };
    let mut response = Response::new(BodySize::Known(length));
    *response.headers_mut() = headers.clone();
    response.headers_mut().insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let parts = match selection {
        Selection::Whole if length == 0 => VecDeque::new(),
        Selection::Whole => VecDeque::from([Part::Range(0..length)]),
        Selection::Unsatisfiable => {
            let (mut response, parts) = status(StatusCode::RANGE_NOT_SATISFIABLE);
            response.headers_mut().insert(CONTENT_RANGE, field(format!("bytes */{length}")));
            return (response, parts);
        }
        Selection::Parts(ranges) => partial(&mut response, ranges, length),
    };
    (response, parts)
}

/// Makes a 206 of `response`.
fn partial(response: &mut Response<BodySize>, mut ranges: Vec<Range<u64>>, length: u64) -> VecDeque<Part> {
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    if let [range] = &mut ranges[..] {
        let range = range.clone();
        let described = field(format!("bytes {}-{}/{length}", range.start, range.end - 1));
        response.headers_mut().insert(CONTENT_RANGE, described);
        *response.body_mut() = BodySize::Known(range.end - range.start);
        return VecDeque::from([Part::Range(range)]);
    }
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let Multipart { content_type, parts, length } = Multipart::new(ranges, length, kind);
    response.headers_mut().insert(CONTENT_TYPE, field(content_type));
    *response.body_mut() = BodySize::Known(length);
    parts
}

/// An answer that only says its status.
pub(super) fn status(status: StatusCode) -> (Response<BodySize>, VecDeque<Part>) {
    let text = format!("{} {}\n", status.as_str(), status.canonical_reason().unwrap_or_default());
    let mut response = Response::new(BodySize::Known(text.len() as u64));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    (response, VecDeque::from([Part::Text(text.into_bytes())]))
}

/// A field value made of our own words and numbers.
fn field(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("visible ASCII")
}
