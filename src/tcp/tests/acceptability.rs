//! The acceptability test of RFC 9293 3.10.7.4 (its table is in 3.4), case by case.

use super::*;

const WINDOW: u32 = 4_096;

/// RCV.NXT is 1, RCV.WND is [`WINDOW`].
fn open() -> Rig {
    let options = SocketOptions { receive_buffer: WINDOW as usize, ..SocketOptions::default() };
    Rig::established_with(options, TcpOptions::default())
}

/// RCV.NXT is `WINDOW + 1`, RCV.WND is 0.
fn closed() -> Rig {
    let mut rig = open();
    rig.send(ack(1, 1), &[0; WINDOW as usize]);
    assert_eq!(rig.recv_ack(WINDOW + 1).header.window, 0);
    rig
}

/// Whether a segment passes the test; one that does not is dropped and acknowledged.
#[track_caller]
fn accepts(rig: &mut Rig, seq: u32, len: usize) -> bool {
    let before = rig.counters.out_of_window;
    rig.send(ack(seq, 1), &vec![0; len]);
    let dropped = rig.counters.out_of_window > before;
    if dropped {
        assert_eq!(rig.recv().header.flags, ACK, "{seq} {len}");
    }
    !dropped
}

#[test]
fn rfc_9293_3_4_length_0_window_0() {
    assert!(accepts(&mut closed(), WINDOW + 1, 0));
    for seq in [0, 1, WINDOW, WINDOW + 2, WINDOW + 1 + (1 << 31)] {
        assert!(!accepts(&mut closed(), seq, 0), "{seq}");
    }
}

#[test]
fn rfc_9293_3_4_length_0_window_open() {
    for seq in [1, 2, WINDOW] {
        assert!(accepts(&mut open(), seq, 0), "{seq}");
    }
    for seq in [0, WINDOW + 1, 1 + (1 << 31), u32::MAX] {
        assert!(!accepts(&mut open(), seq, 0), "{seq}");
    }
}

/// The table says that none is acceptable; the text behind it allows for the rest of a segment at RCV.NXT, so that
/// acknowledgments get through. The payload is dropped in any case.
#[test]
fn rfc_9293_3_4_length_above_0_window_0() {
    let mut rig = closed();
    assert!(accepts(&mut rig, WINDOW + 1, 10));
    assert_eq!(rig.recv_ack(WINDOW + 1).header.window, 0);
    assert_eq!(rig.read().unwrap().len(), WINDOW as usize);
    for seq in [WINDOW, WINDOW + 2, WINDOW - 9] {
        assert!(!accepts(&mut closed(), seq, 1), "{seq}");
    }
}

#[test]
fn rfc_9293_3_4_length_above_0_window_open() {
    for (seq, len) in [(1, 1), (WINDOW, 1), (WINDOW, 100), (u32::MAX, 3), (0, 2)] {
        assert!(accepts(&mut open(), seq, len), "{seq} {len}");
    }
    for (seq, len) in [
        (0, 1),
        (u32::MAX, 2),
        (WINDOW + 1, 1),
        (WINDOW + 100, 100),
        (1 + (1 << 31), 10),
        (0, WINDOW as usize + 100),
    ] {
        assert!(!accepts(&mut open(), seq, len), "{seq} {len}");
    }
}

#[test]
fn rfc_9293_3_4_a_fin_counts_one() {
    let mut rig = open();
    rig.send(ack(1, 1), b"abc");
    rig.recv_ack(4);
    rig.send(segment(3, 1, FIN | ACK), b""); // an old FIN that ends just before the window
    assert_eq!(rig.counters.out_of_window, 1);
    rig.recv_ack(4);
    assert_eq!(rig.connection.state(), State::Established);
    rig.send(segment(3, 1, FIN | ACK), b"c"); // and one whose last octet is in it
    rig.recv_ack(5);
    assert_eq!(rig.connection.state(), State::CloseWait);
}

#[test]
fn rfc_9293_3_10_7_4_what_lies_outside_is_cut_off_with_its_fin() {
    let mut rig = open();
    rig.send(segment(1, 1, FIN | ACK), &[3; WINDOW as usize + 1]);
    rig.recv_ack(WINDOW + 1);
    assert_eq!(rig.connection.state(), State::Established);
    assert_eq!(rig.read().unwrap(), [3; WINDOW as usize]);
}

#[test]
fn rfc_9293_3_10_7_4_the_text_of_an_old_acknowledgment_is_still_taken() {
    let mut rig = open();
    rig.write(10);
    rig.recv();
    rig.send(ack(1, 11), b"a");
    rig.recv_ack(2);
    rig.send(ack(2, 1), b"b"); // sent before the peer saw our data
    rig.recv_ack(3);
    assert_eq!(rig.read().unwrap(), b"ab");
    assert_eq!(rig.info().in_flight, 0);
}

/// Nobody has received what was never sent: the window below SND.UNA ends at our first octet. Else a stranger who guesses
/// needs one segment for a whole window of acknowledgment numbers (found beside Linux).
#[test]
fn rfc_5961_5_2_an_acknowledgment_from_before_our_first_octet_is_dropped_with_its_text() {
    let mut rig = open();
    rig.write(10);
    rig.recv();
    rig.send(ack(1, 11), b"a");
    rig.recv_ack(2);
    for never_sent in [0, u32::MAX, 0u32.wrapping_sub(50_000)] {
        let before = rig.counters.bad_ack;
        rig.send(ack(2, never_sent), b"b");
        assert_eq!(rig.counters.bad_ack, before + 1, "{never_sent}");
    }
    rig.send(ack(2, 1), b"b");
    assert_eq!(rig.read().unwrap(), b"ab", "our first octet is as old as an honest one gets");
}

/// Once more than a window has been acknowledged, the window is what counts (RFC 5961 5.2).
#[test]
fn rfc_5961_5_2_later_on_the_window_is_what_counts() {
    let mut rig = open();
    for round in 0..80 {
        rig.write(1_000);
        rig.sent.clear();
        rig.send(ack(1, 1 + 1_000 * (round + 1)), b"");
    }
    rig.sent.clear();
    rig.send(ack(1, 80_001 - 60_000), b"a");
    rig.recv_ack(2);
    rig.send(ack(2, 80_000 - 60_000), b"b");
    assert_eq!(rig.read().unwrap(), b"a");
    assert_eq!(rig.counters.bad_ack, 1);
}
