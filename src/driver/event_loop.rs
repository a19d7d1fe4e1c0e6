//! The loop thread: mio, and a fine timer.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use super::{Next, Runner, Sleep};
use crate::stack::{Duration, Instant};

const DEVICE: Token = Token(0);
const TIMER: Token = Token(1);
/// The token of the waker that the loop's ringer uses.
pub(super) const WAKER: Token = Token(2);

/// mio rounds a time-out up to whole milliseconds: what comes sooner than this is given to a timerfd.
const FINE: Duration = Duration::from_millis(10);

/// Drives one shard on one thread.
pub(super) struct EventLoop {
    runner: Runner,
    poll: Poll,
    events: Events,
    timer: FineTimer,
    /// Writability of the device is registered for.
    wants_room: bool,
}

impl EventLoop {
    pub(super) fn new(runner: Runner, poll: Poll) -> io::Result<EventLoop> {
        let timer = FineTimer::new()?;
        let registry = poll.registry();
        registry.register(&mut SourceFd(&timer.fd.as_fd().as_raw_fd()), TIMER, Interest::READABLE)?;
        if let Some(fd) = runner.fd() {
            registry.register(&mut SourceFd(&fd.as_raw_fd()), DEVICE, Interest::READABLE)?;
        }
        Ok(EventLoop { runner, poll, events: Events::with_capacity(8), timer, wants_room: false })
    }

    /// Turns the shard until it is ordered to stop, or its device is gone. Whether every connection had ended in order
    /// by then.
    pub(super) fn run(mut self) -> bool {
        loop {
            match self.runner.turn() {
                Next::Turn => {}
                Next::Sleep(sleep) => {
                    self.watch_for_room(sleep.until_room);
                    let timeout = self.timeout(sleep);
                    self.sleep(timeout);
                }
                Next::Ended { in_order } => return in_order,
            }
        }
    }

    /// How long to wait in `poll`; a deadline that is near is left to the timer.
    fn timeout(&mut self, sleep: Sleep) -> Option<Duration> {
        let now = self.runner.shared().now();
        let left = sleep.deadline.map(|deadline| deadline - now);
        let precise = match (sleep.deadline, left) {
            (Some(deadline), Some(left)) if !left.is_zero() && left < FINE => self.timer.arm(deadline, left),
            _ => false,
        };
        left.filter(|_| !precise).into_iter().chain(sleep.at_most).min()
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
        let Some(fd) = self.runner.fd() else { return };
        let interest = if full { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
        match self.poll.registry().reregister(&mut SourceFd(&fd.as_raw_fd()), DEVICE, interest) {
            Ok(()) => self.wants_room = full,
            Err(error) => log::error!("registering for the device failed: {error}"),
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
