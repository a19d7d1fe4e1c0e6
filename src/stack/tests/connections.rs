//! Connections between two stacks, from the first SYN to the last ACK.

use std::net::Shutdown;

use super::*;
use crate::stack::{Error, KeepAlive, ListenOptions, SocketOptions};
use crate::tcp::State;

fn state(host: &Host, id: SocketId) -> State {
    host.stack.info(id).unwrap().state
}

#[test]
fn both_families_connect_exchange_and_close() {
    for (server, client) in FAMILIES {
        let mut pair = Pair::new();
        let listener = pair.server.stack.listen(at(server, 80), ListenOptions::default()).unwrap();
        let (c, s) = pair.connect(listener);
        assert_eq!(pair.client.stack.remote_addr(c), Ok(at(server, 80)));
        assert_eq!(pair.server.stack.local_addr(s), Ok(at(server, 80)));
        assert_eq!(pair.client.stack.local_addr(c).unwrap().ip(), ip(client));

        assert_eq!(pair.client.stack.write(c, b"question"), Ok(8));
        pair.exchange();
        assert_eq!(pair.server.read_all(s), b"question");
        assert_eq!(pair.server.stack.write(s, b"answer"), Ok(6));
        pair.server.stack.close(pair.server.now, s).unwrap();
        pair.exchange();
        assert_eq!(pair.client.read_all(c), b"answer");
        assert_eq!(pair.client.stack.read(c, &mut [0; 9]), Ok(0), "end of stream");
        assert_eq!(state(&pair.client, c), State::CloseWait);

        pair.client.stack.close(pair.client.now, c).unwrap();
        pair.exchange();
        assert_eq!((pair.client.stack.live_connections(), pair.server.stack.live_connections()), (0, 0));
        assert_eq!(pair.client.stack.sockets.len(), 0, "the side that closed last keeps nothing");
        assert_eq!(pair.server.stack.time_wait.len(), 1, "the side that closed first waits");
        assert_eq!(pair.server.stack.sockets.len(), 1, "its listener");
    }
}

#[test]
fn a_megabyte_each_way_at_once() {
    let mut pair = Pair::new();
    let listener = pair.server.stack.listen(at("10.0.0.1", 80), ListenOptions::default()).unwrap();
    let (c, s) = pair.connect(listener);
    let data: Vec<u8> = (0..1 << 20).map(|i: u32| (i % 251) as u8).collect();
    let (mut sent, mut got) = ([0; 2], [Vec::new(), Vec::new()]);
    for _ in 0..10_000 {
        for (i, (host, id)) in [(&mut pair.client, c), (&mut pair.server, s)].into_iter().enumerate() {
            if let Ok(count) = host.stack.write(id, &data[sent[i]..]) {
                sent[i] += count;
            }
            got[i].extend(host.read_all(id));
        }
        pair.wait(Duration::from_millis(1));
        if got.iter().all(|bytes| bytes.len() == data.len()) {
            break;
        }
    }
    assert!(got[0] == data && got[1] == data, "{} and {} bytes", got[0].len(), got[1].len());
}

#[test]
fn rfc_9293_3_5_simultaneous_open() {
    let mut pair = Pair::new();
    let (one, other) = (at("10.0.0.1", 7_001), at("10.0.0.2", 7_002));
    let s = pair.server.stack.connect(pair.server.now, other, Some(one), None).unwrap();
    let c = pair.client.stack.connect(pair.client.now, one, Some(other), None).unwrap();
    pair.exchange();
    assert_eq!((state(&pair.client, c), state(&pair.server, s)), (State::Established, State::Established));
    pair.client.stack.write(c, b"hello").unwrap();
    pair.exchange();
    assert_eq!(pair.server.read_all(s), b"hello");
}

#[test]
fn half_close_leaves_the_other_direction_open() {
    let mut pair = Pair::new();
    let listener = pair.server.stack.listen(at("fd00::1", 80), ListenOptions::default()).unwrap();
    let (c, s) = pair.connect(listener);
    pair.client.stack.write(c, b"all I have").unwrap();
    pair.client.stack.shutdown(c, Shutdown::Write).unwrap();
    assert_eq!(pair.client.stack.write(c, b"more"), Err(Error::BrokenPipe));
    pair.exchange();
    assert_eq!(pair.server.read_all(s), b"all I have");
    assert_eq!(pair.server.stack.read(s, &mut [0; 9]), Ok(0));
    pair.server.stack.write(s, b"thanks").unwrap();
    pair.exchange();
    assert_eq!(pair.client.read_all(c), b"thanks");
    assert_eq!(state(&pair.client, c), State::FinWait2);
}

