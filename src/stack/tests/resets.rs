//! Segments that belong to no connection, and handshakes by hand.

use super::*;
use crate::stack::ListenOptions;
use crate::tcp::State;

#[test]
fn rfc_9293_3_10_7_1_a_closed_port_answers_with_a_reset_in_both_forms() {
    for (ours, theirs) in FAMILIES {
        let (local, peer) = (at(ours, 81), at(theirs, 5_000));
        let mut host = Host::new();
        host.receive(&tcp(peer, local, header(99, 0, TcpFlags::SYN), b"data"));
        let reset = host.output_segment();
        assert_eq!(reset.flags, TcpFlags::RST | TcpFlags::ACK);
        assert_eq!((reset.seq, reset.ack), (SeqNumber(0), SeqNumber(104)));
        assert_eq!((reset.src_port, reset.dst_port), (81, 5_000));

        host.receive(&tcp(peer, local, header(99, 7, TcpFlags::ACK), b""));
        let reset = host.output_segment();
        assert_eq!((reset.seq, reset.flags), (SeqNumber(7), TcpFlags::RST));
        assert_eq!(host.stack.counters().stack.no_connection, 2);
        assert_eq!(host.stack.counters().tcp.resets_sent, 2);
    }
}

#[test]
fn never_a_reset_for_a_reset() {
    let mut host = Host::new();
    let (local, peer) = (at("10.0.0.1", 81), at("10.0.0.2", 5_000));
    host.receive(&tcp(peer, local, header(99, 0, TcpFlags::RST), b""));
    host.receive(&tcp(peer, local, header(99, 5, TcpFlags::RST | TcpFlags::ACK), b""));
    host.output_nothing();
    assert_eq!(host.stack.counters().stack.no_connection, 2);
}

#[test]
fn rfc_9293_3_10_7_2_a_listener_resets_acks_and_ignores_the_rest() {
    let mut host = Host::new();
    let (local, peer) = (at("10.0.0.1", 80), at("10.0.0.2", 5_000));
    host.stack.listen(local, ListenOptions::default()).unwrap();
    host.receive(&tcp(peer, local, header(99, 7, TcpFlags::ACK), b""));
    let reset = host.output_segment();
    assert_eq!((reset.seq, reset.flags), (SeqNumber(7), TcpFlags::RST));
    host.receive(&tcp(peer, local, header(99, 0, TcpFlags::RST), b""));
    host.receive(&tcp(peer, local, header(99, 0, TcpFlags::FIN), b""));
    host.output_nothing();
    assert_eq!(host.stack.counters().stack.listener_ignored, 2);
}

#[test]
fn a_handshake_by_hand_and_data_on_its_last_ack() {
    for (ours, theirs) in FAMILIES {
        let (local, peer) = (at(ours, 80), at(theirs, 5_000));
        let mut host = Host::new();
        let listener = host.stack.listen(local, ListenOptions::default()).unwrap();
        host.receive(&tcp(peer, local, header(1_000, 0, TcpFlags::SYN), b""));
        let syn_ack = host.output_segment();
        assert_eq!((syn_ack.flags, syn_ack.ack), (TcpFlags::SYN | TcpFlags::ACK, SeqNumber(1_001)));
        assert_eq!(syn_ack.options.mss, Some(if ours.contains(':') { 1_440 } else { 1_460 }));
        assert!(host.stack.accept(listener).is_err(), "half open");
        let ack = header(1_001, (syn_ack.seq + 1).0, TcpFlags::ACK);
        host.receive(&tcp(peer, local, ack, b"GET"));
        let (id, from) = host.stack.accept(listener).unwrap();
        assert_eq!(from, peer);
        assert_eq!(host.read_all(id), b"GET");
        assert_eq!(host.stack.info(id).unwrap().state, State::Established);
    }
}

#[test]
fn rfc_5961_a_reset_must_match_exactly() {
    let (local, peer) = (at("10.0.0.1", 80), at("10.0.0.2", 5_000));
    let mut host = Host::new();
    let listener = host.stack.listen(local, ListenOptions::default()).unwrap();
    let (theirs, _) = shake_hands(&mut host, peer, local);
    let (id, _) = host.stack.accept(listener).unwrap();
    host.output();
    host.receive(&tcp(peer, local, header(theirs + 10, 0, TcpFlags::RST), b""));
    assert_eq!(host.output_segment().flags, TcpFlags::ACK, "challenge");
    host.receive(&tcp(peer, local, header(theirs, 0, TcpFlags::RST), b""));
    assert_eq!(host.stack.error(id), Ok(Some(crate::stack::Error::ConnectionReset)));
}
