//! What an idle connection costs, HTTP session and all: a server with 100,000 of them, every byte of whose memory is
//! counted. Clients are made of packets alone and remember nothing, so that all of it is the server's.

use std::alloc::System;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use cap::Cap;
use longwire::buffer::{Chunk, Pool};
use longwire::device::{Device, WholeEnd, whole_pair};
use longwire::driver::{Clock, Ringer, Shard};
use longwire::serve::{self, Server, ServerHandle};
use longwire::stack::{self, KeepAlive, Seed, Stack};
use longwire::tcp::Connection;
use longwire::time::{Duration, Instant};
use longwire::wire::{
    Ecn, IpHeader, IpOut, IpPair, OutPacket, Protocol, SendOutcome, SeqNumber, TcpFlags, TcpHeader,
    TcpOptions, Timestamps,
};

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 2);
const REQUEST: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: 10.9.0.2\r\n\r\n";

const CONNECTIONS: u32 = 100_000;
/// Connections that are there before anything is counted: queues and tables have their first size then.
const BEFORE: u32 = 2_000;
/// Bytes that the cable's queues keep once probes and answers of many connections have filled them: not the server's.
const CABLE: usize = 2 * 1_024 * 2_048;
/// Ports of each client address.
const PORTS: u32 = 50_000;
/// Connections that are being opened at once.
const AT_ONCE: u32 = 100;

/// The most that an idle connection may cost, in bytes, with the timer of its keep-alive.
const BUDGET: usize = 256;

/// A server in the hand, and the other end of its cable.
struct World {
    shard: Shard,
    server: ServerHandle,
    clients: WholeEnd,
    /// How far the server's timers are ahead of the clock by which its packets arrive.
    ahead: Duration,
    packet: Chunk,
    /// Connections opened so far.
    opened: u32,
    /// Answers received so far.
    answers: u32,
    /// Who has had one. Where this machine stalls the server sends again.
    answered: Vec<bool>,
}

impl World {
    fn new() -> World {
        let (device, clients) = whole_pair(1_500);
        let clock = Clock::start();
        let config = stack::Config::new(vec!["10.9.0.2/8".parse().unwrap()]);
        let stack = Stack::new(config, Seed::from_u64(1), Pool::new(), Instant::ZERO);
        let shard = Shard::new(stack, Box::new(device), clock, Ringer::new(|| ())).unwrap();
        let mut config = serve::Config {
            max_connections: 2 * CONNECTIONS as usize,
            max_per_client: PORTS as usize,
            ..serve::Config::default()
        };
        config.http.idle_timeout = None;
        let keep_alive =
            KeepAlive { idle: Duration::from_secs(60), interval: Duration::from_secs(5), count: 3 };
        config.socket.keep_alive = Some(keep_alive);
        let server = SocketAddr::new(SERVER.into(), 80);
        let server = Server::new(config).builtin("").start(shard.shared(), &[server]).unwrap();
        let packet = Pool::new().take_largest();
        let answered = vec![false; CONNECTIONS as usize];
        World { shard, server, clients, ahead: Duration::ZERO, packet, opened: 0, answers: 0, answered }
    }

    /// Opens connections, with a request on each, until there are `count`.
    fn open(&mut self, count: u32) {
        while self.answers < count {
            while self.opened < count && self.opened - self.answers < AT_ONCE {
                let header = TcpHeader {
                    src_port: 1_024 + (self.opened % PORTS) as u16,
                    dst_port: 80,
                    seq: SeqNumber(self.opened),
                    flags: TcpFlags::SYN,
                    options: TcpOptions {
                        mss: Some(1_460),
                        window_scale: Some(7),
                        sack_permitted: true,
                        timestamps: Some(Timestamps { value: 1, echo: 0 }),
                        ..TcpOptions::default()
                    },
                    ..TcpHeader::default()
                };
                self.send(client(self.opened / PORTS), header, b"");
                self.opened += 1;
            }
            self.turn();
        }
    }

    /// Lets the server do what it has to, and answers.
    fn turn(&mut self) {
        let now = self.now();
        while self.shard.turn(now).more {}
        while self.clients.receive(now, &mut self.packet).is_ok() {
            self.answer();
        }
    }

    fn now(&self) -> Instant {
        self.shard.shared().now() + self.ahead
    }

    /// Time in which connections come to rest.
    fn settle(&mut self) {
        let until = self.now() + Duration::from_millis(2_500);
        while self.now() < until {
            self.turn();
            std::thread::park_timeout(Duration::from_millis(1));
        }
    }

    /// Lets time pass for the timers alone: nothing measures a round trip from here on.
    fn pretend(&mut self, time: Duration) {
        let until = self.ahead + time;
        while self.ahead < until {
            self.ahead += Duration::from_millis(20);
            self.turn();
        }
    }

