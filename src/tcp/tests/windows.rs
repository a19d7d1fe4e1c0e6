//! Closed windows, probes, silly windows, and windows that move (RFC 9293 3.8.6).

use super::*;

/// A connection whose peer has closed its window.
fn shut_out() -> Rig {
    let mut rig = Rig::established();
    rig.send(window(ack(1, 1), 0), b"");
    rig
}

#[test]
fn rfc_9293_3_8_6_1_probes_back_off_to_two_minutes() {
    let mut rig = shut_out();
    rig.write(5_000);
    let mut gaps = Vec::new();
    for _ in 0..12 {
        let before = rig.now;
        rig.advance(rig.connection.deadline().unwrap() - before);
        rig.recv_data(1, 1);
        gaps.push((rig.now - before).as_millis());
        rig.send(window(ack(1, 1), 0), b"");
    }
    assert_eq!(gaps[..4], [200, 400, 800, 1_600]);
    assert_eq!(gaps[10..], [120_000, 120_000]);
}

/// The octet of a probe lies beyond the window, and a number behind it does so more: whoever tests acceptability by
/// the letter would drop our acknowledgments, and send again for ever what we have received.
#[test]
fn rfc_9293_3_10_7_4_while_probing_acknowledgments_stay_in_the_window() {
    let mut rig = shut_out();
    rig.write(5_000);
    rig.advance(ms(201));
    rig.recv_data(1, 1);
    rig.send(window(ack(1, 1), 0), b"data of theirs");
    assert_eq!(rig.recv_ack(15).seq(), 1);
    rig.abort();
    let reset = rig.recv();
    assert_eq!((reset.header.flags, reset.seq()), (RST | ACK, 1));
}

/// Both sides have probed, both have taken the other's octet, and neither has heard of it.
#[test]
fn rfc_9293_3_10_7_4_two_that_probe_each_other_hear_each_other() {
    let mut rig = shut_out();
    rig.write(5_000);
    rig.advance(ms(201));
    rig.recv_data(1, 1);
    rig.send(window(ack(1, 1), 0), b"?"); // the peer's probe
    assert_eq!(rig.recv_ack(2).seq(), 1);
    rig.send(ack(1, 2), b""); // from behind RCV.NXT, and it took ours
    assert_eq!(rig.sent.drain(..).map(|seen| seen.payload.len()).sum::<usize>(), 4_999);
}

#[test]
fn rfc_9293_3_8_6_1_a_fin_alone_is_the_probe() {
    let mut rig = shut_out();
    rig.shutdown();
    rig.recv_nothing();
    rig.advance(ms(201));
    assert_eq!(rig.recv_data(1, 0).header.flags, FIN | ACK);
    rig.send(window(ack(1, 1), 0), b"");
    rig.advance(ms(401));
    assert_eq!(rig.recv_data(1, 0).header.flags, FIN | ACK);
    rig.send(window(ack(1, 2), 0), b"");
    assert_eq!(rig.connection.state(), State::FinWait2);
    assert_eq!(rig.connection.next_timer(), None);
}

#[test]
fn rfc_9293_3_8_6_1_data_and_fin_behind_a_closed_window() {
    let mut rig = shut_out();
    rig.write(1_500);
    rig.shutdown();
    rig.advance(ms(201));
    let probe = rig.recv_data(1, 1);
    assert!(!probe.header.has(FIN), "the FIN is behind the data");
    rig.send(ack(1, 1), b"");
    let sent: Vec<_> = rig.sent.drain(..).collect();
    assert_eq!(sent.iter().map(|seen| seen.payload.len()).sum::<usize>(), 1_500);
    assert!(sent.last().unwrap().header.has(FIN));
    rig.send(ack(1, 1_502), b"");
    assert_eq!(rig.connection.state(), State::FinWait2);
}

#[test]
fn rfc_9293_3_8_6_1_the_window_may_be_closed_from_the_first() {
    let mut rig = Rig::connecting(SocketOptions { nodelay: true, ..SocketOptions::default() });
    rig.recv();
    rig.send(window(segment(0, 1, SYN | ACK), 0), b"");
    rig.recv_ack(1);
    rig.write(600);
    rig.recv_nothing();
    rig.advance(ms(201));
    rig.recv_data(1, 1);
    rig.send(ack(1, 2), b"");
    assert_eq!(rig.sent.drain(..).map(|seen| seen.payload.len()).sum::<usize>(), 599);
}

