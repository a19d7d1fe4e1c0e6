//! The controller against a path of one bottleneck, without TCP around it.

use std::collections::VecDeque;

use super::super::{CongestionControl, Delivery};
use super::*;
use crate::tcp::recovery::delivery::DeliveryRate;
use crate::tcp::recovery::sent_log::Sent;
use crate::wire::SeqNumber;

const MSS: u32 = 1_000;
/// Steps of the simulation.
const STEP: Duration = Duration::from_micros(100);

/// A link with a queue, and a sender that always has data. What is lost is told of when it would have been acknowledged.
struct Path {
    bbr: Bbr,
    rate: DeliveryRate,
    now: Instant,
    /// Segments that the link takes in a step, and those of its time that are not used up.
    capacity: f64,
    credit: f64,
    /// Segments that the queue holds.
    queue_limit: usize,
    rtt: Duration,
    /// One segment in so many is lost, whatever the queue.
    loss_every: Option<u32>,
    queue: VecDeque<Sent>,
    /// On their way back, with the time of arrival, and whether they were lost.
    returning: VecDeque<(Instant, Sent, bool)>,
    sent: u32,
    in_flight: u32,
    /// When the next segment may leave.
    next: Instant,
    delivered: u64,
    longest_queue: usize,
    lost: u32,
    recovering: Option<u32>,
    limited_until: u32,
}

impl Path {
    /// `rate` in segments a millisecond.
    fn new(rate: f64, rtt_ms: u64, queue_limit: usize) -> Path {
        let rtt = Duration::from_millis(rtt_ms);
        Path {
            bbr: Bbr::new(10 * MSS, Instant::ZERO, Some(rtt), 7),
            rate: DeliveryRate::default(),
            now: Instant::ZERO,
            capacity: rate / 10.0,
            credit: 0.0,
            queue_limit,
            rtt,
            loss_every: None,
            queue: VecDeque::new(),
            returning: VecDeque::new(),
            sent: 0,
            in_flight: 0,
            next: Instant::ZERO,
            delivered: 0,
            longest_queue: 0,
            lost: 0,
            recovering: None,
            limited_until: 0,
        }
    }

    /// Runs for `millis` milliseconds and says how many segments a millisecond were delivered.
    fn run(&mut self, millis: u64) -> f64 {
        let (before, end) = (self.delivered, self.now + Duration::from_millis(millis));
        self.longest_queue = 0;
        while self.now < end {
            self.send();
            self.forward();
            self.acknowledge();
            self.now += STEP;
            self.longest_queue = self.longest_queue.max(self.queue.len());
        }
        (self.delivered - before) as f64 / f64::from(MSS) / millis as f64
    }

    fn send(&mut self) {
        let spacing = Duration::from_secs(1) * MSS / u32::try_from(self.bbr.pacing_rate().unwrap()).unwrap();
        while self.next <= self.now {
            if self.in_flight + MSS > self.bbr.cwnd() {
                self.limited_until = self.sent;
                return;
            }
            if self.in_flight == 0 {
                self.bbr.on_flight(self.now, self.rate.delivered(), self.rate.is_app_limited());
                self.rate.start(self.now);
            }
            self.in_flight += MSS;
            let snapshot = self.rate.snapshot(self.now, self.in_flight);
            let mut segment = Sent::for_tests(SeqNumber(self.sent * MSS), MSS, self.now);
            segment.snapshot = snapshot;
            self.sent += 1;
            // Within a step it does not matter when.
            self.next = if self.now - self.next > STEP { self.now } else { self.next } + spacing;
            let unlucky = self.loss_every.is_some_and(|every| self.sent.is_multiple_of(every));
            if unlucky || self.queue.len() >= self.queue_limit {
                self.returning.push_back((self.now + self.rtt, segment, true));
                self.lost += 1;
            } else {
                self.queue.push_back(segment);
            }
        }
    }

