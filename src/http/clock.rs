//! Time as this layer is told it.

use std::fmt;
use std::time::{Duration, SystemTime};

/// The value of a `Date` field (RFC 9110 5.6.7), 29 bytes of ASCII.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Date([u8; 29]);

impl Date {
    /// The date at `unix_seconds` after 1970.
    ///
    /// ```
    /// use longwire::http::Date;
    /// assert_eq!(Date::at(784_111_777).as_bytes(), b"Sun, 06 Nov 1994 08:49:37 GMT");
    /// ```
    pub fn at(unix_seconds: u64) -> Self {
        // IMF-fixdate has four digits for the year: what lies beyond is pinned to its last second.
        let seconds = unix_seconds.min(253_402_300_799);
        let text = httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        let mut bytes = [b' '; 29];
        let len = text.len().min(29);
        bytes[..len].copy_from_slice(&text.as_bytes()[..len]);
        Date(bytes)
    }

    /// The text as it stands in the field.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

/// A moment, as every call with a time in it wants it.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Time since the caller's own epoch; it never runs backwards. Deadlines are on the same scale.
    pub at: Duration,
    /// The wall clock, for the `Date` field.
    pub date: Date,
}

/// Makes [`Now`]s, and formats the date only when the second has changed.
///
/// ```
/// use std::time::Duration;
/// let mut clock = longwire::http::Clock::default();
/// let now = clock.now(Duration::from_millis(5), 784_111_777);
/// assert_eq!(now.date, clock.now(Duration::from_millis(6), 784_111_777).date);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Clock {
    cached: Option<(u64, Date)>,
}

impl Clock {
    /// The moment `at` on the caller's scale, `unix_seconds` on the wall.
    pub fn now(&mut self, at: Duration, unix_seconds: u64) -> Now {
        let date = match self.cached {
            Some((second, date)) if second == unix_seconds => date,
            _ => Date::at(unix_seconds),
        };
        self.cached = Some((unix_seconds, date));
        Now { at, date }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn date_follows_the_wall_clock_second() {
        let mut clock = Clock::default();
        let first = clock.now(Duration::ZERO, 0);
        assert_eq!(first.date.as_bytes(), b"Thu, 01 Jan 1970 00:00:00 GMT");
        let next = clock.now(Duration::ZERO, 1);
        assert_eq!(next.date.as_bytes(), b"Thu, 01 Jan 1970 00:00:01 GMT");
    }

    #[test]
    fn a_clock_set_absurdly_late_does_not_panic() {
        assert_eq!(Date::at(u64::MAX).as_bytes(), b"Fri, 31 Dec 9999 23:59:59 GMT");
    }
}
