//! TIME-WAIT between a peer by hand and a stack that closed first, and between two stacks.

use super::*;
use crate::stack::{Error, ListenOptions};

const LOCAL: &str = "10.0.0.1";

/// A connection that our side closed first, now in TIME-WAIT: sequence numbers of the peer and ours.
fn waiting(host: &mut Host, listener: SocketId, peer: SocketAddr) -> (u32, u32) {
    let local = at(LOCAL, 80);
    let (theirs, ours) = shake_hands(host, peer, local);
    let (id, _) = host.stack.accept(listener).unwrap();
    host.stack.close(host.now, id).unwrap();
    let fin = host.output().remove(0).bytes;
    assert!(segment(&fin).0.has(TcpFlags::FIN));
    host.receive(&tcp(peer, local, header(theirs, ours + 1, TcpFlags::FIN | TcpFlags::ACK), b""));
    assert_eq!(host.output_segment().ack, SeqNumber(theirs + 1));
    (theirs + 1, ours + 1)
}

fn host() -> (Host, SocketId) {
    let mut host = Host::new();
    let listener = host.stack.listen(at(LOCAL, 80), ListenOptions::default()).unwrap();
    (host, listener)
}

#[test]
fn an_entry_replaces_the_socket_and_lasts_2_msl() {
    let (mut host, listener) = host();
    waiting(&mut host, listener, at("10.0.0.2", 5_000));
    assert_eq!((host.stack.sockets.len(), host.stack.time_wait.len()), (1, 1));
    assert_eq!(host.stack.live_connections(), 0);
    host.wait(Duration::from_millis(59_900));
    assert_eq!(host.stack.time_wait.len(), 1);
    host.wait(Duration::from_millis(200));
    assert_eq!(host.stack.time_wait.len(), 0);
    assert_eq!(host.stack.poll_timeout(), None);
}

#[test]
fn a_repeated_fin_is_acknowledged_again_and_the_wait_starts_anew() {
    let (mut host, listener) = host();
    let peer = at("10.0.0.2", 5_000);
    let (theirs, ours) = waiting(&mut host, listener, peer);
    host.wait(Duration::from_secs(59));
    host.receive(&tcp(peer, at(LOCAL, 80), header(theirs - 1, ours, TcpFlags::FIN | TcpFlags::ACK), b""));
    let ack = host.output_segment();
    assert_eq!((ack.seq, ack.ack, ack.flags), (SeqNumber(ours), SeqNumber(theirs), TcpFlags::ACK));
    host.wait(Duration::from_secs(59));
    assert_eq!(host.stack.time_wait.len(), 1);
    host.wait(Duration::from_secs(2));
    assert_eq!(host.stack.time_wait.len(), 0);
}

#[test]
fn rfc_1337_a_reset_does_not_end_it() {
    let (mut host, listener) = host();
    let peer = at("10.0.0.2", 5_000);
    let (theirs, _) = waiting(&mut host, listener, peer);
    host.receive(&tcp(peer, at(LOCAL, 80), header(theirs, 0, TcpFlags::RST), b""));
    host.output_nothing();
    assert_eq!((host.stack.time_wait.len(), host.stack.counters().stack.time_wait_ignored), (1, 1));
}

#[test]
fn rfc_6191_a_newer_syn_takes_over_with_sequence_numbers_above_the_old() {
    let (mut host, listener) = host();
    let peer = at("10.0.0.2", 5_000);
    let (theirs, ours) = waiting(&mut host, listener, peer);
    let old_syn = header(theirs - 500, 0, TcpFlags::SYN);
    host.receive(&tcp(peer, at(LOCAL, 80), old_syn, b""));
    assert_eq!(host.output_segment().flags, TcpFlags::ACK, "an old duplicate");

    let new_syn = header(theirs + 500, 0, TcpFlags::SYN);
    host.receive(&tcp(peer, at(LOCAL, 80), new_syn, b""));
    let syn_ack = host.output_segment();
    assert_eq!(syn_ack.flags, TcpFlags::SYN | TcpFlags::ACK);
    assert!(syn_ack.seq.gt(SeqNumber(ours) + 65_535), "{:?} after {ours}", syn_ack.seq);
    assert_eq!((host.stack.time_wait.len(), host.stack.counters().stack.time_wait_reused), (0, 1));
    host.receive(&tcp(peer, at(LOCAL, 80), header(theirs + 501, (syn_ack.seq + 1).0, TcpFlags::ACK), b""));
    assert!(host.stack.accept(listener).is_ok());
}

