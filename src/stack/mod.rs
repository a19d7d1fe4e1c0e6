//! Many connections behind one set of addresses: demultiplexer, listeners, ports, IP, ICMP, UDP, timers, counters.
//!
//! SIGNATURES FIRST: bodies come next.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::tcp;

pub use crate::tcp::Error;
// What the stack's own functions take and give: whoever drives it takes these from here.
#[doc(no_inline)]
pub use crate::{
    buffer::{Chunk, Pool},
    tcp::{KeepAlive, SocketOptions, TcpInfo},
    time::{Duration, Instant},
    wire::{OutPacket, PacketMeta, SendOutcome, Sink},
};

/// A handle on a socket (connection, listener, UDP, ICMP). A stale one fails with `Error::StaleSocket`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SocketId {
    index: u32,
    generation: u32,
}

/// A configured address of the stack with the length of its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    pub address: IpAddr,
    pub prefix: u8,
} // FromStr, Display

/// Configuration of a stack.
#[derive(Clone, Debug)]
pub struct Config {
    pub addresses: Vec<Cidr>,
    /// The device's MTU.
    pub mtu: usize,
    pub tcp: tcp::Config,
    /// Options that a new socket begins with.
    pub socket: SocketOptions,
    /// Most sockets of all kinds, half-open ones included.
    pub max_sockets: usize,
    pub max_time_wait: usize,
}

impl Config {
    /// The defaults, for a device with an MTU of 1,500 bytes.
    pub fn new(addresses: Vec<Cidr>) -> Config {
        Config {
            addresses,
            mtu: 1500,
            tcp: tcp::Config::default(),
            socket: SocketOptions::default(),
            max_sockets: 4_000_000,
            max_time_wait: 262_144,
        }
    }
}

impl Default for ListenOptions {
    fn default() -> Self {
        ListenOptions { backlog: 1024, socket: None, max_connections: None }
    }
}

/// Secrets and the seed of all randomness; from the operating system in earnest, from a number in tests.
#[derive(Clone)]
pub struct Seed([u8; 48]);
impl Seed {
    pub fn from_bytes(bytes: [u8; 48]) -> Self {
        Seed(bytes)
    }
    pub fn from_u64(seed: u64) -> Self {
        unimplemented!()
    }
}

/// What changed for the application. Edge-triggered, coalesced per socket: read/write/accept until `WouldBlock`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    pub socket: SocketId,
    pub kinds: Readiness,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// data or end of stream; for a listener: a connection to accept; UDP/ICMP: a datagram
    pub readable: bool,
    pub writable: bool,
    pub connected: bool,
    /// failed or ended
    pub closed: bool,
    /// `error(id)` says why
    pub failed: bool,
}

#[derive(Clone, Debug)]
pub struct ListenOptions {
    pub backlog: usize,
    pub socket: Option<SocketOptions>,
    /** per-listener maximum of connections alive */
    pub max_connections: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flushed {
    /** nothing left */
    Done,
    /** the sink is full: call again when it has room */
    Full,
    /** budget spent, there is more: call again soon */
    More,
}

/// Everything counted: one field a reason. `iter()` gives (name, help, value) for metrics.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    pub tcp: tcp::Counters, /* + ip/icmp/udp/stack fields, flat or grouped */
}
impl Counters {
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        std::iter::empty()
    }
}

/// The stack.
pub struct Stack {
    pool: Pool,
}

#[allow(unused_variables)]
impl Stack {
    pub fn new(config: Config, seed: Seed, pool: Pool, now: Instant) -> Stack {
        unimplemented!()
    }
    // 1..5, the five entry points of design.md
    /// Narrows `packet` to its payload and may take it over (then it is left without capacity: bring another).
    pub fn handle_packet(&mut self, now: Instant, packet: &mut Chunk, meta: &PacketMeta) {
        unimplemented!()
    }
    pub fn handle_timeout(&mut self, now: Instant) {
        unimplemented!()
    }
    pub fn poll_event(&mut self) -> Option<Event> {
        unimplemented!()
    }
    /// Also brings packets to ourselves in again (loopback).
    pub fn poll_transmit(&mut self, now: Instant, sink: &mut dyn Sink) -> Flushed {
        unimplemented!()
    }
    /// Output of one socket only (for application threads that have just written).
    pub fn poll_transmit_socket(&mut self, now: Instant, id: SocketId, sink: &mut dyn Sink) -> Flushed {
        unimplemented!()
    }
    pub fn poll_timeout(&self) -> Option<Instant> {
        unimplemented!()
    }
    /// Whether poll_transmit has work now.
    pub fn wants_transmit(&self) -> bool {
        unimplemented!()
    }

