//! When a connection ends because nobody answers, and when it does not: R2, user timeout, keep-alive, orphans.

use super::*;

fn keep_alive() -> SocketOptions {
    let keep_alive = KeepAlive { idle: Duration::from_secs(15), interval: Duration::from_secs(5), count: 3 };
    SocketOptions { keep_alive: Some(keep_alive), nodelay: true, ..SocketOptions::default() }
}

#[test]
fn rfc_9293_3_9_1_the_user_timeout_does_not_wait_for_the_next_retransmission() {
    let options = SocketOptions { user_timeout: Some(Duration::from_secs(5)), ..SocketOptions::default() };
    let mut rig = Rig::established_with(options, TcpOptions::default());
    rig.write(100);
    rig.advance(ms(4_999));
    assert_eq!(rig.connection.error(), None);
    rig.advance(ms(1));
    assert_eq!(rig.connection.error(), Some(Error::TimedOut));
    assert!(rig.connection.take_events().failed);
    assert!(rig.sent.pop_back().unwrap().header.has(RST));
}

#[test]
fn rfc_9293_3_9_1_a_user_timeout_beyond_the_limit_of_tries_lasts() {
    let options =
        SocketOptions { user_timeout: Some(Duration::from_secs(7_200)), ..SocketOptions::default() };
    let mut rig = Rig::established_with(options, TcpOptions::default());
    rig.write(100);
    rig.advance(Duration::from_secs(7_199));
    assert_eq!(rig.connection.error(), None);
    rig.advance(Duration::from_secs(1));
    assert_eq!(rig.connection.error(), Some(Error::TimedOut));
}

#[test]
fn rfc_9293_3_9_1_progress_begins_the_user_timeout_anew() {
    let options = SocketOptions {
        user_timeout: Some(Duration::from_secs(5)),
        nodelay: true,
        ..SocketOptions::default()
    };
    let mut rig = Rig::established_with(options, TcpOptions::default());
    rig.write(1_000);
    rig.write(1_000);
    rig.advance(ms(4_000));
    rig.send(ack(1, 1_001), b"");
    rig.advance(ms(4_999));
    assert_eq!(rig.connection.error(), None);
    rig.advance(ms(1));
    assert_eq!(rig.connection.error(), Some(Error::TimedOut));
}

#[test]
fn rfc_9293_3_8_3_an_answer_begins_the_count_of_tries_anew() {
    let mut rig = Rig::established();
    for i in 0..5 {
        rig.write(100);
        rig.advance(Duration::from_secs(300));
        assert_eq!(rig.connection.error(), None);
        rig.send(ack(1, 101 + i * 100), b"");
    }
}

#[test]
fn rfc_9293_3_8_3_the_application_hears_of_the_failure() {
    let mut rig = Rig::established();
    rig.write(100);
    rig.connection.take_events();
    rig.advance(Duration::from_secs(3_600));
    let events = rig.connection.take_events();
    assert!(events.failed && events.closed && events.readable && events.writable);
    assert_eq!(rig.read(), Err(Error::TimedOut));
    assert_eq!(rig.with(|connection, cx| connection.write(cx.pool, b"x")), Err(Error::TimedOut));
}

#[test]
fn rfc_9293_3_8_4_the_defaults_are_two_hours_75_seconds_and_9_probes() {
    let options = SocketOptions { keep_alive: Some(KeepAlive::default()), ..SocketOptions::default() };
    let mut rig = Rig::established_with(options, TcpOptions::default());
    rig.advance(Duration::from_secs(7_199));
    rig.recv_nothing();
    rig.advance(Duration::from_secs(1 + 8 * 75));
    assert_eq!(rig.sent.len(), 9);
    assert_eq!(rig.connection.error(), None);
    rig.advance(Duration::from_secs(75));
    assert_eq!(rig.connection.error(), Some(Error::TimedOut));
}

#[test]
fn rfc_9293_3_8_4_while_data_is_under_way_the_retransmission_timer_decides() {
    let mut rig = Rig::established_with(keep_alive(), TcpOptions::default());
    rig.write(100);
    rig.advance(Duration::from_secs(300));
    assert_eq!(rig.counters.keep_alive_probes, 0);
    assert_eq!(rig.connection.error(), None);
    rig.send(ack(1, 101), b"");
    rig.advance(Duration::from_secs(16));
    assert_eq!(rig.counters.keep_alive_probes, 1, "and afterwards keep-alive again");
}

