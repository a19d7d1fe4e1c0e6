use std::net::IpAddr;

use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use proptest::prelude::*;

use super::*;
use crate::buffer::Pool;
use crate::device::read_at;
use crate::wire::{Ecn, IpOut, IpPair, Protocol, SeqNumber, pseudo_header_sum};

pub(in crate::device) const V4: (&str, &str) = ("10.9.0.2", "10.9.0.1");
pub(in crate::device) const V6: (&str, &str) = ("fd09::2", "fd09::1");

/// Headers of `transport_header` over IP, as the stack writes them: the checksum field holds the pseudo-header sum.
pub(in crate::device) fn headers(
    addresses: (&str, &str),
    protocol: Protocol,
    field: usize,
    transport: &[u8],
    payload: usize,
) -> Vec<u8> {
    let (src, dst): (IpAddr, IpAddr) = (addresses.0.parse().unwrap(), addresses.1.parse().unwrap());
    let len = transport.len() + payload;
    let mut out = [0; IpOut::MAX_LEN];
    let ip = IpOut { addresses: IpPair::new(src, dst).unwrap(), protocol, ecn: Ecn::Ect0, payload_len: len };
    let ip_len = ip.emit(&mut out);
    let mut header = [&out[..ip_len], transport].concat();
    let partial = pseudo_header_sum(src, dst, protocol, len).partial();
    header[ip_len + field..][..2].copy_from_slice(&partial.to_be_bytes());
    header
}

pub(in crate::device) fn tcp_headers(
    addresses: (&str, &str),
    seq: u32,
    flags: TcpFlags,
    payload: usize,
) -> Vec<u8> {
    let tcp = TcpHeader { src_port: 80, dst_port: 5, seq: SeqNumber(seq), flags, ..TcpHeader::default() };
    let mut out = [0; TcpHeader::MAX_LEN];
    let len = tcp.emit(0, &mut out);
    headers(addresses, Protocol::TCP, TcpHeader::CHECKSUM_OFFSET, &out[..len], payload)
}

pub(in crate::device) fn tcp_packet<'a>(
    header: &'a [u8],
    payload: &'a [&'a [u8]],
    gso_size: u16,
) -> OutPacket<'a> {
    let transport = if header[0] >> 4 == 4 { 20 } else { 40 };
    OutPacket { header, payload, transport, checksum: TcpHeader::CHECKSUM_OFFSET, gso_size }
}

fn cut_all(packet: &OutPacket<'_>, mtu: usize) -> Result<Vec<Vec<u8>>, CutError> {
    let mut packets = Vec::new();
    Cutter::default().cut(packet, mtu, |finished| {
        packets.push(finished.to_vec());
        ControlFlow::Continue(())
    })?;
    Ok(packets)
}

/// Parses with etherparse and lets it verify lengths and every checksum; gives the payload.
#[track_caller]
pub(in crate::device) fn verified(packet: &[u8]) -> (TransportSlice<'_>, Vec<u8>) {
    let sliced = SlicedPacket::from_ip(packet).unwrap();
    let transport = sliced.transport.unwrap();
    let (stated, computed, payload) = match (sliced.net.unwrap(), &transport) {
        (NetSlice::Ipv4(ip), TransportSlice::Tcp(tcp)) => {
            let header = ip.header();
            assert_eq!(header.header_checksum(), header.to_header().calc_header_checksum(), "IPv4 header");
            assert_eq!(usize::from(header.total_len()), packet.len());
            let computed = tcp.to_header().calc_checksum_ipv4(&header.to_header(), tcp.payload());
            (tcp.checksum(), computed.unwrap(), tcp.payload())
        }
        (NetSlice::Ipv6(ip), TransportSlice::Tcp(tcp)) => {
            assert_eq!(usize::from(ip.header().payload_length()) + 40, packet.len());
            let computed = tcp.to_header().calc_checksum_ipv6(&ip.header().to_header(), tcp.payload());
            (tcp.checksum(), computed.unwrap(), tcp.payload())
        }
        (NetSlice::Ipv6(ip), TransportSlice::Udp(udp)) => {
            let computed = udp.to_header().calc_checksum_ipv6(&ip.header().to_header(), udp.payload());
            (udp.checksum(), computed.unwrap(), udp.payload())
        }
        _ => panic!("neither TCP nor UDP over IPv6"),
    };
    assert_eq!(stated, computed, "transport checksum");
    let payload = payload.to_vec();
    (transport, payload)
}

