//! Recoveries and time-outs that were needless (RFC 3522, 3708, 4015, 5682).

use super::*;
use crate::wire::Timestamps;

fn with_timestamps() -> Rig {
    let timestamps = Some(Timestamps { value: 500, echo: 0 });
    let offer = TcpOptions { timestamps, sack_permitted: true, ..TcpOptions::default() };
    Rig::established_with(SocketOptions { nodelay: true, ..SocketOptions::default() }, offer)
}

/// The acknowledgment `header`, with an echo.
fn echoing(mut header: TcpHeader, echo: u32) -> TcpHeader {
    header.options.timestamps = Some(Timestamps { value: 501, echo });
    header
}

fn tsval(seen: &Seen) -> u32 {
    seen.header.options.timestamps.unwrap().value
}

#[test]
fn rfc_3522_3_2_an_echo_from_before_the_copy_undoes_a_time_out() {
    let mut rig = with_timestamps();
    rig.write(900);
    let original = rig.recv();
    rig.advance(ms(401)); // a tail loss probe, then the timer
    assert_eq!(rig.counters.rto, 1);
    assert_eq!(rig.info().cwnd, 988);
    rig.send(echoing(ack(1, 901), tsval(&original)), b"");
    assert_eq!((rig.info().cwnd, rig.counters.spurious_timeouts), (9_880, 1));
    assert_eq!(rig.info().backoff, 0);
}

#[test]
fn rfc_3522_3_2_an_echo_of_the_copy_does_not() {
    let mut rig = with_timestamps();
    rig.write(900);
    rig.advance(ms(401));
    let copy = rig.sent.pop_back().unwrap();
    rig.send(echoing(ack(1, 901), tsval(&copy)), b"");
    assert_eq!((rig.info().ssthresh < 9_880, rig.counters.spurious_timeouts), (true, 0));
}

#[test]
fn rfc_4015_3_a_recovery_that_only_saw_reordering_is_undone() {
    let mut rig = with_timestamps();
    rig.write(9_880);
    let original = tsval(&rig.recv());
    rig.sent.clear();
    rig.advance(ms(10));
    rig.send(echoing(sack(1, 1, &[(989, 989 + 3 * 988)]), original), b"");
    rig.recv_data(1, 988);
    assert!(rig.info().ssthresh < 9_880);
    rig.advance(ms(1));
    rig.send(echoing(ack(1, 989 + 3 * 988), original), b"");
    assert_eq!((rig.info().ssthresh, rig.counters.spurious_recoveries), (u32::MAX, 1));
    assert_eq!(rig.info().cwnd, 9_880);
}

#[test]
fn rfc_3708_4_a_d_sack_of_all_that_was_sent_again_undoes_it() {
    let mut rig = Rig::established_with_sack();
    rig.write(10_000);
    rig.sent.clear();
    rig.advance(ms(10));
    rig.send(sack(1, 1, &[(2_001, 5_001)]), b"");
    rig.advance(ms(5));
    rig.send(sack(1, 1, &[(2_001, 10_001)]), b"");
    rig.advance(ms(5));
    assert_eq!(rig.counters.retransmissions, 2, "both holes");
    rig.send(ack(1, 10_001), b"");
    assert_eq!(rig.info().cwnd, 5_000);
    rig.send(sack(1, 10_001, &[(1, 1_001)]), b"");
    assert_eq!(rig.counters.spurious_recoveries, 0, "one of them");
    rig.send(sack(1, 10_001, &[(1_001, 2_001)]), b"");
    assert_eq!((rig.info().cwnd, rig.counters.spurious_recoveries), (10_000, 1));
    rig.send(sack(1, 10_001, &[(1_001, 2_001)]), b"");
    assert_eq!(rig.counters.spurious_recoveries, 1, "once");
}

