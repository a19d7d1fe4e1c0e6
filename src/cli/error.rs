//! How a command fails: one line, one exit status.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use super::output;

/// The exit status of whatever has none of its own.
const GENERAL: u8 = 1;

/// Why a command ends without success.
#[derive(Debug)]
pub(super) struct Failure {
    /// What failed, why, and what to do, in one line; `None`: there is nobody to tell.
    message: Option<String>,
    status: u8,
}

impl Failure {
    /// A failure with the general status.
    pub(super) fn new(message: impl fmt::Display) -> Self {
        Failure::with_status(GENERAL, message)
    }

    /// A failure with a status of its own.
    pub(super) fn with_status(status: u8, message: impl fmt::Display) -> Self {
        // Errors of the system or of a peer, and names of files, may bring line ends along, and what steers a terminal.
        let message = message.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        Failure { message: Some(output::plain(&message)), status }
    }

    /// Standard output failed. A reader that has seen enough, such as `head`, is no error.
    pub(super) fn from_output(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure { message: None, status: 0 },
            io::ErrorKind::StorageFull => {
                Failure::new(format!("standard output: {error}: make room, or write somewhere else"))
            }
            _ => Failure::new(format!("standard output: {error}")),
        }
    }

    /// The line, if there is one.
    pub(super) fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// The same with something added.
    pub(super) fn with_hint(mut self, hint: Option<String>) -> Self {
        if let (Some(message), Some(hint)) = (&mut self.message, hint) {
            message.push_str(": ");
            message.push_str(&hint);
        }
        self
    }

    /// Writes the line to standard error; gives the process's exit code.
    pub(super) fn report(&self) -> ExitCode {
        if let Some(message) = self.message() {
            // With standard error gone, too, only the status is left to tell it.
            let _ = writeln!(io::stderr(), "longwire: {message}");
        }
        ExitCode::from(self.status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_one_line() {
        let failure = Failure::new("lw0: no\n  such thing\r\n").with_hint(Some("make one".into()));
        assert_eq!(failure.message(), Some("lw0: no such thing: make one"));
        assert_eq!(Failure::new("a\x1b[2Jb\u{9b}c").message(), Some("a?[2Jb?c"));
    }

    #[test]
    fn a_closed_pipe_is_quiet_and_a_full_disk_is_not() {
        let closed = Failure::from_output(&io::ErrorKind::BrokenPipe.into());
        assert_eq!((closed.message(), closed.status), (None, 0));
        let full = Failure::from_output(&io::ErrorKind::StorageFull.into());
        assert!(full.message().unwrap().contains("make room"));
        assert_eq!(full.status, 1);
    }
}
