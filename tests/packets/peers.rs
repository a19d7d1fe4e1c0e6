//! Peers that know the protocol and misuse it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use longwire::stack::{ListenOptions, SocketId};
use longwire::tcp::SocketOptions;
use longwire::time::Duration;
use longwire::wire::{SeqNumber, TcpFlags, TcpHeader, TcpOptions};

use crate::victim::Victim;
use crate::{VICTIM, address, config, craft};

const PORT: u16 = 80;

fn listening() -> (Victim, SocketId) {
    let mut victim = Victim::new(config(VICTIM));
    let local = SocketAddr::new(address(VICTIM, false), PORT);
    let listener = victim.stack.listen(local, ListenOptions::default()).unwrap();
    (victim, listener)
}

fn syn(src_port: u16) -> TcpHeader {
    TcpHeader {
        src_port,
        dst_port: PORT,
        seq: SeqNumber(1_000),
        flags: TcpFlags::SYN,
        window: 65_535,
        options: TcpOptions { mss: Some(1_460), ..TcpOptions::default() },
        ..TcpHeader::default()
    }
}

/// A peer that speaks segments: it completes the handshake and then says whatever a test wants.
struct Peer {
    source: IpAddr,
    next: TcpHeader,
}

impl Peer {
    #[track_caller]
    fn connect(victim: &mut Victim, source: IpAddr, src_port: u16) -> Peer {
        let mut answer = None;
        let to = address(VICTIM, false);
        victim.exchange(&craft::tcp(source, to, &syn(src_port), &[]), |seen| answer = Some(seen.tcp));
        let answer = answer.expect("a SYN-ACK");
        assert_eq!(answer.flags, TcpFlags::SYN | TcpFlags::ACK);
        let next = TcpHeader {
            seq: SeqNumber(1_001),
            ack: answer.seq + 1,
            flags: TcpFlags::ACK,
            options: TcpOptions::default(),
            ..syn(src_port)
        };
        victim.exchange(&craft::tcp(source, to, &next, &[]), |_| {});
        Peer { source, next }
    }

    /// A segment `offset` bytes behind the first byte of the stream.
    fn segment(&self, offset: u32, payload: &[u8]) -> Vec<u8> {
        let header = TcpHeader { seq: self.next.seq + offset, ..self.next };
        craft::tcp(self.source, address(VICTIM, false), &header, payload)
    }
}

fn stranger(number: u32) -> IpAddr {
    Ipv4Addr::from(0x0b00_0000 + number + 1).into()
}

#[test]
fn ten_thousand_half_open_connections() {
    let (mut victim, listener) = listening();
    let before = victim.held();
    for number in 0..10_000 {
        victim.deliver(&craft::tcp(stranger(number), address(VICTIM, false), &syn(5_000), &[]));
        if number % 100 == 0 {
            victim.output();
            victim.advance(Duration::from_millis(1));
            victim.check();
        }
    }
    assert_eq!(victim.held(), before, "a half-open connection holds no buffers");
    assert!(victim.stack.accept(listener).is_err());

    // A legitimate client repeats its SYN, as all do, and gets through.
    let mut answered = false;
    for _ in 0..10 {
        let honest = craft::tcp(stranger(20_000), address(VICTIM, false), &syn(6_000), &[]);
        victim.exchange(&honest, |seen| answered |= seen.tcp.dst_port == 6_000);
        if answered {
            break;
        }
        victim.advance(Duration::from_secs(10));
        victim.output();
    }
    assert!(answered);
    Peer::connect(&mut victim, stranger(20_001), 6_001);
    assert!(victim.stack.accept(listener).is_ok());
    // The strangers never answer: their entries go.
    for _ in 0..200 {
        victim.advance(Duration::from_secs(1));
        victim.output();
    }
    assert_eq!(victim.held(), before);
    victim.check();
}

/// One-byte segments with one-byte holes between them: each costs the receiver a range.
#[test]
fn a_sender_of_holes_costs_bounded_memory() {
    let (mut victim, listener) = listening();
    let peer = Peer::connect(&mut victim, stranger(1), 5_000);
    let (socket, _) = victim.stack.accept(listener).unwrap();
    let mut most = 0;
    for round in 0..30_000u32 {
        let offset = 1 + (round * 2) % 60_000;
        victim.deliver(&peer.segment(offset, &[round as u8]));
        if round % 50 == 0 {
            victim.output();
            most = most.max(victim.held());
        }
    }
    victim.check();
    let limit = 4 * SocketOptions::default().receive_buffer;
    assert!(most <= limit, "held {most} bytes");
    assert!(victim.stack.counters().tcp.reassembly_full > 0, "the limit was reached");
    assert!(victim.stack.read(socket, &mut [0; 10]).is_err(), "the first byte never came");

    // The connection is none the worse for it: in order, everything goes through.
    let mut received = 0;
    let mut buffer = [0; 4_096];
    for offset in (0..60_000u32).step_by(1_000) {
        victim.deliver(&peer.segment(offset, &[7; 1_000]));
        victim.output();
        while let Ok(count) = victim.stack.read(socket, &mut buffer) {
            received += count;
        }
    }
    assert_eq!(received, 60_000);
}

/// A peer that sends beyond the window, before it, and everything twice, never makes the victim hold more than its
/// buffer.
#[test]
fn a_sender_without_manners_fills_no_more_than_the_window() {
    let (mut victim, listener) = listening();
    let peer = Peer::connect(&mut victim, stranger(1), 5_000);
    let (socket, _) = victim.stack.accept(listener).unwrap();
    let mut most = 0;
    for round in 0..20_000u32 {
        victim.deliver(&peer.segment(round.wrapping_mul(1_400), &[1; 1_400]));
        victim.deliver(&peer.segment(round.wrapping_mul(700), &[1; 1_400]));
        if round % 20 == 0 {
            victim.output();
            most = most.max(victim.held());
        }
    }
    victim.check();
    let buffer = SocketOptions::default().receive_buffer;
    assert!(most <= 2 * buffer, "held {most} bytes for a buffer of {buffer}");
    assert!(victim.stack.info(socket).unwrap().receive_queue <= buffer);
}

/// Connections that open and are reset at once leave nothing behind.
#[test]
fn a_storm_of_short_connections_leaves_nothing() {
    let (mut victim, listener) = listening();
    let before = victim.held();
    for number in 0..3_000u32 {
        let peer = Peer::connect(&mut victim, stranger(number), 5_000);
        victim.deliver(&peer.segment(0, b"a few bytes"));
        let reset = TcpHeader { seq: peer.next.seq + 11, flags: TcpFlags::RST | TcpFlags::ACK, ..peer.next };
        victim.deliver(&craft::tcp(peer.source, address(VICTIM, false), &reset, &[]));
        victim.output();
        while let Ok((socket, _)) = victim.stack.accept(listener) {
            let now = victim.now;
            victim.stack.close(now, socket).unwrap();
        }
        while victim.stack.poll_event().is_some() {}
    }
    victim.output();
    victim.check();
    assert_eq!((victim.held(), victim.stack.live_connections()), (before, 0));
}
