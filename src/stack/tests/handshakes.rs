//! What SYNs of ours say, and what those of others make of it: MSS, options, headers that are skipped.

use super::*;
use crate::stack::ListenOptions;

/// A packet with `middle` between its IP header and what follows; `fix` repairs the IP header.
fn with_inserted(mut bytes: Vec<u8>, middle: &[u8], fix: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let header = if bytes[0] >> 4 == 4 { 20 } else { 40 };
    bytes.splice(header..header, middle.iter().copied());
    fix(&mut bytes);
    bytes
}

#[test]
fn rfc_9293_3_7_1_the_mss_of_every_syn_comes_from_the_mtu() {
    for (mtu, v4, v6) in
        [(1_500, 1_460, 1_440), (9_000, 8_960, 8_940), (1_280, 1_240, 1_220), (65_535, 65_495, 65_475)]
    {
        for ((ours, theirs), mss) in FAMILIES.into_iter().zip([v4, v6]) {
            let mut host = Host::with(1, |config| config.mtu = mtu);
            host.stack.connect(host.now, at(theirs, 80), None, None).unwrap();
            assert_eq!(host.output_segment().options.mss, Some(mss));
            host.stack.listen(at(ours, 80), ListenOptions::default()).unwrap();
            host.receive(&tcp(at(theirs, 99), at(ours, 80), header(1, 0, TcpFlags::SYN), b""));
            assert_eq!(host.output_segment().options.mss, Some(mss));
        }
    }
}

#[test]
fn rfc_9293_3_7_1_a_socket_may_ask_for_less_and_never_gets_more() {
    for (asked, mss) in [(1_000, 1_000), (9_000, 1_460), (1, 48)] {
        let options = crate::tcp::SocketOptions { max_segment: Some(asked), ..Default::default() };
        let mut host = Host::new();
        host.stack.connect(host.now, at("10.0.0.2", 80), None, Some(options.clone())).unwrap();
        assert_eq!(host.output_segment().options.mss, Some(mss), "SYN");
        let listen = ListenOptions { socket: Some(options), ..ListenOptions::default() };
        host.stack.listen(at("10.0.0.1", 80), listen).unwrap();
        host.receive(&tcp(at("10.0.0.2", 5_000), at("10.0.0.1", 80), header(9, 0, TcpFlags::SYN), b""));
        assert_eq!(host.output_segment().options.mss, Some(mss), "SYN-ACK");
    }
}

#[test]
fn rfc_7323_3_2_a_stack_without_timestamps_accepts_none() {
    let mut host = Host::with(1, |config| config.tcp.timestamps = false);
    host.stack.listen(at("10.0.0.1", 80), ListenOptions::default()).unwrap();
    let mut syn = header(9, 0, TcpFlags::SYN);
    syn.options.timestamps = Some(crate::wire::Timestamps { value: 7, echo: 0 });
    host.receive(&tcp(at("10.0.0.2", 5_000), at("10.0.0.1", 80), syn, b""));
    assert_eq!(host.output_segment().options.timestamps, None);
}

#[test]
fn rfc_9293_3_7_1_without_an_announcement_it_is_536_or_1220() {
    for ((ours, theirs), mss) in FAMILIES.into_iter().zip([536, 1_220]) {
        let mut host = Host::new();
        let listener = host.stack.listen(at(ours, 80), ListenOptions::default()).unwrap();
        shake_hands(&mut host, at(theirs, 99), at(ours, 80));
        let (id, _) = host.stack.accept(listener).unwrap();
        assert_eq!(host.stack.info(id).unwrap().snd_mss, mss);
    }
}

#[test]
fn rfc_1191_3_we_never_allow_our_packets_to_be_fragmented() {
    let mut host = Host::new();
    host.stack.connect(host.now, at("10.0.0.2", 80), None, None).unwrap();
    host.receive(&tcp(at("10.0.0.2", 99), at("10.0.0.1", 81), header(1, 0, TcpFlags::SYN), b""));
    for packet in host.output() {
        assert_eq!(packet.bytes[6] & 0xe0, 0x40, "DF alone");
    }
}

