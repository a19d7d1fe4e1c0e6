//! What losses say of the path: how much it bears in the long run, found by probing, and how much it bears just now
//! (5.5.10), and what becomes of that when there was no loss after all (5.5.11).

use super::cycle::Phase;
use super::{BETA_TENTHS, Bbr, LOSS_THRESHOLD, LostSegment, RateSample};
use crate::time::Instant;

/// What was delivered in the last round trip, and whether something was lost.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Latest {
    /// BBR.bw_latest
    bw: u64,
    /// BBR.inflight_latest
    pub(super) inflight: u32,
    /// BBR.is_loss_in_round
    pub(super) loss_in_round: bool,
    /// The same of ECN marks.
    pub(super) marked_in_round: bool,
    /// BBR.loss_round_delivered
    round: u64,
    /// Ranges of numbers lost in this round.
    pub(super) ranges: u32,
}

impl Latest {
    /// UpdateLatestDeliverySignals. Says whether a round trip has passed in which losses are counted.
    pub(super) fn update(&mut self, sample: &RateSample, delivered: u64) -> bool {
        self.bw = self.bw.max(sample.rate);
        self.inflight = self.inflight.max(sample.delivered);
        let passed = sample.prior_delivered >= self.round;
        if passed {
            self.round = delivered;
        }
        passed
    }

    /// AdvanceLatestDeliverySignals
    pub(super) fn advance(&mut self, sample: &RateSample) {
        self.bw = sample.rate;
        self.inflight = sample.delivered;
    }

    /// ResetCongestionSignals
    pub(super) fn reset(&mut self) {
        *self = Latest { round: self.round, ..Latest::default() };
    }

    /// The measurement begins anew with so much delivered.
    pub(super) fn restart(&mut self, delivered: u64) {
        self.round = self.round.min(delivered);
    }
}

/// What a loss is answered from, until it is known to have been one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Undo {
    /// BBR.undo_state: Startup or ProbeBW_UP, if losses ended it.
    pub(super) phase: Option<Phase>,
    bw_shortterm: u64,
    inflight_shortterm: u32,
    inflight_longterm: u32,
}

impl Bbr {
    /// NoteLoss
    pub(super) fn note_loss(&mut self) {
        if !self.latest.loss_in_round {
            self.latest.round = self.delivered;
            self.save_state_upon_loss();
        }
        self.latest.loss_in_round = true;
    }

    /// HandleLostPacket (5.5.10.2).
    pub(super) fn handle_lost(&mut self, now: Instant, lost: &LostSegment) {
        self.delivered = lost.delivered;
        self.note_loss();
        self.latest.ranges += u32::from(lost.begins_range);
        if self.probe.sampling && self.is_inflight_too_high(lost.lost, lost.tx_in_flight) {
            self.handle_inflight_too_high(now, inflight_at_loss(lost), lost.app_limited);
        }
    }

    /// HandleInflightTooHigh: `tx_in_flight` was more than the path bears.
    pub(super) fn handle_inflight_too_high(&mut self, now: Instant, tx_in_flight: u32, app_limited: bool) {
        self.probe.too_high = true;
        self.probe.sampling = false;
        if !app_limited {
            self.inflight_longterm = tx_in_flight.max(scaled(self.target_inflight()));
        }
        if self.phase == Phase::Up {
            self.undo.phase = Some(Phase::Up);
            self.start_down(now);
        }
    }

    /// AdaptLowerBoundsFromCongestion: once a round, towards what was delivered in it (5.5.10.3).
    ///
    /// The draft answers any loss. Where one segment in a hundred is lost at random, each round trip would so lower the
    /// rate by a hundredth, and by half between two probes. What BBR.LossThresh calls tolerable while the flow probes
    /// (3.2) is tolerated here too. A mark is never random.
    pub(super) fn adapt_lower_bounds(&mut self, sample: &RateSample) {
        let congested =
            self.latest.loss_in_round && self.is_inflight_too_high(sample.lost, sample.tx_in_flight);
        if self.phase.is_probing() || !(congested || self.latest.marked_in_round) {
            return;
        }
        if self.bw_shortterm == u64::MAX {
            self.bw_shortterm = self.max_bw.get();
        }
        if self.inflight_shortterm == u32::MAX {
            self.inflight_shortterm = self.cwnd;
        }
        let kept = u128::from(self.bw_shortterm) * u128::from(BETA_TENTHS) / 10;
        self.bw_shortterm = self.latest.bw.max(u64::try_from(kept).unwrap_or(u64::MAX));
        self.inflight_shortterm = self.latest.inflight.max(scaled(self.inflight_shortterm));
    }

    /// ResetShortTermModel
    pub(super) fn reset_short_term_model(&mut self) {
        self.bw_shortterm = u64::MAX;
        self.inflight_shortterm = u32::MAX;
    }

    /// SaveStateUponLoss (5.5.11.1).
    pub(super) fn save_state_upon_loss(&mut self) {
        self.save_cwnd();
        self.undo = Undo {
            phase: None,
            bw_shortterm: self.bw_shortterm,
            inflight_shortterm: self.inflight_shortterm,
            inflight_longterm: self.inflight_longterm,
        };
    }

    /// Recovery begins. The loss that began it may have been noted, and answered, already.
    pub(super) fn enter_recovery(&mut self) {
        if self.latest.loss_in_round {
            self.save_cwnd();
        } else {
            self.save_state_upon_loss();
        }
        self.in_recovery = true;
    }

    /// HandleSpuriousLossDetection (5.5.11.2).
    pub(in crate::tcp) fn on_spurious_loss(&mut self) {
        self.in_recovery = false;
        self.restore_cwnd();
        self.latest.loss_in_round = false;
        self.full_pipe.reset(0);
        self.bw_shortterm = self.bw_shortterm.max(self.undo.bw_shortterm);
        self.inflight_shortterm = self.inflight_shortterm.max(self.undo.inflight_shortterm);
        self.inflight_longterm = self.inflight_longterm.max(self.undo.inflight_longterm);
        let pausing = self.phase == Phase::ProbeRtt;
        match self.undo.phase.take() {
            Some(Phase::Startup) if self.phase != Phase::Startup => {
                self.full_pipe.reached = false;
                if !pausing {
                    self.phase = Phase::Startup;
                }
            }
            Some(Phase::Up) if self.phase != Phase::Up && !pausing => self.start_refill(),
            _ => {}
        }
    }
}

/// BBR.Beta of it.
fn scaled(bytes: u32) -> u32 {
    let scaled = u64::from(bytes) * u64::from(BETA_TENTHS) / 10;
    u32::try_from(scaled).unwrap_or(u32::MAX)
}

/// InflightAtLoss: with how much under way the share of losses became too large, somewhere within the segment, which
/// may be a super-packet.
fn inflight_at_loss(lost: &LostSegment) -> u32 {
    let inflight_prev = lost.tx_in_flight.saturating_sub(lost.bytes);
    let lost_prev = lost.lost.saturating_sub(lost.bytes);
    let spare = (inflight_prev / LOSS_THRESHOLD).saturating_sub(lost_prev);
    let lost_prefix = u64::from(spare) * u64::from(LOSS_THRESHOLD) / u64::from(LOSS_THRESHOLD - 1);
    inflight_prev.saturating_add(u32::try_from(lost_prefix).unwrap_or(u32::MAX))
}
