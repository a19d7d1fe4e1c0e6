//! The segment text and the FIN: delivery, reassembly, and when to acknowledge (RFC 9293 3.10.7.4, seventh and
//! eighth steps).

use super::connection::{Arrival, Connection, Pending};
use super::input::{NEXT, Step};
use super::kept::Kept;
use super::loss::TICK;
use super::moment::Moment;
use super::news::News;
use super::reassembly::Reassembly;
use super::timers::Timers;
use super::{Context, Error, State, reset_for};
use crate::wire::SeqNumber;

impl Connection {
    /// Seventh: takes the payload, in order or not.
    pub(super) fn seventh_take_text(&mut self, cx: &mut Context<'_>, arrival: &mut Arrival<'_>) -> Step {
        let len = arrival.payload.len() as u32;
        if len == 0 || !self.state.can_receive() {
            return NEXT;
        }
        if self.orphan {
            // Nobody will read it: the peer must know (RFC 2525 2.17; RFC 1122 4.2.2.13). The reset begins where the
            // peer expects it, which SND.NXT is not while our FIN is under way (RFC 5961 3.2).
            self.fail(cx, Error::ConnectionAborted);
            return Step::Break(reset_for(arrival.header, arrival.payload.len()));
        }
        if arrival.meta.out_of_memory && self.would_only_wait(arrival) {
            // As if the network had lost it: it comes again when there may be room. What its header says counts.
            cx.counters.memory_limit_payload += 1;
            arrival.fin = false;
            self.pending.add(Pending::ACK);
            return NEXT;
        }
        let segment_size =
            if arrival.meta.gso_size > 0 { arrival.meta.gso_size } else { len.min(65_535) as u16 };
        self.rcv_mss = self.rcv_mss.max(segment_size.min(self.mss));
        let seq = arrival.seq;
        if seq == self.rcv_nxt {
            let filled_gap = self.deliver(cx, arrival);
            self.size_window(cx, arrival);
            self.acknowledge_text(cx, filled_gap);
        } else {
            self.set_aside(cx, arrival);
        }
        // Where a FIN is looked for: behind the payload that may have been taken over.
        arrival.seq = seq + len;
        NEXT
    }

    /// Whether nobody could read the text before something else is read, or arrives. What fills the gap before data out of
    /// order is not of that kind: refusing it would leave that data, and its memory, waiting for ever.
    fn would_only_wait(&self, arrival: &Arrival<'_>) -> bool {
        let unread = self.active.incoming.as_ref().is_some_and(|incoming| !incoming.queue.is_empty());
        unread || arrival.seq.gt(self.rcv_nxt)
    }

    /// In order: to the application, with what had waited for it. Says whether something had.
    fn deliver(&mut self, cx: &mut Context<'_>, arrival: &mut Arrival<'_>) -> bool {
        let begin = self.rcv_nxt;
        self.rcv_nxt += arrival.payload.len() as u32;
        let active = &mut *self.active;
        let incoming = active.incoming.get_or_insert_default();
        // Its end may have come before (RFC 2883 4); what its beginning repeats is known already, and goes first.
        if self.sack && active.duplicate.is_none() {
            active.duplicate = incoming.reassembly.held(begin, self.rcv_nxt);
        }
        incoming.queue.push(cx.pool, arrival.payload);
        let waited = !incoming.reassembly.is_empty() || incoming.fin.is_some();
        while let Some(mut chunk) = incoming.reassembly.take_next(self.rcv_nxt) {
            self.rcv_nxt += chunk.len() as u32;
            incoming.queue.push(cx.pool, &mut chunk);
        }
        let octets = self.rcv_nxt - begin;
        self.totals.bytes_received += octets;
        self.active.unacknowledged += octets;
        self.news.add(News::READABLE);
        waited
    }

