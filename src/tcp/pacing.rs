//! Pacing: data leaves in bursts of at most a millisecond, spread over the round-trip, instead of whatever an
//! acknowledgment lets out at once.

use super::connection::Connection;
use crate::time::{Duration, Instant};

/// The rate is this many percent of a window in each round-trip: slow start has to fill the next window in time, and
/// congestion avoidance has to be able to grow. Linux paces alike.
const SLOW_START_PERCENT: u64 = 200;
const AVOIDANCE_PERCENT: u64 = 120;
/// The longest burst is a millisecond.
const BURSTS_A_SECOND: u64 = 1_000;

impl Connection {
    /// Bytes a second; `None` if nothing was measured yet.
    fn sending_rate(&self) -> Option<u64> {
        if let Some(rate) = self.congestion.pacing_rate() {
            return Some(rate);
        }
        let srtt = self.rtt.srtt()?;
        let window = u64::from(self.congestion.cwnd());
        let slow_start = self.congestion.cwnd() < self.congestion.ssthresh();
        let percent = if slow_start { SLOW_START_PERCENT } else { AVOIDANCE_PERCENT };
        let micros = u64::try_from(srtt.as_micros()).unwrap_or(u64::MAX).max(1);
        Some((window * percent * 10_000 / micros).max(1))
    }

    /// The same, if sending is paced: as configured, or because the controller is about the rate.
    pub(super) fn pacing_rate(&self) -> Option<u64> {
        if self.is_paced() { self.sending_rate() } else { None }
    }

    /// Whether there is such a rate.
    pub(super) fn is_paced(&self) -> bool {
        self.congestion.pacing_rate().is_some() || (self.paced && self.rtt.srtt().is_some())
    }

    /// Most bytes that leave at once, in segments of `mss`: a millisecond at the sending rate, paced or not. What is
    /// merged into one super-packet is one burst on the path, and one wait at the receiver.
    pub(super) fn timely_burst(&self, mss: u32) -> u32 {
        let Some(rate) = self.sending_rate() else { return u32::MAX };
        let bytes = u32::try_from(rate / BURSTS_A_SECOND).unwrap_or(u32::MAX);
        bytes.max(u32::from(self.options.min_burst) * mss)
    }

    /// Data has been sent: the next may follow once this would have left at the rate. Time by which the timer was too
    /// late is made up for, half of a burst's at most, or each turn of the loop would cost some of the rate; time in
    /// which nothing waited is not.
    pub(super) fn pace(&mut self, now: Instant, octets: u32) {
        let Some(rate) = self.pacing_rate() else { return };
        let Some(active) = self.active.existing() else { return };
        let Some(outgoing) = active.outgoing.as_mut() else { return };
        let whole = Duration::from_nanos(u64::from(octets) * 1_000_000_000 / rate);
        let late = now - outgoing.paced_until;
        let late = if late < whole { late.min(whole / 2) } else { Duration::ZERO };
        outgoing.paced_until = now + (whole - late);
        active.timers.pace.set(outgoing.paced_until);
    }

    /// Whether data has to wait for its turn.
    pub(super) fn waits_for_pace(&self) -> bool {
        self.active.timers.pace.is_set()
    }
}