fn flags(transport: &TransportSlice<'_>) -> TcpFlags {
    let TransportSlice::Tcp(tcp) = transport else { panic!("not TCP") };
    TcpFlags(tcp.slice()[TcpHeader::FLAGS_OFFSET])
}

fn sequence(transport: &TransportSlice<'_>) -> u32 {
    let TransportSlice::Tcp(tcp) = transport else { panic!("not TCP") };
    tcp.sequence_number()
}

/// Splits `bytes` at the given fractions, in the manner of a payload that lies in several chunks.
fn split_at<'a>(bytes: &'a [u8], places: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut at: Vec<usize> = places.iter().map(|place| place.index(bytes.len() + 1)).collect();
    at.extend([0, bytes.len()]);
    at.sort_unstable();
    at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

proptest! {
    #[test]
    fn the_cuts_put_together_are_the_original(
        payload in prop::collection::vec(any::<u8>(), 1..20_000),
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..5),
        gso_size in 1u16..1_400,
        seq in any::<u32>(),
        six in any::<bool>(),
    ) {
        let gso_size = gso_size.max(payload.len() as u16 / 40);
        let header = tcp_headers(if six { V6 } else { V4 }, seq, TcpFlags::ACK | TcpFlags::PSH, payload.len());
        let slices = split_at(&payload, &places);
        let cuts = cut_all(&tcp_packet(&header, &slices, gso_size), 1_500).unwrap();
        prop_assert_eq!(cuts.len(), payload.len().div_ceil(usize::from(gso_size)));
        let mut together = Vec::new();
        for (index, cut) in cuts.iter().enumerate() {
            let (tcp, part) = verified(cut);
            prop_assert_eq!(sequence(&tcp), seq.wrapping_add(together.len() as u32));
            let last = index + 1 == cuts.len();
            prop_assert_eq!(flags(&tcp).contains(TcpFlags::PSH), last);
            prop_assert!(last || part.len() == usize::from(gso_size));
            together.extend(part);
        }
        prop_assert_eq!(together, payload);
    }
}

#[test]
fn each_flag_stands_where_it_means_something() {
    let all = TcpFlags::ACK | TcpFlags::PSH | TcpFlags::FIN | TcpFlags::CWR | TcpFlags::ECE;
    let header = tcp_headers(V4, 1, all, 250);
    let cuts = cut_all(&tcp_packet(&header, &[&[7; 250]], 100), 1_500).unwrap();
    let flags: Vec<TcpFlags> = cuts.iter().map(|cut| flags(&verified(cut).0)).collect();
    let middle = TcpFlags::ACK | TcpFlags::ECE;
    assert_eq!(flags, [middle | TcpFlags::CWR, middle, middle | TcpFlags::PSH | TcpFlags::FIN]);
}

#[test]
fn identifications_count_up() {
    let header = tcp_headers(V4, 1, TcpFlags::ACK, 30);
    let cuts = cut_all(&tcp_packet(&header, &[&[7; 30]], 10), 1_500).unwrap();
    let identifications: Vec<u16> = cuts.iter().map(|cut| u16::from_be_bytes([cut[4], cut[5]])).collect();
    assert_eq!(identifications, [0, 1, 2]);
}

#[test]
fn a_packet_within_one_segment_only_gets_its_checksum() {
    for addresses in [V4, V6] {
        let header = tcp_headers(addresses, 9, TcpFlags::ACK | TcpFlags::CWR, 3);
        let [cut] = &cut_all(&tcp_packet(&header, &[b"ab", b"", b"c"], 1_460), 1_500).unwrap()[..] else {
            panic!("one packet")
        };
        let (tcp, payload) = verified(cut);
        assert_eq!(
            (&payload[..], sequence(&tcp), flags(&tcp)),
            (&b"abc"[..], 9, TcpFlags::ACK | TcpFlags::CWR)
        );
    }
}

#[test]
fn a_zero_checksum_of_udp_is_sent_as_ones() {
    // The two payload bytes are the complement of the sum over everything else, so that the sum comes out as zero.
    let udp = [0, 53, 0, 53, 0, 10, 0, 0];
    let header = headers(V6, Protocol::UDP, UDP_CHECKSUM, &udp, 2);
    let mut sum = Checksum::default();
    sum.add(&header[40..]);
    let payload = sum.finish().to_be_bytes();
    let packet = OutPacket { header: &header, payload: &[&payload], transport: 40, checksum: 6, gso_size: 0 };
    let cuts = cut_all(&packet, 1_500).unwrap();
    assert_eq!(cuts[0][46..48], [0xff, 0xff]);
    verified(&cuts[0]);
}

