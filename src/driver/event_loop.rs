//! The loop thread: mio, a fine timer, and a clean end.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::{Arc, Mutex, PoisonError};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use super::{Shard, Turn};
use crate::stack::{Duration, Instant, Stack};

const DEVICE: Token = Token(0);
const TIMER: Token = Token(1);
/// The token of the waker that the loop's ringer uses.
pub(super) const WAKER: Token = Token(2);

/// mio rounds a time-out up to whole milliseconds: what comes sooner than this is given to a timerfd.
const FINE: Duration = Duration::from_millis(10);

/// How often a device without a descriptor is looked at.
const BLIND_INTERVAL: Duration = Duration::from_millis(1);

/// How often a stopping loop looks whether the last connection has gone, as nobody rings for that.
const STOP_INTERVAL: Duration = Duration::from_millis(5);

/// How long what is sent at the end may wait for a device that is full or delays it.
const LAST_FLUSH: Duration = Duration::from_millis(250);

/// How long peers may doubt a reset: one that comes where they do not expect it they answer with a challenge
/// (RFC 5961 3.2), and the reset that meets that they believe.
const LAST_WORD: Duration = Duration::from_millis(20);

/// When a loop that is to stop gives up waiting for its connections; `None` as long as it is to run.
#[derive(Clone, Debug, Default)]
pub(super) struct StopOrder {
    limit: Arc<Mutex<Option<Instant>>>,
}

impl StopOrder {
    /// Orders the loop to stop once all is done, or at `limit`. A second order can only be stricter.
    pub(super) fn give(&self, limit: Instant) {
        let mut current = self.limit.lock().unwrap_or_else(PoisonError::into_inner);
        *current = Some(current.map_or(limit, |earlier| earlier.min(limit)));
    }

    fn limit(&self) -> Option<Instant> {
        *self.limit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drives one shard on one thread.
pub(super) struct EventLoop {
    shard: Shard,
    poll: Poll,
    events: Events,
    timer: FineTimer,
    stop: StopOrder,
    /// Writability of the device is registered for.
    wants_room: bool,
}

impl EventLoop {
    pub(super) fn new(shard: Shard, poll: Poll, stop: StopOrder) -> io::Result<EventLoop> {
        let timer = FineTimer::new()?;
        let registry = poll.registry();
        registry.register(&mut SourceFd(&timer.fd.as_fd().as_raw_fd()), TIMER, Interest::READABLE)?;
        if let Some(fd) = shard.fd() {
            registry.register(&mut SourceFd(&fd.as_raw_fd()), DEVICE, Interest::READABLE)?;
        }
        Ok(EventLoop { shard, poll, events: Events::with_capacity(8), timer, stop, wants_room: false })
    }

    /// Turns the shard until it is ordered to stop, or its device is gone. Whether every connection had ended in order
    /// by then.
    pub(super) fn run(mut self) -> bool {
        loop {
            let turn = self.shard.turn(self.now());
            if turn.gone {
                log::error!("the device is gone: the stack stops");
                return self.live_connections() == 0;
            }
            let stop_at = self.stop.limit();
            if let Some(limit) = stop_at
                && (self.is_done(turn) || self.now() >= limit)
            {
                break;
            }
            self.watch_for_room(turn.full);
            // A turn looks at everything that a sleep could report: with more to do there is nothing to ask for.
            if !turn.more {
                let deadline = self.shard.deadline();
                let timeout = self.timeout(deadline, stop_at.is_some());
                self.sleep(timeout);
            }
        }
        let in_order = self.live_connections() == 0;
        self.finish(in_order);
        in_order
    }

    /// Whether no connection is left, nor anything that one of them wanted to send: looked at in one moment, as a
    /// socket that is dropped now ends its connection and leaves a reset to be sent.
    fn is_done(&self, turn: Turn) -> bool {
        let nothing_left = |stack: &mut Stack| stack.live_connections() == 0 && !stack.wants_transmit();
        !turn.more && !turn.full && self.shard.shared().with(nothing_left)
    }

    fn now(&self) -> Instant {
        self.shard.shared().now()
    }

    fn live_connections(&self) -> usize {
        self.shard.shared().with(|stack| stack.live_connections())
    }

    /// How long to sleep for `deadline`; one that is near is left to the timer.
    fn timeout(&mut self, deadline: Option<Instant>, stopping: bool) -> Option<Duration> {
        let now = self.now();
        let left = deadline.map(|deadline| deadline - now);
        let precise = match (deadline, left) {
            (Some(deadline), Some(left)) if !left.is_zero() && left < FINE => self.timer.arm(deadline, left),
            _ => false,
        };
        let blind = self.shard.fd().is_none().then_some(BLIND_INTERVAL);
        let stopping = stopping.then_some(STOP_INTERVAL);
        left.filter(|_| !precise).into_iter().chain(blind).chain(stopping).min()
    }

    /// Sleeps until something happens or the time is over. What happened does not matter: a turn looks at everything.
    fn sleep(&mut self, timeout: Option<Duration>) {
        match self.poll.poll(&mut self.events, timeout) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // epoll_wait fails in no other way on a descriptor that is open.
            Err(error) => log::error!("waiting for events failed: {error}"),
        }
        if self.events.iter().any(|event| event.token() == TIMER) {
            self.timer.armed_for = None;
        }
    }

    /// Registers for the device's writability while it is full, and only then: else each packet sent would wake us.
    fn watch_for_room(&mut self, full: bool) {
        // Edge-triggered readiness is reported anew by each registration, so room that came meanwhile is not missed.
        if full == self.wants_room && !full {
            return;
        }
        let Some(fd) = self.shard.fd() else { return };
        let interest = if full { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
        match self.poll.registry().reregister(&mut SourceFd(&fd.as_raw_fd()), DEVICE, interest) {
            Ok(()) => self.wants_room = full,
            Err(error) => log::error!("registering for the device failed: {error}"),
        }
    }

    /// The last packets: resets of what is still open, and whatever the device has not let go yet.
    fn finish(&mut self, in_order: bool) {
        let begin = self.now();
        let (mut earliest, latest) = (begin, begin + LAST_FLUSH);
        if !in_order {
            self.shard.shared().with(Stack::abort_all);
            earliest = begin + LAST_WORD;
        }
        loop {
            let turn = self.shard.turn(self.now());
            let now = self.now();
            let busy = turn.more || turn.full || self.shard.device_has_deadline();
            if turn.gone || now >= latest || (!busy && now >= earliest) {
                break;
            }
            self.watch_for_room(turn.full);
            self.sleep(Some(if turn.more { Duration::ZERO } else { BLIND_INTERVAL }));
        }
    }
}

/// A timerfd: to the microsecond, where poll's time-outs are to the millisecond.
struct FineTimer {
    fd: TimerFd,
    /// What it is set to, if it has not fired: setting it again costs a system call.
    armed_for: Option<Instant>,
}

impl FineTimer {
    fn new() -> io::Result<Self> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        Ok(FineTimer { fd: TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?, armed_for: None })
    }

    /// Sets it to fire at `deadline`, which is `left` from now. Whether it will.
    fn arm(&mut self, deadline: Instant, left: Duration) -> bool {
        if self.armed_for == Some(deadline) {
            return true;
        }
        let expiration = Expiration::OneShot(TimeSpec::from_duration(left));
        let armed = self.fd.set(expiration, TimerSetTimeFlags::empty()).is_ok();
        self.armed_for = armed.then_some(deadline);
        armed
    }
}
