//! What the model is used for: a pacing rate and a window (5.6).

use super::Bbr;
use super::cycle::Phase;
use crate::time::Duration;

/// BBR.PacingMarginPercent: a little less than the path's rate, so that queues drain.
const MARGIN_PERCENT: u64 = 1;
/// BBR.MinPipeCwnd, in segments.
const MIN_PIPE: u32 = 4;
/// BBR.Headroom, in percent of what the path bears: room that is left for others.
const HEADROOM_PERCENT: u32 = 15;
/// The round-trip time of a path that was never measured (5.6.2).
const NOMINAL_RTT: Duration = Duration::from_millis(1);
/// The longest burst, in microseconds and in bytes (5.6.3).
const QUANTUM_MICROS: u64 = 1_000;
const QUANTUM: u64 = 64 * 1024;

impl Bbr {
    /// BoundBWForModel: BBR.bw
    pub(super) fn bw(&self) -> u64 {
        self.max_bw.get().min(self.bw_shortterm)
    }

    /// InitPacingRate
    pub(super) fn init_pacing_rate(&mut self, srtt: Option<Duration>) {
        let micros = srtt.unwrap_or(NOMINAL_RTT).as_micros().max(1);
        let nominal = u128::from(self.initial_window) * 1_000_000 / micros;
        let rate = nominal * u128::from(Phase::Startup.pacing_gain()) / 100;
        self.pacing_rate = u64::try_from(rate).unwrap_or(u64::MAX).max(1);
    }

    /// SetPacingRateWithGain. Until the pipe has been full it only grows.
    pub(super) fn set_pacing_rate(&mut self, gain_percent: u32) {
        let scaled = u128::from(self.bw()) * u128::from(gain_percent) * u128::from(100 - MARGIN_PERCENT);
        let rate = u64::try_from(scaled / 10_000).unwrap_or(u64::MAX);
        if rate > 0 && (self.full_pipe.reached || rate > self.pacing_rate) {
            self.pacing_rate = rate;
        }
    }

    /// SetSendQuantum: C.send_quantum
    fn send_quantum(&self) -> u32 {
        let burst = (u128::from(self.pacing_rate) * u128::from(QUANTUM_MICROS) / 1_000_000)
            .min(u128::from(QUANTUM))
            .max(u128::from(2 * self.mss));
        u32::try_from(burst).unwrap_or(u32::MAX)
    }

    /// BDPMultiple
    pub(super) fn bdp(&self, gain_percent: u32) -> u32 {
        let Some(min_rtt) = self.min_rtt.get() else { return self.initial_window };
        let bytes = u128::from(self.bw()) * min_rtt.as_nanos() * u128::from(gain_percent);
        u32::try_from(bytes / 100_000_000_000).unwrap_or(u32::MAX)
    }

    /// Inflight
    pub(super) fn inflight(&self, gain_percent: u32) -> u32 {
        self.with_budget(self.bdp(gain_percent))
    }

    /// TargetInflight
    pub(super) fn target_inflight(&self) -> u32 {
        self.bdp(100).min(self.cwnd)
    }

    /// QuantizationBudget, with three quanta as the offload budget (5.5.8.1): one on the way out, one being cut, one
    /// being put together at the other end.
    fn with_budget(&self, bytes: u32) -> u32 {
        let budget = self.send_quantum().saturating_mul(3);
        let more = if self.phase == Phase::Up { 2 * self.mss } else { 0 };
        bytes.max(budget).max(self.min_pipe_cwnd()).saturating_add(more)
    }

    fn min_pipe_cwnd(&self) -> u32 {
        MIN_PIPE * self.mss
    }

    /// InflightWithHeadroom
    pub(super) fn inflight_with_headroom(&self) -> u32 {
        if self.inflight_longterm == u32::MAX {
            return u32::MAX;
        }
        let headroom = (self.inflight_longterm / 100).saturating_mul(HEADROOM_PERCENT).max(self.mss);
        self.inflight_longterm.saturating_sub(headroom).max(self.min_pipe_cwnd())
    }

    /// ProbeRTTCwnd
    pub(super) fn probe_rtt_cwnd(&self) -> u32 {
        self.bdp(Phase::ProbeRtt.cwnd_gain()).max(self.min_pipe_cwnd())
    }

    /// SetCwnd (5.6.4.6).
    pub(super) fn set_cwnd(&mut self, newly_acked: u32) {
        let bytes = self.bdp(self.phase.cwnd_gain()).saturating_add(self.aggregation.get());
        let max_inflight = self.with_budget(bytes);
        let grown = self.cwnd.saturating_add(newly_acked);
        if self.full_pipe.reached {
            self.cwnd = grown.min(max_inflight);
        } else if self.cwnd < max_inflight || self.begun < self.initial_window {
            self.cwnd = grown;
        }
        self.cwnd = self.cwnd.max(self.min_pipe_cwnd());
        self.bound_cwnd();
    }

    /// BoundCwndForProbeRTT and BoundCwndForModel (5.6.4.5, 5.6.4.7).
    fn bound_cwnd(&mut self) {
        if self.phase == Phase::ProbeRtt {
            self.cwnd = self.cwnd.min(self.probe_rtt_cwnd());
        }
        let cap = match self.phase {
            Phase::Down | Phase::Refill | Phase::Up => self.inflight_longterm,
            Phase::ProbeRtt | Phase::Cruise => self.inflight_with_headroom(),
            Phase::Startup | Phase::Drain => u32::MAX,
        };
        let cap = cap.min(self.inflight_shortterm).max(self.min_pipe_cwnd());
        self.cwnd = self.cwnd.min(cap);
    }

    /// SaveCwnd: the last window that neither a recovery nor a pause has reduced (5.6.4.4).
    pub(super) fn save_cwnd(&mut self) {
        let modulated = self.in_recovery || self.phase == Phase::ProbeRtt;
        self.prior_cwnd = if modulated { self.prior_cwnd.max(self.cwnd) } else { self.cwnd };
    }

    /// RestoreCwnd
    pub(super) fn restore_cwnd(&mut self) {
        self.cwnd = self.cwnd.max(self.prior_cwnd);
    }
}
