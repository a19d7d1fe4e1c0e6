//! TCP Fast Open (RFC 7413): what a listener takes, what a client remembers, and both together.

use super::*;
use crate::stack::socket::Known;
use crate::stack::{Error, ListenOptions};
use crate::tcp::State;
use crate::wire::FastOpenCookie;

const SYN: TcpFlags = TcpFlags::SYN;
const ACK: TcpFlags = TcpFlags::ACK;
const RST: TcpFlags = TcpFlags::RST;

fn listening(fast_open: usize) -> (Host, SocketId) {
    let mut host = Host::new();
    let options = ListenOptions { fast_open, ..ListenOptions::default() };
    let listener = host.stack.listen(at("10.0.0.1", 80), options).unwrap();
    (host, listener)
}

fn local() -> SocketAddr {
    at("10.0.0.1", 80)
}

fn peer(port: u16) -> SocketAddr {
    at("10.0.0.2", port)
}

/// A SYN with this option and data, and what answers it.
#[track_caller]
fn send_syn(host: &mut Host, from: SocketAddr, cookie: FastOpenCookie, data: &[u8]) -> TcpHeader {
    let mut syn = header(1_000, 0, SYN);
    syn.options.fast_open = Some(cookie);
    host.receive(&tcp(from, local(), syn, data));
    let answer = host.output_segment();
    assert_eq!(answer.flags, SYN | ACK);
    answer
}

/// The cookie that the host has for a peer.
#[track_caller]
fn ask(host: &mut Host) -> FastOpenCookie {
    let answer = send_syn(host, peer(4_999), FastOpenCookie::REQUEST, b"");
    answer.options.fast_open.expect("a cookie")
}

#[test]
fn rfc_7413_4_2_from_the_second_connection_on_data_arrives_with_the_syn() {
    for (ours, theirs) in FAMILIES {
        let mut pair = Pair::new();
        let remote = at(ours, 80);
        let options = ListenOptions { fast_open: 8, ..ListenOptions::default() };
        let listener = pair.server.stack.listen(remote, options).unwrap();
        for (round, fast) in [(0, false), (1, true), (2, true)] {
            let now = pair.client.now;
            let local = Some(at(theirs, 0));
            let (client, taken) =
                pair.client.stack.connect_with_data(now, remote, local, None, b"request").unwrap();
            assert_eq!(taken, 7);
            let syn = pair.client.output().remove(0);
            pair.server.receive_packet(&syn);
            if fast {
                let (server, _) = pair.server.stack.accept(listener).unwrap();
                assert_eq!(pair.server.read_all(server), b"request", "half a round trip after its beginning");
                pair.server.stack.write(server, b"answer").unwrap();
                assert_eq!(pair.server.stack.info(server).unwrap().state, State::SynReceived);
                for packet in pair.server.output() {
                    pair.client.receive_packet(&packet);
                }
                assert_eq!(pair.client.read_all(client), b"answer", "a whole one");
                pair.exchange();
                assert_eq!(pair.server.stack.info(server).unwrap().state, State::Established);
            } else {
                pair.exchange();
                let (server, _) = pair.server.stack.accept(listener).unwrap();
                assert_eq!(pair.server.read_all(server), b"request");
            }
            assert_eq!(pair.client.stack.info(client).unwrap().fast_open, fast, "round {round}");
        }
        let (client, server) = (pair.client.stack.counters(), pair.server.stack.counters());
        assert_eq!((client.tcp.fast_open_active, server.tcp.fast_open_passive), (2, 2));
        assert_eq!(server.stack.fast_open_cookies_sent, 1);
    }
}

#[test]
fn rfc_7413_4_2_2_a_listener_that_does_not_take_part_gives_no_cookie_and_takes_no_data() {
    let (mut host, listener) = listening(0);
    let answer = send_syn(&mut host, peer(1), FastOpenCookie::REQUEST, b"request");
    assert_eq!((answer.ack, answer.options.fast_open), (SeqNumber(1_001), None));
    assert_eq!(host.stack.accept(listener), Err(Error::WouldBlock));
    host.stack.set_fast_open(listener, 1).unwrap();
    ask(&mut host);
}

