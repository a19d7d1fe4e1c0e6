//! Devices without room, and several who want to send.

use super::*;
use crate::stack::{Flushed, ListenOptions};

#[test]
fn a_full_device_moves_nothing_and_loses_nothing() {
    let mut pair = Pair::new();
    let listener = pair.server.stack.listen(at("10.0.0.1", 80), ListenOptions::default()).unwrap();
    let (c, s) = pair.connect(listener);
    pair.client.stack.write(c, b"patience").unwrap();
    pair.client.room = 0;
    let before = pair.client.stack.info(c).unwrap();
    pair.client.output_nothing();
    assert_eq!(pair.client.stack.info(c).unwrap(), before);
    assert!(pair.client.stack.wants_transmit());
    pair.client.room = usize::MAX;
    pair.exchange();
    assert_eq!(pair.server.read_all(s), b"patience");
    assert!(!pair.client.stack.wants_transmit());
}

#[test]
fn control_packets_wait_for_room_in_order() {
    let mut host = Host::new();
    host.room = 0;
    for seq in 1..=3 {
        host.receive(&tcp(at("10.0.0.2", 9), at("10.0.0.1", 9), header(0, seq, TcpFlags::ACK), b""));
    }
    host.output_nothing();
    host.room = 2;
    let first = host.output();
    host.room = 2;
    let second = host.output();
    let seqs: Vec<_> = first.iter().chain(&second).map(|packet| segment(&packet.bytes).0.seq.0).collect();
    assert_eq!((first.len(), seqs), (2, vec![1, 2, 3]));
}

#[test]
fn control_packets_are_bounded() {
    let mut host = Host::new();
    host.room = 0;
    for port in 1..=10_000 {
        host.receive(&tcp(at("10.0.0.2", port), at("10.0.0.1", 9), header(0, 1, TcpFlags::ACK), b""));
    }
    assert!(host.stack.counters().ip.outbox_full > 1_000);
    host.room = usize::MAX;
    assert_eq!(host.output().len() as u64 + host.stack.counters().ip.outbox_full, 10_000);
}

/// Clients of one server, each with more to send than fits at once.
fn busy(pair: &mut Pair, count: usize) -> Vec<SocketId> {
    let listener = pair.server.stack.listen(at("10.0.0.1", 80), ListenOptions::default()).unwrap();
    let clients: Vec<_> = (0..count).map(|_| pair.connect(listener).0).collect();
    for id in &clients {
        assert!(pair.client.stack.write(*id, &[0; 500_000]).is_ok());
    }
    clients
}

#[test]
fn a_bulk_flow_does_not_starve_the_others() {
    let mut pair = Pair::new();
    let clients = busy(&mut pair, 5);
    pair.client.room = 10;
    pair.client.output();
    let moved = |id: &&SocketId| pair.client.stack.info(**id).unwrap().in_flight > 0;
    assert!(clients.iter().filter(moved).count() >= 2, "ten packets were all one connection's");
    pair.client.room = 100;
    pair.client.output();
    let moved = |id: &&SocketId| pair.client.stack.info(**id).unwrap().in_flight > 0;
    assert_eq!(clients.iter().filter(moved).count(), 5);
}

#[test]
fn one_socket_can_be_flushed_alone() {
    let mut pair = Pair::new();
    let clients = busy(&mut pair, 2);
    let Host { stack, now, room } = &mut pair.client;
    let mut wire = Wire { packets: Vec::new(), room };
    while stack.poll_transmit_socket(*now, clients[1], &mut wire) == Flushed::More {}
    assert!(!wire.packets.is_empty());
    let port = stack.local_addr(clients[1]).unwrap().port();
    assert!(wire.packets.iter().all(|packet| segment(&packet.bytes).0.src_port == port));
    assert!(stack.wants_transmit(), "the other has not sent");
    assert_eq!(
        stack.poll_transmit_socket(*now, SocketId { index: 99, generation: 0 }, &mut wire),
        Flushed::Done
    );
}

#[test]
fn one_call_keeps_to_its_budget() {
    let mut host = Host::new();
    for port in 1..=1_000 {
        host.receive(&tcp(at("10.0.0.2", port), at("10.0.0.1", 9), header(0, 1, TcpFlags::ACK), b""));
    }
    let mut wire = Wire { packets: Vec::new(), room: &mut host.room };
    assert_eq!(host.stack.poll_transmit(host.now, &mut wire), Flushed::More);
    assert_eq!(wire.packets.len(), 64);
}
