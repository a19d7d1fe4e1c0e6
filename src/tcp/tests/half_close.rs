//! One direction closed, the other open; FINs that cross, ride on data, come early or come again (RFC 9293 3.6).

use super::*;

/// `text` and a FIN behind it in one turn.
#[track_caller]
fn write_and_close(rig: &mut Rig, text: &[u8]) {
    let taken = rig.with(|connection, cx| connection.write(cx.pool, text));
    assert_eq!(taken, Ok(text.len()));
    rig.shutdown();
}

#[test]
fn rfc_9293_3_6_a_fin_rides_on_the_last_data_and_both_are_sent_again() {
    let mut rig = Rig::established();
    write_and_close(&mut rig, b"last words");
    for wait in [0, 201, 401] {
        rig.advance(ms(wait));
        let seen = rig.recv_data(1, 10);
        assert!(seen.header.has(FIN | ACK), "{seen:?}");
        rig.recv_nothing();
    }
    rig.send(ack(1, 12), b"");
    assert_eq!(rig.connection.state(), State::FinWait2);
}

#[test]
fn rfc_9293_3_6_with_the_data_acknowledged_the_fin_alone_is_sent_again() {
    let mut rig = Rig::established();
    write_and_close(&mut rig, b"last words");
    rig.recv();
    rig.send(ack(1, 11), b"");
    assert_eq!(rig.connection.state(), State::FinWait1);
    rig.advance(ms(300));
    let fin = rig.recv_data(11, 0);
    assert!(fin.header.has(FIN | ACK));
}

#[test]
fn rfc_9293_3_6_fin_wait_1_to_time_wait_when_the_peers_fin_acknowledges_ours() {
    let (mut rig, ..) = in_state(State::FinWait1);
    rig.send(segment(1, 2, FIN | ACK), b"and this");
    rig.recv_ack(10);
    assert_eq!(rig.connection.state(), State::TimeWait);
    assert_eq!(rig.read().unwrap(), b"and this");
}

#[test]
fn rfc_9293_3_6_simultaneous_close_with_data_in_both_directions() {
    let mut rig = Rig::established();
    write_and_close(&mut rig, b"ours");
    rig.recv_data(1, 4);
    rig.send(segment(1, 1, FIN | ACK), b"theirs");
    rig.recv_ack(8);
    assert_eq!(rig.connection.state(), State::Closing);
    rig.advance(ms(300)); // our FIN was lost
    assert!(rig.recv_data(1, 4).header.has(FIN));
    rig.send(ack(8, 6), b"");
    assert_eq!(rig.connection.state(), State::TimeWait);
    assert_eq!(rig.read().unwrap(), b"theirs");
    assert_eq!(rig.read().unwrap(), b"");
}

#[test]
fn rfc_9293_3_6_closing_with_our_fin_partly_acknowledged_goes_on() {
    let mut rig = Rig::established();
    write_and_close(&mut rig, b"ours");
    rig.recv_data(1, 4);
    rig.send(segment(1, 5, FIN | ACK), b""); // the text, not the FIN
    assert_eq!(rig.connection.state(), State::Closing);
    rig.recv_ack(2);
    rig.send(ack(2, 6), b"");
    assert_eq!(rig.connection.state(), State::TimeWait);
}

#[test]
fn rfc_9293_3_10_7_4_a_repeated_fin_is_acknowledged_again() {
    for state in [State::CloseWait, State::Closing, State::LastAck] {
        let (mut rig, ..) = in_state(state);
        rig.send(segment(1, 1, FIN | ACK), b"");
        rig.recv_ack(2);
        assert_eq!(rig.connection.state(), state);
    }
}

#[test]
fn rfc_9293_3_10_7_4_text_behind_a_fin_is_ignored() {
    for state in [State::CloseWait, State::Closing, State::LastAck] {
        let (mut rig, seq, number) = in_state(state);
        rig.send(ack(seq, number), b"impossible");
        assert_eq!(rig.connection.state(), state);
        assert_eq!(rig.read().unwrap(), b"", "end of stream");
    }
}

#[test]
fn rfc_9293_3_6_close_wait_sends_recovers_and_hears_windows_as_before() {
    let (mut rig, ..) = in_state(State::CloseWait);
    rig.write(3_000);
    rig.sent.clear();
    rig.advance(ms(201));
    rig.recv_data(1, 1_000);
    rig.send(window(ack(2, 3_001), 0), b"");
    rig.write(10);
    rig.recv_nothing();
    rig.send(ack(2, 3_001), b"");
    rig.recv_data(3_001, 10);
}

#[test]
fn rfc_9293_3_6_fin_wait_2_receives_out_of_order_and_with_a_window() {
    let (mut rig, ..) = in_state(State::FinWait2);
    rig.send(segment(4, 2, FIN | ACK), b"def");
    rig.recv_ack(1);
    rig.send(ack(1, 2), b"abc");
    rig.recv_ack(8);
    assert_eq!(rig.connection.state(), State::TimeWait);
    assert_eq!(rig.read().unwrap(), b"abcdef");
}

#[test]
fn rfc_9293_3_6_half_closed_and_held_by_the_application_it_lasts() {
    let (mut rig, ..) = in_state(State::FinWait2);
    rig.advance(Duration::from_secs(86_400));
    rig.send(ack(1, 2), b"at last");
    assert_eq!(rig.read().unwrap(), b"at last");
}

#[test]
fn rfc_9293_3_10_4_close_before_the_handshake_is_complete() {
    let (mut rig, ..) = in_state(State::SynReceived);
    rig.close();
    rig.recv_nothing();
    rig.send(ack(1, 1), b"");
    assert_eq!(rig.recv_data(1, 0).header.flags, FIN | ACK);
    assert_eq!(rig.connection.state(), State::FinWait1);
}

#[test]
fn rfc_9293_3_10_4_close_in_syn_sent_is_the_end() {
    let mut rig = Rig::connecting(SocketOptions::default());
    rig.recv();
    rig.close();
    assert!(rig.connection.is_finished() && rig.connection.deadline().is_none());
    rig.recv_nothing();
}

#[test]
fn rfc_9293_3_10_4_closing_again_has_no_effect() {
    for state in [State::FinWait1, State::FinWait2, State::Closing, State::LastAck] {
        let (mut rig, ..) = in_state(state);
        rig.shutdown();
        rig.recv_nothing();
        assert_eq!(rig.connection.state(), state);
    }
}

#[test]
fn after_the_reading_side_is_shut_reading_does_not_wait_but_what_comes_can_be_read() {
    let mut rig = Rig::established();
    rig.send(ack(1, 1), b"unread");
    rig.recv_ack(7);
    rig.connection.shutdown_read().unwrap();
    rig.transmit();
    rig.recv_nothing();
    assert_eq!(rig.read().unwrap(), b"unread");
    assert_eq!(rig.read().unwrap(), b"");
    rig.send(ack(7, 1), b"more");
    rig.recv_ack(11);
    assert_eq!(rig.read().unwrap(), b"more");
    assert_eq!(rig.read().unwrap(), b"");
    rig.write(3);
    rig.recv_data(1, 3);
}
