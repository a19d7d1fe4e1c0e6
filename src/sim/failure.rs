//! What a world reports when it goes wrong.

use std::fmt;

use crate::stack::Instant;

/// Why a world failed, and where to find the moment again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The seed that replays it.
    pub seed: u64,
    /// Virtual time at which it was noticed.
    pub at: Instant,
    /// What was noticed.
    pub what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {} at {}: {}", self.seed, self.at, self.what)
    }
}

impl std::error::Error for Failure {}