#[test]
fn rfc_7413_4_1_2_a_wrong_cookie_draws_the_right_one_and_the_data_is_left() {
    let (mut host, listener) = listening(8);
    let right = ask(&mut host);
    let answer = send_syn(&mut host, peer(2), FastOpenCookie::new(&[0; 8]).unwrap(), b"request");
    assert_eq!((answer.ack, answer.options.fast_open), (SeqNumber(1_001), Some(right)));
    assert_eq!(host.stack.counters().stack.fast_open_cookies_invalid, 1);
    assert_eq!(host.stack.accept(listener), Err(Error::WouldBlock));
    // Somebody else's is as wrong.
    let mut syn = header(1_000, 0, SYN);
    syn.options.fast_open = Some(right);
    host.receive(&tcp(at("10.0.0.3", 2), local(), syn, b"request"));
    assert_eq!(host.output_segment().ack, SeqNumber(1_001));
}

#[test]
fn rfc_7413_4_1_2_an_old_cookie_is_good_for_a_while_and_draws_a_newer_one() {
    let (mut host, listener) = listening(8);
    let old = ask(&mut host);
    host.wait(Duration::from_secs(5 * 3600));
    let answer = send_syn(&mut host, peer(2), old, b"request");
    assert_eq!(answer.ack, SeqNumber(1_008));
    let newer = answer.options.fast_open.expect("a newer cookie");
    assert_ne!(newer, old);
    assert!(host.stack.accept(listener).is_ok());
    let answer = send_syn(&mut host, peer(3), newer, b"request");
    assert_eq!((answer.ack, answer.options.fast_open), (SeqNumber(1_008), None));
}

#[test]
fn rfc_7413_4_2_2_a_valid_cookie_without_data_lets_the_server_speak_first() {
    let (mut host, listener) = listening(8);
    let cookie = ask(&mut host);
    let answer = send_syn(&mut host, peer(2), cookie, b"");
    let (id, _) = host.stack.accept(listener).unwrap();
    host.stack.write(id, b"220 ready").unwrap();
    let banner = host.output_segment();
    assert_eq!((banner.seq, banner.ack), (answer.seq + 1, SeqNumber(1_001)));
    assert_eq!(host.stack.counters().tcp.fast_open_passive, 0, "no data was taken");
}

#[test]
fn rfc_7413_5_1_no_more_than_the_limit_wait_for_their_peers_first_acknowledgment() {
    let (mut host, listener) = listening(2);
    let cookie = ask(&mut host);
    let first = send_syn(&mut host, peer(1), cookie, b"request");
    send_syn(&mut host, peer(2), cookie, b"request");
    let third = send_syn(&mut host, peer(3), cookie, b"request");
    assert_eq!((third.ack, third.options.fast_open), (SeqNumber(1_001), None), "the usual handshake");
    assert_eq!(host.stack.counters().stack.fast_open_queue_full, 1);

    host.receive(&tcp(peer(1), local(), header(1_008, (first.seq + 1).0, ACK), b""));
    assert_eq!(send_syn(&mut host, peer(4), cookie, b"request").ack, SeqNumber(1_008), "one is confirmed");
    assert_eq!(host.stack.accept(listener).unwrap().1, peer(1));
}

#[test]
fn rfc_7413_5_1_a_reset_makes_no_room_before_its_handshake_would_have_timed_out() {
    let (mut host, listener) = listening(1);
    let cookie = ask(&mut host);
    send_syn(&mut host, peer(1), cookie, b"request");
    host.receive(&tcp(peer(1), local(), header(1_008, 0, RST), b""));
    let (id, _) = host.stack.accept(listener).unwrap();
    assert_eq!(host.read_all(id), b"request");
    assert_eq!(host.stack.error(id), Ok(Some(Error::ConnectionReset)));
    assert_eq!(send_syn(&mut host, peer(2), cookie, b"request").ack, SeqNumber(1_001));
    host.wait(Duration::from_secs(63));
    assert_eq!(send_syn(&mut host, peer(3), cookie, b"request").ack, SeqNumber(1_008));
}

