//! Datagrams that come in fragments.

use super::*;
use crate::stack::{IpCounters, ListenOptions};

pub(super) const PORT: u16 = 7;

/// Cuts a packet into fragments of its payload between these offsets.
pub(super) fn cut(packet: &[u8], identification: u16, offsets: &[usize]) -> Vec<Vec<u8>> {
    let ip = IpHeader::parse(packet).unwrap();
    let payload = &packet[ip.payload..ip.end];
    offsets
        .windows(2)
        .map(|range| {
            let more = range[1] < payload.len();
            piece(packet, identification, range[0], more, &payload[range[0]..range[1]])
        })
        .collect()
}

/// One fragment of a packet, with any claim about itself.
fn piece(packet: &[u8], identification: u16, offset: usize, more: bool, bytes: &[u8]) -> Vec<u8> {
    let ip = IpHeader::parse(packet).unwrap();
    let field = (offset as u16).to_be_bytes();
    let id = identification.to_be_bytes();
    let mut out = packet[..ip.payload].to_vec();
    if ip.src.is_ipv4() {
        let units = (offset / 8) as u16 | if more { 0x2000 } else { 0 };
        out[2..4].copy_from_slice(&((20 + bytes.len()) as u16).to_be_bytes());
        out[4..6].copy_from_slice(&id);
        out[6..8].copy_from_slice(&units.to_be_bytes());
        out[10..12].fill(0);
        let mut sum = Checksum::default();
        sum.add(&out);
        out[10..12].copy_from_slice(&sum.finish().to_be_bytes());
    } else {
        out[4..6].copy_from_slice(&((8 + bytes.len()) as u16).to_be_bytes());
        let next = std::mem::replace(&mut out[6], 44);
        out.extend([next, 0, field[0], field[1] | u8::from(more), 0, 0, id[0], id[1]]);
    }
    out.extend(bytes);
    out
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8).collect()
}

/// A datagram from the peer to us, whole.
pub(super) fn datagram((ours, theirs): (&str, &str), payload: &[u8]) -> Vec<u8> {
    let len = ((8 + payload.len()) as u16).to_be_bytes();
    let header = [0x13, 0x88, 0, PORT as u8, len[0], len[1], 0, 0];
    packet(theirs, ours, Protocol::UDP, &[&header[..], payload].concat(), 6)
}

struct Receiver {
    host: Host,
    socket: SocketId,
}

impl Receiver {
    fn new(ours: &str) -> Receiver {
        let mut host = Host::new();
        let socket = host.stack.udp_bind(at(ours, PORT)).unwrap();
        Receiver { host, socket }
    }

    fn receive(&mut self, packets: &[Vec<u8>]) {
        packets.iter().for_each(|packet| self.host.receive(packet));
    }

    fn take(&mut self) -> Option<Vec<u8>> {
        let mut buffer = vec![0; 70_000];
        let (len, _) = self.host.stack.udp_recv_from(self.socket, &mut buffer).ok()?;
        buffer.truncate(len);
        Some(buffer)
    }

    fn ip(&self) -> IpCounters {
        self.host.stack.counters().ip
    }
}

#[test]
fn rfc_791_3_2_and_rfc_8200_4_5_fragments_in_any_order_make_the_datagram() {
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    for family in FAMILIES {
        let sent = pattern(3_000);
        let pieces = cut(&datagram(family, &sent), 9, &[0, 1_008, 2_000, 3_008]);
        for order in orders {
            let mut receiver = Receiver::new(family.0);
            order.iter().for_each(|&which| receiver.host.receive(&pieces[which]));
            assert!(receiver.take().as_ref() == Some(&sent), "{order:?}");
            assert_eq!((receiver.ip().fragments, receiver.ip().reassembled), (3, 1));
            assert_eq!(receiver.host.stack.poll_timeout(), None, "nothing is left");
        }
    }
}

#[test]
fn datagrams_in_the_making_do_not_mix() {
    for family in FAMILIES {
        let mut receiver = Receiver::new(family.0);
        let (one, other) = (pattern(1_000), vec![7; 1_000]);
        let first = cut(&datagram(family, &one), 1, &[0, 504, 1_008]);
        let second = cut(&datagram(family, &other), 2, &[0, 504, 1_008]);
        receiver.receive(&[first[0].clone(), second[1].clone(), second[0].clone(), first[1].clone()]);
        assert_eq!(receiver.take(), Some(other));
        assert_eq!(receiver.take(), Some(one));
    }
}

#[test]
fn rfc_8200_4_5_an_exact_duplicate_is_ignored() {
    for family in FAMILIES {
        let mut receiver = Receiver::new(family.0);
        let pieces = cut(&datagram(family, &pattern(1_000)), 9, &[0, 504, 1_008]);
        receiver.receive(&[pieces[0].clone(), pieces[0].clone(), pieces[1].clone()]);
        assert!(receiver.take() == Some(pattern(1_000)));
        assert_eq!(receiver.ip().fragments_overlapping, 0);
    }
}

