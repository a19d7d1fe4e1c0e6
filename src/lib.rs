//! **longwire**: a TCP/IP stack in user space.
//!
//! Most programs begin at [`net`]: a [`Network`](net::Network) is a running stack over a device, and gives sockets with
//! the face of `std::net`. [`serve`] is an HTTP server on it, [`client`] a client. Whoever has an event loop of their
//! own drives a [`Shard`](driver::Shard), and whoever wants only the protocol a [`Stack`](stack::Stack): a value that
//! is fed packets and time.
//!
//! | module | what it is |
//! | --- | --- |
//! | [`wire`], [`buffer`], [`time`] | formats, memory, an instant without a clock |
//! | [`tcp`] | one connection (RFC 9293) |
//! | [`stack`] | many connections: demultiplexer, listeners, timers, ICMP, UDP |
//! | [`device`] | TUN and in-memory devices; capture, impairment and tracing around them |
//! | [`sim`] | worlds of stacks and links in virtual time |
//! | [`driver`] | the loop that joins a stack and a device |
//! | [`net`] | listen, accept, connect |
//! | [`http`] | HTTP/1.x, fed bytes |
//! | [`serve`], [`client`] | HTTP server and client |
//! | [`control`] | what a running stack tells: sockets, metrics |
//!
//! Features: `device` (devices in memory, simulator), `net` (TUN, loop, sockets), `control`, `http`, `serve`, `cli`
//! (the binary; default). Without any, the protocol core remains, which does no I/O.

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
