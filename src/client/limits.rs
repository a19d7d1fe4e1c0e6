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
}

impl Limits {
    /// Limits of an exchange that begins now and may take `timeout` in all.
    pub(super) fn begin(now: Instant, timeout: Option<Duration>) -> Self {
        Limits { whole: timeout.map(|after| (now + after, after)), first_byte: None }
    }

    /// The request is written: its answer is to begin within `timeout`.
    pub(super) fn expect_first_byte(&mut self, now: Instant, timeout: Option<Duration>) {
        self.first_byte = timeout.map(|after| (now + after, after));
    }

    /// A byte of the answer has come.
    pub(super) fn first_byte_came(&mut self) {
        self.first_byte = None;
    }

    /// The time left until the nearest limit; `None`: there is no limit.
    ///
    /// # Errors
    /// The limit that is over.
    pub(super) fn left(&self, now: Instant) -> Result<Option<Duration>, Error> {
        let whole = self.whole.map(|(at, after)| (at, Error::Timeout { after }));
        let first_byte = self.first_byte.map(|(at, after)| (at, Error::FirstByteTimeout { after }));
        match [whole, first_byte].into_iter().flatten().min_by_key(|(at, _)| *at) {
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
        let mut limits = Limits::begin(at(0), Some(3 * SECOND));
        assert_eq!(limits.left(at(500)).unwrap(), Some(Duration::from_millis(2_500)));
        limits.expect_first_byte(at(500), Some(SECOND));
        assert_eq!(limits.left(at(600)).unwrap(), Some(Duration::from_millis(900)));
        assert!(matches!(limits.left(at(1_500)), Err(Error::FirstByteTimeout { after: SECOND })));
        limits.first_byte_came();
        assert_eq!(limits.left(at(1_500)).unwrap(), Some(Duration::from_millis(1_500)));
        assert!(matches!(limits.left(at(3_000)), Err(Error::Timeout { .. })));
    }

    #[test]
    fn without_limits_there_is_always_time() {
        let mut limits = Limits::begin(Instant::ZERO, None);
        limits.expect_first_byte(Instant::ZERO, None);
        assert_eq!(limits.left(Instant::from_secs(1_000_000)).unwrap(), None);
    }
}
