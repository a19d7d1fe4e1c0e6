//! Sockets that programs already know, over a stack of our own.
//!
//! [`Network`] is the handle on a running stack. Its [`TcpStream`], [`TcpListener`] and [`UdpSocket`] have the names,
//! signatures and error kinds of those in [`std::net`], so that a program which is generic over `Read + Write`, or
//! exchanges its imports, runs as it is:
//!
//! ```no_run
//! use std::io::{Read, Write};
//! use longwire::net::TcpStream; // was: std::net::TcpStream
//!
//! # fn main() -> std::io::Result<()> {
//! let mut stream = TcpStream::connect("10.9.0.1:80")?; // on the network given to `Network::set_default`
//! stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
//! let mut answer = Vec::new();
//! stream.read_to_end(&mut answer)?;
//! # Ok(())
//! # }
//! ```
//!
//! [`Poller`] waits for many sockets on one thread, as mio does. Beyond the standard library go
//! [`read_chunk`](TcpStream::read_chunk) and [`write_chunk`](TcpStream::write_chunk), which copy nothing, the options
//! that programs set with `socket2`, and [`info`](TcpStream::info).
//!
//! What differs from the kernel's sockets: `[::]` takes no IPv4; a datagram is no larger than the MTU, as nothing is
//! fragmented; there is no broadcast and no multicast; connecting to port 0 is `InvalidInput`.

mod builder;
mod calls;
mod default;
mod engine;
mod exit;
mod icmp;
mod listener;
mod network;
mod poller;
mod socket;
mod stream;
#[cfg(feature = "tokio")]
pub mod tokio;
mod udp;

#[cfg(test)]
mod tests;

pub use builder::Builder;
pub use icmp::IcmpSocket;
pub use listener::{Incoming, TcpListener};
pub use network::Network;
pub use poller::{Event, Events, Interest, Iter, Poller, Source, Token, Waker};
pub use stream::TcpStream;
pub use udp::UdpSocket;

// What this module's own functions take and give.
#[doc(no_inline)]
pub use crate::driver::{Chunk, Cidr, Config, Instant, KeepAlive, SendFlags, TcpInfo};
