use super::*;

#[test]
fn rfc_9293_3_6_we_close_first() {
    let mut rig = Rig::established();
    rig.shutdown();
    assert_eq!(rig.recv().header.flags, FIN | ACK);
    assert_eq!(rig.connection.state(), State::FinWait1);
    rig.send(ack(1, 2), b"");
    assert_eq!(rig.connection.state(), State::FinWait2);
    rig.send(segment(1, 2, FIN | ACK), b"");
    rig.recv_ack(2);
    assert_eq!(rig.connection.state(), State::TimeWait);
    let entry = rig.connection.time_wait().unwrap();
    assert_eq!((entry.snd_nxt, entry.rcv_nxt), (SeqNumber(US) + 2, SeqNumber(PEER) + 2));
    assert!(rig.connection.is_finished());
}

#[test]
fn rfc_9293_3_6_the_peer_closes_first() {
    let mut rig = Rig::established();
    rig.send(segment(1, 1, FIN | ACK), b"bye");
    rig.recv_ack(5);
    assert_eq!(rig.connection.state(), State::CloseWait);
    assert_eq!(rig.read().unwrap(), b"bye");
    assert_eq!(rig.read().unwrap(), b"", "end of stream");
    rig.write(10);
    rig.recv_data(1, 10);
    rig.close();
    assert_eq!(rig.recv().header.flags, FIN | ACK);
    assert_eq!(rig.connection.state(), State::LastAck);
    rig.send(ack(5, 12), b"");
    assert_eq!(rig.connection.state(), State::Closed);
    assert!(rig.connection.is_finished() && rig.connection.error().is_none());
}

#[test]
fn nothing_comes_after_the_end_of_the_stream() {
    let mut rig = Rig::established();
    rig.send(ack(2, 1), b"from beyond");
    rig.recv_ack(1);
    rig.send(segment(1, 1, FIN | ACK), b"");
    rig.recv_ack(2);
    rig.connection.check_invariants().unwrap();
    assert_eq!(rig.connection.state(), State::CloseWait);
    assert_eq!(rig.read().unwrap(), b"", "end of stream");
}

#[test]
fn rfc_9293_3_6_simultaneous_close() {
    let mut rig = Rig::established();
    rig.shutdown();
    rig.recv();
    rig.send(segment(1, 1, FIN | ACK), b"");
    rig.recv_ack(2);
    assert_eq!(rig.connection.state(), State::Closing);
    rig.send(ack(2, 2), b"");
    assert_eq!(rig.connection.state(), State::TimeWait);
}

#[test]
fn data_in_fin_wait_is_delivered() {
    let mut rig = Rig::established();
    rig.shutdown();
    rig.recv();
    rig.send(ack(1, 1), b"one ");
    rig.send(ack(5, 2), b"two");
    assert_eq!(rig.read().unwrap(), b"one two");
    rig.send(segment(8, 2, FIN | ACK), b"!");
    assert_eq!(rig.connection.state(), State::TimeWait);
    assert_eq!(rig.read().unwrap(), b"!");
    assert_eq!(rig.read().unwrap(), b"");
}

#[test]
fn a_fin_waits_for_the_data_before_it() {
    let mut rig = Rig::established();
    rig.send(segment(4, 1, FIN | ACK), b"def");
    rig.recv_ack(1);
    assert_eq!(rig.connection.state(), State::Established);
    rig.send(ack(1, 1), b"abc");
    rig.recv_ack(8);
    assert_eq!(rig.connection.state(), State::CloseWait);
    assert_eq!(rig.read().unwrap(), b"abcdef");
}

#[test]
fn the_fin_is_sent_again_until_it_is_acknowledged() {
    let mut rig = Rig::established();
    rig.write(5);
    rig.recv();
    rig.send(ack(1, 6), b"");
    rig.shutdown();
    assert_eq!(rig.recv().header.flags, FIN | ACK);
    rig.advance(ms(500));
    let again = rig.recv();
    assert_eq!((again.seq(), again.header.flags), (6, FIN | ACK));
    rig.send(ack(1, 7), b"");
    assert_eq!(rig.connection.state(), State::FinWait2);
}

#[test]
fn what_was_written_goes_out_before_the_fin() {
    let mut rig = Rig::established();
    rig.write(1500);
    rig.close();
    let mut bytes = 0;
    while let Some(seen) = rig.sent.pop_front() {
        bytes += seen.payload.len();
        assert_eq!(seen.header.has(FIN), seen.payload.is_empty());
    }
    assert_eq!(bytes, 1500);
}

