//! A connection together with the handler that answers on it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Poll};

use super::{Appetite, Event, Handler, Reason, ServerConnection, Service, Step};
use crate::http::Now;

/// What a server keeps for a connection: the protocol, and the handler of the request under way.
///
/// It is driven like the [`ServerConnection`] inside, with [`receive`](Self::receive), [`poll`](Self::poll) and
/// [`handle_timeout`](Self::handle_timeout) in place of the connection's own; output, deadline and the transport's
/// orders are asked from [`connection`](Self::connection). Both forms of server use it: the event-driven one calls
/// it when something has happened, the blocking one in a loop around `read` and `write`.
///
/// ```
/// use std::{sync::Arc, task::{Context, Waker}, time::Duration};
/// use longwire::http::{Clock, Router, ServerConfig, ServerConnection, Session, Transport};
///
/// let router = Router::new().get("/", |_| http::Response::new(b"welcome\n".as_slice().into()));
/// let mut clock = Clock::default();
/// let mut cx = Context::from_waker(Waker::noop()); // a real one polls this session again
///
/// let now = clock.now(Duration::ZERO, 784_111_777);
/// let mut session = Session::new(ServerConnection::new(Arc::new(ServerConfig::default()), now));
/// let arrived = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
/// let consumed = session.receive(now, &router, &mut cx, arrived);
/// assert_eq!(consumed, arrived.len());
///
/// let mut written = Vec::new();
/// while let Some(piece) = session.connection_mut().take_output(now) {
///     written.extend_from_slice(&piece);
///     session.poll(now, &mut cx); // there is room for more of the answer
/// }
/// assert_eq!(String::from_utf8(written).unwrap().matches("welcome").count(), 2);
/// assert_eq!(session.connection().transport(), Transport::ShutdownWrite);
/// assert!(session.connection().deadline().is_some(), "lingering is bounded");
/// ```
pub struct Session {
    connection: ServerConnection,
    handler: Option<Box<dyn Handler>>,
}

impl Session {
    /// A session on `connection`.
    pub fn new(connection: ServerConnection) -> Self {
        Self { connection, handler: None }
    }

    /// The connection, for everything that only asks.
    pub fn connection(&self) -> &ServerConnection {
        &self.connection
    }

    /// The connection, for output and its ends ([`take_output`](ServerConnection::take_output),
    /// [`advance`](ServerConnection::advance), [`receive_eof`](ServerConnection::receive_eof),
    /// [`shutdown`](ServerConnection::shutdown), [`transport_failed`](ServerConnection::transport_failed)).
    /// [`poll`](Self::poll) afterwards.
    pub fn connection_mut(&mut self) -> &mut ServerConnection {
        &mut self.connection
    }

    /// Whether no handler is there either, so that [as little](ServerConnection::is_at_rest) is to be kept of it.
    pub fn is_at_rest(&self) -> bool {
        self.connection.is_at_rest() && self.handler.is_none()
    }

    /// Shows the handlers what has arrived, and collects what they answer. Returns how much of `input` is used up;
    /// keep the rest and offer it again once [`wants_input`](ServerConnection::wants_input) says so.
    pub fn receive(&mut self, now: Now, service: &dyn Service, cx: &mut Context<'_>, input: &[u8]) -> usize {
        let mut used = 0;
        loop {
            let received = self.connection.receive(now, &input[used..]);
            used += received.consumed;
            if received.is_idle() {
                return used;
            }
            if let Some(event) = received.event {
                self.show(now, service, event);
            }
            // Who has been shown all of a request but its end is shown that first, and asked for an answer then.
            if self.connection.awaits_end() {
                continue;
            }
            self.poll(now, cx);
            if used == input.len() {
                return used;
            }
        }
    }

    /// Lets the handler go on: call it when its waker was woken, when output has gone, and after whatever was done to
    /// the connection directly.
    pub fn poll(&mut self, now: Now, cx: &mut Context<'_>) {
        loop {
            if !self.connection.wants_answer() {
                return self.dismiss();
            }
            let budget = self.connection.output_room();
            if budget == 0 {
                return;
            }
            let Some(Poll::Ready(step)) = self.guard(now, |handler| handler.poll_response(cx, budget)) else {
                return self.feed_appetite(now);
            };
            self.feed_appetite(now);
            match (step, self.connection.answer_has_begun()) {
                (Step::Whole(response), false) => {
                    self.connection.let_body_go();
                    self.connection.respond_whole(now, response);
                }
                (Step::Head(response), false) => self.connection.respond(now, response),
                // Nothing yet, and no promise to wake: come back, but let others have their turn.
                (Step::Body(piece), true) if piece.is_empty() => return cx.waker().wake_by_ref(),
                (Step::Body(piece), true) => self.connection.send(now, piece),
                (Step::End(trailers), true) => self.connection.finish(now, trailers.as_ref()),
                _ => self.connection.fail(now, Reason::HandlerBroken),
            }
        }
    }

    /// Lets a limit fire if one is due.
    pub fn handle_timeout(&mut self, now: Now) {
        self.connection.handle_timeout(now);
        if !self.connection.wants_answer() {
            self.dismiss();
        }
    }

    fn show(&mut self, now: Now, service: &dyn Service, event: Event<'_>) {
        match event {
            Event::Head(mut request, framing) => {
                // The service may panic as well; then there is no handler, and the guard answers for both.
                let made = catch_unwind(AssertUnwindSafe(|| service.handler(&mut request)));
                match made {
                    Ok(handler) => {
                        self.dismiss();
                        self.handler = Some(handler);
                    }
                    Err(_) => return self.connection.fail(now, Reason::HandlerPanic),
                }
                self.guard(now, |handler| handler.on_head(request, framing));
            }
            Event::Body(piece) => {
                self.guard(now, |handler| handler.on_body(piece));
            }
            Event::End(trailers) => {
                self.guard(now, |handler| handler.on_end(trailers));
            }
        }
        self.feed_appetite(now);
    }

    /// Tells the connection what the handler wants of the body, as long as there may be more of it.
    fn feed_appetite(&mut self, now: Now) {
        if !self.connection.is_reading_body() {
            return;
        }
        match self.guard(now, |handler| handler.appetite()) {
            Some(Appetite::Hungry) => {
                self.connection.accept_body(now);
                self.connection.hold_body(now, false);
            }
            Some(Appetite::Later) => self.connection.hold_body(now, true),
            Some(Appetite::Never) => self.connection.refuse_body(now),
            None => {}
        }
    }

    /// Calls the handler, if there is one. A panic of the handler ends here: it costs this exchange its answer, and
    /// nobody else anything.
    fn guard<T>(&mut self, now: Now, call: impl FnOnce(&mut dyn Handler) -> T) -> Option<T> {
        let handler = self.handler.as_deref_mut()?;
        // The handler is dropped after a panic, so nothing can see a state that it left half changed.
        match catch_unwind(AssertUnwindSafe(|| call(handler))) {
            Ok(value) => Some(value),
            Err(_) => {
                self.dismiss();
                self.connection.fail(now, Reason::HandlerPanic);
                None
            }
        }
    }

    /// Lets the handler go. Should it panic even then, its answer is not harmed any more, and nobody else is.
    fn dismiss(&mut self) {
        if let Some(handler) = self.handler.take() {
            let _ = catch_unwind(AssertUnwindSafe(|| drop(handler)));
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.dismiss();
    }
}
