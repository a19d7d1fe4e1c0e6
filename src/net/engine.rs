//! Who drives a network's stacks.

use std::io;
use std::time::Duration;

#[cfg(feature = "tokio")]
use super::tokio::Task;
use crate::driver::{Driver, SharedStack, WakeSources};

pub(super) enum Engine {
    /// A thread for each queue, of which there is at least one.
    Threads(Vec<Driver>),
    /// A task of the user's runtime.
    #[cfg(feature = "tokio")]
    Task(Task),
}

impl Engine {
    /// The stacks, a queue each.
    pub(super) fn shards(&self) -> Vec<SharedStack> {
        match self {
            Engine::Threads(drivers) => drivers.iter().map(|driver| driver.shared().clone()).collect(),
            #[cfg(feature = "tokio")]
            Engine::Task(task) => vec![task.shared().clone()],
        }
    }

    /// What wakes the loop of the first, if that is ours.
    pub(super) fn wake_sources(&self) -> io::Result<WakeSources> {
        match self {
            Engine::Threads(drivers) => drivers[0].wake_sources(),
            #[cfg(feature = "tokio")]
            Engine::Task(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Stops them: a thread is waited for, a task is only told. Whether it has stopped, and nothing had to be reset.
    pub(super) fn stop(&self, timeout: Duration) -> bool {
        match self {
            Engine::Threads(drivers) => Driver::stop_several(drivers, timeout),
            #[cfg(feature = "tokio")]
            Engine::Task(task) => task.stop(timeout),
        }
    }
}
