//! What a network card's receive offload does: segments that follow each other become one super-packet.

use crate::stack::{Chunk, Instant};
use crate::wire::{
    Checksum, ChecksumState, IpHeader, PacketMeta, Protocol, TcpFlags, TcpHeader, pseudo_header_sum,
};

/// The longest IP packet.
const MAX_PACKET: usize = 65_535;
/// Offset of the flags in a TCP header.
const FLAGS: usize = 13;

/// A packet as the device hands it over.
pub(super) struct Arrival {
    pub(super) bytes: Vec<u8>,
    pub(super) meta: PacketMeta,
}

/// Merges what may be merged and leaves the order as it is.
pub(super) fn merge(now: Instant, packets: impl Iterator<Item = Chunk>) -> Vec<Arrival> {
    let mut merged: Vec<Arrival> = Vec::new();
    for packet in packets {
        if merged.last_mut().is_none_or(|last| !append(last, &packet)) {
            merged.push(single(now, &packet));
        }
    }
    merged
}

/// A packet by itself.
pub(super) fn single(now: Instant, packet: &[u8]) -> Arrival {
    let meta = PacketMeta { received_at: now, checksum: ChecksumState::Unverified, gso_size: 0 };
    Arrival { bytes: packet.to_vec(), meta }
}

/// A TCP segment with right checksums and where its payload begins.
struct Segment {
    ip: IpHeader,
    tcp: TcpHeader,
    payload: usize,
}

impl Segment {
    /// `None` for anything that a card would leave alone: only plain data, sound and without padding, is merged.
    fn of(packet: &[u8], checksum: ChecksumState) -> Option<Segment> {
        let ip = IpHeader::parse(packet).ok()?;
        let transport = packet.get(ip.payload..ip.end)?;
        let (tcp, header) = TcpHeader::parse(transport).ok()?;
        let mut sum = pseudo_header_sum(ip.src, ip.dst, ip.protocol, transport.len());
        sum.add(transport);
        let sound = checksum == ChecksumState::Trusted || sum.finish() == 0;
        let plain = TcpFlags(tcp.flags.0 & !TcpFlags::PSH.0) == TcpFlags::ACK;
        let usual = ip.protocol == Protocol::TCP && ip.fragment.is_none() && ip.end == packet.len();
        let payload = ip.payload + header;
        (usual && sound && plain && ip.end > payload).then_some(Segment { ip, tcp, payload })
    }
}

/// Appends `packet` to the super-packet that it continues, if it does.
fn append(last: &mut Arrival, packet: &[u8]) -> bool {
    let Some(first) = Segment::of(&last.bytes, last.meta.checksum) else { return false };
    let Some(next) = Segment::of(packet, ChecksumState::Unverified) else { return false };
    let held = last.bytes.len() - first.payload;
    let size = if last.meta.gso_size > 0 { usize::from(last.meta.gso_size) } else { held };
    let added = packet.len() - next.payload;
    let continues = TcpHeader { seq: first.tcp.seq + held as u32, flags: first.tcp.flags, ..first.tcp };
    let same = TcpHeader { flags: first.tcp.flags, ..next.tcp } == continues
        && (next.ip.src, next.ip.dst, next.ip.ecn) == (first.ip.src, first.ip.dst, first.ip.ecn);
    // Every segment but the last has the same size, and a push ends the packet.
    let fits = held.is_multiple_of(size) && added <= size && last.bytes.len() + added <= MAX_PACKET;
    if !same || !fits || first.tcp.has(TcpFlags::PSH) {
        return false;
    }
    last.bytes[first.ip.payload + FLAGS] |= next.tcp.flags.0;
    last.bytes.extend_from_slice(&packet[next.payload..]);
    last.meta = PacketMeta { checksum: ChecksumState::Trusted, gso_size: size as u16, ..last.meta };
    set_length(&mut last.bytes, first.ip.payload);
    true
}

/// Writes the length, and the header checksum of IPv4.
fn set_length(packet: &mut [u8], header: usize) {
    if packet[0] >> 4 == 6 {
        let len = (packet.len() - 40) as u16;
        packet[4..6].copy_from_slice(&len.to_be_bytes());
        return;
    }
    let len = packet.len() as u16;
    packet[2..4].copy_from_slice(&len.to_be_bytes());
    packet[10..12].fill(0);
    let mut sum = Checksum::default();
    sum.add(&packet[..header]);
    packet[10..12].copy_from_slice(&sum.finish().to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Ecn, IpOut, IpPair, SeqNumber};

    fn segment(seq: u32, flags: TcpFlags, payload: &[u8]) -> Chunk {
        let (src, dst) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let header = TcpHeader { seq: SeqNumber(seq), flags, window: 7, ..TcpHeader::default() };
        let mut tcp = [0; TcpHeader::MAX_LEN];
        let len = header.emit(0, &mut tcp);
        let mut sum = pseudo_header_sum(src, dst, Protocol::TCP, len + payload.len());
        sum.add(&tcp[..len]);
        sum.add(payload);
        header.emit(sum.finish(), &mut tcp);
        let addresses = IpPair::new(src, dst).unwrap();
        let payload_len = len + payload.len();
        let out = IpOut { addresses, protocol: Protocol::TCP, ecn: Ecn::NotCapable, payload_len };
        let mut ip = [0; IpOut::MAX_LEN];
        let ip_len = out.emit(&mut ip);
        Chunk::from([&ip[..ip_len], &tcp[..len], payload].concat())
    }

    /// The payload and the segment size of each packet that comes out.
    fn merged(packets: Vec<Chunk>) -> Vec<(Vec<u8>, u16)> {
        let merged = merge(Instant::ZERO, packets.into_iter());
        let parsed = merged.iter().map(|arrival| {
            let ip = IpHeader::parse(&arrival.bytes).unwrap();
            assert_eq!(ip.end, arrival.bytes.len());
            (arrival.bytes[ip.payload + 20..].to_vec(), arrival.meta.gso_size)
        });
        parsed.collect()
    }

    #[test]
    fn segments_that_follow_each_other_become_one() {
        let packets = vec![
            segment(100, TcpFlags::ACK, b"abcd"),
            segment(104, TcpFlags::ACK, b"efgh"),
            segment(108, TcpFlags::ACK | TcpFlags::PSH, b"ij"),
            segment(110, TcpFlags::ACK, b"klmn"),
        ];
        assert_eq!(merged(packets), [(b"abcdefghij".to_vec(), 4), (b"klmn".to_vec(), 0)]);
    }

    #[test]
    fn gaps_longer_segments_and_flags_stay_apart() {
        let gap = vec![segment(100, TcpFlags::ACK, b"abcd"), segment(105, TcpFlags::ACK, b"efgh")];
        assert_eq!(merged(gap).len(), 2);
        let longer = vec![segment(100, TcpFlags::ACK, b"abcd"), segment(104, TcpFlags::ACK, b"efghi")];
        assert_eq!(merged(longer).len(), 2);
        let fin =
            vec![segment(100, TcpFlags::ACK, b"abcd"), segment(104, TcpFlags::ACK | TcpFlags::FIN, b"")];
        assert_eq!(merged(fin).len(), 2);
    }

    #[test]
    fn a_damaged_segment_is_not_merged() {
        let mut damaged = segment(104, TcpFlags::ACK, b"efgh");
        let last = damaged.len() - 1;
        damaged[last] ^= 1;
        assert_eq!(merged(vec![segment(100, TcpFlags::ACK, b"abcd"), damaged]).len(), 2);
    }
}
