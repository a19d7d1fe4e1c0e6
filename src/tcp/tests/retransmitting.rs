//! The retransmission timer and what follows it: back-off, Karn, windows after losses (RFC 6298, 5681, 6675).

use super::*;

#[test]
fn rfc_6298_5_5_the_back_off_stays_until_something_is_measured() {
    let mut rig = Rig::established();
    rig.write(100);
    rig.recv();
    rig.advance(ms(201));
    rig.recv_data(1, 100);
    rig.send(ack(1, 101), b"");
    assert_eq!(rig.info().backoff, 1, "Karn: the answer may be to the first");
    rig.write(100);
    rig.recv_data(101, 100);
    rig.advance(ms(399));
    rig.recv_nothing();
    rig.advance(ms(2));
    rig.recv_data(101, 100);
    rig.send(ack(1, 201), b"");
    rig.write(100);
    rig.recv();
    rig.advance(ms(10));
    rig.send(ack(1, 301), b"");
    assert_eq!(rig.info().backoff, 0);
}

#[test]
fn rfc_6298_5_3_new_data_acknowledged_restarts_the_timer() {
    let mut rig = Rig::established();
    rig.write(1_000);
    rig.write(1_000);
    rig.sent.clear();
    rig.advance(ms(150));
    rig.send(ack(1, 1_001), b"");
    let rto = rig.info().rto;
    rig.advance(rto - ms(1));
    rig.recv_nothing();
    rig.advance(ms(2));
    rig.recv_data(1_001, 1_000);
}

#[test]
fn rfc_6298_5_1_a_duplicate_does_not() {
    let mut rig = Rig::established();
    rig.write(1_000);
    rig.recv();
    rig.advance(ms(150));
    rig.send(ack(1, 1), b"");
    rig.advance(ms(51));
    rig.recv_data(1, 1_000);
}

#[test]
fn rfc_6298_2_4_the_least_time_out_can_be_a_millisecond() {
    let mut rig = Rig::established();
    rig.config.min_rto = ms(1);
    rig.write(100);
    rig.recv();
    rig.advance(ms(29));
    rig.recv_nothing();
    rig.advance(ms(1)); // SRTT 10 ms and four times RTTVAR of 5
    rig.recv_data(1, 100);
}

#[test]
fn rfc_2018_8_a_peer_that_takes_its_sack_back_gets_everything() {
    let mut rig = Rig::established_with_sack();
    rig.write(4_000);
    rig.sent.clear();
    rig.send(sack(1, 1, &[(1_001, 4_001)]), b"");
    rig.recv_data(1, 1_000); // lost as well
    rig.advance(ms(450));
    rig.recv_data(1, 1_000);
    rig.send(ack(1, 1_001), b""); // and the peer has dropped the rest
    rig.recv_data(1_001, 1_000);
    rig.recv_data(2_001, 1_000);
    rig.send(ack(1, 3_001), b"");
    rig.recv_data(3_001, 1_000);
}

#[test]
fn rfc_6675_5_what_was_sacked_after_the_time_out_is_not_sent_again() {
    let mut rig = Rig::established_with_sack();
    rig.write(4_000);
    rig.sent.clear();
    rig.advance(ms(221));
    rig.recv_data(3_001, 1_000); // a tail loss probe, lost as well
    rig.recv_data(1, 1_000);
    rig.send(sack(1, 1_001, &[(2_001, 3_001)]), b"");
    rig.recv_data(1_001, 1_000);
    rig.recv_data(3_001, 1_000);
    rig.recv_nothing();
}

#[test]
fn rfc_5681_3_1_every_time_out_leaves_one_segment_of_window() {
    let mut rig = Rig::established();
    rig.write(10_000);
    rig.sent.clear();
    rig.advance(ms(201));
    rig.recv_data(1, 1_000);
    for i in 1..=3 {
        rig.send(ack(1, 1 + i * 1_000), b"");
    }
    rig.sent.clear(); // these are lost again
    rig.advance(Duration::from_secs(2));
    rig.recv_data(3_001, 1_000);
    assert_eq!(rig.info().cwnd, MSS);
}

