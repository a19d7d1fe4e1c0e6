//! SYN-SENT, and the moment of becoming ESTABLISHED (RFC 9293 3.5, 3.10.7.3).

use super::connection::{Arrival, Connection, Pending};
use super::half_open::WINDOW_SHIFT;
use super::input::{DROP, NEXT, Step};
use super::news::News;
use super::{Context, Error, State, reset_for};
use crate::wire::{TcpFlags, TcpHeader};

impl Connection {
    /// RFC 9293 3.10.7.3: ACK, RST, (security,) SYN, in this order.
    pub(super) fn handle_in_syn_sent(&mut self, cx: &mut Context<'_>, arrival: &mut Arrival<'_>) -> Step {
        let segment = arrival.header;
        let acknowledges = segment.has(TcpFlags::ACK);
        if acknowledges && (segment.ack.le(self.snd_una) || segment.ack.gt(self.snd_nxt)) {
            cx.counters.bad_ack += 1;
            return Step::Break(reset_for(segment, arrival.payload.len()));
        }
        if segment.has(TcpFlags::RST) {
            if acknowledges {
                cx.counters.resets_received += 1;
                self.fail(cx, Error::ConnectionRefused);
            }
            return DROP;
        }
        if !segment.has(TcpFlags::SYN) {
            cx.counters.unexpected += 1;
            return DROP;
        }
        self.take_syn(cx, segment);
        if acknowledges {
            self.take_syn_ack(cx, arrival)?;
            // Data or a FIN on the SYN-ACK itself goes on to steps six to eight.
            self.seventh_take_text(cx, arrival)?;
            return self.eighth_check_fin(cx, arrival);
        }
        // Simultaneous open (RFC 9293 3.5): our SYN goes out again, now with the ACK of theirs. Data with the SYN
        // is not kept; it will be sent again.
        self.state = State::SynReceived;
        self.active.due.syn = true;
        DROP
    }

    fn take_syn(&mut self, cx: &mut Context<'_>, segment: &TcpHeader) {
        let window = self.syn_window();
        self.synchronise(cx, segment.seq, u32::from(window));
        let options = &segment.options;
        // What we did not offer the peer must not answer (RFC 7323 3.2).
        let ts_recent =
            options.timestamps.filter(|_| cx.config.timestamps).map(|timestamps| timestamps.value);
        self.negotiate(options.mss, options.window_scale, options.sack_permitted, ts_recent, cx.now);
        self.snd_wnd = u32::from(segment.window); // never scaled in a SYN (RFC 7323 2.2)
        self.max_snd_wnd = self.snd_wnd;
    }

    fn take_syn_ack(&mut self, cx: &mut Context<'_>, arrival: &Arrival<'_>) -> Step {
        let syn_was_lost = self.active.retries > 0;
        if syn_was_lost {
            self.rtt.syn_was_lost();
        } else {
            self.rtt.sample(arrival.meta.received_at - self.active.sent_at);
        }
        self.start_congestion_control(cx, syn_was_lost);
        self.take_setup_answer(cx, arrival.header);
        self.acknowledge_syn(cx, arrival.header.ack, Some(arrival.header));
        self.pending.add(Pending::ACK);
        self.establish(cx);
        NEXT
    }

    /// The last step of every open.
    pub(super) fn establish(&mut self, cx: &Context<'_>) {
        self.active.retries = 0;
        self.active.due.syn = false;
        self.active.last_progress = cx.now;
        self.active.timers.retransmit.clear();
        // A close that came before the handshake was complete takes effect now.
        self.state = if self.fin_queued { State::FinWait1 } else { State::Established };
        self.news.add(News::CONNECTED);
        self.news.add(News::WRITABLE);
    }

    /// The window that a SYN announces: never scaled. Behind data that came with the peer's SYN it is what is left.
    pub(super) fn syn_window(&self) -> u16 {
        let size = if self.is_unconfirmed() {
            self.window.size(self.rcv_nxt) as usize
        } else {
            self.right_sizing.size()
        };
        u16::try_from(size).unwrap_or(u16::MAX)
    }

    /// The shift that a SYN offers; that of a SYN-ACK only if the peer offered one (RFC 7323 1.3).
    pub(super) fn offered_shift(&self) -> Option<u8> {
        (self.state == State::SynSent || self.scaling.is_agreed()).then_some(WINDOW_SHIFT)
    }
}