#[test]
fn a_refused_connection_says_so() {
    let mut pair = Pair::new();
    let c = pair.client.stack.connect(pair.client.now, at("10.0.0.1", 81), None, None).unwrap();
    pair.exchange();
    let events = pair.client.events();
    assert!(matches!(events[..], [Event { socket, kinds }] if socket == c && kinds.failed && kinds.closed));
    assert_eq!(pair.client.stack.error(c), Ok(Some(Error::ConnectionRefused)));
    assert_eq!(pair.client.stack.live_connections(), 0);
    pair.client.stack.close(pair.client.now, c).unwrap();
    assert_eq!(pair.client.stack.sockets.len(), 0);
}

#[test]
fn nobody_answers() {
    let mut host = Host::new();
    let id = host.stack.connect(host.now, at("10.0.0.2", 80), None, None).unwrap();
    assert!(host.output_segment().has(TcpFlags::SYN));
    let again = host.wait(Duration::from_secs(200));
    assert_eq!(again.len(), 6, "syn_retries");
    assert_eq!(host.stack.error(id), Ok(Some(Error::TimedOut)));
    assert_eq!(host.stack.poll_timeout(), None);
}

#[test]
fn abort_resets_the_peer_and_keeps_the_id() {
    let mut pair = Pair::new();
    let listener = pair.server.stack.listen(at("10.0.0.1", 80), ListenOptions::default()).unwrap();
    let (c, s) = pair.connect(listener);
    pair.client.stack.abort(c).unwrap();
    pair.exchange();
    assert_eq!(pair.client.stack.read(c, &mut [0; 9]), Err(Error::ConnectionAborted));
    assert_eq!(pair.server.stack.read(s, &mut [0; 9]), Err(Error::ConnectionReset));
    assert_eq!(pair.server.stack.live_connections(), 0);
    for (host, id) in [(&mut pair.client, c), (&mut pair.server, s)] {
        host.stack.close(host.now, id).unwrap();
        assert_eq!(host.stack.read(id, &mut [0; 9]), Err(Error::StaleSocket));
    }
    assert_eq!(pair.client.stack.sockets.len(), 0);
}

#[test]
fn abort_all_ends_orphans_and_listeners_too() {
    let mut pair = Pair::new();
    let listener = pair.server.stack.listen(at("10.0.0.1", 80), ListenOptions::default()).unwrap();
    let (_, orphan) = pair.connect(listener);
    let (c, held) = pair.connect(listener);
    pair.server.stack.close(pair.server.now, orphan).unwrap();
    pair.server.stack.abort_all();
    pair.exchange();
    assert_eq!(pair.server.stack.live_connections(), 0);
    assert_eq!(pair.client.stack.error(c), Ok(Some(Error::ConnectionReset)));
    assert_eq!(pair.server.stack.error(held), Ok(Some(Error::ConnectionAborted)));
    assert_eq!(pair.server.stack.accept(listener), Err(Error::StaleSocket));
}

#[test]
fn an_orphan_that_has_delivered_everything_does_not_count_and_is_not_reset() {
    let mut pair = Pair::new();
    let listener = pair.server.stack.listen(at("10.0.0.1", 80), ListenOptions::default()).unwrap();
    let (c, s) = pair.connect(listener);
    pair.client.stack.write(c, b"the last words").unwrap();
    pair.client.stack.close(pair.client.now, c).unwrap();
    assert_eq!(pair.client.stack.live_connections(), 1, "nothing has arrived yet");
    pair.exchange();
    assert_eq!(pair.client.stack.live_connections(), 0, "FIN-WAIT-2");
    pair.client.stack.abort_all();
    pair.exchange();
    assert_eq!(pair.server.read_all(s), b"the last words");
    pair.server.stack.close(pair.server.now, s).unwrap();
    pair.exchange();
    assert_eq!((pair.client.stack.live_connections(), pair.server.stack.live_connections()), (0, 0));
    pair.client.stack.check_invariants().unwrap();
}

