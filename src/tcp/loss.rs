//! Finding losses and answering them: RACK-TLP at work (RFC 8985), and how fast recovery begins.

use super::connection::{Arrival, Connection};
use super::recovery::prr::Progress;
use super::recovery::rack::{Evidence, Path};
use super::recovery::tail_probe::{self, Answer};
use super::timers::LossTimer;
use super::{Context, SegmentSink};
use crate::time::{Duration, Instant};
use crate::wire::{SendOutcome, SeqNumber, TcpHeader};

/// The timestamp clock cannot measure less than its own tick.
pub(super) const TICK: Duration = Duration::from_millis(1);

impl Connection {
    /// What an acknowledgment says of the time at which the segments were sent that it covers.
    pub(super) fn evidence(&self, arrival: &Arrival<'_>) -> Evidence {
        let received_at = arrival.meta.received_at;
        let echo = self.echo_age(arrival).map(|age| {
            let sent = received_at.as_millis().saturating_sub(u64::from(age));
            Instant::from_millis(sent) + (TICK - Duration::from_nanos(1))
        });
        Evidence { received_at, echo, min_rtt: self.rtt.min_rtt().unwrap_or_default() }
    }

    /// Milliseconds since the segment was sent whose timestamp is echoed.
    fn echo_age(&self, arrival: &Arrival<'_>) -> Option<u32> {
        let echo = arrival.header.options.timestamps.filter(|_| self.timestamps)?.echo;
        let age = SeqNumber(self.timestamp(arrival.meta.received_at)).distance(SeqNumber(echo));
        (echo != 0 && age >= 0).then_some(age.unsigned_abs())
    }

    /// The round-trip time by the echoed timestamp (RFC 7323 4.1): unlike that of the sent log it is not ambiguous
    /// after a retransmission, but only as fine as the timestamp clock.
    pub(super) fn echoed_rtt(&self, arrival: &Arrival<'_>) -> Option<Duration> {
        let age = self.echo_age(arrival)?;
        Some(Duration::from_millis(age.into()).max(TICK))
    }

    /// How long after it was sent a segment may still arrive when a later one has (RFC 8985 6.2 step 4); `None` for a
    /// connection without SACK.
    pub(super) fn patience(&self) -> Option<Duration> {
        let outgoing = self.active.outgoing.as_ref().filter(|_| self.sack)?;
        Some(outgoing.rack.patience(&Path {
            reordering: self.reordering,
            recovering: !outgoing.recovery.is_open(),
            sacked: outgoing.log.sacked(),
            mss: u32::from(self.snd_mss),
            min_rtt: self.rtt.min_rtt().unwrap_or_default(),
            srtt: self.rtt.srtt().unwrap_or_default(),
        }))
    }

    /// RACK_detect_loss_and_arm_timer (RFC 8985 6.2 step 5), at the time at which an acknowledgment was read or the
    /// timer fired. The timer is set for the first segment that may be lost soon, so that each is sent again in time;
    /// the RFC waits for the last of them. `delivered` bytes left the network now. Says whether there was a loss.
    pub(super) fn look_for_losses(&mut self, cx: &mut Context<'_>, now: Instant, delivered: u32) -> bool {
        let Some(patience) = self.patience() else { return false };
        let Some(outgoing) = self.active.outgoing_mut() else { return false };
        let Some(newest) = outgoing.rack.newest() else { return false };
        let (rate, congestion) = (&mut outgoing.rate, &mut self.congestion);
        let (found, due) = outgoing.log.mark_lost_before(newest, now, patience, &mut |sent| {
            congestion.on_lost(now, &rate.on_lost(sent));
        });
        if found && outgoing.recovery.is_open() {
            self.enter_fast_recovery(cx, delivered);
        }
        match due {
            Some(at) => {
                self.active.timers.loss.set(at);
                self.active.timers.loss_purpose = LossTimer::Reordering;
            }
            None if self.active.timers.loss_purpose == LossTimer::Reordering => {
                self.active.timers.loss.clear();
            }
            None => {}
        }
        found
    }

    /// RFC 5681 3.2 and RFC 6675 5: the window is reduced, and the first hole goes out at once. `delivered` bytes left
    /// the network with what showed the loss.
    pub(super) fn enter_fast_recovery(&mut self, cx: &mut Context<'_>, delivered: u32) {
        cx.counters.fast_recoveries += 1;
        // FlightSize does not include what limited transmit has added beyond the window (RFC 5681 3.2 step 2).
        let (snd_nxt, in_flight) = (self.snd_nxt, self.in_flight().min(self.congestion.cwnd()));
        let mss = u32::from(self.snd_mss);
        let flight = self.in_flight() + delivered;
        self.prepare_undo(false);
        let in_flight = self.begin_recovery(cx, in_flight, true);
        let Some(active) = self.active.existing() else { return };
        let Some(outgoing) = active.outgoing.as_mut() else { return };
        // RecoverFS (RFC 9937 6.1): without what had left the network before.
        let left = outgoing.log.sacked() + outgoing.recovery.dup_acks().saturating_mul(mss);
        outgoing.recovery.enter_fast(snd_nxt, flight.saturating_sub(left));
        active.due.retransmit = outgoing.log.lost() > 0;
        active.due.tail_probe = false;
        active.tail_probe.forget();
        self.congestion.on_loss(in_flight, mss);
        self.note_reduction();
        self.active.cwnd_limited_at = None;
    }

