//! What to send: one decision, `next_action`.

use super::congestion::initial_window;
use super::connection::{Connection, Pending, TIMESTAMPS_LEN};
use super::recovery::Recovery;
use super::recovery::sent_log::Hole;
use super::{Context, SegmentSink, State, Transmit};
use crate::time::Instant;
use crate::wire::{SendOutcome, TcpFlags, TcpHeader};

/// Segments a call of `poll_transmit` sends at most, so that one connection does not hold up the others: as
/// super-packets a quarter of a mebibyte.
const BUDGET: usize = 4;
/// An IP packet less the longest headers: no super-packet carries more.
const MAX_PAYLOAD: u32 = 65_535 - 40 - TcpHeader::MAX_LEN as u32;

/// The one thing to send next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Reset,
    Syn,
    TailProbe,
    Retransmit(Hole),
    Data { len: u32, fin: bool },
    Probe,
    KeepAlive,
    Acknowledge,
}

impl Connection {
    /// Sends what may be sent now.
    pub fn poll_transmit(&mut self, cx: &mut Context<'_>, sink: &mut dyn SegmentSink) -> Transmit {
        self.review_path(cx.now);
        self.age_window(cx);
        self.restart_after_idle(cx);
        if let Some(active) = self.active.existing() {
            active.timers.pace.take_due(cx.now);
        }
        for _ in 0..BUDGET {
            let Some(action) = self.next_action() else {
                if self.options.notsent_lowat.is_some() {
                    self.note_room(); // what has been sent does not wait any more
                }
                self.note_cwnd_limit();
                self.arm_idle_timers(cx);
                if let Some(active) = self.active.existing() {
                    active.outgoing.release_spare(); // the application has had its turn
                }
                return Transmit::Done;
            };
            if self.perform(cx, action, sink) == SendOutcome::Full {
                return Transmit::Full;
            }
        }
        Transmit::More
    }

    /// The decision. Timers and input only mark what is pending; whether and what is sent is decided here alone.
    fn next_action(&self) -> Option<Action> {
        if self.pending.has(Pending::RESET) {
            return Some(Action::Reset);
        }
        match self.state {
            State::Closed => None,
            _ if self.active.due.syn => Some(Action::Syn),
            State::SynSent => None,
            State::SynReceived | State::TimeWait => {
                self.pending.has(Pending::ACK).then_some(Action::Acknowledge)
            }
            _ => self.next_data().or_else(|| self.next_control()),
        }
    }

    fn next_data(&self) -> Option<Action> {
        if self.active.due.tail_probe && self.in_flight() > 0 && !self.is_probing() {
            return Some(Action::TailProbe);
        }
        self.next_retransmission().map(Action::Retransmit).or_else(|| self.next_new_data())
    }

    fn next_control(&self) -> Option<Action> {
        if self.active.due.probe && (self.has_unsent() || self.in_flight() > 0) {
            Some(Action::Probe)
        } else if self.pending.has(Pending::KEEP_ALIVE) {
            Some(Action::KeepAlive)
        } else {
            (self.pending.has(Pending::ACK) || self.active.due.routine_ack).then_some(Action::Acknowledge)
        }
    }

    /// The oldest hole, as much of it as the congestion window allows (RFC 6675 5, step C). Entering recovery, the
    /// first segment goes out in any case.
    fn next_retransmission(&self) -> Option<Hole> {
        let outgoing = self.active.outgoing.as_ref()?;
        let hole = outgoing.log.first_hole()?;
        if self.is_probing() || outgoing.recovery.withholds_retransmissions() {
            return None;
        }
        let one = hole.len.min(u32::from(hole.size.min(self.snd_mss)));
        let room = self.cwnd_room();
        if room < one || self.waits_for_pace() {
            return self.active.due.retransmit.then_some(Hole { len: one, ..hole });
        }
        let len = hole.len.min(room).min(self.burst());
        let whole_segments = len / one * one;
        Some(Hole { len: if len == hole.len { len } else { whole_segments.max(one) }, ..hole })
    }

