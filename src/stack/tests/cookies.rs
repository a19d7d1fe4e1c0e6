//! SYN cookies: handshakes while the SYN queue is full (RFC 4987 3.6).

use super::*;
use crate::stack::{Error, ListenOptions};
use crate::wire::{TcpOptions, Timestamps};

const LOCAL: &str = "10.0.0.1";

fn server() -> SocketAddr {
    at(LOCAL, 80)
}

fn client() -> SocketAddr {
    at("10.0.0.2", 5_000)
}

/// A listener whose SYN queue a flood has filled.
fn flooded_with(change: impl FnOnce(&mut Config)) -> (Host, SocketId) {
    let mut host = Host::with(1, change);
    let listener = host.stack.listen(server(), ListenOptions::default()).unwrap();
    flood(&mut host, 1_024);
    assert_eq!(host.stack.counters().stack.cookies_sent, 0, "there was room");
    (host, listener)
}

fn flooded() -> (Host, SocketId) {
    flooded_with(|_| {})
}

fn flood(host: &mut Host, count: u32) {
    for n in 0..count {
        let from = SocketAddr::new(IpAddr::from([10, 7, (n >> 8) as u8, n as u8]), 1_000);
        host.receive(&tcp(from, server(), header(n, 0, TcpFlags::SYN), b""));
        host.output();
    }
}

/// What a client's SYN may offer.
fn rich() -> TcpOptions {
    TcpOptions {
        mss: Some(1_400),
        window_scale: Some(9),
        sack_permitted: true,
        timestamps: Some(Timestamps { value: 70_000, echo: 0 }),
        ..TcpOptions::default()
    }
}

/// Sends a client's SYN; the SYN-ACK, and the ACK that ends the handshake.
#[track_caller]
fn shake(host: &mut Host, options: TcpOptions, flags: TcpFlags) -> (TcpHeader, TcpHeader) {
    let syn = TcpHeader { options, ..header(1_000, 0, TcpFlags::SYN | flags) };
    host.receive(&tcp(client(), server(), syn, b""));
    let syn_ack = host.output_segment();
    assert!(syn_ack.has(TcpFlags::SYN | TcpFlags::ACK));
    assert_eq!(syn_ack.ack, SeqNumber(1_001));
    let echo = |sent: Timestamps| Timestamps { value: 70_001, echo: sent.value };
    let options = TcpOptions { timestamps: syn_ack.options.timestamps.map(echo), ..TcpOptions::default() };
    (syn_ack, TcpHeader { options, ..header(1_001, (syn_ack.seq + 1).0, TcpFlags::ACK) })
}

#[test]
fn rfc_4987_3_6_a_full_syn_queue_answers_without_remembering_and_the_ack_completes() {
    let (mut host, listener) = flooded();
    let (_, ack) = shake(&mut host, TcpOptions::default(), TcpFlags::default());
    assert_eq!(host.stack.half_open.len(), 1_024, "nothing was added, nobody dropped");
    host.receive(&tcp(client(), server(), ack, b"and data"));
    let (id, from) = host.stack.accept(listener).unwrap();
    assert_eq!((from, host.read_all(id)), (client(), b"and data".to_vec()));
    let counters = host.stack.counters().stack;
    assert_eq!((counters.cookies_sent, counters.cookies_accepted, counters.cookies_invalid), (1, 1, 0));
}

#[test]
fn rfc_4987_3_6_options_survive_in_the_timestamp() {
    let (mut host, listener) = flooded();
    let (syn_ack, ack) = shake(&mut host, rich(), TcpFlags::ECE | TcpFlags::CWR);
    assert!(
        syn_ack.options.window_scale.is_some()
            && syn_ack.options.sack_permitted
            && syn_ack.has(TcpFlags::ECE)
    );
    host.receive(&tcp(client(), server(), ack, b""));
    let (id, _) = host.stack.accept(listener).unwrap();
    let info = host.stack.info(id).unwrap();
    assert_eq!(info.snd_mss, 1_380 - 12, "rounded down, less the timestamps");
    assert_eq!(info.snd_wnd, 64_000 << 9);
    assert!(info.sack && info.timestamps);

    host.stack.write(id, b"hello").unwrap();
    let data = host.output_segment();
    assert_eq!(data.options.timestamps.unwrap().echo, 70_001);
}

