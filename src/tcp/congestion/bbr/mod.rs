//! BBR, version 3 (draft-ietf-ccwg-bbr-06): how fast and how much to send, by a model of the path instead of by losses
//! alone.
//!
//! The model has a rate (`rates.rs`), a round-trip time (`min_rtt.rs`), how bursty acknowledgments are
//! (`aggregation.rs`) and how much the path bears before it loses (`losses.rs`). A state machine (`cycle.rs`) sends now
//! faster and now slower than that, to find out more; `control.rs` makes a window and a pacing rate of it all. The names
//! are the draft's, sections in comments are its own. "∞" is the largest value of a type.

mod aggregation;
mod control;
mod cycle;
mod losses;
mod min_rtt;
mod rates;

use aggregation::Aggregation;
use cycle::{Phase, Probe};
use losses::{Latest, Undo};
use min_rtt::MinRtt;
use rates::{FullPipe, MaxBandwidth, Rounds};

use super::{Ack, CongestionControl, Delivery};
use crate::tcp::recovery::delivery::{LostSegment, RateSample};
use crate::time::{Duration, Instant};

/// BBR.LossThresh: the share of losses that says that too much is under way, one in so many.
const LOSS_THRESHOLD: u32 = 50;
/// BBRStartupFullLossCnt: losses that are not chance alone.
const FEW_LOSSES: u32 = 6;
/// BBR.Beta, in tenths: what is left, at least, after a round with losses.
const BETA_TENTHS: u32 = 7;

/// A controller of one connection. The initial window is in place until there is a model.
#[derive(Clone, Debug)]
pub(in crate::tcp) struct Bbr {
    cwnd: u32,
    initial_window: u32,
    mss: u32,
    /// C.pacing_rate, in bytes a second.
    pacing_rate: u64,
    /// C.has_selective_acks
    sack: bool,
    /// C.delivered, at the last acknowledgment.
    delivered: u64,
    /// Bytes delivered in all, up to the initial window.
    begun: u32,

    phase: Phase,
    rounds: Rounds,
    full_pipe: FullPipe,
    probe: Probe,
    max_bw: MaxBandwidth,
    min_rtt: MinRtt,
    aggregation: Aggregation,
    latest: Latest,

    /// BBR.bw_shortterm and BBR.inflight_shortterm: what losses since the last probe suggest.
    bw_shortterm: u64,
    inflight_shortterm: u32,
    /// BBR.inflight_longterm: what was lost beyond, when it was last tried.
    inflight_longterm: u32,

    /// BBR.idle_restart
    idle_restart: bool,
    /// Fast recovery, or recovery after a time-out.
    in_recovery: bool,
    /// BBR.prior_cwnd
    prior_cwnd: u32,
    undo: Undo,
}

impl Bbr {
    /// OnInit (5.2.1), after a handshake that may have measured a round trip. `seed` says when this connection probes,
    /// so that not all do at once.
    pub(in crate::tcp) fn new(initial_window: u32, now: Instant, srtt: Option<Duration>, seed: u64) -> Self {
        let mut bbr = Bbr {
            cwnd: initial_window,
            initial_window,
            mss: 1,
            pacing_rate: 0,
            sack: true,
            delivered: 0,
            begun: 0,
            phase: Phase::Startup,
            rounds: Rounds::default(),
            full_pipe: FullPipe::default(),
            probe: Probe::new(seed),
            max_bw: MaxBandwidth::default(),
            min_rtt: MinRtt::new(now, srtt),
            aggregation: Aggregation::new(now),
            latest: Latest::default(),
            bw_shortterm: u64::MAX,
            inflight_shortterm: u32::MAX,
            inflight_longterm: u32::MAX,
            idle_restart: false,
            in_recovery: false,
            prior_cwnd: 0,
            undo: Undo::default(),
        };
        bbr.init_pacing_rate(srtt);
        bbr
    }

