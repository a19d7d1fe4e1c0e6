//! What happens when a timer fires, and what sets it.

use super::connection::{Connection, Pending};
use super::{Context, Error, State};
use crate::time::{Duration, Instant};

/// Least silence after which a connection counts as quiet. As many boxes are there at once as connections have been busy
/// within this time: of those that are opened by the thousand, most of what they cost.
const QUIET: Duration = Duration::from_millis(250);
/// Most time until it is asked again whether one does. What kept it from that may have lasted for days.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// Longest silence that keep-alive waits for: half of what a [`Moment`](super::moment::Moment) tells apart.
const LONGEST_IDLE: Duration = Duration::from_secs(24 * 24 * 3600);

impl Connection {
    /// When [`handle_timeout`](Self::handle_timeout) has to be called, `None` if only input can change anything.
    pub fn deadline(&self) -> Option<Instant> {
        let keep_alive = self.keep_alive_at.at();
        Instant::earlier(self.active.timers.next(), keep_alive)
    }

    /// Runs the timers that are due.
    pub fn handle_timeout(&mut self, cx: &mut Context<'_>) {
        if self.active.is_awake() {
            self.handle_timeout_awake(cx);
        }
        if self.keep_alive_at.take_due(cx.now) {
            self.on_keep_alive_timer(cx);
        }
    }

    fn handle_timeout_awake(&mut self, cx: &mut Context<'_>) {
        if self.active.timers.linger.take_due(cx.now) {
            // The peer keeps its direction open and nobody reads it: like every deployed stack, we forget.
            self.end(None);
            return;
        }
        if self.active.timers.delayed_ack.take_due(cx.now) {
            self.pending.add(Pending::ACK);
        }
        self.note_application_limit();
        self.active.timers.pace.take_due(cx.now); // what waited for it goes out now
        // A probe goes before a time-out that is due at the same moment, and puts it off (RFC 8985 7.3).
        if self.active.timers.loss.take_due(cx.now) {
            self.on_loss_timer(cx);
        }
        if self.active.timers.retransmit.take_due(cx.now) {
            self.on_retransmit_timer(cx);
        }
        if self.active.timers.rest.take_due(cx.now) {
            self.rest(cx);
        }
    }

    /// Lets go what a quiet connection needs no memory for, if it is one: nothing is under way, and has not been for
    /// longer than a retransmission time-out.
    fn rest(&mut self, cx: &mut Context<'_>) {
        let silence = self.last_sent.until(cx.now).min(self.last_received.until(cx.now));
        let wanted = self.rto(cx).max(QUIET);
        if self.active.is_under_way() {
            return; // the timer is set again when that is over
        }
        // What is forgotten would be challenged again at once (RFC 5961 10).
        let challenged = self.active.last_challenge;
        let challenged = challenged.is_some_and(|at| cx.now - at < cx.config.challenge_ack_interval);
        if challenged || self.active.is_awaited() || silence < wanted {
            let again = if silence < wanted { wanted - silence } else { silence.clamp(QUIET, LOOK_AGAIN) };
            self.active.timers.rest.set(cx.now + again);
            return;
        }
        if self.active.tail_probe.is_outstanding() {
            // Whoever had received the original would have told of the probe by now: it has repaired a loss.
            self.on_tail_repair(cx, self.congestion.cwnd());
        }
        self.congestion.on_rest();
        self.active.let_go();
    }

    fn on_retransmit_timer(&mut self, cx: &mut Context<'_>) {
        if self.retries_exhausted(cx) {
            cx.counters.give_ups += 1;
            self.fail_with_reset(cx, Error::TimedOut);
            return;
        }
        self.active.retries = self.active.retries.saturating_add(1);
        self.rtt.back_off();
        match self.state {
            _ if !self.is_synchronised() => {
                cx.counters.retransmissions += 1;
                self.active.due.syn = true;
            }
            _ if self.in_flight() == 0 || self.is_probing() => self.active.due.probe = true,
            _ => self.on_retransmission_timeout(cx),
        }
        self.restart_retransmit_timer(cx);
    }

    /// The user timeout counts time without progress (RFC 9293 3.9.1), the limit counts tries (3.8.3, R2).
    fn retries_exhausted(&self, cx: &Context<'_>) -> bool {
        let limit = match self.state {
            State::SynSent => cx.config.syn_retries,
            State::SynReceived => cx.config.syn_ack_retries,
            _ if self.is_unconfirmed() => cx.config.syn_ack_retries,
            _ => cx.config.retransmission_limit,
        };
        match self.options.user_timeout {
            Some(timeout) if self.is_synchronised() => cx.now - self.active.last_progress >= timeout,
            _ => self.active.retries >= limit,
        }
    }