    /// In fast recovery: what this acknowledgment lets out (RFC 9937). `safe` says that it has moved SND.UNA and shows
    /// no further loss.
    pub(super) fn regulate_recovery(&mut self, delivered: u32, safe: bool) {
        let (pipe, ssthresh, mss) = (self.pipe(), self.congestion.ssthresh(), u32::from(self.snd_mss));
        if let Some(prr) = self.active.outgoing_mut().and_then(|outgoing| outgoing.recovery.prr()) {
            prr.on_ack(&Progress { delivered, pipe, ssthresh, safe, mss });
        }
    }

    /// RFC 8985 8: the reordering timer or the probe's.
    pub(super) fn on_loss_timer(&mut self, cx: &mut Context<'_>) {
        match self.active.timers.loss_purpose {
            LossTimer::Reordering => {
                if self.look_for_losses(cx, cx.now, 0) {
                    // Nothing was delivered, but time has passed: as good as a segment, or nothing would go out.
                    self.regulate_recovery(u32::from(self.snd_mss), false);
                }
            }
            LossTimer::TailProbe => {
                self.active.due.tail_probe = true;
                self.restart_retransmit_timer(cx);
            }
        }
    }

    /// Sets the probe's timer if one may be sent (RFC 8985 7.2): data is under way, nothing is known to be missing, and
    /// the last probe is settled and has been followed by a measurement.
    pub(super) fn arm_tail_probe(&mut self, cx: &Context<'_>) {
        self.active.due.tail_probe = false;
        if self.active.timers.loss.is_set() && self.active.timers.loss_purpose == LossTimer::Reordering {
            return;
        }
        self.active.timers.loss.clear();
        let quiet = self.active.outgoing.as_ref().is_some_and(|outgoing| {
            outgoing.recovery.is_open() && outgoing.log.sacked() == 0 && outgoing.log.lost() == 0
        });
        let wanted = quiet && self.sack && self.in_flight() > 0 && !self.is_probing();
        let Some(rto_at) = self.active.timers.retransmit.at().filter(|_| wanted) else { return };
        if self.is_synchronised() && !self.active.tail_probe.is_outstanding() && self.rtt.is_fresh() {
            let one_segment = self.in_flight() <= u32::from(self.snd_mss);
            let at = tail_probe::timeout(cx.now, self.rtt.srtt(), one_segment, rto_at);
            self.active.timers.loss.set(at);
            self.active.timers.loss_purpose = LossTimer::TailProbe;
        }
    }

    /// TLP_send_probe (RFC 8985 7.3): a segment of new data if there is one and the peer's window takes it, or the last
    /// one again; whatever the congestion window says. The retransmission timer begins anew.
    pub(super) fn send_tail_probe(
        &mut self,
        cx: &mut Context<'_>,
        sink: &mut dyn SegmentSink,
    ) -> SendOutcome {
        let (unsent, window) = (self.unsent(), self.window_room());
        let len = unsent.min(u32::from(self.segment_size()));
        let new = len > 0 && len <= window;
        let outcome = if new {
            let fin = self.fin_queued && !self.fin_sent && len == unsent && len < window;
            self.send_new(cx, len, fin, sink)
        } else {
            let tail = self.active.outgoing.as_ref().and_then(|outgoing| outgoing.log.tail());
            tail.map_or(SendOutcome::Sent, |tail| self.send_again(cx, tail, sink))
        };
        if outcome != SendOutcome::Full {
            self.active.due.tail_probe = false;
            self.active.timers.loss.clear();
            self.active.tail_probe.on_sent(self.snd_nxt, !new);
            self.rtt.on_tail_probe();
            self.restart_retransmit_timer(cx);
            cx.counters.tail_probes += 1;
        }
        outcome
    }

    /// TLP_process_ack (RFC 8985 7.4.2). A probe that has repaired a loss leaves congestion control to answer it.
    pub(super) fn resolve_tail_probe(&mut self, cx: &mut Context<'_>, segment: &TcpHeader, duplicate: bool) {
        let answer = Answer {
            ack: segment.ack,
            dsack: reported_duplicate(segment).map(|(_, right)| right),
            bare_duplicate: duplicate && segment.options.sack.is_empty(),
        };
        if self.active.existing().is_some_and(|active| active.tail_probe.on_ack(&answer)) {
            self.on_tail_repair(cx, self.in_flight().min(self.congestion.cwnd()));
        }
    }

    /// A probe has repaired the loss of what it carried: congestion with `in_flight` bytes under way.
    pub(super) fn on_tail_repair(&mut self, cx: &mut Context<'_>, in_flight: u32) {
        cx.counters.tail_probe_repairs += 1;
        let in_flight = self.leave_used_window(cx, in_flight);
        self.congestion.on_mark(cx.now, in_flight, u32::from(self.snd_mss));
        self.active.cwnd_limited_at = None;
    }
}

/// The D-SACK block of an acknowledgment (RFC 2883 4): the first, if it lies below SEG.ACK or inside of the second.
pub(super) fn reported_duplicate(segment: &TcpHeader) -> Option<(SeqNumber, SeqNumber)> {
    let blocks = segment.options.sack.as_slice();
    let &(left, right) = blocks.first().filter(|(left, right)| left.lt(*right))?;
    let inside = blocks.get(1).is_some_and(|second| second.0.le(left) && right.le(second.1));
    (right.le(segment.ack) || inside).then_some((left, right))
}
