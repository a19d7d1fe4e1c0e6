//! Many connections behind one set of addresses: demultiplexer, listeners, ports, IP, ICMP, UDP, timers, counters.
//!
//! A [`Stack`] is a value without clock, lock, thread or I/O. Whatever drives it uses five entry points, in this
//! order: [`handle_packet`](Stack::handle_packet), [`handle_timeout`](Stack::handle_timeout),
//! [`poll_event`](Stack::poll_event) and the calls that an application makes in answer,
//! [`poll_transmit`](Stack::poll_transmit), [`poll_timeout`](Stack::poll_timeout).
//!
//! ```
//! use longwire::stack::{Config, Instant, ListenOptions, Pool, Seed, Stack};
//! let config = Config::new(vec!["10.9.0.2/24".parse().unwrap()]);
//! let mut stack = Stack::new(config, Seed::from_u64(1), Pool::new(), Instant::ZERO);
//! let listener = stack.listen("10.9.0.2:80".parse().unwrap(), ListenOptions::default()).unwrap();
//! assert_eq!(stack.local_addr(listener).unwrap().port(), 80);
//! assert_eq!(stack.poll_timeout(), None, "nothing to wait for");
//! ```
//!
//! Two of them, and whoever drives them; nothing here waits for anything:
//!
//! ```
//! use longwire::stack::{
//!     Config, Flushed, Instant, ListenOptions, OutPacket, PacketMeta, Pool, Readiness, Seed, SendOutcome, Sink,
//!     SocketId, Stack,
//! };
//! use longwire::wire::ChecksumState;
//!
//! /// What a stack sends, packet by packet.
//! #[derive(Default)]
//! struct Cable(Vec<Vec<u8>>);
//!
//! impl Sink for Cable {
//!     fn send(&mut self, packet: &OutPacket<'_>) -> SendOutcome {
//!         self.0.push([packet.header, &packet.payload.concat()].concat());
//!         SendOutcome::Sent
//!     }
//! }
//!
//! /// Everything that `from` has to send now, to `to`. Whether that was anything.
//! fn carry(now: Instant, from: &mut Stack, to: &mut Stack) -> bool {
//!     let mut cable = Cable::default();
//!     while from.poll_transmit(now, &mut cable) == Flushed::More {}
//!     // The checksums are for a device to complete, and there is none.
//!     let meta = PacketMeta { received_at: now, checksum: ChecksumState::Trusted, gso_size: 0 };
//!     for bytes in &cable.0 {
//!         let mut packet = to.pool().take_largest();
//!         packet.append(bytes);
//!         to.handle_packet(now, &mut packet, &meta);
//!     }
//!     !cable.0.is_empty()
//! }
//!
//! let stack = |address: &str, seed| {
//!     let config = Config::new(vec![address.parse().unwrap()]);
//!     Stack::new(config, Seed::from_u64(seed), Pool::new(), Instant::ZERO)
//! };
//! let (mut client, mut server) = (stack("10.9.0.1/24", 1), stack("10.9.0.2/24", 2));
//! let now = Instant::from_millis(1);
//! let listener = server.listen("10.9.0.2:80".parse().unwrap(), ListenOptions::default()).unwrap();
//! let stream: SocketId = client.connect(now, "10.9.0.2:80".parse().unwrap(), None, None).unwrap();
//! while carry(now, &mut client, &mut server) | carry(now, &mut server, &mut client) {}
//!
//! let told: Readiness = client.poll_event().expect("the connection stands").kinds;
//! assert!(told.connected && told.writable);
//! let (accepted, _peer) = server.accept(listener).unwrap();
//! client.write(stream, b"hello").unwrap();
//! while carry(now, &mut client, &mut server) | carry(now, &mut server, &mut client) {}
//! let mut received = [0; 5];
//! assert_eq!(server.read(accepted, &mut received), Ok(5));
//! assert_eq!(&received, b"hello");
//! ```
//!
//! Each file is one concern. A packet's way in: `input` (IP), `fragments`, then `tcp_input`, `handshake` and `fast_open`, `icmp`, `udp`. The
//! way out: `output` and `link`. Tables and queues that know nothing of packets: `slab`, `demux`, `wheel`,
//! `time_wait`, `listener`, `outbox`, `output_queue`, `event`. Beside the way in: `steering`, for several stacks with the same
//! addresses.