    fn forward(&mut self) {
        self.credit = if self.queue.is_empty() { 0.0 } else { self.credit + self.capacity };
        while self.credit >= 1.0 {
            let Some(segment) = self.queue.pop_front() else { return };
            self.credit -= 1.0;
            self.returning.push_back((self.now + self.rtt, segment, false));
        }
    }

    fn acknowledge(&mut self) {
        self.returning.make_contiguous().sort_by_key(|(at, ..)| *at);
        while self.returning.front().is_some_and(|(at, ..)| *at <= self.now) {
            let Some((_, segment, lost)) = self.returning.pop_front() else { return };
            self.in_flight -= MSS;
            let number = segment.seq.0 / MSS;
            if lost {
                self.bbr.on_lost(self.now, &self.rate.on_lost(&segment));
                if self.recovering.is_none() {
                    self.bbr.on_loss(self.in_flight, MSS);
                    self.recovering = Some(self.sent);
                }
                continue;
            }
            if self.recovering.is_some_and(|upto| number >= upto) {
                self.recovering = None;
                self.bbr.on_recovery_end();
            }
            self.delivered += u64::from(MSS);
            self.rate.on_delivered(&segment, self.now);
            let sample = self.rate.take_sample(self.rtt).unwrap();
            self.bbr.on_delivery(&Delivery {
                now: self.now,
                sample,
                delivered: self.rate.delivered(),
                pipe: self.in_flight,
                cwnd_limited: number <= self.limited_until,
                recovering: self.recovering.is_some(),
                sack: true,
                mss: MSS,
            });
        }
    }
}

#[test]
fn bbr_5_3_1_startup_finds_the_rate_within_some_round_trips() {
    let mut path = Path::new(10.0, 20, 1_000);
    path.run(400);
    assert!(path.bbr.full_pipe.reached, "{:?}", path.bbr.phase);
    let bw = path.bbr.max_bw.get() as f64 / 10_000_000.0;
    assert!((0.95..1.05).contains(&bw), "{bw} of the rate");
}

#[test]
fn bbr_5_3_3_the_link_is_full_and_the_queue_is_not() {
    let mut path = Path::new(10.0, 20, 1_000);
    path.run(1_000);
    let rate = path.run(4_000);
    assert!(rate > 9.5, "{rate} of 10 segments a millisecond");
    assert!(path.longest_queue < 300, "a bandwidth-delay product is 200: {}", path.longest_queue);
}

#[test]
fn bbr_5_3_4_a_pause_now_and_then_measures_the_round_trip() {
    let mut path = Path::new(10.0, 20, 1_000);
    let mut pauses = 0;
    let mut pausing = false;
    for _ in 0..1_200 {
        path.run(10);
        pauses += u32::from(!pausing && path.bbr.phase == Phase::ProbeRtt);
        pausing = path.bbr.phase == Phase::ProbeRtt;
    }
    assert!((1..=2).contains(&pauses), "{pauses} in twelve seconds");
}

/// One in a hundred is within BBR.LossThresh, whether the flow probes or not (3.2).
#[test]
fn bbr_3_2_losses_of_one_percent_cost_little() {
    let mut path = Path::new(10.0, 20, 400);
    path.loss_every = Some(100);
    path.run(1_000);
    let rate = path.run(9_000);
    assert!(rate > 9.5, "{rate} of 10 segments a millisecond");
}

/// Between two probes the rate follows what is delivered, down by the share of losses in each round trip.
#[test]
fn bbr_5_5_10_3_more_losses_than_that_slow_it_down() {
    let mut path = Path::new(10.0, 20, 400);
    path.loss_every = Some(25);
    path.run(1_000);
    let rate = path.run(9_000);
    assert!((1.0..8.0).contains(&rate), "{rate} of 10 segments a millisecond");
}

