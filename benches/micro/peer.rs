//! A stack, and the other ends of its connections: as many as are wanted, and nothing but numbers.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use longwire::stack::{
    Config, Flushed, Instant, ListenOptions, OutPacket, PacketMeta, Pool, Seed, SendOutcome, Sink, SocketId,
    Stack,
};
use longwire::wire::{
    ChecksumState, Ecn, IpOut, IpPair, Protocol, SackBlocks, SeqNumber, TcpFlags, TcpHeader, TcpOptions,
};

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const PORT: u16 = 80;
/// Ports of one client address.
const PORTS: usize = 50_000;

/// A stack with a listener.
pub(super) struct Rig {
    pub(super) stack: Stack,
    pub(super) now: Instant,
    listener: SocketId,
    packet: Vec<u8>,
}

/// The other end of a connection.
#[derive(Clone, Copy)]
pub(super) struct Peer {
    address: Ipv4Addr,
    port: u16,
    /// What it sends next, and what it expects next.
    pub(super) seq: u32,
    pub(super) ack: u32,
    pub(super) socket: SocketId,
}

/// Takes everything, and remembers where the last segment stood.
#[derive(Default)]
struct Last(Option<TcpHeader>);

impl Sink for Last {
    fn send(&mut self, packet: &OutPacket<'_>) -> SendOutcome {
        self.0 = TcpHeader::parse(&packet.header[packet.transport..]).ok().map(|(header, _)| header);
        SendOutcome::Sent
    }
}

impl Peer {
    /// The same, as it sends what is `bytes` further on.
    pub(super) fn ahead(self, bytes: u32) -> Peer {
        Peer { seq: self.seq.wrapping_add(bytes), ..self }
    }
}

impl Rig {
    pub(super) fn new() -> Rig {
        let mut config = Config::new(vec!["10.0.0.1/8".parse().expect("an address")]);
        config.max_sockets = 1_000_000;
        config.max_memory = usize::MAX;
        let now = Instant::from_secs(1_000);
        let mut stack = Stack::new(config, Seed::from_u64(1), Pool::new(), now);
        let options = ListenOptions { backlog: 1_000_000, ..ListenOptions::default() };
        let listener = stack.listen(SocketAddr::from((SERVER, PORT)), options).expect("a free port");
        Rig { stack, now, listener, packet: Vec::new() }
    }

    /// A rig with so many established connections.
    pub(super) fn with_connections(count: usize) -> (Rig, Vec<Peer>) {
        let mut rig = Rig::new();
        let peers = (0..count).map(|index| rig.connect(index)).collect();
        (rig, peers)
    }

    /// The connection from the `index`th client.
    pub(super) fn connect(&mut self, index: usize) -> Peer {
        let address = Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 1, 0, 0)) + (index / PORTS) as u32);
        let port = 10_000 + (index % PORTS) as u16;
        let mut peer = Peer { address, port, seq: 1_000, ack: 0, socket: self.listener };
        let options = TcpOptions { mss: Some(1_460), sack_permitted: true, ..TcpOptions::default() };
        self.receive(&peer, TcpFlags::SYN, options, b"");
        let syn_ack = self.transmit().expect("an answer to a SYN");
        (peer.seq, peer.ack) = (1_001, syn_ack.seq.0.wrapping_add(1));
        self.receive(&peer, TcpFlags::ACK, TcpOptions::default(), b"");
        peer.socket = self.stack.accept(self.listener).expect("an established connection").0;
        while self.stack.poll_event().is_some() {}
        peer
    }

    /// A segment from a peer reaches the stack.
    pub(super) fn receive(&mut self, peer: &Peer, flags: TcpFlags, options: TcpOptions, payload: &[u8]) {
        let header = TcpHeader {
            src_port: peer.port,
            dst_port: PORT,
            seq: SeqNumber(peer.seq),
            ack: SeqNumber(peer.ack),
            flags,
            window: 65_000,
            options,
            ..TcpHeader::default()
        };
        let mut tcp = [0; TcpHeader::MAX_LEN];
        let tcp_len = header.emit(0, &mut tcp);
        let ip = IpOut {
            addresses: IpPair::V4 { src: peer.address, dst: SERVER },
            protocol: Protocol::TCP,
            ecn: Ecn::NotCapable,
            payload_len: tcp_len + payload.len(),
        };
        let mut bytes = [0; IpOut::MAX_LEN];
        let ip_len = ip.emit(&mut bytes);
        self.packet.clear();
        self.packet.extend_from_slice(&bytes[..ip_len]);
        self.packet.extend_from_slice(&tcp[..tcp_len]);
        self.packet.extend_from_slice(payload);
        let mut chunk = self.stack.pool().take_largest();
        chunk.append(&self.packet);
        let meta = PacketMeta { received_at: self.now, checksum: ChecksumState::Trusted, gso_size: 0 };
        self.stack.handle_packet(self.now, &mut chunk, &meta);
    }

    /// Data from a peer.
    pub(super) fn receive_data(&mut self, peer: &Peer, payload: &[u8]) {
        self.receive(peer, TcpFlags::ACK | TcpFlags::PSH, TcpOptions::default(), payload);
    }

    /// A byte comes, is read, and another goes out with its acknowledgment.
    pub(super) fn exchange(&mut self, peer: &mut Peer) {
        self.receive_data(peer, b"x");
        while self.stack.poll_event().is_some() {}
        let mut byte = [0];
        assert_eq!(self.stack.read(peer.socket, &mut byte), Ok(1));
        assert_eq!(self.stack.write(peer.socket, &byte), Ok(1));
        assert!(self.transmit().is_some());
        peer.seq = peer.seq.wrapping_add(1);
        peer.ack = peer.ack.wrapping_add(1);
        self.now += Duration::from_micros(1);
    }

    /// An acknowledgment with one SACK block, of so many bytes from `offset` behind what it acknowledges.
    pub(super) fn receive_sack(&mut self, peer: &Peer, offset: u32, len: u32) {
        let left = peer.ack.wrapping_add(offset);
        let mut sack = SackBlocks::default();
        sack.push(SeqNumber(left), SeqNumber(left.wrapping_add(len)));
        self.receive(peer, TcpFlags::ACK, TcpOptions { sack, ..TcpOptions::default() }, b"");
    }

    /// Sends everything; the header of what went last.
    pub(super) fn transmit(&mut self) -> Option<TcpHeader> {
        let mut last = Last::default();
        while self.stack.poll_transmit(self.now, &mut last) == Flushed::More {}
        last.0
    }

    /// Lets time pass, with its timers.
    pub(super) fn wait(&mut self, span: Duration) {
        self.now += span;
        self.stack.handle_timeout(self.now);
    }
}
