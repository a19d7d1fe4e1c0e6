//! Ping, and what others' errors do to our connections.

use super::*;
use crate::stack::{Error, ListenOptions};
use crate::tcp::State;

/// An ICMP message of either family.
fn icmp(from: &str, to: &str, kind: [u8; 2], rest: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let protocol = if from.contains(':') { Protocol::ICMPV6 } else { Protocol::ICMP };
    packet(from, to, protocol, &[&kind, &[0, 0][..], &rest, payload].concat(), 2)
}

#[test]
fn echo_requests_are_answered_from_the_address_that_was_asked() {
    for ((ours, theirs), (request, reply)) in FAMILIES.into_iter().zip([(8, 0), (128, 129)]) {
        let mut host = Host::new();
        host.receive(&icmp(theirs, ours, [request, 0], [1, 2, 0, 3], b"0123456789"));
        let packets = host.output();
        let (ip_header, message) = transport(&packets[0].bytes);
        assert_eq!((ip_header.src, ip_header.dst), (ip(ours), ip(theirs)));
        assert_eq!((message[0], message[1]), (reply, 0));
        assert_eq!(&message[4..], b"\x01\x02\x00\x030123456789");
        assert_eq!(host.stack.counters().icmp.echo_answered, 1);
    }
}

#[test]
fn sockets_ping_each_other() {
    for (server, _) in FAMILIES {
        let mut pair = Pair::new();
        let id = pair.client.stack.icmp_bind(Some(77)).unwrap();
        pair.client.stack.icmp_send_echo(id, ip(server), 5, b"are you there").unwrap();
        pair.exchange();
        assert!(pair.client.events().iter().any(|event| event.socket == id && event.kinds.readable));
        let mut buffer = [0; 20];
        let (len, from, sequence) = pair.client.stack.icmp_recv_echo(id, &mut buffer).unwrap();
        assert_eq!((&buffer[..len], from, sequence), (&b"are you there"[..], ip(server), 5));
    }
}

#[test]
fn replies_nobody_waits_for_are_counted() {
    let mut host = Host::new();
    host.receive(&icmp("10.0.0.2", "10.0.0.1", [0, 0], [1, 2, 0, 3], b""));
    let mut bad = icmp("10.0.0.2", "10.0.0.1", [8, 0], [1, 2, 0, 3], b"payload");
    *bad.last_mut().unwrap() ^= 1;
    host.receive(&bad);
    host.receive(&packet("10.0.0.2", "10.0.0.1", Protocol::ICMP, &[0; 4], 2));
    host.receive(&icmp("10.0.0.2", "10.0.0.1", [13, 9], [0; 4], b""));
    let counters = host.stack.counters().icmp;
    assert_eq!((counters.echo_unexpected, counters.bad_checksum), (1, 1));
    assert_eq!((counters.malformed, counters.unhandled, counters.received), (1, 1, 4));
    host.output_nothing();
}

#[test]
fn identifiers_are_chosen_or_taken() {
    let mut host = Host::new();
    let id = host.stack.icmp_bind(Some(7)).unwrap();
    assert_eq!(host.stack.icmp_bind(Some(7)), Err(Error::AddrInUse));
    let other = host.stack.icmp_bind(None).unwrap();
    assert_ne!(host.stack.local_addr(id), host.stack.local_addr(other));
    host.stack.close(host.now, id).unwrap();
    assert!(host.stack.icmp_bind(Some(7)).is_ok());
    assert_eq!(host.stack.icmp_send_echo(other, ip("10.0.0.2"), 0, &[0; 1_473]), Err(Error::InvalidInput));
}

/// The error that a router sends about `packet`.
fn error_about(packet: &[u8], to: &str, code: u8) -> Vec<u8> {
    let (router, kind) = if to.contains(':') { ("fd00::9", 1) } else { ("10.0.0.9", 3) };
    icmp(router, to, [kind, code], [0; 4], &packet[..packet.len().min(60)])
}

