//! Measuring the path: what each acknowledgment tells congestion control that models it, and when it is the application
//! that limits the rate.

use super::congestion::Delivery;
use super::connection::Connection;
use super::recovery::delivery::Snapshot;
use crate::time::Instant;

impl Connection {
    /// Asked before the application writes, before an acknowledgment is read and before a timer sends: whether there was
    /// nothing to send, although the window would let it (draft-ietf-ccwg-bbr-06 4.1.2.4).
    pub(super) fn note_application_limit(&mut self) {
        if self.active.outgoing.is_none()
            || !self.state.is_synchronised()
            || self.unsent() > 0
            || self.waits_for_pace()
        {
            return;
        }
        let pipe = self.pipe();
        if let Some(outgoing) = self.active.outgoing_mut()
            && outgoing.log.lost() == 0
            && pipe < self.congestion.cwnd()
        {
            outgoing.rate.mark_app_limited(pipe);
        }
    }

    /// What goes into the log with `octets` that are sent now.
    pub(super) fn snapshot(&self, now: Instant, octets: u32) -> Snapshot {
        let in_flight = self.pipe().saturating_add(octets);
        self.active
            .outgoing
            .as_ref()
            .map_or_else(Snapshot::default, |outgoing| outgoing.rate.snapshot(now, in_flight))
    }

    /// Sending is about to begin with nothing under way.
    pub(super) fn announce_flight(&mut self, now: Instant) {
        if let Some(outgoing) = self.active.outgoing.as_ref() {
            let rate = &outgoing.rate;
            self.congestion.on_flight(now, rate.delivered(), rate.is_app_limited());
        }
    }

    /// An acknowledgment has been taken in, and losses have been looked for.
    pub(super) fn take_delivery(&mut self, now: Instant) {
        let min_rtt = self.rtt.min_rtt().unwrap_or_default();
        let pipe = self.pipe();
        let Some(active) = self.active.existing() else { return };
        let Some(outgoing) = active.outgoing.as_mut() else { return };
        let Some(sample) = outgoing.rate.take_sample(min_rtt) else { return };
        self.congestion.on_delivery(&Delivery {
            now,
            sample,
            delivered: outgoing.rate.delivered(),
            pipe,
            cwnd_limited: active.cwnd_limited_at.is_some_and(|at| self.snd_una.le(at)),
            recovering: outgoing.recovery.is_fast(),
            sack: self.sack,
            mss: u32::from(self.snd_mss),
        });
        if self.congestion.leaves_path_unused() {
            outgoing.rate.mark_app_limited(pipe);
        }
    }
}
