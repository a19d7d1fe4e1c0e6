//! A terminal that is written full again and again, and is left as it was; or plain text where there is none.

use std::fs::File;
use std::io::{self, IsTerminal, Write};

use terminal_size::{Height, Width, terminal_size_of};

use crate::cli::error::Failure;
use crate::cli::output;

/// What is shown where there is no terminal, or one that does not tell its size.
const USUAL_SIZE: (usize, usize) = (24, 100);

/// The alternate screen without a cursor; and back.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

/// Standard output.
pub(super) struct Screen {
    out: File,
    is_terminal: bool,
    frames: u64,
}

impl Screen {
    /// Takes the terminal over, if there is one.
    ///
    /// # Errors
    /// Standard output is closed.
    pub(super) fn open() -> Result<Screen, Failure> {
        let mut screen =
            Screen { out: output::stdout()?, is_terminal: io::stdout().is_terminal(), frames: 0 };
        if screen.is_terminal {
            screen.write(ENTER)?;
        }
        Ok(screen)
    }

    pub(super) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// Shows the lines that `lines` makes for so many rows and columns.
    ///
    /// # Errors
    /// Standard output is gone or full.
    pub(super) fn show(&mut self, lines: impl FnOnce(usize, usize) -> Vec<String>) -> Result<(), Failure> {
        let (rows, columns) = self.size();
        let lines = lines(rows, columns);
        let text = match (self.is_terminal, self.frames) {
            (true, _) => on_terminal(&lines, columns),
            // A line between two frames.
            (false, 0) => format!("{}\n", lines.join("\n")),
            (false, _) => format!("\n{}\n", lines.join("\n")),
        };
        self.frames += 1;
        self.write(&text)
    }

    fn size(&self) -> (usize, usize) {
        let size = terminal_size_of(&self.out).filter(|_| self.is_terminal);
        size.map_or(USUAL_SIZE, |(Width(columns), Height(rows))| (rows.into(), columns.into()))
    }

    fn write(&mut self, text: &str) -> Result<(), Failure> {
        self.out.write_all(text.as_bytes()).map_err(|error| Failure::from_output(&error))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if self.is_terminal {
            // A terminal that has gone needs nothing put back.
            let _ = self.write(LEAVE);
        }
    }
}

/// From the top, each line with what is left of the one before it there, and nothing below.
fn on_terminal(lines: &[String], columns: usize) -> String {
    let cut = |line: &String| line.chars().take(columns).collect::<String>();
    let lines: Vec<_> = lines.iter().map(cut).collect();
    format!("\x1b[H{}\x1b[K\x1b[J", lines.join("\x1b[K\r\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_covers_the_one_before() {
        let lines = ["first".to_owned(), "second line".to_owned()];
        assert_eq!(on_terminal(&lines, 8), "\x1b[Hfirst\x1b[K\r\nsecond l\x1b[K\x1b[J");
    }
}