#[test]
fn a_pending_fast_open_that_is_miscounted_breaks_an_invariant() {
    let (mut host, _) = listening(1);
    let cookie = ask(&mut host);
    send_syn(&mut host, peer(1), cookie, b"request");
    assert_eq!(host.stack.check_invariants(), Ok(()));
    let (index, _) = host.stack.sockets.iter().find(|(_, entry)| entry.progress.is(Known::FastOpen)).unwrap();
    host.stack.sockets.at_mut(index).unwrap().progress.unset(Known::FastOpen);
    assert!(host.stack.check_invariants().is_err());
}

/// However it ends: the SYN that has opened it, what ends it, and what the application hears.
#[test]
fn rfc_7413_5_1_nothing_but_time_makes_room_of_a_handshake_that_nobody_confirmed() {
    const FIN: TcpFlags = TcpFlags::FIN;
    type End = fn(&mut Host, SocketId);
    let reset: End = |host, _| host.receive(&tcp(peer(1), local(), header(1_009, 0, RST), b""));
    let close_and_reset: End = |host, id| {
        host.stack.close(host.now, id).unwrap();
        host.output();
        host.receive(&tcp(peer(1), local(), header(1_009, 0, RST), b""));
    };
    let abort: End = |host, id| host.stack.abort(id).unwrap();
    for (flags, end) in [(SYN | FIN, reset), (SYN | FIN, close_and_reset), (SYN, abort)] {
        let (mut host, listener) = listening(1);
        let cookie = ask(&mut host);
        let mut syn = header(1_000, 0, flags);
        syn.options.fast_open = Some(cookie);
        host.receive(&tcp(peer(1), local(), syn, b"request"));
        host.output();
        let (id, _) = host.stack.accept(listener).unwrap();
        assert_eq!(host.read_all(id), b"request");
        end(&mut host, id);
        host.output();
        assert_eq!(host.stack.live_connections(), 0);
        assert_eq!(send_syn(&mut host, peer(2), cookie, b"request").ack, SeqNumber(1_001));
        host.wait(Duration::from_secs(63));
        assert_eq!(send_syn(&mut host, peer(3), cookie, b"request").ack, SeqNumber(1_008));
    }
}

#[test]
fn one_that_nobody_confirms_times_out_and_makes_room() {
    let (mut host, listener) = listening(1);
    let cookie = ask(&mut host);
    send_syn(&mut host, peer(1), cookie, b"request");
    host.wait(Duration::from_secs(130));
    let (id, _) = host.stack.accept(listener).unwrap();
    assert_eq!(host.stack.error(id), Ok(Some(Error::TimedOut)));
    assert_eq!(send_syn(&mut host, peer(2), cookie, b"request").ack, SeqNumber(1_008));
}

#[test]
fn rfc_7413_5_1_with_a_full_syn_queue_there_are_syn_cookies_and_no_fast_open() {
    let mut host = Host::new();
    let options = ListenOptions { fast_open: 8, ..ListenOptions::default() };
    let listener = host.stack.listen(local(), options).unwrap();
    let cookie = ask(&mut host);
    for port in 10_000..11_024 {
        host.receive(&tcp(peer(port), local(), header(1, 0, SYN), b""));
        host.output();
    }
    let answer = send_syn(&mut host, peer(1), cookie, b"request");
    assert_eq!((answer.ack, answer.options.fast_open), (SeqNumber(1_001), None));
    assert_eq!(host.stack.counters().stack.cookies_sent, 2, "one was for the last of the flood");
    assert_eq!(host.stack.accept(listener), Err(Error::WouldBlock));
}

#[test]
fn a_full_accept_queue_drops_the_syn_whatever_its_cookie() {
    let mut host = Host::new();
    let options = ListenOptions { fast_open: 8, backlog: 1, ..ListenOptions::default() };
    host.stack.listen(local(), options).unwrap();
    let cookie = ask(&mut host);
    send_syn(&mut host, peer(1), cookie, b"request");
    let mut syn = header(1_000, 0, SYN);
    syn.options.fast_open = Some(cookie);
    host.receive(&tcp(peer(2), local(), syn, b"request"));
    host.output_nothing();
    assert_eq!(host.stack.counters().stack.accept_queue_full_syn, 1);
}

