//! How much may be under way: congestion control behind one trait.
//!
//! Windows and acknowledgments count bytes, never segments, since a segment may be anything up to 64 KiB.

mod cubic;
mod hystart;
mod new_reno;

use cubic::Cubic;
use new_reno::NewReno;

use super::config::Algorithm;
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

/// A congestion controller: the congestion window and the slow-start threshold, in bytes.
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
}

/// The controller of one connection: one of those that there are, without an allocation of its own.
#[derive(Clone, Debug)]
pub(super) enum Controller {
    NewReno(NewReno),
    Cubic(Cubic),
}

impl Controller {
    /// A controller that begins with `initial_window` bytes.
    pub(super) fn new(algorithm: Algorithm, initial_window: u32) -> Self {
        match algorithm {
            Algorithm::NewReno => Controller::NewReno(NewReno::new(initial_window)),
            Algorithm::Cubic => Controller::Cubic(Cubic::new(initial_window)),
        }
    }

    fn get(&self) -> &dyn CongestionControl {
        match self {
            Controller::NewReno(controller) => controller,
            Controller::Cubic(controller) => controller,
        }
    }

    fn get_mut(&mut self) -> &mut dyn CongestionControl {
        match self {
            Controller::NewReno(controller) => controller,
            Controller::Cubic(controller) => controller,
        }
    }
}

impl CongestionControl for Controller {
    fn cwnd(&self) -> u32 {
        self.get().cwnd()
    }

    fn ssthresh(&self) -> u32 {
        self.get().ssthresh()
    }

    fn on_ack(&mut self, ack: &Ack) {
        self.get_mut().on_ack(ack);
    }

    fn on_loss(&mut self, in_flight: u32, mss: u32) {
        self.get_mut().on_loss(in_flight, mss);
    }

    fn on_timeout(&mut self, in_flight: u32, mss: u32) {
        self.get_mut().on_timeout(in_flight, mss);
    }

    fn on_restart(&mut self, initial_window: u32) {
        self.get_mut().on_restart(initial_window);
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

    #[test]
    fn rfc_6928_section_2_initial_window() {
        assert_eq!(initial_window(10, 1460, false), 14_600);
        assert_eq!(initial_window(10, 536, false), 5_360);
        assert_eq!(initial_window(10, 9_000, false), 18_000);
        assert_eq!(initial_window(10, 1460, true), 1_460);
    }
}
