//! Connections from us to us.

use super::*;
use crate::stack::{Error, ListenOptions};

#[test]
fn to_ourselves_without_a_single_packet_on_the_wire() {
    for (ours, _) in FAMILIES {
        let mut host = Host::new();
        host.room = 0;
        let listener = host.stack.listen(at(ours, 80), ListenOptions::default()).unwrap();
        let c = host.stack.connect(host.now, at(ours, 80), None, None).unwrap();
        host.output_nothing();
        let (s, from) = host.stack.accept(listener).unwrap();
        assert_eq!(from.ip(), ip(ours));
        let data: Vec<u8> = (0..300_000u32).map(|i| (i % 251) as u8).collect();
        let (mut sent, mut got) = (0, Vec::new());
        for _ in 0..1_000 {
            sent += host.stack.write(c, &data[sent..]).unwrap_or(0);
            host.output_nothing();
            got.extend(host.read_all(s));
        }
        assert!(got == data, "{} of {} bytes", got.len(), data.len());
        assert!(host.stack.counters().ip.loopback > 0);
        assert_eq!(host.stack.counters().ip.sent, 0);
    }
}

#[test]
fn a_closed_port_of_ours_refuses_at_once() {
    let mut host = Host::new();
    let c = host.stack.connect(host.now, at("10.0.0.1", 81), None, None).unwrap();
    host.output_nothing();
    assert_eq!(host.stack.error(c), Ok(Some(Error::ConnectionRefused)));
}

#[test]
fn between_two_addresses_of_ours() {
    let mut host = Host::with(1, |config| config.addresses.push("10.0.0.7/24".parse().unwrap()));
    let listener = host.stack.listen(at("10.0.0.1", 80), ListenOptions::default()).unwrap();
    let local = Some(at("10.0.0.7", 0));
    host.stack.connect(host.now, at("10.0.0.1", 80), local, None).unwrap();
    host.output_nothing();
    assert_eq!(host.stack.accept(listener).unwrap().1.ip(), ip("10.0.0.7"));
}

#[test]
fn ping_and_udp_to_ourselves() {
    let mut host = Host::new();
    let ping = host.stack.icmp_bind(None).unwrap();
    host.stack.icmp_send_echo(ping, ip("fd00::1"), 1, b"me").unwrap();
    let udp = host.stack.udp_bind(at("10.0.0.1", 7)).unwrap();
    host.stack.udp_send_to(udp, b"me too", at("10.0.0.1", 7)).unwrap();
    host.stack.udp_send_to(udp, b"nobody", at("10.0.0.1", 8)).unwrap();
    host.output_nothing();
    assert!(host.stack.icmp_recv_echo(ping, &mut [0; 9]).is_ok());
    assert_eq!(host.stack.udp_recv_from(udp, &mut [0; 9]), Ok((6, at("10.0.0.1", 7))));
}

#[test]
fn packets_to_ourselves_are_bounded() {
    let mut host = Host::new();
    let sockets: Vec<_> =
        (0..20).map(|port| host.stack.udp_bind(at("10.0.0.1", 100 + port)).unwrap()).collect();
    for id in &sockets {
        while host.stack.udp_send_to(*id, &[0; 1_400], at("10.0.0.1", 100)).is_ok() {}
    }
    host.output_nothing();
    let counters = host.stack.counters();
    assert_eq!(
        counters.udp.received + counters.udp.queue_full,
        counters.ip.loopback,
        "none is lost on the way"
    );
    assert!(counters.ip.loopback > 4_000);
}