#[test]
fn rfc_5681_3_1_the_same_segment_timing_out_again_does_not_lower_the_threshold() {
    let mut rig = Rig::established();
    rig.write(10_000);
    rig.advance(ms(201));
    assert_eq!(rig.info().ssthresh, 5_000);
    rig.advance(ms(2_000));
    assert_eq!((rig.info().ssthresh, rig.info().cwnd), (5_000, 1_000));
}

#[test]
fn rfc_5681_3_2_limited_transmit_does_not_count_as_flight_size() {
    let mut rig = Rig::established();
    rig.write(20_000);
    for _ in 0..3 {
        rig.send(ack(1, 1), b"");
    }
    assert_eq!(rig.info().in_flight, 12_000);
    assert_eq!(rig.info().ssthresh, 5_000, "half of what was under way before");
}

#[test]
fn rfc_3042_at_most_two_new_segments() {
    let mut rig = Rig::established();
    rig.write(50_000);
    rig.sent.clear();
    for _ in 0..2 {
        rig.send(ack(1, 1), b"");
    }
    assert_eq!(rig.sent.drain(..).map(|seen| seen.payload.len()).sum::<usize>(), 2_000);
}

#[test]
fn rfc_3042_the_peers_window_holds_for_them_too() {
    let mut rig = Rig::established();
    rig.send(window(ack(1, 1), 10_000), b"");
    rig.write(50_000);
    rig.sent.clear();
    rig.send(window(ack(1, 1), 10_000), b"");
    rig.send(window(ack(1, 1), 10_000), b"");
    rig.recv_nothing();
}

#[test]
fn rfc_6582_3_2_duplicates_below_the_recovery_point_start_nothing() {
    let mut rig = Rig::established();
    rig.write(10_000);
    rig.sent.clear();
    rig.advance(ms(201));
    rig.recv_data(1, 1_000);
    for _ in 0..5 {
        rig.send(ack(1, 1), b"");
    }
    assert_eq!(rig.counters.fast_recoveries, 0);
}

#[test]
fn rfc_9293_3_8_2_an_application_that_sends_little_does_not_grow_the_window() {
    let mut rig = Rig::established();
    for i in 0..50 {
        rig.write(1_000);
        rig.advance(ms(10));
        rig.send(ack(1, 1_001 + i * 1_000), b"");
    }
    assert_eq!(rig.info().cwnd, 10_000);
}

#[test]
fn rfc_6928_2_a_simultaneous_open_begins_with_ten_segments_too() {
    let mut rig = Rig::connecting(SocketOptions { nodelay: true, ..SocketOptions::default() });
    rig.recv();
    let mut syn = segment(0, 0, SYN);
    syn.options.mss = Some(MSS as u16);
    rig.send(syn, b"");
    rig.recv();
    rig.send(ack(1, 1), b"");
    rig.write(50_000);
    assert_eq!(rig.sent.drain(..).map(|seen| seen.payload.len()).sum::<usize>(), 10_000);
}

#[test]
fn rfc_6298_5_7_three_seconds_after_a_lost_syn_of_a_simultaneous_open() {
    let mut rig = Rig::connecting(SocketOptions { nodelay: true, ..SocketOptions::default() });
    rig.send(segment(0, 0, SYN), b"");
    rig.advance(ms(1_001));
    rig.sent.clear();
    rig.send(ack(1, 1), b"");
    rig.write(100);
    rig.recv();
    rig.advance(ms(2_999));
    rig.recv_nothing();
    rig.advance(ms(2));
    rig.recv_data(1, 100);
}

#[test]
fn the_default_controller_is_cubic() {
    let mut rig = Rig::connecting(SocketOptions { nodelay: true, ..SocketOptions::default() });
    rig.config.congestion = Config::default().congestion;
    rig.recv();
    let mut syn_ack = segment(0, 1, SYN | ACK);
    syn_ack.options.mss = Some(MSS as u16);
    rig.send(syn_ack, b"");
    rig.write(10_000);
    for _ in 0..3 {
        rig.send(ack(1, 1), b"");
    }
    assert_eq!(rig.info().ssthresh, 7_000, "RFC 9438 4.6");
}
