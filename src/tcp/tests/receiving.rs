use super::*;
use crate::wire::Timestamps;

/// Past the first segments, which are acknowledged one by one.
#[track_caller]
fn warmed_up(mut rig: Rig) -> (Rig, u32) {
    for i in 0..16 {
        rig.send(ack(1 + i * MSS, 1), &[7; MSS as usize]);
        rig.recv_ack(1 + (i + 1) * MSS);
    }
    while rig.read().is_ok() {}
    rig.sent.clear();
    (rig, 1 + 16 * MSS)
}

#[test]
fn in_order_data_is_delivered_and_acknowledged() {
    let mut rig = Rig::established();
    rig.send(ack(1, 1), b"hello");
    rig.recv_ack(6);
    assert!(rig.connection.take_events().readable);
    assert_eq!(rig.read().unwrap(), b"hello");
    assert_eq!(rig.read(), Err(Error::WouldBlock));
}

#[test]
fn rfc_9293_3_8_6_3_a_single_segment_waits_40_ms_for_company() {
    let (mut rig, seq) = warmed_up(Rig::established());
    rig.send(ack(seq, 1), b"one");
    rig.recv_nothing();
    rig.advance(ms(39));
    rig.recv_nothing();
    rig.advance(ms(1));
    rig.recv_ack(seq + 3);
}

#[test]
fn rfc_9293_3_8_6_3_two_full_segments_are_acknowledged_when_the_turn_ends() {
    let (mut rig, seq) = warmed_up(Rig::established());
    for i in 0..6 {
        rig.send_quietly(ack(seq + i * MSS, 1), &[0; MSS as usize]);
    }
    rig.recv_nothing();
    rig.transmit();
    rig.recv_ack(seq + 6 * MSS);
    rig.recv_nothing();
}

#[test]
fn an_acknowledgment_rides_on_data() {
    let (mut rig, seq) = warmed_up(Rig::established());
    rig.send(ack(seq, 1), b"request");
    rig.write(8);
    assert_eq!(rig.recv_data(1, 8).ack(), seq + 7);
    rig.advance(ms(100));
    rig.recv_nothing();
}

#[test]
fn rfc_5681_4_2_out_of_order_is_acknowledged_at_once_with_sack() {
    let (mut rig, seq) = warmed_up(Rig::established_with_sack());
    rig.send(ack(seq + 10, 1), b"later");
    assert_eq!(rig.recv_ack(seq).sack(), [(seq + 10, seq + 15)]);
    rig.send(ack(seq + 20, 1), b"last");
    assert_eq!(rig.recv_ack(seq).sack(), [(seq + 20, seq + 24), (seq + 10, seq + 15)]);
    rig.send(ack(seq, 1), b"0123456789");
    assert_eq!(rig.recv_ack(seq + 15).sack(), [(seq + 20, seq + 24)]);
    assert_eq!(rig.read().unwrap(), b"0123456789later");
}

#[test]
fn rfc_2883_4_a_duplicate_is_reported_once() {
    let mut rig = Rig::established_with_sack();
    rig.send(ack(1, 1), b"abcdef");
    rig.recv_ack(7);
    rig.send(ack(3, 1), b"cdef");
    assert_eq!(rig.recv_ack(7).sack(), [(3, 7)]);
    rig.send(ack(7, 1), b"g");
    assert!(rig.recv_ack(8).sack().is_empty());
}

#[test]
fn rfc_2883_4_2_what_fills_a_gap_and_goes_on_into_what_was_there_is_reported() {
    let mut rig = Rig::established_with_sack();
    rig.send(ack(4, 1), b"def");
    rig.recv_ack(1);
    rig.send(ack(1, 1), b"abcdefgh");
    assert_eq!(rig.recv_ack(9).sack(), [(4, 7)]);
    rig.send(ack(11, 1), b"kl");
    rig.recv_ack(9);
    rig.send(ack(7, 1), b"ghijk");
    assert_eq!(rig.recv_ack(13).sack(), [(7, 9)], "of two, the one below the acknowledgment before");
}

/// RFC 5961 5.2 discards the segment: a stranger's guess must not have us tell the peer of a duplicate that undoes what
/// it knows of its losses.
#[test]
fn rfc_5961_5_2_what_is_discarded_is_reported_by_no_block() {
    let mut rig = Rig::established_with_sack();
    rig.send(ack(1, 1), b"abcdef");
    rig.recv_ack(7);
    rig.send(ack(3, 5_000), b"cdefg");
    rig.advance(ms(100));
    assert!(rig.recv_ack(7).sack().is_empty());
}

/// The two arrive together, so that nothing goes out in between.
#[test]
fn rfc_5961_5_2_what_is_discarded_takes_no_report_away() {
    let mut rig = Rig::established_with_sack();
    rig.send(ack(1, 1), b"abcdef");
    rig.recv_ack(7);
    rig.send_quietly(ack(2, 1), b"bc");
    rig.send_quietly(ack(4, 5_000), b"defg");
    rig.transmit();
    assert_eq!(rig.counters.bad_ack, 1);
    assert_eq!(rig.recv_ack(7).sack(), [(2, 4)]);
}

#[test]
fn overlap_is_cut_and_bytes_accepted_first_win() {
    let mut rig = Rig::established();
    rig.send(ack(1, 1), b"abcd");
    rig.send(ack(3, 1), b"XXef");
    assert_eq!(rig.read().unwrap(), b"abcdef");
}

