//! Stacks as their peers see them: packets in, packets out, in virtual time.

mod any;
mod connections;
mod cookies;
mod events;
mod fast_open;
mod fragments;
mod handshakes;
mod hostile;
mod icmp;
mod incarnations;
mod ip;
mod listen;
mod loopback;
mod memory;
mod output;
mod path_mtu;
mod ports;
mod resets;
mod steering;
mod survey;
mod time_wait;
mod udp;

use std::net::{IpAddr, SocketAddr};

use super::{
    Chunk, Config, Duration, Event, Instant, PacketMeta, Pool, Seed, SendOutcome, Sink, SocketId, Stack,
};
use crate::wire::{
    Checksum, Ecn, IpHeader, IpOut, IpPair, OutPacket, Protocol, SeqNumber, TcpFlags, TcpHeader,
    pseudo_header_sum,
};

/// Both families, for tests that hold for either: our address and the peer's.
const FAMILIES: [(&str, &str); 2] = [("10.0.0.1", "10.0.0.2"), ("fd00::1", "fd00::2")];

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn at(address: &str, port: u16) -> SocketAddr {
    SocketAddr::new(ip(address), port)
}

/// A stack with a wire that collects what it sends.
struct Host {
    stack: Stack,
    now: Instant,
    /// Packets that the device has room for.
    room: usize,
}

/// A packet as it lies on the wire; a super-packet is one.
#[derive(Clone, Debug)]
struct Packet {
    bytes: Vec<u8>,
    gso_size: u16,
}

struct Wire<'a> {
    packets: Vec<Packet>,
    room: &'a mut usize,
}

impl Sink for Wire<'_> {
    fn send(&mut self, packet: &OutPacket<'_>) -> SendOutcome {
        if *self.room == 0 {
            return SendOutcome::Full;
        }
        *self.room -= 1;
        let mut bytes = packet.header.to_vec();
        packet.payload.iter().for_each(|slice| bytes.extend_from_slice(slice));
        // The field holds the pseudo-header's sum: summing over it adds that to the rest.
        let mut sum = Checksum::default();
        sum.add(&bytes[packet.transport..]);
        let field = packet.transport + packet.checksum;
        bytes[field..field + 2].copy_from_slice(&sum.finish().to_be_bytes());
        self.packets.push(Packet { bytes, gso_size: packet.gso_size });
        SendOutcome::Sent
    }
}

impl Host {
    /// A stack with the first address of each family.
    fn new() -> Host {
        Host::with(1, |_| {})
    }

    /// A stack with the `n`th address of each family.
    fn with(n: u8, change: impl FnOnce(&mut Config)) -> Host {
        let addresses = [format!("10.0.0.{n}/24"), format!("fd00::{n}/64")];
        let mut config = Config::new(addresses.iter().map(|text| text.parse().unwrap()).collect());
        change(&mut config);
        let now = Instant::from_secs(1_000);
        let stack = Stack::new(config, Seed::from_u64(u64::from(n)), Pool::new(), now);
        Host { stack, now, room: usize::MAX }
    }

    fn receive(&mut self, bytes: &[u8]) {
        self.receive_packet(&Packet { bytes: bytes.to_vec(), gso_size: 0 });
    }

    fn receive_packet(&mut self, packet: &Packet) {
        let meta = PacketMeta { received_at: self.now, gso_size: packet.gso_size, ..PacketMeta::default() };
        self.stack.handle_packet(self.now, &mut Chunk::copy_of(&packet.bytes), &meta);
    }

    /// All that goes out now, with the invariants checked before and after.
    #[track_caller]
    fn output(&mut self) -> Vec<Packet> {
        self.stack.check_invariants().unwrap();
        let mut wire = Wire { packets: Vec::new(), room: &mut self.room };
        while self.stack.poll_transmit(self.now, &mut wire) == super::Flushed::More {}
        let packets = wire.packets;
        self.stack.check_invariants().unwrap();
        packets
    }

    /// The only packet that goes out now, as a TCP segment.
    #[track_caller]
    fn output_segment(&mut self) -> TcpHeader {
        let packets = self.output();
        assert_eq!(packets.len(), 1, "one segment expected: {packets:?}");
        segment(&packets[0].bytes).0
    }

    #[track_caller]
    fn output_nothing(&mut self) {
        let packets = self.output();
        assert!(packets.is_empty(), "nothing expected: {packets:?}");
    }

    /// Lets time pass, with every timer on the way.
    fn wait(&mut self, span: Duration) -> Vec<Packet> {
        let end = self.now + span;
        let mut packets = Vec::new();
        while let Some(next) = self.stack.poll_timeout().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.stack.handle_timeout(self.now);
            packets.extend(self.output());
        }
        self.now = end;
        packets
    }

    fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.stack.poll_event()).collect()
    }

    /// Reads until there is nothing more.
    fn read_all(&mut self, id: SocketId) -> Vec<u8> {
        let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
        while let Ok(count @ 1..) = self.stack.read(id, &mut buffer) {
            bytes.extend_from_slice(&buffer[..count]);
        }
        bytes
    }
}

/// Two stacks and a wire between them.
struct Pair {
    client: Host,
    server: Host,
}

impl Pair {
    /// The server has the first address of each family, the client the second.
    fn new() -> Pair {
        Pair::with(|_| {})
    }

