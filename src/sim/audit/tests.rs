use super::*;
use crate::wire::{Ecn, IpOut, IpPair, TcpOptions, Timestamps};

const US: u16 = 1;
const PEER: u16 = 2;

/// A segment from the end with this port to the other one.
fn packet(from: u16, header: TcpHeader, payload: &[u8]) -> Vec<u8> {
    let address = |port: u16| IpAddr::from([10, 0, 0, port as u8]);
    let (src, dst) = (address(from), address(US + PEER - from));
    let header = TcpHeader { src_port: from, dst_port: US + PEER - from, ..header };
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
    [&ip[..ip_len], &tcp[..len], payload].concat()
}

fn header(flags: TcpFlags, seq: u32, ack: u32) -> TcpHeader {
    TcpHeader { flags, seq: SeqNumber(seq), ack: SeqNumber(ack), window: 1_000, ..TcpHeader::default() }
}

fn ack(seq: u32, acknowledged: u32) -> TcpHeader {
    header(TcpFlags::ACK, seq, acknowledged)
}

fn stamped(header: TcpHeader, value: u32) -> TcpHeader {
    let timestamps = Some(Timestamps { value, echo: 0 });
    TcpHeader { options: TcpOptions { timestamps, ..header.options }, ..header }
}

/// A connection between two ends whose SYNs were 0 each, with an MSS of 100 and windows of 1,000 without scale. Each has
/// sent 300 octets, and acknowledged those of the other.
fn begun() -> Audit {
    let mut audit = Audit::default();
    let options = TcpOptions { mss: Some(100), ..TcpOptions::default() };
    for from in [US, PEER] {
        pass(&mut audit, from, TcpHeader { options, ..header(TcpFlags::SYN | TcpFlags::ACK, 0, 1) }, 0);
    }
    for from in [US, PEER] {
        (0..3).for_each(|n| pass(&mut audit, from, ack(1 + 100 * n, 1), 100));
    }
    for from in [US, PEER] {
        pass(&mut audit, from, ack(301, 301), 0);
    }
    audit
}

#[track_caller]
fn pass(audit: &mut Audit, from: u16, header: TcpHeader, len: usize) {
    let packet = packet(from, header, &vec![7; len]);
    assert_eq!(audit.sent(&packet, false), Ok(()));
    audit.shown(&packet);
}

#[track_caller]
fn breach(header: TcpHeader, len: usize, what: &str) {
    let error = begun().sent(&packet(US, header, &vec![7; len]), false).unwrap_err();
    assert!(error.starts_with(what), "{error}");
}

#[test]
fn an_honest_end_is_not_accused() {
    let mut audit = begun();
    // All of the window, and the octet of a probe behind it.
    (0..10).for_each(|n| pass(&mut audit, US, ack(301 + 100 * n, 301), 100));
    pass(&mut audit, US, ack(1_301, 301), 1);
    // Once more, an old one, a keep-alive probe, and a reset from anywhere.
    pass(&mut audit, US, ack(901, 301), 100);
    pass(&mut audit, US, ack(1_301, 301), 0);
    pass(&mut audit, US, header(TcpFlags::RST, 77_777, 0), 0);
    // A window that stays where it is.
    pass(&mut audit, PEER, TcpHeader { window: 900, ..ack(301, 401) }, 0);
    let mut reports = ack(1_302, 301);
    reports.options.sack.push(SeqNumber(101), SeqNumber(201));
    pass(&mut audit, US, reports, 0);
}

#[test]
fn every_breach_is_found() {
    breach(ack(301, 301), 101, "101 bytes with options for a peer that takes 100");
    breach(stamped(ack(301, 301), 1), 89, "101 bytes with options");
    breach(ack(302, 301), 1, "leaves a gap");
    breach(ack(301, 302), 0, "acknowledges beyond");
    breach(ack(301, 300), 0, "acknowledges less than before");
    breach(TcpHeader { window: 999, ..ack(301, 301) }, 0, "shrinks its window");
    for (left, right) in [(301, 401), (350, 320), (301, 302)] {
        let mut header = ack(301, 301);
        header.options.sack.push(SeqNumber(left), SeqNumber(right));
        breach(header, 0, "a SACK block");
    }
    let mut second = ack(301, 301);
    for _ in 0..2 {
        second.options.sack.push(SeqNumber(101), SeqNumber(201));
    }
    breach(second, 0, "a SACK block");
}

#[test]
fn sending_beyond_the_window_is_a_breach() {
    let mut audit = begun();
    (0..10).for_each(|n| pass(&mut audit, US, ack(301 + 100 * n, 301), 100));
    let error = audit.sent(&packet(US, ack(1_301, 301), &[7; 2]), false).unwrap_err();
    assert!(error.starts_with("sends to 1303, beyond the window that ends at 1301"), "{error}");
}

#[test]
fn a_clock_that_goes_back_is_a_breach() {
    let mut audit = begun();
    pass(&mut audit, US, stamped(ack(301, 301), 50), 0);
    pass(&mut audit, US, stamped(ack(301, 301), 50), 0);
    let error = audit.sent(&packet(US, stamped(ack(301, 301), 49), &[]), false).unwrap_err();
    assert!(error.starts_with("a clock that goes back"), "{error}");
}

#[test]
fn a_wrong_checksum_is_a_breach() {
    let mut packet = packet(US, ack(301, 301), b"abc");
    *packet.last_mut().unwrap() ^= 1;
    assert!(begun().sent(&packet, false).unwrap_err().starts_with("a wrong checksum"));
}

/// RFC 7323 2.4: what a shift cannot say is no shrinking, and one unit more is.
#[test]
fn a_scaled_window_may_lose_what_it_cannot_say() {
    let mut audit = Audit::default();
    let options = TcpOptions { window_scale: Some(4), ..TcpOptions::default() };
    for from in [US, PEER] {
        pass(&mut audit, from, TcpHeader { options, ..header(TcpFlags::SYN | TcpFlags::ACK, 0, 1) }, 0);
    }
    pass(&mut audit, PEER, ack(1, 1), 31);
    pass(&mut audit, US, ack(1, 1), 0);
    pass(&mut audit, US, TcpHeader { window: 999, ..ack(1, 2) }, 0);
    let error = audit.sent(&packet(US, TcpHeader { window: 998, ..ack(1, 17) }, &[]), false).unwrap_err();
    assert!(error.starts_with("shrinks its window"), "{error}");
}

/// What the device refused was sent for the host, and never seen here.
#[test]
fn a_device_that_loses_packets_leaves_gaps() {
    assert_eq!(begun().sent(&packet(US, ack(401, 301), b"abc"), true), Ok(()));
}

/// Behind a FIN nothing can come: TIME-WAIT shows whatever window it likes.
#[test]
fn behind_the_end_the_window_may_shrink() {
    let mut audit = begun();
    pass(&mut audit, PEER, header(TcpFlags::FIN | TcpFlags::ACK, 301, 301), 0);
    pass(&mut audit, US, TcpHeader { window: 0, ..ack(301, 302) }, 0);
}
