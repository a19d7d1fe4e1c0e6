//! UDP between a peer by hand and a socket.

use super::*;
use crate::stack::Error;

fn datagram(from: SocketAddr, to: SocketAddr, payload: &[u8]) -> Vec<u8> {
    let len = 8 + payload.len() as u16;
    let ports = [from.port().to_be_bytes(), to.port().to_be_bytes(), len.to_be_bytes(), [0; 2]].concat();
    packet(&from.ip().to_string(), &to.ip().to_string(), Protocol::UDP, &[&ports, payload].concat(), 6)
}

#[test]
fn an_echo_in_both_families_over_the_unspecified_address() {
    for ((ours, theirs), any) in FAMILIES.into_iter().zip(["0.0.0.0", "::"]) {
        let mut host = Host::new();
        let id = host.stack.udp_bind(at(any, 7)).unwrap();
        host.receive(&datagram(at(theirs, 5_000), at(ours, 7), b"marco"));
        assert!(host.events().iter().any(|event| event.socket == id && event.kinds.readable));
        let mut buffer = [0; 100];
        let (len, from) = host.stack.udp_recv_from(id, &mut buffer).unwrap();
        assert_eq!((&buffer[..len], from), (&b"marco"[..], at(theirs, 5_000)));
        assert_eq!(host.stack.udp_recv_from(id, &mut buffer), Err(Error::WouldBlock));

        assert_eq!(host.stack.udp_send_to(id, b"polo", from), Ok(4));
        let packets = host.output();
        let (ip_header, transport) = transport(&packets[0].bytes);
        assert_eq!((ip_header.src, ip_header.dst, ip_header.protocol), (ip(ours), ip(theirs), Protocol::UDP));
        assert_eq!(transport[..6], [0, 7, 0x13, 0x88, 0, 12]);
        assert_eq!(&transport[8..], b"polo");
        let counters = host.stack.counters().udp;
        assert_eq!((counters.received, counters.sent), (1, 1));
    }
}

#[test]
fn two_stacks_talk() {
    let mut pair = Pair::new();
    let s = pair.server.stack.udp_bind(at("10.0.0.1", 53)).unwrap();
    let c = pair.client.stack.udp_bind(at("10.0.0.2", 0)).unwrap();
    for n in 0..100u8 {
        pair.client.stack.udp_send_to(c, &[n], at("10.0.0.1", 53)).unwrap();
    }
    pair.exchange();
    for n in 0..100 {
        let mut buffer = [0; 1];
        let (_, from) = pair.server.stack.udp_recv_from(s, &mut buffer).unwrap();
        assert_eq!((buffer[0], Ok(from)), (n, pair.client.stack.local_addr(c)));
    }
}

#[test]
fn rfc_8200_8_1_no_checksum_is_for_ipv4_alone() {
    for ((ours, theirs), accepted) in FAMILIES.into_iter().zip([true, false]) {
        let mut host = Host::new();
        let id = host.stack.udp_bind(at(ours, 7)).unwrap();
        let mut bytes = datagram(at(theirs, 5_000), at(ours, 7), b"unsummed");
        let field = bytes.len() - 8 - 2;
        bytes[field..field + 2].fill(0);
        host.receive(&bytes);
        assert_eq!(host.stack.udp_recv_from(id, &mut [0; 9]).is_ok(), accepted, "{ours}");
        assert_eq!(host.stack.counters().udp.bad_checksum, u64::from(!accepted));
    }
}

#[test]
fn bad_lengths_and_checksums_are_dropped_and_counted() {
    let mut host = Host::new();
    host.stack.udp_bind(at("10.0.0.1", 7)).unwrap();
    let good = datagram(at("10.0.0.2", 5_000), at("10.0.0.1", 7), b"payload");
    for (offset, value) in [(20 + 5, 200), (20 + 5, 7), (20 + 8, !good[28])] {
        let mut bad = good.clone();
        bad[offset] = value;
        host.receive(&bad);
    }
    let counters = host.stack.counters().udp;
    assert_eq!((counters.malformed, counters.bad_checksum, counters.received), (2, 1, 0));
    host.output_nothing();
}

#[test]
fn rfc_1122_4_1_3_1_an_unbound_port_is_unreachable_and_the_answer_quotes_the_datagram() {
    for (ours, theirs) in FAMILIES {
        let mut host = Host::new();
        let sent = datagram(at(theirs, 5_000), at(ours, 9), b"anyone?");
        host.receive(&sent);
        let packets = host.output();
        let (ip_header, message) = transport(&packets[0].bytes);
        assert_eq!((ip_header.src, ip_header.dst), (ip(ours), ip(theirs)));
        assert_eq!(message[..2], if ours.contains(':') { [1, 4] } else { [3, 3] });
        assert_eq!(message[8..], sent);
        assert_eq!(host.stack.counters().udp.no_socket, 1);
        assert_eq!(host.stack.counters().icmp.errors_sent, 1);
    }
}