#[test]
fn rfc_9293_3_8_6_1_a_peer_that_takes_octet_after_octet_gets_them() {
    let mut rig = shut_out();
    rig.write(20);
    for i in 0..20 {
        rig.advance(rig.connection.deadline().unwrap() - rig.now);
        rig.recv_data(1 + i, 1);
        rig.send(window(ack(1, 2 + i), 0), b"");
        rig.recv_nothing();
    }
    assert_eq!((rig.info().in_flight, rig.connection.next_timer()), (0, None));
}

#[test]
fn rfc_9293_3_8_6_a_window_that_shrinks_stops_new_data_and_not_recovery() {
    let mut rig = Rig::established();
    rig.write(8_000);
    rig.sent.clear();
    rig.send(window(ack(1, 2_001), 3_000), b""); // 6,000 under way
    rig.write(8_000);
    rig.recv_nothing();
    rig.advance(ms(201));
    rig.recv_data(2_001, 1_000);
    rig.send(window(ack(1, 8_001), 3_000), b"");
    let sent: usize = rig.sent.drain(..).map(|seen| seen.payload.len()).sum();
    assert_eq!(sent, 3_000);
}

#[test]
fn rfc_9293_3_10_7_4_an_older_segment_does_not_change_the_window() {
    let mut rig = Rig::established();
    rig.send(window(ack(1, 1), 5_000), b"ab");
    rig.send(window(ack(3, 1), 7_000), b"");
    rig.send(window(ack(1, 1), 9_000), b"ab"); // SEG.SEQ below SND.WL1
    assert_eq!(rig.info().snd_wnd, 7_000);
    rig.write(10);
    rig.send(window(ack(3, 11), 6_000), b"");
    rig.send(window(ack(3, 1), 9_000), b""); // SEG.ACK below SND.WL2
    assert_eq!(rig.info().snd_wnd, 6_000);
}

/// A segment sent again carries what the peer knows now: who takes its acknowledgment and not its window goes on with a
/// window that reaches further than the peer ever said.
#[test]
fn rfc_9293_3_10_7_4_what_acknowledges_more_is_newer_whatever_its_number() {
    let mut rig = Rig::established();
    rig.send(window(ack(1, 1), 2_000), b"ab");
    rig.send(window(ack(3, 1), 2_000), b"");
    rig.write(5_000);
    rig.sent.clear();
    rig.send(window(ack(1, 2_001), 500), b"ab"); // SEG.SEQ below SND.WL1
    assert_eq!((rig.info().in_flight, rig.info().snd_wnd), (0, 500));
    let sent: usize = rig.sent.iter().map(|seen| seen.payload.len()).sum();
    assert!(sent <= 500, "{sent} bytes into a window of 500");
}

/// A peer that saw our window shrink sends from inside it, before RCV.NXT. Its acknowledgment is all that can end its
/// waiting, and ours (found by simulation: two that shrank reset each other).
#[test]
fn rfc_9293_3_10_7_4_what_acknowledges_more_counts_although_its_text_came_before() {
    let mut rig = Rig::established();
    rig.write(100);
    rig.recv_data(1, 100);
    rig.send(window(ack(1, 1), 0), &[7; 50]);
    rig.recv_ack(51);
    rig.send(window(ack(1, 101), 700), b"x");
    assert_eq!((rig.info().in_flight, rig.info().snd_wnd), (0, 700));
    rig.recv_ack(51);
    assert_eq!(rig.read().unwrap(), [7; 50], "the text that came before is not taken again");

    rig.write(10);
    rig.recv_data(101, 10);
    rig.send(ack(51u32.wrapping_sub(100_000_000), 111), b"");
    assert_eq!(rig.info().in_flight, 10, "not from as far back as nobody was ever let send");
}

#[test]
fn rfc_1122_4_2_3_4_half_of_the_largest_window_is_worth_a_segment() {
    let mut rig = Rig::connecting(SocketOptions { nodelay: true, ..SocketOptions::default() });
    rig.recv();
    let mut syn_ack = window(segment(0, 1, SYN | ACK), 800);
    syn_ack.options.mss = Some(MSS as u16);
    rig.send(syn_ack, b"");
    rig.recv();
    rig.send(window(ack(1, 1), 400), b"");
    rig.write(5_000);
    rig.recv_data(1, 400);
    rig.send(window(ack(1, 401), 399), b"");
    rig.recv_nothing();
}