#[test]
fn rfc_4987_3_6_without_timestamps_there_is_nowhere_to_keep_the_other_options() {
    let (mut host, listener) = flooded();
    let (syn_ack, ack) =
        shake(&mut host, TcpOptions { timestamps: None, ..rich() }, TcpFlags::ECE | TcpFlags::CWR);
    assert_eq!(syn_ack.options, TcpOptions { mss: Some(1_460), ..TcpOptions::default() });
    assert!(!syn_ack.has(TcpFlags::ECE));
    host.receive(&tcp(client(), server(), ack, b""));
    let (id, _) = host.stack.accept(listener).unwrap();
    let info = host.stack.info(id).unwrap();
    assert_eq!((info.snd_mss, info.snd_wnd, info.sack), (1_380, 64_000, false));
}

#[test]
fn a_stack_without_timestamps_takes_none_from_a_cookie() {
    let (mut host, listener) = flooded_with(|config| config.tcp.timestamps = false);
    let (syn_ack, ack) = shake(&mut host, rich(), TcpFlags::default());
    assert_eq!(syn_ack.options, TcpOptions { mss: Some(1_460), ..TcpOptions::default() });
    let forged = Some(Timestamps { value: 1, echo: 0x3f });
    let ack = TcpHeader { options: TcpOptions { timestamps: forged, ..ack.options }, ..ack };
    host.receive(&tcp(client(), server(), ack, b""));
    let (id, _) = host.stack.accept(listener).unwrap();
    assert!(!host.stack.info(id).unwrap().timestamps);
}

#[test]
fn a_stack_without_ecn_takes_none_from_a_cookie() {
    let (mut host, listener) = flooded_with(|config| config.tcp.ecn = crate::tcp::EcnMode::Off);
    let (syn_ack, mut ack) = shake(&mut host, rich(), TcpFlags::ECE | TcpFlags::CWR);
    assert!(!syn_ack.has(TcpFlags::ECE));
    let all = |echoed: Timestamps| Timestamps { echo: echoed.echo | 0x3f, ..echoed };
    ack.options.timestamps = ack.options.timestamps.map(all);
    host.receive(&tcp(client(), server(), ack, b""));
    let (id, _) = host.stack.accept(listener).unwrap();
    let info = host.stack.info(id).unwrap();
    assert!(info.sack && !info.ecn);
}

/// The echo is up to 127 ms older than the SYN-ACK.
#[test]
fn a_cookie_gives_no_round_trip_time() {
    let (mut host, listener) = flooded();
    let (_, ack) = shake(&mut host, rich(), TcpFlags::default());
    host.receive(&tcp(client(), server(), ack, b""));
    let (id, _) = host.stack.accept(listener).unwrap();
    assert_eq!(host.stack.info(id).unwrap().srtt, None);
}

#[test]
fn rfc_4987_3_6_without_a_valid_cookie_an_ack_is_reset() {
    let (mut host, listener) = flooded();
    let (_, ack) = shake(&mut host, TcpOptions::default(), TcpFlags::default());
    for wrong in [
        TcpHeader { ack: ack.ack + 8, ..ack },
        TcpHeader { seq: ack.seq + 1, ..ack },
        TcpHeader { flags: TcpFlags::SYN | TcpFlags::ACK, ..ack },
    ] {
        host.receive(&tcp(client(), server(), wrong, b""));
        assert_eq!(host.output_segment().flags, TcpFlags::RST);
    }
    host.receive(&tcp(at("10.0.0.3", 5_000), server(), ack, b""));
    assert_eq!(host.output_segment().flags, TcpFlags::RST);
    assert_eq!(host.stack.accept(listener), Err(Error::WouldBlock));
    assert_eq!(host.stack.counters().stack.cookies_invalid, 3, "a SYN-ACK is not even looked at");
}

#[test]
fn a_cookie_expires_and_in_quiet_times_none_is_looked_for() {
    let (mut host, listener) = flooded();
    let (_, ack) = shake(&mut host, TcpOptions::default(), TcpFlags::default());
    host.wait(Duration::from_secs(129));
    host.receive(&tcp(client(), server(), ack, b""));
    assert_eq!(host.output_segment().flags, TcpFlags::RST);
    assert_eq!(host.stack.accept(listener), Err(Error::WouldBlock));
    assert_eq!(host.stack.counters().stack.cookies_invalid, 0);
}

