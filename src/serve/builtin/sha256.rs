//! `POST /sha256`: what arrived, in a form that can be compared.

use std::task::{Context, Poll};

use ::http::header::{ACCEPT, CONTENT_TYPE};
use ::http::{HeaderMap, HeaderValue, Request, Response};
use sha2::{Digest as _, Sha256};

use crate::http::message::{Framing, list_items};
use crate::http::{Appetite, Handler, Piece, Step};

/// Hashes the body as it comes. The answer is text (length, space, hash), or JSON for who accepts that by name.
#[derive(Default)]
pub(super) struct Digest {
    hash: Sha256,
    length: u64,
    json: bool,
    complete: bool,
}

impl Handler for Digest {
    fn on_head(&mut self, request: Request<()>, _body: Framing) {
        let mut accepted = list_items(request.headers(), &ACCEPT);
        self.json = accepted.any(|item| {
            let kind = item.split(';').next().unwrap_or_default();
            kind.trim().eq_ignore_ascii_case("application/json")
        });
    }

    fn on_body(&mut self, piece: &[u8]) {
        self.hash.update(piece);
        self.length += piece.len() as u64;
    }

    fn on_end(&mut self, _trailers: Option<HeaderMap>) {
        self.complete = true;
    }

    fn appetite(&self) -> Appetite {
        Appetite::Hungry
    }

    fn poll_response(&mut self, _cx: &mut Context<'_>, _budget: usize) -> Poll<Step> {
        if !self.complete {
            return Poll::Pending;
        }
        let hash: String = self.hash.finalize_reset().iter().map(|byte| format!("{byte:02x}")).collect();
        let length = self.length;
        let (kind, text) = if self.json {
            ("application/json", format!("{{\"length\":{length},\"sha256\":\"{hash}\"}}\n"))
        } else {
            ("text/plain; charset=utf-8", format!("{length} {hash}\n"))
        };
        let mut response = Response::new(Piece::Owned(text.into_bytes()));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        Poll::Ready(Step::Whole(response))
    }
}