#[test]
fn rfc_3168_a_mark_between_two_probes_lowers_the_bound() {
    let mut path = Path::new(10.0, 20, 400);
    path.run(900);
    assert_eq!((path.bbr.phase, path.bbr.bw_shortterm), (Phase::Cruise, u64::MAX));
    path.bbr.on_mark(path.now, path.in_flight, MSS);
    path.run(40);
    assert!(path.bbr.bw_shortterm < u64::MAX);
}

#[test]
fn bbr_5_5_10_2_a_fiftieth_is_too_much_and_chance_alone_is_not() {
    let mut bbr = Path::new(10.0, 20, 400).bbr;
    bbr.mss = MSS;
    for (lost, in_flight, too_high) in [
        (20, 1_000, false),
        (21, 1_000, true),
        (6, 150, false),
        (7, 150, true),
        (3, 30, false),
        (4, 30, true),
        (1, 4, true),
    ] {
        assert_eq!(
            bbr.is_inflight_too_high(lost * MSS, in_flight * MSS),
            too_high,
            "{lost} of {in_flight} segments"
        );
    }
    bbr.sack = false;
    assert!(bbr.is_inflight_too_high(MSS, 1_000 * MSS), "others may have been lost that nobody told of");
}

#[test]
fn bbr_5_5_10_2_a_short_queue_is_not_overrun_for_long() {
    let mut path = Path::new(10.0, 20, 20);
    path.run(1_000);
    (path.lost, path.sent) = (0, path.sent);
    let before = path.sent;
    let rate = path.run(9_000);
    let share = f64::from(path.lost) / f64::from(path.sent - before);
    assert!(share < 0.02, "{share} lost");
    assert!(rate > 8.5, "{rate}");
    assert!(path.bbr.inflight_longterm < u32::MAX, "what the path bears has been found");
}

#[test]
fn bbr_5_3_3_more_bandwidth_is_found() {
    let mut path = Path::new(5.0, 20, 1_000);
    path.run(2_000);
    path.capacity *= 2.0;
    path.run(6_000);
    let rate = path.run(2_000);
    assert!(rate > 9.0, "{rate} of 10");
}

#[test]
fn bbr_5_5_7_less_bandwidth_is_noticed() {
    let mut path = Path::new(10.0, 20, 2_000);
    path.run(2_000);
    path.capacity /= 2.0;
    path.run(8_000);
    path.run(2_000);
    assert!(path.longest_queue < 300, "{}", path.longest_queue);
}

#[test]
fn bbr_5_6_4_4_after_a_time_out_one_segment_and_afterwards_what_was_before() {
    let mut path = Path::new(10.0, 20, 1_000);
    path.run(1_000);
    let before = path.bbr.cwnd();
    path.bbr.on_timeout(path.in_flight, MSS);
    assert_eq!(path.bbr.cwnd(), MSS);
    path.bbr.on_recovery_end();
    assert_eq!(path.bbr.cwnd(), before);
}

#[test]
fn bbr_5_5_11_2_a_needless_recovery_is_forgotten() {
    let mut path = Path::new(10.0, 20, 1_000);
    path.run(900);
    let (cwnd, bw) = (path.bbr.cwnd(), path.bbr.bw_shortterm);
    path.bbr.note_loss();
    path.bbr.on_loss(path.in_flight, MSS);
    path.run(100);
    path.bbr.on_spurious_loss();
    assert!(path.bbr.cwnd() >= cwnd);
    assert_eq!(path.bbr.bw_shortterm, bw);
    assert!(!path.bbr.in_recovery);
}

#[test]
fn rfc_3168_a_mark_counts_as_congestion() {
    let mut path = Path::new(10.0, 20, 1_000);
    path.run(60);
    assert_eq!(path.bbr.phase, Phase::Startup);
    path.bbr.on_mark(path.now, path.in_flight, MSS);
    path.run(30);
    assert_ne!(path.bbr.phase, Phase::Startup, "it has grown enough");
}
