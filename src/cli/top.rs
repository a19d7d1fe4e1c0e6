//! `longwire top`: what a running stack does, live.

mod frame;
mod screen;

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::error::Failure;
use super::instances::{Instance, Whom};
use super::signals::Signals;
use super::{Outcome, units};
use crate::control::{Line, Question, SocketQuestion};
use crate::driver::Clock;
use frame::{Frame, Sample};
use screen::Screen;

/// A connection that has been quiet for this many intervals is not asked for.
const REMEMBERED: u32 = 3;

const EXAMPLES: &str = "\
Examples:
  sudo longwire top                           the busiest connections of the only longwire that runs; Ctrl-C ends it
  sudo longwire top --interval 5s --tun lw0
  sudo longwire top --count 3 >rates.txt      where standard output is no terminal: plain text, once by default

Rates are of bytes that were acknowledged (OUT) and received in order (IN).";

/// Shows live what a running longwire does, the busiest connections first
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Top {
    /// Time between two looks
    #[arg(short, long, value_name = "D", default_value = "1s", value_parser = units::duration)]
    interval: Duration,

    /// How many looks [default: until Ctrl-C; one where standard output is no terminal]
    #[arg(short = 'n', long, value_name = "N", value_parser = units::count)]
    count: Option<u32>,

    #[command(flatten)]
    whom: Whom,
}

impl Top {
    pub(super) fn run(&self) -> Outcome {
        let instance = self.whom.find()?;
        let mut signals = Signals::install()?;
        let clock = Clock::start();
        let mut before = self.sample(&instance, &clock)?;
        let mut screen = Screen::open()?;
        let mut left = self.count.or((!screen.is_terminal()).then_some(1));
        while left != Some(0) {
            let failed = |error| Failure::new(format!("the interval cannot be waited for: {error}"));
            if signals.wait_for(self.interval).map_err(failed)?.is_some() {
                break;
            }
            let now = self.sample(&instance, &clock)?;
            let frame = Frame::between(&before, &now);
            screen.show(|rows, columns| frame.lines(rows, columns))?;
            before = now;
            left = left.map(|left| left - 1);
        }
        Ok(ExitCode::SUCCESS)
    }

    fn sample(&self, instance: &Instance, clock: &Clock) -> Result<Sample, Failure> {
        let quiet = (self.interval * REMEMBERED).as_millis();
        let question = SocketQuestion {
            details: true,
            active_within_ms: Some(u64::try_from(quiet).unwrap_or(u64::MAX)),
            ..SocketQuestion::default()
        };
        let mut sample = Sample::new(clock.now());
        for question in [Question::Metrics, Question::Sockets(question)] {
            for line in instance.ask(&question)? {
                match line.map_err(|error| instance.explain(&error))? {
                    Line::Greeting(greeting) => sample.greeting = Some(greeting),
                    Line::Metrics(text) => sample.take_metrics(&text),
                    Line::Socket(socket) => sample.take_socket(*socket),
                    Line::End { .. } | Line::Error(_) => {}
                }
            }
        }
        Ok(sample)
    }
}
