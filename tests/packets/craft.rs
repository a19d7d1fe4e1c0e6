//! Packets made by hand, right and wrong.

use std::net::IpAddr;

use fastrand::Rng;
use longwire::wire::{
    Checksum, Ecn, IpOut, IpPair, Protocol, SeqNumber, TcpFlags, TcpHeader, pseudo_header_sum,
};

/// An IP packet with the given transport bytes.
pub(crate) fn ip(src: IpAddr, dst: IpAddr, protocol: Protocol, transport: &[u8]) -> Vec<u8> {
    let addresses = IpPair::new(src, dst).expect("one family");
    let out = IpOut { addresses, protocol, ecn: Ecn::NotCapable, payload_len: transport.len() };
    let mut header = [0; IpOut::MAX_LEN];
    let len = out.emit(&mut header);
    [&header[..len], transport].concat()
}

/// A whole TCP packet with right checksums.
pub(crate) fn tcp(src: IpAddr, dst: IpAddr, header: &TcpHeader, payload: &[u8]) -> Vec<u8> {
    let mut bytes = [0; TcpHeader::MAX_LEN];
    let len = header.emit(0, &mut bytes);
    let mut segment = [&bytes[..len], payload].concat();
    complete(src, dst, Protocol::TCP, TcpHeader::CHECKSUM_OFFSET, &mut segment);
    ip(src, dst, Protocol::TCP, &segment)
}

/// Fills in a transport checksum.
fn complete(src: IpAddr, dst: IpAddr, protocol: Protocol, at: usize, segment: &mut [u8]) {
    segment[at..at + 2].fill(0);
    let mut sum = match protocol {
        Protocol::ICMP => Checksum::default(),
        _ => pseudo_header_sum(src, dst, protocol, segment.len()),
    };
    sum.add(segment);
    let sum = sum.finish().to_be_bytes();
    segment[at..at + 2].copy_from_slice(&sum);
}

/// Makes the checksums of a damaged TCP packet right again, so that the damage gets past them.
pub(crate) fn repair(packet: &mut [u8]) {
    let Some(version) = packet.first().map(|byte| byte >> 4) else { return };
    let header = match version {
        4 if packet.len() >= 20 => usize::from(packet[0] & 15) * 4,
        6 if packet.len() >= 40 => 40,
        _ => return,
    };
    if header < 20 || packet.len() < header + 20 {
        return;
    }
    let (src, dst): (IpAddr, IpAddr) = if version == 4 {
        packet[10..12].fill(0);
        let mut sum = Checksum::default();
        sum.add(&packet[..header]);
        let sum = sum.finish().to_be_bytes();
        packet[10..12].copy_from_slice(&sum);
        let at = |from: usize| <[u8; 4]>::try_from(&packet[from..from + 4]).unwrap();
        (at(12).into(), at(16).into())
    } else {
        let at = |from: usize| <[u8; 16]>::try_from(&packet[from..from + 16]).unwrap();
        (at(8).into(), at(24).into())
    };
    complete(src, dst, Protocol::TCP, TcpHeader::CHECKSUM_OFFSET, &mut packet[header..]);
}

/// One of everything a hostile network may send to `victim`, from `sources`, to ports around `ports`.
pub(crate) struct Hostile<'a> {
    pub(crate) victim: IpAddr,
    pub(crate) sources: &'a [IpAddr],
    pub(crate) ports: &'a [u16],
    pub(crate) source_ports: &'a [u16],
}

