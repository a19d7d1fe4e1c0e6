//! One TCP connection: handshake, input, output, recovery, congestion, receive, close (RFC 9293).
//!
//! Sans-IO: a [`Connection`] is a value. Time comes in through [`Context`], segments through
//! [`Connection::handle_segment`] and [`Connection::poll_transmit`]. It knows no addresses and no ports: its caller,
//! the stack, keeps those and fills them in. A half-open passive connection is a [`HalfOpen`], a connection in
//! TIME-WAIT a [`TimeWait`]; both are small, and the stack may hold very many of them.

mod ack;
mod config;
mod congestion;
mod connection;
mod cookie;
mod counters;
mod delivery;
mod ecn;
mod error;
mod half_open;
mod handshake;
mod info;
mod input;
mod interface;
mod invariants;
mod isn;
mod loss;
mod opening;
mod output;
mod pacing;
mod reassembly;
mod recovery;
mod reset;
mod right_sizing;
mod rtt;
mod segments;
mod spurious;
mod state;
mod text;
mod time_wait;
mod timeouts;
mod timers;
mod totals;
mod user;
mod window;

pub use config::{Algorithm, Config, EcnMode, KeepAlive, SocketOptions};
pub use connection::Connection;
pub use cookie::CookieEnds;
pub use counters::Counters;
pub use error::Error;
pub use half_open::{HalfOpen, HalfOpenReply, HalfOpenTimeout};
pub use info::{PathState, TcpInfo, TimerInfo, TimerKind};
pub use interface::{Context, Events, Open, OutSegment, SegmentMeta, SegmentSink, Transmit};
pub use isn::IsnGenerator;
pub use reset::reset_for;
pub use state::State;
pub use time_wait::{TimeWait, TimeWaitReply};

#[cfg(test)]
mod tests;
