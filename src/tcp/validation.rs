//! Congestion window validation (RFC 7661): what a window is worth of which the application uses only a part.
//!
//! pipeACK is the most that a round trip has delivered lately. While it is half of the window or more, the window is
//! validated, and grows. A window that is not is kept for five minutes, so that a sender which pauses goes on where it
//! was; it does not grow, and after a loss only what was used of it counts.

use super::config::AfterIdle;
use super::congestion::{Controller, initial_window};
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
    /// Of a fast recovery under way that began with less than half of the window used: octets sent again.
    resent: Option<u32>,
}

/// A controller with what is known of the use of its window.
#[derive(Clone, Debug)]
pub(super) struct Validated {
    pub(super) controller: Controller,
    validation: Validation,
}

impl Validation {
    fn new(now: Instant, snd_una: SeqNumber) -> Validation {
        Validation {
            samples: None,
            half_began: now,
            round: (snd_una, snd_una),
            validated_at: now,
            resent: None,
        }
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
        if snd_una.ge(upto) || snd_una == snd_nxt {
            let sample = snd_una - from;
            let samples = self.samples.get_or_insert_default();
            samples[0] = samples[0].max(sample);
            self.round = (snd_una, snd_nxt);
        }
    }

    /// What was measured is no measure any more: it begins anew here.
    fn forget(&mut self, snd_una: SeqNumber, snd_nxt: SeqNumber) {
        self.samples = None;
        self.round = (snd_una, snd_nxt);
    }
}

impl Connection {
    /// Begins with the connection, unless an idle one begins anew, or BBR measures the path in its own way.
    pub(super) fn start_validation(&mut self, cx: &Context<'_>) {
        if cx.config.after_idle == AfterIdle::Validate && cx.config.congestion != Algorithm::Bbr {
            let validation = Validation::new(cx.now, self.snd_una);
            let controller = self.congestion.clone();
            self.congestion = Controller::Validated(Box::new(Validated { controller, validation }));
        }
    }

    /// Whether the use of the window is watched.
    pub(super) fn validates(&self) -> bool {
        matches!(self.congestion, Controller::Validated(_))
    }

    fn validation(&mut self) -> Option<&mut Validation> {
        match &mut self.congestion {
            Controller::Validated(validated) => Some(&mut validated.validation),
            _ => None,
        }
    }

    /// SND.UNA has moved, outside of recovery. Whether the window may grow although it is not what limits us: half of it
    /// is used (RFC 7661 4.3).
    pub(super) fn validate_window(&mut self, cx: &Context<'_>) -> bool {
        let (srtt, half) = (self.rtt.srtt().unwrap_or_default(), self.congestion.cwnd() / 2);
        let (snd_una, snd_nxt) = (self.snd_una, self.snd_nxt);
        let Some(validation) = self.validation() else { return false };
        validation.pipe_ack(cx.now, srtt);
        validation.on_ack(snd_una, snd_nxt);
        let validated = validation.pipe_ack(cx.now, srtt).is_some_and(|pipe_ack| pipe_ack >= half);
        if validated {
            validation.validated_at = cx.now;
        }
        validated
    }

    /// pipeACK, if it is less than half of the window: that is not validated (RFC 7661 4.3).
    fn little_use(&mut self, cx: &Context<'_>) -> Option<u32> {
        let (srtt, half) = (self.rtt.srtt().unwrap_or_default(), self.congestion.cwnd() / 2);
        let pipe_ack = self.validation()?.pipe_ack(cx.now, srtt)?;
        (pipe_ack < half).then_some(pipe_ack)
    }

    /// A loss or a mark: of a window that is not validated, only what is used counts (RFC 7661 4.4.1). Returns what
    /// congestion control is to take for FlightSize.
    pub(super) fn leave_used_window(&mut self, cx: &Context<'_>, in_flight: u32) -> u32 {
        let Some(pipe_ack) = self.little_use(cx) else { return in_flight };
        let used = pipe_ack.max(in_flight);
        self.congestion.on_restart(used);
        used
    }

