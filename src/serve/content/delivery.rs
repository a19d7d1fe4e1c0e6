//! From a representation and a request to an answer, piece by piece.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::task::{Context, Poll};

use ::http::header::{ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE, ETAG, LAST_MODIFIED};
use ::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};

use super::conditional::{Validators, Verdict, evaluate};
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

/// A source for answers that have no other body than their own words.
pub(in crate::serve) enum Nothing {}

impl Source for Nothing {
    fn read(&mut self, _cx: &mut Context<'_>, _offset: u64, _most: usize) -> Poll<io::Result<Piece>> {
        match *self {}
    }
}

/// What can be delivered, without its bytes.
#[derive(Clone, Debug)]
pub(in crate::serve) struct Representation {
    length: u64,
    headers: HeaderMap,
    validators: Validators,
}

impl Representation {
    /// Of `length` bytes of the type `kind`, always the same.
    pub(in crate::serve) fn new(length: u64, kind: HeaderValue) -> Self {
        Representation::with_validators(length, kind, Validators::default())
    }

    /// One that may change, and has other `validators` then.
    pub(in crate::serve) fn with_validators(length: u64, kind: HeaderValue, validators: Validators) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, kind);
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        if let Some(etag) = &validators.etag {
            headers.insert(ETAG, field(etag.clone()));
        }
        if let Some(modified) = validators.modified {
            headers.insert(LAST_MODIFIED, field(httpdate::fmt_http_date(modified)));
        }
        Representation { length, headers, validators }
    }

    /// Fields of the answer.
    pub(in crate::serve) fn headers_mut(&mut self) -> &mut HeaderMap {
        &mut self.headers
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

/// An answer under way.
pub(in crate::serve) struct Delivery<S> {
    source: Option<S>,
    head: Option<Response<BodySize>>,
    parts: VecDeque<Part>,
}

impl<S: Source> Delivery<S> {
    /// What `request` wants of `representation`, whose bytes come from `source`.
    pub(in crate::serve) fn of(request: &Request<()>, representation: &Representation, source: S) -> Self {
        let verdict = evaluate(request, &representation.validators);
        let selection = match verdict {
            Verdict::NotModified => return Delivery::without_body(not_modified(representation)),
            Verdict::Failed => return Delivery::status(StatusCode::PRECONDITION_FAILED),
            // RFC 9110 14.2: ranges are defined for GET only.
            Verdict::Proceed if request.method() == Method::GET => {
                select(request.headers(), representation.length)
            }
            Verdict::Proceed | Verdict::Whole => Selection::Whole,
        };
        let length = representation.length;
        let mut response = Response::new(BodySize::Known(length));
        response.headers_mut().clone_from(&representation.headers);
        let parts = match selection {
            Selection::Whole if length == 0 => VecDeque::new(),
            Selection::Whole => VecDeque::from([Part::Range(0..length)]),
            Selection::Parts(ranges) => partial(&mut response, ranges, length),
            Selection::Unsatisfiable => {
                let mut refusal = Delivery::status(StatusCode::RANGE_NOT_SATISFIABLE);
                refusal.set(CONTENT_RANGE, field(format!("bytes */{length}")));
                return refusal;
            }
        };
        Delivery { source: Some(source), head: Some(response), parts }
    }

    /// An answer that says its status and nothing else.
    pub(in crate::serve) fn status(status: StatusCode) -> Self {
        let text = format!("{} {}\n", status.as_str(), status.canonical_reason().unwrap_or_default());
        let kind = HeaderValue::from_static("text/plain; charset=utf-8");
        Delivery::text(status, kind, text)
    }

    /// A short answer.
    pub(in crate::serve) fn text(status: StatusCode, kind: HeaderValue, text: String) -> Self {
        let mut response = Response::new(BodySize::Known(text.len() as u64));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, kind);
        Delivery {
            source: None,
            head: Some(response),
            parts: VecDeque::from([Part::Text(text.into_bytes())]),
        }
    }

    /// An answer that is only a head.
    pub(in crate::serve) fn without_body(head: Response<()>) -> Self {
        Delivery { source: None, head: Some(head.map(|()| BodySize::Known(0))), parts: VecDeque::new() }
    }

    /// Sets a field of the head, if that has not gone yet.
    pub(in crate::serve) fn set(&mut self, name: ::http::HeaderName, value: HeaderValue) {
        if let Some(head) = &mut self.head {
            head.headers_mut().insert(name, value);
        }
    }

    /// The next step, as a handler has to say it.
    pub(in crate::serve) fn poll(&mut self, cx: &mut Context<'_>, budget: usize) -> Poll<Step> {
        if let Some(head) = self.head.take() {
            return Poll::Ready(Step::Head(head));
        }
        let piece = match (self.parts.front_mut(), &mut self.source) {
            (Some(Part::Text(text)), _) => Piece::Owned(std::mem::take(text)),
            (Some(Part::Range(range)), Some(source)) => {
                let most = usize::try_from(range.end - range.start).unwrap_or(usize::MAX).min(budget);
                match source.read(cx, range.start, most) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Ok(piece)) => {
                        range.start += piece.len() as u64;
                        piece
                    }
                    // Less than was announced: the connection is cut, so that nobody takes it for the whole.
                    Poll::Ready(Err(error)) => {
                        log::warn!("an answer was cut: {error}");
                        return Poll::Ready(Step::End(None));
                    }
                }
            }
            _ => return Poll::Ready(Step::End(None)),
        };
        if !matches!(self.parts.front(), Some(Part::Range(range)) if !range.is_empty()) {
            self.parts.pop_front();
        }
        Poll::Ready(Step::Body(piece))
    }
}

