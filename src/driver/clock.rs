//! The only clock.

use std::time::SystemTime;

use crate::stack::{Duration, Instant};

/// Monotonic time as the stack counts it. Copies agree with each other.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    epoch: std::time::Instant,
}

impl Clock {
    /// A clock whose epoch is now.
    #[allow(clippy::disallowed_methods, reason = "the one place where time comes from")]
    pub fn start() -> Self {
        Clock { epoch: std::time::Instant::now() }
    }

    /// The time since the epoch. About 25 ns: cheap enough to be asked for every packet.
    pub fn now(&self) -> Instant {
        Instant::ZERO + self.epoch.elapsed()
    }

    /// The wall clock, as the time since 1970 UTC (zero if it is set before that). It may jump, also backwards: for
    /// dates that people read, never for deadlines.
    #[allow(clippy::disallowed_methods, reason = "the one place where time comes from")]
    pub fn unix_time(&self) -> Duration {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_agree_and_never_run_backwards() {
        let clock = Clock::start();
        let copy = clock;
        let mut last = Instant::ZERO;
        for _ in 0..1_000 {
            let (one, other) = (clock.now(), copy.now());
            assert!(last <= one && one <= other);
            last = other;
        }
        assert!(last > Instant::ZERO);
    }
}
