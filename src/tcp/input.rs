//! A segment arrives: the steps of RFC 9293 3.10.7, in order.

use std::ops::ControlFlow;

use super::connection::{Arrival, Connection, Pending};
use super::half_open::WINDOW_SHIFT;
use super::moment::{Hour, Moment};
use super::{Context, Error, SegmentMeta, State, reset_for};
use crate::buffer::Chunk;
use crate::time::Instant;
use crate::wire::{SeqNumber, TcpFlags, TcpHeader};

/// TS.Recent is not trusted after so many hours of silence: the peer's clock may have wrapped (RFC 7323 5.5).
const PAWS_TRUST: u16 = 24 * 24;

/// Goes on to the next step, or ends here with a reset to send or none.
pub(super) type Step = ControlFlow<Option<TcpHeader>>;

pub(super) const DROP: Step = ControlFlow::Break(None);
pub(super) const NEXT: Step = ControlFlow::Continue(());

impl Connection {
    /// Handles a segment of this connection. What is left of `payload` afterwards has not been taken over. Returns a
    /// reset to send in answer, without ports.
    pub fn handle_segment(
        &mut self,
        cx: &mut Context<'_>,
        segment: &TcpHeader,
        meta: &SegmentMeta,
        payload: &mut Chunk,
    ) -> Option<TcpHeader> {
        let arrival = &mut Arrival {
            header: segment,
            meta,
            seq: segment.seq + u32::from(segment.has(TcpFlags::SYN)),
            payload,
            fin: segment.has(TcpFlags::FIN),
            reported: self.active.duplicate,
        };
        let reset = match self.state {
            State::Closed => reset_for(segment, arrival.payload.len()),
            State::TimeWait => None, // the compact entry answers
            State::SynSent => self.handle_in_syn_sent(cx, arrival).break_value().flatten(),
            _ => self.handle_in_order(cx, arrival).break_value().flatten(),
        };
        self.release_memory();
        reset
    }

    /// RFC 9293 3.10.7.4. (The third step, security, has no meaning here.)
    fn handle_in_order(&mut self, cx: &mut Context<'_>, arrival: &mut Arrival<'_>) -> Step {
        self.first_check_sequence_number(cx, arrival)?;
        self.second_check_reset(cx, arrival)?;
        self.fourth_check_syn(cx, arrival)?;
        self.fifth_check_ack(cx, arrival)?;
        self.update_ts_recent(cx, arrival.header);
        // Sixth, urgent data: it is delivered in line, so the urgent pointer changes nothing (RFC 6093).
        self.seventh_take_text(cx, arrival)?;
        self.eighth_check_fin(cx, arrival)
    }

    /// First: is any part of it in the window? (RFC 9293 3.4; PAWS before it, RFC 7323 5.3.)
    fn first_check_sequence_number(&mut self, cx: &mut Context<'_>, arrival: &mut Arrival<'_>) -> Step {
        let reset = arrival.header.has(TcpFlags::RST);
        if !reset && self.fails_paws(cx, arrival.header) {
            cx.counters.paws_rejected += 1;
            self.answer_unacceptable(cx, arrival);
            return DROP;
        }
        if !self.is_acceptable(arrival) {
            cx.counters.out_of_window += 1;
            if !reset {
                self.answer_unacceptable(cx, arrival);
            }
            if self.is_just_behind(arrival) || self.brings_news(arrival) {
                self.fifth_check_ack(cx, arrival)?;
            }
            return DROP;
        }
        self.note_mark(cx, arrival);
        self.totals.segments_in = self.totals.segments_in.wrapping_add(1);
        self.last_received = Moment::at(cx.now);
        self.keep_alive_probes = 0;
        self.trim(arrival);
        NEXT
    }