#[test]
fn rfc_1122_4_2_2_13_a_syn_that_was_an_old_duplicate_after_all_leaves_time_wait_as_it_was() {
    let (mut host, listener) = host();
    let peer = at("10.0.0.2", 5_000);
    let (theirs, ours) = waiting(&mut host, listener, peer);
    host.wait(Duration::from_secs(10));
    host.receive(&tcp(peer, at(LOCAL, 80), header(theirs + 500, 0, TcpFlags::SYN), b""));
    host.output_segment();
    assert_eq!(host.stack.time_wait.len(), 0);
    host.receive(&tcp(peer, at(LOCAL, 80), header(theirs + 501, 0, TcpFlags::RST), b""));
    assert_eq!((host.stack.time_wait.len(), host.stack.half_open_connections()), (1, 0));
    // It still answers for the old connection, for as long as from the beginning.
    host.wait(Duration::from_secs(59));
    host.receive(&tcp(peer, at(LOCAL, 80), header(theirs - 1, ours, TcpFlags::FIN | TcpFlags::ACK), b""));
    assert_eq!(host.output_segment().seq, SeqNumber(ours));
    assert_eq!(host.stack.counters().stack.time_wait, 1);
}

#[test]
fn rfc_1122_4_2_2_13_a_handshake_that_makes_room_for_another_leaves_no_time_wait_behind() {
    let mut host = Host::new();
    let listener = host.stack.listen(at(LOCAL, 80), ListenOptions { backlog: 1, ..ListenOptions::default() });
    let listener = listener.unwrap();
    let peers = (0..1_025).map(|i| at("10.0.0.2", 5_000 + i));
    let all: Vec<_> = peers.map(|peer| (peer, waiting(&mut host, listener, peer).0)).collect();
    for &(peer, theirs) in &all {
        host.receive(&tcp(peer, at(LOCAL, 80), header(theirs + 500, 0, TcpFlags::SYN), b""));
        assert_eq!(host.output_segment().flags, TcpFlags::SYN | TcpFlags::ACK);
    }
    assert_eq!(host.stack.counters().stack.syn_queue_evicted, 1);
    assert_eq!((host.stack.half_open_connections(), host.stack.time_wait.len()), (1_024, 0));
}

#[test]
fn rfc_6191_2_a_handshake_that_is_completed_ends_time_wait_for_good() {
    let (mut host, listener) = host();
    let peer = at("10.0.0.2", 5_000);
    let (theirs, _) = waiting(&mut host, listener, peer);
    host.receive(&tcp(peer, at(LOCAL, 80), header(theirs + 500, 0, TcpFlags::SYN), b""));
    let ours = (host.output_segment().seq + 1).0;
    host.receive(&tcp(peer, at(LOCAL, 80), header(theirs + 501, ours, TcpFlags::ACK), b""));
    host.receive(&tcp(peer, at(LOCAL, 80), header(theirs + 501, 0, TcpFlags::RST), b""));
    assert_eq!(host.stack.time_wait.len(), 0);
}

#[test]
fn rfc_6191_2_without_timestamps_of_ours_those_of_a_syn_prove_nothing() {
    let mut host = Host::with(1, |config| config.tcp.timestamps = false);
    let listener = host.stack.listen(at(LOCAL, 80), ListenOptions::default()).unwrap();
    let peer = at("10.0.0.2", 5_000);
    let (theirs, _) = waiting(&mut host, listener, peer);
    let mut syn = header(theirs - 500, 0, TcpFlags::SYN);
    syn.options.timestamps = Some(crate::wire::Timestamps { value: 1, echo: 0 });
    host.receive(&tcp(peer, at(LOCAL, 80), syn, b""));
    assert_eq!(host.output_segment().flags, TcpFlags::ACK);
}