#[test]
fn rfc_2525_2_17_close_with_unread_data_resets() {
    let mut pair = Pair::new();
    let listener = pair.server.stack.listen(at("10.0.0.1", 80), ListenOptions::default()).unwrap();
    let (c, s) = pair.connect(listener);
    pair.client.stack.write(c, b"nobody reads this").unwrap();
    pair.exchange();
    pair.server.stack.close(pair.server.now, s).unwrap();
    pair.exchange();
    assert_eq!(pair.client.stack.error(c), Ok(Some(Error::ConnectionReset)));
}

#[test]
fn a_vanished_peer_is_found_by_keep_alive() {
    let mut pair = Pair::new();
    let listener = pair.server.stack.listen(at("10.0.0.1", 80), ListenOptions::default()).unwrap();
    let (_, s) = pair.connect(listener);
    let (idle, interval) = (Duration::from_secs(10), Duration::from_secs(2));
    let keep_alive = Some(KeepAlive { idle, interval, count: 3 });
    pair.server.stack.set_options(s, SocketOptions { keep_alive, ..SocketOptions::default() }).unwrap();
    pair.server.output_nothing();
    let probes = pair.server.wait(Duration::from_secs(60));
    assert_eq!(pair.server.stack.error(s), Ok(Some(Error::TimedOut)));
    assert_eq!(probes.len(), 4, "three probes and the reset");
}

#[test]
fn options_are_the_sockets_own() {
    let mut pair = Pair::new();
    let nodelay = SocketOptions { nodelay: true, ..SocketOptions::default() };
    let options = ListenOptions { socket: Some(nodelay.clone()), ..ListenOptions::default() };
    let listener = pair.server.stack.listen(at("10.0.0.1", 80), options).unwrap();
    let (c, s) = pair.connect(listener);
    assert_eq!(pair.server.stack.options(s), Ok(nodelay.clone()));
    assert!(!pair.client.stack.options(c).unwrap().nodelay);
    pair.client.stack.set_options(c, nodelay.clone()).unwrap();
    assert_eq!(pair.client.stack.options(c), Ok(nodelay));
}

#[test]
fn chunks_pass_without_a_copy() {
    let mut pair = Pair::new();
    let listener = pair.server.stack.listen(at("10.0.0.1", 80), ListenOptions::default()).unwrap();
    let (c, s) = pair.connect(listener);
    pair.client.stack.write_chunk(c, Chunk::copy_of(&[7; 5_000])).unwrap();
    pair.exchange();
    let mut total = 0;
    while let Ok(Some(chunk)) = pair.server.stack.read_chunk(s) {
        assert!(chunk.iter().all(|byte| *byte == 7));
        total += chunk.len();
    }
    assert_eq!(total, 5_000);
    let (error, chunk) = pair.server.stack.write_chunk(listener, Chunk::copy_of(b"back")).unwrap_err();
    assert_eq!(error, Error::InvalidInput);
    assert_eq!(&chunk[..], b"back");
}

#[test]
fn calls_that_do_not_fit_the_socket() {
    let mut host = Host::new();
    let listener = host.stack.listen(at("10.0.0.1", 80), ListenOptions::default()).unwrap();
    assert_eq!(host.stack.read(listener, &mut [0; 1]), Err(Error::InvalidInput));
    assert_eq!(host.stack.remote_addr(listener), Err(Error::NotConnected));
    assert_eq!(host.stack.accept(listener), Err(Error::WouldBlock));
    assert_eq!(host.stack.abort(listener), Err(Error::InvalidInput));
    let udp = host.stack.udp_bind(at("10.0.0.1", 80)).unwrap();
    assert_eq!(host.stack.accept(udp), Err(Error::InvalidInput));
    assert!(host.stack.info(udp).is_err() && host.stack.options(udp).is_err());
}

#[test]
fn remote_ends_that_no_connection_can_have() {
    let mut host = Host::new();
    let mut connect = |remote: SocketAddr| host.stack.connect(host.now, remote, None, None).unwrap_err();
    assert_eq!(connect(at("10.0.0.2", 0)), Error::InvalidInput);
    assert_eq!(connect(at("224.0.0.1", 80)), Error::InvalidInput);
    assert_eq!(connect(at("10.0.0.255", 80)), Error::InvalidInput);
    assert_eq!(connect(at("0.0.0.0", 80)), Error::InvalidInput);
    assert_eq!(connect(at("127.0.0.1", 80)), Error::NetworkUnreachable);
    let local = Some(at("10.0.0.9", 0));
    let error = host.stack.connect(host.now, at("10.0.0.2", 80), local, None);
    assert_eq!(error, Err(Error::AddrNotAvailable));
}
