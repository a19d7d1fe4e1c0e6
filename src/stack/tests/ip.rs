//! Packets that go no further than IP, each with the counter that says why.

use super::*;
use crate::stack::{Counters, IpCounters};
use crate::wire::ChecksumState;

fn syn(from: &str, to: &str) -> Vec<u8> {
    tcp(at(from, 5_000), at(to, 80), header(1, 0, TcpFlags::SYN), b"")
}

/// A packet with one byte changed, and the IPv4 header's checksum made right again.
fn changed(mut bytes: Vec<u8>, offset: usize, value: u8) -> Vec<u8> {
    bytes[offset] = value;
    if bytes[0] >> 4 == 4 {
        bytes[10..12].fill(0);
        let mut sum = Checksum::default();
        sum.add(&bytes[..usize::from(bytes[0] & 15) * 4]);
        bytes[10..12].copy_from_slice(&sum.finish().to_be_bytes());
    }
    bytes
}

/// What a packet adds to the counters of a fresh stack, which has to stay silent.
#[track_caller]
fn counters_after(bytes: &[u8]) -> Counters {
    let mut host = Host::new();
    host.receive(bytes);
    host.output_nothing();
    *host.stack.counters()
}

#[track_caller]
fn assert_dropped(bytes: &[u8], counter: fn(&mut IpCounters) -> &mut u64) {
    let mut expected = IpCounters { received: 1, ..IpCounters::default() };
    *counter(&mut expected) += 1;
    assert_eq!(counters_after(bytes).ip, expected);
}

#[test]
fn what_is_not_for_us_is_dropped_without_an_answer() {
    assert_dropped(&syn("10.0.0.2", "10.0.0.3"), |ip| &mut ip.destination_not_ours);
    assert_dropped(&syn("10.0.0.2", "224.0.0.1"), |ip| &mut ip.destination_multicast);
    assert_dropped(&syn("fd00::2", "ff02::1"), |ip| &mut ip.destination_multicast);
    assert_dropped(&syn("10.0.0.2", "255.255.255.255"), |ip| &mut ip.destination_broadcast);
    assert_dropped(&syn("10.0.0.2", "10.0.0.255"), |ip| &mut ip.destination_broadcast);
}

#[test]
fn sources_that_nobody_may_have() {
    assert_dropped(&syn("224.0.0.1", "10.0.0.1"), |ip| &mut ip.source_multicast);
    assert_dropped(&syn("ff02::1", "fd00::1"), |ip| &mut ip.source_multicast);
    assert_dropped(&syn("255.255.255.255", "10.0.0.1"), |ip| &mut ip.source_broadcast);
    assert_dropped(&syn("10.0.0.255", "10.0.0.1"), |ip| &mut ip.source_broadcast);
    assert_dropped(&syn("127.0.0.1", "10.0.0.1"), |ip| &mut ip.source_loopback);
    assert_dropped(&syn("::1", "fd00::1"), |ip| &mut ip.source_loopback);
    assert_dropped(&syn("0.0.0.0", "10.0.0.1"), |ip| &mut ip.source_unspecified);
    assert_dropped(&syn("::", "fd00::1"), |ip| &mut ip.source_unspecified);
    assert_dropped(&syn("10.0.0.1", "10.0.0.1"), |ip| &mut ip.source_is_destination);
    assert_dropped(&syn("fd00::1", "fd00::1"), |ip| &mut ip.source_is_destination);
}

#[test]
fn another_address_of_ours_does_not_come_from_outside() {
    let mut host = Host::with(1, |config| config.addresses.push("10.0.0.7/24".parse().unwrap()));
    host.receive(&syn("10.0.0.7", "10.0.0.1"));
    host.output_nothing();
    assert_eq!(host.stack.counters().ip.source_ours, 1);
}

#[test]
fn broken_headers() {
    let (v4, v6) = (syn("10.0.0.2", "10.0.0.1"), syn("fd00::2", "fd00::1"));
    assert_dropped(&[], |ip| &mut ip.truncated);
    assert_dropped(&v4[..19], |ip| &mut ip.truncated);
    assert_dropped(&v6[..59], |ip| &mut ip.truncated);
    assert_dropped(&changed(v4.clone(), 0, 0x55), |ip| &mut ip.bad_version);
    assert_dropped(&changed(v4.clone(), 0, 0x44), |ip| &mut ip.malformed);
    let mut bad_checksum = v4.clone();
    bad_checksum[10] ^= 1;
    assert_dropped(&bad_checksum, |ip| &mut ip.bad_checksum);
    assert_dropped(&changed(v4, 9, 99), |ip| &mut ip.unknown_protocol);
    assert_dropped(&changed(v6, 6, 99), |ip| &mut ip.unknown_protocol);
}

#[test]
fn rfc_7126_source_routing() {
    let plain = syn("10.0.0.2", "10.0.0.1");
    let options = [0x83, 4, 4, 0]; // loose source and record route, empty
    let mut routed = [&plain[..20], &options, &plain[20..]].concat();
    routed[3] += 4;
    assert_dropped(&changed(routed, 0, 0x46), |ip| &mut ip.source_route);
}

#[test]
fn icmp_of_the_other_family_is_an_unknown_protocol() {
    let message = [128, 0, 0, 0, 0, 0, 0, 0];
    assert_dropped(&packet("10.0.0.2", "10.0.0.1", Protocol::ICMPV6, &message, 2), |ip| {
        &mut ip.unknown_protocol
    });
    assert_dropped(&packet("fd00::2", "fd00::1", Protocol::ICMP, &message, 2), |ip| &mut ip.unknown_protocol);
}

#[test]
fn broken_segments() {
    for (ours, theirs) in FAMILIES {
        let good = syn(theirs, ours);
        let transport_at = good.len() - 20;
        let mut bad = good.clone();
        bad[transport_at + 5] ^= 1;
        assert_eq!(counters_after(&bad).stack.bad_checksum, 1);

        let cut = packet(theirs, ours, Protocol::TCP, &[0; 19], TcpHeader::CHECKSUM_OFFSET);
        assert_eq!(counters_after(&cut).stack.truncated, 1);
        let no_offset = packet(theirs, ours, Protocol::TCP, &[0; 20], TcpHeader::CHECKSUM_OFFSET);
        assert_eq!(counters_after(&no_offset).stack.malformed, 1);

        let mut options = good[transport_at..].to_vec();
        options[12] = 6 << 4;
        options[16..18].fill(0);
        options.extend([254, 1, 0, 0]);
        let lying = packet(theirs, ours, Protocol::TCP, &options, TcpHeader::CHECKSUM_OFFSET);
        assert_eq!(counters_after(&lying).stack.bad_options, 1);
    }
}

#[test]
fn a_checksum_that_the_device_vouches_for_is_not_verified() {
    let mut host = Host::new();
    let mut bytes = syn("10.0.0.2", "10.0.0.1");
    bytes[36] ^= 1;
    let meta = PacketMeta { checksum: ChecksumState::Trusted, ..PacketMeta::default() };
    host.stack.handle_packet(host.now, &mut Chunk::copy_of(&bytes), &meta);
    assert!(host.output_segment().has(TcpFlags::RST));
}

#[test]
fn padding_behind_the_packet_is_no_payload() {
    let mut host = Host::new();
    let mut bytes = syn("10.0.0.2", "10.0.0.1");
    bytes.extend([0xff; 6]);
    host.receive(&bytes);
    assert_eq!(host.output_segment().ack, SeqNumber(2), "a SYN and nothing more");
}
