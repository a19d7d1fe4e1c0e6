//! The acknowledgment of a segment: what it frees, measures and reveals (RFC 9293 3.10.7.4, fifth step).

use super::congestion::Ack;
use super::connection::{Arrival, Connection};
use super::input::{DROP, NEXT, Step};
use super::loss::reported_duplicate;
use super::news::News;
use super::recovery::rack::Evidence;
use super::recovery::sent_log::{Acked, Sent};
use super::spurious::Delivered;
use super::{Context, State, reset_for};
use crate::time::Duration;
use crate::wire::{SeqNumber, TcpFlags, TcpHeader};

impl Connection {
    pub(super) fn fifth_check_ack(&mut self, cx: &mut Context<'_>, arrival: &Arrival<'_>) -> Step {
        let segment = arrival.header;
        if !segment.has(TcpFlags::ACK) {
            cx.counters.unexpected += 1;
            return DROP;
        }
        if self.state == State::SynReceived {
            self.complete_handshake(cx, arrival)?;
        } else if self.is_unconfirmed() {
            self.confirm(cx, arrival)?;
        }
        if segment.ack.gt(self.snd_nxt) || segment.ack.lt(self.oldest_ack()) {
            cx.counters.bad_ack += 1;
            // Whoever has sent this knows less of the connection than its peer: what it repeats is not reported, and takes
            // the place of nothing that is to be.
            if let Some(active) = self.active.existing() {
                active.duplicate = arrival.reported;
            }
            // Nobody said at once: an honest peer's next segment, or its retransmission, draws the same answer.
            if self.may_challenge(cx) {
                self.delay_ack(cx.now, cx.config.delayed_ack);
            }
            return DROP;
        }
        if segment.ack.ge(self.snd_una) {
            self.take_ack(cx, arrival);
        } else {
            self.take_old_ack(cx, arrival);
        }
        self.advance_close(cx)
    }

    /// The least SEG.ACK that may be an honest one: SND.UNA - MAX.SND.WND <= SEG.ACK <= SND.NXT (RFC 5961 5.2). What lies
    /// before our first octet was never sent, and nobody can have received it: who guesses it is given no window to hit.
    fn oldest_ack(&self) -> SeqNumber {
        let acknowledged = self.totals.bytes_acked.get() + u64::from(self.fin_acknowledged());
        self.snd_una - u32::try_from(acknowledged).unwrap_or(u32::MAX).min(self.max_snd_wnd)
    }

    /// SYN-RECEIVED: the peer acknowledges our SYN, or what it acknowledges is not ours.
    fn complete_handshake(&mut self, cx: &mut Context<'_>, arrival: &Arrival<'_>) -> Step {
        let segment = arrival.header;
        if segment.ack.le(self.snd_una) || segment.ack.gt(self.snd_nxt) {
            cx.counters.bad_ack += 1;
            return Step::Break(reset_for(segment, arrival.payload.len()));
        }
        let syn_was_lost = self.measure_handshake(arrival);
        self.start_congestion_control(cx, syn_was_lost);
        // What our SYN carried of data is acknowledged with it, or not at all.
        self.acknowledge_syn(cx, segment.ack, None);
        self.set_send_window(segment);
        self.establish(cx);
        NEXT
    }

    /// The SYN-ACK's round trip, unless it was sent again (Karn): its acknowledgment may have been lost in between.
    /// Whether it was.
    pub(super) fn measure_handshake(&mut self, arrival: &Arrival<'_>) -> bool {
        let syn_was_lost = self.active.retries > 0;
        if syn_was_lost {
            self.rtt.syn_was_lost();
        } else if self.rtt.srtt().is_none()
            && let Some(rtt) = self.echoed_rtt(arrival)
        {
            self.rtt.sample(rtt);
        }
        syn_was_lost
    }

