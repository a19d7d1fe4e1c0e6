//! The server's side: one connection's life, and the handlers that answer on it.
//!
//! [`ServerConnection`] is the protocol; [`Session`] joins it with [`Handler`]s and is what a server drives;
//! [`Router`] finds the handler for a request.

mod answer;
mod config;
mod connection;
mod exchange;
mod handler;
mod pace;
mod reason;
mod router;
mod session;
#[cfg(test)]
mod tests;

pub use config::ServerConfig;
pub use connection::{Event, Received, ServerConnection, Transport};
pub use handler::{Appetite, Buffered, Handler, Service, Step};
pub use reason::{Reason, Reasons};
pub use router::Router;
pub use session::Session;
