//! Congestion window validation (RFC 7661) beside the restart after idle (RFC 5681 4.1), with NewReno.

use super::*;

fn established(after_idle: AfterIdle) -> Rig {
    let options = SocketOptions { nodelay: true, ..SocketOptions::default() };
    let config = Config { congestion: Algorithm::NewReno, after_idle, ..config() };
    let mut rig = Rig::connecting_with(options, config);
    rig.recv();
    rig.advance(ms(10));
    let options = TcpOptions { mss: Some(MSS as u16), ..TcpOptions::default() };
    rig.send(TcpHeader { options, ..segment(0, 1, SYN | ACK) }, b"");
    rig.recv_ack(1);
    rig
}

/// Writes and has all of it acknowledged, ten milliseconds after each window.
#[track_caller]
fn deliver(rig: &mut Rig, seq: &mut u32, len: usize) {
    rig.write(len);
    let end = *seq + len as u32;
    while *seq < end {
        let sent: usize = rig.sent.drain(..).map(|seen| seen.payload.len()).sum();
        assert!(sent > 0, "nothing goes out at {seq}");
        rig.advance(ms(10));
        *seq += sent as u32;
        rig.send(ack(1, *seq), b"");
    }
}

/// A connection whose window has grown to 40 segments or more, and its next sequence number.
fn grown(after_idle: AfterIdle) -> (Rig, u32) {
    let (mut rig, mut seq) = (established(after_idle), 1);
    deliver(&mut rig, &mut seq, 60_000);
    assert!(rig.info().cwnd >= 40_000);
    (rig, seq)
}

fn sent_at_once(rig: &mut Rig, len: usize) -> usize {
    rig.write(len);
    rig.sent.drain(..).map(|seen| seen.payload.len()).sum()
}

#[test]
fn rfc_7661_4_4_a_window_is_kept_over_a_pause() {
    for pause in [ms(1_000), ms(60_000), ms(299_000)] {
        let (mut rig, _) = grown(AfterIdle::Validate);
        rig.advance(pause);
        assert_eq!(sent_at_once(&mut rig, 40_000), 40_000, "after {pause:?}");
        let (mut rig, _) = grown(AfterIdle::Restart);
        rig.advance(pause);
        assert_eq!(sent_at_once(&mut rig, 40_000), 10_000, "RFC 5681 4.1");
    }
}

#[test]
fn rfc_7661_4_3_a_window_of_which_half_is_used_grows() {
    let (mut rig, mut seq) = grown(AfterIdle::Validate);
    let before = rig.info().cwnd;
    rig.advance(ms(2_000));
    deliver(&mut rig, &mut seq, before as usize / 2);
    assert!(rig.info().cwnd > before, "still {before}");

    let (mut rig, mut seq) = grown(AfterIdle::Restart);
    let before = rig.info().cwnd;
    deliver(&mut rig, &mut seq, before as usize / 2);
    assert_eq!(rig.info().cwnd, before, "else all of it has to be used (RFC 9293 3.8.2)");
}

#[test]
fn rfc_7661_4_2_what_was_used_longer_than_a_second_ago_does_not_count() {
    let (mut rig, mut seq) = grown(AfterIdle::Validate);
    rig.advance(ms(1_100));
    let before = rig.info().cwnd;
    for _ in 0..20 {
        deliver(&mut rig, &mut seq, before as usize / 4);
    }
    assert_eq!(rig.info().cwnd, before);
}

#[test]
fn rfc_7661_4_4_3_after_five_minutes_without_use_half_is_left_and_so_on() {
    let (mut rig, mut seq) = grown(AfterIdle::Validate);
    let window = rig.info().cwnd;
    for (minutes, left) in [(5, window / 2), (15, window / 8)] {
        let (mut rig, _) = grown(AfterIdle::Validate);
        rig.advance(ms(minutes * 60_000));
        rig.write(1);
        assert_eq!(rig.info().cwnd, left.max(10_000), "{minutes} minutes");
        assert!(rig.info().ssthresh > window / 2, "found again in slow start");
    }
    // A little traffic does not make it used; half of it does.
    for _ in 0..10 {
        rig.advance(ms(29_000));
        deliver(&mut rig, &mut seq, 2_000);
    }
    assert_eq!(rig.info().cwnd, window);
    rig.advance(ms(29_000));
    deliver(&mut rig, &mut seq, 2_000);
    assert_eq!(rig.info().cwnd, window / 2);
}

