//! RST and SYN in every state, challenge ACKs, and what draws no answer at all (RFC 9293 3.10.7.4, RFC 5961).

use super::*;
use crate::wire::Timestamps;

#[test]
fn rfc_9293_3_10_7_4_an_exact_reset_ends_every_state() {
    for state in STATES {
        let (mut rig, seq, _) = in_state(state);
        rig.send(segment(seq, 0, RST), b"");
        assert_eq!(rig.connection.state(), State::Closed, "{state}");
        let expected = match state {
            State::SynReceived => Some(Error::ConnectionRefused),
            State::Closing | State::LastAck => None,
            State::CloseWait => Some(Error::BrokenPipe),
            _ => Some(Error::ConnectionReset),
        };
        assert_eq!(rig.connection.error(), expected, "{state}");
        assert!(rig.connection.is_finished() && rig.connection.deadline().is_none(), "{state}");
        rig.recv_nothing();
    }
}

#[test]
fn rfc_5961_3_2_a_reset_elsewhere_in_the_window_is_challenged_in_every_state() {
    for state in STATES {
        let (mut rig, seq, _) = in_state(state);
        rig.send(segment(seq + 1, 0, RST), b"");
        rig.recv_ack(seq);
        assert_eq!((rig.connection.state(), rig.counters.challenge_acks), (state, 1));
    }
}

#[test]
fn rfc_5961_3_2_a_reset_outside_the_window_draws_nothing() {
    for state in STATES {
        for offset in [u32::MAX, 10_000_000, 1 << 31] {
            let (mut rig, seq, _) = in_state(state);
            rig.send(segment(seq.wrapping_add(offset), 0, RST), b"");
            rig.recv_nothing();
            assert_eq!((rig.connection.state(), rig.counters.out_of_window), (state, 1));
        }
    }
}

#[test]
fn rfc_9293_3_10_7_4_a_closed_window_still_takes_an_exact_reset() {
    let options = SocketOptions { receive_buffer: 4096, ..SocketOptions::default() };
    let mut rig = Rig::established_with(options, TcpOptions::default());
    rig.send(ack(1, 1), &[0; 4096]);
    assert_eq!(rig.recv_ack(4097).header.window, 0);
    rig.send(segment(4097, 1, RST), b"");
    assert_eq!(rig.connection.error(), Some(Error::ConnectionReset));
}

#[test]
fn rfc_5961_4_2_a_syn_is_challenged_in_every_synchronised_state_wherever_it_lies() {
    for state in STATES.into_iter().filter(|state| state.is_synchronised()) {
        for offset in [0, 5, u32::MAX, 1 << 30, 1 << 31] {
            let (mut rig, seq, _) = in_state(state);
            rig.send(segment(seq.wrapping_add(offset), 0, SYN), b"");
            rig.recv_ack(seq);
            rig.send(segment(seq.wrapping_add(offset), 0, SYN), b"");
            rig.recv_nothing();
            assert_eq!(rig.connection.state(), state, "{offset}");
            assert_eq!((rig.counters.challenge_acks, rig.counters.challenge_acks_limited), (1, 1));
        }
    }
}

#[test]
fn rfc_5961_10_challenges_are_limited_for_each_connection_alone() {
    let (mut one, mut other) = (Rig::established(), Rig::established());
    for _ in 0..100 {
        one.send(segment(5, 1, RST), b"");
    }
    assert_eq!(one.sent.len(), 1);
    other.send(segment(5, 1, RST), b"");
    other.recv_ack(1); // CVE-2016-5696: what one draws says nothing about another
    one.sent.clear();
    one.advance(ms(500));
    one.send(segment(5, 1, RST), b"");
    one.recv_ack(1);
}

