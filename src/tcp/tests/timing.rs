use super::*;

fn keep_alive() -> SocketOptions {
    let keep_alive = KeepAlive { idle: Duration::from_secs(15), interval: Duration::from_secs(5), count: 3 };
    SocketOptions { keep_alive: Some(keep_alive), nodelay: true, ..SocketOptions::default() }
}

#[test]
fn rfc_9293_3_8_4_keep_alive_probes_an_idle_peer() {
    let mut rig = Rig::established_with(keep_alive(), TcpOptions::default());
    rig.advance(ms(14_900));
    rig.recv_nothing();
    rig.advance(ms(200));
    let probe = rig.recv();
    assert_eq!((probe.seq(), probe.payload.len(), probe.header.flags), (0, 0, ACK));
    rig.send(ack(1, 1), b"");
    rig.advance(ms(14_900));
    rig.recv_nothing();
    rig.advance(ms(200));
    assert_eq!(rig.recv().seq(), 0);
}

#[test]
fn rfc_9293_3_8_4_a_vanished_peer_is_found() {
    let mut rig = Rig::established_with(keep_alive(), TcpOptions::default());
    rig.advance(Duration::from_secs(31));
    assert_eq!(rig.connection.error(), Some(Error::TimedOut));
    let flags: Vec<_> = rig.sent.drain(..).map(|seen| seen.header.flags).collect();
    assert_eq!(flags, [ACK, ACK, ACK, RST | ACK]);
    assert_eq!(rig.counters.keep_alive_timeouts, 1);
}

/// An interval longer than the idle time: each answer begins the count anew.
#[test]
fn rfc_9293_3_8_4_answered_probes_do_not_add_up() {
    let keep_alive = KeepAlive { idle: Duration::from_secs(2), interval: Duration::from_secs(5), count: 3 };
    let options = SocketOptions { keep_alive: Some(keep_alive), ..SocketOptions::default() };
    let mut rig = Rig::established_with(options, TcpOptions::default());
    rig.advance(ms(2_100));
    for _ in 0..10 {
        assert_eq!(rig.recv().seq(), 0);
        rig.send(ack(1, 1), b"");
        rig.advance(ms(5_000));
    }
    assert_eq!(rig.connection.error(), None);
}

#[test]
fn keep_alive_is_off_by_default() {
    let mut rig = Rig::established();
    assert_eq!(rig.connection.next_timer(), None);
    rig.advance(Duration::from_secs(86_400));
    rig.recv_nothing();
}

#[test]
fn rfc_9293_3_8_6_1_a_closed_window_is_probed() {
    let mut rig = Rig::established();
    rig.send(window(ack(1, 1), 0), b"");
    rig.write(5_000);
    rig.recv_nothing();
    rig.advance(ms(201));
    rig.recv_data(1, 1);
    rig.send(window(ack(1, 1), 0), b"");
    rig.advance(ms(401));
    rig.recv_data(1, 1);
    rig.send(ack(1, 2), b"");
    let sent: usize = rig.sent.iter().map(|seen| seen.payload.len()).sum();
    assert_eq!(sent, 4_999);
}

#[test]
fn rfc_9293_3_8_6_1_probing_lasts_while_the_peer_answers() {
    let mut rig = Rig::established();
    rig.send(window(ack(1, 1), 0), b"");
    rig.write(5_000);
    for _ in 0..100 {
        let at = rig.connection.deadline().unwrap();
        rig.advance(at - rig.now);
        rig.recv_data(1, 1);
        rig.send(window(ack(1, 1), 0), b"");
    }
    assert_eq!(rig.connection.state(), State::Established);
}

#[test]
fn a_closed_window_and_a_silent_peer_time_out() {
    let mut rig = Rig::established();
    rig.send(window(ack(1, 1), 0), b"");
    rig.write(5_000);
    rig.advance(Duration::from_secs(3_600));
    assert_eq!(rig.connection.error(), Some(Error::TimedOut));
}

#[test]
fn what_the_closing_window_dropped_is_sent_again_when_it_opens() {
    let mut rig = Rig::established();
    rig.write(5_000);
    rig.sent.clear();
    rig.send(window(ack(1, 2_001), 0), b"");
    rig.advance(ms(250));
    rig.recv_data(2_001, 1);
    rig.send(window(ack(1, 2_001), 10_000), b"");
    let sent: usize = rig.sent.iter().map(|seen| seen.payload.len()).sum();
    assert_eq!(sent, 3_000);
}

#[test]
fn rfc_1122_4_2_3_4_a_small_window_is_used_after_a_while() {
    let mut rig = Rig::established();
    rig.send(window(ack(1, 1), 300), b"");
    rig.write(5_000);
    rig.recv_nothing();
    rig.advance(ms(201));
    rig.recv_data(1, 300);
}

/// Acknowledgments that bring nothing new, such as answers to keep-alive probes, come more often than the timer.
#[test]
fn rfc_1122_4_2_3_4_the_override_is_not_put_off() {
    let mut rig = Rig::established();
    rig.send(window(ack(1, 1), 300), b"");
    rig.write(5_000);
    for _ in 0..3 {
        rig.advance(ms(90));
        rig.send(window(ack(1, 1), 300), b"");
    }
    rig.recv_data(1, 300);
}
