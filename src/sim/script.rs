//! What applications are told to do: what they send, at which pace, and how they end.

use std::ops::RangeInclusive;

use fastrand::Rng;

use super::Pattern;
use crate::stack::{Duration, Instant};

/// A stretch of a [`Pattern`], from its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Its content.
    pub pattern: Pattern,
    /// Its length in bytes.
    pub len: u64,
}

/// When an application may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Whenever there is room.
    Free,
    /// As much as it has read, as an echo server does.
    Echo,
    /// A request of `request` bytes, the next one when `response` bytes have answered it.
    Requests {
        /// Bytes a request has.
        request: u64,
        /// Bytes a response has.
        response: u64,
    },
    /// A response of `response` bytes to each request of `request` bytes.
    Responses {
        /// Bytes a request has.
        request: u64,
        /// Bytes a response has.
        response: u64,
    },
}

impl Pace {
    /// How much of `total` may have been written once `received` bytes were read.
    pub(super) fn allowance(self, received: u64, total: u64) -> u64 {
        let allowed = match self {
            Pace::Free => total,
            Pace::Echo => received,
            Pace::Requests { request, response } => (received / response.max(1) + 1) * request,
            Pace::Responses { request, response } => received / request.max(1) * response,
        };
        allowed.min(total)
    }
}

/// How an application's part in the connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Half-closes behind its last byte, reads to the peer's end, closes.
    First,
    /// Writes everything, waits for the peer's end, closes.
    Second,
    /// Closes as soon as everything is written, without waiting for the peer.
    Leave,
    /// Closes this long after the connection was there, whatever is unread or unwritten.
    LeaveAfter(Duration),
    /// Aborts this long after the connection was there.
    AbortAfter(Duration),
}

impl Ending {
    /// Whether bytes of either direction may be lost through it.
    pub const fn is_rude(self) -> bool {
        matches!(self, Ending::LeaveAfter(_) | Ending::AbortAfter(_))
    }
}

/// The manner of reading or writing: how much at once, and how often it pauses.
#[derive(Clone, Debug, PartialEq)]
pub struct Habit {
    /// Bytes a call asks for.
    pub sizes: RangeInclusive<usize>,
    /// The chance that a pause follows a call.
    pub pause_chance: f64,
    /// How long a pause lasts, in microseconds.
    pub pause_micros: RangeInclusive<u64>,
}

impl Habit {
    /// Large calls and no pauses.
    pub const fn eager() -> Self {
        Habit { sizes: 1..=64 * 1024, pause_chance: 0.0, pause_micros: 0..=0 }
    }

    pub(super) fn size(&self, rng: &mut Rng) -> usize {
        rng.usize(self.sizes.clone())
    }

    pub(super) fn pause(&self, rng: &mut Rng, now: Instant) -> Option<Instant> {
        let pauses = rng.f64() < self.pause_chance;
        pauses.then(|| now + Duration::from_micros(rng.u64(self.pause_micros.clone())))
    }
}

/// What an application does with its connection.
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    /// A number that its maker can find it by.
    pub tag: usize,
    /// What it writes.
    pub sends: Stream,
    /// What the peer is to write.
    pub expects: Stream,
    /// When it writes.
    pub pace: Pace,
    /// How it ends.
    pub ending: Ending,
    /// How it writes.
    pub writing: Habit,
    /// How it reads.
    pub reading: Habit,
}
