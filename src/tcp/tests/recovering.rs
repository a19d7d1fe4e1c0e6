use super::*;
use crate::wire::Timestamps;

#[test]
fn rfc_6298_5_4_the_oldest_segment_is_sent_again() {
    let mut rig = Rig::established();
    rig.write(3_000);
    rig.sent.clear();
    rig.advance(ms(199));
    rig.recv_nothing();
    rig.advance(ms(2));
    rig.recv_data(1, 1_000);
    rig.recv_nothing();
    assert_eq!(rig.connection.info(rig.now, &rig.config).cwnd, MSS);
}

#[test]
fn rfc_6298_5_5_the_timer_backs_off_and_gives_up() {
    let mut rig = Rig::established();
    rig.write(100);
    rig.recv();
    let mut gaps = Vec::new();
    let mut last = rig.now;
    while rig.connection.state() == State::Established {
        let at = rig.connection.deadline().unwrap();
        rig.advance(at - rig.now);
        if rig.sent.pop_front().is_some() {
            gaps.push((rig.now - last).as_millis());
            last = rig.now;
        }
    }
    assert_eq!(gaps.len(), 16, "fifteen tries and the reset");
    assert_eq!(gaps[..5], [200, 400, 800, 1_600, 3_200]);
    assert_eq!(gaps[14], 120_000);
    assert_eq!(rig.read(), Err(Error::TimedOut));
}

#[test]
fn rfc_9293_3_9_1_user_timeout() {
    let options = SocketOptions { user_timeout: Some(Duration::from_secs(5)), ..SocketOptions::default() };
    let mut rig = Rig::established_with(options, TcpOptions::default());
    rig.advance(Duration::from_secs(100)); // idle time does not count
    rig.write(100);
    rig.advance(ms(4_999));
    assert_eq!(rig.connection.state(), State::Established);
    rig.advance(Duration::from_secs(5));
    assert_eq!(rig.connection.error(), Some(Error::TimedOut));
}

#[test]
fn after_a_time_out_slow_start_sends_everything_again() {
    let mut rig = Rig::established();
    rig.write(10_000);
    rig.sent.clear();
    rig.advance(ms(201));
    rig.recv_data(1, 1_000);
    rig.advance(ms(10));
    rig.send(ack(1, 1_001), b"");
    rig.recv_data(1_001, 1_000);
    rig.recv_data(2_001, 1_000);
    rig.recv_nothing();
    rig.advance(ms(10));
    rig.send(ack(1, 3_001), b"");
    let again: usize = rig.sent.drain(..).map(|seen| seen.payload.len()).sum();
    assert_eq!(again, 4_000);
    rig.send(ack(1, 10_001), b"");
    rig.recv_nothing();
    assert_eq!(rig.connection.info(rig.now, &rig.config).in_flight, 0);
}

#[test]
fn rfc_5681_3_2_three_duplicates_bring_a_fast_retransmit() {
    let mut rig = Rig::established();
    rig.write(10_000);
    rig.sent.clear();
    rig.send(ack(1, 1), b"");
    rig.send(ack(1, 1), b"");
    rig.recv_nothing();
    rig.send(ack(1, 1), b"");
    rig.recv_data(1, 1_000);
    rig.recv_nothing();
    assert_eq!(rig.connection.info(rig.now, &rig.config).ssthresh, 5_000);
    assert_eq!(rig.counters.fast_recoveries, 1);
}

#[test]
fn rfc_6582_3_2_a_partial_acknowledgment_brings_the_next_hole() {
    let mut rig = Rig::established();
    rig.write(10_000);
    rig.sent.clear();
    for _ in 0..3 {
        rig.send(ack(1, 1), b"");
    }
    rig.recv_data(1, 1_000);
    rig.send(ack(1, 4_001), b"");
    rig.recv_data(4_001, 1_000);
    rig.send(ack(1, 10_001), b"");
    let info = rig.connection.info(rig.now, &rig.config);
    assert_eq!((info.in_flight, info.cwnd), (0, 5_000));
}