    fn take_ack(&mut self, cx: &mut Context<'_>, arrival: &Arrival<'_>) {
        let segment = arrival.header;
        if let Some(outgoing) = self.active.outgoing_mut() {
            outgoing.tail.held = false;
        }
        let window_before = self.snd_wnd;
        let closed_before = self.snd_wnd == 0;
        self.update_send_window(segment);
        if let Some(active) = self.active.existing().filter(|_| self.snd_wnd == 0) {
            // The peer answers: the probes may go on for ever (RFC 9293 3.8.6.1).
            active.retries = 0;
        }
        self.note_application_limit();
        let evidence = self.evidence(arrival);
        let mut delivered = self.take_sack(segment, &evidence);
        // RFC 5681 2, the definition of a duplicate.
        let duplicate = segment.ack == self.snd_una
            && arrival.payload.is_empty()
            && !arrival.fin
            && self.snd_wnd == window_before;
        self.resolve_tail_probe(cx, segment, duplicate);
        self.take_ece(cx, segment);
        if segment.ack.gt(self.snd_una) {
            self.take_new_ack(cx, arrival, &mut delivered, &evidence);
        } else if self.in_flight() > 0 && delivered.sacked > 0 {
            self.take_sacked(cx, arrival, delivered.sacked);
        } else if self.in_flight() > 0 && duplicate && !self.sack {
            self.take_duplicate_ack(cx);
        }
        self.undo_if_spurious(cx, arrival, delivered, duplicate);
        if closed_before && self.snd_wnd > 0 {
            self.window_opened(cx);
        }
        self.update_timer_after_ack(cx, segment);
        if delivered.advanced || delivered.sacked > 0 {
            self.arm_tail_probe(cx);
        }
    }

    /// An acknowledgment that a later one has overtaken says nothing that is not known, but its SACK blocks may: what
    /// they tell of has arrived (RFC 2018 3).
    fn take_old_ack(&mut self, cx: &mut Context<'_>, arrival: &Arrival<'_>) {
        let evidence = self.evidence(arrival);
        let delivered = self.take_sack(arrival.header, &evidence);
        if delivered.sacked > 0 {
            self.take_sacked(cx, arrival, delivered.sacked);
            self.undo_if_spurious(cx, arrival, delivered, false);
            self.arm_tail_probe(cx);
        }
    }

    /// An acknowledgment has not moved SND.UNA, but its blocks tell of `octets` that have arrived.
    fn take_sacked(&mut self, cx: &mut Context<'_>, arrival: &Arrival<'_>, octets: u32) {
        self.look_for_losses(cx, arrival.meta.received_at, octets);
        self.regulate_recovery(octets, false);
        self.take_delivery(arrival.meta.received_at);
    }

    /// RFC 9293 3.10.7.4: only a newer segment may change the window. SND.WL2 is not kept: it never exceeds SND.UNA, and
    /// SEG.ACK has just been found to be no less than that. One that acknowledges more than any before is newer whatever
    /// its SEG.SEQ: without its window, the old one would reach further than the peer ever said (found by simulation).
    fn update_send_window(&mut self, segment: &TcpHeader) {
        if self.snd_wl1.le(segment.seq) || segment.ack.gt(self.snd_una) {
            self.set_send_window(segment);
        }
    }

    fn set_send_window(&mut self, segment: &TcpHeader) {
        self.snd_wnd = u32::from(segment.window) << self.scaling.of_peer();
        self.max_snd_wnd = self.max_snd_wnd.max(self.snd_wnd);
        self.snd_wl1 = segment.seq;
    }

    /// What the SACK blocks tell of for the first time. Blocks outside SND.UNA..SND.NXT say nothing, D-SACK's
    /// first one included (RFC 2883 5).
    fn take_sack(&mut self, segment: &TcpHeader, evidence: &Evidence) -> Delivered {
        let mut delivered = Delivered::default();
        let Some(outgoing) = self.active.outgoing_mut().filter(|_| self.sack) else { return delivered };
        outgoing.rack.on_ack();
        if reported_duplicate(segment).is_some() {
            outgoing.rack.on_dsack(segment.ack, self.snd_nxt, &mut self.reordering);
        }
        let (rack, reordering, point) = (&mut outgoing.rack, &mut self.reordering, outgoing.recovery.point());
        let rate = &mut outgoing.rate;
        delivered.sacked = outgoing.log.mark_sacked(&segment.options.sack, &mut |sent| {
            rack.on_delivered(sent, evidence, reordering);
            rate.on_delivered(sent, evidence.received_at);
            delivered.original |= is_original(sent, point);
        });
        delivered
    }

