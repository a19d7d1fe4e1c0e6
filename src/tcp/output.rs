//! What to send: one decision, [`next_action`](Connection::next_action), and small builders.

use super::congestion::{CongestionControl, initial_window};
use super::connection::{Connection, TIMESTAMPS_LEN};
use super::sent_log::Hole;
use super::{Context, OutSegment, SegmentSink, State, Transmit};
use crate::time::Instant;
use crate::wire::{Ecn, SendOutcome, SeqNumber, TcpFlags, TcpHeader, TcpOptions, Timestamps};

/// Segments a call of `poll_transmit` sends at most, so that one connection does not hold up the others.
const BUDGET: usize = 16;
/// An IP packet less the longest headers: no super-packet carries more.
const MAX_PAYLOAD: u32 = 65_535 - 40 - TcpHeader::MAX_LEN as u32;
/// Pieces of payload a segment may have.
const MAX_SLICES: usize = 40;

/// The one thing to send next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Reset,
    Syn,
    Retransmit(Hole),
    Data { len: u32, fin: bool },
    Probe,
    KeepAlive,
    Acknowledge,
}

impl Connection {
    /// Sends what may be sent now.
    pub fn poll_transmit(&mut self, cx: &mut Context<'_>, sink: &mut dyn SegmentSink) -> Transmit {
        self.restart_after_idle(cx);
        for _ in 0..BUDGET {
            let Some(action) = self.next_action() else {
                self.note_cwnd_limit();
                self.arm_idle_timers(cx);
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
        if self.pending.reset {
            return Some(Action::Reset);
        }
        match self.state {
            State::Closed => None,
            State::SynSent | State::SynReceived if self.pending.syn => Some(Action::Syn),
            State::SynSent => None,
            State::SynReceived | State::TimeWait => self.pending.ack.then_some(Action::Acknowledge),
            _ => self.next_data().or_else(|| self.next_control()),
        }
    }

    fn next_data(&self) -> Option<Action> {
        self.next_retransmission().map(Action::Retransmit).or_else(|| self.next_new_data())
    }

    fn next_control(&self) -> Option<Action> {
        if self.pending.probe && (self.has_unsent() || self.in_flight() > 0) {
            Some(Action::Probe)
        } else if self.pending.keep_alive {
            Some(Action::KeepAlive)
        } else {
            self.pending.ack.then_some(Action::Acknowledge)
        }
    }

    /// The oldest hole, as much of it as the congestion window allows (RFC 6675 5, step C). Entering recovery, the
    /// first segment goes out in any case.
    fn next_retransmission(&self) -> Option<Hole> {
        let hole = self.outgoing.as_ref()?.log.first_hole()?;
        if self.is_probing() {
            return None;
        }
        let one = hole.len.min(u32::from(hole.size.min(self.snd_mss)));
        let room = self.cwnd_room();
        if room < one {
            return self.pending.retransmit.then_some(Hole { len: one, ..hole });
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
        if unsent == 0 && !fin {
            return None;
        }
        let window = self.window_room();
        let len = unsent.min(window).min(self.cwnd_room()).min(self.burst());
        let mss = u32::from(self.segment_size());
        if len < unsent {
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
        let may_send_tail = self.options.nodelay || self.fin_queued || (self.in_flight() == 0 && len < mss);
        let len = if may_send_tail { len } else { len / mss * mss };
        (len > 0).then_some(Action::Data { len, fin: fin && len == unsent })
    }

    fn perform(&mut self, cx: &mut Context<'_>, action: Action, sink: &mut dyn SegmentSink) -> SendOutcome {
        match action {
            Action::Reset => self.send_reset(cx, sink),
            Action::Syn => self.send_syn(cx, sink),
            Action::Retransmit(hole) => self.send_again(cx, hole, sink),
            Action::Data { len, fin } => self.send_new(cx, len, fin, sink),
            Action::Probe => self.send_probe(cx, sink),
            Action::KeepAlive => self.send_keep_alive(cx, sink),
            Action::Acknowledge => {
                let header = self.header(cx.now, self.snd_nxt, TcpFlags::ACK);
                self.send_bare(cx, header, sink)
            }
        }
    }

    fn send_new(
        &mut self,
        cx: &mut Context<'_>,
        len: u32,
        fin: bool,
        sink: &mut dyn SegmentSink,
    ) -> SendOutcome {
        let (seq, size) = (self.snd_nxt, self.segment_size());
        let (outcome, sent) = self.send_range(cx, seq, len, size, fin, sink);
        if outcome == SendOutcome::Full {
            return outcome;
        }
        let fin = fin && sent == len;
        if self.in_flight() == 0 {
            self.last_progress = cx.now;
        }
        if !self.timers.retransmit.is_set() || self.in_flight() == 0 {
            self.restart_retransmit_timer(cx);
        }
        let octets = sent + u32::from(fin);
        self.outgoing.get_or_insert_default().log.push(seq, octets, size, cx.now);
        self.snd_nxt += octets;
        self.fin_sent |= fin;
        self.last_sent = cx.now;
        outcome
    }

    fn send_again(&mut self, cx: &mut Context<'_>, hole: Hole, sink: &mut dyn SegmentSink) -> SendOutcome {
        let fin = self.fin_sent && hole.seq + hole.len == self.snd_nxt;
        let len = hole.len - u32::from(fin);
        let size = hole.size.min(self.segment_size());
        let (outcome, sent) = self.send_range(cx, hole.seq, len, size, fin, sink);
        if outcome == SendOutcome::Full {
            return outcome;
        }
        let octets = sent + u32::from(fin && sent == len);
        if let Some(outgoing) = &mut self.outgoing {
            outgoing.log.mark_retransmitted(hole.seq, octets, cx.now);
        }
        self.pending.retransmit = false;
        self.retransmissions += 1;
        cx.counters.retransmissions += 1;
        if !self.timers.retransmit.is_set() {
            self.restart_retransmit_timer(cx);
        }
        outcome
    }

    /// Sends `len` bytes of the queue from `seq` on and says how many it were: fewer if they lie in too many pieces.
    fn send_range(
        &mut self,
        cx: &mut Context<'_>,
        seq: SeqNumber,
        len: u32,
        size: u16,
        fin: bool,
        sink: &mut dyn SegmentSink,
    ) -> (SendOutcome, u32) {
        let mut header = self.header(cx.now, seq, TcpFlags::ACK);
        let outgoing = self.outgoing.get_or_insert_default();
        let offset = (seq - self.snd_una) as usize;
        let mut slices = [&[][..]; MAX_SLICES];
        let used = outgoing.queue.slices(offset, len as usize, &mut slices);
        let sent = slices[..used].iter().map(|slice| slice.len() as u32).sum::<u32>();
        if fin && sent == len {
            header.flags = header.flags | TcpFlags::FIN;
        }
        if sent > 0 && offset + sent as usize == outgoing.queue.len() {
            header.flags = header.flags | TcpFlags::PSH; // RFC 9293 3.9.1: nothing more is queued
        }
        let gso_size = if sent > u32::from(size) { size } else { 0 };
        let segment = OutSegment { header, payload: &slices[..used], gso_size, ecn: Ecn::NotCapable };
        let outcome = sink.send(&segment);
        if outcome != SendOutcome::Full {
            self.after_send(cx);
        }
        (outcome, sent)
    }

    /// RFC 9293 3.8.6.1: one octet beyond the window. The first probe is new data, the later ones are the same again.
    fn send_probe(&mut self, cx: &mut Context<'_>, sink: &mut dyn SegmentSink) -> SendOutcome {
        let outcome = if self.in_flight() == 0 {
            // An open window that silly-window avoidance kept waiting is used as it is (RFC 1122 4.2.3.4, override).
            let len = self.unsent().min(self.window_room().clamp(1, u32::from(self.segment_size())));
            self.send_new(cx, len, len == 0, sink)
        } else {
            let fin = self.fin_sent && self.in_flight() == 1;
            let (seq, size) = (self.snd_una, self.segment_size());
            let (outcome, _) = self.send_range(cx, seq, u32::from(!fin), size, fin, sink);
            if let Some(outgoing) = &mut self.outgoing
                && outcome != SendOutcome::Full
            {
                outgoing.log.mark_retransmitted(seq, 1, cx.now); // Karn: the answer measures nothing
            }
            outcome
        };
        if outcome != SendOutcome::Full {
            self.pending.probe = false;
            self.probed = true;
            cx.counters.window_probes += 1;
        }
        outcome
    }

    /// RFC 9293 3.8.4: SEG.SEQ = SND.NXT - 1 and no data lies before the peer's window and draws an ACK.
    fn send_keep_alive(&mut self, cx: &mut Context<'_>, sink: &mut dyn SegmentSink) -> SendOutcome {
        let header = self.header(cx.now, self.snd_nxt - 1, TcpFlags::ACK);
        let outcome = self.send_bare(cx, header, sink);
        if outcome != SendOutcome::Full {
            self.pending.keep_alive = false;
            cx.counters.keep_alive_probes += 1;
        }
        outcome
    }

    fn send_reset(&mut self, cx: &mut Context<'_>, sink: &mut dyn SegmentSink) -> SendOutcome {
        let (seq, ack) = (self.snd_nxt, self.rcv_nxt);
        let flags = TcpFlags::RST | TcpFlags::ACK;
        let outcome = self.send_bare(cx, TcpHeader { seq, ack, flags, ..TcpHeader::default() }, sink);
        if outcome != SendOutcome::Full {
            self.pending.reset = false;
            cx.counters.resets_sent += 1;
        }
        outcome
    }

    fn send_syn(&mut self, cx: &mut Context<'_>, sink: &mut dyn SegmentSink) -> SendOutcome {
        let answer = self.state == State::SynReceived;
        let echo = if answer { self.ts_recent } else { 0 };
        let timestamps = Timestamps { value: self.timestamp(cx.now), echo };
        let header = TcpHeader {
            seq: self.iss,
            ack: if answer { self.rcv_nxt } else { SeqNumber(0) },
            flags: if answer { TcpFlags::SYN | TcpFlags::ACK } else { TcpFlags::SYN },
            window: self.syn_window(),
            options: TcpOptions {
                mss: Some(self.mss),
                window_scale: self.offered_shift(),
                sack_permitted: !answer || self.sack,
                timestamps: (!answer || self.timestamps).then_some(timestamps),
                ..TcpOptions::default()
            },
            ..TcpHeader::default()
        };
        let outcome = self.send_bare(cx, header, sink);
        if outcome != SendOutcome::Full {
            self.pending.syn = false;
            self.snd_nxt = self.iss + 1;
            self.last_sent = cx.now;
            if !self.timers.retransmit.is_set() {
                self.restart_retransmit_timer(cx);
            }
        }
        outcome
    }

    fn send_bare(
        &mut self,
        cx: &mut Context<'_>,
        header: TcpHeader,
        sink: &mut dyn SegmentSink,
    ) -> SendOutcome {
        let outcome = sink.send(&OutSegment { header, payload: &[], gso_size: 0, ecn: Ecn::NotCapable });
        if outcome != SendOutcome::Full {
            self.after_send(cx);
        }
        outcome
    }

    /// Every segment acknowledges: what was owed is paid.
    fn after_send(&mut self, cx: &mut Context<'_>) {
        cx.counters.segments_sent += 1;
        if self.state == State::SynSent {
            return; // a SYN acknowledges nothing
        }
        self.last_ack_sent = self.rcv_nxt;
        self.unacknowledged = 0;
        self.pending.ack = false;
        self.duplicate = None;
        self.timers.delayed_ack.clear();
    }

    /// A header of the synchronised states: acknowledgment, window, timestamps, SACK.
    fn header(&mut self, now: Instant, seq: SeqNumber, flags: TcpFlags) -> TcpHeader {
        let (room, buffer) = (self.receive_room(), self.options.receive_buffer);
        let window = self.window.announce(self.rcv_nxt, room, buffer, self.mss);
        TcpHeader {
            seq,
            ack: self.rcv_nxt,
            flags,
            window,
            options: self.segment_options(now),
            ..TcpHeader::default()
        }
    }

    fn segment_options(&self, now: Instant) -> TcpOptions {
        let timestamps =
            self.timestamps.then(|| Timestamps { value: self.timestamp(now), echo: self.ts_recent });
        let mut options = TcpOptions { timestamps, ..TcpOptions::default() };
        if self.sack {
            // A duplicate goes first and is not repeated (RFC 2883 4).
            if let Some((left, right)) = self.duplicate {
                options.sack.push(left, right);
            }
            if let Some(incoming) = &self.incoming {
                for &(left, right) in incoming.reassembly.sack_blocks().as_slice() {
                    options.sack.push(left, right);
                }
            }
            options.sack.truncate(if self.timestamps { 3 } else { 4 });
        }
        options
    }

    /// Payload bytes of a full segment now: less than SND.MSS while SACK blocks ride along (RFC 6691 3).
    fn segment_size(&self) -> u16 {
        let gaps = self.incoming.as_ref().is_some_and(|incoming| !incoming.reassembly.is_empty());
        if !self.sack || !(gaps || self.duplicate.is_some()) {
            return self.snd_mss;
        }
        let options = self.segment_options(Instant::ZERO).wire_len() as u16;
        let counted = if self.timestamps { TIMESTAMPS_LEN } else { 0 };
        self.snd_mss.saturating_sub(options - counted).max(8)
    }

    /// Most bytes of one super-packet: half of the congestion window, so that acknowledgments keep coming.
    fn burst(&self) -> u32 {
        let mss = u32::from(self.segment_size());
        let most = (self.congestion.cwnd() / 2).min(MAX_PAYLOAD);
        (most / mss * mss).max(mss)
    }

    fn cwnd_room(&self) -> u32 {
        self.congestion.cwnd().saturating_sub(self.pipe())
    }

    /// What the peer's window leaves: SND.UNA + SND.WND - SND.NXT.
    fn window_room(&self) -> u32 {
        self.snd_wnd.saturating_sub(self.in_flight())
    }

    /// Bytes written and never sent.
    fn unsent(&self) -> u32 {
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
        if self.state.can_send()
            && self.in_flight() == 0
            && self.unsent() > 0
            && cx.now - self.last_sent > self.rto(cx)
        {
            let window = initial_window(cx.config.initial_window, u32::from(self.snd_mss), false);
            self.congestion.on_restart(window);
        }
    }

    /// Remembers that the congestion window is what holds data back: only then may it grow.
    fn note_cwnd_limit(&mut self) {
        if !self.state.is_synchronised() || self.outgoing.is_none() {
            return;
        }
        let lost = self.outgoing.as_ref().map_or(0, |outgoing| outgoing.log.lost());
        let waiting = lost > 0 || self.unsent().min(self.window_room()) > 0;
        if waiting && self.cwnd_room() < u32::from(self.snd_mss) {
            self.cwnd_limited_at = Some(self.snd_nxt);
        }
    }
}
