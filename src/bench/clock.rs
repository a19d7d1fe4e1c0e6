//! The clock of the measurements: wall time is what they are about.

use std::thread;
use std::time::{Duration, Instant};

/// Now.
#[allow(clippy::disallowed_methods, reason = "a benchmark measures real time")]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// Time since something began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    /// It begins now.
    pub(crate) fn start() -> Stopwatch {
        Stopwatch(now())
    }

    /// How long ago that was.
    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }

    /// Waits until so long after it, or until it is not to `go_on`.
    #[allow(clippy::disallowed_methods, reason = "a benchmark waits in real time")]
    pub(crate) fn wait_until(self, time: Duration, go_on: impl Fn() -> bool) {
        while self.elapsed() < time && go_on() {
            thread::sleep(Duration::from_millis(50).min(time));
        }
    }
}
