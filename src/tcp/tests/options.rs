//! What the handshake settles and what later segments carry: scaling, timestamps, PAWS (RFC 7323).

use super::*;
use crate::wire::Timestamps;

fn stamped(header: TcpHeader, value: u32) -> TcpHeader {
    let mut header = header;
    header.options.timestamps = Some(Timestamps { value, echo: 0 });
    header
}

fn with_timestamps(value: u32) -> Rig {
    let options = SocketOptions { nodelay: true, ..SocketOptions::default() };
    let timestamps = Some(Timestamps { value, echo: 0 });
    Rig::established_with(options, TcpOptions { timestamps, ..TcpOptions::default() })
}

fn echo(seen: &Seen) -> u32 {
    seen.header.options.timestamps.unwrap().echo
}

#[test]
fn rfc_7323_2_2_a_peer_that_does_not_scale_sees_plain_windows() {
    let mut rig = Rig::established();
    rig.send(window(ack(1, 1), 100), b"");
    assert_eq!(rig.info().snd_wnd, 100);
    rig.write(1);
    assert_eq!(rig.recv().header.window, u16::MAX, "of a mebibyte");
}

#[test]
fn rfc_7323_2_2_a_scale_outside_of_a_syn_is_ignored() {
    let offer = TcpOptions { window_scale: Some(2), ..TcpOptions::default() };
    let mut rig = Rig::established_with(SocketOptions::default(), offer);
    let mut later = window(ack(1, 1), 100);
    later.options =
        TcpOptions { window_scale: Some(9), mss: Some(99), sack_permitted: true, ..later.options };
    rig.send(later, b"");
    let info = rig.info();
    assert_eq!((info.snd_wnd, info.snd_mss, info.sack), (400, MSS as u16, false));
}

#[test]
fn rfc_7323_2_2_the_window_of_a_syn_ack_of_ours_is_not_scaled() {
    let mut rig = Rig::connecting(SocketOptions::default());
    assert_eq!(rig.recv().header.window, u16::MAX);
    let mut syn = segment(0, 0, SYN);
    syn.options.window_scale = Some(3);
    rig.send(syn, b"");
    let answer = rig.recv();
    assert_eq!((answer.header.window, answer.header.options.window_scale), (u16::MAX, Some(8)));
}

#[test]
fn rfc_7323_1_3_a_syn_ack_offers_only_what_the_syn_did() {
    let mut rig = Rig::connecting(SocketOptions::default());
    rig.recv();
    rig.send(segment(0, 0, SYN), b"");
    let options = rig.recv().header.options;
    assert_eq!(options, TcpOptions { mss: Some(MSS as u16), ..TcpOptions::default() });
}

#[test]
fn rfc_7323_3_2_every_segment_carries_the_timestamp_once_agreed() {
    let mut rig = with_timestamps(700);
    rig.write(10);
    rig.advance(ms(250)); // again
    rig.send(stamped(ack(1, 11), 701), b"");
    rig.shutdown();
    rig.send(stamped(segment(5, 11, RST), 701), b""); // challenge
    rig.abort();
    let sent: Vec<_> = rig.sent.drain(..).collect();
    assert_eq!(sent.len(), 5);
    assert!(sent.iter().all(|seen| seen.header.options.timestamps.is_some()), "{sent:?}");
}

#[test]
fn rfc_7323_3_2_none_does_without_agreement_and_those_that_come_are_ignored() {
    let mut rig = Rig::established();
    rig.send(stamped(ack(1, 1), 900), b"a");
    rig.send(stamped(ack(2, 1), 100), b"b");
    assert_eq!(rig.read().unwrap(), b"ab");
    assert!(rig.sent.iter().all(|seen| seen.header.options.timestamps.is_none()));
}

#[test]
fn rfc_7323_4_3_a_delayed_acknowledgment_echoes_the_oldest_segment() {
    let mut rig = with_timestamps(500);
    rig.send_quietly(stamped(ack(1, 1), 510), b"a");
    rig.send_quietly(stamped(ack(2, 1), 520), b"b");
    rig.transmit();
    assert_eq!(echo(&rig.recv_ack(3)), 510);
}

