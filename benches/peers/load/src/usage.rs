//! Processor time, to the nanosecond, from `/proc/PID/task/*/schedstat`.

use std::fs;
use std::io;
use std::process;
use std::time::{Duration, Instant};

/// A moment, and what had been used until then.
pub struct Usage {
    at: Instant,
    server: Duration,
    client: Duration,
}

/// What has been used since.
#[derive(Clone, Copy, Debug)]
pub struct Used {
    pub seconds: f64,
    /// Seconds on a processor; 0 if nobody said who the server is.
    pub server: f64,
    pub client: f64,
}

impl Usage {
    /// Now.
    ///
    /// # Errors
    /// A process has gone.
    pub fn now(pids: &[u32]) -> io::Result<Usage> {
        let server = pids.iter().map(|&pid| of(pid)).sum::<io::Result<Duration>>()?;
        Ok(Usage { client: of(process::id())?, server, at: Instant::now() })
    }

    /// From then to now.
    ///
    /// # Errors
    /// A process has gone.
    pub fn since(&self, pids: &[u32]) -> io::Result<Used> {
        let now = Usage::now(pids)?;
        Ok(Used {
            seconds: (now.at - self.at).as_secs_f64(),
            server: now.server.saturating_sub(self.server).as_secs_f64(),
            client: now.client.saturating_sub(self.client).as_secs_f64(),
        })
    }
}

fn of(pid: u32) -> io::Result<Duration> {
    let mut sum = Duration::ZERO;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may end while we look.
        let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
        let nanoseconds = text.split(' ').next().and_then(|word| word.parse().ok());
        sum += Duration::from_nanos(nanoseconds.ok_or_else(|| io::Error::other("schedstat has no number"))?);
    }
    Ok(sum)
}
