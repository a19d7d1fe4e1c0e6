//! SIGINT and SIGTERM: the first asks for an end, the second is one.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

use super::error::Failure;

/// Waits for a signal that asks for the end.
pub(super) struct Signals {
    arrived: UnixStream,
    /// Writing to it ends the wait.
    notify: UnixStream,
    which: Arc<AtomicUsize>,
}

impl Signals {
    /// From now on the first SIGINT or SIGTERM is only noted; a second one ends the process at once, with 128 and
    /// its number, whatever the process is doing.
    ///
    /// # Errors
    /// The system has no descriptors left.
    pub(super) fn install() -> Result<Signals, Failure> {
        Signals::try_install().map_err(|error| Failure::new(format!("signals cannot be handled: {error}")))
    }

    fn try_install() -> io::Result<Signals> {
        let (arrived, notify) = UnixStream::pair()?;
        let (again, which) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal finds the flag down and raises it.
            flag::register_conditional_shutdown(signal, exit_status(signal).into(), Arc::clone(&again))?;
            flag::register(signal, Arc::clone(&again))?;
            flag::register_usize(signal, Arc::clone(&which), signal as usize)?;
            low_level::pipe::register(signal, notify.try_clone()?)?;
        }
        Ok(Signals { arrived, notify, which })
    }

    /// Has a thread call `end`, which blocks: when it returns, [`wait`](Signals::wait) does, too.
    ///
    /// # Errors
    /// The system refuses a thread or a descriptor.
    pub(super) fn or(&self, end: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
        let failed = |error| Failure::new(format!("the end cannot be waited for: {error}"));
        let mut notify = self.notify.try_clone().map_err(failed)?;
        let watch = move || {
            end();
            // Fails only when nobody waits any more.
            let _ = notify.write(&[0]);
        };
        thread::Builder::new().name("end".into()).spawn(watch).map(drop).map_err(failed)
    }

    /// Whether a signal has come.
    pub(super) fn have_come(&self) -> bool {
        self.which.load(Ordering::Relaxed) != 0
    }

    /// Waits for the first signal: the exit status that a program ended by it has.
    pub(super) fn wait(&mut self) -> u8 {
        loop {
            match self.arrived.read(&mut [0]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The other end lives as long as this one, so there is nothing else to wait for.
                _ => return exit_status(self.which.load(Ordering::Relaxed) as i32),
            }
        }
    }

    /// Waits for the first signal, but no longer than `time`: its exit status, if one has come.
    ///
    /// # Errors
    /// A time of zero.
    pub(super) fn wait_for(&mut self, time: Duration) -> io::Result<Option<u8>> {
        self.arrived.set_read_timeout(Some(time))?;
        let arrived = self.arrived.read(&mut [0]).is_ok() || self.have_come();
        Ok(arrived.then(|| exit_status(self.which.load(Ordering::Relaxed) as i32)))
    }

    /// Has a thread wait for the first signal, call `finish` and end the process.
    pub(super) fn end_with(
        mut self,
        finish: impl FnOnce(u8) -> u8 + Send + 'static,
    ) -> Result<Watch, Failure> {
        let which = Arc::clone(&self.which);
        let watch = move || {
            let status = self.wait();
            std::process::exit(finish(status).into());
        };
        match thread::Builder::new().name("signals".into()).spawn(watch) {
            Ok(_) => Ok(Watch { which }),
            Err(error) => Err(Failure::new(format!("signals cannot be handled: {error}"))),
        }
    }
}

/// The thread of [`Signals::end_with`], seen by the others.
pub(super) struct Watch {
    which: Arc<AtomicUsize>,
}

impl Watch {
    /// Once a signal has come, the end is the watching thread's: what fails now fails because of it, and is not to be
    /// complained about. Returns only if none has come.
    pub(super) fn leave_the_end_to_it(&self) {
        while self.which.load(Ordering::Relaxed) != 0 {
            thread::park();
        }
    }
}

impl AsFd for Signals {
    /// Readable once a signal has arrived.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.arrived.as_fd()
    }
}

/// As shells count: 130 for SIGINT, 143 for SIGTERM.
fn exit_status(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(u8::MAX)
}
