//! TCP Fast Open (RFC 7413), from both ends.

use super::*;
use crate::wire::FastOpenCookie;

fn cookie(byte: u8) -> FastOpenCookie {
    FastOpenCookie::new(&[byte; 8]).unwrap()
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|i| i as u8).collect()
}

fn rig(open: impl FnOnce(&mut Context<'_>) -> Connection) -> Rig {
    let (config, pool, mut counters) = (config(), Pool::new(), Counters::default());
    let now = Instant::from_secs(100);
    let connection = open(&mut Context { now, config: &config, pool: &pool, counters: &mut counters });
    let mut rig = Rig { connection, config, pool, counters, now, sent: VecDeque::new() };
    rig.transmit();
    rig
}

/// SYN-SENT with `len` bytes for the peer.
fn connecting(attempt: FastOpenAttempt, len: usize) -> Rig {
    let options = SocketOptions { nodelay: true, ..SocketOptions::default() };
    rig(|cx| {
        let (connection, taken) =
            Connection::connect_with_data(cx, open(options), Some(attempt), &bytes(len));
        assert_eq!(taken, len);
        connection
    })
}

fn known() -> FastOpenAttempt {
    FastOpenAttempt { cookie: cookie(7), peer_mss: Some(MSS as u16) }
}

/// A SYN-ACK that acknowledges our SYN and `taken` bytes.
fn syn_ack(taken: u32) -> TcpHeader {
    let options = TcpOptions { mss: Some(MSS as u16), ..TcpOptions::default() };
    TcpHeader { options, ..segment(0, 1 + taken, SYN | ACK) }
}

#[test]
fn rfc_7413_4_2_1_without_a_cookie_the_syn_asks_for_one_and_the_data_follows_the_handshake() {
    let mut rig = connecting(FastOpenAttempt::default(), 100);
    let syn = rig.recv();
    assert_eq!((syn.header.options.fast_open, syn.payload.len()), (Some(FastOpenCookie::REQUEST), 0));
    let mut answer = syn_ack(0);
    answer.options.fast_open = Some(cookie(7));
    rig.send(answer, b"");
    assert_eq!(rig.recv_data(1, 100).payload, bytes(100));
    let report = rig.connection.take_fast_open_report();
    let expected = FastOpenReport { cookie: Some(cookie(7)), peer_mss: MSS as u16, refused: false };
    assert_eq!(report, Some(expected));
    assert_eq!(rig.connection.take_fast_open_report(), None, "once");
    assert!(!rig.info().fast_open);
}

#[test]
fn rfc_7413_4_1_3_data_on_the_syn_fits_the_segment_size_that_the_server_announced_before() {
    // Options of the SYN: MSS 4, SACK and timestamps 12, scale 4, cookie 12.
    for (peer_mss, len) in [(Some(600), 600 - 32), (Some(9_000), 1_000 - 32), (None, 536 - 32)] {
        let mut rig = connecting(FastOpenAttempt { cookie: cookie(7), peer_mss }, 5_000);
        let syn = rig.recv_data(0, len);
        assert_eq!((syn.header.flags, syn.header.options.fast_open), (SYN, Some(cookie(7))));
        assert_eq!(syn.payload, bytes(len));
    }
}

#[test]
fn rfc_7413_4_2_2_what_the_syn_ack_acknowledges_is_delivered() {
    let mut rig = connecting(known(), 1_500);
    rig.recv_data(0, 968);
    rig.advance(ms(10));
    rig.send(syn_ack(968), b"");
    rig.recv_data(969, 532);
    rig.recv_nothing();
    assert!(rig.info().fast_open);
    assert_eq!((rig.counters.fast_open_active, rig.counters.fast_open_active_failed), (1, 0));
    assert!(!rig.connection.take_fast_open_report().unwrap().refused);
    rig.send(ack(1, 1_501), b"");
    assert_eq!(rig.info().bytes_acked, 1_500);
}

#[test]
fn rfc_7413_4_2_2_part_of_the_data_may_be_acknowledged() {
    let mut rig = connecting(known(), 500);
    rig.recv_data(0, 500);
    rig.send(syn_ack(200), b"");
    assert_eq!(rig.recv_data(201, 300).payload, bytes(500)[200..]);
}

#[test]
fn rfc_7413_4_2_2_data_that_the_syn_ack_does_not_acknowledge_is_sent_at_once() {
    let mut rig = connecting(known(), 500);
    rig.recv_data(0, 500);
    rig.send(syn_ack(0), b"");
    assert_eq!(rig.recv_data(1, 500).payload, bytes(500));
    assert_eq!((rig.counters.fast_open_active, rig.counters.fast_open_active_failed), (0, 1));
    assert!(rig.connection.take_fast_open_report().unwrap().refused, "negative (RFC 7413 4.1.3.1)");
    assert!(!rig.info().fast_open);
}

#[test]
fn rfc_7413_4_1_3_a_new_cookie_takes_the_place_of_one_that_was_refused() {
    let mut rig = connecting(known(), 500);
    let mut answer = syn_ack(0);
    answer.options.fast_open = Some(cookie(8));
    rig.send(answer, b"");
    let report = rig.connection.take_fast_open_report().unwrap();
    assert_eq!((report.cookie, report.refused), (Some(cookie(8)), false));
}

#[test]
fn rfc_7413_4_2_2_the_answer_may_come_with_the_syn_ack() {
    let mut rig = connecting(known(), 500);
    rig.send(syn_ack(500), b"answer");
    assert_eq!(rig.read().unwrap(), b"answer");
    assert_eq!(rig.connection.state(), State::Established);
}

#[test]
fn rfc_7413_4_1_3_1_a_syn_sent_again_has_neither_option_nor_data() {
    for attempt in [known(), FastOpenAttempt::default()] {
        let mut rig = connecting(attempt, 500);
        rig.recv();
        rig.advance(ms(1_000));
        let again = rig.recv_data(0, 0);
        assert_eq!((again.header.flags, again.header.options.fast_open), (SYN, None));
        rig.send(syn_ack(0), b"");
        assert_eq!(rig.recv_data(1, 500).payload, bytes(500));
        assert!(rig.connection.take_fast_open_report().unwrap().refused);
    }
}

#[test]
fn rfc_7413_4_2_2_a_late_syn_ack_may_still_acknowledge_the_data_of_the_first_syn() {
    let mut rig = connecting(known(), 500);
    rig.advance(ms(1_000));
    rig.sent.clear();
    rig.send(syn_ack(500), b"");
    rig.recv_ack(1);
    rig.recv_nothing();
    assert!(!rig.connection.take_fast_open_report().unwrap().refused, "it was only slow");
}

#[test]
fn rfc_9293_3_10_7_3_more_than_the_syn_and_its_data_cannot_be_acknowledged() {
    let mut rig = connecting(known(), 500);
    rig.recv();
    rig.send(syn_ack(501), b"");
    assert_eq!(rig.recv().header.flags, RST);
    assert_eq!(rig.connection.state(), State::SynSent);
}

#[test]
fn rfc_7413_4_2_2_in_a_simultaneous_open_the_data_follows_the_handshake() {
    let mut rig = connecting(known(), 500);
    rig.recv_data(0, 500);
    rig.send(segment(0, 0, SYN), b"");
    let answer = rig.recv_data(0, 0);
    assert_eq!((answer.header.flags, answer.header.options.fast_open), (SYN | ACK, None));
    rig.send(ack(1, 1), b"");
    assert_eq!(rig.recv_data(1, 500).payload, bytes(500));
}

#[test]
fn rfc_7413_4_1_3_1_an_icmp_error_is_a_negative_response() {
    let mut rig = connecting(known(), 500);
    rig.with(|connection, cx| connection.handle_unreachable(cx, Error::HostUnreachable));
    assert!(rig.connection.take_fast_open_report().unwrap().refused);
}

#[test]
fn rfc_7413_4_1_3_1_no_answer_at_all_is_a_negative_response() {
    let refused = |rig: &mut Rig| rig.connection.take_fast_open_report().map(|report| report.refused);
    let mut rig = connecting(known(), 500);
    rig.advance(ms(600_000));
    assert_eq!(rig.connection.error(), Some(Error::TimedOut));
    assert_eq!(refused(&mut rig), Some(true));

    for (wait, reported) in [(ms(900), None), (ms(1_100), Some(true))] {
        let mut rig = connecting(known(), 500);
        rig.advance(wait);
        rig.connection.abort(Error::ConnectionAborted);
        assert_eq!(refused(&mut rig), reported, "{wait:?} after the first SYN");
        let mut rig = connecting(known(), 500);
        rig.advance(wait);
        rig.close();
        assert_eq!(refused(&mut rig), reported, "{wait:?} after the first SYN");
    }
}

#[test]
fn without_an_attempt_the_data_follows_a_plain_handshake() {
    let mut rig =
        rig(|cx| Connection::connect_with_data(cx, open(SocketOptions::default()), None, b"hello").0);
    assert_eq!(rig.recv_data(0, 0).header.options.fast_open, None);
    rig.send(syn_ack(0), b"");
    assert_eq!(rig.recv_data(1, 5).payload, b"hello");
    assert_eq!((rig.connection.take_fast_open_report(), rig.counters.fast_open_active_failed), (None, 0));
}

/// A connection that a SYN with `payload` has opened; the SYN-ACK is not taken out of `sent`.
fn opened(syn: TcpHeader, payload: &[u8], grant: Option<FastOpenCookie>) -> Rig {
    let options = SocketOptions { nodelay: true, ..SocketOptions::default() };
    rig(|cx| {
        let half = HalfOpen::new(&syn, SeqNumber(US), 0, MSS as u16, 65_535);
        let meta = SegmentMeta { received_at: cx.now, ..SegmentMeta::default() };
        let payload = &mut Chunk::copy_of(payload);
        Connection::accept_fast(cx, &half, open(options), (&syn, &meta, payload), grant)
    })
}

fn syn() -> TcpHeader {
    let options = TcpOptions { mss: Some(MSS as u16), sack_permitted: true, ..TcpOptions::default() };
    TcpHeader { options, ..segment(0, 0, SYN) }
}

#[test]
fn rfc_7413_4_2_2_data_on_the_syn_is_acknowledged_by_the_syn_ack_and_read_at_once() {
    let mut rig = opened(syn(), b"request", None);
    let answer = rig.recv();
    assert_eq!((answer.header.flags, answer.seq(), answer.ack()), (SYN | ACK, 0, 8));
    assert_eq!(answer.header.window, 65_535 - 7, "the edge is where the SYN's acknowledgment would have it");
    rig.recv_nothing();
    assert_eq!(rig.read().unwrap(), b"request");
    assert_eq!(rig.connection.state(), State::SynReceived);
    assert!(rig.info().fast_open && rig.connection.can_be_accepted());
    assert_eq!(rig.counters.fast_open_passive, 1);
}

#[test]
fn rfc_7413_4_2_2_the_answer_goes_out_before_the_handshake_is_complete() {
    let mut rig = opened(syn(), b"request", None);
    rig.recv();
    rig.write(20_000);
    let sent: usize = rig.sent.iter().map(|seen| seen.payload.len()).sum();
    assert_eq!((rig.recv().seq(), sent), (1, 10_000), "an initial window");
    rig.sent.clear();
    rig.advance(ms(10));
    rig.send(ack(8, 1), b"");
    assert_eq!(rig.connection.state(), State::Established);
    assert!(rig.connection.take_events().connected);
    rig.send(ack(8, 10_001), b"");
    assert!(!rig.sent.is_empty(), "and on it goes");
}

#[test]
fn rfc_7413_4_2_2_one_acknowledgment_may_cover_syn_ack_and_answer() {
    let mut rig = opened(syn(), b"request", None);
    rig.write(500);
    rig.sent.clear();
    rig.advance(ms(10));
    rig.send(ack(8, 501), b"more");
    assert_eq!((rig.connection.state(), rig.info().in_flight), (State::Established, 0));
    assert_eq!(rig.info().srtt, Some(ms(10)));
    assert_eq!(rig.read().unwrap(), b"requestmore");
}

#[test]
fn rfc_7413_4_2_2_a_syn_ack_sent_again_has_neither_cookie_nor_data_and_the_last_one_is_followed_by_the_end() {
    let mut rig = opened(syn(), b"request", Some(cookie(9)));
    assert_eq!(rig.recv().header.options.fast_open, Some(cookie(9)));
    rig.write(500);
    rig.recv_data(1, 500);
    rig.advance(ms(1_000));
    let again = rig.recv_data(0, 0);
    assert_eq!((again.header.flags, again.ack(), again.header.options.fast_open), (SYN | ACK, 8, None));
    rig.recv_nothing();
    rig.advance(ms(130_000));
    let flags: Vec<_> = rig.sent.iter().map(|seen| seen.header.flags).collect();
    assert_eq!(flags, [SYN | ACK, SYN | ACK, SYN | ACK, SYN | ACK, RST | ACK], "five tries, then a reset");
    assert_eq!(rig.connection.error(), Some(Error::TimedOut));
}

#[test]
fn after_a_lost_syn_ack_the_window_is_one_segment_and_the_time_out_three_seconds() {
    let without_sack = TcpOptions { sack_permitted: false, ..syn().options }; // or a tail probe would come first
    let mut rig = opened(TcpHeader { options: without_sack, ..syn() }, b"request", None);
    rig.advance(ms(1_000));
    rig.sent.clear();
    rig.send(ack(8, 1), b"");
    assert_eq!(rig.info().cwnd, MSS, "RFC 6928 2");
    rig.write(5_000);
    rig.recv_data(1, 1_000);
    rig.recv_nothing();
    rig.advance(ms(2_990));
    rig.recv_nothing();
    rig.advance(ms(20));
    rig.recv_data(1, 1_000); // RFC 6298 5.7
}

#[test]
fn rfc_7413_4_2_2_a_user_timeout_does_not_hurry_the_handshake() {
    let mut rig = opened(syn(), b"request", None);
    rig.connection.set_options(Arc::new(SocketOptions { user_timeout: Some(ms(10)), ..Default::default() }));
    rig.advance(ms(2_900));
    assert_eq!(rig.sent.len(), 2, "the SYN-ACK and its repetition");
    assert_eq!(rig.connection.error(), None);
}

#[test]
fn rfc_7413_4_2_2_a_repeated_syn_draws_the_syn_ack_again() {
    let mut rig = opened(syn(), b"request", None);
    rig.sent.clear();
    for payload in [&b""[..], b"request"] {
        rig.send(syn(), payload);
        let again = rig.recv();
        assert_eq!((again.header.flags, again.seq(), again.ack()), (SYN | ACK, 0, 8));
        rig.recv_nothing();
    }
    assert_eq!(rig.read().unwrap(), b"request", "its data counts once");
}

#[test]
fn rfc_9293_3_10_7_4_a_wrong_acknowledgment_of_the_syn_ack_is_reset() {
    for number in [0, 2] {
        let mut rig = opened(syn(), b"request", None);
        rig.sent.clear();
        rig.send(ack(8, number), b"");
        assert_eq!(rig.recv().header.flags, RST);
        assert_eq!(rig.connection.state(), State::SynReceived);
    }
}

#[test]
fn rfc_7413_5_1_a_reset_ends_it_and_the_application_hears() {
    let mut rig = opened(syn(), b"request", None);
    rig.send(segment(8, 0, RST), b"");
    assert_eq!(rig.connection.error(), Some(Error::ConnectionReset));
    assert!(!rig.connection.is_unconfirmed());
}

#[test]
fn rfc_7413_4_2_2_either_side_may_close_before_the_handshake_is_complete() {
    let mut rig = opened(TcpHeader { flags: SYN | FIN, ..syn() }, b"request", None);
    assert_eq!(rig.recv().ack(), 9, "SYN, data and FIN");
    assert_eq!(rig.connection.state(), State::CloseWait);
    assert_eq!(rig.read().unwrap(), b"request");
    rig.write(10);
    rig.recv_data(1, 10);
    rig.close();
    assert_eq!(rig.recv().header.flags, FIN | ACK);
    assert_eq!(rig.connection.state(), State::LastAck);
    rig.send(ack(9, 12), b"");
    assert_eq!((rig.connection.state(), rig.connection.error()), (State::Closed, None));
}

#[test]
fn rfc_3168_6_1_1_the_syn_ack_of_a_fast_open_agrees_to_ecn_the_first_time() {
    let asks = SYN | TcpFlags::ECE | TcpFlags::CWR;
    let mut rig = opened(TcpHeader { flags: asks, ..syn() }, b"request", None);
    assert_eq!(rig.recv().header.flags, SYN | ACK | TcpFlags::ECE);
    rig.advance(ms(1_000));
    assert_eq!(rig.recv().header.flags, SYN | ACK);
}

#[test]
fn rfc_9293_3_10_7_4_of_the_data_on_a_syn_only_what_the_window_holds_is_taken() {
    let options = SocketOptions { receive_buffer: 500, ..SocketOptions::default() };
    let syn = TcpHeader { flags: SYN | FIN, ..syn() };
    for (len, taken, state) in [(500, 500, State::CloseWait), (501, 500, State::SynReceived)] {
        let mut rig = rig(|cx| {
            let half = HalfOpen::new(&syn, SeqNumber(US), 0, MSS as u16, options.receive_buffer);
            let meta = SegmentMeta { received_at: cx.now, ..SegmentMeta::default() };
            let payload = &mut Chunk::copy_of(&bytes(len));
            Connection::accept_fast(cx, &half, open(options.clone()), (&syn, &meta, payload), None)
        });
        let fin = u32::from(state == State::CloseWait);
        assert_eq!(rig.recv().ack(), 1 + taken as u32 + fin, "{len} bytes");
        rig.recv_nothing();
        assert_eq!((rig.read().unwrap(), rig.connection.state()), (bytes(taken), state));
    }
}
