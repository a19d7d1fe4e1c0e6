//! The round-trip time without a queue, and the pauses in which it is measured (5.3.4, 5.5.7).

use super::super::Delivery;
use super::Bbr;
use super::cycle::{AckPhase, Phase};
use crate::time::{Duration, Instant};

/// BBR.MinRTTFilterLen
const FILTER: Duration = Duration::from_secs(10);
/// BBR.ProbeRTTInterval
const INTERVAL: Duration = Duration::from_secs(5);
/// BBR.ProbeRTTDuration
const PAUSE: Duration = Duration::from_millis(200);

/// BBR.min_rtt, and when it is to be measured again.
#[derive(Clone, Copy, Debug)]
pub(super) struct MinRtt {
    min_rtt: Option<Duration>,
    stamp: Instant,
    /// BBR.probe_rtt_min_delay and BBR.probe_rtt_min_stamp: the smallest of the last five seconds.
    recent: Option<Duration>,
    recent_stamp: Instant,
    /// BBR.probe_rtt_expired
    expired: bool,
    /// BBR.probe_rtt_done_stamp
    done_at: Option<Instant>,
    /// BBR.probe_rtt_round_done
    round_done: bool,
}

impl MinRtt {
    pub(super) fn new(now: Instant, srtt: Option<Duration>) -> Self {
        MinRtt {
            min_rtt: srtt,
            stamp: now,
            recent: None,
            recent_stamp: now,
            expired: false,
            done_at: None,
            round_done: false,
        }
    }

    /// The smallest round-trip time of the last ten seconds, if one was measured.
    pub(super) fn get(&self) -> Option<Duration> {
        self.min_rtt
    }

    /// UpdateMinRTT
    fn update(&mut self, now: Instant, rtt: Option<Duration>) {
        self.expired = now > self.recent_stamp + INTERVAL;
        if let Some(rtt) = rtt
            && (self.expired || self.recent.is_none_or(|recent| rtt < recent))
        {
            self.recent = Some(rtt);
            self.recent_stamp = now;
        }
        let Some(recent) = self.recent else { return };
        if self.min_rtt.is_none_or(|min| recent < min) || now > self.stamp + FILTER {
            self.min_rtt = Some(recent);
            self.stamp = self.recent_stamp;
        }
    }
}

impl Bbr {
    pub(super) fn update_min_rtt(&mut self, now: Instant, rtt: Option<Duration>) {
        self.min_rtt.update(now, rtt);
    }

    /// CheckProbeRTT
    pub(super) fn check_probe_rtt(&mut self, delivery: &Delivery) {
        if self.phase != Phase::ProbeRtt && self.min_rtt.expired && !self.idle_restart {
            self.save_cwnd();
            self.phase = Phase::ProbeRtt;
            self.min_rtt.done_at = None;
            self.probe.ack_phase = AckPhase::Stopping;
            self.rounds.start(delivery.delivered);
        }
        if self.phase == Phase::ProbeRtt {
            self.handle_probe_rtt(delivery);
        }
        if delivery.sample.delivered > 0 {
            self.idle_restart = false;
        }
    }

    /// HandleProbeRTT: the pause lasts from when little is under way, and for a round trip at least.
    fn handle_probe_rtt(&mut self, delivery: &Delivery) {
        match self.min_rtt.done_at {
            None if delivery.pipe <= self.probe_rtt_cwnd() => {
                self.min_rtt.done_at = Some(delivery.now + PAUSE);
                self.min_rtt.round_done = false;
                self.rounds.start(delivery.delivered);
            }
            None => {}
            Some(_) => {
                self.min_rtt.round_done |= self.rounds.began;
                if self.min_rtt.round_done {
                    self.check_probe_rtt_done(delivery.now);
                }
            }
        }
    }

    /// CheckProbeRTTDone and ExitProbeRTT (5.3.4.4).
    pub(super) fn check_probe_rtt_done(&mut self, now: Instant) {
        if self.min_rtt.done_at.is_none_or(|done_at| now <= done_at) {
            return;
        }
        self.min_rtt.recent_stamp = now;
        self.restore_cwnd();
        self.reset_short_term_model();
        if self.full_pipe.reached {
            self.start_down(now);
            self.phase = Phase::Cruise;
        } else {
            self.phase = Phase::Startup;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Option<Duration> {
        Some(Duration::from_millis(millis))
    }

    #[test]
    fn bbr_5_5_7_2_the_smallest_of_ten_seconds() {
        let mut min_rtt = MinRtt::new(Instant::ZERO, None);
        min_rtt.update(Instant::from_secs(1), ms(20));
        min_rtt.update(Instant::from_secs(2), ms(30));
        assert_eq!((min_rtt.get(), min_rtt.expired), (ms(20), false));
        min_rtt.update(Instant::from_secs(7), ms(30));
        assert_eq!((min_rtt.get(), min_rtt.expired), (ms(20), true), "time to look again");
        min_rtt.update(Instant::from_secs(12), ms(40));
        assert_eq!(min_rtt.get(), ms(30), "of the last five seconds");
    }

    #[test]
    fn bbr_5_3_4_3_without_a_sample_nothing_is_known() {
        let mut min_rtt = MinRtt::new(Instant::ZERO, None);
        min_rtt.update(Instant::from_secs(30), None);
        assert_eq!(min_rtt.get(), None);
    }
}