mod addresses;
mod any;
mod bindings;
mod cidr;
mod config;
mod connect;
mod cookies;
mod counters;
mod datagrams;
mod demux;
mod environment;
mod event;
mod fast_open;
mod flow;
mod fragments;
mod handshake;
mod icmp;
mod icmp_error;
mod input;
mod invariants;
mod lifecycle;
mod link;
mod listen;
mod listener;
mod memory;
mod origin;
mod outbox;
mod output;
mod output_queue;
mod ping;
mod ports;
mod slab;
mod socket;
mod socket_api;
mod socket_id;
mod steering;
mod stream;
mod survey;
mod tcp_input;
#[cfg(test)]
mod tests;
mod time_wait;
mod timers;
mod udp;
mod wheel;

use std::collections::BTreeMap;
use std::sync::Arc;

use fastrand::Rng;

use addresses::Addresses;
use bindings::Bindings;
use demux::Demux;
use environment::Environment;
use event::EventQueue;
use fast_open::FastOpenCache;
use fragments::Fragments;
use icmp_error::RateLimit;
use link::Loopback;
use memory::MemoryWatch;
use origin::Origins;
use outbox::Outbox;
use output_queue::OutputQueue;
use ports::PortAllocator;
use slab::Slab;
use socket::{Entry, HalfOpenEntry, SharedOptions};
use steering::Strays;
use time_wait::TimeWaitTable;
use wheel::Wheel;

use crate::tcp::{IsnGenerator, TimeWait};

pub use crate::tcp::Error;
// What the stack's own functions take and give: whoever drives it takes these from here.
#[doc(no_inline)]
pub use crate::{
    buffer::{Chunk, Pool},
    tcp::{
        Algorithm, Config as TcpConfig, EcnMode, KeepAlive, PathState, SendFlags, SocketOptions, State,
        TcpInfo, TimerInfo, TimerKind,
    },
    time::{Duration, Instant},
    wire::{OutPacket, PacketMeta, SendOutcome, Sink},
};
pub use cidr::{Cidr, CidrError};
pub use config::{Config, ListenOptions, Seed};
pub use counters::{Counters, IcmpCounters, IpCounters, StackCounters, UdpCounters};
pub use event::{Event, Readiness};
pub use output::Flushed;
pub use socket_id::SocketId;
pub use steering::{Steering, Stray};
pub use survey::{SocketInfo, SocketState, SurveyPlace, Transport};

/// Many connections. See the [module](self) for how it is driven.
pub struct Stack {
    env: Environment,
    /// The options of sockets that bring none.
    socket_options: SharedOptions,

    sockets: Slab<Entry>,
    half_open: Slab<HalfOpenEntry>,
    /// Of half-open connections that have taken over one in TIME-WAIT: what that was.
    reopened: BTreeMap<u32, TimeWait>,
    time_wait: TimeWaitTable,
    demux: Demux,
    listeners: Bindings,
    origins: Origins,
    /// There has been a listener for any address, so that connections may have ends that are not ours.
    stands_in: bool,
    udp_bindings: Bindings,
    /// ICMP sockets by echo identifier.
    ping_bindings: BTreeMap<u16, u32>,
    /// Connections neither finished nor in TIME-WAIT.
    live: usize,
    memory_watch: MemoryWatch,

    /// Timers of connections, by socket.
    timers: Wheel,
    /// Timers of SYN-ACKs, by half-open entry.
    syn_timers: Wheel,
    events: EventQueue,
    output: OutputQueue,
    outbox: Outbox,

