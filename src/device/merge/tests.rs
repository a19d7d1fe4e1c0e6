use std::collections::VecDeque;
use std::ops::ControlFlow;

use proptest::prelude::*;

use super::*;
use crate::device::cut::Cutter;
use crate::device::cut::tests::{V4, V6, tcp_headers, tcp_packet};
use crate::time::Instant;

const SEGMENT: usize = 1_460;

fn payload(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 7 + i / 256) as u8).collect()
}

/// The packets that a super-packet from `seq` on becomes on the wire.
fn train(addresses: (&str, &str), seq: u32, flags: TcpFlags, bytes: &[u8], segment: usize) -> Vec<Vec<u8>> {
    let header = tcp_headers(addresses, seq, flags, bytes.len());
    let slices = [bytes];
    let packet = tcp_packet(&header, &slices, segment as u16);
    let mut packets = Vec::new();
    Cutter::default()
        .cut(&packet, 60 + segment, |finished| {
            packets.push(finished.to_vec());
            ControlFlow::Continue(())
        })
        .unwrap();
    packets
}

/// Reads all of `packets`, whatever becomes of them, until there is nothing.
fn read_all(packets: impl IntoIterator<Item = Vec<u8>>) -> Vec<(Vec<u8>, PacketMeta)> {
    let mut wire: VecDeque<_> = packets.into_iter().collect();
    let mut merger = Merger::default();
    let mut read = |packet: &mut Chunk| {
        let bytes = wire.pop_front().ok_or(io::ErrorKind::WouldBlock)?;
        packet.clear();
        assert_eq!(packet.append(&bytes), bytes.len(), "always room for the longest packet");
        Ok(PacketMeta { received_at: Instant::from_secs(1), ..PacketMeta::default() })
    };
    let mut out = Vec::new();
    loop {
        let mut packet = Chunk::from(vec![0; MAX_PACKET + 1]);
        match merger.receive(&mut packet, &mut read) {
            Ok(meta) => out.push((packet.to_vec(), meta)),
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                return out;
            }
        }
    }
}

/// That nothing was merged: each packet comes out as it went in.
#[track_caller]
fn assert_untouched(packets: &[Vec<u8>]) {
    let out = read_all(packets.to_vec());
    assert!(out.iter().all(|(_, meta)| meta.gso_size == 0 && meta.checksum == ChecksumState::Unverified));
    assert_eq!(out.into_iter().map(|(packet, _)| packet).collect::<Vec<_>>(), packets);
}

proptest! {
    /// The merge undoes the cut: payload, addresses, sequence number, lengths, flags.
    #[test]
    fn what_was_cut_is_merged_again(
        v6: bool, push: bool, seq: u32, segment in 8..3_000usize, len in 1..60_000usize,
    ) {
        let bytes = payload(len);
        let addresses = if v6 { V6 } else { V4 };
        let flags = if push { TcpFlags::ACK | TcpFlags::PSH } else { TcpFlags::ACK };
        let packets = train(addresses, seq, flags, &bytes, segment);
        let single = packets.len() == 1;
        let out = read_all(packets.clone());
        prop_assert_eq!(out.len(), 1);
        let (merged, meta) = &out[0];
        if single {
            prop_assert_eq!(merged, &packets[0]);
        } else {
            prop_assert_eq!(usize::from(meta.gso_size), segment);
            prop_assert_eq!(meta.checksum, ChecksumState::Trusted);
            // Cut in one piece it is what a link of that MTU would have brought.
            let whole = train(addresses, seq, flags, &bytes, len);
            let ip = if v6 { 40 } else { 20 };
            prop_assert_eq!(&merged[..ip], &whole[0][..ip]);
            prop_assert_eq!(&merged[ip..ip + 16], &whole[0][ip..ip + 16]);
            prop_assert_eq!(&merged[ip + 18..], &whole[0][ip + 18..]);
        }
    }

    #[test]
    fn any_bytes_come_through_in_order(packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..20)) {
        let out = read_all(packets.clone());
        prop_assert_eq!(out.into_iter().map(|(packet, _)| packet).collect::<Vec<_>>(), packets);
    }
}

#[test]
fn a_train_ends_where_a_super_packet_would_be_too_long() {
    let bytes = payload(200_000);
    let mut packets = Vec::new();
    for (i, part) in bytes.chunks(SEGMENT).enumerate() {
        packets.extend(train(V4, (i * SEGMENT) as u32, TcpFlags::ACK, part, SEGMENT));
    }
    let out = read_all(packets);
    assert!(out.iter().all(|(packet, _)| packet.len() <= MAX_PACKET));
    assert_eq!(out.len(), bytes.len().div_ceil(44 * SEGMENT));
    assert_eq!(out.iter().flat_map(|(packet, _)| packet[40..].to_vec()).collect::<Vec<_>>(), bytes);
}