#[test]
fn a_newer_syn_when_nobody_listens_any_more_is_reset() {
    let (mut host, listener) = host();
    let peer = at("10.0.0.2", 5_000);
    let (theirs, _) = waiting(&mut host, listener, peer);
    host.stack.close(host.now, listener).unwrap();
    host.receive(&tcp(peer, at(LOCAL, 80), header(theirs + 500, 0, TcpFlags::SYN), b""));
    assert!(host.output_segment().has(TcpFlags::RST));
}

#[test]
fn at_the_limit_the_oldest_goes() {
    let mut host = Host::with(1, |config| config.max_time_wait = 3);
    let listener = host.stack.listen(at(LOCAL, 80), ListenOptions::default()).unwrap();
    for port in 5_000..5_005 {
        waiting(&mut host, listener, at("10.0.0.2", port));
        host.wait(Duration::from_millis(10));
    }
    assert_eq!((host.stack.time_wait.len(), host.stack.counters().stack.time_wait_evicted), (3, 2));
    host.receive(&tcp(at("10.0.0.2", 5_000), at(LOCAL, 80), header(1, 1, TcpFlags::ACK), b""));
    assert!(host.output_segment().has(TcpFlags::RST), "forgotten");
}

#[test]
fn without_room_for_any_entry_connections_still_close() {
    let mut host = Host::with(1, |config| config.max_time_wait = 0);
    let listener = host.stack.listen(at(LOCAL, 80), ListenOptions::default()).unwrap();
    waiting(&mut host, listener, at("10.0.0.2", 5_000));
    assert_eq!((host.stack.time_wait.len(), host.stack.sockets.len()), (0, 1));
}

#[test]
fn what_was_received_stays_readable() {
    let mut pair = Pair::new();
    let listener = pair.server.stack.listen(at(LOCAL, 80), ListenOptions::default()).unwrap();
    let (c, s) = pair.connect(listener);
    pair.client.stack.shutdown(c, std::net::Shutdown::Write).unwrap();
    pair.exchange();
    pair.server.stack.write(s, b"the last of it").unwrap();
    pair.server.stack.close(pair.server.now, s).unwrap();
    pair.exchange();
    assert_eq!(pair.client.stack.time_wait.len(), 1);
    assert_eq!(pair.client.read_all(c), b"the last of it");
    assert_eq!(pair.client.stack.sockets.len(), 1, "until it is closed");
    pair.client.stack.close(pair.client.now, c).unwrap();
    assert_eq!((pair.client.stack.sockets.len(), pair.client.stack.time_wait.len()), (0, 1));
}

#[test]
fn our_own_connect_waits_a_second_before_it_takes_over() {
    let mut pair = Pair::new();
    let (remote, local) = (at(LOCAL, 80), Some(at("10.0.0.2", 6_000)));
    let listener = pair.server.stack.listen(remote, ListenOptions::default()).unwrap();
    let c = pair.client.stack.connect(pair.client.now, remote, local, None).unwrap();
    pair.exchange();
    let (s, _) = pair.server.stack.accept(listener).unwrap();
    let in_use = pair.client.stack.connect(pair.client.now, remote, local, None);
    assert_eq!(in_use, Err(Error::AddrInUse), "alive");
    pair.client.stack.close(pair.client.now, c).unwrap();
    pair.exchange();
    pair.server.stack.close(pair.server.now, s).unwrap();
    pair.exchange();
    assert_eq!(pair.client.stack.time_wait.len(), 1);
    assert_eq!(pair.client.stack.connect(pair.client.now, remote, local, None), Err(Error::AddrInUse));
    pair.wait(Duration::from_secs(1));
    let again = pair.client.stack.connect(pair.client.now, remote, local, None).unwrap();
    pair.exchange();
    assert!(pair.client.stack.readiness(again).unwrap().connected);
    assert_eq!(pair.client.stack.counters().stack.time_wait_reused, 1);
}