#[test]
fn rfc_3042_duplicates_bring_out_new_segments() {
    let mut rig = Rig::established();
    rig.write(20_000);
    rig.sent.clear();
    rig.send(ack(1, 1), b"");
    rig.recv_data(10_001, 1_000);
    rig.send(ack(1, 1), b"");
    rig.recv_data(11_001, 1_000);
}

#[test]
fn a_window_update_is_no_duplicate() {
    let mut rig = Rig::established();
    rig.write(10_000);
    rig.sent.clear();
    for i in 0..5 {
        rig.send(window(ack(1, 1), 50_000 + i), b"");
    }
    rig.recv_nothing();
    assert_eq!(rig.counters.fast_recoveries, 0);
}

#[test]
fn rfc_6675_5_only_the_holes_are_sent_again() {
    let mut rig = Rig::established_with_sack();
    rig.write(10_000);
    rig.sent.clear();
    rig.send(sack(1, 1, &[(1_001, 2_001)]), b"");
    rig.send(sack(1, 1, &[(3_001, 4_001), (1_001, 2_001)]), b"");
    rig.recv_nothing();
    rig.send(sack(1, 1, &[(3_001, 6_001), (1_001, 2_001)]), b"");
    rig.recv_data(1, 1_000);
    rig.send(sack(1, 1, &[(3_001, 9_001), (1_001, 2_001)]), b"");
    rig.recv_data(2_001, 1_000);
    rig.send(ack(1, 10_001), b"");
    rig.recv_nothing();
    assert_eq!(rig.counters.retransmissions, 2);
}

/// The acknowledgment that tells of the second and third segment's arrival is overtaken by the one of the fourth.
#[test]
fn rfc_2018_3_an_overtaken_acknowledgment_still_tells_what_has_arrived() {
    let mut rig = Rig::established_with_sack();
    rig.write(10_000);
    rig.sent.clear();
    rig.advance(ms(10));
    rig.send(sack(1, 2_001, &[(5_001, 6_001)]), b"");
    assert_eq!(rig.info().sacked, 1_000);
    rig.send(sack(1, 1_001, &[(3_001, 4_001)]), b"");
    assert_eq!((rig.info().sacked, rig.connection.snd_una()), (2_000, SeqNumber(US) + 2_001));
    rig.advance(ms(3));
    let again: Vec<_> = rig.sent.drain(..).map(|seen| seen.seq()).collect();
    assert_eq!(again, [2_001], "as if it had come in time");
}

/// Two duplicates brought out two segments; what they stood for has had its growth. RFC 9937 6.2 counts alike.
#[test]
fn without_sack_slow_start_counts_what_has_newly_left() {
    let mut rig = Rig::established();
    rig.write(50_000);
    (0..2).for_each(|_| rig.send(ack(1, 1), b""));
    rig.send(ack(1, 3_001), b"");
    assert_eq!(rig.info().cwnd, 11_000);
}

#[test]
fn an_acknowledgment_of_everything_ends_the_timer() {
    let mut rig = Rig::established();
    rig.write(1_000);
    rig.recv();
    rig.send(ack(1, 1_001), b"");
    assert_eq!(rig.connection.next_timer(), None);
}

#[test]
fn karn_a_retransmitted_segment_measures_nothing() {
    let mut rig = Rig::established();
    rig.write(100);
    rig.recv();
    rig.advance(ms(201));
    rig.recv_data(1, 100);
    rig.advance(ms(150));
    let before = rig.connection.info(rig.now, &rig.config).srtt;
    rig.send(ack(1, 101), b"");
    assert_eq!(rig.connection.info(rig.now, &rig.config).srtt, before);
}

