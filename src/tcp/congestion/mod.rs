//! How much may be under way: congestion control behind one trait.
//!
//! Windows and acknowledgments count bytes, never segments, since a segment may be anything up to 64 KiB.

mod bbr;
mod cubic;
mod hystart;
mod new_reno;

use std::ops::{Deref, DerefMut};

use bbr::Bbr;
use cubic::Cubic;
use new_reno::NewReno;

use super::config::Algorithm;
use super::recovery::delivery::{LostSegment, RateSample};
use super::validation::Validated;
use crate::time::{Duration, Instant};
use crate::wire::SeqNumber;

/// An acknowledgment of new data, as congestion control sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ack {
    /// When it arrived.
    pub now: Instant,
    /// Bytes that left the network with it.
    pub bytes: u32,
    /// The smoothed round-trip time.
    pub srtt: Duration,
    /// What it measured itself, if anything.
    pub rtt: Option<Duration>,
    /// Whether the congestion window was what kept the sender from sending more (RFC 9293 3.8.2: an application
    /// that sends less learns nothing about the network).
    pub cwnd_limited: bool,
    /// Sender maximum segment size.
    pub mss: u32,
    /// SND.UNA, this acknowledgment included.
    pub snd_una: SeqNumber,
    /// SND.NXT.
    pub snd_nxt: SeqNumber,
}

/// What an acknowledgment has delivered, in or out of recovery, as controllers see it that model the path.
#[derive(Clone, Copy, Debug)]
pub(super) struct Delivery {
    /// When it arrived.
    pub now: Instant,
    /// What it measured.
    pub sample: RateSample,
    /// Bytes delivered so far, by the count from which the sample is taken.
    pub delivered: u64,
    /// Bytes believed to be in the network now.
    pub pipe: u32,
    /// Whether the congestion window kept the sender from sending more, within the last round trip.
    pub cwnd_limited: bool,
    /// Whether in fast recovery.
    pub recovering: bool,
    /// Whether the peer tells of what it has by SACK.
    pub sack: bool,
    /// Sender maximum segment size.
    pub mss: u32,
}

/// A congestion controller: the congestion window and the slow-start threshold, in bytes.
///
/// What has a default below is for controllers that model the path instead of answering losses.
pub(super) trait CongestionControl {
    /// The congestion window.
    fn cwnd(&self) -> u32;

    /// The slow-start threshold.
    fn ssthresh(&self) -> u32;

    /// New data was acknowledged, outside of recovery.
    fn on_ack(&mut self, ack: &Ack);

    /// A loss was detected with `in_flight` bytes (FlightSize) under way; recovery begins.
    fn on_loss(&mut self, in_flight: u32, mss: u32);

    /// The retransmission timer fired for the first time on this data, with `in_flight` bytes under way.
    fn on_timeout(&mut self, in_flight: u32, mss: u32);

    /// Sending resumes after more than a retransmission time-out of silence (RFC 5681 4.1).
    fn on_restart(&mut self, initial_window: u32);

    /// Less than half of the window was used for minutes (RFC 7661 4.4.3): half of it is left, `least` at least, and it is
    /// found again in slow start.
    fn on_disuse(&mut self, _least: u32) {}

    /// A router has marked a packet, or a tail loss probe has repaired a loss: congestion without a recovery.
    fn on_mark(&mut self, _now: Instant, in_flight: u32, mss: u32) {
        self.on_loss(in_flight, mss);
    }

    /// Nothing has been sent for longer than a retransmission time-out, and memory is wanted back: what has to be known
    /// of the path stays.
    fn on_rest(&mut self) {}

    /// Something was delivered, in recovery or out of it.
    fn on_delivery(&mut self, _delivery: &Delivery) {}

    /// A segment counts as lost.
    fn on_lost(&mut self, _now: Instant, _lost: &LostSegment) {}

    /// Recovery is over.
    fn on_recovery_end(&mut self) {}

    /// Sending begins with nothing under way; `delivered` as in [`Delivery`]. `app_limited` says that the application
    /// had nothing to send.
    fn on_flight(&mut self, _now: Instant, _delivered: u64, _app_limited: bool) {}

    /// Bytes a second at which data is to leave; `None`: whatever pacing makes of the window.
    fn pacing_rate(&self) -> Option<u64> {
        None
    }

    /// Whether window and pacing rate say how much goes out in fast recovery, instead of PRR (RFC 9937).
    fn paces_recovery(&self) -> bool {
        false
    }

    /// Whether less is sent on purpose than the path bears: the samples say nothing of its rate.
    fn leaves_path_unused(&self) -> bool {
        false
    }
}

/// How a connection begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beginning {
    /// In bytes.
    pub initial_window: u32,
    /// When it is established.
    pub now: Instant,
    /// If the handshake has measured a round trip.
    pub srtt: Option<Duration>,
    /// Of a controller's choices.
    pub seed: u64,
}

/// The controller of one connection: one of those that there are. BBR has too much to remember to be in every control
/// block, and so has what is known of the use of the window, if that is to be known (RFC 7661).
#[derive(Clone, Debug)]
pub(super) enum Controller {
    NewReno(NewReno),
    Cubic(Cubic),
    Bbr(Box<Bbr>),
    Validated(Box<Validated>),
}

