//! RACK and the tail loss probe (RFC 8985). The handshake of the rig has measured 10 ms.

use super::*;

/// Ten segments under way, 10 ms old.
fn ten_under_way() -> Rig {
    let mut rig = Rig::established_with_sack();
    rig.write(10_000);
    rig.sent.clear();
    rig.advance(ms(10));
    rig
}

#[test]
fn rfc_8985_6_2_a_single_hole_waits_a_quarter_of_a_round_trip() {
    let mut rig = ten_under_way();
    rig.send(sack(1, 1, &[(1_001, 2_001)]), b"");
    rig.advance(ms(2));
    rig.recv_nothing();
    rig.advance(ms(1));
    rig.recv_data(1, 1_000);
    rig.recv_nothing();
    assert_eq!(rig.counters.fast_recoveries, 1);
}

#[test]
fn rfc_8985_6_2_what_comes_within_the_window_was_only_reordered() {
    let mut rig = ten_under_way();
    rig.send(sack(1, 1, &[(1_001, 2_001)]), b"");
    rig.advance(ms(2));
    rig.send(ack(1, 2_001), b"");
    rig.advance(ms(10));
    assert_eq!((rig.counters.fast_recoveries, rig.counters.retransmissions), (0, 0));
    assert!(rig.connection.reordering.seen);
}

/// RFC 6675 4 counts bytes: three small segments are not more than two full ones.
#[test]
fn small_segments_above_a_hole_are_given_time_to_be_overtaken() {
    let mut rig = Rig::established_with_sack();
    (0..4).for_each(|_| rig.write(400));
    rig.sent.clear();
    rig.advance(ms(10));
    rig.send(sack(1, 1, &[(401, 1_601)]), b"");
    rig.advance(ms(2));
    rig.recv_nothing();
    rig.advance(ms(1));
    rig.recv_data(1, 400);
}

/// The acknowledgment of the first segment was lost: the next tells of a second and of a fourth at once.
#[test]
fn rfc_8985_6_2_one_acknowledgment_of_several_segments_is_no_reordering() {
    let mut rig = ten_under_way();
    rig.send(sack(1, 2_001, &[(3_001, 4_001)]), b"");
    assert!(!rig.connection.reordering.seen);
}

#[test]
fn rfc_8985_6_2_three_segments_above_a_hole_are_enough_until_reordering_is_seen() {
    let mut rig = ten_under_way();
    rig.send(sack(1, 1, &[(1_001, 4_001)]), b"");
    rig.recv_data(1, 1_000);

    let mut rig = ten_under_way();
    rig.connection.reordering.seen = true;
    rig.send(sack(1, 1, &[(1_001, 4_001)]), b"");
    rig.advance(ms(2));
    rig.recv_nothing();
    rig.advance(ms(1));
    rig.recv_data(1, 1_000);
}

#[test]
fn rfc_8985_6_2_a_d_sack_widens_the_window_once_a_round_trip() {
    let mut rig = ten_under_way();
    rig.connection.reordering.seen = true;
    rig.send(sack(1, 1_001, &[(1, 1_001)]), b"");
    rig.send(sack(1, 1_001, &[(1, 1_001)]), b"");
    rig.send(sack(1, 1_001, &[(2_001, 5_001)]), b"");
    rig.advance(ms(4));
    rig.recv_nothing();
    rig.advance(ms(2));
    rig.recv_data(1_001, 1_000);
}

#[test]
fn rfc_8985_5_a_lost_retransmission_is_found_by_what_was_sent_after_it() {
    let mut rig = ten_under_way();
    rig.write(5_000);
    rig.send(sack(1, 1, &[(1_001, 9_001)]), b"");
    rig.recv_data(1, 1_000);
    assert!(!rig.sent.is_empty(), "new data behind it");
    rig.sent.clear();
    rig.advance(ms(10));
    rig.send(sack(1, 1, &[(1_001, 10_001)]), b"");
    assert_eq!(rig.counters.retransmissions, 1, "this was sent before it");
    rig.sent.clear();
    rig.send(sack(1, 1, &[(1_001, 11_001)]), b"");
    rig.recv_data(1, 1_000);
    assert_eq!(rig.counters.rto, 0);
}

