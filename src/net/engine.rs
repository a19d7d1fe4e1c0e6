//! Who drives a network's stack.

use std::io;
use std::time::Duration;

#[cfg(feature = "tokio")]
use super::tokio::Task;
use crate::driver::{Driver, SharedStack, WakeSources};

pub(super) enum Engine {
    /// A thread of its own.
    Thread(Driver),
    /// A task of the user's runtime.
    #[cfg(feature = "tokio")]
    Task(Task),
}

impl Engine {
    pub(super) fn shared(&self) -> &SharedStack {
        match self {
            Engine::Thread(driver) => driver.shared(),
            #[cfg(feature = "tokio")]
            Engine::Task(task) => task.shared(),
        }
    }

    /// What wakes its loop, if that is ours.
    pub(super) fn wake_sources(&self) -> io::Result<WakeSources> {
        match self {
            Engine::Thread(driver) => driver.wake_sources(),
            #[cfg(feature = "tokio")]
            Engine::Task(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Stops it: a thread is waited for, a task is only told. Whether it has stopped, and nothing had to be reset.
    pub(super) fn stop(&self, timeout: Duration) -> bool {
        match self {
            Engine::Thread(driver) => driver.stop(timeout),
            #[cfg(feature = "tokio")]
            Engine::Task(task) => task.stop(timeout),
        }
    }
}
