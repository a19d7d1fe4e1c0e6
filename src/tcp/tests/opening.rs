use super::*;
use crate::wire::Timestamps;

#[test]
fn rfc_9293_3_5_three_way_handshake() {
    let mut rig = Rig::connecting(SocketOptions::default());
    let syn = rig.recv();
    assert_eq!((syn.header.flags, syn.header.seq), (SYN, SeqNumber(US)));
    assert_eq!((syn.header.options.mss, syn.header.options.window_scale), (Some(MSS as u16), Some(8)));
    assert!(syn.header.options.sack_permitted && syn.header.options.timestamps.is_some());
    rig.send(segment(0, 1, SYN | ACK), b"");
    assert_eq!(rig.recv().ack(), 1);
    assert_eq!(rig.connection.state(), State::Established);
    assert!(rig.connection.take_events().connected);
}

#[test]
fn rfc_9293_3_5_simultaneous_open() {
    let mut rig = Rig::connecting(SocketOptions::default());
    rig.recv();
    rig.send(segment(0, 0, SYN), b"");
    let syn_ack = rig.recv();
    assert_eq!((syn_ack.header.flags, syn_ack.seq(), syn_ack.ack()), (SYN | ACK, 0, 1));
    assert_eq!(rig.connection.state(), State::SynReceived);
    rig.send(segment(0, 1, SYN | ACK), b"");
    rig.recv_ack(1); // their SYN once more lies before the window
    rig.send(ack(1, 1), b"");
    assert_eq!(rig.connection.state(), State::Established);
}

#[test]
fn rfc_9293_3_10_7_3_a_reset_refuses() {
    let mut rig = Rig::connecting(SocketOptions::default());
    rig.recv();
    rig.send(segment(0, 1, RST | ACK), b"");
    assert_eq!(rig.connection.error(), Some(Error::ConnectionRefused));
    assert_eq!(rig.read(), Err(Error::ConnectionRefused));
    rig.recv_nothing();
}

#[test]
fn rfc_9293_3_10_7_3_an_unacceptable_ack_is_reset_and_a_reset_without_ack_ignored() {
    let mut rig = Rig::connecting(SocketOptions::default());
    rig.recv();
    rig.send(segment(0, 7, SYN | ACK), b"");
    let reset = rig.recv();
    assert_eq!((reset.header.flags, reset.seq()), (RST, 7));
    rig.send(segment(0, 0, RST), b"");
    assert_eq!(rig.connection.state(), State::SynSent);
}

#[test]
fn rfc_6298_5_a_syn_is_sent_again_and_given_up() {
    let mut rig = Rig::connecting(SocketOptions::default());
    let mut gaps = Vec::new();
    let mut last = rig.now;
    rig.recv();
    while rig.connection.state() == State::SynSent {
        rig.advance(ms(100));
        if let Some(syn) = rig.sent.pop_front() {
            assert_eq!(syn.header.flags, SYN);
            gaps.push((rig.now - last).as_secs());
            last = rig.now;
        }
    }
    assert_eq!(gaps, [1, 2, 4, 8, 16, 32]);
    assert_eq!(rig.connection.error(), Some(Error::TimedOut));
}

#[test]
fn rfc_6298_5_7_and_rfc_5681_3_1_after_a_lost_syn() {
    let mut rig = Rig::connecting(SocketOptions { nodelay: true, ..SocketOptions::default() });
    rig.advance(ms(1100));
    assert_eq!(rig.sent.len(), 2);
    rig.sent.clear();
    let mut syn_ack = segment(0, 1, SYN | ACK);
    syn_ack.options.mss = Some(MSS as u16);
    rig.send(syn_ack, b"");
    rig.recv();
    rig.write(3000);
    rig.recv_data(1, 1000); // one segment of initial window
    rig.recv_nothing();
    rig.advance(ms(2999));
    rig.recv_nothing();
    rig.advance(ms(2));
    rig.recv_data(1, 1000);
}

#[test]
fn rfc_9293_3_7_1_the_peers_mss_is_honoured() {
    for (announced, expected) in [(None, 536), (Some(10), 48), (Some(700), 700), (Some(9000), 1000)] {
        let mut rig = Rig::connecting(SocketOptions { nodelay: true, ..SocketOptions::default() });
        rig.recv();
        let mut syn_ack = segment(0, 1, SYN | ACK);
        syn_ack.options.mss = announced;
        rig.send(syn_ack, b"");
        rig.recv();
        rig.write(expected);
        rig.recv_data(1, expected);
        rig.write(expected + 1);
        let seen = rig.recv();
        assert_eq!((seen.payload.len(), seen.gso_size), (expected + 1, expected as u16), "{announced:?}");
    }
}

#[test]
fn rfc_7323_2_windows_are_scaled_but_not_in_a_syn() {
    let offer = TcpOptions { window_scale: Some(4), ..TcpOptions::default() };
    let mut rig = Rig::established_with(SocketOptions { nodelay: true, ..SocketOptions::default() }, offer);
    assert_eq!(rig.connection.info(rig.now, &rig.config).snd_wnd, 60_000, "unscaled in the SYN-ACK");
    rig.send(window(ack(1, 1), 100), b"");
    assert_eq!(rig.connection.info(rig.now, &rig.config).snd_wnd, 1_600);
    rig.send(ack(1, 1), b"x");
    assert_eq!(rig.recv_ack(2).header.window, 256, "64 KiB less one byte, rounded up");
}

#[test]
fn rfc_7323_2_3_a_shift_above_14_is_14() {
    let offer = TcpOptions { window_scale: Some(200), ..TcpOptions::default() };
    let mut rig = Rig::established_with(SocketOptions::default(), offer);
    rig.send(window(ack(1, 1), 1), b"");
    assert_eq!(rig.connection.info(rig.now, &rig.config).snd_wnd, 1 << 14);
}

