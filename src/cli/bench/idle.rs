//! `longwire bench idle`: what connections cost on which nothing happens.

use std::io::{self, IsTerminal, Write};
use std::net::IpAddr;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::connections::resolve;
use crate::bench::{Cost, Crowd, Histogram, PORTS, Stopwatch, cost, machine};
use crate::cli::error::Failure;
use crate::cli::get::parse_url;
use crate::cli::open::{OpenStack, Role};
use crate::cli::options::StackOptions;
use crate::cli::signals::Signals;
use crate::cli::{Outcome, output, units};

const EXAMPLES: &str = "\
Examples:
  sudo longwire serve --idle-timeout off --max-connections 2000000 --max-per-client 100000 &
  sudo longwire bench idle http://10.9.0.2/healthz --connections 10000 --server-pid PID
  sudo longwire bench idle http://10.9.0.2/healthz --connections 1000000 --hold 1m --server-pid PID \\
      --host 10.9.1.1/24 $(seq -f '--address 10.9.1.%g/24' 2 18)

Over a TCP of longwire's own, as the kernel's would need twenty times the memory of the server. An address has 60,000
ports: give one more for each 60,000 connections. What passes between the two interfaces has to be forwarded
(sysctl net.ipv4.ip_forward=1).";

/// How long the end may take.
const CLOSING: Duration = Duration::from_secs(1);
/// Connections at which the time of a request is the one to compare with.
const FEW: u32 = 10;
/// Time for connections to come to rest, on both sides.
const SETTLING: Duration = Duration::from_secs(5);

/// Holds very many idle connections: the server's memory for each, its processor time, and what a request costs
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Idle {
    /// What to ask for, once on each connection and then on some at random: http://HOST[:PORT]/PATH
    #[arg(value_name = "URL")]
    url: String,

    /// Connections to hold
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = units::count)]
    connections: u32,

    /// Requests on connections chosen at random, one at a time, with ten open and with all
    #[arg(long, value_name = "N", default_value_t = 5_000, value_parser = units::count)]
    requests: u32,

    /// How long they are held without anything being asked
    #[arg(long, value_name = "D", default_value = "10s", value_parser = units::duration)]
    hold: Duration,

    /// The process of a server on this machine, for its memory and processor time
    #[arg(long, value_name = "PID")]
    server_pid: Option<u32>,

    #[command(flatten)]
    stack: StackOptions,
}

/// What was found.
struct Findings {
    connections: u32,
    opening: Duration,
    few: Histogram,
    many: Histogram,
    before: Option<Cost>,
    opened: Option<Cost>,
    held: Option<Cost>,
    hold: Duration,
}

impl Idle {
    pub(super) fn run(&self) -> Outcome {
        let url = parse_url(&self.url)?;
        let server = resolve(&url)?;
        if let Some(pid) = self.server_pid.filter(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            return Err(Failure::new(format!("--server-pid {pid}: there is no such process")));
        }
        let opening = OpenStack::open(&self.stack, Role::Client)?;
        let mut signals = Signals::install()?;
        let stack = opening.start()?;
        let ours = stack.addresses.iter().map(|cidr| cidr.address);
        let sources: Vec<IpAddr> = ours.filter(|ip| ip.is_ipv4() == server.is_ipv4()).collect();
        let room = sources.len() as u64 * u64::from(PORTS);
        if u64::from(self.connections) > room {
            let why = format!("{} connections from {} addresses", self.connections, sources.len());
            return Err(Failure::new(format!("{why}: give one --address for each {PORTS} connections")));
        }
        let crowd = Crowd::new(&stack.network, server, sources, &url);
        let findings = self.measure(&crowd, &signals).map_err(Failure::new);
        if signals.have_come() {
            return Ok(ExitCode::from(signals.wait()));
        }
        let findings = findings?;
        output::line(&format!("{}\n\n{}", machine(), findings.table()))?;
        stack.network.shutdown(CLOSING);
        Ok(ExitCode::SUCCESS)
    }

