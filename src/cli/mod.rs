//! The `longwire` command: what is typed, and what it opens.
//!
//! One file a subcommand; what they share stands beside them. `options` says what a stack is to be, `open` makes it:
//! first everything that needs rights (device, capture), then `privileges` gives the rights up, then the stack runs.

mod bench;
mod control_socket;
mod error;
mod forwarding;
mod get;
mod instances;
mod ladder;
mod link;
mod logging;
mod metrics;
mod nc;
mod neighbours;
mod open;
mod options;
mod output;
mod ping;
mod plan;
mod privileges;
mod resolve;
mod serve;
mod signals;
mod ss;
mod top;
mod units;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use error::Failure;

const ABOUT: &str = "A TCP/IP stack in user space over a Linux TUN device";

const EXAMPLES: &str = "\
Examples:
  sudo longwire serve                               http://10.9.0.2/, answered by a TCP of our own
  sudo longwire get --trace http://10.9.0.1:8000/   ask a server on this host, over a TCP of our own
  sudo longwire nc 10.9.0.1 7000                    netcat, likewise
  sudo longwire ss -i                               the sockets of one that runs
  longwire help get                                 more about one of them";

/// The whole command line.
#[derive(Debug, Parser)]
#[command(name = "longwire", version, about = ABOUT, after_help = EXAMPLES, max_term_width = 100)]
struct CommandLine {
    #[command(flatten)]
    log: logging::LogOptions,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(Box<serve::Serve>),
    Get(get::Get),
    Nc(nc::Nc),
    Ping(ping::Ping),
    Ss(ss::Ss),
    Top(top::Top),
    Metrics(metrics::MetricsCommand),
    Link(link::LinkCommand),
    Ladder(ladder::Ladder),
    Bench(bench::Bench),
}

/// Does what the command line says; the process ends with what this returns.
///
/// ```no_run
/// fn main() -> std::process::ExitCode {
///     longwire::cli::run()
/// }
/// ```
pub fn run() -> ExitCode {
    let CommandLine { log, command } = CommandLine::parse();
    logging::start(&log);
    let result = match command {
        Command::Serve(serve) => serve.run(),
        Command::Get(get) => get.run(),
        Command::Nc(nc) => nc.run(),
        Command::Ping(ping) => ping.run(),
        Command::Ss(ss) => ss.run(),
        Command::Top(top) => top.run(),
        Command::Metrics(metrics) => metrics.run(),
        Command::Link(link) => link.run(),
        Command::Ladder(ladder) => ladder.run(),
        Command::Bench(bench) => bench.run(),
    };
    match result {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

/// How a subcommand ends.
type Outcome = Result<ExitCode, Failure>;

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn every_subcommand_shows_an_example() {
        for command in CommandLine::command().get_subcommands_mut() {
            let help = command.render_long_help().to_string();
            let call = format!("longwire {}", command.get_name());
            assert!(help.contains("Example") && help.contains(&call), "{}", command.get_name());
        }
    }
}