    /// What a client says to the packet that has come.
    fn answer(&mut self) {
        let ip = IpHeader::parse(&self.packet).unwrap();
        let (segment, header_len) = TcpHeader::parse(&self.packet[ip.payload..ip.end]).unwrap();
        let octets = segment.segment_len(ip.end - ip.payload - header_len);
        let probe = octets == 0 && segment.has(TcpFlags::ACK) && self.answers >= self.opened;
        if octets == 0 && !probe {
            return;
        }
        assert!(!segment.has(TcpFlags::RST), "{segment:?}");
        let echo = segment.options.timestamps.map_or(0, |timestamps| timestamps.value);
        let header = TcpHeader {
            src_port: segment.dst_port,
            dst_port: 80,
            seq: segment.ack,
            // A probe lies before what it wants acknowledged (RFC 9293 3.8.4).
            ack: if probe { segment.seq + 1 } else { segment.seq + octets },
            flags: TcpFlags::ACK,
            options: TcpOptions { timestamps: Some(Timestamps { value: 1, echo }), ..TcpOptions::default() },
            ..TcpHeader::default()
        };
        let IpAddr::V4(dst) = ip.dst else { panic!("IPv6") };
        if segment.has(TcpFlags::SYN) {
            self.send(dst, header, REQUEST);
        } else {
            if !probe {
                let number = (dst.octets()[3] - 1) as usize * PORTS as usize;
                let answered = &mut self.answered[number + usize::from(header.src_port) - 1_024];
                self.answers += u32::from(!std::mem::replace(answered, true));
            }
            self.send(dst, header, b"");
        }
    }

    fn send(&mut self, from: Ipv4Addr, header: TcpHeader, payload: &[u8]) {
        let mut tcp = [0; TcpHeader::MAX_LEN];
        let tcp_len = TcpHeader { window: 60_000, ..header }.emit(0, &mut tcp);
        let ip = IpOut {
            addresses: IpPair::V4 { src: from, dst: SERVER },
            protocol: Protocol::TCP,
            ecn: Ecn::NotCapable,
            payload_len: tcp_len + payload.len(),
        };
        let mut ip_header = [0; IpOut::MAX_LEN];
        let ip_len = ip.emit(&mut ip_header);
        let header = [&ip_header[..ip_len], &tcp[..tcp_len]].concat();
        let checksum = TcpHeader::CHECKSUM_OFFSET;
        let packet =
            OutPacket { header: &header, payload: &[payload], transport: ip_len, checksum, gso_size: 0 };
        assert_eq!(self.clients.send(Instant::ZERO, &packet), SendOutcome::Sent);
    }
}

/// What is allocated, and what of that the stack's table of sockets takes.
#[derive(Clone, Copy)]
struct Taken {
    all: usize,
    sockets: usize,
}

impl Taken {
    fn now(world: &World) -> Taken {
        let of_pool_and_sockets = |stack: &mut Stack| stack.memory() - stack.pool().in_use();
        Taken { all: ALLOCATOR.allocated(), sockets: world.shard.shared().with(of_pool_and_sockets) }
    }

    /// For each of those that have come since `before`, with what it is.
    fn each_since(self, before: Taken) -> (usize, String) {
        let each = |now: usize, before: usize| (now - before) / (CONNECTIONS - BEFORE) as usize;
        let (all, place) = (each(self.all, before.all), each(self.sockets, before.sockets));
        let block = size_of::<Connection>();
        let told = format!(
            "{all} bytes for each idle connection: {block} of control block, {} of ends and marks beside it, {} of \
             generation, timer, demultiplexer, the server's record and what lies idle in tables",
            place - block,
            all - place
        );
        (all, told)
    }
}

fn client(number: u32) -> Ipv4Addr {
    Ipv4Addr::new(10, 10, 0, number as u8 + 1)
}

#[test]
fn a_hundred_thousand_idle_connections_fit_the_budget() {
    let mut world = World::new();
    world.open(BEFORE);
    world.settle();
    let before = Taken::now(&world);
    world.open(CONNECTIONS);
    world.settle();
    let (each, told) = Taken::now(&world).each_since(before);
    println!("{told}");
    assert_eq!(world.server.stats().idle(), CONNECTIONS as usize);
    assert!(each <= BUDGET, "{told}");

    // Some minutes of keep-alive later all of them are there, and have cost nothing more.
    world.pretend(Duration::from_secs(200));
    let before = Taken { all: before.all + CABLE, ..before };
    let (later, told) = Taken::now(&world).each_since(before);
    assert_eq!(world.shard.shared().with(|stack| stack.live_connections()), CONNECTIONS as usize);
    assert!(later <= BUDGET, "after its keep-alive, {told}");
}