    /// Acknowledges what cannot be taken (RFC 9293 3.10.7.4). A SYN draws a challenge wherever it lies (RFC 5961 4.2);
    /// so does an empty segment, or two ends that disagree about the numbers would answer each other for ever. Right
    /// before RCV.NXT it is a keep-alive probe (RFC 9293 3.8.4), which is answered however short their interval.
    fn answer_unacceptable(&mut self, cx: &mut Context<'_>, arrival: &Arrival<'_>) {
        let segment = arrival.header;
        if self.is_syn_again(segment) {
            self.active.due.syn = true; // our SYN-ACK was lost
            return;
        }
        self.note_duplicate(arrival);
        let empty = segment.segment_len(arrival.payload.len()) == 0;
        let keep_alive = empty && segment.seq + 1 == self.rcv_nxt;
        if segment.has(TcpFlags::SYN) || (empty && !keep_alive) {
            self.challenge(cx);
        } else {
            self.pending.add(Pending::ACK);
        }
    }

    /// Whether this is an empty segment of a peer that probes our window and has not heard yet that we took the probe:
    /// it sends from behind RCV.NXT (see [`acceptable_seq`](Self::acceptable_seq)), by a unit of the window at most.
    /// With both sides in this position, dropping its acknowledgment as RFC 9293 3.10.7.4 has it would leave each
    /// waiting for the other for ever.
    fn is_just_behind(&self, arrival: &Arrival<'_>) -> bool {
        let segment = arrival.header;
        let behind = self.rcv_nxt.distance(segment.seq);
        self.state.is_synchronised()
            && segment.flags == TcpFlags::ACK
            && arrival.payload.is_empty()
            && (1..=1 << WINDOW_SHIFT).contains(&behind)
    }

    /// Whether a segment that lies before RCV.NXT acknowledges more than any other has: its sender has sent further, but
    /// stays inside a window that it saw shrink. With both sides in this position, dropping the acknowledgment as RFC 9293
    /// 3.10.7.4 has it would let them probe each other until both give up; BSD takes it, too.
    fn brings_news(&self, arrival: &Arrival<'_>) -> bool {
        let segment = arrival.header;
        let before = self.rcv_nxt.distance(segment.seq);
        let window = self.options.receive_buffer.max(usize::from(u16::MAX));
        self.state.is_synchronised()
            && segment.has(TcpFlags::ACK)
            && !segment.flags.intersects(TcpFlags::SYN | TcpFlags::RST)
            && segment.ack.gt(self.snd_una)
            && before > 0
            && before as usize <= window
    }

    /// The four cases of RFC 9293 3.10.7.4, with the allowance for a closed window: a segment at RCV.NXT is taken
    /// without its payload, so that its acknowledgment counts.
    fn is_acceptable(&self, arrival: &Arrival<'_>) -> bool {
        let seq = arrival.header.seq;
        let len = arrival.header.segment_len(arrival.payload.len());
        let limit = self.window.limit(self.rcv_nxt, self.scaling);
        let in_window = |seq: SeqNumber| seq.ge(self.rcv_nxt) && seq.lt(limit);
        match (len, limit == self.rcv_nxt) {
            (_, true) => seq == self.rcv_nxt,
            (0, false) => in_window(seq),
            (_, false) => in_window(seq) || in_window(seq + (len - 1)),
        }
    }

    /// Cuts off what lies outside the window, so that the steps behind see only what is new.
    pub(super) fn trim(&mut self, arrival: &mut Arrival<'_>) {
        let old = self.rcv_nxt.distance(arrival.seq);
        if old > 0 && !arrival.header.has(TcpFlags::SYN) {
            self.note_duplicate(arrival);
            let old = (old as usize).min(arrival.payload.len());
            arrival.payload.advance(old);
            arrival.seq += old as u32;
        }
        let room = self.window.limit(self.rcv_nxt, self.scaling).distance(arrival.seq).max(0) as usize;
        if arrival.payload.len() > room {
            arrival.payload.truncate(room);
            arrival.fin = false;
            self.pending.add(Pending::ACK);
        }
    }

