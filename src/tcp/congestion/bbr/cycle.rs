//! The state machine: find the rate (Startup, Drain), then try now and then whether there is more (ProbeBW) (5.3).

use super::super::Delivery;
use super::{Bbr, FEW_LOSSES};
use crate::time::{Duration, Instant};

/// Rounds after which Drain ends in any case (5.3.2).
const DRAIN_ROUNDS: u32 = 3;
/// Rounds after which Reno would have filled a small pipe again, at most (5.3.3.8.3).
const RENO_ROUNDS: u32 = 63;

/// BBR.state
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Startup,
    Drain,
    /// ProbeBW_DOWN: slower than the path, until no queue is left.
    Down,
    /// ProbeBW_CRUISE: as fast as the path.
    Cruise,
    /// ProbeBW_REFILL: as much under way as the path bears, before it is tried whether it bears more.
    Refill,
    /// ProbeBW_UP: faster than the path.
    Up,
    ProbeRtt,
}

impl Phase {
    /// BBR.pacing_gain in percent (5.6.1).
    pub(super) fn pacing_gain(self) -> u32 {
        match self {
            Phase::Startup => 277,
            Phase::Drain => 50,
            Phase::Down => 90,
            Phase::Up => 125,
            Phase::Cruise | Phase::Refill | Phase::ProbeRtt => 100,
        }
    }

    /// BBR.cwnd_gain in percent (5.6.1).
    pub(super) fn cwnd_gain(self) -> u32 {
        match self {
            Phase::Up => 225,
            Phase::ProbeRtt => 50,
            _ => 200,
        }
    }

    /// IsInAProbeBWState
    pub(super) fn is_probe_bw(self) -> bool {
        matches!(self, Phase::Down | Phase::Cruise | Phase::Refill | Phase::Up)
    }

    /// IsProbingBW: losses are expected.
    pub(super) fn is_probing(self) -> bool {
        matches!(self, Phase::Startup | Phase::Refill | Phase::Up)
    }
}

/// BBR.ack_phase: of which phase the acknowledgments tell that come now, a round trip after the sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AckPhase {
    Init,
    Refilling,
    Starting,
    Feedback,
    Stopping,
}

/// The state of probing for more bandwidth (2.14).
#[derive(Clone, Debug)]
pub(super) struct Probe {
    pub(super) ack_phase: AckPhase,
    /// BBR.is_bw_probe_sample
    pub(super) sampling: bool,
    /// BBR.prev_probe_too_high
    pub(super) too_high: bool,
    /// BBR.prev_probe_precautionary
    precautionary: bool,
    /// BBR.bw_probe_up_acked
    acked: u32,
    /// BBR.probe_up_acked_per_inc
    acked_per_increase: u32,
    /// BBR.bw_probe_up_rounds
    rounds: u8,
    /// BBR.cycle_stamp
    since: Instant,
    /// BBR.bw_probe_wait
    wait: Duration,
    /// BBR.drain_start_round
    drain_round: u32,
    random: fastrand::Rng,
}

impl Probe {
    pub(super) fn new(seed: u64) -> Self {
        Probe {
            ack_phase: AckPhase::Init,
            sampling: false,
            too_high: false,
            precautionary: false,
            acked: 0,
            acked_per_increase: u32::MAX,
            rounds: 0,
            since: Instant::ZERO,
            wait: Duration::ZERO,
            drain_round: 0,
            random: fastrand::Rng::with_seed(seed),
        }
    }
}

impl Bbr {
    /// CheckStartupDone: the pipe is full, or losses say so (5.3.1.3).
    pub(super) fn check_startup_done(&mut self, delivery: &Delivery, loss_round: bool) {
        if self.phase == Phase::Startup && loss_round && delivery.recovering {
            let sample = &delivery.sample;
            let many = self.latest.ranges >= FEW_LOSSES || !self.sack;
            if many && self.is_inflight_too_high(sample.lost, sample.tx_in_flight) {
                self.leave_startup_by_loss();
            }
        }
        if loss_round {
            self.latest.ranges = 0;
        }
        if self.phase == Phase::Startup && self.full_pipe.reached {
            self.phase = Phase::Drain;
            self.probe.drain_round = self.rounds.count;
        }
    }

    pub(super) fn leave_startup_by_loss(&mut self) {
        self.undo.phase = Some(Phase::Startup);
        self.full_pipe.reached = true;
        self.inflight_longterm = self.bdp(100).max(self.latest.inflight);
    }

    /// CheckDrainDone (5.3.2): EnterProbeBW.
    pub(super) fn check_drain_done(&mut self, delivery: &Delivery) {
        let late = self.rounds.count.wrapping_sub(self.probe.drain_round) > DRAIN_ROUNDS;
        if self.phase == Phase::Drain && (delivery.pipe <= self.inflight(100) || late) {
            self.start_down(delivery.now);
        }
    }

    /// StartProbeBW_DOWN
    pub(super) fn start_down(&mut self, now: Instant) {
        self.latest.reset();
        self.probe.acked_per_increase = u32::MAX;
        // PickProbeWait: flows that share a path probe at different times.
        self.rounds.since_probe = u32::from(self.probe.random.bool());
        self.probe.wait = Duration::from_millis(self.probe.random.u64(2_000..3_000));
        self.probe.since = now;
        self.probe.ack_phase = AckPhase::Stopping;
        self.rounds.start(self.delivered);
        self.phase = Phase::Down;
    }

