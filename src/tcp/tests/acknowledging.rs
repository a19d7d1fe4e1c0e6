//! When acknowledgments go out and what they say: delays, SACK, D-SACK.

use super::*;
use crate::wire::Timestamps;

/// Past the first segments, which are acknowledged one by one; the next number of the peer's.
#[track_caller]
fn warmed_up(mut rig: Rig) -> (Rig, u32) {
    for i in 0..16 {
        rig.send(ack(1 + i * MSS, 1), &[7; MSS as usize]);
        rig.recv_ack(1 + (i + 1) * MSS);
    }
    rig.read().unwrap();
    rig.sent.clear();
    (rig, 1 + 16 * MSS)
}

/// The peer is in its first windows, and needs every acknowledgment to open them (RFC 5681 3.1).
#[test]
fn rfc_5681_3_1_the_first_segments_are_acknowledged_one_by_one() {
    let mut rig = Rig::established();
    for i in 0..16 {
        rig.send(ack(1 + i, 1), b"x");
        rig.recv_ack(2 + i);
    }
    rig.send(ack(17, 1), b"x");
    rig.recv_nothing();
}

#[test]
fn rfc_9293_3_8_6_3_the_delay_counts_from_the_first_unacknowledged_byte() {
    let (mut rig, seq) = warmed_up(Rig::established());
    for i in 0..3 {
        rig.send(ack(seq + i, 1), b"x");
        rig.advance(ms(13));
        rig.recv_nothing();
    }
    rig.advance(ms(1));
    rig.recv_ack(seq + 3);
    rig.advance(ms(500));
    rig.recv_nothing();
}

#[test]
fn rfc_9293_3_8_6_3_every_second_full_segment_is_acknowledged() {
    let (mut rig, seq) = warmed_up(Rig::established());
    for i in 0..10 {
        rig.send(ack(seq + 2 * i * MSS, 1), &[0; MSS as usize]);
        rig.recv_nothing();
        rig.send(ack(seq + (2 * i + 1) * MSS, 1), &[0; MSS as usize]);
        rig.recv_ack(seq + (2 * i + 2) * MSS);
    }
}

#[test]
fn rfc_9293_3_8_6_3_a_super_packet_counts_its_bytes() {
    let (mut rig, seq) = warmed_up(Rig::established());
    let meta = SegmentMeta { received_at: rig.now, gso_size: MSS as u16, ..SegmentMeta::default() };
    let mut chunk = Chunk::copy_of(&[0; 2 * MSS as usize]);
    let reset = rig.with(|connection, cx| connection.handle_segment(cx, &ack(seq, 1), &meta, &mut chunk));
    assert_eq!(reset, None);
    rig.transmit();
    rig.recv_ack(seq + 2 * MSS);
}

#[test]
fn rfc_5681_4_2_whatever_touches_a_gap_is_acknowledged_at_once() {
    let (mut rig, seq) = warmed_up(Rig::established());
    rig.send(ack(seq + 10, 1), b"later");
    rig.recv_ack(seq);
    rig.send(ack(seq, 1), b"01234"); // half of the gap
    rig.recv_ack(seq + 5);
    rig.send(ack(seq + 5, 1), b"56789"); // the rest
    rig.recv_ack(seq + 15);
    rig.send(ack(seq + 15, 1), b"x"); // and back to delays
    rig.recv_nothing();
}

#[test]
fn rfc_9293_3_8_6_3_a_fin_is_acknowledged_at_once() {
    let (mut rig, seq) = warmed_up(Rig::established());
    rig.send(segment(seq, 1, FIN | ACK), b"");
    rig.recv_ack(seq + 1);
}

#[test]
fn rfc_5681_4_2_old_data_is_acknowledged_at_once() {
    let (mut rig, seq) = warmed_up(Rig::established());
    rig.send(ack(seq - 10, 1), &[0; 10]);
    rig.recv_ack(seq);
}

#[test]
fn rfc_2018_3_four_blocks_without_timestamps_three_with_them() {
    for (timestamps, most) in [(None, 4), (Some(Timestamps { value: 1, echo: 0 }), 3)] {
        let offer = TcpOptions { sack_permitted: true, timestamps, ..TcpOptions::default() };
        let mut rig = Rig::established_with(SocketOptions::default(), offer);
        for i in 1..=6 {
            rig.send(ack(10 * i, 1), b"abc");
        }
        let last = rig.sent.pop_back().unwrap();
        let newest_first: Vec<_> = (1..=6).rev().take(most).map(|i| (10 * i, 10 * i + 3)).collect();
        assert_eq!(last.sack(), newest_first);
        assert!(last.header.wire_len() <= TcpHeader::MAX_LEN);
    }
}

