//! Recoveries and time-outs that were needless: how they are told, and undone (RFC 3522, 3708, 4015, 5682).

use super::Context;
use super::connection::{Arrival, Connection};
use super::loss::reported_duplicate;
use super::recovery::undo::Undo;
use crate::wire::SeqNumber;

/// What an acknowledgment has brought.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Delivered {
    /// SND.UNA has moved.
    pub(super) advanced: bool,
    /// Octets SACKed for the first time.
    pub(super) sacked: u32,
    /// Something that was under way when the timer fired, and has not been sent again since.
    pub(super) original: bool,
}

impl Connection {
    /// Remembers congestion control before it is told of a loss, unless that is part of a recovery that goes on.
    pub(super) fn prepare_undo(&mut self, timeout: bool) {
        let open = self.active.outgoing.as_ref().is_none_or(|outgoing| outgoing.recovery.is_open());
        if open {
            let undo = Undo::new(self.congestion.memento(), timeout, self.snd_una, self.snd_nxt);
            self.active.undo = Some(Box::new(undo));
        } else if let Some(undo) = self.active.undo.as_mut() {
            undo.timeout |= timeout;
        }
    }

    /// Octets from `seq` on go out again.
    pub(super) fn note_retransmission(&mut self, seq: SeqNumber, octets: u32, tsval: Option<u32>) {
        let recovering = self.active.outgoing.as_ref().is_some_and(|outgoing| !outgoing.recovery.is_open());
        if recovering {
            self.count_resent(octets);
        }
        if let Some(undo) = self.active.undo.as_mut().filter(|_| recovering) {
            undo.on_retransmission(seq, octets, tsval);
        }
    }

    /// Asks every detector whether what we took for a loss was none.
    pub(super) fn undo_if_spurious(
        &mut self,
        cx: &mut Context<'_>,
        arrival: &Arrival<'_>,
        delivered: Delivered,
        duplicate: bool,
    ) {
        let room = self.unsent().min(self.window_room()) > 0;
        let tells = delivered.advanced || delivered.sacked > 0 || duplicate;
        let Some(active) = self.active.existing() else { return };
        let recovery = active.outgoing.as_mut().map(|outgoing| &mut outgoing.recovery);
        let frto = tells && recovery.is_some_and(|recovery| recovery.on_frto(delivered, room));
        let Some(undo) = &mut active.undo else { return };
        let segment = arrival.header;
        let echo = segment.options.timestamps.filter(|_| self.timestamps).map(|timestamps| timestamps.echo);
        let eifel = delivered.advanced && undo.is_answer_to_original(segment.ack, echo);
        let dsack = reported_duplicate(segment).filter(|_| self.sack);
        let reported = dsack.is_some_and(|(left, right)| undo.on_dsack(left, right));
        if frto || eifel || reported {
            self.undo_recovery(cx);
        } else if undo.is_settled(self.snd_una) {
            active.undo = None;
        }
    }

    /// Everything as it was: the window, what is under way, the timer (RFC 4015 3; RFC 9438 4.9).
    fn undo_recovery(&mut self, cx: &mut Context<'_>) {
        let Some(undo) = self.active.undo.take() else { return };
        if undo.timeout {
            cx.counters.spurious_timeouts += 1;
            self.rtt.reset_backoff();
        } else {
            cx.counters.spurious_recoveries += 1;
        }
        self.congestion.undo(undo.into_prior());
        self.active.due.retransmit = false;
        if let Some(outgoing) = self.active.outgoing.as_mut()
            && !outgoing.recovery.is_open()
        {
            outgoing.recovery = super::recovery::Recovery::default();
            outgoing.log.forget_losses();
        }
    }
}
