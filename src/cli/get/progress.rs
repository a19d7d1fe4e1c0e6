//! How far a download is, for a person at a terminal.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use crate::cli::units::bytes_for_people;
use crate::net::Instant;

/// Time between two updates of the line.
const INTERVAL: Duration = Duration::from_millis(200);

/// One line on standard error that is written again and again; nothing where that is no terminal, or where the body
/// itself goes to the terminal.
pub(super) struct Progress {
    is_shown: bool,
    expected: Option<u64>,
    done: u64,
    /// When the first bytes came, and when the line was last written.
    begun: Option<Instant>,
    shown: Option<Instant>,
}

impl Progress {
    /// For a body of `expected` bytes.
    pub(super) fn new(expected: Option<u64>, to_file: bool) -> Self {
        let is_shown = io::stderr().is_terminal() && (to_file || !io::stdout().is_terminal());
        Progress { is_shown, expected, done: 0, begun: None, shown: None }
    }

    /// `count` more bytes have come.
    pub(super) fn advance(&mut self, count: usize, now: Instant) {
        self.done += count as u64;
        let begun = *self.begun.get_or_insert(now);
        if self.is_shown && self.shown.is_none_or(|shown| now - shown >= INTERVAL) {
            self.shown = Some(now);
            // A terminal that has gone takes nothing; the download goes on.
            let _ = write!(io::stderr(), "\r\x1b[K{}", self.line(now - begun));
        }
    }

    /// Takes the line away.
    pub(super) fn end(&mut self) {
        if self.shown.take().is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }

    fn line(&self, elapsed: Duration) -> String {
        let mut line = bytes_for_people(self.done);
        if let Some(expected) = self.expected.filter(|expected| *expected > 0) {
            let percent = self.done as f64 * 100.0 / expected as f64;
            line += &format!(" of {} ({percent:.0}%)", bytes_for_people(expected));
        }
        if !elapsed.is_zero() {
            let rate = self.done as f64 / elapsed.as_secs_f64();
            line += &format!(", {}/s", bytes_for_people(rate as u64));
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_how_much_of_what_and_how_fast() {
        let mut progress =
            Progress { is_shown: false, expected: Some(4 << 20), done: 0, begun: None, shown: None };
        progress.advance(1 << 20, Instant::from_secs(1));
        assert_eq!(progress.line(Duration::from_millis(500)), "1.0 MiB of 4.0 MiB (25%), 2.0 MiB/s");
        progress.expected = None;
        assert_eq!(progress.line(Duration::ZERO), "1.0 MiB");
    }
}