#[test]
fn two_flows_in_turn_stay_apart_and_in_order() {
    let here = train(V4, 1, TcpFlags::ACK, &payload(4 * SEGMENT), SEGMENT);
    let there = train(V6, 1, TcpFlags::ACK, &payload(4 * SEGMENT), SEGMENT);
    assert_untouched(&here.into_iter().zip(there).flat_map(|(a, b)| [a, b]).collect::<Vec<_>>());
}

#[test]
fn a_gap_a_repetition_and_a_push_end_a_train() {
    let packets = train(V4, 1, TcpFlags::ACK, &payload(6 * SEGMENT), SEGMENT);
    let lens = |order: &[usize]| -> Vec<usize> {
        let out = read_all(order.iter().map(|&i| packets[i].clone()));
        out.iter().map(|(packet, _)| (packet.len() - 40) / SEGMENT).collect()
    };
    assert_eq!(lens(&[0, 1, 3, 4, 5]), [2, 3]);
    assert_eq!(lens(&[0, 1, 1, 2]), [2, 2]);
    assert_eq!(lens(&[2, 1, 0]), [1, 1, 1]);
    let pushed = train(V4, 1, TcpFlags::ACK | TcpFlags::PSH, &payload(2 * SEGMENT), SEGMENT);
    let after = train(V4, 1 + 2 * SEGMENT as u32, TcpFlags::ACK, &payload(2 * SEGMENT), SEGMENT);
    let out = read_all(pushed.into_iter().chain(after));
    assert_eq!(out.len(), 2);
    assert_eq!(flags(&out[0].0, 20), TcpFlags::ACK | TcpFlags::PSH);
    assert_eq!(flags(&out[1].0, 20), TcpFlags::ACK);
}

#[test]
fn whatever_has_more_to_say_is_not_merged() {
    let bytes = payload(3 * SEGMENT);
    for flag in [TcpFlags::SYN, TcpFlags::FIN, TcpFlags::RST, TcpFlags::URG, TcpFlags::ECE, TcpFlags::CWR] {
        let parts: Vec<Vec<u8>> = (0..3)
            .flat_map(|i| {
                let part = &bytes[i * SEGMENT..][..SEGMENT];
                train(V4, (i * SEGMENT) as u32, TcpFlags::ACK | flag, part, SEGMENT)
            })
            .collect();
        assert_untouched(&parts);
    }
    let empty = train(V4, 7, TcpFlags::ACK, &[], SEGMENT);
    assert_untouched(&[empty.clone(), empty].concat());
}

/// Each byte of the second packet in turn: what is not covered by a checksum that is right is for the stack to see, and
/// what was damaged is never taken for data.
#[test]
fn a_damaged_packet_is_not_merged() {
    for addresses in [V4, V6] {
        let packets = train(addresses, 1, TcpFlags::ACK, &payload(200), 100);
        for (which, byte) in (0..2).flat_map(|which| (0..packets[0].len()).map(move |byte| (which, byte))) {
            let mut damaged = packets.clone();
            damaged[which][byte] ^= 0x10;
            let out = read_all(damaged.clone());
            // The traffic class, flow label and hop limit of IPv6 are under no checksum: both packets have to have them.
            assert_eq!(out.len(), 2, "{addresses:?}: byte {byte} of packet {which}");
            assert_eq!(out.into_iter().map(|(packet, _)| packet).collect::<Vec<_>>(), damaged);
        }
    }
}

#[test]
fn fragments_options_and_padding_are_passed_on() {
    let packets = train(V4, 1, TcpFlags::ACK, &payload(3 * SEGMENT), SEGMENT);
    let spoilt = |spoil: &dyn Fn(&mut Vec<u8>)| {
        let mut packets = packets.clone();
        packets.iter_mut().for_each(spoil);
        assert_untouched(&packets);
    };
    spoilt(&|packet| packet[6] |= 0x20); // more fragments
    spoilt(&|packet| packet[7] = 1); // a fragment's offset
    spoilt(&|packet| packet[0] = 0x46);
    spoilt(&|packet| packet.push(0));
    spoilt(&|packet| packet[9] = 17);
    spoilt(&|packet| packet[32] = 0xf0); // a data offset beyond the end
}
