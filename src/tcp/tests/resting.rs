use super::*;

impl Rig {
    /// The application has heard of everything, and nothing happens for a while.
    #[track_caller]
    pub(super) fn rest(&mut self) {
        self.connection.take_events();
        self.advance(Duration::from_secs(30));
        assert!(!self.connection.active.is_awake());
    }
}

#[test]
fn a_quiet_connection_lets_go_of_what_it_does_not_need_and_keeps_what_it_knows_of_the_path() {
    let mut rig = Rig::established();
    rig.write(50_000);
    rig.advance(ms(20));
    rig.send(ack(1, 10_001), b"abc");
    let before = rig.info();
    assert!(rig.connection.active.is_awake());
    rig.read().unwrap();
    rig.advance(ms(20));
    rig.send(ack(4, 30_001), b"");
    rig.send(ack(4, 50_001), b"");
    rig.rest();
    assert_eq!(rig.connection.deadline(), None, "and there is nothing to wait for");
    let after = rig.info();
    assert!(after.cwnd > before.cwnd && after.srtt.is_some(), "{after:?}");
    assert_eq!((after.bytes_acked, after.bytes_received), (50_000, 3));
    rig.sent.clear();
    rig.write(50_000);
    let sent: usize = rig.sent.iter().map(|seen| seen.payload.len()).sum();
    assert_eq!(sent, 10_000, "as after any silence (RFC 5681 4.1)");
}

/// What a million idle ones cost is a million times this, and little more.
#[test]
fn a_control_block_is_160_bytes() {
    assert_eq!(size_of::<Connection>(), 160);
}

#[test]
fn nothing_is_let_go_before_a_retransmission_time_out_is_over() {
    let mut rig = Rig::established();
    rig.write(1_000);
    rig.advance(ms(300));
    rig.send(ack(1, 1_001), b"");
    rig.connection.take_events();
    let rto = rig.info().rto;
    assert!(rto > ms(300), "{rto:?}");
    rig.advance(rto - ms(2));
    assert!(rig.connection.active.is_awake());
    rig.advance(ms(4));
    assert!(!rig.connection.active.is_awake());
}

#[test]
fn unread_data_and_a_gap_keep_a_connection_from_resting() {
    let mut rig = Rig::established();
    rig.send(ack(1, 1), b"abc");
    rig.advance(Duration::from_secs(60));
    assert!(rig.connection.active.is_awake());
    assert_eq!(rig.read().unwrap(), b"abc");
    rig.send(ack(14, 1), b"def");
    rig.advance(Duration::from_secs(60));
    assert!(rig.connection.active.is_awake());
    rig.send(ack(4, 1), b"0123456789");
    rig.advance(ms(100));
    assert_eq!(rig.read().unwrap(), b"0123456789def");
    rig.rest();
}

#[test]
fn keep_alive_probes_and_their_answers_wake_nothing() {
    let keep_alive = KeepAlive { idle: Duration::from_secs(60), interval: Duration::from_secs(5), count: 3 };
    let options = SocketOptions { keep_alive: Some(keep_alive), ..SocketOptions::default() };
    let mut rig = Rig::established_with(options, TcpOptions::default());
    rig.rest();
    rig.send(ack(1, 1), b"");
    rig.sent.clear();
    for _ in 0..5 {
        rig.advance(Duration::from_secs(61));
        assert_eq!(rig.sent.drain(..).len(), 1, "one probe");
        assert!(!rig.connection.active.is_awake());
        rig.send(ack(1, 1), b"");
        assert!(!rig.connection.active.is_awake());
    }
    rig.send(ack(0, 1), b"");
    assert_eq!(rig.recv().ack(), 1, "a probe of the peer's is answered");
    assert!(!rig.connection.active.is_awake());
}

#[test]
fn a_quiet_connection_ends_without_waking() {
    let mut rig = Rig::established();
    rig.rest();
    rig.connection.abort(Error::ConnectionAborted);
    assert!(!rig.connection.active.is_awake());
    let events = rig.connection.take_events();
    assert!(events.closed && events.failed && events.readable && events.writable, "{events:?}");
    assert_eq!(rig.connection.take_events(), Events::default());
}

#[test]
fn rfc_5961_10_a_rest_lets_nobody_draw_more_challenges() {
    let interval = Duration::from_secs(10);
    let mut rig = Rig::established();
    rig.config.challenge_ack_interval = interval;
    rig.rest();
    for _ in 0..6 {
        rig.send(segment(5, 1, RST), b"");
        rig.connection.take_events();
        rig.advance(ms(1_500));
    }
    assert_eq!(rig.counters.challenge_acks, 1);
    rig.advance(interval);
    rig.send(segment(5, 1, RST), b"");
    assert_eq!(rig.counters.challenge_acks, 2);
    rig.rest();
}

#[test]
fn what_was_unread_for_an_hour_and_is_read_keeps_nothing_awake_for_another() {
    let mut rig = Rig::established();
    rig.send(ack(1, 1), b"abc");
    rig.advance(Duration::from_secs(3_600));
    assert_eq!(rig.read().unwrap(), b"abc");
    rig.connection.take_events();
    rig.advance(Duration::from_secs(120));
    assert!(!rig.connection.active.is_awake());
}

#[test]
fn rfc_8985_7_4_2_a_probe_that_nothing_more_is_heard_of_has_repaired_a_loss() {
    for original_arrived in [false, true] {
        let mut rig = Rig::established_with_sack();
        rig.write(4_000);
        rig.advance(ms(20));
        assert_eq!(rig.counters.tail_probes, 1);
        rig.send(ack(1, 4_001), b"");
        if original_arrived {
            rig.send(sack(1, 4_001, &[(3_001, 4_001)]), b"");
        }
        let before = rig.info().cwnd;
        rig.rest();
        assert_eq!(rig.counters.tail_probe_repairs, u64::from(!original_arrived));
        assert_eq!(rig.info().cwnd < before, !original_arrived, "{before}");
    }
}