#[test]
fn the_quote_is_bounded_and_the_answers_are_limited() {
    let mut host = Host::new();
    let sent = datagram(at("10.0.0.2", 5_000), at("10.0.0.1", 9), &[1; 1_400]);
    (0..500).for_each(|_| host.receive(&sent));
    let packets = host.output();
    assert!(packets.iter().all(|packet| packet.bytes.len() == 576), "RFC 1812 4.3.2.3");
    assert!(packets.len() < 100, "{} errors at once", packets.len());
    let counters = host.stack.counters().icmp;
    assert_eq!(counters.errors_sent + counters.errors_limited, 500);
    assert_eq!(counters.errors_sent, packets.len() as u64);
}

#[test]
fn the_receive_queue_is_bounded() {
    let mut host = Host::new();
    let id = host.stack.udp_bind(at("10.0.0.1", 7)).unwrap();
    let sent = datagram(at("10.0.0.2", 5_000), at("10.0.0.1", 7), &[1; 1_400]);
    (0..2_000).for_each(|_| host.receive(&sent));
    let counters = host.stack.counters().udp;
    assert_eq!(counters.received + counters.queue_full, 2_000);
    assert!((100..1_000).contains(&counters.received), "{}", counters.received);
    let received = (0..2_000).filter(|_| host.stack.udp_recv_from(id, &mut [0; 2_000]).is_ok()).count();
    assert_eq!(received as u64, counters.received);
}

#[test]
fn a_full_send_queue_blocks_and_an_event_says_when_it_does_not() {
    let mut host = Host::new();
    let id = host.stack.udp_bind(at("10.0.0.1", 7)).unwrap();
    let sent =
        (0..1_000).take_while(|_| host.stack.udp_send_to(id, &[0; 1_000], at("10.0.0.2", 9)).is_ok()).count();
    assert!((100..1_000).contains(&sent), "{sent}");
    assert!(!host.stack.readiness(id).unwrap().writable);
    assert_eq!(host.output().len(), sent);
    assert!(matches!(host.events()[..], [Event { socket, kinds }] if socket == id && kinds.writable));
}

/// The last datagram that fits is taken, and leaves no room: asking for it is to wait for it.
#[test]
fn an_event_tells_of_room_to_who_asked_for_it() {
    let mut host = Host::new();
    let id = host.stack.udp_bind(at("10.0.0.1", 7)).unwrap();
    while host.stack.readiness(id).unwrap().writable {
        host.stack.udp_send_to(id, &[0; 1_000], at("10.0.0.2", 9)).unwrap();
    }
    assert!(!host.output().is_empty());
    assert!(matches!(host.events()[..], [Event { socket, kinds }] if socket == id && kinds.writable));
}

#[test]
fn what_was_sent_before_close_still_goes_out() {
    let mut host = Host::new();
    let id = host.stack.udp_bind(at("10.0.0.1", 7)).unwrap();
    host.stack.udp_send_to(id, b"last words", at("10.0.0.2", 9)).unwrap();
    host.stack.close(host.now, id).unwrap();
    assert_eq!(host.output().len(), 1);
    assert_eq!(host.stack.udp_send_to(id, b"more", at("10.0.0.2", 9)), Err(Error::StaleSocket));
    assert!(host.stack.udp_bind(at("10.0.0.1", 7)).is_ok(), "the port is free again");
}

#[test]
fn destinations_and_sizes_that_cannot_be() {
    let mut host = Host::new();
    let id = host.stack.udp_bind(at("10.0.0.1", 7)).unwrap();
    for to in [at("fd00::2", 9), at("10.0.0.2", 0), at("224.0.0.1", 9), at("10.0.0.255", 9)] {
        assert_eq!(host.stack.udp_send_to(id, b"", to), Err(Error::InvalidInput), "{to}");
    }
    assert_eq!(host.stack.udp_send_to(id, &[0; 1_473], at("10.0.0.2", 9)), Err(Error::InvalidInput));
    assert_eq!(host.stack.udp_send_to(id, &[0; 1_472], at("10.0.0.2", 9)), Ok(1_472));
    assert_eq!(host.stack.udp_bind(at("0.0.0.0", 7)), Err(Error::AddrInUse));
    assert_eq!(host.stack.udp_bind(at("10.0.0.9", 7)), Err(Error::AddrNotAvailable));
}

