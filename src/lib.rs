//! **longwire**: a TCP/IP stack in user space.
//!
//! Most programs begin at [`net`]: a [`Network`](net::Network) is a running stack over a device, and gives sockets with
//! the face of `std::net`. [`serve`] is an HTTP server on it, [`client`] a client. Whoever has an event loop of their
//! own drives a [`Shard`](driver::Shard), and whoever wants only the protocol a [`Stack`](stack::Stack): a value that
//! is fed packets and time.
//!
//! # The layers
//!
//! ```text
//!    cli
//!      │
//!    serve     client    control
//!      │         │         │
//!      │        net        │
//!      │         │         │
//!    driver ─────┴─────────┘
//!      │         │
//!    stack     device
//!      │         │
//!    tcp         │
//!      │         │
//!    wire · buffer · time                       http beside all, sim beside driver
//! ```
//!
//! | module | what it is |
//! | --- | --- |
//! | [`wire`], [`buffer`], [`time`] | formats, memory, an instant without a clock |
//! | [`tcp`] | one connection (RFC 9293) |
//! | [`stack`] | many connections: demultiplexer, listeners, timers, ICMP, UDP |
//! | [`device`] | TUN and in-memory devices; capture, impairment and tracing around them |
//! | [`sim`] | worlds of stacks and links in virtual time |
//! | [`driver`] | the loop that joins a stack and a device |
//! | [`net`] | listen, accept, connect: as in `std::net`, as in mio, as in tokio |
//! | [`http`] | HTTP/1.x, fed bytes |
//! | [`serve`], [`client`] | HTTP server and client |
//! | [`control`] | what a running stack tells: sockets, metrics |
//!
//! Imports run downwards. `wire`, `buffer`, `time`, `tcp` and `stack` do no I/O.
//!
//! # Four ways in
//!
//! The examples have their peer in memory. On a machine the device is a TUN interface:
//! `OpenTun::<Offload>::open(&"lw0".parse()?)?.configure(&interface)?`, from [`device`].
//!
//! **As `std::net`**: blocking sockets, on a network that runs on a thread of its own.
//!
#![cfg_attr(feature = "net", doc = "```")]
#![cfg_attr(not(feature = "net"), doc = "```ignore")]
//! use std::io::{Read, Write};
//! use longwire::net::Network;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (here, there) = longwire::device::pair(1_500);
//! let here = Network::builder(here).address("10.9.0.1/24".parse()?).start()?;
//! let there = Network::builder(there).address("10.9.0.2/24".parse()?).start()?;
//!
//! let listener = there.listen("10.9.0.2:7")?;
//! let mut stream = here.connect("10.9.0.2:7")?;
//! stream.write_all(b"hello")?;
//! drop(stream);
//! let mut received = String::new();
//! listener.accept()?.0.read_to_string(&mut received)?;
//! assert_eq!(received, "hello");
//! # Ok(())
//! # }
//! ```
//!
//! **Readiness**, as in mio: many sockets on one thread, with [`Poller`](net::Poller).
//!
#![cfg_attr(feature = "net", doc = "```")]
#![cfg_attr(not(feature = "net"), doc = "```ignore")]
//! use std::io::Read;
//! use longwire::net::{Events, Interest, Network, Poller, Token};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let (here, there) = longwire::device::pair(1_500);
//! # let here = Network::builder(here).address("10.9.0.1/24".parse()?).start()?;
//! # let there = Network::builder(there).address("10.9.0.2/24".parse()?).start()?;
//! let listener = there.listen("10.9.0.2:7")?;
//! listener.set_nonblocking(true)?;
//! let (poller, mut events) = (Poller::new()?, Events::with_capacity(64));
//! poller.register(&listener, Token(0), Interest::READABLE)?;
//! drop(here.connect("10.9.0.2:7")?);
//!
//! poller.poll(&mut events, None)?;
//! let event = events.iter().next().expect("somebody came");
//! assert!(event.token() == Token(0) && event.is_readable());
//! assert_eq!(listener.accept()?.0.read(&mut [0; 64])?, 0, "and went");
//! # Ok(())
//! # }
//! ```
//!
//! **Async**: `net::tokio`, with the feature `tokio`; the stack on its own thread, or as a task of the runtime.
//!
#![cfg_attr(feature = "tokio", doc = "```")]
#![cfg_attr(not(feature = "tokio"), doc = "```ignore")]
//! use longwire::net::{Network, tokio::{TcpListener, TcpStream}};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let (here, there) = longwire::device::pair(1_500);
//! let here = Network::builder(here).address("10.9.0.1/24".parse()?).spawn()?; // a task; `start` is a thread
//! let there = Network::builder(there).address("10.9.0.2/24".parse()?).start()?;
//!
//! let listener = TcpListener::bind_on(&there, "10.9.0.2:7").await?;
//! let mut stream = TcpStream::connect_on(&here, "10.9.0.2:7").await?;
//! stream.write_all(b"hello").await?;
//! drop(stream);
//! let mut received = String::new();
//! listener.accept().await?.0.read_to_string(&mut received).await?;
//! assert_eq!(received, "hello");
//! here.shutdown_async(std::time::Duration::from_secs(5)).await;
//! # Ok(())
//! # }
//! ```
//!
//! **The core alone**: no clock, no thread, no I/O. Packets and time go in, packets and the time of the next call come
//! out; [`stack`] has the other half of this program.
//!
//! ```
//! use longwire::stack::{Config, Flushed, Instant, OutPacket, Pool, Seed, SendOutcome, Sink, Stack};
//!
//! /// Takes packets, and has no wire to put them on.
//! #[derive(Default)]
//! struct Nowhere { packets: usize }
//!
//! impl Sink for Nowhere {
//!     fn send(&mut self, _packet: &OutPacket<'_>) -> SendOutcome {
//!         self.packets += 1;
//!         SendOutcome::Sent
//!     }
//! }
//!
//! let config = Config::new(vec!["10.9.0.2/24".parse().unwrap()]);
//! let mut stack = Stack::new(config, Seed::from_u64(1), Pool::new(), Instant::ZERO);
//! let _stream = stack.connect(Instant::ZERO, "10.9.0.1:80".parse().unwrap(), None, None).unwrap();
//! let mut sink = Nowhere::default();
//! assert_eq!(stack.poll_transmit(Instant::ZERO, &mut sink), Flushed::Done);
//! assert_eq!(sink.packets, 1, "a SYN");
//! let again = stack.poll_timeout().expect("a SYN without an answer is sent again");
//! assert!(again <= Instant::from_secs(1));
//! ```
//!
//! # Features
//!
//! `device` (devices in memory, simulator), `net` (TUN, loop, sockets), `tokio` (asynchronous sockets), `control`,
//! `http`, `serve` (HTTP server and client), `cli` (the binary; default). Without any, the protocol core remains.

#[cfg(feature = "cli")]
mod bench;
pub mod buffer;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "serve")]
pub mod client;
#[cfg(feature = "control")]
pub mod control;
#[cfg(feature = "device")]
pub mod device;
#[cfg(feature = "net")]
pub mod driver;
mod few;
#[cfg(feature = "cli")]
mod figures;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "cli")]
mod ladder;
#[cfg(feature = "net")]
pub mod net;
#[cfg(feature = "serve")]
pub mod serve;
#[cfg(feature = "device")]
pub mod sim;
pub mod stack;
#[cfg(feature = "cli")]
mod svg;
pub mod tcp;
pub mod time;
pub mod wire;

/// The README's example, compiled and run with the other doc tests.
#[cfg(all(doctest, feature = "net"))]
#[doc = include_str!("../README.md")]
pub struct Readme;
