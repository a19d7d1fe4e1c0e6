//! `POST /echo`: the body comes back as it goes in.

use std::task::{Context, Poll};

use ::http::header::CONTENT_TYPE;
use ::http::{HeaderMap, HeaderValue, Request, Response};

use crate::http::message::Framing;
use crate::http::{Appetite, BodySize, Handler, Piece, Step};

/// Bytes that may wait to go back before no more are taken.
const HELD: usize = 128 * 1024;

/// Streams the body of the request into the answer, whatever its length.
#[derive(Default)]
pub(super) struct Echo {
    head: Option<Response<BodySize>>,
    held: Vec<u8>,
    complete: bool,
}

impl Handler for Echo {
    fn on_head(&mut self, request: Request<()>, body: Framing) {
        let size = match body {
            Framing::Length(length) => BodySize::Known(length),
            _ if body.is_empty() => BodySize::Known(0),
            _ => BodySize::Unknown,
        };
        let mut response = Response::new(size);
        let unknown = HeaderValue::from_static("application/octet-stream");
        let kind = request.headers().get(CONTENT_TYPE).cloned().unwrap_or(unknown);
        response.headers_mut().insert(CONTENT_TYPE, kind);
        self.head = Some(response);
    }

    fn on_body(&mut self, piece: &[u8]) {
        self.held.extend_from_slice(piece);
    }

    fn on_end(&mut self, _trailers: Option<HeaderMap>) {
        self.complete = true;
    }

    fn appetite(&self) -> Appetite {
        if self.held.len() < HELD { Appetite::Hungry } else { Appetite::Later }
    }

    fn poll_response(&mut self, _cx: &mut Context<'_>, _budget: usize) -> Poll<Step> {
        if let Some(head) = self.head.take() {
            return Poll::Ready(Step::Head(head));
        }
        if !self.held.is_empty() {
            return Poll::Ready(Step::Body(Piece::Owned(std::mem::take(&mut self.held))));
        }
        if self.complete { Poll::Ready(Step::End(None)) } else { Poll::Pending }
    }
}
