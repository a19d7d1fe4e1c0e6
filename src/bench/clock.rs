//! The clock of the measurements: wall time is what they are about.

use std::time::Instant;

/// Now.
#[allow(clippy::disallowed_methods, reason = "a benchmark measures real time")]
pub(super) fn now() -> Instant {
    Instant::now()
}