#[test]
fn a_lost_last_ack_is_made_good_by_the_first_data() {
    let (mut host, listener) = flooded();
    let (_, ack) = shake(&mut host, rich(), TcpFlags::default());
    host.wait(Duration::from_secs(3));
    host.receive(&tcp(client(), server(), TcpHeader { flags: TcpFlags::ACK | TcpFlags::PSH, ..ack }, b"GET"));
    let (id, _) = host.stack.accept(listener).unwrap();
    assert_eq!(host.read_all(id), b"GET");
    assert_eq!(host.output_segment().ack, SeqNumber(1_004));
}

#[test]
fn a_full_accept_queue_sends_no_cookies_and_takes_none() {
    let mut host = Host::new();
    let options = ListenOptions { backlog: 1, ..ListenOptions::default() };
    let listener = host.stack.listen(server(), options).unwrap();
    flood(&mut host, 1_024);
    let (_, ack) = shake(&mut host, TcpOptions::default(), TcpFlags::default());
    let other = at("10.0.0.9", 7);
    host.receive(&tcp(other, server(), header(1_000, 0, TcpFlags::SYN), b""));
    let theirs = host.output_segment();
    host.receive(&tcp(other, server(), header(1_001, (theirs.seq + 1).0, TcpFlags::ACK), b""));

    host.receive(&tcp(client(), server(), ack, b""));
    host.receive(&tcp(at("10.0.0.8", 7), server(), header(1_000, 0, TcpFlags::SYN), b""));
    host.output_nothing();
    let counters = host.stack.counters().stack;
    assert_eq!(
        (counters.accept_queue_full_ack, counters.accept_queue_full_syn, counters.cookies_sent),
        (1, 1, 2)
    );

    assert_eq!(host.stack.accept(listener).unwrap().1, other);
    host.receive(&tcp(client(), server(), ack, b"again"));
    assert_eq!(host.stack.accept(listener).unwrap().1, client());
}

#[test]
fn the_limit_on_sockets_holds_for_cookies() {
    let (mut host, listener) = flooded_with(|config| config.max_sockets = 1_026);
    let (_, ack) = shake(&mut host, TcpOptions::default(), TcpFlags::default());
    assert!(host.stack.udp_bind(at(LOCAL, 9)).is_ok());
    host.receive(&tcp(client(), server(), ack, b""));
    assert_eq!(host.stack.accept(listener), Err(Error::WouldBlock));
    assert_eq!(host.stack.counters().stack.socket_limit_syn, 1);
}

/// An entry in TIME-WAIT would get the last ACK: its place is taken at once, and a half-open connection makes room.
#[test]
fn rfc_6191_a_syn_that_takes_over_time_wait_is_remembered() {
    let mut pair = Pair::new();
    let listener = pair.server.stack.listen(server(), ListenOptions::default()).unwrap();
    let from = at("10.0.0.2", 40_000);
    let connect = |pair: &mut Pair| {
        let id = pair.client.stack.connect(pair.client.now, server(), Some(from), None).unwrap();
        pair.exchange();
        (id, pair.server.stack.accept(listener).unwrap().0)
    };
    let (c, s) = connect(&mut pair);
    pair.server.stack.close(pair.server.now, s).unwrap();
    pair.exchange();
    pair.client.stack.close(pair.client.now, c).unwrap();
    pair.exchange();
    pair.wait(Duration::from_secs(2));
    flood(&mut pair.server, 1_024);
    connect(&mut pair);
    let counters = pair.server.stack.counters().stack;
    assert_eq!((counters.time_wait_reused, counters.syn_queue_evicted, counters.cookies_sent), (1, 1, 0));
}

#[test]
fn two_stacks_talk_through_a_flood_with_all_their_options() {
    let mut pair = Pair::new();
    let listener = pair.server.stack.listen(server(), ListenOptions::default()).unwrap();
    flood(&mut pair.server, 5_000);
    let (c, s) = pair.connect(listener);
    assert_eq!(pair.server.stack.counters().stack.cookies_accepted, 1);
    let info = pair.server.stack.info(s).unwrap();
    assert!(info.sack && info.timestamps);
    let sent: Vec<u8> = (0..300_000u32).map(|i| (i % 251) as u8).collect();
    let (mut written, mut received) = (0, Vec::new());
    while received.len() < sent.len() {
        written += pair.client.stack.write(c, &sent[written..]).unwrap_or(0);
        pair.exchange();
        received.extend(pair.server.read_all(s));
        pair.wait(Duration::from_millis(50));
    }
    assert!(received == sent);
}
