//! Deadlines, and how a connection goes on or ends.

use std::time::Duration;

use ::http::StatusCode;

use super::{Phase, ServerConnection};
use crate::http::Now;
use crate::http::message::HeadBuffer;
use crate::http::server::Reason;
use crate::http::server::answer::plain_answer;
use crate::http::server::exchange::{Reading, Writing};

impl ServerConnection {
    /// The one place that knows which limit comes next, for [`deadline`](Self::deadline) and what it leads to.
    pub(super) fn due(&self) -> Option<(Duration, Reason)> {
        let due = match (self.phase, &self.exchange) {
            (Phase::Open | Phase::Flushing, Some(exchange)) => exchange.due(&self.config)?,
            (Phase::Open, None) if self.requests == 0 => (self.deadline, Reason::HeaderTimeout),
            (Phase::Open, None) => (self.deadline, Reason::IdleTimeout),
            (Phase::Lingering, _) => (self.deadline, Reason::LingerTimeout),
            (Phase::Flushing, None) | (Phase::Closed | Phase::Aborted, _) => return None,
        };
        (due.0 != Duration::MAX).then_some(due)
    }

    /// Lets the limit fire that is due, if one is.
    pub fn handle_timeout(&mut self, now: Now) {
        let Some((_, reason)) = self.due().filter(|(at, _)| *at <= now.at) else { return };
        self.reasons.insert(reason);
        match reason {
            Reason::HeaderTimeout if self.exchange.is_some() => {
                let response = plain_answer(StatusCode::REQUEST_TIMEOUT, "the head took too long");
                self.give_up(now, response);
            }
            Reason::BodyTimeout | Reason::BodyRate => {
                let response = plain_answer(StatusCode::REQUEST_TIMEOUT, "the body took too long");
                self.give_up(now, response);
            }
            // Nobody has asked anything: an answer could be taken for one to a request that is on its way.
            Reason::HeaderTimeout | Reason::IdleTimeout => self.end_in_order(now.at),
            Reason::LingerTimeout => self.phase = Phase::Closed,
            _ => self.cut_silently(),
        }
        self.settle(now.at);
    }

    /// The server is shutting down: what is in flight is finished and is the last, an idle connection ends now.
    pub fn shutdown(&mut self, now: Now) {
        self.end_soon(now, Reason::Shutdown);
    }

    /// The server needs room for others: as at a shutdown. Meant for the longest [idle](Self::is_idle).
    pub fn make_room(&mut self, now: Now) {
        self.end_soon(now, Reason::Evicted);
    }

    fn end_soon(&mut self, now: Now, reason: Reason) {
        if self.phase != Phase::Open {
            return;
        }
        self.reasons.insert(reason);
        self.last = true;
        if self.exchange.is_none() {
            self.end_in_order(now.at);
        }
        self.settle(now.at);
    }

    /// The transport has failed (reset by the peer, say): nothing more can be said or heard.
    pub fn transport_failed(&mut self) {
        if self.phase == Phase::Open || self.phase == Phase::Flushing {
            self.reasons.insert(Reason::TransportFailed);
        }
        self.cut_silently();
    }

    /// FIN, and reading on for a while; or nothing more, if the peer has closed its side already.
    fn end_in_order(&mut self, now: Duration) {
        (self.exchange, self.spare) = (None, None);
        self.deadline = now.saturating_add(self.config.linger_timeout);
        self.phase = if self.peer_done { Phase::Closed } else { Phase::Lingering };
    }

    /// Draws the consequences of what just happened.
    pub(super) fn settle(&mut self, now: Duration) {
        if self.phase == Phase::Open {
            self.settle_open(now);
        }
        if self.phase == Phase::Flushing && self.output_len() == 0 {
            self.end_in_order(now);
        }
    }

    fn settle_open(&mut self, now: Duration) {
        let Some(exchange) = &mut self.exchange else {
            if self.peer_done {
                self.reasons.insert(Reason::ClientClosed);
                self.phase = Phase::Closed;
            }
            return;
        };
        if exchange.is_complete() && !self.last {
            exchange.reading = Reading::Head(HeadBuffer::default());
            exchange.writing = Writing::NoRequest;
        }
        if exchange.is_complete() || (self.last && exchange.is_between_requests()) {
            self.phase = Phase::Flushing;
        } else if exchange.is_idle() {
            if exchange.served {
                let timeout = self.config.idle_timeout.unwrap_or(Duration::MAX);
                self.deadline = now.saturating_add(timeout);
            }
            exchange.output.release();
            self.spare = self.exchange.take();
            self.settle_open(now);
        } else {
            exchange.keep_pace(now, &self.config);
        }
    }
}