#[test]
fn rfc_1122_4_2_3_3_reading_a_little_does_not_open_the_window() {
    let options = SocketOptions { receive_buffer: 4_000, ..SocketOptions::default() };
    let mut rig = Rig::established_with(options, TcpOptions::default());
    rig.send(ack(1, 1), &[0; 4_000]);
    assert_eq!(rig.recv_ack(4_001).header.window, 0);
    let mut some = [0; 100];
    assert_eq!(rig.connection.read(&mut some), Ok(100));
    rig.transmit();
    rig.recv_nothing();
    rig.send(ack(4_001, 1), b"?"); // a probe
    assert_eq!(rig.recv_ack(4_001).header.window, 0);
}

#[test]
fn rfc_9293_3_8_6_a_lost_window_update_is_repeated_to_the_probe() {
    let options = SocketOptions { receive_buffer: 4_000, ..SocketOptions::default() };
    let mut rig = Rig::established_with(options, TcpOptions::default());
    rig.send(ack(1, 1), &[0; 4_000]);
    rig.recv_ack(4_001);
    rig.read().unwrap();
    assert_eq!(rig.recv_ack(4_001).header.window, 4_000); // lost
    rig.send(ack(4_001, 1), b"?");
    assert_eq!(rig.recv_ack(4_002).header.window, 3_999, "taken, and the window is told once more");
}

/// Round trips of 10 ms, in each of which the peer sends all that the window allows, up to 40 kB more than before.
fn window_after(round_trips: u32, reads: bool) -> u32 {
    let offer = TcpOptions { window_scale: Some(7), ..TcpOptions::default() };
    let mut rig = Rig::established_with(SocketOptions::default(), offer);
    let mut sent = 0;
    for round in 1..=round_trips {
        let window = rig.info().rcv_wnd;
        for _ in 0..window.min(round * 40_000) / 1_000 {
            rig.send(ack(1 + sent, 1), &[0; 1_000]);
            sent += 1_000;
        }
        while reads && rig.read().is_ok() {}
        rig.transmit();
        rig.advance(ms(10));
    }
    rig.info().rcv_wnd
}

#[test]
fn the_window_follows_what_is_read_in_a_round_trip() {
    assert!(window_after(1, true) <= 65_536);
    let later = window_after(8, true);
    assert!(later >= 320_000, "{later} bytes are left when the peer has sent its 320 kB");
    assert!(window_after(8, false) < 1_000, "what nobody reads stays within the first window");
}

/// SHLD-14. Whatever arrives and is read or not, in small or in large pieces. A scaled window can only be told in
/// units: the same edge looks different by less than one from another RCV.NXT (RFC 7323 2.4).
#[test]
fn rfc_9293_3_8_6_the_right_edge_never_moves_back() {
    for shift in [None, Some(7)] {
        let options = SocketOptions { receive_buffer: 50_000, ..SocketOptions::default() };
        let offer = TcpOptions { window_scale: shift, sack_permitted: true, ..TcpOptions::default() };
        let mut rig = Rig::established_with(options, offer);
        let scale = if shift.is_some() { 8 } else { 0 };
        let (mut edge, mut next) = (0, 1);
        for round in 0..400_u32 {
            let len = [1, 999, 3, 1_000, 40][round as usize % 5];
            let gap = if round % 7 == 0 { 500 } else { 0 };
            rig.send(ack(next + gap, 1), &vec![1; len as usize]);
            if round % 11 == 0 {
                let _ = rig.read();
            }
            for seen in rig.sent.drain(..) {
                let told = seen.ack() + (u32::from(seen.header.window) << scale);
                assert!(told + (1 << scale) > edge, "round {round}: {told} after {edge}");
                (edge, next) = (told.max(edge), seen.ack());
            }
        }
        assert!(next > 20_000, "{next}");
    }
}

/// A full buffer closes the window; what was promised is kept.
#[test]
fn rfc_9293_3_8_6_everything_within_the_promise_is_taken() {
    let options = SocketOptions { receive_buffer: 10_000, ..SocketOptions::default() };
    let mut rig = Rig::established_with(options, TcpOptions::default());
    let (mut next, mut edge) = (1, 10_001);
    while next < edge {
        rig.send(ack(next, 1), b"x");
        next += 1;
        if let Some(seen) = rig.sent.pop_back() {
            assert_eq!(seen.ack(), next);
            edge = seen.ack() + u32::from(seen.header.window);
        }
        rig.sent.clear();
    }
    assert_eq!(rig.read().unwrap().len() as u32, next - 1);
}
