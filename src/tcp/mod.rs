//! One TCP connection: handshake, input, output, recovery, congestion, receive, close (RFC 9293).
//!
//! Sans-IO: a [`Connection`] is a value. Time comes in through [`Context`], segments through
//! [`Connection::handle_segment`] and [`Connection::poll_transmit`]. It knows no addresses and no ports: its caller,
//! the stack, keeps those and fills them in. A half-open passive connection is a [`HalfOpen`], a connection in
//! TIME-WAIT a [`TimeWait`]; both are small, and the stack may hold very many of them.
//!
//! A handshake, with data behind it:
//!
//! ```
//! use std::sync::Arc;
//! use longwire::buffer::{Chunk, Pool};
//! use longwire::tcp::{
//!     Config, Connection, Context, Counters, Events, HalfOpen, HalfOpenReply, HalfOpenTimeout, Open, OutSegment,
//!     PathState, SegmentMeta, SegmentSink, SocketOptions, State, TcpInfo, Transmit,
//! };
//! use longwire::time::{Duration, Instant};
//! use longwire::wire::{SendOutcome, SeqNumber, TcpHeader};
//!
//! /// What a connection sends: headers and payloads.
//! #[derive(Default)]
//! struct Sent(Vec<(TcpHeader, Vec<u8>)>);
//!
//! impl SegmentSink for Sent {
//!     fn send(&mut self, segment: &OutSegment<'_>) -> SendOutcome {
//!         self.0.push((segment.header, segment.payload.concat()));
//!         SendOutcome::Sent
//!     }
//! }
//!
//! let (config, pool, mut counters) = (Config::default(), Pool::new(), Counters::default());
//! let (now, mut sent) = (Instant::from_secs(1), Sent::default());
//! let mut cx = Context { now, config: &config, pool: &pool, counters: &mut counters };
//! let options = Arc::new(SocketOptions::default());
//! let open = Open { iss: SeqNumber(1_000), timestamp_offset: 0, mss: 1_460, default_mss: 536, options };
//!
//! // SYN, SYN-ACK, ACK: the passive side needs no connection before the third.
//! let mut client = Connection::connect(&mut cx, open.clone());
//! assert_eq!(client.poll_transmit(&mut cx, &mut sent), Transmit::Done);
//! let (syn, _) = sent.0.pop().unwrap();
//! let mut half = HalfOpen::new(&syn, SeqNumber(9_000), 0, 1_460, 65_535);
//! let syn_ack = half.syn_ack(now);
//! let meta = SegmentMeta { received_at: now, ..SegmentMeta::default() };
//! client.handle_segment(&mut cx, &syn_ack, &meta, &mut Chunk::default());
//! client.write(&pool, b"hello").unwrap();
//! client.poll_transmit(&mut cx, &mut sent);
//! let (ack, payload) = sent.0.remove(0);
//! assert_eq!(half.handle_segment(&mut cx, &ack, payload.len()), HalfOpenReply::Complete);
//! let mut server = Connection::accept(&mut cx, &half, open, now);
//! server.handle_segment(&mut cx, &ack, &meta, &mut Chunk::copy_of(&payload));
//!
//! for (header, payload) in sent.0 {
//!     server.handle_segment(&mut cx, &header, &meta, &mut Chunk::copy_of(&payload));
//! }
//! let mut received = [0; 5];
//! assert_eq!(server.read(&mut received), Ok(5));
//! assert_eq!(&received, b"hello");
//! let told: Events = client.take_events();
//! assert!(told.connected && !told.failed);
//! let info: TcpInfo = client.info(now, &config);
//! assert_eq!((info.state, info.path), (State::Established, PathState::Open));
//!
//! // Had nothing come, the SYN-ACK would have been sent again.
//! let again = HalfOpenTimeout::Resend(2 * HalfOpen::first_timeout());
//! assert_eq!(half.handle_timeout(&config), again);
//! assert_eq!(HalfOpen::first_timeout(), Duration::from_secs(1));
//! ```

mod ack;
mod active;
mod config;
mod congestion;
mod connection;
mod cookie;
mod counters;
mod delivery;
mod ecn;
mod error;
mod fast_open;
mod fast_open_cookie;
mod half_open;
mod handshake;
mod info;
mod input;
mod interface;
mod invariants;
mod isn;
mod kept;
mod loss;
mod moment;
mod news;
mod opening;
mod output;
mod pacing;
mod path_mtu;
mod reassembly;
mod records;
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
mod u48;
mod user;
mod validation;
mod window;

pub use config::{AfterIdle, Algorithm, Config, EcnMode, KeepAlive, SocketOptions};
pub use connection::Connection;
pub use cookie::CookieEnds;
pub use counters::Counters;
pub use error::Error;
pub use fast_open::{FastOpenAttempt, FastOpenReport};
pub use half_open::{HalfOpen, HalfOpenReply, HalfOpenTimeout};
pub use info::{PathState, TcpInfo, TimerInfo, TimerKind};
pub use interface::{Context, Events, Open, OutSegment, SegmentMeta, SegmentSink, SendFlags, Transmit};
pub use isn::IsnGenerator;
pub use reset::reset_for;
pub use state::State;
pub use time_wait::{TimeWait, TimeWaitReply};

#[cfg(test)]
mod tests;