    /// New data and the FIN, as far as both windows, Nagle's algorithm (RFC 9293 3.7.4) and the sender's silly-window
    /// avoidance (RFC 1122 4.2.3.4) allow.
    fn next_new_data(&self) -> Option<Action> {
        let unsent = self.unsent();
        let fin = self.fin_queued && !self.fin_sent;
        if (unsent == 0 && !fin) || self.waits_for_pace() {
            return None;
        }
        let window = self.window_room();
        let record = self.unsent_of_record(unsent);
        let mss = u32::from(self.segment_size());
        // Of the burst it need only be known that it is a segment at least, where there is less than that.
        let burst = if record < mss { mss } else { self.burst() };
        let len = record.min(window).min(self.cwnd_room()).min(burst);
        if len < record {
            let whole = len / mss * mss;
            // Less than a segment only if the peer's window has never been much larger.
            let worth = len > 0 && len == window && len >= self.max_snd_wnd / 2;
            let len = if whole == 0 && worth { len } else { whole };
            return (len > 0).then_some(Action::Data { len, fin: false });
        }
        let fin = fin && window > len;
        if unsent == 0 {
            return fin.then_some(Action::Data { len: 0, fin });
        }
        // Nothing can be added to a record that another one follows: there is nothing to wait for.
        let complete = record < unsent;
        if !complete && len < burst && self.waits_for_a_whole_burst() {
            return None;
        }
        let len = if complete || self.may_send_tail(len, mss) { len } else { len / mss * mss };
        (len > 0).then_some(Action::Data { len, fin: fin && len == unsent })
    }

    /// Whether less than a super-packet waits for those bytes that the application has announced, to be a whole one: a
    /// small one costs as much. Only while a whole one is under way, whose acknowledgment ends the wait.
    fn waits_for_a_whole_burst(&self) -> bool {
        let tail = self.active.outgoing.as_ref().map(|outgoing| outgoing.tail).unwrap_or_default();
        let announced = tail.held && !tail.pushed && !self.fin_queued;
        announced && self.in_flight() >= self.largest_burst()
    }

    /// Whether the last segment may go although it is not full.
    fn may_send_tail(&self, len: u32, mss: u32) -> bool {
        let tail = self.active.outgoing.as_ref().map(|outgoing| outgoing.tail).unwrap_or_default();
        if self.fin_queued || tail.pushed {
            return true;
        }
        let waits = self.options.cork || tail.held;
        !waits && (self.options.nodelay || (self.in_flight() == 0 && len < mss))
    }

    /// How much of the `unsent` octets belongs to the record that SND.NXT is in.
    fn unsent_of_record(&self, unsent: u32) -> u32 {
        let end =
            self.active.outgoing.as_ref().and_then(|outgoing| outgoing.records.end_behind(self.snd_nxt));
        end.map_or(unsent, |end| unsent.min(end - self.snd_nxt))
    }

    fn perform(&mut self, cx: &mut Context<'_>, action: Action, sink: &mut dyn SegmentSink) -> SendOutcome {
        match action {
            Action::Reset => self.send_reset(cx, sink),
            Action::Syn => self.send_syn(cx, sink),
            Action::TailProbe => self.send_tail_probe(cx, sink),
            Action::Retransmit(hole) => self.send_again(cx, hole, sink),
            Action::Data { len, fin } => self.send_new(cx, len, fin, sink),
            Action::Probe => self.send_probe(cx, sink),
            Action::KeepAlive => self.send_keep_alive(cx, sink),
            Action::Acknowledge => {
                let header = self.header(cx.now, self.acceptable_seq(), TcpFlags::ACK);
                self.send_bare(cx, header, sink)
            }
        }
    }

