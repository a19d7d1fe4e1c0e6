//! Is a request body coming fast enough?

use std::time::Duration;

use super::{Reason, ServerConfig};

/// The body's clock. It stands while this side does not read: a slow reader must not be blamed on the client.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Since when it runs, if it does.
    running_since: Option<Duration>,
    /// What it showed when it last stopped.
    shown: Duration,
    /// Bytes since it was last set to zero.
    bytes: u64,
}

impl Pace {
    pub(super) fn is_running(&self) -> bool {
        self.running_since.is_some()
    }

    /// Starts or stops the clock.
    pub(super) fn run(&mut self, now: Duration, run: bool) {
        match (self.running_since, run) {
            (None, true) => self.running_since = Some(now),
            (Some(since), false) => {
                self.shown += now.saturating_sub(since);
                self.running_since = None;
            }
            _ => {}
        }
    }

    /// Counts `n` bytes of the body.
    pub(super) fn count(&mut self, now: Duration, n: usize, config: &ServerConfig) {
        self.bytes += n as u64;
        if self.bytes >= config.body_stretch {
            *self = Self { running_since: self.running_since.map(|_| now), ..Self::default() };
        }
    }

    /// When the body will be too slow if nothing more comes, and by which limit.
    pub(super) fn due(&self, config: &ServerConfig) -> Option<(Duration, Reason)> {
        let since = self.running_since?;
        let at = |limit: Duration| since.saturating_add(limit.saturating_sub(self.shown));
        let whole = (at(config.body_timeout), Reason::BodyTimeout);
        if config.body_rate == 0 {
            return Some(whole);
        }
        // The bytes so far are worth so many milliseconds at the least rate.
        let worth = Duration::from_millis(self.bytes.saturating_mul(1000) / u64::from(config.body_rate));
        let rate = (at(worth.max(config.body_rate_grace)), Reason::BodyRate);
        Some(if rate.0 < whole.0 { rate } else { whole })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn the_rate_is_asked_for_after_its_grace() {
        let config = ServerConfig::default();
        let mut pace = Pace::default();
        assert_eq!(pace.due(&config), None);
        pace.run(secs(100), true);
        assert_eq!(pace.due(&config), Some((secs(105), Reason::BodyRate)));
        pace.count(secs(104), 1024 * 20, &config);
        assert_eq!(pace.due(&config), Some((secs(120), Reason::BodyRate)), "20 KiB are worth 20 s");
        pace.count(secs(110), 1024 * 500, &config);
        assert_eq!(pace.due(&config), Some((secs(160), Reason::BodyTimeout)), "60 s are the whole");
    }

    #[test]
    fn the_clock_stands_while_nobody_reads() {
        let config = ServerConfig::default();
        let mut pace = Pace::default();
        pace.run(secs(0), true);
        pace.run(secs(3), false);
        assert_eq!(pace.due(&config), None);
        pace.run(secs(50), true);
        assert_eq!(pace.due(&config), Some((secs(52), Reason::BodyRate)), "3 s of 5 were used");
    }

    #[test]
    fn a_long_body_starts_a_new_stretch() {
        let config = ServerConfig::default();
        let mut pace = Pace::default();
        pace.run(secs(0), true);
        pace.count(secs(50), 1024 * 1024, &config);
        assert_eq!(pace.due(&config), Some((secs(55), Reason::BodyRate)));
        let any_rate = ServerConfig { body_rate: 0, ..config };
        assert_eq!(pace.due(&any_rate), Some((secs(110), Reason::BodyTimeout)));
    }
}
