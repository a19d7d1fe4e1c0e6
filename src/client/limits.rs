//! How long an exchange may take.

use std::time::Duration;

use super::Error;
use crate::net::Instant;

/// A point in time, and how long after its beginning it is.
type Limit = (Instant, Duration);

/// The time limits of one exchange.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Limits {
    whole: Option<Limit>,
    first_byte: Option<Limit>,
    /// How long nothing may move.
    stall: Option<Duration>,
    /// All is sent and nothing has come: that has a limit of its own, and none if that is none.
    waits_for_first_byte: bool,
}

impl Limits {
    /// Limits of an exchange that begins now, may take `timeout` in all, and in which nothing may move for `stall`.
    pub(super) fn begin(now: Instant, timeout: Option<Duration>, stall: Option<Duration>) -> Self {
        let whole = timeout.map(|after| (now + after, after));
        Limits { whole, first_byte: None, stall, waits_for_first_byte: false }
    }

    /// The request is written: its answer is to begin within `timeout`.
    pub(super) fn expect_first_byte(&mut self, now: Instant, timeout: Option<Duration>) {
        self.first_byte = timeout.map(|after| (now + after, after));
        self.waits_for_first_byte = true;
    }

    /// A byte of the answer has come.
    pub(super) fn first_byte_came(&mut self) {
        self.first_byte = None;
        self.waits_for_first_byte = false;
    }

    /// What is left of the exchange is worth no more than `time`.
    pub(super) fn shorten(&mut self, now: Instant, time: Duration) {
        let shorter = (now + time, time);
        self.whole = Some(self.whole.map_or(shorter, |whole| whole.min(shorter)));
    }

    /// The time left until the nearest limit, for a wait that began at `since`; `None`: there is no limit.
    ///
    /// # Errors
    /// The limit that is over.
    pub(super) fn left(&self, now: Instant, since: Instant) -> Result<Option<Duration>, Error> {
        let whole = self.whole.map(|(at, after)| (at, Error::Timeout { after }));
        let first_byte = self.first_byte.map(|(at, after)| (at, Error::FirstByteTimeout { after }));
        let stall = self.stall.filter(|_| !self.waits_for_first_byte);
        let stall = stall.map(|after| (since + after, Error::Stalled { after }));
        match [whole, first_byte, stall].into_iter().flatten().min_by_key(|(at, _)| *at) {
            None => Ok(None),
            Some((at, _)) if at > now => Ok(Some(at - now)),
            Some((_, error)) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_nearest_limit_counts_and_says_which_it_is() {
        let at = Instant::from_millis;
        let mut limits = Limits::begin(at(0), Some(3 * SECOND), None);
        assert_eq!(limits.left(at(500), at(500)).unwrap(), Some(Duration::from_millis(2_500)));
        limits.expect_first_byte(at(500), Some(SECOND));
        assert_eq!(limits.left(at(600), at(500)).unwrap(), Some(Duration::from_millis(900)));
        assert!(matches!(limits.left(at(1_500), at(500)), Err(Error::FirstByteTimeout { after: SECOND })));
        limits.first_byte_came();
        assert_eq!(limits.left(at(1_500), at(1_500)).unwrap(), Some(Duration::from_millis(1_500)));
        assert!(matches!(limits.left(at(3_000), at(1_500)), Err(Error::Timeout { .. })));
    }

    #[test]
    fn a_stall_counts_from_the_last_movement_and_not_before_the_first_byte() {
        let at = Instant::from_millis;
        let mut limits = Limits::begin(at(0), None, Some(SECOND));
        assert_eq!(limits.left(at(100), at(0)).unwrap(), Some(Duration::from_millis(900)), "while sending");
        assert!(matches!(limits.left(at(1_000), at(0)), Err(Error::Stalled { after: SECOND })));
        assert_eq!(limits.left(at(1_000), at(900)).unwrap(), Some(Duration::from_millis(900)), "it moved");
        limits.expect_first_byte(at(1_000), None);
        assert_eq!(limits.left(at(9_000), at(1_000)).unwrap(), None, "for ever was asked for");
        limits.first_byte_came();
        assert!(matches!(limits.left(at(9_000), at(8_000)), Err(Error::Stalled { .. })));
    }

    #[test]
    fn what_is_left_can_be_shortened_but_not_prolonged() {
        let at = Instant::from_millis;
        let mut limits = Limits::begin(at(0), Some(2 * SECOND), None);
        limits.shorten(at(0), SECOND);
        limits.shorten(at(0), 3 * SECOND);
        assert_eq!(limits.left(at(0), at(0)).unwrap(), Some(SECOND));
    }

    #[test]
    fn without_limits_there_is_always_time() {
        let mut limits = Limits::begin(Instant::ZERO, None, None);
        limits.expect_first_byte(Instant::ZERO, None);
        assert_eq!(limits.left(Instant::from_secs(1_000_000), Instant::ZERO).unwrap(), None);
    }
}