#[test]
fn a_connected_socket_hears_its_peer_only() {
    for ((ours, theirs), any) in FAMILIES.into_iter().zip(["0.0.0.0", "::"]) {
        let mut host = Host::new();
        let id = host.stack.udp_bind(at(any, 7)).unwrap();
        assert_eq!(host.stack.udp_send(id, b"whom to?"), Err(Error::NotConnected));
        assert_eq!(host.stack.remote_addr(id), Err(Error::NotConnected));
        host.stack.udp_connect(id, at(theirs, 5_000)).unwrap();
        assert_eq!(host.stack.local_addr(id), Ok(at(ours, 7)), "which of ours is settled now");
        assert_eq!(host.stack.remote_addr(id), Ok(at(theirs, 5_000)));
        host.receive(&datagram(at(theirs, 5_001), at(ours, 7), b"a stranger"));
        assert_eq!(host.stack.udp_recv_from(id, &mut [0; 16]), Err(Error::WouldBlock));
        assert_eq!(host.stack.counters().udp.no_socket, 1);
        assert_eq!(host.output().len(), 1, "the stranger is told that nobody is there");
        host.receive(&datagram(at(theirs, 5_000), at(ours, 7), b"the peer"));
        assert_eq!(host.stack.udp_recv_from(id, &mut [0; 16]), Ok((8, at(theirs, 5_000))));
        assert_eq!(host.stack.udp_send(id, b"answer"), Ok(6));
        assert_eq!(transport(&host.output()[0].bytes).1[2..4], 5_000u16.to_be_bytes());
    }
}

#[test]
fn what_no_socket_can_be_connected_to_is_refused() {
    let mut host = Host::new();
    let id = host.stack.udp_bind(at("10.0.0.1", 7)).unwrap();
    for remote in [at("10.0.0.2", 0), at("fd00::2", 7), at("255.255.255.255", 7)] {
        assert_eq!(host.stack.udp_connect(id, remote), Err(Error::InvalidInput), "{remote}");
    }
}

/// RFC 1122 4.1.3.3.
#[test]
fn a_refusal_reaches_the_socket_that_is_connected_to_just_that_port() {
    let (mut pair, here) = (Pair::new(), at("10.0.0.2", 9));
    let id = pair.client.stack.udp_bind(here).unwrap();
    pair.client.stack.udp_send_to(id, b"anybody?", at("10.0.0.1", 53)).unwrap();
    pair.exchange();
    assert_eq!(pair.client.stack.udp_take_error(id), Ok(None), "not connected: it may be talking to many");
    pair.client.stack.udp_connect(id, at("10.0.0.1", 53)).unwrap();
    for _ in 0..2 {
        pair.client.stack.udp_send(id, b"anybody?").unwrap();
        pair.exchange();
        assert!(pair.client.stack.readiness(id).unwrap().readable);
        let told = pair.client.stack.udp_recv_from(id, &mut [0; 8]);
        assert_eq!(told, Err(Error::ConnectionRefused));
        assert_eq!(pair.client.stack.udp_peek_from(id, &mut [0; 8]), Err(Error::WouldBlock), "told once");
    }
    assert_eq!(pair.client.stack.counters().icmp.errors_matched, 2);
}

#[test]
fn peeking_leaves_the_datagram() {
    let mut host = Host::new();
    let id = host.stack.udp_bind(at("10.0.0.1", 7)).unwrap();
    host.receive(&datagram(at("10.0.0.2", 5_000), at("10.0.0.1", 7), b"twice"));
    let mut buffer = [0; 3];
    assert_eq!(host.stack.udp_peek_from(id, &mut buffer), Ok((3, at("10.0.0.2", 5_000))));
    assert_eq!(&buffer, b"twi");
    assert_eq!(host.stack.udp_recv_from(id, &mut [0; 8]), Ok((5, at("10.0.0.2", 5_000))));
}

#[test]
fn packets_carry_the_hop_limit_that_was_set() {
    for ((ours, theirs), offset) in FAMILIES.into_iter().zip([8, 7]) {
        let mut host = Host::new();
        let id = host.stack.udp_bind(at(ours, 7)).unwrap();
        assert_eq!(host.stack.set_hop_limit(id, 0), Err(Error::InvalidInput));
        for limit in [64, 1, 255] {
            host.stack.set_hop_limit(id, limit).unwrap();
            assert_eq!(host.stack.hop_limit(id), Ok(limit));
            host.stack.udp_send_to(id, b"x", at(theirs, 9)).unwrap();
            assert_eq!(host.output()[0].bytes[offset], limit);
        }
    }
}