#[test]
fn what_cannot_go_on_the_wire_is_refused() {
    let header = tcp_headers(V4, 1, TcpFlags::ACK, 2_000);
    let payload: &[&[u8]] = &[&[0; 2_000]];
    let whole = tcp_packet(&header, payload, 0);
    assert_eq!(cut_all(&whole, 1_500), Err(CutError::TooLong));
    assert_eq!(cut_all(&OutPacket { gso_size: 1_461, ..whole }, 1_500), Err(CutError::TooLong));
    assert_eq!(cut_all(&OutPacket { gso_size: 100, checksum: 6, ..whole }, 1_500), Err(CutError::NotTcp));
    for len in 0..38 {
        let packet = OutPacket { header: &header[..len], ..whole };
        assert_eq!(cut_all(&packet, 9_000), Err(CutError::Malformed), "header of {len} bytes");
    }
    let strange = OutPacket { transport: 30, header: &header[..20], ..whole };
    assert_eq!(cut_all(&strange, 9_000), Err(CutError::Malformed));
}

/// A wire with room for a number of packets.
#[derive(Default)]
struct Narrow {
    room: usize,
    failing: bool,
    sent: Vec<Vec<u8>>,
}

impl WireDevice for Narrow {
    fn mtu(&self) -> usize {
        1_500
    }

    fn receive(&mut self, now: Instant, _packet: &mut Chunk) -> io::Result<PacketMeta> {
        Ok(read_at(now))
    }

    fn transmit(&mut self, _now: Instant, packet: &[u8]) -> SendOutcome {
        if self.failing {
            return SendOutcome::Failed;
        }
        if self.sent.len() == self.room {
            return SendOutcome::Full;
        }
        self.sent.push(packet.to_vec());
        SendOutcome::Sent
    }
}

#[test]
fn the_rest_of_a_super_packet_waits_and_goes_first() {
    let header = tcp_headers(V4, 100, TcpFlags::ACK, 50);
    let packet = tcp_packet(&header, &[&[7; 50]], 10);
    let mut device = Cut::new(Narrow { room: 2, ..Narrow::default() });
    assert_eq!(device.send(Instant::ZERO, &packet), SendOutcome::Sent);
    assert_eq!(device.send(Instant::ZERO, &packet), SendOutcome::Full, "three are pending");

    device.wire_mut().room = 4;
    device.flush(Instant::ZERO);
    assert_eq!(device.send(Instant::ZERO, &packet), SendOutcome::Full, "one is pending");

    device.wire_mut().room = 10;
    assert_eq!(device.send(Instant::ZERO, &packet), SendOutcome::Sent);
    let sequences: Vec<u32> = device.wire().sent.iter().map(|cut| sequence(&verified(cut).0)).collect();
    assert_eq!(sequences, [100, 110, 120, 130, 140, 100, 110, 120, 130, 140]);
}

#[test]
fn a_full_wire_takes_nothing_and_a_failing_one_says_so() {
    let header = tcp_headers(V4, 100, TcpFlags::ACK, 50);
    let packet = tcp_packet(&header, &[&[7; 50]], 10);
    let mut device = Cut::new(Narrow::default());
    assert_eq!(device.send(Instant::ZERO, &packet), SendOutcome::Full);
    device.wire_mut().room = 5;
    device.flush(Instant::ZERO);
    assert!(device.wire().sent.is_empty(), "nothing was pending");
    device.wire_mut().failing = true;
    assert_eq!(device.send(Instant::ZERO, &packet), SendOutcome::Failed);
}

#[test]
fn refusals_are_counted() {
    let header = tcp_headers(V4, 100, TcpFlags::ACK, 2_000);
    let mut device = Cut::new(Narrow::default());
    assert_eq!(device.send(Instant::ZERO, &tcp_packet(&header, &[&[7; 2_000]], 0)), SendOutcome::Failed);
    let mut seen = Vec::new();
    device.counters(&mut |name, _, value| seen.push((name, value)));
    assert_eq!(seen, [("device_uncuttable_packets", 1)]);
    assert!(device.receive(Instant::ZERO, &mut Pool::new().take_largest()).is_ok());
}