    fn measure(&self, crowd: &Crowd, signals: &Signals) -> Result<Findings, String> {
        let cost = || self.server_pid.and_then(|pid| cost(&[pid]));
        crowd.open(FEW.min(self.connections), |_| !signals.have_come())?;
        crowd.ask(self.requests / 10)?;
        let few = crowd.ask(self.requests)?;
        settle(SETTLING, signals);
        let before = cost();
        let progress = Progress::new(self.connections);
        let watch = Stopwatch::start();
        let connections = crowd.open(self.connections, |open| {
            progress.show(open);
            !signals.have_come()
        })?;
        let opening = watch.elapsed();
        progress.end();
        if signals.have_come() {
            return Err("interrupted".to_owned());
        }
        settle(SETTLING, signals);
        let opened = cost();
        let watch = Stopwatch::start();
        settle(self.hold, signals);
        let (held, hold) = (cost(), watch.elapsed());
        crowd.ask(self.requests / 10)?;
        let many = crowd.ask(self.requests)?;
        Ok(Findings { connections, opening, few, many, before, opened, held, hold })
    }
}

impl Findings {
    /// As a table in Markdown.
    fn table(&self) -> String {
        let micros = |duration: Duration| format!("{:.1} µs", duration.as_secs_f64() * 1e6);
        let mut rows = vec![
            ("connections held".to_owned(), self.connections.to_string()),
            ("opened with a request each, a second".to_owned(), format!("{:.0}", self.rate())),
            (format!("a request with {FEW} open, p50"), micros(self.few.quantile(0.5))),
            ("a request on a random one of all, p50".to_owned(), micros(self.many.quantile(0.5))),
            ("the same, p99".to_owned(), micros(self.many.quantile(0.99))),
        ];
        if let (Some(before), Some(opened), Some(held)) = (self.before, self.opened, self.held) {
            let grown = held.memory.saturating_sub(before.memory);
            let each = grown as f64 / f64::from(self.connections.saturating_sub(FEW).max(1));
            let mebibytes = |bytes: u64| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
            let busy = (held.cpu - opened.cpu).as_secs_f64() / self.hold.as_secs_f64().max(0.001);
            rows.extend([
                ("resident memory of the server".to_owned(), mebibytes(held.memory)),
                ("of that for each connection".to_owned(), format!("{each:.0} B")),
                (
                    format!("its processor time over {:.0} s", self.hold.as_secs_f64()),
                    format!("{:.1} %", 100.0 * busy),
                ),
            ]);
        }
        let lines: Vec<_> = rows.iter().map(|(what, figure)| format!("| {what} | {figure} |")).collect();
        format!("| | |\n| --- | --- |\n{}", lines.join("\n"))
    }

    fn rate(&self) -> f64 {
        f64::from(self.connections.saturating_sub(FEW)) / self.opening.as_secs_f64().max(0.001)
    }
}

/// Waits, unless a signal comes.
fn settle(time: Duration, signals: &Signals) {
    Stopwatch::start().wait_until(time, || !signals.have_come());
}

/// A line that follows the opening, where somebody watches.
struct Progress {
    all: u32,
    watched: bool,
}

impl Progress {
    fn new(all: u32) -> Progress {
        Progress { all, watched: io::stderr().is_terminal() }
    }

    fn show(&self, open: u32) {
        if self.watched {
            // Nothing depends on it.
            let _ = write!(io::stderr(), "\r\x1b[K{open} of {} connections", self.all);
        }
    }

    fn end(&self) {
        if self.watched {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_memory_for_each_connection_and_a_share_of_a_processor() {
        let cost = |millis, memory| Some(Cost { cpu: Duration::from_millis(millis), memory });
        let mut times = Histogram::new();
        times.record(Duration::from_micros(20));
        let findings = Findings {
            connections: 1_010,
            opening: Duration::from_secs(2),
            few: times.clone(),
            many: times,
            before: cost(100, 5_000_000),
            opened: cost(1_000, 5_240_000),
            held: cost(1_500, 5_250_000),
            hold: Duration::from_secs(10),
        };
        let table = findings.table();
        for row in
            ["| connections held | 1010 |", "a second | 500 |", "each connection | 250 B |", "10 s | 5.0 % |"]
        {
            assert!(table.contains(row), "{row} in\n{table}");
        }
        assert!(!Findings { held: None, ..findings }.table().contains("memory"));
    }
}
