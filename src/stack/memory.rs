//! How much memory a stack may take, and what is refused over that.

use super::socket::{Entry, HalfOpenEntry};
use super::{Duration, Instant, Stack};

/// How often it is measured: what fast links bring within it is small beside any limit that makes sense.
const INTERVAL: Duration = Duration::from_millis(1);

/// What was measured last.
#[derive(Debug, Default)]
pub(super) struct MemoryWatch {
    exceeded: bool,
    next: Option<Instant>,
}

impl Stack {
    /// Bytes of the pool that are in use, and of the control blocks of what is open.
    ///
    /// Over [`Config::max_memory`](super::Config::max_memory) no new socket and no handshake is taken; a connection
    /// takes no more behind unread data or a gap, and one that has unacknowledged data takes no more to send. So each goes on
    /// with what it has, and memory is given back. Every refusal is counted.
    pub fn memory(&self) -> usize {
        let blocks =
            self.sockets.len() * size_of::<Entry>() + self.half_open.len() * size_of::<HalfOpenEntry>();
        self.env.pool.in_use() + blocks
    }

    /// Measures, if it is time to.
    pub(super) fn watch_memory(&mut self) {
        let now = self.env.now;
        if self.memory_watch.next.is_some_and(|next| now < next) {
            return;
        }
        self.memory_watch =
            MemoryWatch { exceeded: self.memory() > self.env.config.max_memory, next: Some(now + INTERVAL) };
    }

    /// Whether there was more than the limit when it was measured last.
    pub(super) fn exceeds_memory(&self) -> bool {
        self.memory_watch.exceeded
    }
}
