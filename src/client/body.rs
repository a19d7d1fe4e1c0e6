//! The body of an answer, as it comes.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use super::connection::Connection;
use super::exchange::Shared;
use super::limits::Limits;
use super::{Authority, Error, Trace};

/// The body of an answer: a reader. Where the server answers while it still takes the request's body (an echo, say),
/// reading sends the rest of that, too. Its connection goes back into the pool at the end of it, and is closed if it is
/// dropped before.
pub struct Body {
    /// `None` once the body has ended, or failed.
    exchange: Option<Exchange>,
}

struct Exchange {
    connection: Connection,
    authority: Authority,
    limits: Limits,
    client: Arc<Shared>,
}

impl Body {
    /// The body that follows on `connection`, whose head has been received.
    pub(super) fn new(
        connection: Connection,
        authority: Authority,
        limits: Limits,
        client: Arc<Shared>,
    ) -> Result<Body, Error> {
        let mut exchange = Exchange { connection, authority, limits, client };
        if exchange.connection.body_has_ended()? {
            exchange.finish();
            return Ok(Body { exchange: None });
        }
        Ok(Body { exchange: Some(exchange) })
    }

    /// As reading, with an error that says what happened. 0 at the end of the body.
    ///
    /// # Errors
    /// [`Error::Timeout`], [`Error::Stalled`], [`Error::Receive`], [`Error::Truncated`], [`Error::BadAnswer`], and
    /// [`Error::RequestBody`] where the answer came before all of that was sent; after an error the body is at its end.
    pub fn read_some(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let Some(mut exchange) = self.exchange.take() else { return Ok(0) };
        if buffer.is_empty() {
            self.exchange = Some(exchange);
            return Ok(0);
        }
        match exchange.connection.receive_body(buffer, &exchange.limits)? {
            Some(count) => {
                self.exchange = Some(exchange);
                Ok(count)
            }
            None => {
                exchange.finish();
                Ok(0)
            }
        }
    }

    /// Reads up to `limit` bytes within `time` and throws them away, so that the connection can be used again. One that
    /// has more to say, or says it badly, is closed instead.
    pub(super) fn drain(mut self, limit: usize, time: Duration) {
        if let Some(exchange) = &mut self.exchange {
            exchange.limits.shorten(exchange.client.now(), time);
        }
        let mut buffer = [0; 4096];
        let mut drained = 0;
        while drained <= limit {
            match self.read_some(&mut buffer) {
                Ok(0) | Err(_) => break,
                Ok(count) => drained += count,
            }
        }
    }
}

impl Exchange {
    fn finish(self) {
        let Exchange { connection, authority, client, .. } = self;
        let kept = connection.is_reusable();
        client.trace(&Trace::Complete { kept });
        if kept {
            client.pool.put(authority, connection, client.now());
        }
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_some(buffer).map_err(io::Error::from)
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body").field("ended", &self.exchange.is_none()).finish()
    }
}