#[test]
fn rfc_5961_5_2_an_acknowledgment_of_what_was_never_sent_is_dropped_with_its_text() {
    for state in STATES.into_iter().filter(|state| state.is_synchronised()) {
        let (mut rig, seq, _) = in_state(state);
        rig.send(ack(seq, 1_000), b"text");
        rig.advance(ms(40));
        let answer =
            rig.sent.iter().filter(|seen| seen.header.flags == ACK && seen.payload.is_empty()).count();
        assert_eq!((answer, rig.sent[0].ack()), (1, seq), "{state}");
        assert_eq!((rig.connection.state(), rig.counters.bad_ack), (state, 1));
    }
}

#[test]
fn rfc_9293_3_10_7_4_in_syn_received_it_is_reset() {
    for bad in [0, 2, 1 << 31] {
        let (mut rig, seq, _) = in_state(State::SynReceived);
        rig.send(ack(seq, bad), b"");
        let reset = rig.recv();
        assert_eq!((reset.header.flags, reset.seq()), (RST, bad));
        assert_eq!(rig.connection.state(), State::SynReceived);
    }
}

#[test]
fn rfc_9293_3_10_7_4_a_segment_without_ack_is_dropped() {
    for state in STATES {
        let (mut rig, seq, _) = in_state(state);
        rig.send(segment(seq, 0, TcpFlags::PSH), b"text");
        rig.recv_nothing();
        assert_eq!((rig.connection.state(), rig.counters.unexpected), (state, 1));
    }
}

/// Two ends that disagree about the numbers would otherwise answer each other's empty segments for ever.
#[test]
fn rfc_9293_3_10_7_4_empty_segments_outside_the_window_are_answered_at_a_limited_rate() {
    let mut rig = Rig::established();
    let two_before = 0u32.wrapping_sub(1);
    for _ in 0..100 {
        rig.send(ack(two_before, 1), b"");
    }
    assert_eq!(rig.sent.len(), 1);
    rig.sent.clear();
    rig.advance(ms(500));
    rig.send(ack(two_before, 1), b"");
    rig.recv_ack(1);
}

#[test]
fn rfc_9293_3_10_7_4_text_that_came_before_is_acknowledged_each_time() {
    let mut rig = Rig::established();
    rig.send(ack(1, 1), b"text");
    rig.recv_ack(5);
    for _ in 0..10 {
        rig.send(ack(1, 1), b"text");
        rig.recv_ack(5);
    }
}

#[test]
fn rfc_7323_5_2_resets_are_not_subject_to_paws() {
    let offer = TcpOptions { timestamps: Some(Timestamps { value: 1000, echo: 0 }), ..TcpOptions::default() };
    let mut rig = Rig::established_with(SocketOptions::default(), offer);
    let mut reset = segment(1, 1, RST);
    reset.options.timestamps = Some(Timestamps { value: 5, echo: 0 });
    rig.send(reset, b"");
    assert_eq!(rig.connection.error(), Some(Error::ConnectionReset));
}

#[test]
fn rfc_9293_3_10_5_abort_tells_the_peer() {
    for state in STATES {
        let (mut rig, _, _) = in_state(state);
        rig.abort();
        assert!(rig.connection.is_finished(), "{state}");
        assert_eq!(rig.connection.error(), Some(Error::ConnectionAborted), "{state}");
        let reset = rig.recv();
        assert_eq!((reset.header.flags, reset.header.seq), (RST | ACK, rig.connection.snd_nxt()));
    }
}

#[test]
fn rfc_9293_3_10_5_abort_in_syn_sent_is_silent() {
    let mut rig = Rig::connecting(SocketOptions::default());
    rig.recv();
    rig.abort();
    rig.recv_nothing();
    assert!(rig.connection.is_finished());
}

#[test]
fn rfc_9293_3_10_7_1_after_the_end_segments_are_reset() {
    let mut rig = Rig::established();
    rig.send(segment(1, 1, RST), b"");
    rig.send(ack(1, 9), b"late");
    let reset = rig.recv();
    assert_eq!((reset.header.flags, reset.seq()), (RST, 9));
    rig.send(segment(1, 1, RST | ACK), b"");
    rig.recv_nothing();
}