#[test]
fn rfc_1122_3_2_1_8_ipv4_options_are_skipped() {
    let mut host = Host::new();
    let plain = tcp(at("10.0.0.2", 99), at("10.0.0.1", 81), header(1, 0, TcpFlags::SYN), b"abc");
    let record_route = [7, 7, 4, 0, 0, 0, 0, 1];
    let bytes = with_inserted(plain, &record_route, |bytes| {
        bytes[0] = 0x47;
        bytes[3] += 8;
        bytes[10..12].fill(0);
        let mut sum = Checksum::default();
        sum.add(&bytes[..28]);
        bytes[10..12].copy_from_slice(&sum.finish().to_be_bytes());
    });
    host.receive(&bytes);
    assert_eq!(host.output_segment().ack, SeqNumber(5), "a SYN and three bytes");
}

#[test]
fn rfc_8200_4_ipv6_extension_headers_are_skipped() {
    for kind in [0, 60] {
        // hop-by-hop and destination options, padded with PadN
        let mut host = Host::new();
        let plain = tcp(at("fd00::2", 99), at("fd00::1", 81), header(1, 0, TcpFlags::SYN), b"abc");
        let bytes = with_inserted(plain, &[6, 0, 1, 4, 0, 0, 0, 0], |bytes| {
            bytes[5] += 8;
            bytes[6] = kind;
        });
        host.receive(&bytes);
        assert_eq!(host.output_segment().ack, SeqNumber(5), "header {kind}");
    }
}

#[test]
fn rfc_6946_4_an_atomic_fragment_is_a_packet_like_any_other() {
    for (offset_and_flag, fragments) in [(0_u16, 0), (1, 1), (8, 1)] {
        let mut host = Host::new();
        let plain = tcp(at("fd00::2", 99), at("fd00::1", 81), header(1, 0, TcpFlags::SYN), b"");
        let [high, low] = offset_and_flag.to_be_bytes();
        let bytes = with_inserted(plain, &[6, 0, high, low, 0, 0, 0, 9], |bytes| {
            bytes[5] += 8;
            bytes[6] = 44;
        });
        host.receive(&bytes);
        assert_eq!(host.stack.counters().ip.fragments, fragments);
        assert_eq!(host.output().len(), 1 - fragments as usize);
    }
}

#[test]
fn rfc_8200_4_4_a_routing_header_at_its_end_is_skipped_and_one_that_goes_on_is_dropped() {
    for (kind, segments_left, dropped) in [(0, 0, 0), (0, 1, 1), (4, 0, 0), (4, 2, 1), (253, 0, 0)] {
        let mut host = Host::new();
        let plain = tcp(at("fd00::2", 99), at("fd00::1", 81), header(1, 0, TcpFlags::SYN), b"");
        let address = [0; 16];
        let routing = [&[6, 2, kind, segments_left, 0, 0, 0, 0], &address[..]].concat();
        let bytes = with_inserted(plain, &routing, |bytes| {
            bytes[5] += 24;
            bytes[6] = 43;
        });
        host.receive(&bytes);
        assert_eq!(host.stack.counters().ip.source_route, dropped, "type {kind}, {segments_left} left");
        assert_eq!(host.output().len(), 1 - dropped as usize);
    }
}

#[test]
fn rfc_5961_10_challenges_of_one_connection_do_not_use_up_anothers() {
    let (local, one, other) = (at("10.0.0.1", 80), at("10.0.0.2", 5_000), at("10.0.0.3", 5_000));
    let mut host = Host::new();
    host.stack.listen(local, ListenOptions::default()).unwrap();
    shake_hands(&mut host, one, local);
    shake_hands(&mut host, other, local);
    for _ in 0..1_000 {
        host.receive(&tcp(one, local, header(1_005, 0, TcpFlags::RST), b""));
    }
    assert_eq!(host.output().len(), 1);
    host.receive(&tcp(other, local, header(1_005, 0, TcpFlags::RST), b""));
    assert_eq!(host.output_segment().flags, TcpFlags::ACK);
    assert_eq!(host.stack.counters().tcp.challenge_acks_limited, 999);
}
