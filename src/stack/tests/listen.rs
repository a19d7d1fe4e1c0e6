//! Listeners under load.

use super::*;
use crate::stack::{Error, ListenOptions};
use crate::tcp::{SocketOptions, State};

fn peer(n: u32) -> SocketAddr {
    SocketAddr::new(IpAddr::from([10, 1, (n >> 8) as u8, n as u8]), 5_000 + (n >> 16) as u16)
}

fn syn(host: &mut Host, from: SocketAddr, to: SocketAddr) {
    host.receive(&tcp(from, to, header(1_000, 0, TcpFlags::SYN), b""));
}

#[test]
fn ends_that_cannot_be_bound() {
    let mut host = Host::new();
    let mut listen = |local| host.stack.listen(local, ListenOptions::default());
    assert!(listen(at("10.0.0.1", 80)).is_ok());
    assert_eq!(listen(at("10.0.0.1", 80)), Err(Error::AddrInUse));
    assert_eq!(listen(at("0.0.0.0", 80)), Err(Error::AddrInUse));
    assert!(listen(at("::", 80)).is_ok(), "the other family is apart");
    assert_eq!(listen(at("10.0.0.2", 80)), Err(Error::AddrNotAvailable));
}

#[test]
fn port_0_is_a_port_of_our_choice() {
    let mut host = Host::new();
    let ports: std::collections::HashSet<_> = (0..100)
        .map(|_| {
            let id = host.stack.listen(at("0.0.0.0", 0), ListenOptions::default()).unwrap();
            host.stack.local_addr(id).unwrap().port()
        })
        .collect();
    assert_eq!(ports.len(), 100);
    assert!(!ports.contains(&0));
}

#[test]
fn the_unspecified_address_listens_on_all_of_its_family() {
    let mut pair = Pair::new();
    let listener = pair.server.stack.listen(at("0.0.0.0", 80), ListenOptions::default()).unwrap();
    let c = pair.client.stack.connect(pair.client.now, at("10.0.0.1", 80), None, None).unwrap();
    let other = pair.client.stack.connect(pair.client.now, at("fd00::1", 80), None, None).unwrap();
    pair.exchange();
    let (s, _) = pair.server.stack.accept(listener).unwrap();
    assert_eq!(pair.server.stack.local_addr(s), Ok(at("10.0.0.1", 80)));
    assert_eq!(pair.client.stack.info(c).unwrap().state, State::Established);
    assert_eq!(pair.client.stack.error(other), Ok(Some(Error::ConnectionRefused)));
}

#[test]
fn a_full_accept_queue_keeps_the_handshake_and_its_syn_ack_completes_it_later() {
    let mut host = Host::new();
    let local = at("10.0.0.1", 80);
    let listener =
        host.stack.listen(local, ListenOptions { backlog: 1, ..ListenOptions::default() }).unwrap();
    let (first, second, third) = (peer(1), peer(2), peer(3));
    // Two handshakes begin while there is room; only one of them finds it at its end.
    syn(&mut host, second, local);
    let syn_ack = host.output_segment();
    shake_hands(&mut host, first, local);
    let ack = tcp(second, local, header(1_001, (syn_ack.seq + 1).0, TcpFlags::ACK), b"");
    host.receive(&ack);
    assert_eq!(host.stack.counters().stack.accept_queue_full_ack, 1);
    assert_eq!(host.stack.half_open.len(), 1, "it stays");
    syn(&mut host, third, local);
    host.output_nothing();
    assert_eq!(host.stack.counters().stack.accept_queue_full_syn, 1);

    assert_eq!(host.stack.accept(listener).unwrap().1, first);
    let again = host.wait(Duration::from_millis(1_100));
    assert_eq!(segment(&again[0].bytes).0.flags, TcpFlags::SYN | TcpFlags::ACK);
    host.receive(&ack);
    assert_eq!(host.stack.accept(listener).unwrap().1, second);
}