#[test]
fn rfc_9293_3_4_data_beyond_the_window_is_cut() {
    let options = SocketOptions { receive_buffer: 4096, ..SocketOptions::default() };
    let mut rig = Rig::established_with(options, TcpOptions::default());
    rig.send(ack(1, 1), &[1; 5000]);
    assert_eq!(rig.recv_ack(4097).header.window, 0);
    assert_eq!(rig.read().unwrap().len(), 4096);
    assert_eq!(rig.recv_ack(4097).header.window, 4096, "reading opens the window again");
}

#[test]
fn rfc_9293_3_10_7_4_a_closed_window_still_takes_acknowledgments() {
    let options = SocketOptions { receive_buffer: 4096, nodelay: true, ..SocketOptions::default() };
    let mut rig = Rig::established_with(options, TcpOptions::default());
    rig.write(100);
    rig.recv();
    rig.send(ack(1, 1), &[1; 4096]);
    rig.recv_ack(4097);
    rig.send(ack(4097, 101), b"probe");
    assert_eq!(rig.connection.info(rig.now, &rig.config).in_flight, 0);
    assert_eq!(rig.recv_ack(4097).header.window, 0);
}

#[test]
fn rfc_7323_5_paws_rejects_old_timestamps_but_not_after_24_days() {
    let offer = TcpOptions { timestamps: Some(Timestamps { value: 1000, echo: 0 }), ..TcpOptions::default() };
    let mut rig = Rig::established_with(SocketOptions::default(), offer);
    let stamped = |value| {
        let mut header = ack(1, 1);
        header.options.timestamps = Some(Timestamps { value, echo: 0 });
        header
    };
    rig.send(stamped(999), b"old");
    rig.recv_ack(1);
    assert_eq!(rig.counters.paws_rejected, 1);
    rig.advance(Duration::from_secs(24 * 24 * 3600 + 1));
    rig.send(stamped(999), b"new");
    assert_eq!(rig.read().unwrap(), b"new");
}

#[test]
fn rfc_9293_3_8_5_urgent_data_is_in_line() {
    let mut rig = Rig::established();
    let urgent = TcpHeader { urgent: 3, ..segment(1, 1, ACK | TcpFlags::URG) };
    rig.send(urgent, b"abcdef");
    assert_eq!(rig.read().unwrap(), b"abcdef");
}

#[test]
fn rfc_9293_3_8_4_keep_alive_probes_are_answered_however_short_their_interval() {
    let mut rig = Rig::established();
    for _ in 0..10 {
        rig.send(ack(0, 1), b"");
        rig.recv_ack(1);
    }
}

#[test]
fn a_hostile_sender_of_one_byte_holes_is_bounded() {
    let mut rig = Rig::established_with_sack();
    for i in 0..5_000 {
        rig.send(ack(3 + 2 * i, 1), b"x");
        rig.sent.clear();
    }
    assert_eq!(rig.counters.out_of_order + rig.counters.reassembly_full, 5_000);
    assert!(rig.counters.reassembly_full > 4_000);
    rig.send(ack(1, 1), b"ab");
    assert_eq!(rig.read().unwrap(), b"abx");
}

impl Rig {
    /// A segment of the peer's arrives while memory is short.
    #[track_caller]
    fn send_out_of_memory(&mut self, header: TcpHeader, payload: &[u8]) {
        let meta = SegmentMeta { received_at: self.now, out_of_memory: true, ..SegmentMeta::default() };
        let mut chunk = Chunk::copy_of(payload);
        let reset = self.with(|connection, cx| connection.handle_segment(cx, &header, &meta, &mut chunk));
        assert_eq!(reset, None);
        self.transmit();
    }
}

#[test]
fn out_of_memory_a_gap_is_filled_all_the_same() {
    let mut rig = Rig::established_with_sack();
    rig.send(ack(6, 1), b"behind");
    rig.recv_ack(1);
    rig.send_out_of_memory(ack(12, 1), b"more");
    assert_eq!(rig.recv_ack(1).sack(), [(6, 12)], "what would only wait is refused");
    rig.send_out_of_memory(ack(1, 1), b"first");
    rig.recv_ack(12);
    assert_eq!(rig.read().unwrap(), b"firstbehind");
    assert_eq!(rig.counters.memory_limit_payload, 1);
}

#[test]
fn out_of_memory_what_rides_on_refused_data_counts() {
    let mut rig = Rig::established();
    rig.send(ack(1, 1), b"unread");
    rig.recv_ack(7);
    rig.write(100);
    rig.recv_data(1, 100);
    let last = window(segment(7, 101, FIN | ACK), 1_234);
    rig.send_out_of_memory(last, b"refused");
    rig.recv_ack(7);
    assert_eq!((rig.info().in_flight, rig.info().snd_wnd), (0, 1_234));
    assert_eq!(rig.connection.state(), State::Established, "its FIN was refused with it");
    assert_eq!(rig.read().unwrap(), b"unread");
    rig.send_out_of_memory(last, b"refused");
    assert_eq!(rig.read().unwrap(), b"refused");
    assert_eq!(rig.connection.state(), State::CloseWait);
    assert_eq!(rig.counters.memory_limit_payload, 1);
}
