//! `longwire bench idle`: what connections cost on which nothing happens.

use std::io::{self, IsTerminal, Write};
use std::net::IpAddr;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::connections::resolve;
use super::findings::{FEW, Findings};
use crate::bench::{Cost, Crowd, PORTS, Stopwatch, cost, kernel_memory, machine};
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
  sudo longwire bench idle http://10.8.0.1/ --server-pid $(pidof nginx) --kernel-memory

Over a TCP of longwire's own, as the kernel's would need twenty times the memory of the server. An address has 60,000
ports: give one more for each 60,000 connections. What passes between the two interfaces has to be forwarded
(sysctl net.ipv4.ip_forward=1).";

/// How long the end may take.
const CLOSING: Duration = Duration::from_secs(1);
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

    /// Connections that are opened in the end beside all those, to see how fast that goes; 0 for none
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    more: u32,

    /// How long they are held without anything being asked
    #[arg(long, value_name = "D", default_value = "10s", value_parser = units::duration)]
    hold: Duration,

    /// Time for connections to come to rest on both sides, before anything is looked at
    #[arg(long, value_name = "D", default_value = "5s", value_parser = units::duration)]
    settle: Duration,

    /// The process of a server on this machine, for its memory and processor time
    #[arg(long, value_name = "PID")]
    server_pid: Option<u32>,

    /// Counts what the kernel holds in all (Slab in /proc/meminfo) as the server's: for one over the kernel's TCP, on a
    /// machine that does nothing else
    #[arg(long, requires = "server_pid")]
    kernel_memory: bool,

    /// Writes the figures as lines of NAME VALUE, for programs
    #[arg(long)]
    lines: bool,

    #[command(flatten)]
    stack: StackOptions,
}

impl Idle {
    pub(super) fn run(&self) -> Outcome {
        if self.stack.queues > 1 {
            let queues = self.stack.queues;
            return Err(Failure::new(format!(
                "--queues {queues}: idle connections are held on one queue: leave --queues out"
            )));
        }
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
        let all = u64::from(self.connections) + u64::from(self.more);
        if all > room {
            let why = format!("{all} connections from {} addresses", sources.len());
            return Err(Failure::new(format!("{why}: give one --address for each {PORTS} connections")));
        }
        let crowd = Crowd::new(&stack.network, server, sources, &url);
        let findings = self.measure(&crowd, &signals).map_err(Failure::new);
        if signals.have_come() {
            return Ok(ExitCode::from(signals.wait()));
        }
        let findings = findings?;
        let text = match self.lines {
            true => findings.lines(),
            false => format!("{}\n\n{}", machine(), findings.table()),
        };
        output::line(&text)?;
        stack.network.shutdown(CLOSING);
        Ok(ExitCode::SUCCESS)
    }

    fn measure(&self, crowd: &Crowd, signals: &Signals) -> Result<Findings, String> {
        crowd.open(FEW.min(self.connections), |_| !signals.have_come())?;
        crowd.ask(self.requests / 10)?;
        let few = crowd.ask(self.requests)?;
        // Memory for those who come all at once, which a server keeps, is there with the first tenth.
        let base = open(crowd, (self.connections / 10).max(FEW).min(self.connections), signals)?;
        settle(self.settle, signals);
        let before = self.cost();
        let watch = Stopwatch::start();
        let connections = open(crowd, self.connections, signals)?;
        let opening = watch.elapsed();
        settle(self.settle, signals);
        let opened = self.cost();
        let watch = Stopwatch::start();
        settle(self.hold, signals);
        let (held, hold) = (self.cost(), watch.elapsed());
        crowd.ask(self.requests / 10)?;
        let many = crowd.ask(self.requests)?;
        let watch = Stopwatch::start();
        let more = open(crowd, connections + self.more, signals)? - connections;
        let more = (more, watch.elapsed());
        Ok(Findings { connections, base, opening, few, many, more, before, opened, held, hold })
    }

    fn cost(&self) -> Option<Cost> {
        let mut cost = cost(&[self.server_pid?])?;
        if self.kernel_memory {
            cost.memory += kernel_memory()?;
        }
        Some(cost)
    }
}

/// Opens connections until there are `count`; says how many there are.
///
/// # Errors
/// Why there are not as many, in words; also that a signal has come.
fn open(crowd: &Crowd, count: u32, signals: &Signals) -> Result<u32, String> {
    let progress = Progress::new(count);
    let open = crowd.open(count, |open| {
        progress.show(open);
        !signals.have_come()
    })?;
    progress.end();
    if signals.have_come() { Err("interrupted".to_owned()) } else { Ok(open) }
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