    /// SEG.ACK is above SND.UNA.
    fn take_new_ack(
        &mut self,
        cx: &mut Context<'_>,
        arrival: &Arrival<'_>,
        delivered: &mut Delivered,
        evidence: &Evidence,
    ) {
        let ack = arrival.header.ack;
        let octets = ack - self.snd_una;
        let limited = self.active.cwnd_limited_at.is_some_and(|at| self.snd_una.lt(at));
        let limited = limited && !self.echoes_mark(arrival.header);
        let fin = u32::from(self.fin_sent && ack == self.snd_nxt);
        self.snd_una = ack;
        self.active.retries = 0;
        self.active.last_progress = cx.now;
        let Some(active) = self.active.existing() else { return };
        let Some(outgoing) = active.outgoing.as_mut() else { return };
        let (rack, reordering, point) = (&mut outgoing.rack, &mut self.reordering, outgoing.recovery.point());
        let (rate, congestion) = (&mut outgoing.rate, &mut self.congestion);
        let mut original = false;
        let acked = outgoing.log.acknowledge(ack, &mut |sent| {
            rack.on_delivered(sent, evidence, reordering);
            rate.on_delivered(sent, evidence.received_at);
            original |= is_original(sent, point);
        });
        delivered.advanced = true;
        // Without SACK, what follows a copy may have arrived before it.
        delivered.original |= original && (self.sack || acked.resent_at.is_none());
        outgoing.queue.discard((octets - fin) as usize);
        outgoing.records.discard(ack);
        let mss = u32::from(self.snd_mss);
        let segments = octets.div_ceil(mss);
        // Without SACK, what duplicates stood for had left the network before (RFC 9937 6.2, DeliveredData).
        let seen = outgoing.recovery.dup_acks().min(segments).saturating_mul(mss);
        let newly = acked.delivered + delivered.sacked;
        let left = if self.sack { newly } else { octets.saturating_sub(seen) };
        let recovering = !outgoing.recovery.is_open();
        let partial = outgoing.recovery.on_progress(ack, segments);
        let mut recovered = false;
        if recovering && !partial {
            self.reordering.on_recovery_end();
            congestion.on_recovery_end();
            recovered = true;
        }
        if partial && !self.sack && outgoing.recovery.is_fast() {
            // RFC 6582 3.2 step 3: what follows a partial acknowledgment is lost as well.
            outgoing.log.mark_head_lost(&mut |sent| congestion.on_lost(cx.now, &rate.on_lost(sent)));
            active.due.retransmit = outgoing.log.lost() > 0;
        }
        self.totals.bytes_acked += octets - fin;
        let rtt = self.measured_rtt(&acked, arrival);
        if let Some(rtt) = rtt {
            self.rtt.sample(rtt);
        }
        let found = self.look_for_losses(cx, arrival.meta.received_at, left);
        self.regulate_recovery(left, self.sack && !found);
        if !self.active.outgoing.as_ref().is_some_and(|outgoing| outgoing.recovery.is_fast()) {
            let validated = self.validate_window(cx);
            let limited = limited || (validated && !self.echoes_mark(arrival.header));
            let srtt = self.rtt.srtt().unwrap_or_default();
            let ack = Ack {
                now: cx.now,
                bytes: left,
                srtt,
                rtt,
                cwnd_limited: limited,
                mss,
                snd_una: ack,
                snd_nxt: self.snd_nxt,
            };
            self.congestion.on_ack(&ack);
        }
        if recovered {
            self.leave_recovered_window();
        }
        self.take_delivery(arrival.meta.received_at);
        self.note_room();
    }

