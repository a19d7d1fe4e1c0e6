use super::*;
use crate::wire::{Ecn, IpHeader, IpOut, IpPair, Protocol};

fn link(options: &str) -> Link {
    Link::new(options.parse().unwrap())
}

/// Pushes numbered packets of four bytes, `gap` apart, and gives the numbers and times of arrival in order.
fn numbered(link: &mut Link, count: u32, gap: Duration) -> Vec<(Instant, u32)> {
    let mut now = Instant::ZERO;
    for number in 0..count {
        link.push(now, &number.to_be_bytes());
        now += gap;
    }
    drain(link)
        .into_iter()
        .map(|(at, packet)| (at, u32::from_be_bytes(packet[..].try_into().unwrap())))
        .collect()
}

fn drain(link: &mut Link) -> Vec<(Instant, Vec<u8>)> {
    let mut arrived = Vec::new();
    while let Some(due) = link.deadline() {
        let (at, packet) = link.pop(due).expect("something is due at the deadline");
        assert_eq!(at, due);
        arrived.push((at, packet.to_vec()));
    }
    arrived
}

fn is_in_order(arrived: &[(Instant, u32)]) -> bool {
    arrived.is_sorted_by_key(|(_, number)| *number)
}

/// Whether `count` is within five standard deviations of what is expected of `n` throws with probability `p`.
fn plausible(count: u64, n: f64, p: f64) -> bool {
    (count as f64 - n * p).abs() <= 5.0 * (n * p * (1.0 - p)).sqrt()
}

#[test]
fn a_perfect_link_delivers_at_once() {
    let mut link = link("");
    link.push(Instant::from_millis(3), b"packet");
    assert_eq!(link.peek(Instant::from_millis(3)), Some(&b"packet"[..]));
    let (at, packet) = link.pop(Instant::from_millis(3)).unwrap();
    assert_eq!((at, &packet[..]), (Instant::from_millis(3), &b"packet"[..]));
    assert_eq!((link.deadline(), link.in_flight()), (None, 0));
}

#[test]
fn delay_is_not_a_microsecond_shorter() {
    let mut link = link("delay=20ms");
    link.push(Instant::from_millis(1), b"packet");
    assert!(link.pop(Instant::from_micros(20_999)).is_none());
    assert!(link.pop(Instant::from_millis(21)).is_some());
}

#[test]
fn jitter_spreads_the_delay_and_keeps_the_order() {
    let mut jittery = link("delay=20ms,jitter=5ms");
    let apart = Duration::from_millis(100);
    let delays: Vec<Duration> = numbered(&mut jittery, 2_000, apart)
        .iter()
        .map(|(at, number)| *at - Instant::from_millis(100 * u64::from(*number)))
        .collect();
    let (least, most) = (*delays.iter().min().unwrap(), *delays.iter().max().unwrap());
    assert!((Duration::from_millis(15)..Duration::from_micros(15_100)).contains(&least), "{least:?}");
    assert!((Duration::from_micros(24_900)..=Duration::from_millis(25)).contains(&most), "{most:?}");

    let close = numbered(&mut link("delay=20ms,jitter=5ms"), 2_000, Duration::from_micros(10));
    assert!(is_in_order(&close), "packets wait for the one in front of them");
}

#[test]
fn jitter_larger_than_the_delay_does_not_travel_in_time() {
    let arrived = numbered(&mut link("delay=1ms,jitter=5ms"), 200, Duration::from_millis(20));
    for (at, number) in arrived {
        assert!(at >= Instant::from_millis(20 * u64::from(number)));
    }
}

#[test]
fn a_reordered_packet_is_overtaken_by_what_is_sent_within_the_hold() {
    let mut link = link("delay=20ms,reorder=5%,reorder-by=2ms");
    let arrived = numbered(&mut link, 10_000, Duration::from_millis(1));
    let late = arrived
        .iter()
        .filter(|(at, number)| *at - Instant::from_millis(u64::from(*number)) == Duration::from_millis(22));
    assert_eq!(late.count() as u64, link.counters().reordered);
    assert!(plausible(link.counters().reordered, 10_000.0, 0.05), "{:?}", link.counters());
    assert!(!is_in_order(&arrived));
}

#[test]
fn faults_come_as_often_as_they_are_asked_for() {
    let mut link = link("loss=2%,duplicate=1%,corrupt=0.5%,seed=3");
    let n = 100_000;
    for _ in 0..n {
        link.push(Instant::ZERO, b"packet");
        drain(&mut link);
    }
    let LinkCounters { lost, duplicated, corrupted, delivered, pushed, .. } = *link.counters();
    assert_eq!(delivered, pushed - lost + duplicated);
    assert!(plausible(lost, f64::from(n), 0.02), "{lost} lost");
    assert!(plausible(duplicated, f64::from(n), 0.98 * 0.01), "{duplicated} duplicated");
    assert!(plausible(corrupted, f64::from(n), 0.98 * 0.005), "{corrupted} corrupted");
}

