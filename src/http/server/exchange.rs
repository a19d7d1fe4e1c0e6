//! One request and its answer: what a connection needs only while it is not idle.

use std::time::Duration;

use ::http::header::EXPECT;
use ::http::{Method, Request, Version};

use super::pace::Pace;
use super::{Reason, ServerConfig};
use crate::http::encoder::Encoder;
use crate::http::message::{BodyDecoder, ConnectionOptions, HeadBuffer, Marks, list_items};
use crate::http::output::Output;

/// How far the request has been read.
#[derive(Debug)]
pub(super) enum Reading {
    /// The head is coming, or has not begun.
    Head(HeadBuffer),
    /// The head is read; whether the body is wanted has not been said.
    Undecided(BodyDecoder),
    /// The body is coming and wanted.
    Body(BodyDecoder),
    /// The body is coming and dropped; its length is known and small.
    Discard(BodyDecoder),
    /// The request is read to its end, or given up.
    Done,
}

/// How far the answer has been written.
#[derive(Debug)]
pub(super) enum Writing {
    /// There is no request to answer.
    NoRequest,
    /// The request waits for the head of its answer.
    Awaited,
    /// The head is written, the body is not complete.
    Body(Encoder),
    /// All of the answer is in the output.
    Done,
}

/// What the head of the answer has to know of the request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) head_only: bool,
    pub(super) http_10: bool,
    /// The client is willing to go on after this exchange (RFC 9112 9.3).
    pub(super) persistent: bool,
    /// It said `keep-alive` by name.
    pub(super) keep_alive: bool,
    /// It waits for `100 Continue` before it sends the body.
    pub(super) expects_continue: bool,
}

impl Asked {
    /// For an answer to something that could not be read.
    pub(super) const UNKNOWN: Asked = Asked {
        head_only: false,
        http_10: false,
        persistent: false,
        keep_alive: false,
        expects_continue: false,
    };

    pub(super) fn of(request: &Request<()>, marks: Marks) -> Self {
        let headers = request.headers();
        let options =
            if marks.connection { ConnectionOptions::of(headers) } else { ConnectionOptions::default() };
        let http_10 = request.version() == Version::HTTP_10;
        Self {
            head_only: request.method() == Method::HEAD,
            http_10,
            persistent: !options.close && (!http_10 || options.keep_alive),
            keep_alive: options.keep_alive,
            // RFC 9110 10.1.1: an HTTP/1.0 client does not know of 100. Other expectations were refused before.
            expects_continue: marks.expect && !http_10 && list_items(headers, &EXPECT).next().is_some(),
        }
    }
}

/// Boxed by the connection, which keeps an empty one for its next request.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) reading: Reading,
    pub(super) writing: Writing,
    pub(super) asked: Asked,
    /// Also holds what is left of earlier answers, when requests are pipelined.
    pub(super) output: Output,
    /// When the head has to be complete.
    pub(super) head_due: Duration,
    pub(super) pace: Pace,
    /// The handler takes no body bytes at present.
    pub(super) held: bool,
    /// When the transport last took something, or the output last became non-empty.
    pub(super) progress_at: Duration,
    /// At least one answer was completed.
    pub(super) served: bool,
}

impl Exchange {
    pub(super) fn new(head_due: Duration) -> Self {
        Self {
            reading: Reading::Head(HeadBuffer::default()),
            writing: Writing::NoRequest,
            asked: Asked::UNKNOWN,
            output: Output::default(),
            head_due,
            pace: Pace::default(),
            held: false,
            progress_at: Duration::ZERO,
            served: false,
        }
    }

    /// Begins anew, where nothing is under way.
    pub(super) fn renew(&mut self, head_due: Duration) {
        *self = Self { output: std::mem::take(&mut self.output), ..Self::new(head_due) };
    }

    /// Appends to the output.
    pub(super) fn write(&mut self, now: Duration, write: impl FnOnce(&mut Vec<u8>)) {
        if self.output.is_empty() {
            self.progress_at = now;
        }
        self.output.append(write);
    }

    /// Nothing of a request has come, and nothing waits to go.
    pub(super) fn is_idle(&self) -> bool {
        self.output.is_empty() && self.is_between_requests()
    }

    pub(super) fn is_between_requests(&self) -> bool {
        matches!(&self.reading, Reading::Head(buffer) if buffer.is_empty())
            && matches!(self.writing, Writing::NoRequest)
    }

    /// Request read and answer written.
    pub(super) fn is_complete(&self) -> bool {
        matches!((&self.reading, &self.writing), (Reading::Done, Writing::Done))
    }

    /// Whether input is of use now. What is not taken stays with the transport: that is the back-pressure.
    pub(super) fn wants_input(&self, config: &ServerConfig) -> bool {
        let has_room = self.output.len() < config.output_limit;
        match self.reading {
            Reading::Head(_) => has_room,
            Reading::Body(_) => has_room && !self.held,
            Reading::Discard(_) => true,
            Reading::Undecided(_) | Reading::Done => false,
        }
    }

    /// The next limit that fires if nothing happens.
    pub(super) fn due(&self, config: &ServerConfig) -> Option<(Duration, Reason)> {
        let reading = match &self.reading {
            Reading::Head(buffer) if !buffer.is_empty() => Some((self.head_due, Reason::HeaderTimeout)),
            Reading::Body(_) | Reading::Discard(_) => self.pace.due(config),
            Reading::Head(_) | Reading::Undecided(_) | Reading::Done => None,
        };
        let sending = (!self.output.is_empty())
            .then(|| (self.progress_at.saturating_add(config.send_timeout), Reason::SendTimeout));
        [reading, sending].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    /// Starts or stops the body's clock as the state wants it.
    pub(super) fn keep_pace(&mut self, now: Duration, config: &ServerConfig) {
        let has_body = match &self.reading {
            Reading::Body(decoder) => decoder.remaining() != Some(0),
            Reading::Discard(_) => true,
            Reading::Head(_) | Reading::Undecided(_) | Reading::Done => false,
        };
        if has_body || self.pace.is_running() {
            self.pace.run(now, has_body && self.wants_input(config));
        }
    }
}