#[test]
fn rfc_2018_2_no_blocks_unless_permitted() {
    let mut rig = Rig::established();
    rig.send(ack(10, 1), b"abc");
    assert!(rig.recv_ack(1).sack().is_empty());
}

#[test]
fn rfc_2018_4_blocks_ride_on_data_too() {
    let mut rig = Rig::established_with_sack();
    rig.send(ack(10, 1), b"abc");
    rig.recv_ack(1);
    rig.write(5_000);
    let seen = rig.recv();
    assert_eq!(seen.sack(), [(10, 13)]);
    assert_eq!(seen.gso_size, 988, "room for the blocks is taken from the payload (RFC 6691 3)");
}

#[test]
fn rfc_2883_4_1_a_duplicate_above_the_acknowledgment_comes_before_the_block_that_holds_it() {
    let mut rig = Rig::established_with_sack();
    rig.send(ack(11, 1), b"0123456789");
    rig.send(ack(21, 1), b"0123456789");
    rig.sent.clear();
    rig.send(ack(11, 1), b"0123456789");
    assert_eq!(rig.recv_ack(1).sack(), [(11, 21), (11, 31)]);
    rig.send(ack(41, 1), b"x");
    assert_eq!(rig.recv_ack(1).sack(), [(41, 42), (11, 31)], "reported once");
}

#[test]
fn rfc_2883_4_2_of_a_partial_duplicate_only_what_came_twice_is_reported() {
    let mut rig = Rig::established_with_sack();
    rig.send(ack(1, 1), b"abcd");
    rig.recv_ack(5);
    rig.send(ack(3, 1), b"cdef");
    assert_eq!(rig.recv_ack(7).sack(), [(3, 5)]);
    rig.send(ack(11, 1), b"klmn");
    rig.recv_ack(7);
    rig.send(ack(13, 1), b"mnop");
    assert_eq!(rig.recv_ack(7).sack(), [(13, 15), (11, 17)]);
    rig.send(ack(7, 1), b"ghij");
    rig.recv_ack(17);
    assert_eq!(rig.read().unwrap(), b"abcdefghijklmnop");
}

#[test]
fn rfc_2883_5_a_senders_duplicate_blocks_mark_nothing() {
    let mut rig = Rig::established_with_sack();
    rig.write(10_000);
    rig.sent.clear();
    rig.send(ack(1, 3_001), b"");
    for _ in 0..10 {
        rig.send(sack(1, 3_001, &[(1, 1_001)]), b""); // our retransmissions were needless
    }
    rig.recv_nothing();
    assert_eq!(rig.counters.fast_recoveries, 0);
}

#[test]
fn only_the_acknowledgment_of_data_in_order_can_wait() {
    let busy = || {
        let mut rig = Rig::established();
        for i in 0..40 {
            rig.send(ack(1 + i * 1_000, 1), &[0; 1_000]); // beyond the first windows
        }
        rig.sent.clear();
        assert!(rig.connection.output_can_wait(), "nothing to send");
        rig
    };
    let mut rig = busy();
    for i in 40..44 {
        rig.send_quietly(ack(1 + i * 1_000, 1), &[0; 1_000]);
    }
    assert!(rig.connection.output_can_wait());
    rig.transmit();
    rig.recv_ack(44_001);
    rig.recv_nothing();

    let mut rig = busy();
    rig.send_quietly(ack(41_001, 1), &[0; 1_000]);
    assert!(!rig.connection.output_can_wait(), "a gap");
    let mut rig = busy();
    rig.send_quietly(ack(1, 1), &[0; 1_000]);
    assert!(!rig.connection.output_can_wait(), "a duplicate");
    let mut rig = busy();
    rig.send_quietly(segment(40_001, 1, FIN | ACK), b"");
    assert!(!rig.connection.output_can_wait(), "the end");
    let mut rig = busy();
    rig.with(|connection, cx| connection.write(cx.pool, b"data")).unwrap();
    assert!(!rig.connection.output_can_wait(), "data");
}