    /// Payload bytes of a full segment now: less than SND.MSS while SACK blocks ride along (RFC 6691 3).
    pub(super) fn segment_size(&self) -> u16 {
        let gaps = self.active.incoming.as_ref().is_some_and(|incoming| !incoming.reassembly.is_empty());
        if !self.sack || !(gaps || self.active.duplicate.is_some()) {
            return self.snd_mss;
        }
        let options = self.segment_options(Instant::ZERO).wire_len() as u16;
        let counted = if self.timestamps { TIMESTAMPS_LEN } else { 0 };
        self.snd_mss.saturating_sub(options - counted).max(8)
    }

    /// Most bytes of one super-packet: half of the congestion window, so that acknowledgments keep coming.
    /// Half of the peer's window at most, for the same reason, and a millisecond at the sending rate.
    pub(super) fn burst(&self) -> u32 {
        let mss = u32::from(self.segment_size());
        if self.ecn.owes_cwr() {
            return mss; // CWR goes out alone: on a super-packet every segment would carry it
        }
        let segments =
            (self.congestion.cwnd() / 2).min(self.largest_burst()).min(self.timely_burst(mss)) / mss;
        // Paced, an even number: the receiver acknowledges every second segment, and the last of an odd burst would
        // wait for its timer (RFC 9293 3.8.6.3).
        mss * if self.is_paced() && segments > 1 { segments & !1 } else { segments.max(1) }
    }

    /// The largest super-packet that the device and the peer's window allow, in whole segments.
    pub(super) fn largest_burst(&self) -> u32 {
        let mss = u32::from(self.segment_size());
        (MAX_PAYLOAD.min(self.max_snd_wnd / 2) / mss).max(1) * mss
    }

    pub(super) fn cwnd_room(&self) -> u32 {
        let recovery = self.active.outgoing.as_ref().map(|outgoing| &outgoing.recovery);
        let regulated = recovery.filter(|_| !self.congestion.paces_recovery());
        let allowance = regulated.and_then(Recovery::allowance);
        allowance.unwrap_or_else(|| self.congestion.cwnd().saturating_sub(self.pipe()))
    }

    /// What the peer's window leaves: SND.UNA + SND.WND - SND.NXT.
    pub(super) fn window_room(&self) -> u32 {
        self.snd_wnd.saturating_sub(self.in_flight())
    }

    /// Bytes written and never sent.
    pub(super) fn unsent(&self) -> u32 {
        let under_way = self.in_flight() - u32::from(self.fin_sent && !self.fin_acknowledged());
        u32::try_from(self.queued()).unwrap_or(u32::MAX) - under_way
    }

    /// Whether data or a FIN waits to be sent for the first time.
    pub(super) fn has_unsent(&self) -> bool {
        self.state.is_synchronised() && (self.unsent() > 0 || (self.fin_queued && !self.fin_sent))
    }

    /// Whether the peer's window is closed, so that what is under way is probes.
    pub(super) fn is_probing(&self) -> bool {
        self.snd_wnd == 0
    }

    /// RFC 5681 4.1: after more than an RTO of silence, the path may have changed.
    fn restart_after_idle(&mut self, cx: &Context<'_>) {
        if !self.state.can_send() || self.in_flight() > 0 || self.unsent() == 0 {
            return;
        }
        self.announce_flight(cx.now);
        if !self.validates() && cx.now - self.active.sent_at > self.rto(cx) {
            let window = initial_window(cx.config.initial_window, u32::from(self.snd_mss), false);
            self.congestion.on_restart(window);
        }
    }

    /// Remembers that the congestion window is what holds data back: only then may it grow.
    fn note_cwnd_limit(&mut self) {
        if !self.state.is_synchronised() || self.active.outgoing.is_none() {
            return;
        }
        let lost = self.active.outgoing.as_ref().map_or(0, |outgoing| outgoing.log.lost());
        let waiting = lost > 0 || self.unsent().min(self.window_room()) > 0;
        if waiting && self.cwnd_room() < u32::from(self.snd_mss) {
            self.active.cwnd_limited_at = Some(self.snd_nxt);
        }
    }
}