#[test]
fn rfc_7323_4_3_a_segment_behind_a_gap_is_not_echoed_until_the_gap_is_filled() {
    let mut rig = with_timestamps(500);
    rig.send(stamped(ack(1, 1), 510), b"a");
    assert_eq!(echo(&rig.recv_ack(2)), 510);
    rig.send(stamped(ack(3, 1), 520), b"c");
    assert_eq!(echo(&rig.recv_ack(2)), 510);
    rig.send(stamped(ack(2, 1), 530), b"b");
    assert_eq!(echo(&rig.recv_ack(4)), 530);
}

#[test]
fn rfc_7323_5_2_timestamps_are_compared_modulo_2_to_the_32() {
    let mut rig = with_timestamps(u32::MAX - 1);
    rig.send(stamped(ack(1, 1), 3), b"a");
    assert_eq!(echo(&rig.recv_ack(2)), 3);
    rig.send(stamped(ack(2, 1), u32::MAX), b"b");
    assert_eq!(echo(&rig.recv_ack(2)), 3);
    assert_eq!(rig.counters.paws_rejected, 1);
}

#[test]
fn rfc_7323_5_3_an_equal_timestamp_passes() {
    let mut rig = with_timestamps(500);
    rig.send(stamped(ack(1, 1), 500), b"a");
    rig.send(stamped(ack(2, 1), 500), b"b");
    assert_eq!(rig.read().unwrap(), b"ab");
}

#[test]
fn rfc_7323_5_3_a_rejected_segment_changes_nothing_and_is_acknowledged() {
    let mut rig = with_timestamps(500);
    rig.write(10);
    rig.recv();
    rig.send(stamped(window(segment(1, 11, FIN | ACK), 7), 499), b"text");
    rig.recv_ack(1);
    let info = rig.info();
    assert_eq!((info.state, info.in_flight, info.snd_wnd), (State::Established, 10, 60_000));
}

/// RFC 5961 5: who does not know our numbers must not be able to spoil TS.Recent.
#[test]
fn rfc_7323_4_3_a_segment_whose_acknowledgment_is_refused_sets_no_timestamp() {
    let mut rig = with_timestamps(500);
    rig.send(stamped(segment(1, 9_999, FIN | ACK), 200_000), b"");
    rig.advance(ms(40));
    assert_eq!(echo(&rig.recv_ack(1)), 500);
    rig.send(stamped(ack(1, 1), 501), b"text");
    assert_eq!(echo(&rig.recv_ack(5)), 501);
}

#[test]
fn rfc_7323_5_5_the_24_days_count_from_the_last_new_timestamp() {
    const DAY: u64 = 24 * 3600;
    let mut rig = with_timestamps(500);
    rig.advance(Duration::from_secs(20 * DAY));
    rig.send(stamped(ack(1, 1), 600), b"a");
    rig.advance(Duration::from_secs(20 * DAY));
    rig.send(stamped(ack(2, 1), 599), b"b");
    assert_eq!(rig.counters.paws_rejected, 1);
    rig.advance(Duration::from_secs(4 * DAY));
    rig.send(stamped(ack(2, 1), 5), b"b");
    rig.send(stamped(ack(3, 1), 6), b"c");
    assert_eq!(rig.read().unwrap(), b"abc");
}

/// RFC 7323 3.2 would have it dropped; Linux takes it, and so do we: see docs/rfc-map.md.
#[test]
fn rfc_7323_3_2_a_segment_that_lost_its_timestamp_is_taken() {
    let mut rig = with_timestamps(500);
    rig.send(ack(1, 1), b"a");
    rig.recv_ack(2);
    assert_eq!(rig.read().unwrap(), b"a");
}

#[test]
fn rfc_7323_4_1_an_echo_measures_where_karn_could_not() {
    let mut rig = with_timestamps(500);
    rig.write(100);
    rig.advance(ms(200));
    let again = rig.sent.pop_back().unwrap();
    rig.advance(ms(90));
    let mut answer = stamped(ack(1, 101), 501);
    let value = again.header.options.timestamps.unwrap().value;
    answer.options.timestamps = Some(Timestamps { value: 501, echo: value });
    let before = rig.info();
    rig.send(answer, b"");
    let after = rig.info();
    assert_eq!(before.srtt, Some(ms(10)));
    assert_eq!(after.srtt, Some(ms(20)), "7/8 of 10 ms and 1/8 of 90");
    assert_eq!((before.backoff, after.backoff), (1, 0));
}
