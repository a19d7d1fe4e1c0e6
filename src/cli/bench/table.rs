//! `longwire bench table`: what `scripts/bench.sh` has measured, for people.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use crate::bench::{Results, markdown, plot};
use crate::cli::error::Failure;
use crate::cli::{Outcome, output};

const EXAMPLES: &str = "\
Example:
  longwire bench table target/bench/results.tsv --svg results.svg

Each line of FILE is a figure: peer, work, name and value, with tabs between them, and one line for each repetition.
scripts/bench.sh writes it.";

/// Writes the results of scripts/bench.sh as tables in Markdown: medians, spread and ratios
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Table {
    /// The results
    #[arg(value_name = "FILE")]
    results: PathBuf,

    /// Draws a plot of them, too, to FILE
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

impl Table {
    pub(super) fn run(&self) -> Outcome {
        let failed =
            |path: &Path, why: &dyn std::fmt::Display| Failure::new(format!("{}: {why}", path.display()));
        let text = fs::read_to_string(&self.results)
            .map_err(|error| failed(&self.results, &format_args!("{error}: run scripts/bench.sh first")))?;
        let results = Results::parse(&text).map_err(|why| failed(&self.results, &why))?;
        if let Some(path) = &self.svg {
            fs::write(path, plot(&results)).map_err(|error| failed(path, &error))?;
        }
        output::line(markdown(&results).trim_end())?;
        Ok(ExitCode::SUCCESS)
    }
}