#[test]
fn rfc_7323_3_timestamps_are_echoed() {
    let offer = TcpOptions { timestamps: Some(Timestamps { value: 500, echo: 0 }), ..TcpOptions::default() };
    let mut rig = Rig::established_with(SocketOptions { nodelay: true, ..SocketOptions::default() }, offer);
    let mut data = ack(1, 1);
    data.options.timestamps = Some(Timestamps { value: 510, echo: 0 });
    rig.send(data, b"x");
    assert_eq!(rig.recv_ack(2).header.options.timestamps.unwrap().echo, 510);
    rig.write(2000);
    assert_eq!(rig.recv().gso_size, 988, "twelve bytes less for the option");
}

/// A passive open whose SYN-ACK has been sent `syn_acks` times, the first time 100 ms ago.
fn accepted(syn_acks: usize) -> Rig {
    let (config, pool, mut counters) =
        (Config { congestion: Algorithm::NewReno, ..Config::default() }, Pool::new(), Counters::default());
    let now = Instant::from_secs(1);
    let mut syn = segment(0, 0, SYN);
    syn.options.mss = Some(MSS as u16);
    let mut half = HalfOpen::new(&syn, SeqNumber(US), 0, MSS as u16, 65_535);
    half.syn_ack(Instant::from_millis(900));
    for _ in 1..syn_acks {
        assert!(matches!(half.handle_timeout(&config), HalfOpenTimeout::Resend(_)));
        half.syn_ack(now);
    }
    let mut cx = Context { now, config: &config, pool: &pool, counters: &mut counters };
    let options = SocketOptions { nodelay: true, ..SocketOptions::default() };
    let connection = Connection::accept(&mut cx, &half, open(options), now);
    Rig { connection, config, pool, counters, now, sent: VecDeque::new() }
}

#[test]
fn rfc_9293_3_10_7_4_data_on_the_last_ack_of_a_passive_open_is_delivered() {
    let mut rig = accepted(1);
    rig.send(ack(1, 1), b"hello");
    assert_eq!(rig.connection.state(), State::Established);
    assert_eq!(rig.read().unwrap(), b"hello");
    rig.recv_ack(6);
}

#[test]
fn rfc_9293_3_10_7_4_a_fin_on_the_last_ack_too() {
    let mut rig = accepted(1);
    rig.send(segment(1, 1, FIN | ACK), b"all");
    assert_eq!(rig.connection.state(), State::CloseWait);
    assert_eq!(rig.read().unwrap(), b"all");
    assert_eq!(rig.read().unwrap(), b"");
}

#[test]
fn rfc_6298_5_7_and_rfc_5681_3_1_after_a_lost_syn_ack() {
    for (syn_acks, first_window, time_out) in [(1, 10_000, 300), (2, 1_000, 3_000)] {
        let mut rig = accepted(syn_acks);
        rig.send(ack(1, 1), b"");
        rig.write(30_000);
        assert_eq!(rig.sent.drain(..).map(|seen| seen.payload.len()).sum::<usize>(), first_window);
        rig.advance(ms(time_out - 1));
        rig.recv_nothing();
        rig.advance(ms(2));
        rig.recv_data(1, 1_000);
    }
}

#[test]
fn rfc_7323_3_2_without_timestamps_of_ours_the_peers_are_not_used() {
    let mut rig = Rig::connecting(SocketOptions::default());
    rig.recv();
    rig.config.timestamps = false;
    rig.advance(ms(1_000));
    assert_eq!(rig.recv().header.options.timestamps, None, "not offered");
    let mut syn_ack = segment(0, 1, SYN | ACK);
    syn_ack.options.timestamps = Some(Timestamps { value: 500, echo: 0 });
    rig.send(syn_ack, b"");
    assert_eq!(rig.recv_ack(1).header.options.timestamps, None);
    assert!(!rig.info().timestamps);
}

#[test]
fn rfc_6298_2_2_the_syn_ack_measures_the_path_if_it_was_sent_once() {
    for (syn_acks, srtt) in [(1, Some(ms(100))), (2, None)] {
        let mut rig = accepted(syn_acks);
        rig.send(ack(1, 1), b"");
        assert_eq!(rig.info().srtt, srtt, "{syn_acks} SYN-ACKs (Karn)");
    }
}

/// The peer's SYN came twice and was answered twice: which answer it acknowledges nobody knows (RFC 6298 3).
#[test]
fn rfc_6298_3_a_syn_ack_that_a_repeated_syn_drew_again_measures_nothing() {
    let mut syn = segment(0, 0, SYN);
    syn.options.mss = Some(MSS as u16);
    let mut half = HalfOpen::new(&syn, SeqNumber(US), 0, MSS as u16, 65_535);
    half.syn_ack(Instant::from_millis(900));
    half.syn_ack(Instant::from_millis(950));
    let mut rig = accepted(1);
    let now = rig.now;
    rig.connection = rig.with(|_, cx| Connection::accept(cx, &half, open(SocketOptions::default()), now));
    rig.send(ack(1, 1), b"");
    assert_eq!(rig.info().srtt, None);
    assert_eq!(rig.info().rto, ms(1_000), "and is no loss");
}

#[test]
fn rfc_9293_3_10_7_3_data_and_fin_on_a_syn_ack_are_taken() {
    let mut rig = Rig::connecting(SocketOptions::default());
    rig.recv();
    rig.send(segment(0, 1, SYN | ACK | FIN), b"early");
    rig.recv_ack(7);
    assert_eq!(rig.connection.state(), State::CloseWait);
    assert_eq!(rig.read().unwrap(), b"early");
}