#[test]
fn rfc_7661_4_4_1_after_a_loss_only_what_was_used_counts() {
    let (mut rig, mut seq) = grown(AfterIdle::Validate);
    rig.advance(ms(2_000));
    for _ in 0..5 {
        deliver(&mut rig, &mut seq, 8_000);
    }
    let window = rig.info().cwnd;
    rig.write(6_000);
    rig.sent.clear();
    rig.advance(ms(10));
    for _ in 0..3 {
        rig.send(ack(1, seq), b"");
    }
    rig.recv_data(seq, 1_000);
    assert_eq!(rig.info().ssthresh, 4_000, "half of pipeACK, and not of {window}");
    rig.advance(ms(10));
    rig.send(ack(1, seq + 6_000), b"");
    assert_eq!(rig.info().cwnd, 3_500, "less half of what was sent again");
}

#[test]
fn rfc_7661_4_4_1_a_used_window_answers_a_loss_as_ever() {
    let windows = [AfterIdle::Validate, AfterIdle::Restart].map(|after_idle| {
        let (mut rig, seq) = (established(after_idle), 1);
        rig.write(10_000);
        rig.sent.clear();
        rig.advance(ms(10));
        for _ in 0..3 {
            rig.send(ack(1, seq), b"");
        }
        rig.info().ssthresh
    });
    assert_eq!(windows, [5_000; 2]);
}

#[test]
fn rfc_7661_4_4_1_a_time_out_begins_with_one_segment_and_half_of_what_was_used() {
    let (mut rig, mut seq) = grown(AfterIdle::Validate);
    rig.advance(ms(2_000));
    deliver(&mut rig, &mut seq, 8_000);
    rig.write(2_000);
    rig.advance(ms(300));
    assert_eq!((rig.info().cwnd, rig.info().ssthresh), (1_000, 4_000));
}

/// Goes on until everything up to `end` is acknowledged, ten milliseconds after each window; `more` is written while the
/// last of it is under way.
#[track_caller]
fn recover(rig: &mut Rig, mut seq: u32, end: u32, more: usize) {
    while seq < end {
        let sent: usize = rig.sent.drain(..).map(|seen| seen.payload.len()).sum();
        assert!(sent > 0, "nothing goes out at {seq}");
        seq += sent as u32;
        if seq >= end {
            rig.write(more);
        }
        rig.advance(ms(10));
        rig.send(ack(1, seq), b"");
    }
}

/// A second window of 20 segments is under way, number 10,001 its first, and the first one was as full as that.
fn fully_used(after_idle: AfterIdle, len: usize) -> Rig {
    let mut rig = established(after_idle);
    rig.write(len);
    rig.advance(ms(10));
    rig.send(ack(1, 10_001), b"");
    assert_eq!((rig.info().cwnd, rig.info().in_flight), (20_000, 20_000));
    rig.sent.clear();
    rig
}

#[test]
fn rfc_7661_4_4_1_a_used_window_is_no_smaller_after_a_fast_recovery() {
    let windows = [AfterIdle::Validate, AfterIdle::Restart].map(|after_idle| {
        let mut rig = fully_used(after_idle, 60_000);
        // Half of it is lost: each partial acknowledgment brings out one segment of that.
        rig.advance(ms(10));
        (0..10).for_each(|_| rig.send(ack(1, 10_001), b""));
        for lost in 1..10 {
            rig.advance(ms(10));
            rig.send(ack(1, 10_001 + 1_000 * lost), b"");
        }
        assert_eq!((rig.counters.fast_recoveries, rig.counters.rto), (1, 0));
        rig.advance(ms(10));
        rig.send(ack(1, 32_001), b""); // with what limited transmit has added
        rig.info().cwnd
    });
    assert_eq!(windows, [11_000; 2], "half, and a segment for the acknowledgment that ends it");
}

#[test]
fn rfc_7661_4_4_1_a_used_window_is_no_smaller_after_a_time_out() {
    let windows = [AfterIdle::Validate, AfterIdle::Restart].map(|after_idle| {
        let mut rig = fully_used(after_idle, 30_000);
        rig.advance(ms(300)); // all of it is lost
        assert_eq!((rig.counters.rto, rig.info().cwnd), (1, 1_000));
        recover(&mut rig, 10_001, 30_001, 20_000);
        rig.info().cwnd
    });
    assert_eq!(windows[0], windows[1]);
    assert!(windows[0] >= 10_000, "half of what was under way, at least: {windows:?}");
}