#[test]
fn rfc_8985_7_3_the_last_segment_is_sent_again_after_two_round_trips() {
    let mut rig = Rig::established_with_sack();
    rig.write(2_500);
    rig.sent.clear();
    rig.advance(ms(19));
    rig.recv_nothing();
    rig.advance(ms(1));
    rig.recv_data(2_001, 500);
    assert_eq!((rig.info().cwnd, rig.counters.tail_probes), (10_000, 1));
    rig.advance(ms(199));
    rig.recv_nothing();
    rig.advance(ms(1));
    rig.recv_data(1, 1_000);
    assert_eq!(rig.counters.rto, 1, "one probe, then the timer");
}

#[test]
fn rfc_8985_7_3_new_data_is_the_better_probe() {
    let mut rig = Rig::established_with_sack();
    rig.write(12_000);
    rig.sent.clear();
    rig.advance(ms(20));
    rig.recv_data(10_001, 1_000);
    rig.recv_nothing();
}

#[test]
fn rfc_8985_7_3_the_probe_shows_what_was_lost() {
    let mut rig = Rig::established_with_sack();
    rig.write(4_000);
    rig.sent.clear();
    rig.advance(ms(20));
    rig.recv_data(3_001, 1_000);
    rig.advance(ms(10));
    rig.send(sack(1, 1_001, &[(3_001, 4_001)]), b"");
    rig.advance(ms(3));
    rig.recv_data(1_001, 1_000);
    rig.advance(ms(10));
    rig.send(sack(1, 2_001, &[(3_001, 4_001)]), b"");
    rig.recv_data(2_001, 1_000);
    assert_eq!((rig.counters.rto, rig.counters.fast_recoveries), (0, 1));
}

#[test]
fn rfc_8985_7_2_no_probe_while_something_is_missing_or_without_sack() {
    let mut rig = Rig::established();
    rig.write(2_000);
    rig.sent.clear();
    rig.advance(ms(199));
    rig.recv_nothing();

    let mut rig = ten_under_way();
    rig.send(sack(1, 1, &[(1_001, 10_001)]), b"");
    rig.recv_data(1, 1_000);
    rig.advance(ms(100));
    assert_eq!(rig.counters.tail_probes, 0);
}

#[test]
fn rfc_8985_7_4_a_loss_that_the_probe_repaired_counts_as_congestion() {
    let mut rig = Rig::established_with_sack();
    rig.write(4_000);
    rig.sent.clear();
    rig.advance(ms(20));
    rig.recv_data(3_001, 1_000);
    rig.send(ack(1, 4_001), b"");
    assert_eq!(rig.info().cwnd, 10_000, "nobody knows yet");
    rig.write(1_000);
    rig.send(ack(1, 5_001), b"");
    assert_eq!(rig.counters.tail_probe_repairs, 1);
    assert!(rig.info().cwnd < 10_000);
}

#[test]
fn rfc_8985_7_4_a_probe_that_arrived_as_well_changes_nothing() {
    let mut rig = Rig::established_with_sack();
    rig.write(4_000);
    rig.sent.clear();
    rig.advance(ms(20));
    rig.recv_data(3_001, 1_000);
    rig.send(ack(1, 4_001), b"");
    rig.send(sack(1, 4_001, &[(3_001, 4_001)]), b"");
    rig.write(1_000);
    rig.send(ack(1, 5_001), b"");
    assert_eq!((rig.info().cwnd, rig.counters.tail_probe_repairs), (10_000, 0));
}

#[test]
fn rfc_8985_7_3_one_probe_until_something_is_measured() {
    let mut rig = Rig::established_with_sack();
    rig.write(1_000);
    rig.advance(ms(200));
    rig.send(ack(1, 1_001), b"");
    rig.send(sack(1, 1_001, &[(1, 1_001)]), b"");
    rig.write(2_000);
    rig.sent.clear();
    rig.advance(ms(199));
    rig.recv_nothing();
    rig.send(ack(1, 2_001), b"");
    rig.advance(ms(30));
    assert_eq!(rig.counters.tail_probes, 1, "Karn: that was not measured by the first");
}
