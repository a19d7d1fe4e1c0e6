//! The log on standard error.

use std::io::Write;

use clap::{ArgAction, Args};
use log::LevelFilter;

/// Where a filter as `env_logger` reads it may stand: `debug`, `longwire::device=trace`.
const VARIABLE: &str = "LONGWIRE_LOG";

/// How much is logged.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Options of the log")]
pub(super) struct LogOptions {
    /// Logs more; twice: every packet
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with = "quiet")]
    verbose: u8,

    /// Logs errors only
    #[arg(short, long, global = true)]
    quiet: bool,
}

impl LogOptions {
    fn level(&self) -> LevelFilter {
        match (self.quiet, self.verbose) {
            (true, _) => LevelFilter::Error,
            (false, 0) => LevelFilter::Info,
            (false, 1) => LevelFilter::Debug,
            (false, _) => LevelFilter::Trace,
        }
    }
}

/// Starts the log. What the environment says comes on top of what the options say.
pub(super) fn start(options: &LogOptions) {
    let mut builder = env_logger::Builder::new();
    builder.filter_level(options.level());
    if let Ok(filters) = std::env::var(VARIABLE) {
        builder.parse_filters(&filters);
    }
    builder.format(|out, record| {
        let level = record.level().as_str().to_lowercase();
        writeln!(out, "[{} {level}] {}", out.timestamp_millis(), record.args())
    });
    builder.init();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels() {
        let level = |verbose, quiet| LogOptions { verbose, quiet }.level();
        assert_eq!(level(0, false), LevelFilter::Info);
        assert_eq!(level(1, false), LevelFilter::Debug);
        assert_eq!(level(5, false), LevelFilter::Trace);
        assert_eq!(level(0, true), LevelFilter::Error);
    }
}