#[test]
fn rfc_3708_4_after_a_loss_that_was_one_nothing_is_undone() {
    let mut rig = Rig::established_with_sack();
    rig.write(10_000);
    rig.advance(ms(10));
    rig.send(sack(1, 1, &[(2_001, 5_001)]), b"");
    rig.advance(ms(5));
    rig.send(sack(1, 1, &[(2_001, 10_001)]), b"");
    rig.advance(ms(5));
    rig.send(ack(1, 10_001), b"");
    rig.send(sack(1, 10_001, &[(1, 1_001)]), b"");
    rig.write(1_000);
    rig.send(ack(1, 11_001), b"");
    assert!(rig.connection.active.undo.is_none(), "it is settled");
    rig.send(sack(1, 11_001, &[(1_001, 2_001)]), b"");
    assert_eq!(rig.counters.spurious_recoveries, 0);
}

/// Ten segments, the timer has fired, the first has gone out again.
fn timed_out() -> Rig {
    let mut rig = Rig::established();
    rig.write(30_000);
    rig.sent.clear();
    rig.advance(ms(201));
    rig.recv_data(1, 1_000);
    rig
}

#[test]
fn rfc_5682_2_1_two_acknowledgments_of_originals_undo_the_time_out() {
    let mut rig = timed_out();
    rig.send(ack(1, 1_001), b"");
    rig.recv_data(10_001, 1_000); // step 2b: new data
    rig.recv_data(11_001, 1_000);
    rig.recv_nothing();
    rig.send(ack(1, 2_001), b"");
    assert_eq!(rig.counters.spurious_timeouts, 1);
    assert_eq!((rig.info().cwnd, rig.info().ssthresh), (10_000, u32::MAX));
    assert_eq!(rig.counters.retransmissions, 1, "and nothing is sent again");
    assert_eq!(rig.sent.iter().map(Seen::seq).min(), None, "ten are still under way");
}

#[test]
fn rfc_5682_2_1_a_duplicate_after_the_new_data_means_a_loss() {
    let mut rig = timed_out();
    rig.send(ack(1, 1_001), b"");
    rig.sent.clear();
    rig.send(ack(1, 1_001), b"");
    assert_eq!(rig.recv().seq(), 1_001);
    rig.send(ack(1, 2_001), b"");
    assert_eq!(rig.counters.spurious_timeouts, 0);
    assert_eq!(rig.info().ssthresh, 5_000);
}

#[test]
fn rfc_5682_2_1_without_new_data_recovery_is_the_usual_one() {
    let mut rig = Rig::established();
    rig.write(10_000);
    rig.sent.clear();
    rig.advance(ms(201));
    rig.recv_data(1, 1_000);
    rig.send(ack(1, 1_001), b"");
    rig.recv_data(1_001, 1_000);
    rig.recv_data(2_001, 1_000);
}

#[test]
fn rfc_5682_3_1_with_sack_the_originals_show_themselves_out_of_order() {
    let mut rig = Rig::established_with_sack();
    rig.write(30_000);
    rig.sent.clear();
    rig.advance(ms(20)); // a tail loss probe
    rig.recv_data(10_001, 1_000);
    rig.advance(ms(200));
    rig.recv_data(1, 1_000);
    rig.send(ack(1, 1_001), b"");
    rig.recv_data(11_001, 1_000);
    rig.recv_data(12_001, 1_000);
    rig.send(sack(1, 1_001, &[(4_001, 5_001)]), b"");
    assert_eq!(rig.counters.spurious_timeouts, 1);
}

#[test]
fn rfc_5682_3_1_sacks_of_new_data_alone_mean_a_loss() {
    let mut rig = Rig::established_with_sack();
    rig.write(30_000);
    rig.advance(ms(221));
    rig.send(ack(1, 1_001), b"");
    rig.sent.clear();
    rig.send(sack(1, 1_001, &[(11_001, 12_001)]), b"");
    assert_eq!(rig.recv().seq(), 1_001);
    assert_eq!(rig.counters.spurious_timeouts, 0);
}