#[test]
fn corruption_flips_exactly_one_bit() {
    let mut link = link("corrupt=100%");
    (0..500).for_each(|_| link.push(Instant::ZERO, &[0; 64]));
    for (_, packet) in drain(&mut link) {
        assert_eq!(packet.iter().map(|byte| byte.count_ones()).sum::<u32>(), 1);
    }
}

#[test]
fn a_duplicate_follows_its_original() {
    let arrived = numbered(&mut link("duplicate=100%,delay=1ms"), 3, Duration::from_millis(5));
    assert_eq!(arrived.iter().map(|(_, number)| *number).collect::<Vec<_>>(), [0, 0, 1, 1, 2, 2]);
}

#[test]
fn the_rate_spaces_packets_out() {
    let mut link = link("rate=8mbit");
    (0..3).for_each(|_| link.push(Instant::ZERO, &[0; 1_000]));
    let at: Vec<u64> = drain(&mut link).iter().map(|(at, _)| at.as_micros()).collect();
    assert_eq!(at, [1_000, 2_000, 3_000]);
}

#[test]
fn a_full_queue_drops_until_something_has_left() {
    for options in ["rate=8mbit,queue=2", "rate=8mbit,queue=2000B"] {
        let mut link = link(options);
        (0..3).for_each(|_| link.push(Instant::ZERO, &[0; 1_000]));
        assert_eq!(link.counters().queue_dropped, 1, "{options}");
        link.push(Instant::from_micros(999), &[0; 1_000]);
        assert_eq!(link.counters().queue_dropped, 2, "{options}: the first is still being sent");
        link.push(Instant::from_micros(1_000), &[0; 1_000]);
        assert_eq!(link.counters().queue_dropped, 2, "{options}");
        assert_eq!(drain(&mut link).len(), 3);
    }
}

fn ip_packet(addresses: (&str, &str), ecn: Ecn) -> Vec<u8> {
    let addresses = IpPair::new(addresses.0.parse().unwrap(), addresses.1.parse().unwrap()).unwrap();
    let ip = IpOut { addresses, protocol: Protocol::UDP, ecn, payload_len: 8 };
    let mut out = [0; IpOut::MAX_LEN];
    let len = ip.emit(&mut out);
    [&out[..len], &[0; 8]].concat()
}

#[test]
fn a_long_queue_marks_what_is_ecn_capable() {
    for addresses in [("10.0.0.1", "10.0.0.2"), ("fd00::1", "fd00::2")] {
        let mut link = link("rate=1mbit,ecn=1");
        let sent = [Ecn::Ect0, Ecn::Ect0, Ecn::Ect1, Ecn::NotCapable];
        sent.iter().for_each(|ecn| link.push(Instant::ZERO, &ip_packet(addresses, *ecn)));
        // Parsing verifies the IPv4 header's checksum.
        let arrived: Vec<Ecn> =
            drain(&mut link).iter().map(|(_, packet)| IpHeader::parse(packet).unwrap().ecn).collect();
        let marked = Ecn::CongestionExperienced;
        assert_eq!(arrived, [Ecn::Ect0, marked, marked, Ecn::NotCapable]);
        assert_eq!(link.counters().marked, 2);
    }
}

#[test]
fn marking_leaves_anything_shorter_than_a_header_alone() {
    for len in 0..40 {
        for first in [0x4f, 0x60] {
            let mut packet = vec![0xff; len];
            packet.iter_mut().take(1).for_each(|byte| *byte = first);
            mark_congestion(&mut packet);
        }
    }
}

#[test]
fn the_delay_line_is_bounded() {
    let mut link = link("delay=10s");
    let packet = [0; 60_000];
    (0..2_000).for_each(|_| link.push(Instant::ZERO, &packet));
    let LinkCounters { overflowed, .. } = *link.counters();
    assert!(overflowed > 0);
    assert!(link.held_bytes <= MAX_HELD_BYTES);
    assert_eq!(drain(&mut link).len() as u64, 2_000 - overflowed);
    assert_eq!(link.held_bytes, 0);
}

#[test]
fn the_same_seed_gives_the_same_trace_and_another_a_different_one() {
    let trace = |seed: u64| {
        let mut link = link(&format!("delay=5ms,jitter=4ms,loss=5%,reorder=5%,duplicate=5%,seed={seed}"));
        numbered(&mut link, 1_000, Duration::from_micros(300))
    };
    assert_eq!(trace(1), trace(1));
    assert_ne!(trace(1), trace(2));
}

#[test]
fn one_fault_does_not_change_which_packets_another_meets() {
    let survivors = |options: &str| {
        let mut arrived = numbered(&mut link(options), 1_000, Duration::from_millis(1));
        arrived.sort_unstable_by_key(|(_, number)| *number);
        arrived.dedup_by_key(|(_, number)| *number);
        arrived.iter().map(|(_, number)| *number).collect::<Vec<_>>()
    };
    assert_eq!(survivors("loss=5%"), survivors("loss=5%,jitter=3ms,duplicate=10%,reorder=10%"));
}

#[test]
fn counters_read_like_a_sentence() {
    let counters = LinkCounters { pushed: 10, delivered: 9, lost: 1, ..LinkCounters::default() };
    assert_eq!(counters.plus(counters).to_string(), "20 in, 18 out, 2 lost");
}
