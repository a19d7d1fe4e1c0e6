//! What the application says beside its bytes: corks, announcements, records, pushes, and how little may wait.

use super::*;

const PSH: TcpFlags = TcpFlags::PSH;

fn established_with(options: SocketOptions) -> Rig {
    Rig::established_with(options, TcpOptions { sack_permitted: true, ..TcpOptions::default() })
}

impl Rig {
    #[track_caller]
    fn write_with(&mut self, len: usize, flags: SendFlags) {
        let bytes = vec![7; len];
        assert_eq!(self.with(|connection, cx| connection.write_with(cx.pool, &bytes, flags)), Ok(len));
        self.transmit();
    }

    /// As much of a large write as there is room for.
    fn write_most(&mut self) -> usize {
        let bytes = vec![7; 200_000];
        let taken = self.with(|connection, cx| connection.write(cx.pool, &bytes)).unwrap();
        self.transmit();
        taken
    }

    fn set_cork(&mut self, cork: bool) {
        let options = SocketOptions { cork, ..self.connection.options().clone() };
        self.connection.set_options(Arc::new(options));
        self.transmit();
    }

    /// What was sent since the last look: how much, and whether it was pushed.
    fn lengths(&mut self) -> Vec<(usize, bool)> {
        self.sent.drain(..).map(|seen| (seen.payload.len(), seen.header.has(PSH))).collect()
    }
}

#[test]
fn tcp_7_a_cork_lets_only_full_segments_out() {
    let mut rig = established_with(SocketOptions { nodelay: true, cork: true, ..SocketOptions::default() });
    rig.write(40);
    rig.recv_nothing();
    rig.write(1_000);
    rig.recv_data(1, 1_000);
    rig.send(ack(1, 1_001), b"");
    rig.recv_nothing();
    rig.set_cork(false);
    assert!(rig.recv_data(1_001, 40).header.has(PSH));
}

#[test]
fn tcp_7_what_stays_corked_leaves_after_a_time_out() {
    let mut rig = established_with(SocketOptions { nodelay: true, cork: true, ..SocketOptions::default() });
    rig.write(40);
    rig.advance(ms(199));
    rig.recv_nothing();
    rig.advance(ms(1));
    assert!(rig.recv_data(1, 40).header.has(PSH));
    assert_eq!(rig.counters.window_probes, 0, "the window is open");
}

#[test]
fn tcp_7_a_close_pulls_the_cork() {
    let mut rig = established_with(SocketOptions { cork: true, ..SocketOptions::default() });
    rig.write(40);
    rig.shutdown();
    assert!(rig.recv_data(1, 40).header.has(FIN));
}

#[test]
fn send_2_msg_more_waits_for_the_write_behind_it() {
    let mut rig = Rig::established();
    rig.write_with(100, SendFlags::MORE);
    rig.write_with(200, SendFlags::MORE);
    rig.recv_nothing();
    rig.write(5);
    assert!(rig.recv_data(1, 305).header.has(PSH));
}

#[test]
fn send_2_msg_more_holds_no_full_segment() {
    let mut rig = Rig::established();
    rig.write_with(3_100, SendFlags::MORE);
    assert_eq!(rig.lengths(), [(2_000, true), (1_000, false)], "a burst of two, and one");
    rig.recv_nothing();
}

/// The window of 4,000 bytes makes super-packets of two segments.
#[test]
fn send_2_msg_more_waits_for_a_whole_super_packet_while_one_is_under_way() {
    let mut rig = established_with(SocketOptions { min_burst: 10, ..SocketOptions::default() });
    rig.send(window(ack(1, 1), 4_000), b"");
    rig.connection.max_snd_wnd = 4_000;
    rig.write_with(2_000, SendFlags::MORE);
    rig.recv_data(1, 2_000);
    rig.write_with(1_500, SendFlags::MORE);
    rig.recv_nothing();
    rig.write_with(600, SendFlags::MORE);
    rig.recv_data(2_001, 2_000);
    rig.send(window(ack(1, 2_001), 4_000), b"");
    rig.write_with(900, SendFlags::MORE);
    rig.recv_nothing();
    rig.send(window(ack(1, 4_001), 4_000), b"");
    rig.recv_data(4_001, 1_000);
}

#[test]
fn what_nobody_adds_to_does_not_wait_for_a_whole_super_packet() {
    let mut rig = established_with(SocketOptions { min_burst: 10, ..SocketOptions::default() });
    rig.send(window(ack(1, 1), 4_000), b"");
    rig.connection.max_snd_wnd = 4_000;
    rig.write_with(2_000, SendFlags::MORE);
    rig.recv_data(1, 2_000);
    rig.write(1_000);
    rig.recv_data(2_001, 1_000);
    rig.write_with(1_000, SendFlags::MORE);
    rig.recv_nothing();
    rig.connection.push();
    rig.transmit();
    rig.recv_data(3_001, 1_000);
}

#[test]
fn send_2_an_acknowledgment_ends_the_wait_for_more() {
    let mut rig = Rig::established();
    rig.write_with(1_100, SendFlags::MORE);
    rig.recv_data(1, 1_000);
    rig.send(ack(1, 1_001), b"");
    assert!(!rig.recv_data(1_001, 100).header.has(PSH), "the application has not finished");
}

