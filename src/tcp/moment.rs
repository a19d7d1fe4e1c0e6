//! An instant in four bytes, and in two.

use crate::time::{Duration, Instant};

/// Milliseconds modulo 2^32, which is 49 days. For what is asked of silence, where a wrong answer after as long does no
/// harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment(u32);

impl Moment {
    /// The moment that `now` is in.
    pub(super) fn at(now: Instant) -> Moment {
        Moment(now.as_millis() as u32)
    }

    /// Time since then, to the millisecond.
    pub(super) fn until(self, now: Instant) -> Duration {
        Duration::from_millis(Moment::at(now).0.wrapping_sub(self.0).into())
    }

    /// When it was, seen from `now`.
    pub(super) fn instant(self, now: Instant) -> Instant {
        let ago = u64::from(Moment::at(now).0.wrapping_sub(self.0));
        Instant::from_millis(now.as_millis().saturating_sub(ago))
    }
}

/// Hours modulo 2^16, which is seven years. The same, for silence of weeks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hour(u16);

impl Hour {
    /// The hour that `now` is in.
    pub(super) fn of(now: Instant) -> Hour {
        Hour((now.as_millis() / 3_600_000) as u16)
    }

    /// Hours that have begun since then.
    pub(super) fn hours_until(self, now: Instant) -> u16 {
        Hour::of(now).0.wrapping_sub(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_wraps_and_the_difference_does_not() {
        let then = Instant::from_millis((1 << 32) - 5);
        let now = then + Duration::from_millis(12);
        let moment = Moment::at(then);
        assert_eq!(moment.until(now), Duration::from_millis(12));
        assert_eq!(moment.instant(now), then);
        assert_eq!(moment.until(then), Duration::ZERO);
    }

    #[test]
    fn hours_wrap_and_their_difference_does_not() {
        let then = Instant::from_secs(65_535 * 3_600 + 3_599);
        assert_eq!(Hour::of(then).hours_until(then), 0);
        assert_eq!(Hour::of(then).hours_until(then + Duration::from_secs(1)), 1);
        assert_eq!(Hour::of(then).hours_until(then + Duration::from_secs(24 * 24 * 3_600)), 24 * 24);
    }
}
