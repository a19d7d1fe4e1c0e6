//! Pacing. The handshake of the rig has measured 10 ms, the window is ten segments.

use super::*;

fn paced() -> Rig {
    let config = Config { pacing: true, congestion: Algorithm::NewReno, ..config() };
    let mut rig = Rig::connecting_with(SocketOptions { nodelay: true, ..SocketOptions::default() }, config);
    rig.recv();
    rig.advance(ms(10));
    let mut syn_ack = segment(0, 1, SYN | ACK);
    syn_ack.options.mss = Some(MSS as u16);
    rig.send(syn_ack, b"");
    rig.recv();
    rig
}

fn bytes(rig: &mut Rig) -> usize {
    rig.sent.drain(..).map(|seen| seen.payload.len()).sum()
}

/// Two windows in a round-trip are 2,000 bytes in a millisecond.
#[test]
fn slow_start_spreads_a_window_over_half_of_the_round_trip() {
    let mut rig = paced();
    rig.write(50_000);
    let mut sent = vec![bytes(&mut rig)];
    for _ in 0..9 {
        rig.advance(ms(1));
        sent.push(bytes(&mut rig));
    }
    assert_eq!(sent, [2_000, 2_000, 2_000, 2_000, 2_000, 0, 0, 0, 0, 0]);
}

#[test]
fn the_time_of_a_burst_is_kept_even_if_more_is_written() {
    let mut rig = paced();
    rig.write(2_000);
    assert_eq!(bytes(&mut rig), 2_000);
    rig.advance(Duration::from_micros(500));
    rig.write(1_000);
    rig.recv_nothing();
    rig.advance(Duration::from_micros(500));
    rig.recv_data(2_001, 1_000);
}

/// 1.2 windows of 5,000 bytes in 10 ms: two segments each 3.3 ms.
#[test]
fn congestion_avoidance_leaves_a_fifth_for_growth() {
    let mut rig = paced();
    rig.write(60_000);
    rig.advance(ms(10));
    bytes(&mut rig);
    (0..3).for_each(|_| rig.send(ack(1, 1), b""));
    assert!(rig.sent.iter().any(|seen| seen.seq() == 1), "the first segment of a recovery does not wait");
    rig.advance(ms(10));
    bytes(&mut rig);
    let upto = rig.info().in_flight + 1;
    rig.send(ack(1, upto), b"");
    let mut sent = bytes(&mut rig);
    assert!(sent <= 2_000);
    rig.advance(ms(4));
    sent += bytes(&mut rig);
    assert!((2_000..=4_000).contains(&sent), "{sent}");
}

#[test]
fn it_is_off_by_default() {
    let mut rig = Rig::established();
    rig.write(50_000);
    assert_eq!(bytes(&mut rig), 10_000);
}

/// draft-ietf-ccwg-bbr-06 5.6.2.
#[test]
fn bbr_paces_whatever_the_option_says() {
    let config = Config { pacing: false, congestion: Algorithm::Bbr, ..config() };
    let mut rig = Rig::connecting_with(SocketOptions::default(), config);
    rig.recv();
    rig.advance(ms(10));
    rig.send(segment(0, 1, SYN | ACK), b"");
    assert!(rig.info().pacing_rate.is_some());
}
