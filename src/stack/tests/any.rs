//! Listening for every address and port: the client asks for ends that the server does not have.

use super::*;
use crate::stack::{Error, ListenOptions};
use crate::tcp::State;

const ELSEWHERE: [&str; 2] = ["192.0.2.7", "2001:db8::7"];

/// A server that listens for any end.
fn gateway() -> (Pair, SocketId) {
    let mut pair = Pair::new();
    let listener = pair.server.stack.listen_any(ListenOptions::default()).unwrap();
    (pair, listener)
}

#[test]
fn a_connection_to_any_end_is_accepted_with_that_end_for_its_own() {
    for address in ELSEWHERE {
        let (mut pair, listener) = gateway();
        for port in [1, 443, 65_535] {
            let remote = at(address, port);
            let client = pair.client.stack.connect(pair.client.now, remote, None, None).unwrap();
            pair.exchange();
            let (server, from) = pair.server.stack.accept(listener).unwrap();
            assert_eq!(pair.server.stack.local_addr(server), Ok(remote));
            assert_eq!(pair.client.stack.local_addr(client), Ok(from));

            pair.client.stack.write(client, b"to and").unwrap();
            pair.server.stack.write(server, b"fro").unwrap();
            pair.exchange();
            assert_eq!(pair.server.read_all(server), b"to and");
            assert_eq!(pair.client.read_all(client), b"fro");
        }
    }
}

#[test]
fn a_listener_of_just_that_end_comes_first() {
    let (mut pair, any) = gateway();
    let exact = pair.server.stack.listen(at("10.0.0.1", 80), ListenOptions::default()).unwrap();
    let general = pair.server.stack.listen(at("::", 81), ListenOptions::default()).unwrap();
    let mut accepted_by = |remote: SocketAddr| {
        pair.client.stack.connect(pair.client.now, remote, None, None).unwrap();
        pair.exchange();
        [any, exact, general].into_iter().find(|&id| pair.server.stack.accept(id).is_ok())
    };
    assert_eq!(accepted_by(at("10.0.0.1", 80)), Some(exact));
    assert_eq!(accepted_by(at("10.0.0.1", 81)), Some(any), "an address of ours, and nobody at the port");
    assert_eq!(accepted_by(at("fd00::1", 81)), Some(general));
    assert_eq!(accepted_by(at(ELSEWHERE[0], 80)), Some(any));
    assert_eq!(accepted_by(at(ELSEWHERE[1], 81)), Some(any), "`[::]` is all of ours, and no more than that");
}

#[test]
fn there_is_one_and_its_own_end_says_nothing() {
    let mut host = Host::new();
    let listener = host.stack.listen_any(ListenOptions::default()).unwrap();
    assert_eq!(host.stack.local_addr(listener), Ok(at("0.0.0.0", 0)));
    assert_eq!(host.stack.listen_any(ListenOptions::default()), Err(Error::AddrInUse));
    assert!(host.stack.listen(at("0.0.0.0", 0), ListenOptions::default()).is_ok(), "port 0 is any free one");
    assert!(
        host.stack.connect(host.now, at("10.0.0.2", 80), None, None).is_ok(),
        "there are ports to connect from"
    );
    host.stack.close(host.now, listener).unwrap();
    assert!(host.stack.listen_any(ListenOptions::default()).is_ok());
}

/// RFC 1812 5.3.7, RFC 3927 7, RFC 4291 2.5.
#[test]
fn ends_that_no_router_forwards_to_are_not_taken() {
    let mut host = Host::new();
    host.stack.listen_any(ListenOptions::default()).unwrap();
    let v4 = ["127.0.0.1", "0.0.0.0", "169.254.169.254", "240.0.0.1"].map(|to| ("10.0.0.2", to));
    let v6 = ["::1", "::", "fe80::7", "::ffff:127.0.0.1"].map(|to| ("fd00::2", to));
    for (from, to) in v4.into_iter().chain(v6) {
        host.receive(&tcp(at(from, 5_000), at(to, 80), header(1, 0, TcpFlags::SYN), b""));
        host.output_nothing();
    }
    assert_eq!(host.stack.counters().ip.destination_not_ours, 8);
    assert_eq!(host.stack.counters().stack.handshakes_started, 0);
}