    /// The round-trip time of what was just acknowledged. Of something sent twice (Karn), the echoed timestamp tells
    /// which one is meant; only the second measures the path. An echo of the first says that it has arrived, but not
    /// how many acknowledgments of it were lost meanwhile, which is no time that the path takes.
    fn measured_rtt(&self, acked: &Acked, arrival: &Arrival<'_>) -> Option<Duration> {
        match acked.resent_at {
            None => acked.sample.map(|sent_at| arrival.meta.received_at - sent_at),
            Some(resent_at) => {
                let tick = Duration::from_millis(1);
                let possible = arrival.meta.received_at - resent_at + tick;
                self.echoed_rtt(arrival).filter(|&rtt| rtt <= possible)
            }
        }
    }

    /// Without SACK: the third duplicate means a loss (RFC 5681 3.2).
    fn take_duplicate_ack(&mut self, cx: &mut Context<'_>) {
        let Some(outgoing) = self.active.outgoing_mut() else { return };
        if outgoing.recovery.on_duplicate() {
            let (rate, congestion) = (&mut outgoing.rate, &mut self.congestion);
            outgoing.log.mark_head_lost(&mut |sent| congestion.on_lost(cx.now, &rate.on_lost(sent)));
            self.enter_fast_recovery(cx, u32::from(self.snd_mss));
        }
        self.regulate_recovery(u32::from(self.snd_mss), false);
    }

    /// What was under way when the window closed has been dropped by the peer, and probes are not losses.
    fn window_opened(&mut self, cx: &Context<'_>) {
        self.active.due.probe = false;
        self.rtt.reset_backoff();
        if self.active.timers.retransmit.is_set() && self.in_flight() == 0 {
            self.active.timers.retransmit.clear();
        }
        if self.active.probed {
            self.active.probed = false;
            if let Some(outgoing) = self.active.outgoing.as_mut() {
                outgoing.log.mark_all_lost();
                self.restart_retransmit_timer(cx);
            }
        }
    }

    /// RFC 6298 5.2, 5.3.
    fn update_timer_after_ack(&mut self, cx: &Context<'_>, segment: &TcpHeader) {
        let progress = segment.ack == self.snd_una && self.active.last_progress == cx.now;
        if self.in_flight() > 0 {
            if progress {
                self.restart_retransmit_timer(cx);
            }
        } else if (!self.has_unsent() || (progress && self.snd_wnd > 0))
            && let Some(active) = self.active.existing()
        {
            // With nothing under way the timer waits for a window worth using (persist, and the override of RFC 1122
            // 4.2.3.4); an acknowledgment that brings nothing new must not put it off.
            active.timers.retransmit.clear();
        }
    }

    /// Room for `write`, announced once there is enough of it to be worth a wake-up.
    pub(super) fn note_room(&mut self) {
        if self.write_blocked && self.has_worthwhile_room() {
            self.write_blocked = false;
            self.news.add(News::WRITABLE);
        }
    }

    /// Our FIN may just have been acknowledged.
    fn advance_close(&mut self, cx: &Context<'_>) -> Step {
        if !self.fin_acknowledged() {
            return NEXT;
        }
        match self.state {
            State::FinWait1 => {
                self.state = State::FinWait2;
                // Whoever lingers until all is delivered hears of it.
                self.news.add(News::WRITABLE);
                self.limit_fin_wait_2(cx);
            }
            State::Closing => self.enter_time_wait(),
            State::LastAck => {
                self.end(None);
                return DROP;
            }
            _ => {}
        }
        NEXT
    }

    /// Octets believed to be in the network (RFC 6675 4, SetPipe). Without SACK each duplicate acknowledgment stands
    /// for a segment that has left it, which lets the first two bring out new ones (limited transmit, RFC 3042).
    pub(super) fn pipe(&self) -> u32 {
        let Some(outgoing) = self.active.outgoing.as_ref() else { return 0 };
        let left = outgoing.log.sacked() + outgoing.log.lost();
        let unseen = outgoing.recovery.dup_acks().saturating_mul(u32::from(self.snd_mss));
        self.in_flight().saturating_sub(left).saturating_sub(unseen)
    }
}

/// Whether it was under way when recovery began, and has not been sent again: its arrival says that not all was lost.
fn is_original(sent: &Sent, point: Option<SeqNumber>) -> bool {
    !sent.retransmitted && point.is_some_and(|point| sent.end().le(point))
}