    fragments: Fragments,
    /// Packets for other stacks with our addresses.
    strays: Strays,
    isn: IsnGenerator,
    fast_opens: FastOpenCache,
    ports: PortAllocator,
    icmp_limit: RateLimit,
    rng: Rng,
}

impl Stack {
    /// A stack without sockets. `seed` makes it unpredictable to outsiders; `pool` supplies its memory.
    pub fn new(config: Config, seed: Seed, pool: Pool, now: Instant) -> Stack {
        let [isn_key, demux_key, port_key] = seed.into_keys();
        // Stacks that share their addresses share their secrets, too, and yet shall not make the same choices.
        let (place, stacks) = config.steering.as_ref().map_or((0, 1), |own| (own.place(), own.count()));
        Stack {
            socket_options: Arc::new(config.socket.clone()),
            sockets: Slab::default(),
            half_open: Slab::default(),
            reopened: BTreeMap::new(),
            time_wait: TimeWaitTable::new(config.max_time_wait),
            demux: Demux::new(&demux_key),
            listeners: Bindings::default(),
            origins: Origins::default(),
            stands_in: false,
            udp_bindings: Bindings::default(),
            ping_bindings: BTreeMap::new(),
            live: 0,
            memory_watch: MemoryWatch::default(),
            timers: Wheel::new(now),
            syn_timers: Wheel::new(now),
            events: EventQueue::default(),
            output: OutputQueue::default(),
            outbox: Outbox::default(),
            fragments: Fragments::default(),
            isn: IsnGenerator::new(isn_key),
            fast_opens: FastOpenCache::default(),
            strays: Strays::default(),
            rng: Rng::with_seed(u64::from_le_bytes(std::array::from_fn(|i| port_key[i])) ^ place as u64),
            ports: PortAllocator::new(port_key),
            icmp_limit: RateLimit::new(stacks as u32, now),
            env: Environment {
                addresses: Addresses::new(config.addresses.clone()),
                pool,
                counters: Counters::default(),
                now,
                loopback: Loopback::default(),
                config,
            },
        }
    }

    /// What changed for the application since it was last asked.
    pub fn poll_event(&mut self) -> Option<Event> {
        loop {
            let socket = self.events.pop()?;
            if let Some(entry) = self.sockets.get_mut(socket) {
                let kinds = entry.untold.take();
                if !kinds.is_empty() {
                    return Some(Event { socket, kinds });
                }
            }
        }
    }

    /// Everything counted so far.
    pub fn counters(&self) -> &Counters {
        &self.env.counters
    }

    /// Our addresses.
    pub fn addresses(&self) -> &[Cidr] {
        self.env.addresses.as_slice()
    }

    /// Connections not yet finished: what a graceful shutdown waits for. Those that close in the background count until
    /// the peer has acknowledged everything, our FIN included (FIN-WAIT-2); those in TIME-WAIT do not.
    pub fn live_connections(&self) -> usize {
        self.live
    }

    /// Sockets of all kinds that are open: connections, listeners, UDP, ICMP.
    pub fn open_sockets(&self) -> usize {
        self.sockets.len()
    }

    /// Handshakes under way that peers have begun.
    pub fn half_open_connections(&self) -> usize {
        self.half_open.len()
    }

    /// Connections in TIME-WAIT.
    pub fn time_wait_connections(&self) -> usize {
        self.time_wait.len()
    }

    /// Where the stack's memory comes from.
    pub fn pool(&self) -> &Pool {
        &self.env.pool
    }

    /// Takes note of the time. Timers that are due wait for [`handle_timeout`](Stack::handle_timeout): packets that
    /// have been read come before them.
    fn tick(&mut self, now: Instant) {
        self.env.now = self.env.now.max(now);
        self.watch_memory();
        self.timers.advance(self.env.now);
        self.syn_timers.advance(self.env.now);
    }

    /// Whether the limit on sockets leaves no room for another one.
    fn is_at_socket_limit(&self) -> bool {
        self.sockets.len() + self.half_open.len() >= self.env.config.max_sockets
    }
}