/// The first copy arrived, the acknowledgments of it and of the second were lost: the third draws an echo of the
/// first, half a minute old.
#[test]
fn karn_an_echo_of_the_first_of_several_copies_measures_nothing() {
    let offer = TcpOptions { timestamps: Some(Timestamps { value: 500, echo: 0 }), ..TcpOptions::default() };
    let mut rig = Rig::established_with(SocketOptions { nodelay: true, ..SocketOptions::default() }, offer);
    let acknowledge = |rig: &mut Rig, upto: u32, echo: u32| {
        let mut header = ack(1, upto);
        header.options.timestamps = Some(Timestamps { value: 501, echo });
        rig.send(header, b"");
        rig.connection.info(rig.now, &rig.config).srtt.unwrap()
    };
    rig.write(100);
    let first = rig.recv_data(1, 100).header.options.timestamps.unwrap().value;
    rig.advance(Duration::from_secs(30));
    assert!(rig.sent.len() >= 3);
    rig.sent.clear();
    assert!(acknowledge(&mut rig, 101, first) <= ms(20), "as the handshake measured it");

    rig.write(100);
    rig.recv_data(101, 100);
    let wait = rig.connection.deadline().unwrap() - rig.now;
    rig.advance(wait);
    let second = rig.recv_data(101, 100).header.options.timestamps.unwrap().value;
    rig.advance(ms(90));
    assert!(acknowledge(&mut rig, 201, second) > ms(15), "an echo of the last one does measure");
}

/// Ten segments, one lost, ssthresh 5,000: half of what arrives goes out until five are under way, and from there on
/// all of it.
#[test]
fn rfc_9937_6_2_recovery_sends_in_proportion_to_what_arrives() {
    let mut rig = Rig::established_with_sack();
    rig.write(30_000);
    rig.sent.clear();
    rig.advance(ms(10));
    rig.send(sack(1, 1, &[(1_001, 4_001)]), b"");
    let mut sent: Vec<usize> = vec![rig.sent.drain(..).map(|seen| seen.payload.len()).sum()];
    for i in 5..=10 {
        rig.send(sack(1, 1, &[(1_001, i * 1_000 + 1)]), b"");
        sent.push(rig.sent.drain(..).map(|seen| seen.payload.len()).sum());
    }
    assert_eq!(sent, [1_000, 1_000, 0, 0, 1_000, 1_000, 1_000]);
    rig.send(ack(1, 10_001), b"");
    let sent: usize = rig.sent.drain(..).map(|seen| seen.payload.len()).sum();
    assert_eq!((rig.info().in_flight, sent), (5_000, 1_000), "the window is ssthresh from here on");
}

#[test]
fn rfc_9937_6_2_without_sack_a_duplicate_is_a_segment_delivered() {
    let mut rig = Rig::established();
    rig.write(30_000);
    rig.sent.clear();
    rig.advance(ms(10));
    (0..3).for_each(|_| rig.send(ack(1, 1), b""));
    rig.recv_data(10_001, 1_000);
    rig.recv_data(11_001, 1_000);
    rig.recv_data(1, 1_000);
    let mut sent = Vec::<usize>::new();
    for _ in 0..6 {
        rig.send(ack(1, 1), b"");
        sent.push(rig.sent.drain(..).map(|seen| seen.payload.len()).sum());
    }
    assert!(sent.iter().all(|&len| len <= 1_000), "{sent:?}");
    assert_eq!(sent.iter().sum::<usize>(), 2_000, "{sent:?}");
}

/// What an overtaken acknowledgment tells of was delivered when it came, not when the next one does.
#[test]
fn bbr_4_1_2_3_an_old_acknowledgment_gives_a_sample_of_its_own() {
    let mut rig = Rig::established_with_sack();
    rig.write(6_000);
    rig.advance(ms(10));
    rig.send(ack(1, 2_001), b"");
    let before = rig.info().delivery_rate;
    rig.advance(ms(1));
    rig.send(sack(1, 1, &[(4_001, 6_001)]), b"");
    assert_eq!(rig.info().sacked, 2_000);
    assert!(rig.info().delivery_rate > before, "4,000 bytes in 11 ms against 2,000 in 10 ms");
}
