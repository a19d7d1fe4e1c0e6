//! `longwire bench`: what a stack, or a server, can do here.

mod connections;
mod findings;
mod idle;
mod table;

use clap::{Args, Subcommand};

use super::Outcome;

const EXAMPLES: &str = "\
Example:
  longwire bench connections http://10.9.0.2/healthz -o report.html
  sudo longwire bench idle http://10.9.0.2/healthz --connections 100000 --server-pid PID
  longwire help bench connections                      more about one of them";

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
    Idle(Box<idle::Idle>),
    Table(table::Table),
}

impl Bench {
    pub(super) fn run(&self) -> Outcome {
        match &self.question {
            Question::Connections(connections) => connections.run(),
            Question::Idle(idle) => idle.run(),
            Question::Table(table) => table.run(),
        }
    }
}