    fn with(change: impl Fn(&mut Config)) -> Pair {
        Pair { client: Host::with(2, &change), server: Host::with(1, &change) }
    }

    /// Carries packets to and fro until both are quiet. Time stands still.
    #[track_caller]
    fn exchange(&mut self) {
        for _ in 0..10_000 {
            let (to_server, to_client) = (self.client.output(), self.server.output());
            if to_server.is_empty() && to_client.is_empty() {
                return;
            }
            to_server.iter().for_each(|packet| self.server.receive_packet(packet));
            to_client.iter().for_each(|packet| self.client.receive_packet(packet));
        }
        panic!("the two do not come to rest");
    }

    /// Lets time pass for both; packets take none.
    #[track_caller]
    fn wait(&mut self, span: Duration) {
        let end = self.client.now + span;
        self.exchange();
        loop {
            let timeouts = [self.client.stack.poll_timeout(), self.server.stack.poll_timeout()];
            let next = timeouts.into_iter().flatten().min().filter(|next| *next <= end);
            let now = next.unwrap_or(end).max(self.client.now);
            for host in [&mut self.client, &mut self.server] {
                host.now = now;
                host.stack.handle_timeout(now);
            }
            self.exchange();
            if next.is_none() {
                return;
            }
        }
    }

    /// An established connection: the client's socket and the server's.
    #[track_caller]
    fn connect(&mut self, listener: SocketId) -> (SocketId, SocketId) {
        let remote = self.server.stack.local_addr(listener).unwrap();
        let client = self.client.stack.connect(self.client.now, remote, None, None).unwrap();
        self.exchange();
        let (server, from) = self.server.stack.accept(listener).unwrap();
        assert_eq!(Ok(from), self.client.stack.local_addr(client));
        (client, server)
    }
}

/// An IP packet around a transport header and payload whose checksum field, at `checksum`, is filled in.
fn packet(src: &str, dst: &str, protocol: Protocol, transport: &[u8], checksum: usize) -> Vec<u8> {
    let (src, dst) = (ip(src), ip(dst));
    let addresses = IpPair::new(src, dst).unwrap();
    let out = IpOut { addresses, protocol, ecn: Ecn::NotCapable, payload_len: transport.len() };
    let mut header = [0; IpOut::MAX_LEN];
    let len = out.emit(&mut header);
    let mut sum = match protocol {
        Protocol::ICMP => Checksum::default(),
        _ => pseudo_header_sum(src, dst, protocol, transport.len()),
    };
    sum.add(transport);
    let mut bytes = [&header[..len], transport].concat();
    bytes[len + checksum..len + checksum + 2].copy_from_slice(&sum.finish().to_be_bytes());
    bytes
}

/// A segment from `from` to `to` as a packet.
fn tcp(from: SocketAddr, to: SocketAddr, header: TcpHeader, payload: &[u8]) -> Vec<u8> {
    let header = TcpHeader { src_port: from.port(), dst_port: to.port(), ..header };
    let mut bytes = [0; TcpHeader::MAX_LEN];
    let len = header.emit(0, &mut bytes);
    let transport = [&bytes[..len], payload].concat();
    packet(
        &from.ip().to_string(),
        &to.ip().to_string(),
        Protocol::TCP,
        &transport,
        TcpHeader::CHECKSUM_OFFSET,
    )
}

/// A header with sequence number, acknowledgment and flags.
fn header(seq: u32, ack: u32, flags: TcpFlags) -> TcpHeader {
    TcpHeader { seq: SeqNumber(seq), ack: SeqNumber(ack), flags, window: 64_000, ..TcpHeader::default() }
}

/// A packet's transport header and payload, checksums verified.
#[track_caller]
fn transport(bytes: &[u8]) -> (IpHeader, &[u8]) {
    let ip = IpHeader::parse(bytes).unwrap();
    let transport = &bytes[ip.payload..ip.end];
    let mut sum = match ip.protocol {
        Protocol::ICMP => Checksum::default(),
        _ => pseudo_header_sum(ip.src, ip.dst, ip.protocol, transport.len()),
    };
    sum.add(transport);
    assert_eq!(sum.finish(), 0, "checksum");
    (ip, transport)
}

/// A packet as a TCP segment.
#[track_caller]
fn segment(bytes: &[u8]) -> (TcpHeader, &[u8]) {
    let (ip, transport) = transport(bytes);
    assert_eq!(ip.protocol, Protocol::TCP);
    let (header, len) = TcpHeader::parse(transport).unwrap();
    (header, &transport[len..])
}

/// Completes a handshake by hand, from `peer` to `local`; returns the next sequence numbers: the peer's and ours.
#[track_caller]
fn shake_hands(host: &mut Host, peer: SocketAddr, local: SocketAddr) -> (u32, u32) {
    host.receive(&tcp(peer, local, header(1_000, 0, TcpFlags::SYN), b""));
    let syn_ack = host.output_segment();
    assert_eq!(syn_ack.flags, TcpFlags::SYN | TcpFlags::ACK);
    let ours = (syn_ack.seq + 1).0;
    host.receive(&tcp(peer, local, header(1_001, ours, TcpFlags::ACK), b""));
    (1_001, ours)
}
