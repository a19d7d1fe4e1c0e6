//! A router on the way that carries less than the hosts' devices.

use crate::wire::{Checksum, Ecn, IpHeader, IpOut, IpPair, Protocol, pseudo_header_sum};

/// Bytes that the router quotes of a packet.
const QUOTE: usize = 128;

/// The largest packet that passes, and what becomes of the others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hop {
    pub(super) mtu: usize,
    /// Whether it says what it drops.
    pub(super) tells: bool,
}

/// What the router says about a packet that is too big for it (RFC 1191 4, RFC 4443 3.2).
pub(super) fn packet_too_big(packet: &[u8], mtu: usize) -> Option<Vec<u8>> {
    let ip = IpHeader::parse(packet).ok()?;
    let mtu = u32::try_from(mtu).ok()?.to_be_bytes();
    let (protocol, kind) = match ip.src {
        std::net::IpAddr::V4(_) => (Protocol::ICMP, [3, 4]),
        std::net::IpAddr::V6(_) => (Protocol::ICMPV6, [2, 0]),
    };
    let mut message = [&kind[..], &[0, 0], &mtu, &packet[..packet.len().min(QUOTE)]].concat();
    let mut sum = match protocol {
        Protocol::ICMP => Checksum::default(),
        _ => pseudo_header_sum(ip.dst, ip.src, protocol, message.len()),
    };
    sum.add(&message);
    message[2..4].copy_from_slice(&sum.finish().to_be_bytes());
    // It may have any address but the sender's own; that of the destination is one that the world knows.
    let addresses = IpPair::new(ip.dst, ip.src)?;
    let header = IpOut { addresses, protocol, ecn: Ecn::NotCapable, payload_len: message.len() };
    let mut bytes = [0; IpOut::MAX_LEN];
    let len = header.emit(&mut bytes);
    Some([&bytes[..len], &message].concat())
}
