//! HTTP/1.0 and HTTP/1.1 as a machine without transport: bytes in, bytes out, and time as a value.
//!
//! From the bottom: [`message`] knows the syntax of heads and bodies (RFC 9112); nothing in it knows a connection.
//! [`ServerConnection`] is the life of one connection of a server, short or long; [`Session`] joins it with the
//! [`Handler`]s that a [`Router`] finds. [`ClientConnection`] is the other end.
//!
//! What a caller passes as the time is a [`Now`]: a [`Duration`](std::time::Duration) since any epoch of its own,
//! with the wall clock's `Date` beside it.

mod client;
mod clock;
mod encoder;
mod error;
pub mod message;
mod output;
mod server;
#[cfg(test)]
mod tests;

pub use client::{ClientConnection, ResponseEvent};
pub use clock::{Clock, Date, Now};
pub use encoder::BodySize;
pub use error::BadMessage;
pub use output::Piece;
pub use server::{
    Appetite, Buffered, Event, Handler, Reason, Reasons, Received, Router, ServerConfig, ServerConnection,
    Service, Session, Step, Transport,
};