    /// RFC 6298 5.4–5.6, RFC 5681 3.1: what is under way counts as lost, unless it was sent only just (RFC 8985 6.3), and
    /// one segment may go out.
    fn on_retransmission_timeout(&mut self, cx: &mut Context<'_>) {
        cx.counters.rto += 1;
        let (snd_nxt, in_flight, mss) = (self.snd_nxt, self.in_flight(), u32::from(self.snd_mss));
        let patience = self.patience().unwrap_or_default();
        self.prepare_undo(true);
        let Some(active) = self.active.existing() else { return };
        let Some(outgoing) = active.outgoing.as_mut() else { return };
        let (rate, congestion) = (&mut outgoing.rate, &mut self.congestion);
        outgoing.log.mark_lost_at_time_out(cx.now, patience, &mut |sent| {
            congestion.on_lost(cx.now, &rate.on_lost(sent));
        });
        active.due.retransmit = true;
        active.due.tail_probe = false;
        active.tail_probe.forget();
        active.timers.loss.clear();
        // What had been sent again and was followed by progress is lost anew: a loss of its own. The window is one
        // segment after each time-out (RFC 5681 3.1).
        let first_try = active.retries == 1;
        if outgoing.recovery.enter_timeout(snd_nxt) || first_try {
            let in_flight = self.begin_recovery(cx, in_flight, false);
            self.congestion.on_timeout(in_flight, mss);
            self.note_reduction();
        }
        self.active.cwnd_limited_at = None;
        self.suspect_black_hole(cx);
    }

    /// RFC 9293 3.8.4.
    fn on_keep_alive_timer(&mut self, cx: &mut Context<'_>) {
        let Some(keep_alive) = self.options.keep_alive else { return };
        if !self.is_synchronised() || self.in_flight() > 0 {
            return; // the retransmission timer finds out; this one is set again once all is acknowledged
        }
        let silent = self.last_received.until(cx.now);
        let idle = keep_alive.idle.min(LONGEST_IDLE);
        if silent < idle {
            // The timer is not moved for every segment: it looks again.
            self.keep_alive_at.set(cx.now + (idle - silent));
            return;
        }
        if self.keep_alive_probes >= keep_alive.count {
            cx.counters.keep_alive_timeouts += 1;
            self.fail_with_reset(cx, Error::TimedOut);
            return;
        }
        self.keep_alive_probes += 1;
        self.pending.add(Pending::KEEP_ALIVE);
        self.keep_alive_at.set(cx.now + keep_alive.interval);
    }

    /// Starts the timer anew from now (RFC 6298 5.1–5.3, 5.6). A user timeout does not wait for the next
    /// retransmission, which may be minutes away.
    pub(super) fn restart_retransmit_timer(&mut self, cx: &Context<'_>) {
        let at = cx.now + self.rto(cx);
        let give_up = self.options.user_timeout.filter(|_| self.is_synchronised());
        let active = &mut *self.active;
        let limit = give_up.map_or(at, |timeout| active.last_progress + timeout);
        active.timers.retransmit.set(at.min(limit));
        active.timers.rest.clear();
    }

    /// An acknowledgment is owed, in time for the delayed-ACK timer (RFC 9293 3.8.6.3).
    pub(super) fn delay_ack(&mut self, now: Instant, delay: Duration) {
        if !self.active.timers.delayed_ack.is_set() {
            self.active.timers.delayed_ack.set(now + delay);
        }
    }

    /// Sets the timers of a connection that has nothing to send now: persist where the window keeps data back, keep-alive.
    pub(super) fn arm_idle_timers(&mut self, cx: &Context<'_>) {
        if !self.active.timers.retransmit.is_set() && self.in_flight() == 0 && self.has_unsent() {
            self.active.last_progress = cx.now;
            self.restart_retransmit_timer(cx);
        }
        // In TIME-WAIT nothing is owed to anybody any more, even if the application still holds the socket.
        let probing_makes_sense = self.state.is_synchronised() && self.state != State::TimeWait;
        if let Some(keep_alive) = self.options.keep_alive
            && probing_makes_sense
            && !self.keep_alive_at.is_set()
        {
            self.keep_alive_at.set(cx.now + keep_alive.idle.min(LONGEST_IDLE));
        }
        if probing_makes_sense
            && let Some(active) = self.active.existing()
            && !active.is_under_way()
            && !active.timers.rest.is_set()
        {
            active.timers.rest.set(cx.now + QUIET);
        }
    }
}
