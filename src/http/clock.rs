//! Time as this layer is told it.

use std::fmt;
use std::time::{Duration, SystemTime};

/// What stands around the value in the field line.
const BEFORE: &[u8] = b"Date: ";
const AFTER: &[u8] = b"\r\n";
/// Of the value.
const LEN: usize = 29;

/// The value of a `Date` field (RFC 9110 5.6.7), 29 bytes of ASCII.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Date {
    /// The whole field line: it is written into each answer.
    line: [u8; BEFORE.len() + LEN + AFTER.len()],
}

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
        let mut line = [b' '; BEFORE.len() + LEN + AFTER.len()];
        let len = text.len().min(LEN);
        line[..BEFORE.len()].copy_from_slice(BEFORE);
        line[BEFORE.len()..][..len].copy_from_slice(&text.as_bytes()[..len]);
        line[BEFORE.len() + LEN..].copy_from_slice(AFTER);
        Date { line }
    }

    /// The text as it stands in the field.
    pub fn as_bytes(&self) -> &[u8] {
        &self.line[BEFORE.len()..][..LEN]
    }

    /// The field line with its CRLF.
    pub(crate) fn line(&self) -> &[u8] {
        &self.line
    }
}

impl fmt::Debug for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.as_bytes()))
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
        assert_eq!(first.date.line(), b"Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n");
        let next = clock.now(Duration::ZERO, 1);
        assert_eq!(next.date.as_bytes(), b"Thu, 01 Jan 1970 00:00:01 GMT");
    }

    #[test]
    fn a_clock_set_absurdly_late_does_not_panic() {
        assert_eq!(Date::at(u64::MAX).as_bytes(), b"Fri, 31 Dec 9999 23:59:59 GMT");
    }
}
