//! The timers of a connection.

use std::fmt;

use super::TimerKind;
use super::u48::U48;
use crate::time::Instant;

const NANOS_OF_MILLI: u64 = 1_000_000;

/// A moment that may not be set, in eight bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Deadline(u64);

impl Deadline {
    pub(super) const NEVER: Deadline = Deadline(u64::MAX);

    pub(super) fn set(&mut self, at: Instant) {
        self.0 = at.as_nanos();
    }

    pub(super) fn clear(&mut self) {
        *self = Self::NEVER;
    }

    pub(super) fn is_set(self) -> bool {
        self != Self::NEVER
    }

    pub(super) fn at(self) -> Option<Instant> {
        self.is_set().then(|| Instant::from_nanos(self.0))
    }

    /// Clears itself and says `true` if its time has come.
    pub(super) fn take_due(&mut self, now: Instant) -> bool {
        let due = self.is_set() && self.0 <= now.as_nanos();
        if due {
            self.clear();
        }
        due
    }
}

impl Default for Deadline {
    fn default() -> Self {
        Self::NEVER
    }
}

impl fmt::Debug for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at() {
            Some(at) => at.fmt(f),
            None => f.write_str("never"),
        }
    }
}

/// The same to the millisecond, rounded up, in six bytes: for what is asked of silence.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct CoarseDeadline(U48);

impl CoarseDeadline {
    pub(super) const NEVER: CoarseDeadline = CoarseDeadline(U48::MAX);

    pub(super) fn set(&mut self, at: Instant) {
        self.0 = U48::saturating(at.as_nanos().div_ceil(NANOS_OF_MILLI));
    }

    pub(super) fn clear(&mut self) {
        *self = Self::NEVER;
    }

    pub(super) fn is_set(self) -> bool {
        self != Self::NEVER
    }

    pub(super) fn at(self) -> Option<Instant> {
        self.is_set().then(|| Instant::from_nanos(self.0.get().saturating_mul(NANOS_OF_MILLI)))
    }

    /// Clears itself and says `true` if its time has come.
    pub(super) fn take_due(&mut self, now: Instant) -> bool {
        let due = self.at().is_some_and(|at| at <= now);
        if due {
            self.clear();
        }
        due
    }
}

impl fmt::Debug for CoarseDeadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.at().fmt(f)
    }
}

/// What comes before the retransmission timer (RFC 8985 8: one timer serves both).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum LossTimer {
    /// Time for reordering has passed: what has still not come is lost.
    #[default]
    Reordering,
    /// Nothing was heard for two round-trips: the last segment may be lost.
    TailProbe,
}

/// The timers of what is under way. That of keep-alive is apart, as it is what a quiet connection has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timers {
    /// Retransmission; with nothing under way and a closed window, persist.
    pub(super) retransmit: Deadline,
    /// Set only while the retransmission timer is.
    pub(super) loss: Deadline,
    pub(super) loss_purpose: LossTimer,
    /// When the next data may leave, if sending is paced.
    pub(super) pace: Deadline,
    pub(super) delayed_ack: Deadline,
    /// FIN-WAIT-2 of a connection that the application has let go.
    pub(super) linger: Deadline,
    /// When to see whether the connection is quiet.
    pub(super) rest: Deadline,
}

impl Timers {
    /// None is set.
    pub(super) const NONE: Timers = Timers {
        retransmit: Deadline::NEVER,
        loss: Deadline::NEVER,
        loss_purpose: LossTimer::Reordering,
        pace: Deadline::NEVER,
        delayed_ack: Deadline::NEVER,
        linger: Deadline::NEVER,
        rest: Deadline::NEVER,
    };

    /// The earliest of them, with what it is for; `persisting`: the retransmission timer is the persist timer now.
    pub(super) fn next_with_kind(&self, persisting: bool) -> Option<(TimerKind, Instant)> {
        let retransmit = if persisting { TimerKind::Persist } else { TimerKind::Retransmit };
        let loss = match self.loss_purpose {
            LossTimer::Reordering => TimerKind::Reordering,
            LossTimer::TailProbe => TimerKind::TailProbe,
        };
        let all = [
            (retransmit, self.retransmit),
            (loss, self.loss),
            (TimerKind::Pace, self.pace),
            (TimerKind::DelayedAck, self.delayed_ack),
            (TimerKind::FinWait2, self.linger),
        ];
        let set = all.into_iter().filter_map(|(kind, deadline)| Some((kind, deadline.at()?)));
        set.min_by_key(|&(_, at)| at)
    }

    /// Whether one is set that somebody waits for.
    pub(super) fn is_any_set(&self) -> bool {
        Timers { rest: Deadline::NEVER, ..*self }.next().is_some()
    }

    /// The earliest of them.
    pub(super) fn next(&self) -> Option<Instant> {
        self.retransmit
            .min(self.rest)
            .min(self.loss)
            .min(self.pace)
            .min(self.delayed_ack)
            .min(self.linger)
            .at()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Duration;

    #[test]
    fn a_coarse_deadline_is_never_early_and_at_most_a_millisecond_late() {
        let mut deadline = CoarseDeadline::NEVER;
        assert_eq!((deadline.at(), deadline.take_due(Instant::from_nanos(u64::MAX))), (None, false));
        for at in [0, 1, 999_999, 1_000_000, 1_000_001, 1 << 60] {
            let at = Instant::from_nanos(at);
            deadline.set(at);
            let fires = deadline.at().unwrap();
            assert!(fires >= at && fires - at < Duration::from_millis(1), "{at}: {fires}");
        }
        let due = Instant::from_millis(7);
        deadline.set(due);
        assert!(!deadline.take_due(Instant::from_nanos(due.as_nanos() - 1)));
        assert!(deadline.take_due(due) && !deadline.is_set(), "once");
    }

    #[test]
    fn the_end_of_time_is_a_deadline_like_others() {
        let mut deadline = CoarseDeadline::NEVER;
        deadline.set(Instant::from_nanos(u64::MAX));
        assert_eq!(deadline.at(), Some(Instant::from_nanos(u64::MAX)));
    }
}