    /// The same as a recovery begins, fast or after a time-out.
    pub(super) fn begin_recovery(&mut self, cx: &Context<'_>, in_flight: u32, fast: bool) -> u32 {
        let counts = fast && self.little_use(cx).is_some();
        if let Some(validation) = self.validation() {
            validation.resent = counts.then_some(0);
        }
        self.leave_used_window(cx, in_flight)
    }

    /// In recovery, `octets` go out again.
    pub(super) fn count_resent(&mut self, octets: u32) {
        if let Some(resent) = self.validation().and_then(|validation| validation.resent.as_mut()) {
            *resent = resent.saturating_add(octets);
        }
    }

    /// A recovery is over, and what was measured before is no measure any more. If it was fast recovery and the window
    /// not validated, what was sent again was too much, too (RFC 7661 4.4.1). A validated window has answered the loss,
    /// and one after a time-out begins with a segment: that is enough.
    pub(super) fn leave_recovered_window(&mut self) {
        let (cwnd, mss) = (self.congestion.cwnd(), u32::from(self.snd_mss));
        let (snd_una, snd_nxt) = (self.snd_una, self.snd_nxt);
        let Some(validation) = self.validation() else { return };
        validation.forget(snd_una, snd_nxt);
        if let Some(resent) = validation.resent.take() {
            self.congestion.on_restart(cwnd.saturating_sub(resent / 2).max(mss));
        }
    }

    /// Sending is about to go on: a window of which less than half was used for five minutes is halved, and again after
    /// five more (RFC 7661 4.4.3).
    pub(super) fn age_window(&mut self, cx: &Context<'_>) {
        let least = initial_window(cx.config.initial_window, u32::from(self.snd_mss), false);
        let Controller::Validated(validated) = &mut self.congestion else { return };
        let Validated { controller, validation } = &mut **validated;
        while cx.now - validation.validated_at >= NON_VALIDATED_PERIOD {
            validation.validated_at += NON_VALIDATED_PERIOD;
            if controller.cwnd() <= least {
                validation.validated_at = cx.now;
                return;
            }
            controller.on_disuse(least);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant::ZERO;

    fn pipe_ack(validation: &mut Validation) -> Option<u32> {
        validation.pipe_ack(NOW, Duration::ZERO)
    }

    #[test]
    fn rfc_7661_4_2_a_round_trip_ends_with_the_acknowledgment_of_what_had_been_sent_when_it_began() {
        let mut validation = Validation::new(NOW, SeqNumber(0));
        validation.forget(SeqNumber(0), SeqNumber(1_000));
        validation.on_ack(SeqNumber(600), SeqNumber(1_600));
        assert_eq!(pipe_ack(&mut validation), None);
        validation.on_ack(SeqNumber(1_000), SeqNumber(2_000));
        assert_eq!(pipe_ack(&mut validation), Some(1_000));
        validation.on_ack(SeqNumber(1_600), SeqNumber(2_600));
        validation.on_ack(SeqNumber(2_000), SeqNumber(3_000));
        assert_eq!(pipe_ack(&mut validation), Some(1_000), "as before");
    }

    #[test]
    fn rfc_7661_4_4_1_after_a_recovery_measuring_begins_anew() {
        let mut validation = Validation::new(NOW, SeqNumber(0));
        validation.on_ack(SeqNumber(400), SeqNumber(10_400));
        validation.on_ack(SeqNumber(5_400), SeqNumber(12_400));
        validation.forget(SeqNumber(5_400), SeqNumber(12_400));
        validation.on_ack(SeqNumber(10_400), SeqNumber(13_400));
        assert_eq!(pipe_ack(&mut validation), None, "what was under way then is not acknowledged yet");
        validation.on_ack(SeqNumber(12_400), SeqNumber(13_400));
        assert_eq!(pipe_ack(&mut validation), Some(7_000), "nothing of what was acknowledged before");
    }
}
