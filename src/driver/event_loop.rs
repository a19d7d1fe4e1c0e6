//! The loop thread: mio, and a timer.

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

/// Drives one shard on one thread.
pub(super) struct EventLoop {
    runner: Runner,
    poll: Poll,
    events: Events,
    timer: Timer,
    /// Writability of the device is registered for.
    wants_room: bool,
}

impl EventLoop {
    pub(super) fn new(runner: Runner, poll: Poll) -> io::Result<EventLoop> {
        let timer = Timer::new()?;
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

    /// How long to wait in `poll`. A deadline is left to the timer, unless it has come.
    fn timeout(&mut self, sleep: Sleep) -> Option<Duration> {
        let Some(deadline) = sleep.deadline else { return sleep.at_most };
        if deadline <= self.runner.last_look() {
            return Some(Duration::ZERO);
        }
        if self.timer.fires_by(deadline) {
            return sleep.at_most;
        }
        let left = deadline - self.runner.shared().now();
        let is_armed = !left.is_zero() && self.timer.arm(deadline, left);
        Some(left).filter(|_| !is_armed).into_iter().chain(sleep.at_most).min()
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

/// A timerfd: to the microsecond, where poll's time-outs are to the millisecond. And one that stays armed: a time-out of
/// poll's own makes each sleep dearer by half, as the kernel sets a timer for it and takes it back.
struct Timer {
    fd: TimerFd,
    /// What it is set to, if it has not fired. Most deadlines are put off before they come: the timer is left as it is
    /// then, fires too early, and is set anew.
    armed_for: Option<Instant>,
}

impl Timer {
    fn new() -> io::Result<Self> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        Ok(Timer { fd: TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?, armed_for: None })
    }

    /// Whether it fires at `deadline` or before.
    fn fires_by(&self, deadline: Instant) -> bool {
        self.armed_for.is_some_and(|at| at <= deadline)
    }

    /// Sets it to fire at `deadline`, which is `left` from now. Whether it will.
    fn arm(&mut self, deadline: Instant, left: Duration) -> bool {
        let expiration = Expiration::OneShot(TimeSpec::from_duration(left));
        let armed = self.fd.set(expiration, TimerSetTimeFlags::empty()).is_ok();
        self.armed_for = armed.then_some(deadline);
        armed
    }
}