#[test]
fn rfc_5722_4_any_other_overlap_drops_the_datagram_and_what_is_still_to_come() {
    for family in FAMILIES {
        let whole = datagram(family, &pattern(2_000));
        let good = cut(&whole, 9, &[0, 1_008, 2_008]);
        let bad = [
            piece(&whole, 9, 1_000, true, &[0; 16]), // into the next one
            piece(&whole, 9, 8, true, &[0; 8]),      // inside
            piece(&whole, 9, 0, true, &[0; 1_008]),  // the same place, other bytes
            piece(&whole, 9, 0, true, &[0; 8]),      // the same place, fewer bytes
            piece(&whole, 9, 800, false, &[0; 8]),   // an end before what is there
        ];
        for overlap in bad {
            let mut receiver = Receiver::new(family.0);
            receiver.receive(&[good[0].clone(), overlap, good[1].clone(), good[0].clone()]);
            assert_eq!(receiver.take(), None);
            assert_eq!(receiver.ip().fragments_overlapping, 3, "{:?}", receiver.ip());
        }
    }
}

#[test]
fn an_end_that_is_known_cannot_change() {
    for family in FAMILIES {
        let whole = datagram(family, &pattern(2_000));
        let mut receiver = Receiver::new(family.0);
        receiver.receive(&[
            piece(&whole, 9, 800, false, &[0; 8]),
            piece(&whole, 9, 1_600, true, &[0; 8]),
            piece(&whole, 9, 0, true, &[0; 800]),
        ]);
        assert_eq!((receiver.take(), receiver.ip().fragments_overlapping), (None, 2));
    }
}

#[test]
fn rfc_8200_4_5_impossible_lengths_are_dropped() {
    for family in FAMILIES {
        let whole = datagram(family, &pattern(100));
        let mut receiver = Receiver::new(family.0);
        receiver.receive(&[
            piece(&whole, 9, 0, true, &[0; 12]),       // not a multiple of eight
            piece(&whole, 9, 8, false, &[]),           // nothing at all
            piece(&whole, 9, 65_528, false, &[0; 16]), // an end beyond 65,535
        ]);
        assert_eq!((receiver.ip().fragments_malformed, receiver.host.stack.poll_timeout()), (3, None));
    }
}

/// RFC 1122 3.3.2, RFC 8200 4.5.
#[test]
fn what_is_not_complete_after_60_seconds_goes_and_its_sender_is_told() {
    for family in FAMILIES {
        let pieces = cut(&datagram(family, &pattern(2_000)), 9, &[0, 1_008, 2_008]);
        let mut receiver = Receiver::new(family.0);
        receiver.host.receive(&pieces[0]);
        assert!(receiver.host.wait(Duration::from_millis(59_900)).is_empty());
        let told = receiver.host.wait(Duration::from_millis(200));
        let (ip, message) = transport(&told[0].bytes);
        let expected = if ip.src.is_ipv4() { [11, 1] } else { [3, 1] };
        assert_eq!((message[..2].to_vec(), ip.dst.to_string()), (expected.to_vec(), family.1.to_owned()));
        assert_eq!(message[8..108], pieces[0][..100], "it quotes the first fragment");
        assert_eq!(receiver.ip().fragments_timed_out, 1);

        receiver.host.receive(&pieces[1]);
        assert_eq!(receiver.take(), None, "too late");
        assert!(receiver.host.wait(Duration::from_secs(61)).is_empty(), "without the first, nobody is told");
        assert_eq!(receiver.ip().fragments_timed_out, 2);
    }
}

#[test]
fn datagrams_in_the_making_are_bounded_in_number_and_the_oldest_goes() {
    let family = FAMILIES[0];
    let mut receiver = Receiver::new(family.0);
    let whole = datagram(family, &pattern(100));
    for identification in 0..1_000 {
        receiver.host.receive(&cut(&whole, identification, &[0, 56, 108])[0]);
    }
    assert_eq!(receiver.ip().fragments_evicted, 1_000 - 64);
    receiver.host.receive(&cut(&whole, 999, &[0, 56, 108])[1]);
    assert_eq!(receiver.take(), Some(pattern(100)));
    receiver.host.receive(&cut(&whole, 0, &[0, 56, 108])[1]);
    assert_eq!(receiver.take(), None);
}

#[test]
fn and_in_bytes() {
    let family = FAMILIES[1];
    let mut receiver = Receiver::new(family.0);
    let whole = datagram(family, &pattern(100));
    for identification in 0..60 {
        receiver.host.receive(&piece(&whole, identification, 0, true, &[0; 60_000]));
    }
    let evicted = receiver.ip().fragments_evicted;
    assert!((43..60).contains(&evicted), "{evicted} of 60 times 60 kB are not within 1 MiB");
}