    // TCP
    pub fn listen(&mut self, local: SocketAddr, options: ListenOptions) -> Result<SocketId, Error> {
        unimplemented!()
    }
    pub fn accept(&mut self, listener: SocketId) -> Result<(SocketId, SocketAddr), Error> {
        unimplemented!()
    }
    pub fn connect(
        &mut self,
        now: Instant,
        remote: SocketAddr,
        local: Option<SocketAddr>,
        options: Option<SocketOptions>,
    ) -> Result<SocketId, Error> {
        unimplemented!()
    }
    pub fn read(&mut self, id: SocketId, buffer: &mut [u8]) -> Result<usize, Error> {
        unimplemented!()
    }
    pub fn peek(&mut self, id: SocketId, buffer: &mut [u8]) -> Result<usize, Error> {
        unimplemented!()
    }
    pub fn read_chunk(&mut self, id: SocketId) -> Result<Option<Chunk>, Error> {
        unimplemented!()
    }
    pub fn write(&mut self, id: SocketId, bytes: &[u8]) -> Result<usize, Error> {
        unimplemented!()
    }
    pub fn write_chunk(&mut self, id: SocketId, chunk: Chunk) -> Result<(), (Error, Chunk)> {
        unimplemented!()
    }
    pub fn shutdown(&mut self, id: SocketId, how: std::net::Shutdown) -> Result<(), Error> {
        unimplemented!()
    }
    /// Lets any kind of socket go; the id is stale from now on; a connection closes in the background.
    pub fn close(&mut self, now: Instant, id: SocketId) -> Result<(), Error> {
        unimplemented!()
    }
    pub fn abort(&mut self, id: SocketId) -> Result<(), Error> {
        unimplemented!()
    }
    /// Ends every connection with a reset, orphans included, and closes every listener: the stack is going away. The
    /// resets go out at the next `poll_transmit`.
    pub fn abort_all(&mut self) {
        unimplemented!()
    }
    pub fn error(&self, id: SocketId) -> Result<Option<Error>, Error> {
        unimplemented!()
    }
    pub fn readiness(&self, id: SocketId) -> Result<Readiness, Error> {
        unimplemented!()
    }
    pub fn local_addr(&self, id: SocketId) -> Result<SocketAddr, Error> {
        unimplemented!()
    }
    pub fn remote_addr(&self, id: SocketId) -> Result<SocketAddr, Error> {
        unimplemented!()
    }
    pub fn options(&self, id: SocketId) -> Result<SocketOptions, Error> {
        unimplemented!()
    }
    pub fn set_options(&mut self, id: SocketId, options: SocketOptions) -> Result<(), Error> {
        unimplemented!()
    }
    pub fn info(&self, id: SocketId) -> Result<TcpInfo, Error> {
        unimplemented!()
    }

    // UDP
    pub fn udp_bind(&mut self, local: SocketAddr) -> Result<SocketId, Error> {
        unimplemented!()
    }
    pub fn udp_send_to(&mut self, id: SocketId, bytes: &[u8], to: SocketAddr) -> Result<usize, Error> {
        unimplemented!()
    }
    pub fn udp_recv_from(&mut self, id: SocketId, buffer: &mut [u8]) -> Result<(usize, SocketAddr), Error> {
        unimplemented!()
    }

    // ICMP echo (ping)
    pub fn icmp_bind(&mut self, identifier: Option<u16>) -> Result<SocketId, Error> {
        unimplemented!()
    }
    pub fn icmp_send_echo(
        &mut self,
        id: SocketId,
        to: IpAddr,
        sequence: u16,
        payload: &[u8],
    ) -> Result<(), Error> {
        unimplemented!()
    }
    /// (bytes copied, from, sequence)
    pub fn icmp_recv_echo(&mut self, id: SocketId, buffer: &mut [u8]) -> Result<(usize, IpAddr, u16), Error> {
        unimplemented!()
    }

    // all
    pub fn counters(&self) -> &Counters {
        unimplemented!()
    }
    pub fn addresses(&self) -> &[Cidr] {
        unimplemented!()
    }
    /// Connections not yet finished (orphans closing in the background included, TIME-WAIT not): what a graceful shutdown waits for.
    pub fn live_connections(&self) -> usize {
        unimplemented!()
    }
    /// TCB and queue invariants of every connection, for tests and the simulator.
    pub fn check_invariants(&self) -> Result<(), String> {
        unimplemented!()
    }
    pub fn pool(&self) -> &Pool {
        &self.pool
    }
}