    /// UpdateModelAndState (5.2.3).
    fn update_model(&mut self, delivery: &Delivery) {
        let Delivery { now, sample, .. } = delivery;
        let loss_round = self.latest.update(sample, delivery.delivered);
        self.update_congestion_signals(delivery, loss_round);
        let (bw, longest) = (self.bw(), if self.full_pipe.reached { aggregation::LONG } else { 1 });
        self.aggregation.update(*now, bw, sample.newly_acked, self.cwnd, self.rounds.count, longest);
        if self.rounds.began && !sample.app_limited {
            self.full_pipe.check(sample.rate);
        }
        self.check_startup_done(delivery, loss_round);
        self.check_drain_done(delivery);
        self.update_probe_cycle(delivery);
        self.update_min_rtt(*now, sample.rtt);
        self.check_probe_rtt(delivery);
        if loss_round {
            self.latest.advance(sample);
        }
    }

    /// UpdateCongestionSignals (5.5.10.3).
    fn update_congestion_signals(&mut self, delivery: &Delivery, loss_round: bool) {
        let sample = &delivery.sample;
        self.rounds.update(sample.prior_delivered, delivery.delivered);
        if sample.rate > 0 && (sample.rate >= self.max_bw.get() || !sample.app_limited) {
            self.max_bw.update(sample.rate);
        }
        if loss_round {
            self.adapt_lower_bounds(sample);
            self.latest.loss_in_round = false;
            self.latest.marked_in_round = false;
        }
    }
}

impl Bbr {
    /// IsInflightTooHigh (5.5.10.2): a share of what was under way was lost, or anything where losses are hardly seen.
    ///
    /// Of fewer than three hundred segments that share is less than the six that Startup asks for (5.3.1.3), and chance
    /// alone loses as many now and then. There it takes more than six, or than one in ten.
    fn is_inflight_too_high(&self, lost: u32, tx_in_flight: u32) -> bool {
        let chance = (FEW_LOSSES * self.mss).min(tx_in_flight / 10);
        lost > (tx_in_flight / LOSS_THRESHOLD).max(chance) || (lost > 0 && !self.sack)
    }
}

impl CongestionControl for Bbr {
    fn cwnd(&self) -> u32 {
        self.cwnd
    }

    /// There is none.
    fn ssthresh(&self) -> u32 {
        u32::MAX
    }

    /// All that an acknowledgment brings comes by [`on_delivery`](Self::on_delivery).
    fn on_ack(&mut self, _ack: &Ack) {}

    fn on_delivery(&mut self, delivery: &Delivery) {
        self.mss = delivery.mss;
        self.sack = delivery.sack;
        self.delivered = delivery.delivered;
        self.begun = self.begun.saturating_add(delivery.sample.newly_acked);
        self.update_model(delivery);
        self.set_pacing_rate(self.phase.pacing_gain());
        self.set_cwnd(delivery.sample.newly_acked);
    }

    /// OnEnterFastRecovery (5.6.4.4).
    fn on_loss(&mut self, _in_flight: u32, _mss: u32) {
        self.enter_recovery();
    }

    /// The draft leaves the answer to ECN open, but wants one (3.7): a mark is a loss that cost nothing.
    fn on_mark(&mut self, now: Instant, in_flight: u32, _mss: u32) {
        self.note_loss();
        self.latest.marked_in_round = true;
        if self.probe.sampling {
            self.handle_inflight_too_high(now, in_flight, false);
        } else if self.phase == Phase::Startup {
            self.leave_startup_by_loss();
        }
    }

    fn on_lost(&mut self, now: Instant, lost: &LostSegment) {
        self.handle_lost(now, lost);
    }

    /// OnEnterRTO (5.6.4.4): a segment, and from there on by what is delivered.
    fn on_timeout(&mut self, _in_flight: u32, mss: u32) {
        self.enter_recovery();
        self.cwnd = mss;
    }

    fn on_recovery_end(&mut self) {
        self.in_recovery = false;
        self.restore_cwnd();
    }

    /// The window stays: what is paced is no burst (5.4.1).
    fn on_restart(&mut self, _initial_window: u32) {}

    fn on_flight(&mut self, now: Instant, delivered: u64, app_limited: bool) {
        self.handle_restart_from_idle(now, delivered, app_limited);
    }

    fn pacing_rate(&self) -> Option<u64> {
        Some(self.pacing_rate)
    }

    fn paces_recovery(&self) -> bool {
        true
    }

    fn leaves_path_unused(&self) -> bool {
        self.phase == Phase::ProbeRtt
    }
}

#[cfg(test)]
mod tests;