/// Makes a 206 of `response`.
fn partial(response: &mut Response<BodySize>, ranges: Vec<Range<u64>>, length: u64) -> VecDeque<Part> {
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    if let [range] = &ranges[..] {
        let described = field(format!("bytes {}-{}/{length}", range.start, range.end - 1));
        response.headers_mut().insert(CONTENT_RANGE, described);
        *response.body_mut() = BodySize::Known(range.end - range.start);
        return ranges.into_iter().map(Part::Range).collect();
    }
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let Multipart { content_type, parts, length } = Multipart::new(ranges, length, kind);
    response.headers_mut().insert(CONTENT_TYPE, field(content_type));
    *response.body_mut() = BodySize::Known(length);
    parts
}

/// RFC 9110 15.4.5: what a cache needs, and nothing that describes a body that is not there.
fn not_modified(representation: &Representation) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    response.headers_mut().clone_from(&representation.headers);
    for name in [CONTENT_TYPE, CONTENT_ENCODING, ACCEPT_RANGES] {
        response.headers_mut().remove(name);
    }
    response
}

/// A field value made of our own words and numbers.
pub(super) fn field(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("visible ASCII")
}

/// A handler whose answer is known as soon as the request is.
pub(in crate::serve) struct Deliver<F, S> {
    decide: Option<F>,
    delivery: Delivery<S>,
}

impl<F, S: Source> Deliver<F, S>
where
    F: FnOnce(&Request<()>) -> Delivery<S> + Send,
{
    pub(in crate::serve) fn new(decide: F) -> Self {
        Deliver { decide: Some(decide), delivery: Delivery::status(StatusCode::NOT_FOUND) }
    }
}

impl<F, S: Source> Handler for Deliver<F, S>
where
    F: FnOnce(&Request<()>) -> Delivery<S> + Send,
{
    fn on_head(&mut self, request: Request<()>, _body: Framing) {
        if let Some(decide) = self.decide.take() {
            self.delivery = decide(&request);
        }
    }

    fn poll_response(&mut self, cx: &mut Context<'_>, budget: usize) -> Poll<Step> {
        self.delivery.poll(cx, budget)
    }
}
