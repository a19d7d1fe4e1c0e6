//! `longwire bench`: what a stack, or a server, can do here.

mod connections;
mod table;

use clap::{Args, Subcommand};

use super::Outcome;

const EXAMPLES: &str = "\
Example:
  longwire bench connections http://10.9.0.2/healthz -o report.html
  longwire help bench connections                      more about it";

/// Measures: one subcommand for each question
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Bench {
    #[command(subcommand)]
    question: Question,
}

#[derive(Debug, Subcommand)]
enum Question {
    Connections(Box<connections::Connections>),
    Table(table::Table),
}

impl Bench {
    pub(super) fn run(&self) -> Outcome {
        match &self.question {
            Question::Connections(connections) => connections.run(),
            Question::Table(table) => table.run(),
        }
    }
}