/// RFC 9293 3.10.7.2: as the host that we stand in for would.
#[test]
fn a_segment_of_no_connection_is_reset_while_there_is_a_listener_for_it() {
    let (from, to) = (at("10.0.0.2", 5_000), at(ELSEWHERE[0], 80));
    let stray = tcp(from, to, header(1, 77, TcpFlags::ACK), b"");
    let mut host = Host::new();
    host.receive(&stray);
    host.output_nothing();
    assert_eq!(host.stack.counters().ip.destination_not_ours, 1);

    host.stack.listen_any(ListenOptions::default()).unwrap();
    host.receive(&stray);
    let reset = host.output_segment();
    assert_eq!((reset.flags, reset.seq), (TcpFlags::RST, SeqNumber(77)));
    host.receive(&tcp(from, at(ELSEWHERE[0], 0), header(1, 0, TcpFlags::SYN), b""));
    assert!(host.output_segment().has(TcpFlags::RST), "there is no port 0");
}

#[test]
fn connections_outlive_the_listener_and_everything_else_is_nobodys_again() {
    let (mut pair, listener) = gateway();
    let remote = at(ELSEWHERE[1], 443);
    let client = pair.client.stack.connect(pair.client.now, remote, None, None).unwrap();
    pair.exchange();
    let (server, _) = pair.server.stack.accept(listener).unwrap();
    pair.server.stack.close(pair.server.now, listener).unwrap();

    pair.client.stack.write(client, b"still there?").unwrap();
    pair.exchange();
    assert_eq!(pair.server.read_all(server), b"still there?");
    let late = pair.client.stack.connect(pair.client.now, at(ELSEWHERE[1], 444), None, None).unwrap();
    pair.exchange();
    assert_eq!(pair.client.stack.info(late).unwrap().state, State::SynSent, "no answer");
    assert_eq!(pair.server.stack.counters().ip.destination_not_ours, 1);
}

#[test]
fn a_connection_in_time_wait_keeps_its_end() {
    let (mut pair, listener) = gateway();
    let remote = at(ELSEWHERE[0], 80);
    let client = pair.client.stack.connect(pair.client.now, remote, None, None).unwrap();
    pair.exchange();
    let (server, _) = pair.server.stack.accept(listener).unwrap();
    pair.server.stack.close(pair.server.now, server).unwrap();
    pair.exchange();
    pair.client.stack.close(pair.client.now, client).unwrap();
    pair.exchange();
    assert_eq!(pair.server.stack.counters().stack.time_wait, 1);
    assert_eq!(pair.client.stack.live_connections(), 0, "its FIN was acknowledged");
}

#[test]
fn it_has_the_bounds_of_every_listener() {
    let mut pair = Pair::new();
    let options = ListenOptions { max_connections: Some(1), ..ListenOptions::default() };
    pair.server.stack.listen_any(options).unwrap();
    for port in [80, 81] {
        pair.client.stack.connect(pair.client.now, at(ELSEWHERE[0], port), None, None).unwrap();
        pair.exchange();
    }
    assert_eq!(pair.server.stack.counters().stack.listener_limit, 1);
    assert_eq!(pair.server.stack.live_connections(), 1);
}

#[test]
fn others_addresses_are_not_answered_for_beyond_tcp() {
    let (mut pair, _) = gateway();
    let mut echo = [8, 0, 0, 0, 0, 1, 0, 1];
    pair.server.receive(&packet("10.0.0.2", ELSEWHERE[0], Protocol::ICMP, &echo, 2));
    echo[0] = 128;
    pair.server.receive(&packet("fd00::2", ELSEWHERE[1], Protocol::ICMPV6, &echo, 2));
    let datagram = [0x13, 0x88, 0, 53, 0, 8, 0, 0];
    pair.server.receive(&packet("10.0.0.2", ELSEWHERE[0], Protocol::UDP, &datagram, 6));
    pair.server.output_nothing();
    assert_eq!(pair.server.stack.counters().ip.destination_not_ours, 3);
}

/// RFC 5927 4.1: a router's error reaches the connection that it is about, whosever address we use in it.
#[test]
fn an_icmp_error_about_such_a_connection_is_heard() {
    let (mut pair, _) = gateway();
    let from = at("10.0.0.2", 5_000);
    pair.server.receive(&tcp(from, at(ELSEWHERE[0], 80), header(1_000, 0, TcpFlags::SYN), b""));
    let ours = segment(&pair.server.output()[0].bytes).0.seq + 1;
    pair.server.receive(&tcp(from, at(ELSEWHERE[0], 80), header(1_001, ours.0, TcpFlags::ACK), b""));
    let quote = tcp(at(ELSEWHERE[0], 80), from, header(ours.0, 1_001, TcpFlags::ACK), b"");
    let error = [&[3, 1, 0, 0, 0, 0, 0, 0], &quote[..28]].concat();
    pair.server.receive(&packet("10.0.0.9", ELSEWHERE[0], Protocol::ICMP, &error, 2));
    assert_eq!(pair.server.stack.counters().icmp.errors_out_of_window, 1, "nothing is in flight");
    assert_eq!(pair.server.stack.counters().ip.destination_not_ours, 0);
}
