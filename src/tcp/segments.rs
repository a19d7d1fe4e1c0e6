//! The segments that the output decides on: built, handed over, and noted as sent.

use super::active::Tail;
use super::connection::{Connection, Pending};
use super::moment::Moment;
use super::recovery::sent_log::Hole;
use super::{Context, OutSegment, SegmentSink, State};
use crate::time::Instant;
use crate::wire::{Ecn, SendOutcome, SeqNumber, TcpFlags, TcpHeader, TcpOptions, Timestamps};

/// Pieces of payload a segment may have.
const MAX_SLICES: usize = 40;

impl Connection {
    pub(super) fn send_new(
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
            self.active.last_progress = cx.now;
        }
        if !self.active.timers.retransmit.is_set() || self.in_flight() == 0 {
            self.restart_retransmit_timer(cx);
        }
        let octets = sent + u32::from(fin);
        if self.in_flight() == 0 {
            self.active.outgoing.get_or_insert_default().rate.start(cx.now);
        }
        let snapshot = self.snapshot(cx.now, octets);
        let outgoing = self.active.outgoing.get_or_insert_default();
        outgoing.log.push(seq, octets, size, cx.now, snapshot);
        if let Some(prr) = outgoing.recovery.prr() {
            prr.on_sent(octets);
        }
        self.snd_nxt += octets;
        self.fin_sent |= fin;
        self.note_sent(cx.now);
        self.arm_tail_probe(cx);
        self.active.due.probe = false; // the window, or the time-out that overrides it, has let data go
        outcome
    }

    pub(super) fn send_again(
        &mut self,
        cx: &mut Context<'_>,
        hole: Hole,
        sink: &mut dyn SegmentSink,
    ) -> SendOutcome {
        let fin = self.fin_sent && hole.seq + hole.len == self.snd_nxt;
        let len = hole.len - u32::from(fin);
        let size = hole.size.min(self.segment_size());
        let (outcome, sent) = self.send_range(cx, hole.seq, len, size, fin, sink);
        if outcome == SendOutcome::Full {
            return outcome;
        }
        let octets = sent + u32::from(fin && sent == len);
        let snapshot = self.snapshot(cx.now, octets);
        if let Some(outgoing) = self.active.outgoing_mut() {
            outgoing.log.mark_retransmitted(hole.seq, octets, cx.now, snapshot);
            if let Some(prr) = outgoing.recovery.prr() {
                prr.on_sent(octets);
            }
        }
        self.note_retransmission(hole.seq, octets, self.timestamps.then(|| self.timestamp(cx.now)));
        self.active.due.retransmit = false;
        self.totals.retransmissions += 1;
        cx.counters.retransmissions += 1;
        if !self.active.timers.retransmit.is_set() {
            self.restart_retransmit_timer(cx);
        }
        outcome
    }

    /// Sends `len` bytes of the queue from `seq` on and says how many it were: fewer if they lie in too many pieces.
    pub(super) fn send_range(
        &mut self,
        cx: &mut Context<'_>,
        seq: SeqNumber,
        len: u32,
        size: u16,
        fin: bool,
        sink: &mut dyn SegmentSink,
    ) -> (SendOutcome, u32) {
        let (ecn, marking) = self.data_marking(len > 0 && seq == self.snd_nxt);
        let mut header = self.header(cx.now, seq, TcpFlags::ACK | marking);
        let outgoing = self.active.outgoing.get_or_insert_default();
        let offset = (seq - self.snd_una) as usize;
        let record = outgoing.records.end_behind(seq).map_or(u32::MAX, |end| end - seq);
        let mut slices = [&[][..]; MAX_SLICES];
        let used = outgoing.queue.slices(offset, len.min(record) as usize, &mut slices);
        let sent = slices[..used].iter().map(|slice| slice.len() as u32).sum::<u32>();
        if fin && sent == len {
            header.flags = header.flags | TcpFlags::FIN;
        }
        let gso_size = if sent > u32::from(size) { size } else { 0 };
        // RFC 9293 3.9.1: nothing more is queued, or announced; or a record ends. The end of a burst is marked, too: a
        // receiver that merges segments need not wait for more of them.
        let last = offset + sent as usize == outgoing.queue.len() && !outgoing.tail.more;
        if sent > 0 && (gso_size > 0 || last || sent == record) {
            header.flags = header.flags | TcpFlags::PSH;
        }
        let segment = OutSegment { header, payload: &slices[..used], gso_size, ecn };
        let outcome = sink.send(&segment);
        if outcome != SendOutcome::Full {
            self.note_marking_sent(marking);
            self.pace(cx.now, sent);
            self.after_send(cx);
        }
        (outcome, sent)
    }

    /// RFC 9293 3.8.6.1: one octet beyond the window. The first probe is new data, the later ones are the same again.
    pub(super) fn send_probe(&mut self, cx: &mut Context<'_>, sink: &mut dyn SegmentSink) -> SendOutcome {
        let outcome = if self.in_flight() == 0 {
            // An open window that silly-window avoidance kept waiting is used as it is (RFC 1122 4.2.3.4, override).
            // It also ends the wait for what the application has announced, or corked.
            self.active.outgoing.get_or_insert_default().tail = Tail::default();
            let len = self.unsent().min(self.window_room().clamp(1, u32::from(self.segment_size())));
            self.send_new(cx, len, len == 0, sink)
        } else {
            let fin = self.fin_sent && self.in_flight() == 1;
            let (seq, size) = (self.snd_una, self.segment_size());
            let (outcome, _) = self.send_range(cx, seq, u32::from(!fin), size, fin, sink);
            let snapshot = self.snapshot(cx.now, 0);
            if let Some(outgoing) = self.active.outgoing_mut()
                && outcome != SendOutcome::Full
            {
                // Karn: the answer measures nothing.
                outgoing.log.mark_retransmitted(seq, 1, cx.now, snapshot);
            }
            outcome
        };
        if outcome != SendOutcome::Full {
            self.active.due.probe = false;
            self.active.probed |= self.is_probing();
            cx.counters.window_probes += u64::from(self.is_probing());
        }
        outcome
    }

    /// RFC 9293 3.8.4: SEG.SEQ = SND.NXT - 1 and no data lies before the peer's window and draws an ACK.
    pub(super) fn send_keep_alive(
        &mut self,
        cx: &mut Context<'_>,
        sink: &mut dyn SegmentSink,
    ) -> SendOutcome {
        let header = self.header(cx.now, self.snd_nxt - 1, TcpFlags::ACK);
        let outcome = self.send_bare(cx, header, sink);
        if outcome != SendOutcome::Full {
            self.pending.remove(Pending::KEEP_ALIVE);
            cx.counters.keep_alive_probes += 1;
        }
        outcome
    }

    pub(super) fn send_reset(&mut self, cx: &mut Context<'_>, sink: &mut dyn SegmentSink) -> SendOutcome {
        let (seq, ack) = (self.snd_nxt, self.rcv_nxt);
        let flags = TcpFlags::RST | TcpFlags::ACK;
        let options = TcpOptions { timestamps: self.timestamps_option(cx.now), ..TcpOptions::default() };
        let outcome =
            self.send_bare(cx, TcpHeader { seq, ack, flags, options, ..TcpHeader::default() }, sink);
        if outcome != SendOutcome::Full {
            self.pending.remove(Pending::RESET);
            cx.counters.resets_sent += 1;
        }
        outcome
    }

    pub(super) fn send_syn(&mut self, cx: &mut Context<'_>, sink: &mut dyn SegmentSink) -> SendOutcome {
        let answer = self.state != State::SynSent;
        let echo = if answer { self.ts_recent } else { 0 };
        let timestamps = Timestamps { value: self.timestamp(cx.now), echo };
        let options = TcpOptions {
            mss: Some(self.mss),
            window_scale: self.offered_shift(),
            sack_permitted: !answer || self.sack,
            timestamps: self.uses_timestamps(cx, answer).then_some(timestamps),
            fast_open: self.fast_open_option(),
            ..TcpOptions::default()
        };
        let header = TcpHeader {
            // Behind a SYN with data SND.UNA is beyond our SYN-ACK already.
            seq: if self.is_unconfirmed() { self.snd_una - 1 } else { self.snd_una },
            ack: if answer { self.rcv_nxt } else { SeqNumber(0) },
            flags: TcpFlags::SYN | if answer { self.setup_answer() } else { self.setup_flags(cx) },
            window: self.syn_window(),
            options,
            ..TcpHeader::default()
        };
        let octets = 1 + self.data_on_syn(&options);
        let mut slices = [&[][..]; MAX_SLICES];
        let used = self
            .active
            .outgoing
            .as_ref()
            .map_or(0, |outgoing| outgoing.queue.slices(0, (octets - 1) as usize, &mut slices));
        let outcome =
            sink.send(&OutSegment { header, payload: &slices[..used], gso_size: 0, ecn: Ecn::NotCapable });
        if outcome != SendOutcome::Full {
            self.after_send(cx);
            self.active.due.syn = false;
            // What a SYN has carried may be acknowledged although the next one carries nothing.
            self.snd_nxt = self.snd_nxt.max(header.seq + octets);
            self.note_sent(cx.now);
            if !self.active.timers.retransmit.is_set() {
                self.restart_retransmit_timer(cx);
            }
        }
        outcome
    }

    /// Whether a SYN offers timestamps, or a SYN-ACK accepts them (RFC 7323 3.2).
    fn uses_timestamps(&self, cx: &Context<'_>, answer: bool) -> bool {
        if answer { self.timestamps } else { cx.config.timestamps }
    }

    pub(super) fn send_bare(
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
        self.totals.segments_out = self.totals.segments_out.wrapping_add(1);
        if self.state == State::SynSent {
            return; // a SYN acknowledges nothing
        }
        self.pending.remove(Pending::ACK);
        if let Some(active) = self.active.existing() {
            active.unacknowledged = 0;
            active.due.routine_ack = false;
            active.duplicate = None;
            active.timers.delayed_ack.clear();
        }
    }

    /// Sequence space has been used.
    fn note_sent(&mut self, now: Instant) {
        self.active.sent_at = now;
        self.last_sent = Moment::at(now);
    }

    /// A header of the synchronised states: acknowledgment, window, timestamps, SACK.
    pub(super) fn header(&mut self, now: Instant, seq: SeqNumber, flags: TcpFlags) -> TcpHeader {
        let window = self.window.announce(&self.reception());
        TcpHeader {
            seq,
            ack: self.rcv_nxt,
            flags: flags | self.echo_flag(),
            window,
            options: self.segment_options(now),
            ..TcpHeader::default()
        }
    }

    /// On every segment once it is agreed upon, resets included (RFC 7323 3.2).
    fn timestamps_option(&self, now: Instant) -> Option<Timestamps> {
        self.timestamps.then(|| Timestamps { value: self.timestamp(now), echo: self.ts_recent })
    }

    pub(super) fn segment_options(&self, now: Instant) -> TcpOptions {
        let mut options = TcpOptions { timestamps: self.timestamps_option(now), ..TcpOptions::default() };
        if self.sack {
            // A duplicate goes first and is not repeated (RFC 2883 4).
            if let Some((left, right)) = self.active.duplicate {
                options.sack.push(left, right);
            }
            if let Some(incoming) = &self.active.incoming {
                for &(left, right) in incoming.reassembly.sack_blocks().as_slice() {
                    options.sack.push(left, right);
                }
            }
            options.sack.truncate(if self.timestamps { 3 } else { 4 });
        }
        options
    }
}