#[test]
fn rfc_2525_2_17_close_with_unread_data_resets() {
    let mut rig = Rig::established();
    rig.send(ack(1, 1), b"unread");
    rig.recv_ack(7);
    rig.close();
    let reset = rig.recv();
    assert_eq!((reset.header.flags, reset.seq(), reset.ack()), (RST | ACK, 1, 7));
    assert!(rig.connection.is_finished() && rig.connection.is_orphan());
}

#[test]
fn rfc_2525_2_17_data_after_close_resets() {
    let mut rig = Rig::established();
    rig.close();
    rig.recv();
    rig.send(ack(1, 2), b"late");
    assert!(rig.recv().header.has(RST));
    assert_eq!(rig.connection.state(), State::Closed);
}

/// The FIN has not arrived: a reset behind it would only draw a challenge (RFC 5961 3.2).
#[test]
fn rfc_9293_3_5_2_the_reset_for_data_after_close_begins_where_the_peer_expects_it() {
    let mut rig = Rig::established();
    rig.close();
    assert_eq!(rig.recv().seq(), 1);
    rig.send(ack(1, 1), b"late");
    let reset = rig.recv();
    assert_eq!((reset.header.flags, reset.seq()), (RST, 1));
    rig.recv_nothing();
}

#[test]
fn fin_wait_2_of_nobody_ends() {
    let mut rig = Rig::established();
    rig.close();
    rig.recv();
    rig.send(ack(1, 2), b"");
    assert_eq!(rig.connection.state(), State::FinWait2);
    rig.advance(Duration::from_secs(59));
    assert_eq!(rig.connection.state(), State::FinWait2);
    rig.advance(Duration::from_secs(2));
    assert!(rig.connection.is_finished());
    rig.recv_nothing();
}

#[test]
fn last_ack_gives_up() {
    let mut rig = Rig::established();
    rig.send(segment(1, 1, FIN | ACK), b"");
    rig.close();
    rig.advance(Duration::from_secs(3600));
    assert_eq!(rig.connection.state(), State::Closed);
    assert!(rig.connection.is_finished());
}

#[test]
fn abort_resets_and_repeats_its_error() {
    let mut rig = Rig::established();
    rig.write(10);
    rig.recv();
    rig.abort();
    let reset = rig.recv();
    assert_eq!((reset.header.flags, reset.seq()), (RST | ACK, 11));
    assert_eq!(rig.read(), Err(Error::ConnectionAborted));
    assert_eq!(rig.read(), Err(Error::ConnectionAborted));
}

#[test]
fn rfc_5961_3_2_only_an_exact_reset_ends_the_connection() {
    let mut rig = Rig::established();
    rig.send(segment(5, 1, RST), b"");
    rig.recv_ack(1);
    rig.send(segment(6, 1, RST), b"");
    rig.recv_nothing(); // the challenge is rate limited
    assert_eq!(rig.counters.challenge_acks_limited, 1);
    rig.send(segment(100_000, 1, RST), b"");
    rig.recv_nothing();
    assert_eq!(rig.connection.state(), State::Established);
    rig.send(segment(1, 1, RST), b"");
    assert_eq!(rig.connection.error(), Some(Error::ConnectionReset));
    assert_eq!(rig.read(), Err(Error::ConnectionReset));
}

#[test]
fn what_came_before_a_reset_stays_readable() {
    let mut rig = Rig::established();
    rig.send(ack(1, 1), b"data");
    rig.send(segment(5, 1, RST), b"");
    assert_eq!(rig.read().unwrap(), b"data");
    assert_eq!(rig.read(), Err(Error::ConnectionReset));
}

#[test]
fn rfc_5961_4_2_a_syn_draws_a_challenge() {
    let mut rig = Rig::established();
    rig.send(segment(3, 1, SYN), b"");
    rig.recv_ack(1);
    assert_eq!(rig.connection.state(), State::Established);
    assert_eq!(rig.counters.challenge_acks, 1);
}

#[test]
fn rfc_5961_5_2_acknowledgments_out_of_range() {
    let mut rig = Rig::established();
    rig.send(ack(1, 2), b"");
    rig.recv_nothing();
    rig.advance(ms(600));
    rig.recv_ack(1);
    rig.send(ack(1, 1u32.wrapping_sub(60_001)), b"");
    rig.advance(ms(40));
    rig.recv_ack(1);
    assert_eq!(rig.counters.bad_ack, 2);
}
