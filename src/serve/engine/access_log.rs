//! A line in the log for each answer.

use std::net::SocketAddr;
use std::task::{Context, Poll};

use ::http::{HeaderMap, Request};

use crate::http::message::Framing;
use crate::http::{Appetite, Handler, Step};
use crate::serve::About;

/// The log's target; its lines are at level debug, as writing one costs more than a small answer.
const TARGET: &str = "longwire::access";

/// A handler whose answer is logged once it is complete, or can no longer be delivered.
pub(in crate::serve) struct AccessLog {
    handler: Box<dyn Handler>,
    request: String,
    peer: Option<SocketAddr>,
    status: u16,
    sent: u64,
}

impl AccessLog {
    /// Puts itself around the handler that `make` gives, if the log wants such lines.
    pub(in crate::serve) fn around(
        request: &mut Request<()>,
        about: impl Fn() -> Option<About>,
        make: impl FnOnce(&mut Request<()>) -> Box<dyn Handler>,
    ) -> Box<dyn Handler> {
        if !log::log_enabled!(target: TARGET, log::Level::Debug) {
            return make(request);
        }
        let line = format!("{} {} {:?}", request.method(), request.uri(), request.version());
        let handler = make(request);
        let peer = about().map(|about| about.peer);
        Box::new(AccessLog { handler, request: line, peer, status: 0, sent: 0 })
    }

    fn note(&mut self, step: &Step) {
        match step {
            Step::Whole(response) => {
                self.status = response.status().as_u16();
                self.sent = response.body().len() as u64;
            }
            Step::Head(response) => self.status = response.status().as_u16(),
            Step::Body(piece) => self.sent += piece.len() as u64,
            Step::End(_) => {}
        }
    }
}

impl Handler for AccessLog {
    fn on_head(&mut self, request: Request<()>, body: Framing) {
        self.handler.on_head(request, body);
    }

    fn on_body(&mut self, piece: &[u8]) {
        self.handler.on_body(piece);
    }

    fn on_end(&mut self, trailers: Option<HeaderMap>) {
        self.handler.on_end(trailers);
    }

    fn appetite(&self) -> Appetite {
        self.handler.appetite()
    }

    fn poll_response(&mut self, cx: &mut Context<'_>, budget: usize) -> Poll<Step> {
        let polled = self.handler.poll_response(cx, budget);
        if let Poll::Ready(step) = &polled {
            self.note(step);
        }
        polled
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        let AccessLog { request, peer, status, sent, .. } = self;
        let peer = peer.map_or_else(|| "-".to_owned(), |peer| peer.to_string());
        log::debug!(target: TARGET, "{peer} \"{request}\" {status} {sent}");
    }
}
