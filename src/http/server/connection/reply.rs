//! The answer to a request: its head, its body, and what becomes of it when something fails.

use std::time::Duration;

use ::http::{HeaderMap, Response, StatusCode};

use super::{Phase, ServerConnection};
use crate::http::encoder::Encoder;
use crate::http::server::Reason;
use crate::http::server::answer::{Given, Persistence, encoder, plain_answer, write_head};
use crate::http::server::exchange::{Asked, Exchange, Reading, Writing};
use crate::http::{BadMessage, BodySize, Now, Piece};

impl ServerConnection {
    /// Begins the answer. Fields that concern the connection (`Connection`, `Keep-Alive`, `Content-Length`,
    /// `Transfer-Encoding`) are set here and not taken from the handler, but for its `Connection: close`.
    /// A body that was not accepted is refused; an informational status becomes 500.
    pub fn respond(&mut self, now: Now, response: Response<BodySize>) {
        self.begin(now, response);
        self.settle(now.at);
    }

    fn begin(&mut self, now: Now, mut response: Response<BodySize>) {
        if !matches!(self.exchange.as_ref().map(|e| &e.writing), Some(Writing::Awaited)) {
            return;
        }
        if matches!(self.exchange.as_ref().map(|e| &e.reading), Some(Reading::Undecided(_))) {
            self.let_body_go();
        }
        if response.status() == StatusCode::PAYLOAD_TOO_LARGE {
            self.reasons.insert(Reason::BodyTooLarge);
        }
        if response.status().is_informational() {
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        }
        let Some(asked) = self.exchange.as_ref().map(|exchange| exchange.asked) else { return };
        let encoder = encoder(response.status(), *response.body(), asked);
        let given = Given::by(response.headers());
        let persistence = self.persistence(asked, &encoder, given);
        let Self { exchange: Some(exchange), config, .. } = self else { return };
        let is_whole = encoder.owes_nothing();
        exchange.write(now.at, |out| {
            write_head(out, &response, given, asked, persistence, config, &now.date);
        });
        exchange.writing = Writing::Body(encoder);
        if is_whole {
            self.end(now, None);
        }
    }

    /// A piece of the answer's body. With the last byte of an announced length the answer is complete, and what
    /// exceeds it is dropped; so is the body of an answer that has none (to HEAD, say), which ends with its head.
    pub fn send(&mut self, now: Now, piece: Piece) {
        self.push(now, piece);
        self.settle(now.at);
    }

    fn push(&mut self, now: Now, piece: Piece) {
        let Some(exchange) = &mut self.exchange else { return };
        let Writing::Body(encoder) = &mut exchange.writing else { return };
        if exchange.output.is_empty() {
            exchange.progress_at = now.at;
        }
        encoder.push(piece, &mut exchange.output);
        if encoder.owes_nothing() {
            self.end(now, None);
        }
    }

    /// Ends the answer's body; trailers go out if it is chunked. An answer shorter than announced is cut.
    pub fn finish(&mut self, now: Now, trailers: Option<&HeaderMap>) {
        self.end(now, trailers);
        self.settle(now.at);
    }

    fn end(&mut self, now: Now, trailers: Option<&HeaderMap>) {
        let Some(exchange) = &mut self.exchange else { return };
        let Writing::Body(encoder) = &mut exchange.writing else { return };
        if exchange.output.is_empty() {
            exchange.progress_at = now.at;
        }
        if !encoder.finish(trailers, &mut exchange.output) {
            return self.cut(Reason::HandlerBroken);
        }
        exchange.writing = Writing::Done;
        exchange.served = true;
        self.let_body_go();
    }

    /// The answer in one call.
    pub fn respond_whole(&mut self, now: Now, response: Response<Piece>) {
        let (parts, body) = response.into_parts();
        self.begin(now, Response::from_parts(parts, BodySize::Known(body.len() as u64)));
        self.push(now, body);
        self.end(now, None);
        self.settle(now.at);
    }

    /// The handler has failed: 500 if its answer has not begun, otherwise the answer is cut.
    pub fn fail(&mut self, now: Now, reason: Reason) {
        self.reasons.insert(reason);
        self.give_up(now, plain_answer(StatusCode::INTERNAL_SERVER_ERROR, ""));
        self.settle(now.at);
    }

    fn persistence(&mut self, asked: Asked, encoder: &Encoder, given: Given) -> Persistence {
        let left = self.config.max_requests.map(|max| max.saturating_sub(self.requests));
        if left == Some(0) && !self.last {
            self.reasons.insert(Reason::MaxRequests);
        }
        self.last |= left == Some(0) || !asked.persistent || *encoder == Encoder::UntilClose || given.close;
        match (self.last, asked.keep_alive) {
            (true, _) => Persistence::Close,
            (false, true) => Persistence::Announced { left },
            (false, false) => Persistence::Silent,
        }
    }

    /// A request cannot be read on. RFC 9112 11.2: what follows it might be anything, so nothing of it is looked at.
    pub(super) fn refuse(&mut self, now: Now, bad: BadMessage) {
        self.reasons.insert(Reason::BadRequest);
        self.give_up(now, plain_answer(bad.status(), &bad.to_string()));
    }

    /// Answers with `response` and closes; cuts an answer that has begun, lets one be that is complete.
    pub(super) fn give_up(&mut self, now: Now, response: Response<Piece>) {
        match self.exchange.as_ref().map(|exchange| &exchange.writing) {
            Some(Writing::Body(_)) => self.cut_silently(),
            Some(Writing::Done) => {
                self.last = true;
                self.stop_reading();
            }
            Some(Writing::NoRequest | Writing::Awaited) | None => self.answer_unread(now, response),
        }
    }

    /// Answers, once and for all, whatever has been read.
    pub(super) fn answer_unread(&mut self, now: Now, response: Response<Piece>) {
        let exchange = self.exchange.get_or_insert_with(|| Box::new(Exchange::new(Duration::MAX)));
        if matches!(exchange.writing, Writing::NoRequest) {
            exchange.asked = Asked::UNKNOWN;
        }
        exchange.writing = Writing::Awaited;
        exchange.reading = Reading::Done;
        self.last = true;
        self.respond_whole(now, response);
    }

    fn stop_reading(&mut self) {
        if let Some(exchange) = &mut self.exchange {
            exchange.reading = Reading::Done;
        }
    }

    fn cut(&mut self, reason: Reason) {
        self.reasons.insert(reason);
        self.cut_silently();
    }

    pub(super) fn cut_silently(&mut self) {
        self.exchange = None;
        self.phase = Phase::Aborted;
    }
}
