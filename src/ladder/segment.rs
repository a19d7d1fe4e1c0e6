//! From a captured frame to the TCP segment in it.

use std::net::{IpAddr, SocketAddr};

use etherparse::{LaxNetSlice, LaxSlicedPacket, TransportSlice};

use crate::wire::{SeqNumber, TcpFlags, TcpOptions};

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
/// Tags that stand before the real type: 802.1Q, 802.1ad.
const ETHERTYPES_VLAN: [u16; 2] = [0x8100, 0x88a8];

/// What stands before the IP header (the numbers of <https://www.tcpdump.org/linktypes.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LinkType {
    /// Nothing: TUN interfaces, and our own captures.
    Raw,
    /// Ethernet, with or without VLAN tags: real interfaces, veth, and the loopback of Linux.
    Ethernet,
    /// What `tcpdump -i any` writes: a type at this offset, the packet at that one.
    Cooked { kind: usize, packet: usize },
}

impl LinkType {
    /// The link type of that number, if it is one that is understood here.
    pub(super) fn from_number(number: u32) -> Option<LinkType> {
        match number {
            101 | 228 | 229 => Some(LinkType::Raw),
            1 => Some(LinkType::Ethernet),
            113 => Some(LinkType::Cooked { kind: 14, packet: 16 }),
            276 => Some(LinkType::Cooked { kind: 0, packet: 20 }),
            _ => None,
        }
    }

    /// The IP packet in a frame.
    fn strip(self, frame: &[u8]) -> Option<&[u8]> {
        let (mut kind, mut packet) = match self {
            LinkType::Raw => return Some(frame),
            LinkType::Ethernet => (12, 14),
            LinkType::Cooked { kind, packet } => (kind, packet),
        };
        loop {
            match u16::from_be_bytes([*frame.get(kind)?, *frame.get(kind + 1)?]) {
                ETHERTYPE_IPV4 | ETHERTYPE_IPV6 => return frame.get(packet..),
                tag if ETHERTYPES_VLAN.contains(&tag) => (kind, packet) = (packet + 2, packet + 4),
                _ => return None,
            }
        }
    }
}

/// One TCP segment as it was captured.
#[derive(Clone, Debug)]
pub(super) struct Segment<'a> {
    pub(super) src: SocketAddr,
    pub(super) dst: SocketAddr,
    pub(super) flags: TcpFlags,
    pub(super) seq: SeqNumber,
    pub(super) ack: SeqNumber,
    /// The window field, unscaled.
    pub(super) window: u16,
    pub(super) options: TcpOptions,
    /// Octets of payload that the segment had.
    pub(super) len: u32,
    /// As much of the payload as was captured.
    pub(super) payload: &'a [u8],
}

impl Segment<'_> {
    pub(super) fn has(&self, flag: TcpFlags) -> bool {
        self.flags.contains(flag)
    }

    /// SEG.LEN (RFC 9293 3.4).
    pub(super) fn sequence_len(&self) -> u32 {
        let counted = u32::from(self.has(TcpFlags::SYN)) + u32::from(self.has(TcpFlags::FIN));
        self.len.saturating_add(counted)
    }
}

/// Why a packet is on no diagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Skipped {
    /// Neither IPv4 nor IPv6, or another protocol in it.
    NotTcp,
    /// A fragment, or too little of the packet was captured, or it is malformed.
    Unreadable,
}

/// Finds the TCP segment in a frame. Lengths may lie and checksums may be wrong: captures are cut off on purpose, and
/// those made before an interface's own offloads have no sums yet.
pub(super) fn parse(link: LinkType, frame: &[u8]) -> Result<Segment<'_>, Skipped> {
    let packet = link.strip(frame).ok_or(Skipped::NotTcp)?;
    let sliced = LaxSlicedPacket::from_ip(packet).map_err(|_| Skipped::Unreadable)?;
    let (src, dst, declared) = addresses(sliced.net.as_ref().ok_or(Skipped::Unreadable)?)?;
    let payload = sliced.ip_payload().ok_or(Skipped::Unreadable)?;
    if payload.ip_number != etherparse::IpNumber::TCP {
        return Err(Skipped::NotTcp);
    }
    if payload.fragmented {
        return Err(Skipped::Unreadable);
    }
    let Some(TransportSlice::Tcp(tcp)) = sliced.transport else { return Err(Skipped::Unreadable) };
    // What the header promises beyond what was captured is payload as well.
    let missing = declared.saturating_sub(packet.len());
    Ok(Segment {
        src: SocketAddr::new(src, tcp.source_port()),
        dst: SocketAddr::new(dst, tcp.destination_port()),
        flags: TcpFlags(tcp.header_slice()[13]),
        seq: SeqNumber(tcp.sequence_number()),
        ack: SeqNumber(tcp.acknowledgment_number()),
        window: tcp.window_size(),
        // Malformed options are no reason to leave the segment out of the picture.
        options: TcpOptions::parse(tcp.options()).unwrap_or_default(),
        len: (tcp.payload().len() + missing) as u32,
        payload: tcp.payload(),
    })
}

