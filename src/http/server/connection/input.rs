//! What arrives: heads, bodies, the end of the stream.

use std::time::Duration;

use super::{Event, Phase, Received, ServerConnection};
use crate::http::message::{BodyDecoder, Decoded, HeadProgress, marked_framing, parse_marked_request};
use crate::http::server::Reason;
use crate::http::server::exchange::{Asked, Exchange, Reading, Writing};
use crate::http::server::pace::Pace;
use crate::http::{BadMessage, Now};

impl ServerConnection {
    /// Looks at what has arrived. See the type's documentation for how often to call it.
    pub fn receive<'a>(&mut self, now: Now, input: &'a [u8]) -> Received<'a> {
        let received = match self.phase {
            Phase::Open => self.receive_open(now, input),
            Phase::Flushing | Phase::Lingering | Phase::Closed | Phase::Aborted => {
                Received::nothing(input.len())
            }
        };
        self.settle(now.at);
        received
    }

    /// The peer has ended its stream, and everything it sent has been through [`receive`](Self::receive).
    pub fn receive_eof(&mut self, now: Now) {
        self.peer_done = true;
        if self.phase == Phase::Lingering {
            self.phase = Phase::Closed;
        }
        let Some(exchange) = self.exchange.as_mut().filter(|_| self.phase == Phase::Open) else {
            return self.settle(now.at);
        };
        match &exchange.reading {
            _ if exchange.is_between_requests() => {}
            Reading::Head(_) => self.refuse(now, BadMessage::Truncated),
            Reading::Undecided(decoder) | Reading::Body(decoder) => {
                if let Err(bad) = decoder.end_of_stream() {
                    self.refuse(now, bad);
                }
            }
            Reading::Discard(_) => exchange.reading = Reading::Done,
            Reading::Done => {}
        }
        self.last = true;
        self.settle(now.at);
    }

    /// The request's body is wanted: sends `100 Continue` if the client waits for it. Nothing without a body.
    pub fn accept_body(&mut self, now: Now) {
        let Some(exchange) = &mut self.exchange else { return };
        if !matches!(exchange.reading, Reading::Undecided(_)) {
            return;
        }
        if let Reading::Undecided(decoder) = std::mem::replace(&mut exchange.reading, Reading::Done) {
            exchange.reading = Reading::Body(decoder);
        }
        if exchange.asked.expects_continue {
            exchange.write(now.at, |out| out.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n"));
        }
        self.settle(now.at);
    }

    /// The (rest of the) request's body is not wanted. A short rest is read and dropped, for the sake of the
    /// connection; a long one, or one the client may never send, makes this exchange the last.
    pub fn refuse_body(&mut self, now: Now) {
        self.let_body_go();
        self.settle(now.at);
    }

    /// [`refuse_body`](Self::refuse_body), of which the consequences are drawn with what follows.
    pub(in crate::http::server) fn let_body_go(&mut self) {
        let Some(exchange) = &mut self.exchange else { return };
        if !matches!(exchange.reading, Reading::Undecided(_) | Reading::Body(_)) {
            return;
        }
        let (decoder, may_never_come) = match std::mem::replace(&mut exchange.reading, Reading::Done) {
            Reading::Undecided(decoder) => (decoder, exchange.asked.expects_continue),
            Reading::Body(decoder) => (decoder, false),
            Reading::Head(_) | Reading::Discard(_) | Reading::Done => return,
        };
        match decoder.remaining() {
            Some(0) => {}
            Some(rest) if rest <= self.config.drain_limit && !may_never_come && !self.peer_done => {
                exchange.reading = Reading::Discard(decoder);
            }
            _ => {
                self.reasons.insert(Reason::BodyRefused);
                self.last = true;
            }
        }
    }

    /// While held, no body bytes are taken, and the body's clock stands.
    pub fn hold_body(&mut self, now: Now, hold: bool) {
        if let Some(exchange) = &mut self.exchange
            && std::mem::replace(&mut exchange.held, hold) != hold
        {
            self.settle(now.at);
        }
    }

    fn receive_open<'a>(&mut self, now: Now, input: &'a [u8]) -> Received<'a> {
        if !self.wants_input() && !self.awaits_end() {
            return Received::nothing(0);
        }
        if input.is_empty() && self.is_between_requests() {
            return Received::nothing(0);
        }
        // The first head's time began with the connection.
        let first_due = self.deadline;
        let later_due = now.at.saturating_add(self.config.header_timeout);
        let head_due = if self.requests == 0 { first_due } else { later_due };
        let exchange = self.exchange.get_or_insert_with(|| match self.spare.take() {
            Some(mut spare) => {
                spare.renew(head_due);
                spare
            }
            None => Box::new(Exchange::new(head_due)),
        });
        let result = match &mut exchange.reading {
            Reading::Head(_) => {
                if exchange.is_between_requests() {
                    exchange.head_due = head_due;
                }
                self.receive_head(input)
            }
            Reading::Body(decoder) => {
                let decoded = decoder.decode(input, &self.config.head);
                decoded.map(|(consumed, decoded)| self.deliver(now.at, consumed, decoded))
            }
            Reading::Discard(_) => self.discard(now.at, input).map(Received::nothing),
            Reading::Undecided(_) | Reading::Done => Ok(Received::nothing(0)),
        };
        result.unwrap_or_else(|bad| {
            self.refuse(now, bad);
            Received::nothing(input.len())
        })
    }

    /// The body is complete, and the event that says so is still owed: there need be no more input for it.
    pub(in crate::http::server) fn awaits_end(&self) -> bool {
        let reading = self.exchange.as_ref().map(|exchange| &exchange.reading);
        matches!(reading, Some(Reading::Body(decoder)) if decoder.remaining() == Some(0))
    }

    fn receive_head<'a>(&mut self, input: &'a [u8]) -> Result<Received<'a>, BadMessage> {
        let Some(exchange) = &mut self.exchange else { return Ok(Received::nothing(0)) };
        let Reading::Head(buffer) = &mut exchange.reading else { return Ok(Received::nothing(0)) };
        let ((request, marks), consumed) = match buffer.feed(input, &self.config.head)? {
            HeadProgress::Partial => return Ok(Received::nothing(input.len())),
            HeadProgress::Complete { head, consumed, fields } => {
                (parse_marked_request(head, fields)?, consumed)
            }
        };
        exchange.asked = Asked::of(&request, marks);
        exchange.writing = Writing::Awaited;
        exchange.held = false;
        exchange.pace = Pace::default();
        self.requests = self.requests.saturating_add(1);
        let framing = marked_framing(request.method(), request.version(), request.headers(), marks)?;
        let decoder = BodyDecoder::new(framing);
        exchange.reading =
            if framing.is_empty() { Reading::Body(decoder) } else { Reading::Undecided(decoder) };
        Ok(Received { consumed, event: Some(Event::Head(request, framing)) })
    }

    fn deliver<'a>(&mut self, now: Duration, consumed: usize, decoded: Decoded<'a>) -> Received<'a> {
        let Some(exchange) = &mut self.exchange else { return Received::nothing(consumed) };
        let event = match decoded {
            Decoded::More => None,
            Decoded::Data(data) => {
                exchange.pace.count(now, data.len(), &self.config);
                Some(Event::Body(data))
            }
            Decoded::End(trailers) => {
                exchange.reading = Reading::Done;
                Some(Event::End(trailers))
            }
        };
        Received { consumed, event }
    }

    /// Drops body bytes; says how many.
    fn discard(&mut self, now: Duration, input: &[u8]) -> Result<usize, BadMessage> {
        let Some(exchange) = &mut self.exchange else { return Ok(0) };
        let Reading::Discard(decoder) = &mut exchange.reading else { return Ok(0) };
        let (consumed, _) = decoder.decode(input, &self.config.head)?;
        if decoder.remaining() == Some(0) {
            exchange.reading = Reading::Done;
        }
        exchange.pace.count(now, consumed, &self.config);
        Ok(consumed)
    }
}