#[test]
fn and_in_fragments() {
    let family = FAMILIES[0];
    let mut receiver = Receiver::new(family.0);
    let whole = datagram(family, &pattern(2_000));
    let offsets: Vec<_> = (0..=251).map(|n| n * 8).collect();
    receiver.receive(&cut(&whole, 9, &offsets));
    assert_eq!((receiver.take(), receiver.ip().reassembled), (None, 0), "251 of eight bytes");
    assert_eq!(
        (receiver.ip().fragments_too_many, receiver.ip().fragments_overlapping),
        (1, 122),
        "128 and one fit"
    );
}

#[test]
fn the_checksum_is_verified_over_the_whole() {
    for family in FAMILIES {
        let mut receiver = Receiver::new(family.0);
        let mut pieces = cut(&datagram(family, &pattern(1_000)), 9, &[0, 504, 1_008]);
        *pieces[1].last_mut().unwrap() ^= 1;
        let trusted = PacketMeta { checksum: crate::wire::ChecksumState::Trusted, ..PacketMeta::default() };
        for piece in &pieces {
            receiver.host.stack.handle_packet(receiver.host.now, &mut Chunk::copy_of(piece), &trusted);
        }
        assert_eq!((receiver.take(), receiver.host.stack.counters().udp.bad_checksum), (None, 1));
    }
}

#[test]
fn a_segment_in_fragments_reaches_its_connection() {
    for (ours, theirs) in FAMILIES {
        let mut host = Host::new();
        let listener = host.stack.listen(at(ours, 80), ListenOptions::default()).unwrap();
        let peer = at(theirs, 5_000);
        let (seq, ack) = shake_hands(&mut host, peer, at(ours, 80));
        let (id, _) = host.stack.accept(listener).unwrap();
        let sent = tcp(peer, at(ours, 80), header(seq, ack, TcpFlags::ACK), &pattern(1_400));
        cut(&sent, 9, &[0, 8, 800, 1_420]).iter().for_each(|piece| host.receive(piece));
        assert_eq!(host.read_all(id), pattern(1_400));
    }
}

/// RFC 8200 4.5: what follows the fragment header of the first fragment may begin with extension headers.
#[test]
fn extension_headers_inside_the_fragmented_part_are_skipped() {
    let family = FAMILIES[1];
    let mut whole = datagram(family, &pattern(1_000));
    whole[6] = 60; // destination options
    whole.splice(40..40, [17, 0, 1, 4, 0, 0, 0, 0]);
    let len = ((whole.len() - 40) as u16).to_be_bytes();
    whole[4..6].copy_from_slice(&len);
    let payload = whole[40..].to_vec();
    let mut receiver = Receiver::new(family.0);
    let head = [&whole[..6], &[60], &whole[7..40]].concat();
    for (offset, more, range) in [(0, true, 0..504), (504, false, 504..1_016)] {
        let mut bytes = piece(&datagram(family, &[]), 9, offset, more, &payload[range]);
        bytes[40] = head[6];
        receiver.host.receive(&bytes);
    }
    assert!(receiver.take() == Some(pattern(1_000)));
}

#[test]
fn rfc_3168_5_3_a_mark_on_one_fragment_is_one_of_the_datagram() {
    let family = FAMILIES[1];
    let whole = datagram(family, &pattern(1_000));
    let marked = |piece: &[u8], ecn: u8| {
        let mut piece = piece.to_vec();
        piece[1] |= ecn << 4;
        piece
    };
    let pieces = cut(&whole, 9, &[0, 504, 1_008]);
    let delivered = |first: u8, second: u8| {
        let mut receiver = Receiver::new(family.0);
        receiver.receive(&[marked(&pieces[0], first), marked(&pieces[1], second)]);
        receiver.take().is_some()
    };
    assert!(delivered(2, 3) && delivered(3, 2) && delivered(0, 2));
    assert!(!delivered(3, 0) && !delivered(0, 3), "a mark must not get lost");
}

/// RFC 1122 3.2.2.6: what would have to be fragmented is truncated; RFC 4443 4.2 allows no such answer.
#[test]
fn an_echo_that_does_not_fit_one_packet() {
    for ((ours, theirs), kind, protocol) in
        [(FAMILIES[0], 8, Protocol::ICMP), (FAMILIES[1], 128, Protocol::ICMPV6)]
    {
        let mut host = Host::new();
        let request = [&[kind, 0, 0, 0, 0, 1, 0, 1], &pattern(2_000)[..]].concat();
        cut(&packet(theirs, ours, protocol, &request, 2), 9, &[0, 1_008, 2_008])
            .iter()
            .for_each(|piece| host.receive(piece));
        let lengths: Vec<_> = host.output().iter().map(|packet| packet.bytes.len()).collect();
        assert_eq!(lengths, if kind == 8 { vec![1_500] } else { vec![] });
        assert_eq!(host.stack.counters().icmp.echo_too_large, u64::from(kind == 128));
    }
}
