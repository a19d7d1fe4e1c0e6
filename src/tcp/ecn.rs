//! Explicit congestion notification (RFC 3168): what routers mark is told to the sender, and answered like a loss.

use super::connection::{Arrival, Connection};
use super::{Context, EcnMode};
use crate::wire::{Ecn, TcpFlags, TcpHeader};

/// What a SYN that asks for ECN has (RFC 3168 6.1.1).
const ECN_SETUP: [TcpFlags; 2] = [TcpFlags::ECE, TcpFlags::CWR];

/// ECN of one connection, in a byte.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct EcnState(u8);

/// Both sides take part.
const ENABLED: u8 = 1;
/// A packet came marked: every acknowledgment says so until the sender has answered with CWR.
const ECHO: u8 = 2;
/// The window was reduced: the next new data says so.
const REDUCED: u8 = 4;

impl EcnState {
    /// Of a connection whose two sides take part, or do not.
    pub(super) fn new(enabled: bool) -> EcnState {
        EcnState(if enabled { ENABLED } else { 0 })
    }

    /// Whether both sides take part.
    pub(super) fn is_enabled(self) -> bool {
        self.has(ENABLED)
    }

    /// Whether the next new data carries CWR.
    pub(super) fn owes_cwr(self) -> bool {
        self.is_enabled() && self.has(REDUCED)
    }

    fn has(self, what: u8) -> bool {
        self.0 & what != 0
    }

    fn set(&mut self, what: u8) {
        self.0 |= what;
    }

    fn clear(&mut self, what: u8) {
        self.0 &= !what;
    }
}

/// Whether a SYN asks for ECN.
pub(super) fn is_setup_syn(syn: &TcpHeader) -> bool {
    ECN_SETUP.iter().all(|&flag| syn.has(flag))
}

impl Connection {
    /// The flags that ask for ECN, on the first SYN only: some paths lose SYNs that ask (RFC 3168 6.1.1.1).
    pub(super) fn setup_flags(&self, cx: &Context<'_>) -> TcpFlags {
        if cx.config.ecn == EcnMode::Always && self.active.retries == 0 {
            TcpFlags::ECE | TcpFlags::CWR
        } else {
            TcpFlags::default()
        }
    }

    /// The flags of a SYN-ACK beside SYN: ECE agrees, the first time (RFC 3168 6.1.1, 6.1.1.1).
    pub(super) fn setup_answer(&self) -> TcpFlags {
        let agrees = self.ecn.is_enabled() && self.active.retries == 0;
        TcpFlags::ACK | if agrees { TcpFlags::ECE } else { TcpFlags::default() }
    }

    /// The answer to our SYN: ECE without CWR agrees (RFC 3168 6.1.1).
    pub(super) fn take_setup_answer(&mut self, cx: &Context<'_>, syn_ack: &TcpHeader) {
        let asked = self.setup_flags(cx) != TcpFlags::default();
        let agrees = syn_ack.has(TcpFlags::ECE) && !syn_ack.has(TcpFlags::CWR);
        self.ecn = EcnState::new(asked && agrees);
    }

    /// The receiver's half (RFC 3168 6.1.3): a CWR ends the echo, a mark begins it.
    pub(super) fn note_mark(&mut self, cx: &mut Context<'_>, arrival: &Arrival<'_>) {
        if !self.ecn.is_enabled() {
            return;
        }
        if arrival.header.has(TcpFlags::CWR) {
            self.ecn.clear(ECHO);
        }
        if arrival.meta.ecn == Ecn::CongestionExperienced {
            cx.counters.ecn_marks += 1;
            self.ecn.set(ECHO);
        }
    }

    /// Whether an acknowledgment tells of a mark: it does not let the window grow.
    pub(super) fn echoes_mark(&self, segment: &TcpHeader) -> bool {
        self.ecn.is_enabled() && segment.has(TcpFlags::ECE)
    }

    /// The sender's half (RFC 3168 6.1.2): the window is reduced once for each window of data, and not in a recovery,
    /// which has done so. The peer echoes a mark until CWR has reached it (6.1.3): as long as none has gone out, or what
    /// carries it is not acknowledged, it tells of the same mark, however many segments of its own say so.
    pub(super) fn take_ece(&mut self, cx: &mut Context<'_>, segment: &TcpHeader) {
        if !self.echoes_mark(segment) {
            return;
        }
        let recovering = self.active.outgoing.as_ref().is_some_and(|outgoing| !outgoing.recovery.is_open());
        let answered = self.active.marked_until.is_some_and(|end| segment.ack.le(end));
        if recovering || answered || self.ecn.has(REDUCED) {
            return;
        }
        cx.counters.ecn_reductions += 1;
        let in_flight = self.leave_used_window(cx, self.in_flight().min(self.congestion.cwnd()));
        self.congestion.on_mark(cx.now, in_flight, u32::from(self.snd_mss));
        self.active.cwnd_limited_at = None;
        self.active.marked_until = Some(self.snd_nxt);
        self.ecn.set(REDUCED);
    }

    /// The window was reduced because of a loss: the peer need not go on echoing (RFC 3168 6.1.2).
    pub(super) fn note_reduction(&mut self) {
        self.ecn.set(REDUCED);
        self.active.marked_until = Some(self.snd_nxt);
    }

    /// The flag that an acknowledgment carries.
    pub(super) fn echo_flag(&self) -> TcpFlags {
        if self.ecn.is_enabled() && self.ecn.has(ECHO) { TcpFlags::ECE } else { TcpFlags::default() }
    }

    /// The ECN field and the flag of a segment with data: only new data takes part, and no probe of a window
    /// (RFC 3168 6.1.4–6.1.6).
    pub(super) fn data_marking(&self, is_new: bool) -> (Ecn, TcpFlags) {
        if !self.ecn.is_enabled() || !is_new || self.is_probing() {
            return (Ecn::NotCapable, TcpFlags::default());
        }
        (Ecn::Ect0, if self.ecn.has(REDUCED) { TcpFlags::CWR } else { TcpFlags::default() })
    }

    /// What [`data_marking`](Self::data_marking) said has gone out.
    pub(super) fn note_marking_sent(&mut self, flags: TcpFlags) {
        if flags == TcpFlags::CWR {
            self.ecn.clear(REDUCED);
            // The echo may go on until this arrives. Where it began may have been forgotten in a rest.
            self.active.marked_until = Some(self.snd_nxt);
        }
    }
}