impl Hostile<'_> {
    pub(crate) fn packet(&self, rng: &mut Rng) -> Vec<u8> {
        let source = self.sources[rng.usize(..self.sources.len())];
        match rng.u8(0..10) {
            0 => noise(rng, 0..200),
            1 => {
                let mut bytes = noise(rng, 1..2_000);
                bytes[0] = *pick(rng, &[0x45, 0x4f, 0x46, 0x60, 0x6f]);
                bytes
            }
            2 => ip(source, self.victim, Protocol(rng.u8(..)), &noise(rng, 0..1_400)),
            3 => self.icmp(rng, source),
            4 => self.udp(rng, source),
            5 => fragment(rng, source, self.victim),
            6 => self.odd_options(rng, source),
            _ => self.segment(rng, source),
        }
    }

    /// Right in form, random in content.
    fn segment(&self, rng: &mut Rng, source: IpAddr) -> Vec<u8> {
        let usual = [TcpFlags::SYN, TcpFlags::ACK, TcpFlags::RST, TcpFlags::FIN | TcpFlags::ACK];
        let header = TcpHeader {
            src_port: if rng.bool() { *pick(rng, self.source_ports) } else { rng.u16(..) },
            dst_port: if rng.u8(..8) > 0 { *pick(rng, self.ports) } else { rng.u16(..) },
            seq: SeqNumber(rng.u32(..)),
            ack: SeqNumber(rng.u32(..)),
            flags: if rng.bool() { *pick(rng, &usual) } else { TcpFlags(rng.u8(..)) },
            window: rng.u16(..),
            urgent: rng.u16(..),
            ..TcpHeader::default()
        };
        tcp(source, self.victim, &header, &noise(rng, 0..600))
    }

    /// A segment whose options are noise, checksums right.
    fn odd_options(&self, rng: &mut Rng, source: IpAddr) -> Vec<u8> {
        let mut segment = noise(rng, 60..300);
        segment[0..2].copy_from_slice(&pick(rng, self.source_ports).to_be_bytes());
        segment[2..4].copy_from_slice(&pick(rng, self.ports).to_be_bytes());
        segment[12] = rng.u8(0..16) << 4;
        segment[13] = pick(rng, &[TcpFlags::SYN, TcpFlags::ACK]).0;
        complete(source, self.victim, Protocol::TCP, TcpHeader::CHECKSUM_OFFSET, &mut segment);
        ip(source, self.victim, Protocol::TCP, &segment)
    }

    fn icmp(&self, rng: &mut Rng, source: IpAddr) -> Vec<u8> {
        let protocol = if source.is_ipv4() { Protocol::ICMP } else { Protocol::ICMPV6 };
        let mut message = noise(rng, 8..200);
        message[0] = *pick(rng, &[0, 1, 2, 3, 4, 5, 8, 11, 12, 128, 129, 135]);
        message[1] = rng.u8(0..8);
        if rng.bool() {
            // What an error quotes: the beginning of a packet that the victim might have sent.
            let port = |rng: &mut Rng, from: &[u16]| *pick(rng, from);
            let header = TcpHeader {
                src_port: port(rng, self.ports),
                dst_port: port(rng, self.source_ports),
                seq: SeqNumber(rng.u32(..)),
                ..TcpHeader::default()
            };
            message.truncate(8);
            message.extend_from_slice(&tcp(self.victim, source, &header, &[])[..rng.usize(0..40)]);
        }
        complete(source, self.victim, protocol, 2, &mut message);
        ip(source, self.victim, protocol, &message)
    }

    fn udp(&self, rng: &mut Rng, source: IpAddr) -> Vec<u8> {
        let mut datagram = noise(rng, 8..600);
        let len = if rng.bool() { datagram.len() as u16 } else { rng.u16(..) };
        datagram[4..6].copy_from_slice(&len.to_be_bytes());
        complete(source, self.victim, Protocol::UDP, 6, &mut datagram);
        ip(source, self.victim, Protocol::UDP, &datagram)
    }
}

/// A fragment of a datagram that never becomes whole.
fn fragment(rng: &mut Rng, source: IpAddr, victim: IpAddr) -> Vec<u8> {
    if source.is_ipv4() {
        let mut packet = ip(source, victim, Protocol::UDP, &noise(rng, 8..1_400));
        packet[4..6].copy_from_slice(&rng.u16(0..100).to_be_bytes());
        packet[6..8].copy_from_slice(&(rng.u16(..) & 0x3fff).to_be_bytes());
        packet[10..12].fill(0);
        let mut sum = Checksum::default();
        sum.add(&packet[..20]);
        let sum = sum.finish().to_be_bytes();
        packet[10..12].copy_from_slice(&sum);
        return packet;
    }
    let mut body = vec![Protocol::UDP.0, 0];
    body.extend_from_slice(&rng.u16(..).to_be_bytes());
    body.extend_from_slice(&rng.u32(0..100).to_be_bytes());
    body.extend_from_slice(&noise(rng, 8..1_200));
    ip(source, victim, Protocol(44), &body)
}

pub(crate) fn noise(rng: &mut Rng, len: std::ops::Range<usize>) -> Vec<u8> {
    let mut bytes = vec![0; rng.usize(len)];
    rng.fill(&mut bytes);
    bytes
}

fn pick<'a, T>(rng: &mut Rng, from: &'a [T]) -> &'a T {
    &from[rng.usize(..from.len())]
}
