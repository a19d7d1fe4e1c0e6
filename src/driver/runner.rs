//! What comes next for whoever drives a shard, from its first turn to an orderly end.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::crossing::Crossing;
use super::{Clock, Ringer, Shard, SharedStack, Turn};
use crate::device::Device;
use crate::stack::{Config, Duration, Instant, Pool, Seed, Stack, Steering};

/// How often a device without a descriptor is looked at.
const BLIND_INTERVAL: Duration = Duration::from_millis(1);

/// How often a stopping loop looks whether the last connection has gone, as nobody rings for that.
const STOP_INTERVAL: Duration = Duration::from_millis(5);

/// How long what is sent at the end may wait for a device that is full or delays it.
const LAST_FLUSH: Duration = Duration::from_millis(250);

/// How long peers may doubt a reset: one that comes where they do not expect it they answer with a challenge
/// (RFC 5961 3.2), and the reset that meets that they believe.
const LAST_WORD: Duration = Duration::from_millis(20);

/// When a stack that is to stop gives up waiting for its connections; `None` as long as it is to run.
#[derive(Clone, Debug)]
pub struct StopOrder {
    /// In nanoseconds; [`NEVER`] without an order.
    limit: Arc<AtomicU64>,
}

const NEVER: u64 = u64::MAX;

impl Default for StopOrder {
    fn default() -> Self {
        StopOrder { limit: Arc::new(AtomicU64::new(NEVER)) }
    }
}

impl StopOrder {
    /// Orders an end once every connection has ended, or at `limit`. A second order can only be stricter. Whoever
    /// drives the stack sees it with the next turn: ring for one.
    pub fn give(&self, limit: Instant) {
        self.limit.fetch_min(limit.as_nanos().min(NEVER - 1), Ordering::AcqRel);
    }

    fn limit(&self) -> Option<Instant> {
        let nanos = self.limit.load(Ordering::Acquire);
        (nanos != NEVER).then(|| Instant::from_nanos(nanos))
    }
}

/// A [`Shard`] with its clock, its keys and its end: what is left to whoever drives it is to wait.
///
/// Call [`turn`](Runner::turn), do what it says, and again, until the end.
pub struct Runner {
    shard: Shard,
    stop: StopOrder,
    ending: Option<Ending>,
}

/// The last packets: resets of what is still open, and whatever the device has not let go yet.
struct Ending {
    in_order: bool,
    earliest: Instant,
    latest: Instant,
}

/// What comes after a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Another turn, at once.
    Turn,
    /// A sleep.
    Sleep(Sleep),
    /// Nothing: the stack has stopped, with or without having to reset connections. Drop the runner.
    Ended {
        /// Every connection had ended by itself.
        in_order: bool,
    },
}

/// How long to sleep: until the [descriptor](Runner::fd) is readable, the ringer rings, or it is time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sleep {
    /// A timer is due then, to the microsecond if possible.
    pub deadline: Option<Instant>,
    /// Something has to be looked at after so long, give or take a millisecond.
    pub at_most: Option<Duration>,
    /// The device was full: its descriptor being writable ends the sleep, too.
    pub until_room: bool,
}

impl Runner {
    /// A stack with `config` over `device`. Its keys come from the operating system; `ringer` ends a sleep.
    ///
    /// # Errors
    /// The operating system refused a descriptor or random bytes.
    pub fn new(device: Box<dyn Device>, config: Config, ringer: Ringer) -> io::Result<Runner> {
        let clock = Clock::start();
        let stack = Stack::new(config, random_seed()?, Pool::new(), clock.now());
        Ok(Runner::of(Shard::new(stack, device, clock, ringer)?))
    }

    /// A stack over each of `devices`, which are queues of one interface; each has its share of the limits in `config`.
    /// `ringers` end their sleeps.
    ///
    /// # Errors
    /// As for [`new`](Runner::new).
    pub(super) fn several(
        devices: Vec<Box<dyn Device>>,
        config: &Config,
        ringers: &[Ringer],
    ) -> io::Result<Vec<Runner>> {
        let (clock, seed, key) = (Clock::start(), random_seed()?, random_bytes()?);
        let count = devices.len();
        let crossings = Crossing::among(ringers).into_iter();
        let members = devices.into_iter().zip(ringers).zip(crossings).enumerate();
        let runners = members.map(|(place, ((device, ringer), crossing))| {
            let config = config.share(Steering::new(key, place, count));
            let stack = Stack::new(config, seed.clone(), Pool::new(), clock.now());
            let mut shard = Shard::new(stack, device, clock, ringer.clone())?;
            shard.join(crossing);
            Ok(Runner::of(shard))
        });
        runners.collect()
    }