#[test]
fn syn_acks_are_sent_again_after_1_2_4_8_and_16_seconds_and_then_given_up() {
    let mut host = Host::new();
    let local = at("10.0.0.1", 80);
    host.stack.listen(local, ListenOptions::default()).unwrap();
    syn(&mut host, peer(1), local);
    host.output();
    let start = host.now;
    let mut times = Vec::new();
    while let Some(next) = host.stack.poll_timeout() {
        host.now = next;
        host.stack.handle_timeout(next);
        times.extend(host.output().iter().map(|_| (host.now - start).as_secs()));
    }
    assert_eq!(times, [1, 3, 7, 15, 31]);
    assert_eq!(host.stack.half_open.len(), 0);
    assert_eq!(host.stack.counters().stack.handshakes_timed_out, 1);
}

#[test]
fn a_repeated_syn_draws_the_same_syn_ack() {
    let mut host = Host::new();
    let local = at("fd00::1", 80);
    host.stack.listen(local, ListenOptions::default()).unwrap();
    syn(&mut host, at("fd00::2", 9), local);
    let first = host.output_segment();
    syn(&mut host, at("fd00::2", 9), local);
    assert_eq!(host.output_segment(), first);
    assert_eq!(host.stack.half_open.len(), 1);
}

#[test]
fn a_peer_may_take_its_syn_back() {
    let mut host = Host::new();
    let local = at("10.0.0.1", 80);
    host.stack.listen(local, ListenOptions::default()).unwrap();
    syn(&mut host, peer(1), local);
    host.output();
    host.receive(&tcp(peer(1), local, header(1_001, 0, TcpFlags::RST), b""));
    host.output_nothing();
    assert_eq!((host.stack.half_open.len(), host.stack.counters().stack.handshakes_reset), (0, 1));
    assert_eq!(host.stack.poll_timeout(), None);
}

#[test]
fn ten_thousand_half_open_syns_are_bounded_and_a_client_gets_through_at_once() {
    let mut host = Host::new();
    let local = at("10.0.0.1", 80);
    let listener = host.stack.listen(local, ListenOptions::default()).unwrap();
    for n in 0..10_000 {
        syn(&mut host, peer(n), local);
        host.output();
    }
    assert_eq!(host.stack.half_open.len(), 1_024);
    assert_eq!(host.stack.counters().stack.cookies_sent, 10_000 - 1_024);
    shake_hands(&mut host, at("10.0.0.2", 5_000), local);
    assert_eq!(host.stack.accept(listener).unwrap().1, at("10.0.0.2", 5_000));
}

#[test]
fn during_a_flood_every_client_gets_through() {
    let mut host = Host::new();
    let local = at("10.0.0.1", 80);
    let listener = host.stack.listen(local, ListenOptions::default()).unwrap();
    let mut accepted = 0;
    let mut flood = 0;
    for client in 0..100 {
        let from = at("10.0.0.2", 5_000 + client);
        syn(&mut host, from, local);
        let syn_ack = host.output_segment();
        // 10,000 SYNs a second, and a round-trip time of 20 ms.
        for _ in 0..200 {
            syn(&mut host, peer(flood), local);
            flood += 1;
            host.output();
            host.wait(Duration::from_micros(100));
        }
        host.receive(&tcp(from, local, header(1_001, (syn_ack.seq + 1).0, TcpFlags::ACK), b""));
        host.output();
        accepted += u32::from(host.stack.accept(listener).is_ok());
    }
    assert_eq!(accepted, 100);
    assert!(host.stack.half_open.len() <= 1_024);
}

#[test]
fn a_listeners_maximum_counts_connections_until_they_are_gone() {
    let mut pair = Pair::new();
    let options = ListenOptions { max_connections: Some(2), ..ListenOptions::default() };
    let listener = pair.server.stack.listen(at("10.0.0.1", 80), options).unwrap();
    let (first, s) = pair.connect(listener);
    pair.connect(listener);
    let third = pair.client.stack.connect(pair.client.now, at("10.0.0.1", 80), None, None).unwrap();
    pair.exchange();
    assert_eq!(pair.client.stack.info(third).unwrap().state, State::SynSent);
    assert_eq!(pair.server.stack.counters().stack.listener_limit, 1);

    pair.client.stack.close(pair.client.now, first).unwrap();
    pair.exchange();
    pair.server.stack.close(pair.server.now, s).unwrap();
    pair.wait(Duration::from_millis(1_100));
    assert_eq!(pair.client.stack.info(third).unwrap().state, State::Established, "the repeated SYN");
}

