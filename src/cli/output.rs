//! Standard input and output as files: without buffers of ours, so that what is read is seen, and nothing waits.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;

use super::error::Failure;

/// Standard output.
///
/// # Errors
/// It is closed.
pub(super) fn stdout() -> Result<File, Failure> {
    let copied = io::stdout().as_fd().try_clone_to_owned();
    copied.map(File::from).map_err(|error| Failure::from_output(&error))
}

/// Standard input.
///
/// # Errors
/// It is closed.
pub(super) fn stdin() -> Result<File, Failure> {
    let copied = io::stdin().as_fd().try_clone_to_owned();
    copied.map(File::from).map_err(|error| Failure::new(format!("standard input: {error}")))
}

/// Writes a line to standard output at once: somebody may be waiting for it.
///
/// # Errors
/// Standard output is closed or full.
pub(super) fn line(text: &str) -> Result<(), Failure> {
    stdout()?.write_all(format!("{text}\n").as_bytes()).map_err(|error| Failure::from_output(&error))
}

/// Without control characters: what somebody else has written shall not steer the terminal.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}