impl Controller {
    pub(super) fn new(algorithm: Algorithm, beginning: &Beginning) -> Self {
        let &Beginning { initial_window, now, srtt, seed } = beginning;
        match algorithm {
            Algorithm::NewReno => Controller::NewReno(NewReno::new(initial_window)),
            Algorithm::Cubic => Controller::Cubic(Cubic::new(initial_window)),
            Algorithm::Bbr => Controller::Bbr(Box::new(Bbr::new(initial_window, now, srtt, seed))),
        }
    }

    /// Until the handshake is over: nothing is sent that a window would hold back.
    pub(super) fn opening(mss: u32) -> Self {
        Controller::NewReno(NewReno::new(mss))
    }

    /// The congestion window. It is asked for at every turn: not through the trait's table.
    pub(super) fn cwnd(&self) -> u32 {
        match self {
            Controller::NewReno(controller) => controller.cwnd(),
            Controller::Cubic(controller) => controller.cwnd(),
            Controller::Bbr(controller) => controller.cwnd(),
            Controller::Validated(validated) => validated.controller.deref().cwnd(),
        }
    }

    /// Bytes a second at which data is to leave, if the controller says so itself. As often asked for.
    pub(super) fn pacing_rate(&self) -> Option<u64> {
        match self {
            Controller::NewReno(_) | Controller::Cubic(_) => None,
            Controller::Bbr(controller) => controller.pacing_rate(),
            Controller::Validated(validated) => validated.controller.deref().pacing_rate(),
        }
    }

    /// Which one it is.
    pub(super) fn algorithm(&self) -> Algorithm {
        match self {
            Controller::NewReno(_) => Algorithm::NewReno,
            Controller::Cubic(_) => Algorithm::Cubic,
            Controller::Bbr(_) => Algorithm::Bbr,
            Controller::Validated(validated) => validated.controller.algorithm(),
        }
    }

    /// What [`undo`](Self::undo) will need if a reduction turns out to be needless: all of it, but of a controller that
    /// keeps that itself.
    pub(super) fn memento(&self) -> Option<Controller> {
        match self {
            Controller::Bbr(_) => None,
            Controller::Validated(validated) => validated.controller.memento(),
            Controller::NewReno(_) | Controller::Cubic(_) => Some(self.clone()),
        }
    }

    /// The loss was none: as before.
    pub(super) fn undo(&mut self, memento: Option<Controller>) {
        match (self, memento) {
            (Controller::Bbr(bbr), _) => bbr.on_spurious_loss(),
            (Controller::Validated(validated), memento) => validated.controller.undo(memento),
            (this, Some(memento)) => *this = memento,
            (_, None) => {}
        }
    }
}

impl Deref for Controller {
    type Target = dyn CongestionControl;

    fn deref(&self) -> &Self::Target {
        match self {
            Controller::NewReno(controller) => controller,
            Controller::Cubic(controller) => controller,
            Controller::Bbr(controller) => controller.as_ref(),
            Controller::Validated(validated) => &*validated.controller,
        }
    }
}

impl DerefMut for Controller {
    fn deref_mut(&mut self) -> &mut Self::Target {
        match self {
            Controller::NewReno(controller) => controller,
            Controller::Cubic(controller) => controller,
            Controller::Bbr(controller) => controller.as_mut(),
            Controller::Validated(validated) => &mut *validated.controller,
        }
    }
}

/// Slow start (RFC 5681 3.1): the window grows by what was acknowledged, up to the threshold; returns what is left of
/// `bytes` for congestion avoidance. All of a stretched acknowledgment counts: one that covers a super-packet stands for
/// many.
fn slow_start(cwnd: &mut u32, ssthresh: u32, bytes: u32) -> u32 {
    let grow = bytes.min(ssthresh.saturating_sub(*cwnd));
    *cwnd = cwnd.saturating_add(grow);
    bytes - grow
}

/// ssthresh and cwnd after the non-validated period (RFC 7661 4.4.3).
fn halve_unused(cwnd: u32, ssthresh: u32, least: u32) -> (u32, u32) {
    (ssthresh.max(cwnd - cwnd / 4), (cwnd / 2).max(least).min(cwnd))
}

/// IW = min(n · SMSS, max(2 · SMSS, 14600)) for n = 10 (RFC 6928 2), one segment after a lost SYN (RFC 5681 3.1).
pub(super) fn initial_window(segments: u32, mss: u32, syn_was_lost: bool) -> u32 {
    if syn_was_lost {
        return mss;
    }
    (segments * mss).min((2 * mss).max(segments * 1460))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An idle connection has one of these, and nothing else of congestion control but the box of a BBR.
    #[test]
    fn what_is_known_of_the_path_is_16_bytes() {
        assert_eq!(size_of::<Controller>(), 16);
    }

    #[test]
    fn rfc_6928_section_2_initial_window() {
        assert_eq!(initial_window(10, 1460, false), 14_600);
        assert_eq!(initial_window(10, 536, false), 5_360);
        assert_eq!(initial_window(10, 9_000, false), 18_000);
        assert_eq!(initial_window(10, 1460, true), 1_460);
    }
}