/// Source, destination, and how long the header says that the packet is.
fn addresses(net: &LaxNetSlice<'_>) -> Result<(IpAddr, IpAddr, usize), Skipped> {
    match net {
        LaxNetSlice::Ipv4(ip) => {
            let header = ip.header();
            let declared = usize::from(header.total_len());
            Ok((header.source_addr().into(), header.destination_addr().into(), declared))
        }
        LaxNetSlice::Ipv6(ip) => {
            let header = ip.header();
            let declared = header.slice().len() + usize::from(header.payload_length());
            Ok((header.source_addr().into(), header.destination_addr().into(), declared))
        }
        LaxNetSlice::Arp(_) => Err(Skipped::NotTcp),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use etherparse::PacketBuilder;

    fn packet(payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let builder =
            PacketBuilder::ipv4([10, 9, 0, 1], [10, 9, 0, 2], 64).tcp(41_001, 80, 7, 64_240).ack(9).psh();
        builder.write(&mut bytes, payload).unwrap();
        bytes
    }

    #[test]
    fn every_link_type_leads_to_the_same_segment() {
        let ip = packet(b"GET / HTTP/1.1\r\n");
        let behind = |header: &[u8]| [header, &ip].concat();
        let ethernet = [&[0; 12][..], &[8, 0]].concat();
        let tagged = [&[0; 12][..], &[0x88, 0xa8, 0, 1, 0x81, 0, 0, 2, 8, 0]].concat();
        let cooked = [&[0; 14][..], &[8, 0]].concat();
        let cooked2 = [&[8, 0][..], &[0; 18]].concat();
        for (number, frame) in [
            (101, ip.clone()),
            (1, behind(&ethernet)),
            (1, behind(&tagged)),
            (113, behind(&cooked)),
            (276, behind(&cooked2)),
        ] {
            let link = LinkType::from_number(number).unwrap();
            let segment = parse(link, &frame).unwrap();
            assert_eq!((segment.src.to_string().as_str(), segment.dst.port()), ("10.9.0.1:41001", 80));
            assert_eq!((segment.seq, segment.ack, segment.window), (SeqNumber(7), SeqNumber(9), 64_240));
            assert_eq!(segment.flags, TcpFlags::ACK | TcpFlags::PSH);
            assert_eq!((segment.len, segment.payload), (16, &b"GET / HTTP/1.1\r\n"[..]), "{number}");
        }
        assert_eq!(LinkType::from_number(147), None);
    }

    #[test]
    fn ethernet_padding_is_no_payload() {
        let frame = [&[0; 12][..], &[8, 0], &packet(b""), &[0; 6]].concat();
        assert_eq!(parse(LinkType::Ethernet, &frame).unwrap().len, 0);
    }

    #[test]
    fn what_a_snap_length_cut_off_still_counts() {
        let bytes = packet(&[b'x'; 1000]);
        let segment = parse(LinkType::Raw, &bytes[..96]).unwrap();
        assert_eq!((segment.len, segment.payload.len()), (1000, 56));
        assert_eq!(parse(LinkType::Raw, &bytes[..39]).unwrap_err(), Skipped::Unreadable, "half a TCP header");
    }

    #[test]
    fn ipv6_lengths_count_extension_headers_out() {
        let mut bytes = Vec::new();
        let builder = PacketBuilder::ipv6([1; 16], [2; 16], 64).tcp(5, 6, 7, 8).syn();
        builder.write(&mut bytes, b"abc").unwrap();
        let segment = parse(LinkType::Raw, &bytes).unwrap();
        assert_eq!((segment.len, segment.sequence_len()), (3, 4));
    }

    #[test]
    fn other_traffic_is_skipped_by_name() {
        let mut udp = Vec::new();
        PacketBuilder::ipv4([1; 4], [2; 4], 64).udp(1, 2).write(&mut udp, b"x").unwrap();
        assert_eq!(parse(LinkType::Raw, &udp).unwrap_err(), Skipped::NotTcp);
        let arp = [&[0; 12][..], &[8, 6], &[0; 28]].concat();
        assert_eq!(parse(LinkType::Ethernet, &arp).unwrap_err(), Skipped::NotTcp);
        let mut fragment = packet(b"x");
        fragment[6] = 0x20;
        assert_eq!(parse(LinkType::Raw, &fragment).unwrap_err(), Skipped::Unreadable);
        assert_eq!(parse(LinkType::Raw, &[]).unwrap_err(), Skipped::Unreadable);
    }
}
