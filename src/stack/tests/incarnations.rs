//! One connection after another between the same ends: initial sequence numbers, timestamps, TIME-WAIT in between.

use super::*;
use crate::stack::{Error, ListenOptions};
use crate::wire::Timestamps;

const LOCAL: &str = "10.0.0.1";

fn peer() -> SocketAddr {
    at("10.0.0.2", 5_000)
}

fn listening(change: impl FnOnce(&mut Config)) -> Host {
    let mut host = Host::with(1, change);
    host.stack.listen(at(LOCAL, 80), ListenOptions { backlog: 1, ..ListenOptions::default() }).unwrap();
    host
}

fn stamped(seq: u32, ack: u32, flags: TcpFlags, value: u32) -> TcpHeader {
    let mut header = header(seq, ack, flags);
    header.options.timestamps = Some(Timestamps { value, echo: 0 });
    header
}

/// The SYN-ACK that a SYN draws.
#[track_caller]
fn syn_ack(host: &mut Host, from: SocketAddr, syn: TcpHeader) -> TcpHeader {
    host.receive(&tcp(from, at(LOCAL, 80), syn, b""));
    let answer = host.output_segment();
    assert_eq!(answer.flags, TcpFlags::SYN | TcpFlags::ACK);
    answer
}

/// A connection with timestamps that our side closes first, left in TIME-WAIT; the next numbers of the peer and ours.
fn into_time_wait(host: &mut Host, value: u32) -> (u32, u32) {
    let ours = syn_ack(host, peer(), stamped(1_000, 0, TcpFlags::SYN, value)).seq.0.wrapping_add(1);
    let mut send = |seq, ack, flags| {
        host.receive(&tcp(peer(), at(LOCAL, 80), stamped(seq, ack, flags, value), b""));
    };
    send(1_001, ours, TcpFlags::ACK);
    let listener = host.stack.sockets.iter().map(|(index, _)| index).min().unwrap();
    let listener = host.stack.sockets.id_at(listener).unwrap();
    let (id, _) = host.stack.accept(listener).unwrap();
    host.stack.close(host.now, id).unwrap();
    host.output();
    host.receive(&tcp(
        peer(),
        at(LOCAL, 80),
        stamped(1_001, ours.wrapping_add(1), TcpFlags::FIN | TcpFlags::ACK, value),
        b"",
    ));
    host.output();
    assert_eq!(host.stack.time_wait.len(), 1);
    (1_002, ours.wrapping_add(1))
}

#[test]
fn rfc_6528_3_later_connections_of_the_same_ends_begin_higher() {
    let mut host = listening(|_| {});
    let mut last: Option<SeqNumber> = None;
    for _ in 0..10 {
        let answer = syn_ack(&mut host, peer(), header(9, 0, TcpFlags::SYN));
        if let Some(last) = last {
            assert_eq!(answer.seq - last, 250, "a millisecond of 4 µs ticks");
        }
        last = Some(answer.seq);
        host.receive(&tcp(peer(), at(LOCAL, 80), header(10, 0, TcpFlags::RST), b""));
        host.wait(Duration::from_millis(1));
    }
}

#[test]
fn rfc_6528_3_other_ends_begin_elsewhere() {
    let mut host = listening(|_| {});
    let mut seen: Vec<u32> = (0..50)
        .map(|i| syn_ack(&mut host, at("10.0.0.2", 6_000 + i), header(9, 0, TcpFlags::SYN)).seq.0)
        .collect();
    seen.sort_unstable();
    let spread = seen.windows(2).filter(|pair| pair[1] - pair[0] > 100_000).count();
    assert!(spread > 40, "{seen:?}");
}

#[test]
fn rfc_7323_5_4_timestamps_rise_from_one_incarnation_to_the_next() {
    let mut host = listening(|_| {});
    let mut last: Option<u32> = None;
    for _ in 0..5 {
        let answer = syn_ack(&mut host, peer(), stamped(9, 0, TcpFlags::SYN, 7));
        let value = answer.options.timestamps.unwrap().value;
        if let Some(last) = last {
            assert_eq!(value.wrapping_sub(last), 20, "milliseconds");
        }
        last = Some(value);
        host.receive(&tcp(peer(), at(LOCAL, 80), header(10, 0, TcpFlags::RST), b""));
        host.wait(Duration::from_millis(20));
    }
    let elsewhere = syn_ack(&mut host, at("10.0.0.2", 5_001), stamped(9, 0, TcpFlags::SYN, 7));
    let distance = elsewhere.options.timestamps.unwrap().value.wrapping_sub(last.unwrap());
    assert!(distance > 1_000, "an offset of its own");
}

#[test]
fn rfc_6191_2_a_higher_timestamp_proves_a_new_syn_whatever_its_number() {
    let mut host = listening(|_| {});
    let (_, ours) = into_time_wait(&mut host, 500);
    host.receive(&tcp(peer(), at(LOCAL, 80), stamped(77, 0, TcpFlags::SYN, 500), b""));
    assert_eq!(host.output_segment().flags, TcpFlags::ACK, "an equal one does not");
    let answer = syn_ack(&mut host, peer(), stamped(77, 0, TcpFlags::SYN, 501));
    assert!(answer.seq.gt(SeqNumber(ours)));
    assert_eq!(host.stack.time_wait.len(), 0);
}

#[test]
fn rfc_6191_2_a_syn_that_cannot_be_served_leaves_time_wait_alone() {
    let mut host = listening(|_| {});
    into_time_wait(&mut host, 500);
    shake_hands(&mut host, at("10.0.0.2", 5_001), at(LOCAL, 80)); // the accept queue is full
    host.output();
    host.receive(&tcp(peer(), at(LOCAL, 80), stamped(5_000, 0, TcpFlags::SYN, 900), b""));
    host.output_nothing();
    let counters = host.stack.counters().stack;
    assert_eq!((counters.accept_queue_full_syn, counters.time_wait_reused), (1, 0));
    assert_eq!(host.stack.time_wait.len(), 1);
}

#[test]
fn rfc_9293_3_4_2_the_wait_is_twice_the_configured_msl() {
    let mut host = listening(|config| config.tcp.msl = Duration::from_secs(2));
    into_time_wait(&mut host, 500);
    host.wait(Duration::from_millis(3_900));
    assert_eq!(host.stack.time_wait.len(), 1);
    host.wait(Duration::from_millis(200));
    assert_eq!(host.stack.time_wait.len(), 0);
}

#[test]
fn time_wait_is_outside_of_the_limit_on_sockets() {
    let mut host = listening(|config| config.max_sockets = 2);
    into_time_wait(&mut host, 500);
    assert!(host.stack.connect(host.now, at("10.0.0.2", 9), None, None).is_ok());
    let over = host.stack.connect(host.now, at("10.0.0.2", 9), None, None);
    assert_eq!(over, Err(Error::LimitReached));
}