    /// Lets the window follow what the application takes in a round trip.
    fn size_window(&mut self, cx: &Context<'_>, arrival: &Arrival<'_>) {
        if self.active.round_trip.is_over(cx.now) {
            // As the receiver measures it: from our last timestamp to what it drew. Else what the handshake has seen.
            let rtt = self.echoed_rtt(arrival).or(self.rtt.srtt()).unwrap_or_default().max(TICK);
            let unread = self.active.incoming.as_ref().map_or(0, |incoming| incoming.queue.len());
            let taken = self.rcv_nxt - unread as u32;
            let limit = self.options.receive_buffer;
            self.right_sizing.measure(&mut self.active.round_trip, cx.now, rtt, taken, limit);
        }
    }

    /// Out of order: kept for later, and acknowledged at once, so that the peer sees the gap (RFC 5681 4.2).
    fn set_aside(&mut self, cx: &mut Context<'_>, arrival: &mut Arrival<'_>) {
        let room = self.receive_room();
        let end = arrival.seq + arrival.payload.len() as u32;
        let active = &mut *self.active;
        let incoming = active.incoming.get_or_insert_default();
        if let Some(twice) = incoming.reassembly.held(arrival.seq, end).filter(|_| self.sack) {
            active.duplicate = Some(twice); // RFC 2883 4
        }
        if arrival.payload.len() <= room && incoming.reassembly.insert(arrival.seq, arrival.payload) {
            cx.counters.out_of_order += 1;
        } else {
            cx.counters.reassembly_full += 1;
        }
        self.pending.add(Pending::ACK);
    }

    /// Delayed acknowledgment, counted in bytes: due at twice the peer's segment size (RFC 9293 3.8.6.3). It goes out
    /// with the next output, so that what is read until then draws one.
    fn acknowledge_text(&mut self, cx: &mut Context<'_>, at_once: bool) {
        if self.quick_acks > 0 {
            // The peer is in its first windows and needs every acknowledgment to open them.
            self.quick_acks -= 1;
            self.pending.add(Pending::ACK);
        } else if at_once {
            self.pending.add(Pending::ACK);
        } else if self.active.unacknowledged >= 2 * u32::from(self.rcv_mss) {
            self.active.due.routine_ack = true;
        } else {
            self.delay_ack(cx.now, cx.config.delayed_ack);
        }
    }

    /// Eighth: the peer has finished, now or behind data that is still missing.
    pub(super) fn eighth_check_fin(&mut self, cx: &mut Context<'_>, arrival: &Arrival<'_>) -> Step {
        if arrival.fin && self.state.can_receive() {
            if arrival.seq == self.rcv_nxt {
                self.take_fin(cx);
                return NEXT;
            }
            if arrival.seq.gt(self.rcv_nxt) {
                self.active.incoming.get_or_insert_default().fin = Some(arrival.seq);
                self.pending.add(Pending::ACK);
            }
        }
        let waiting: Option<SeqNumber> = self.active.incoming.as_ref().and_then(|incoming| incoming.fin);
        if waiting == Some(self.rcv_nxt) && self.state.can_receive() {
            self.take_fin(cx);
        }
        NEXT
    }

    fn take_fin(&mut self, cx: &Context<'_>) {
        self.rcv_nxt += 1;
        self.active.unacknowledged += 1;
        self.pending.add(Pending::ACK);
        self.news.add(News::READABLE);
        if let Some(incoming) = self.active.incoming.as_mut() {
            incoming.fin = None;
            // What a peer has sent from beyond its own end is no part of the stream.
            incoming.reassembly = Reassembly::default();
        }
        match self.state {
            State::Established => self.state = State::CloseWait,
            State::FinWait1 if self.fin_acknowledged() => self.enter_time_wait(),
            State::FinWait1 => self.state = State::Closing,
            State::FinWait2 => self.enter_time_wait(),
            _ => {}
        }
        self.last_received = Moment::at(cx.now);
    }

    /// Both directions are done. Old segments are the compact entry's business from here on.
    pub(super) fn enter_time_wait(&mut self) {
        self.state = State::TimeWait;
        self.active.timers = Timers::NONE;
        self.keep_alive_at.clear();
        self.active.outgoing = Kept::NONE;
        self.active.undo = None;
        self.news.add(News::CLOSED);
    }
}
