//! HTTP/1.0 and HTTP/1.1 as a machine without transport: bytes in, bytes out, and time as a value.
//!
//! From the bottom: [`message`] knows the syntax of heads and bodies (RFC 9112); nothing in it knows a connection.
//! [`ServerConnection`] is the life of one connection of a server, short or long; [`Session`] joins it with the
//! [`Handler`]s that a [`Router`] finds.
//!
//! What a caller passes as the time is a [`Now`]: a [`Duration`](std::time::Duration) since any epoch of its own,
//! with the wall clock's `Date` beside it.

mod clock;
mod error;
pub mod message;
mod server;

pub use clock::{Clock, Date, Now};
pub use error::BadMessage;
pub use server::{
    Appetite, BodySize, Buffered, Event, Handler, Piece, Reason, Reasons, Received, Router, ServerConfig,
    ServerConnection, Service, Session, Step, Transport,
};