#[test]
fn closing_the_listener_resets_what_nobody_has_accepted() {
    let (mut host, listener) = listening(8);
    let cookie = ask(&mut host);
    host.wait(Duration::from_secs(130));
    send_syn(&mut host, peer(1), cookie, b"request");
    host.stack.close(host.now, listener).unwrap();
    assert_eq!(host.output_segment().flags, RST | ACK);
    assert_eq!(host.stack.open_sockets(), 0);
}

/// A path that drops SYNs with an option that it does not know.
#[test]
fn rfc_7413_4_1_3_1_where_syns_with_the_option_are_lost_the_next_connections_go_without() {
    let mut pair = Pair::new();
    let remote = at("10.0.0.1", 80);
    let options = ListenOptions { fast_open: 8, ..ListenOptions::default() };
    pair.server.stack.listen(remote, options).unwrap();
    let has_option = |packet: &Packet| segment(&packet.bytes).0.options.fast_open.is_some();
    let connect = |pair: &mut Pair| {
        let now = pair.client.now;
        pair.client.stack.connect_with_data(now, remote, None, None, b"request").unwrap().0
    };

    connect(&mut pair);
    assert!(has_option(&pair.client.output()[0]));
    pair.wait(Duration::from_secs(1)); // the SYN is sent again, without it
    connect(&mut pair);
    assert!(!has_option(&pair.client.output()[0]));
    pair.wait(Duration::from_secs(599));
    connect(&mut pair);
    assert!(!has_option(&pair.client.output()[0]));
    pair.wait(Duration::from_secs(1));
    connect(&mut pair);
    assert!(has_option(&pair.client.output()[0]), "ten minutes later it may be another path");
}

/// A server that is gone, or behind a path that drops every SYN once it has seen one with data.
#[test]
fn rfc_7413_4_1_3_1_after_a_silence_the_next_connection_goes_without() {
    let mut pair = Pair::new();
    let remote = at("10.0.0.1", 80);
    let options = ListenOptions { fast_open: 8, ..ListenOptions::default() };
    pair.server.stack.listen(remote, options).unwrap();
    let connect = |pair: &mut Pair| {
        let now = pair.client.now;
        pair.client.stack.connect_with_data(now, remote, None, None, b"request").unwrap().0
    };
    let first_syn = |pair: &mut Pair| {
        let syn = pair.client.output().remove(0).bytes;
        let (header, data) = segment(&syn);
        (header.options.fast_open.is_some(), data.len())
    };
    connect(&mut pair);
    pair.exchange();
    let id = connect(&mut pair);
    assert_eq!(first_syn(&mut pair), (true, 7), "a cookie is known");
    pair.client.wait(Duration::from_secs(300));
    assert_eq!(pair.client.stack.error(id), Ok(Some(Error::TimedOut)));
    connect(&mut pair);
    assert_eq!(first_syn(&mut pair), (false, 0));
}

#[test]
fn rfc_6191_data_on_a_syn_may_take_over_an_entry_in_time_wait() {
    let (mut host, listener) = listening(8);
    let cookie = ask(&mut host);
    let (theirs, ours) = shake_hands(&mut host, peer(1), local());
    let (id, _) = host.stack.accept(listener).unwrap();
    host.stack.close(host.now, id).unwrap();
    host.output();
    host.receive(&tcp(peer(1), local(), header(theirs, ours + 1, TcpFlags::FIN | ACK), b""));
    host.output();
    assert_eq!(host.stack.time_wait_connections(), 1);
    let mut syn = header(theirs + 500, 0, SYN);
    syn.options.fast_open = Some(cookie);
    host.receive(&tcp(peer(1), local(), syn, b"again"));
    assert_eq!(host.output_segment().ack, SeqNumber(theirs + 506));
    let (id, _) = host.stack.accept(listener).unwrap();
    assert_eq!(host.read_all(id), b"again");
    assert_eq!(host.stack.time_wait_connections(), 0);
}