    fn of(shard: Shard) -> Runner {
        Runner { shard, stop: StopOrder::default(), ending: None }
    }

    /// The handle for other threads.
    pub fn shared(&self) -> &SharedStack {
        self.shard.shared()
    }

    /// What orders the end.
    pub fn stop_order(&self) -> &StopOrder {
        &self.stop
    }

    /// When the last turn looked at the clock for the last time.
    pub(super) fn last_look(&self) -> Instant {
        self.shard.last_look()
    }

    /// What to wait on; see [`Shard::fd`].
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.shard.fd()
    }

    /// One turn of the shard, and what comes after it.
    pub fn turn(&mut self) -> Next {
        let turn = self.shard.turn(self.now());
        if let Some(Ending { in_order, earliest, latest }) = self.ending {
            return self.after_last_turn(turn, in_order, earliest, latest);
        }
        if turn.gone {
            log::error!("the device is gone: the stack stops");
            return Next::Ended { in_order: self.live_connections() == 0 };
        }
        let stop_at = self.stop.limit();
        if let Some(limit) = stop_at
            && (self.is_done(turn) || self.now() >= limit)
        {
            self.begin_to_end();
            return Next::Turn;
        }
        // A turn looks at everything that a sleep could report: with more to do there is nothing to wait for.
        if turn.more {
            return Next::Turn;
        }
        let blind = self.shard.fd().is_none().then_some(BLIND_INTERVAL);
        let stopping = stop_at.map(|_| STOP_INTERVAL);
        Next::Sleep(Sleep {
            deadline: self.shard.deadline(),
            at_most: blind.into_iter().chain(stopping).min(),
            until_room: turn.full,
        })
    }

    /// Turns until the end on this thread, asleep for a millisecond where [`turn`](Runner::turn) says to sleep: for a
    /// loop that was left early. The end comes as ordered, and in `at_most` at the latest. Whether it was in order.
    #[allow(clippy::disallowed_methods, reason = "the driver is what waits")]
    pub fn run_out(&mut self, at_most: Duration) -> bool {
        self.stop.give(self.now() + at_most);
        loop {
            match self.turn() {
                Next::Turn => {}
                Next::Sleep(_) => thread::sleep(BLIND_INTERVAL),
                Next::Ended { in_order } => return in_order,
            }
        }
    }

    /// Whether no connection is left, nor anything that one of them wanted to send: looked at in one moment, as a
    /// socket that is dropped now ends its connection and leaves a reset to be sent.
    fn is_done(&self, turn: Turn) -> bool {
        let nothing_left = |stack: &mut Stack| stack.live_connections() == 0 && !stack.wants_transmit();
        !turn.more && !turn.full && self.shared().with(nothing_left)
    }

    fn begin_to_end(&mut self) {
        let begin = self.now();
        let in_order = self.live_connections() == 0;
        let mut earliest = begin;
        if !in_order {
            self.shared().with(Stack::abort_all);
            earliest = begin + LAST_WORD;
        }
        self.ending = Some(Ending { in_order, earliest, latest: begin + LAST_FLUSH });
    }

    fn after_last_turn(&self, turn: Turn, in_order: bool, earliest: Instant, latest: Instant) -> Next {
        let now = self.now();
        let busy = turn.more || turn.full || self.shard.device_has_deadline();
        if turn.gone || now >= latest || (!busy && now >= earliest) {
            return Next::Ended { in_order };
        }
        if turn.more {
            return Next::Turn;
        }
        Next::Sleep(Sleep { deadline: None, at_most: Some(BLIND_INTERVAL), until_room: turn.full })
    }

    fn now(&self) -> Instant {
        self.shared().now()
    }

    fn live_connections(&self) -> usize {
        self.shared().with(|stack| stack.live_connections())
    }
}

impl std::fmt::Debug for Runner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runner").field("ending", &self.ending.is_some()).finish_non_exhaustive()
    }
}

fn random_seed() -> io::Result<Seed> {
    Ok(Seed::from_bytes(random_bytes()?))
}

fn random_bytes<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(bytes)
}
