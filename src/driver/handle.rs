//! A shard on a thread of its own.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle, ThreadId};

use mio::{Poll, Registry, Waker};

use super::event_loop::{EventLoop, WAKER};
use super::{Ringer, Runner, SharedStack, StopOrder, WakeSources};
use crate::device::Device;
use crate::stack::{Config, Duration};

/// A running stack: a [`Shard`](super::Shard) and the thread that turns it.
///
/// Dropping it stops the thread at once and resets what is open; [`stop`](Driver::stop) is the polite way.
#[derive(Debug)]
pub struct Driver {
    shared: SharedStack,
    /// The loop's own registry; what is registered here wakes it.
    registry: Registry,
    stop: StopOrder,
    thread: Mutex<LoopThread>,
    thread_id: ThreadId,
}

#[derive(Debug)]
enum LoopThread {
    Running(JoinHandle<bool>),
    /// With or without resets at the end.
    Ended {
        in_order: bool,
    },
}

impl Driver {
    /// Starts a stack with `config` over `device`. Its keys come from the operating system.
    ///
    /// # Errors
    /// The operating system refused a thread, a descriptor or random bytes.
    pub fn start(device: Box<dyn Device>, config: Config) -> io::Result<Driver> {
        let (poll, ringer) = poll_with_ringer()?;
        Driver::spawn(Runner::new(device, config, ringer)?, poll, "longwire".into())
    }

    /// Starts a stack over each of `devices`, which are queues of one interface, each on a thread of its own. They share
    /// nothing: each has a part of the connections, and its share of the limits in `config`. Their clocks agree.
    ///
    /// # Errors
    /// As for [`start`](Driver::start).
    pub fn start_several(devices: Vec<Box<dyn Device>>, config: &Config) -> io::Result<Vec<Driver>> {
        let loops = devices.iter().map(|_| poll_with_ringer()).collect::<io::Result<Vec<_>>>()?;
        let (polls, ringers): (Vec<_>, Vec<_>) = loops.into_iter().unzip();
        let runners = Runner::several(devices, config, &ringers)?;
        let members = runners.into_iter().zip(polls).enumerate();
        members
            .map(|(place, (runner, poll))| Driver::spawn(runner, poll, format!("longwire-{place}")))
            .collect()
    }

    fn spawn(runner: Runner, poll: Poll, name: String) -> io::Result<Driver> {
        let (shared, stop) = (runner.shared().clone(), runner.stop_order().clone());
        let registry = poll.registry().try_clone()?;
        let event_loop = EventLoop::new(runner, poll)?;
        let thread = thread::Builder::new().name(name).spawn(move || event_loop.run())?;
        let thread_id = thread.thread().id();
        Ok(Driver { shared, registry, stop, thread: Mutex::new(LoopThread::Running(thread)), thread_id })
    }

    /// The handle for application threads, and for attaching applications.
    pub fn shared(&self) -> &SharedStack {
        &self.shared
    }

    /// For applications with descriptors of their own: what is registered there wakes this loop.
    ///
    /// # Errors
    /// The system has no descriptors left.
    pub fn wake_sources(&self) -> io::Result<WakeSources> {
        WakeSources::new(&self.registry)
    }

    /// Stops the stack: waits until every connection has ended or `timeout` is over, resets what is left, ends the
    /// thread and closes the device. `true` if nothing had to be reset.
    ///
    /// It closes nothing by itself while it waits: to stop accepting, and to close what is open, is for those who
    /// opened it. A second call can only shorten the time. Called by an application in the loop it gives the order and
    /// returns at once, with `false`.
    pub fn stop(&self, timeout: Duration) -> bool {
        self.order_to_stop(timeout);
        if thread::current().id() == self.thread_id {
            return false;
        }
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        let in_order = match std::mem::replace(&mut *thread, LoopThread::Ended { in_order: false }) {
            LoopThread::Ended { in_order } => in_order,
            LoopThread::Running(thread) => thread.join().unwrap_or_else(|_| {
                log::error!("the loop had panicked");
                false
            }),
        };
        *thread = LoopThread::Ended { in_order };
        in_order
    }

    /// As [`stop`](Driver::stop), for several at the same time: `true` if nothing had to be reset anywhere. Called by an
    /// application in the loop of one of them it gives the orders and returns at once, with `false`.
    pub fn stop_several(drivers: &[Driver], timeout: Duration) -> bool {
        drivers.iter().for_each(|driver| driver.order_to_stop(timeout));
        let from_inside = drivers.iter().any(|driver| driver.thread_id == thread::current().id());
        // Each is waited for, whatever came of the others.
        !from_inside && drivers.iter().filter(|driver| !driver.stop(timeout)).count() == 0
    }

    fn order_to_stop(&self, timeout: Duration) {
        self.stop.give(self.shared.now() + timeout);
        self.shared.ringer().ring();
    }
}

/// What a loop waits with, and what ends its waiting.
fn poll_with_ringer() -> io::Result<(Poll, Ringer)> {
    let poll = Poll::new()?;
    let waker = Waker::new(poll.registry(), WAKER)?;
    let ringer = Ringer::new(move || {
        // An eventfd that is open takes any write; if it did not, the loop would still come at its next deadline.
        if let Err(error) = waker.wake() {
            log::error!("waking the loop failed: {error}");
        }
    });
    Ok((poll, ringer))
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.stop(Duration::ZERO);
    }
}