#[test]
fn send_2_msg_more_leaves_after_a_time_out() {
    let mut rig = Rig::established();
    rig.write_with(40, SendFlags::MORE);
    rig.advance(ms(199));
    rig.recv_nothing();
    rig.advance(ms(1));
    assert!(rig.recv_data(1, 40).header.has(PSH));
}

#[test]
fn rfc_9293_3_9_1_push_overrides_cork_announcement_and_nagle() {
    let mut rig = established_with(SocketOptions { cork: true, ..SocketOptions::default() });
    rig.write(40);
    rig.connection.push();
    rig.transmit();
    rig.recv_data(1, 40);
    rig.write_with(50, SendFlags::MORE);
    rig.recv_nothing();
    rig.connection.push();
    rig.transmit();
    assert!(!rig.recv_data(41, 50).header.has(PSH), "more was announced");
    rig.write(10);
    rig.recv_nothing();
}

#[test]
fn send_2_msg_eor_no_segment_holds_bytes_of_two_records() {
    let mut rig =
        established_with(SocketOptions { nodelay: true, min_burst: 10, ..SocketOptions::default() });
    rig.send(window(ack(1, 1), 0), b"");
    rig.write(400);
    rig.write_with(1_400, SendFlags::END_OF_RECORD);
    rig.write_with(300, SendFlags::END_OF_RECORD);
    rig.write(2_000);
    rig.recv_nothing();
    rig.send(ack(1, 1), b"");
    assert_eq!(
        rig.lengths(),
        [(1_800, true), (300, true), (2_000, true)],
        "what came before a record is in it"
    );
}

#[test]
fn send_2_msg_eor_nagle_has_nothing_to_wait_for_before_another_record() {
    let mut rig = established_with(SocketOptions::default());
    rig.write(10);
    rig.recv_data(1, 10);
    rig.write_with(20, SendFlags::END_OF_RECORD);
    rig.recv_nothing();
    rig.write(30);
    rig.recv_data(11, 20);
    rig.recv_nothing();
}

#[test]
fn send_2_msg_eor_holds_for_what_is_sent_again() {
    let mut rig = Rig::established_with_sack();
    (0..4).for_each(|_| rig.write_with(400, SendFlags::END_OF_RECORD));
    rig.sent.clear();
    // What was SACKed is one entry of the log, and lost again with the time-out.
    rig.send(sack(1, 1, &[(401, 1_601)]), b"");
    rig.sent.clear();
    rig.advance(ms(300));
    rig.send(ack(1, 401), b"");
    let again: Vec<_> = rig.lengths();
    assert!(again.iter().all(|&(len, pushed)| len == 400 && pushed), "{again:?}");
}

#[test]
fn a_write_that_is_cut_short_has_no_flags() {
    let options = SocketOptions { nodelay: true, send_buffer: 1_000, ..SocketOptions::default() };
    let mut rig = established_with(options);
    let taken =
        rig.with(|connection, cx| connection.write_with(cx.pool, &[7; 1_500], SendFlags::END_OF_RECORD));
    assert_eq!(taken, Ok(1_000));
    let outgoing = rig.connection.active.outgoing.as_ref().unwrap();
    assert_eq!(outgoing.records.end_behind(rig.connection.snd_una), None);
}

/// The window lets ten segments out, and super-packets have up to thirty.
#[test]
fn tcp_7_notsent_lowat_bounds_what_waits() {
    let options = SocketOptions { notsent_lowat: Some(4_000), ..SocketOptions::default() };
    let mut rig = established_with(options);
    assert_eq!(rig.write_most(), 10_000 + 30_000, "no less than a whole super-packet waits");
    assert!(!rig.connection.is_writable());
    assert_eq!(rig.with(|connection, cx| connection.write(cx.pool, b"x")), Err(Error::WouldBlock));
    rig.send(ack(1, 10_001), b"");
    assert!(!rig.connection.take_events().writable, "10,000 bytes wait");
    rig.send(ack(1, 30_001), b"");
    assert!(rig.connection.take_events().writable, "nothing waits: the event comes with what is sent");
    assert!(rig.connection.is_writable());
}

#[test]
fn tcp_7_notsent_lowat_leaves_the_send_buffer_its_say() {
    let options =
        SocketOptions { notsent_lowat: Some(usize::MAX), send_buffer: 12_000, ..SocketOptions::default() };
    let mut rig = established_with(options);
    assert_eq!(rig.write_most(), 12_000);
}

#[test]
fn a_raised_limit_wakes_who_waits_for_room() {
    let options = SocketOptions { notsent_lowat: Some(1), ..SocketOptions::default() };
    let mut rig = established_with(options);
    rig.write_most();
    assert_eq!(rig.with(|connection, cx| connection.write(cx.pool, b"x")), Err(Error::WouldBlock));
    rig.connection.set_options(Arc::new(SocketOptions::default()));
    assert!(rig.connection.take_events().writable);
}

#[test]
fn the_first_room_can_be_larger() {
    let options = SocketOptions { first_send_buffer: 150_000, ..SocketOptions::default() };
    let mut rig = established_with(options);
    assert_eq!(rig.write_most(), 150_000);
}