    /// Second: a reset must hit RCV.NXT exactly; anywhere else in the window it draws a challenge (RFC 5961 3.2).
    fn second_check_reset(&mut self, cx: &mut Context<'_>, arrival: &Arrival<'_>) -> Step {
        if !arrival.header.has(TcpFlags::RST) {
            return NEXT;
        }
        if arrival.header.seq != self.rcv_nxt {
            self.challenge(cx);
            return DROP;
        }
        cx.counters.resets_received += 1;
        match self.state {
            State::SynReceived => self.fail(cx, Error::ConnectionRefused),
            // Everything has been exchanged: a reset only hurries the end.
            State::Closing | State::LastAck => self.end(None),
            // The peer's stream had its end, so that nothing is lost but what we write: what kernels report, too.
            State::CloseWait => self.fail(cx, Error::BrokenPipe),
            _ => self.fail(cx, Error::ConnectionReset),
        }
        DROP
    }

    /// Fourth: a SYN draws a challenge (RFC 5961 4.2). That of a simultaneous open has been acknowledged by the first
    /// step, as it lies before the window.
    fn fourth_check_syn(&mut self, cx: &mut Context<'_>, arrival: &Arrival<'_>) -> Step {
        if !arrival.header.has(TcpFlags::SYN) {
            return NEXT;
        }
        self.challenge(cx);
        DROP
    }

    /// A challenge ACK, limited by a clock of the connection's own (RFC 5961 10): a limit shared between connections
    /// would tell an attacker about others (CVE-2016-5696).
    pub(super) fn challenge(&mut self, cx: &mut Context<'_>) {
        if self.may_challenge(cx) {
            self.pending.add(Pending::ACK);
        }
    }

    /// Whether the limit allows a challenge now; it counts as sent.
    pub(super) fn may_challenge(&mut self, cx: &mut Context<'_>) -> bool {
        let due =
            self.active.last_challenge.is_none_or(|last| cx.now - last >= cx.config.challenge_ack_interval);
        if due {
            self.active.last_challenge = Some(cx.now);
            cx.counters.challenge_acks += 1;
        } else {
            cx.counters.challenge_acks_limited += 1;
        }
        due
    }

    /// Whether TS.Recent is so old that it says nothing any more.
    fn ts_recent_expired(&self, now: Instant) -> bool {
        self.ts_recent_at.hours_until(now) >= PAWS_TRUST
    }

    /// Last.ACK.sent (RFC 7323 4.3): everything before what has not been acknowledged since.
    fn last_ack_sent(&self) -> SeqNumber {
        self.rcv_nxt - self.active.unacknowledged
    }

    /// RFC 7323 5.3 R1: an older timestamp than the newest in order is one of an earlier time.
    fn fails_paws(&self, cx: &Context<'_>, segment: &TcpHeader) -> bool {
        let Some(timestamps) = segment.options.timestamps.filter(|_| self.timestamps) else { return false };
        let older = SeqNumber(timestamps.value).lt(SeqNumber(self.ts_recent));
        older && !self.ts_recent_expired(cx.now)
    }

    /// RFC 7323 4.3: only a segment that covers Last.ACK.sent may set TS.Recent, so that a delayed acknowledgment
    /// echoes the oldest segment that it acknowledges. It comes behind the check of the acknowledgment: who forges a
    /// segment without knowing our numbers must not spoil TS.Recent, and with it the connection (RFC 5961 5).
    fn update_ts_recent(&mut self, cx: &Context<'_>, segment: &TcpHeader) {
        let Some(timestamps) = segment.options.timestamps.filter(|_| self.timestamps) else { return };
        let newer = SeqNumber(timestamps.value).ge(SeqNumber(self.ts_recent));
        let expired = self.ts_recent_expired(cx.now);
        if segment.seq.le(self.last_ack_sent()) && (newer || expired) {
            self.ts_recent = timestamps.value;
            self.ts_recent_at = Hour::of(cx.now);
        }
    }

    /// Remembers data that came twice for the next acknowledgment (RFC 2883 4).
    fn note_duplicate(&mut self, arrival: &Arrival<'_>) {
        let end = (arrival.seq + arrival.payload.len() as u32).min(self.rcv_nxt);
        if self.sack && arrival.seq.lt(end) {
            self.active.duplicate = Some((arrival.seq, end));
        }
    }
}