#[test]
fn rfc_9293_3_8_4_a_peer_that_answers_probes_of_its_window_is_alive() {
    let mut rig = Rig::established_with(keep_alive(), TcpOptions::default());
    rig.send(window(ack(1, 1), 0), b"");
    rig.write(100);
    for _ in 0..40 {
        rig.advance(rig.connection.deadline().unwrap() - rig.now);
        if !rig.sent.is_empty() {
            rig.sent.clear();
            rig.send(window(ack(1, 1), 0), b"");
        }
    }
    assert_eq!(rig.connection.error(), None);
}

#[test]
fn rfc_9293_3_8_4_half_closed_connections_are_probed_too() {
    for close in [Rig::shutdown as fn(&mut Rig), |rig| rig.send(segment(1, 1, FIN | ACK), b"")] {
        let mut rig = Rig::established_with(keep_alive(), TcpOptions::default());
        close(&mut rig);
        rig.send(ack(if rig.connection.state() == State::CloseWait { 2 } else { 1 }, 2), b"");
        rig.sent.clear();
        rig.advance(Duration::from_secs(40));
        assert_eq!(rig.counters.keep_alive_timeouts, 1);
    }
}

#[test]
fn rfc_9293_3_8_4_nothing_is_probed_in_time_wait() {
    let mut rig = Rig::established_with(keep_alive(), TcpOptions::default());
    rig.shutdown();
    rig.send(segment(1, 2, FIN | ACK), b"");
    assert_eq!(rig.connection.state(), State::TimeWait);
    rig.sent.clear();
    rig.advance(Duration::from_secs(3_600));
    rig.recv_nothing();
    assert_eq!((rig.connection.state(), rig.connection.error()), (State::TimeWait, None));
}

#[test]
fn rfc_9293_3_8_4_a_silence_of_months_is_not_waited_for_for_ever() {
    let day = Duration::from_secs(24 * 3600);
    let months = KeepAlive { idle: day * 60, ..KeepAlive::default() };
    let options = SocketOptions { keep_alive: Some(months), ..SocketOptions::default() };
    let mut rig = Rig::established_with(options, TcpOptions::default());
    rig.advance(day * 23);
    assert_eq!(rig.counters.keep_alive_probes, 0);
    rig.advance(day * 2);
    assert_eq!(rig.counters.keep_alive_timeouts, 1, "nobody has answered in the day after the 24th");
}

#[test]
fn rfc_9293_3_8_4_keep_alive_can_be_turned_on_and_off() {
    let mut rig = Rig::established();
    rig.connection.set_options(Arc::new(keep_alive()));
    rig.transmit();
    rig.advance(Duration::from_secs(16));
    assert_eq!(rig.recv().seq(), 0);
    rig.connection.set_options(Arc::new(SocketOptions::default()));
    rig.transmit();
    rig.advance(Duration::from_secs(1_000));
    rig.recv_nothing();
    assert_eq!(rig.connection.error(), None);
}

#[test]
fn rfc_9293_3_8_3_syn_received_gives_up() {
    let (mut rig, ..) = in_state(State::SynReceived);
    rig.advance(Duration::from_secs(200));
    assert_eq!(rig.connection.error(), Some(Error::TimedOut));
    let syn_acks = rig.sent.iter().filter(|seen| seen.header.flags == SYN | ACK).count();
    assert_eq!(syn_acks, 5);
}

#[test]
fn rfc_9293_3_8_3_every_state_that_waits_for_an_acknowledgment_gives_up() {
    for state in [State::FinWait1, State::Closing, State::LastAck] {
        let (mut rig, ..) = in_state(state);
        rig.close();
        rig.advance(Duration::from_secs(3_600));
        assert!(rig.connection.is_finished() && rig.connection.deadline().is_none(), "{state}");
    }
}

#[test]
fn fin_wait_2_of_nobody_still_closes_in_order() {
    let mut rig = Rig::established();
    rig.close();
    rig.send(ack(1, 2), b"");
    rig.sent.clear();
    rig.advance(Duration::from_secs(59));
    rig.send(segment(1, 2, FIN | ACK), b"");
    rig.recv_ack(2);
    assert_eq!((rig.connection.state(), rig.connection.deadline()), (State::TimeWait, None));
}

#[test]
fn an_orphan_that_the_window_holds_up_goes_on_while_the_peer_answers() {
    let mut rig = Rig::established();
    rig.send(window(ack(1, 1), 0), b"");
    rig.write(100);
    rig.close();
    for _ in 0..30 {
        rig.advance(rig.connection.deadline().unwrap() - rig.now);
        rig.recv_data(1, 1);
        rig.send(window(ack(1, 1), 0), b"");
    }
    rig.send(ack(1, 1), b"");
    assert!(rig.sent.back().unwrap().header.has(FIN));
    assert_eq!(rig.sent.drain(..).map(|seen| seen.payload.len()).sum::<usize>(), 100);
}
