//! Congestion window validation (RFC 7661): what a window is worth of which the application uses only a part.
//!
//! pipeACK is the most that a round trip has delivered lately. While it is half of the window or more, the window is
//! validated, and grows. A window that is not is kept for five minutes, so that a sender which pauses goes on where it
//! was; it does not grow, and after a loss only what was used of it counts.

use super::config::AfterIdle;
use super::congestion::initial_window;
use super::connection::Connection;
use super::{Algorithm, Context};
use crate::time::{Duration, Instant};
use crate::wire::SeqNumber;

/// The non-validated period: how long a window is kept of which less than half is used (RFC 7661 4.4.3).
const NON_VALIDATED_PERIOD: Duration = Duration::from_secs(300);
/// The least that pipeACK looks back (RFC 7661 4.2).
const LEAST_SAMPLING_PERIOD: Duration = Duration::from_secs(1);

/// What is known of the use of the window.
#[derive(Clone, Debug)]
pub(super) struct Validation {
    /// The most octets that a round trip delivered, in this half of the sampling period and in the one before; `None`:
    /// nothing was measured since the beginning, or since the last recovery.
    samples: Option<[u32; 2]>,
    /// When this half began.
    half_began: Instant,
    /// SND.UNA and SND.NXT when this round trip began.
    round: (SeqNumber, SeqNumber),
    /// When half of the window or more was last used.
    validated_at: Instant,
    /// Of a recovery under way: octets sent again.
    resent: u32,
}

impl Validation {
    fn new(now: Instant, snd_una: SeqNumber) -> Validation {
        Validation { samples: None, half_began: now, round: (snd_una, snd_una), validated_at: now, resent: 0 }
    }

    /// pipeACK: zero when nothing was delivered for so long, `None` when it is undefined (RFC 7661 4.2).
    fn pipe_ack(&mut self, now: Instant, srtt: Duration) -> Option<u32> {
        let half = (3 * srtt).max(LEAST_SAMPLING_PERIOD) / 2;
        let samples = self.samples.as_mut()?;
        let elapsed = now - self.half_began;
        if elapsed >= half {
            *samples = [0, if elapsed < 2 * half { samples[0] } else { 0 }];
            self.half_began = now;
        }
        Some(samples[0].max(samples[1]))
    }

    /// Takes a sample if with this acknowledgment a round trip ends.
    fn on_ack(&mut self, snd_una: SeqNumber, snd_nxt: SeqNumber) {
        let (from, upto) = self.round;
        if snd_una.gt(upto) || snd_una == snd_nxt {
            let sample = snd_una - from;
            let samples = self.samples.get_or_insert_default();
            samples[0] = samples[0].max(sample);
            self.round = (snd_una, snd_nxt);
        }
    }
}

impl Connection {
    /// Begins with the connection, unless an idle one begins anew, or BBR measures the path in its own way.
    pub(super) fn start_validation(&mut self, cx: &Context<'_>) {
        let wanted = cx.config.after_idle == AfterIdle::Validate && cx.config.congestion != Algorithm::Bbr;
        self.validation = wanted.then(|| Box::new(Validation::new(cx.now, self.snd_una)));
    }

    /// SND.UNA has moved, outside of recovery. Whether the window may grow although it is not what limits us: half of it
    /// is used (RFC 7661 4.3).
    pub(super) fn validate_window(&mut self, cx: &Context<'_>) -> bool {
        let (srtt, half) = (self.rtt.srtt().unwrap_or_default(), self.congestion.cwnd() / 2);
        let Some(validation) = &mut self.validation else { return false };
        validation.pipe_ack(cx.now, srtt);
        validation.on_ack(self.snd_una, self.snd_nxt);
        let validated = validation.pipe_ack(cx.now, srtt).is_some_and(|pipe_ack| pipe_ack >= half);
        if validated {
            validation.validated_at = cx.now;
        }
        validated
    }

    /// A loss or a mark: of a window of which less than half is used, only what is used counts (RFC 7661 4.4.1). Returns
    /// what congestion control is to take for FlightSize.
    pub(super) fn leave_used_window(&mut self, cx: &Context<'_>, in_flight: u32) -> u32 {
        let (srtt, cwnd) = (self.rtt.srtt().unwrap_or_default(), self.congestion.cwnd());
        let Some(validation) = &mut self.validation else { return in_flight };
        validation.resent = 0;
        match validation.pipe_ack(cx.now, srtt) {
            Some(pipe_ack) if pipe_ack < cwnd / 2 => {
                let used = pipe_ack.max(in_flight);
                self.congestion.on_restart(used);
                used
            }
            _ => in_flight,
        }
    }

    /// In recovery, `octets` go out again.
    pub(super) fn count_resent(&mut self, octets: u32) {
        if let Some(validation) = &mut self.validation {
            validation.resent = validation.resent.saturating_add(octets);
        }
    }

    /// A recovery is over: what was sent again was too much, too, and what was measured before is no measure any more
    /// (RFC 7661 4.4.1).
    pub(super) fn leave_recovered_window(&mut self) {
        let (cwnd, mss) = (self.congestion.cwnd(), u32::from(self.snd_mss));
        if let Some(validation) = &mut self.validation {
            let window = cwnd.saturating_sub(validation.resent / 2).max(mss);
            (validation.samples, validation.resent) = (None, 0);
            self.congestion.on_restart(window);
        }
    }

    /// Sending is about to go on: a window of which less than half was used for five minutes is halved, and again after
    /// five more (RFC 7661 4.4.3).
    pub(super) fn age_window(&mut self, cx: &Context<'_>) {
        let least = initial_window(cx.config.initial_window, u32::from(self.snd_mss), false);
        let Some(validation) = &mut self.validation else { return };
        while cx.now - validation.validated_at >= NON_VALIDATED_PERIOD {
            validation.validated_at += NON_VALIDATED_PERIOD;
            if self.congestion.cwnd() <= least {
                validation.validated_at = cx.now;
                return;
            }
            self.congestion.on_disuse(least);
        }
    }
}