    /// StartProbeBW_REFILL
    pub(super) fn start_refill(&mut self) {
        self.reset_short_term_model();
        self.probe.rounds = 0;
        self.probe.acked = 0;
        self.probe.precautionary = false;
        self.probe.ack_phase = AckPhase::Refilling;
        self.rounds.start(self.delivered);
        self.phase = Phase::Refill;
    }

    /// StartProbeBW_UP
    fn start_up(&mut self, rate: u64) {
        self.probe.sampling = true;
        self.probe.ack_phase = AckPhase::Starting;
        self.rounds.start(self.delivered);
        self.full_pipe.reset(rate);
        self.phase = Phase::Up;
        self.raise_slope();
    }

    /// UpdateProbeBWCyclePhase (5.3.3.9).
    pub(super) fn update_probe_cycle(&mut self, delivery: &Delivery) {
        if !self.full_pipe.reached || self.adapt_long_term_model(delivery) {
            return;
        }
        match self.phase {
            Phase::Down | Phase::Cruise if self.is_time_to_probe(delivery.now) => self.start_refill(),
            Phase::Down if self.is_time_to_cruise(delivery.pipe) => self.phase = Phase::Cruise,
            Phase::Refill if self.rounds.began => self.start_up(delivery.sample.rate),
            Phase::Up => self.check_probe_done(delivery),
            _ => {}
        }
    }

    /// AdaptLongTermModel. Says whether it has decided what comes next.
    fn adapt_long_term_model(&mut self, delivery: &Delivery) -> bool {
        let sample = &delivery.sample;
        if self.probe.ack_phase == AckPhase::Starting && self.rounds.began {
            self.probe.ack_phase = AckPhase::Feedback;
        }
        if self.probe.ack_phase == AckPhase::Stopping && self.rounds.began {
            self.probe.sampling = false;
            self.probe.ack_phase = AckPhase::Init;
            if self.phase.is_probe_bw() && !sample.app_limited {
                self.max_bw.advance();
            }
            if self.phase.is_probe_bw() && self.probe.precautionary && !self.probe.too_high {
                self.start_refill(); // the cautious probe went well: now a real one (5.3.3.6)
                return true;
            }
        }
        if self.inflight_longterm < u32::MAX && !self.is_inflight_too_high(sample.lost, sample.tx_in_flight) {
            self.inflight_longterm = self.inflight_longterm.max(sample.tx_in_flight);
            if self.phase == Phase::Up {
                self.probe_inflight_upward(delivery);
            }
        }
        false
    }

    /// ProbeInflightLongtermUpward: a segment more for so much acknowledged, and twice as many in each round.
    fn probe_inflight_upward(&mut self, delivery: &Delivery) {
        if !delivery.cwnd_limited || self.cwnd < self.inflight_longterm {
            return;
        }
        self.probe.acked = self.probe.acked.saturating_add(delivery.sample.newly_acked);
        let increases = self.probe.acked / self.probe.acked_per_increase;
        self.probe.acked -= increases * self.probe.acked_per_increase;
        let more = increases.saturating_mul(self.mss);
        self.inflight_longterm = self.inflight_longterm.saturating_add(more).min(u32::MAX - 1);
        if self.rounds.began {
            self.raise_slope();
        }
    }

    /// RaiseInflightLongtermSlope
    fn raise_slope(&mut self) {
        let growth = 1_u32 << self.probe.rounds;
        self.probe.rounds = (self.probe.rounds + 1).min(30);
        self.probe.acked_per_increase = (self.cwnd / growth).max(self.mss).max(1);
    }

    /// IsTimeToProbeBW: some seconds have passed, or as many rounds as Reno would need to grow as much (5.3.3.8).
    fn is_time_to_probe(&self, now: Instant) -> bool {
        let reno_rounds = (self.target_inflight() / self.mss.max(1)).min(RENO_ROUNDS);
        now > self.probe.since + self.probe.wait || self.rounds.since_probe >= reno_rounds
    }

    /// IsTimeToCruise: there is room for others, and no queue.
    fn is_time_to_cruise(&self, pipe: u32) -> bool {
        pipe <= self.inflight_with_headroom() && pipe <= self.inflight(100)
    }

    /// IsTimeToGoDown: a cautious probe has reached what was too much last time, or the rate does not grow any more.
    fn check_probe_done(&mut self, delivery: &Delivery) {
        if self.probe.too_high && delivery.pipe >= self.inflight_longterm {
            self.probe.precautionary = true;
        } else if delivery.cwnd_limited && self.cwnd >= self.inflight_longterm {
            self.full_pipe.reset(delivery.sample.rate); // what limits the rate is our own bound
            return;
        } else if !self.full_pipe.now {
            return;
        }
        self.probe.too_high = false;
        self.start_down(delivery.now);
    }

    /// HandleRestartFromIdle (5.4.1): something is sent with nothing under way. The count of what is delivered may have
    /// begun anew.
    pub(super) fn handle_restart_from_idle(&mut self, now: Instant, delivered: u64, app_limited: bool) {
        self.delivered = delivered;
        self.rounds.restart(delivered);
        self.latest.restart(delivered);
        if !app_limited {
            return;
        }
        self.idle_restart = true;
        self.aggregation.restart(now);
        if self.phase.is_probe_bw() {
            self.set_pacing_rate(100);
        } else if self.phase == Phase::ProbeRtt {
            self.check_probe_rtt_done(now);
        }
    }
}