#[test]
fn the_limit_on_sockets_counts_all_kinds_and_half_open_ones() {
    let mut host = Host::with(1, |config| config.max_sockets = 3);
    let local = at("10.0.0.1", 80);
    let listener = host.stack.listen(local, ListenOptions::default()).unwrap();
    let udp = host.stack.udp_bind(at("10.0.0.1", 7)).unwrap();
    syn(&mut host, peer(1), local);
    host.output();
    syn(&mut host, peer(2), local);
    host.output_nothing();
    assert_eq!(host.stack.counters().stack.socket_limit_syn, 1);
    assert_eq!(host.stack.icmp_bind(None), Err(Error::LimitReached));
    assert_eq!(host.stack.connect(host.now, peer(1), None, None), Err(Error::LimitReached));
    assert_eq!(host.stack.counters().stack.socket_limit, 2);
    host.stack.close(host.now, udp).unwrap();
    assert!(host.stack.icmp_bind(None).is_ok());
    assert!(host.stack.close(host.now, listener).is_ok());
}

#[test]
fn closing_a_listener_resets_what_waits_in_its_queues() {
    let mut pair = Pair::new();
    let local = at("10.0.0.1", 80);
    let listener = pair.server.stack.listen(local, ListenOptions::default()).unwrap();
    let (held, s) = pair.connect(listener);
    let waiting = pair.client.stack.connect(pair.client.now, local, None, None).unwrap();
    pair.exchange();
    syn(&mut pair.server, peer(1), local);
    pair.server.output();

    pair.server.stack.close(pair.server.now, listener).unwrap();
    let packets = pair.server.output();
    assert_eq!(packets.len(), 2);
    assert!(packets.iter().all(|packet| segment(&packet.bytes).0.has(TcpFlags::RST)));
    packets.iter().for_each(|packet| pair.client.receive_packet(packet));
    assert_eq!(pair.client.stack.error(waiting), Ok(Some(Error::ConnectionReset)));
    assert_eq!(pair.client.stack.error(held), Ok(None), "accepted connections live on");
    assert_eq!((pair.server.stack.sockets.len(), pair.server.stack.half_open.len()), (1, 0));
    assert!(pair.server.stack.info(s).is_ok());
    assert_eq!(pair.server.stack.accept(listener), Err(Error::StaleSocket));
    assert!(pair.server.stack.listen(local, ListenOptions::default()).is_ok());
}

#[test]
fn a_connection_that_dies_in_the_accept_queue_is_accepted_with_its_error() {
    let mut host = Host::new();
    let (local, from) = (at("10.0.0.1", 80), at("10.0.0.2", 5_000));
    let listener = host.stack.listen(local, ListenOptions::default()).unwrap();
    let (theirs, _) = shake_hands(&mut host, from, local);
    host.receive(&tcp(from, local, header(theirs, 0, TcpFlags::RST), b""));
    let (id, _) = host.stack.accept(listener).unwrap();
    assert_eq!(host.stack.read(id, &mut [0; 9]), Err(Error::ConnectionReset));
    host.stack.close(host.now, id).unwrap();
    assert_eq!(host.stack.sockets.len(), 1);
}

#[test]
fn a_listener_with_new_options_leaves_nothing_to_send_behind() {
    let mut host = Host::new();
    let listener = host.stack.listen(at("10.0.0.1", 80), ListenOptions::default()).unwrap();
    host.stack.set_options(listener, SocketOptions::default()).unwrap();
    host.stack.close(host.now, listener).unwrap();
    assert!(!host.stack.wants_transmit());
    host.stack.check_invariants().unwrap();
}
