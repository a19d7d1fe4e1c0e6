//! `longwire metrics`: every counter of a running stack.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;

use super::error::Failure;
use super::instances::Whom;
use super::{Outcome, output};
use crate::control::{Line, Question};

const EXAMPLES: &str = "\
Examples:
  sudo longwire metrics                       of the only one that runs
  sudo longwire metrics --tun lw0 | grep retransmissions

The text format of Prometheus, as GET /metrics of 'longwire serve' has it.";

/// Shows every counter of a running longwire, as Prometheus reads them
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct MetricsCommand {
    #[command(flatten)]
    whom: Whom,
}

impl MetricsCommand {
    pub(super) fn run(&self) -> Outcome {
        let instance = self.whom.find()?;
        let mut out = output::stdout()?;
        for line in instance.ask(&Question::Metrics)? {
            if let Line::Metrics(text) = line.map_err(|error| instance.explain(&error))? {
                // Whoever has the socket may have written it, and standard output may be a terminal.
                let text: String = text.lines().map(|line| output::plain(line) + "\n").collect();
                out.write_all(text.as_bytes()).map_err(|error| Failure::from_output(&error))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