#[test]
fn an_error_about_our_syn_ends_the_attempt() {
    for ((ours, theirs), code) in FAMILIES.into_iter().zip([1, 3]) {
        let mut host = Host::new();
        let id = host.stack.connect(host.now, at(theirs, 80), None, None).unwrap();
        let syn = host.output().remove(0).bytes;
        host.receive(&error_about(&syn, ours, code));
        assert_eq!(host.stack.error(id), Ok(Some(Error::HostUnreachable)));
        assert_eq!(host.stack.counters().icmp.errors_matched, 1);
    }
}

#[test]
fn a_port_that_is_unreachable_refuses() {
    let mut host = Host::new();
    let id = host.stack.connect(host.now, at("10.0.0.2", 80), None, None).unwrap();
    let syn = host.output().remove(0).bytes;
    host.receive(&error_about(&syn, "10.0.0.1", 3));
    assert_eq!(host.stack.error(id), Ok(Some(Error::ConnectionRefused)));
}

#[test]
fn rfc_5927_4_1_an_error_about_what_is_not_in_flight_is_dropped() {
    let mut host = Host::new();
    let id = host.stack.connect(host.now, at("10.0.0.2", 80), None, None).unwrap();
    let mut syn = host.output().remove(0).bytes;
    syn[27] ^= 1; // SEQ
    host.receive(&error_about(&syn, "10.0.0.1", 1));
    assert_eq!(host.stack.error(id), Ok(None));
    assert_eq!(host.stack.counters().icmp.errors_out_of_window, 1);
    syn[21] ^= 1; // our port
    host.receive(&error_about(&syn, "10.0.0.1", 1));
    assert_eq!(host.stack.counters().icmp.errors_unmatched, 1);
}

#[test]
fn rfc_5927_5_2_errors_are_soft_for_a_connection_that_stands() {
    let (local, peer) = (at("10.0.0.1", 80), at("10.0.0.2", 5_000));
    let mut host = Host::new();
    let listener = host.stack.listen(local, ListenOptions::default()).unwrap();
    shake_hands(&mut host, peer, local);
    let (id, _) = host.stack.accept(listener).unwrap();
    host.stack.write(id, b"data").unwrap();
    let data = host.output().remove(0).bytes;
    host.receive(&error_about(&data, "10.0.0.1", 1));
    assert_eq!(host.stack.counters().icmp.errors_matched, 1);
    assert_eq!(host.stack.info(id).unwrap().state, State::Established);
}

#[test]
fn a_queue_of_replies_is_bounded() {
    let mut host = Host::new();
    let id = host.stack.icmp_bind(Some(0x0102)).unwrap();
    let reply = icmp("10.0.0.2", "10.0.0.1", [0, 0], [1, 2, 0, 3], b"pong");
    (0..1_000).for_each(|_| host.receive(&reply));
    let counters = host.stack.counters().icmp;
    assert_eq!(counters.echo_replies + counters.echo_queue_full, 1_000);
    assert!((100..900).contains(&counters.echo_replies), "{}", counters.echo_replies);
    let received = (0..1_000).filter(|_| host.stack.icmp_recv_echo(id, &mut [0; 9]).is_ok()).count();
    assert_eq!(received as u64, counters.echo_replies);
}

#[test]
fn errors_that_ask_for_nothing_are_counted() {
    for ((ours, theirs), kind) in FAMILIES.into_iter().zip([[3, 4], [2, 0]]) {
        let mut host = Host::new();
        let id = host.stack.connect(host.now, at(theirs, 80), None, None).unwrap();
        let syn = host.output().remove(0).bytes;
        host.receive(&icmp(theirs, ours, kind, [0, 0, 5, 0], &syn));
        assert_eq!(host.stack.counters().icmp.errors_ignored, 1);
        assert_eq!(host.stack.error(id), Ok(None));
    }
}
