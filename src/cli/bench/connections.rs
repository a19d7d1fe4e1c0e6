//! `longwire bench connections`: the same work over short and over long connections.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use ::http::Uri;
use clap::Args;

use crate::bench::{
    Amount, Client, ClientKind, Comparison, Kernel, Life, Measurement, OwnStack, Report, Target, html, json,
    machine, measure, terminal_table,
};
use crate::cli::error::Failure;
use crate::cli::get::parse_url;
use crate::cli::open::{OpenStack, Role};
use crate::cli::options::StackOptions;
use crate::cli::signals::Signals;
use crate::cli::{Outcome, output, units};
use crate::client::Authority;

const EXAMPLES: &str = "\
Examples:
  longwire bench connections http://10.9.0.2/healthz -o report.html
  longwire bench connections http://10.8.0.2/index.html http://10.9.0.2/healthz --label nginx --label longwire \\
      --server-pid 812,813 --server-pid 977 -o report.html --json report.json
  sudo longwire bench connections --own-stack http://10.9.0.1:8000/      over longwire's own TCP

Any HTTP server will do. Each is asked in turn, first over long connections and then over short ones. A benchmark is a
load: point it at servers of your own.";

/// How long the end may take once a run is over.
const CLOSING: Duration = Duration::from_secs(5);
/// Requests that warm a server up before each run: its caches, its memory, its code.
const WARM_UP: u64 = 100;

/// Compares short and long connections to HTTP servers, and writes a report
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Connections {
    /// What to ask for, on each server: http://HOST[:PORT]/PATH
    #[arg(value_name = "URL", required = true)]
    urls: Vec<String>,

    /// Requests of each run, at most
    #[arg(long, value_name = "N", default_value_t = 5_000, value_parser = units::count)]
    requests: u32,

    /// Clients that ask at once, each with one connection
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    concurrency: u32,

    /// Time that each run may take, at most
    #[arg(long, value_name = "D", default_value = "20s", value_parser = units::duration)]
    duration: Duration,

    /// How long connecting, and how long an answer, may take
    #[arg(long, value_name = "D", default_value = "5s", value_parser = units::duration)]
    timeout: Duration,

    /// What a server is called in the report; the first for the first URL, and so on [default: its host and port]
    #[arg(long, value_name = "NAME")]
    label: Vec<String>,

    /// The processes of a server on this machine, for its memory and processor time; the first for the first URL, and
    /// so on
    #[arg(long, value_name = "PID[,PID…]", value_parser = parse_pids)]
    server_pid: Vec<Pids>,

    /// Writes the report, one HTML file with its plots in it, to FILE
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Writes the figures as JSON to FILE
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Carries the load over longwire's own TCP on an interface of its own, which the options of the stack are about,
    /// instead of the kernel's sockets
    #[arg(long)]
    own_stack: bool,

    #[command(flatten)]
    stack: StackOptions,
}

/// Process ids of one server.
#[derive(Clone, Debug)]
struct Pids(Vec<u32>);

fn parse_pids(text: &str) -> Result<Pids, String> {
    let pids = text.split(',').map(str::parse).collect::<Result<Vec<u32>, _>>();
    pids.map(Pids).map_err(|_| "not process ids such as 812 or 812,813".to_owned())
}

impl Connections {
    pub(super) fn run(&self) -> Outcome {
        let targets = self.targets()?;
        let report = if self.own_stack {
            let opening = OpenStack::open(&self.stack, Role::Client)?;
            let files = self.create_files(|path| opening.target.create_file(path))?;
            let signals = Signals::install()?;
            let stack = opening.start()?;
            let client = OwnStack { network: stack.network.clone(), interface: stack.interface.clone() };
            let report = self.measure_all(&client, ClientKind::OwnStack, &targets, &signals);
            stack.network.shutdown(CLOSING);
            self.write(&report, files)?;
            (report, signals)
        } else {
            let files = self.create_files(|path| File::create(path))?;
            let signals = Signals::install()?;
            let report = self.measure_all(&Kernel, ClientKind::Kernel, &targets, &signals);
            self.write(&report, files)?;
            (report, signals)
        };
        match report {
            (report, mut signals) if report.interrupted => Ok(ExitCode::from(signals.wait())),
            (report, _) => report_unanswered(&report),
        }
    }

    /// Before anything is measured: where the report goes has to be there in the end, and with rights that may be given
    /// up until then.
    fn create_files(&self, create: impl Fn(&Path) -> io::Result<File>) -> Result<Files, Failure> {
        let create = |path: &PathBuf| create(path).map_err(|error| cannot_write(path, &error));
        let html = self.output.as_ref().map(create).transpose()?;
        Ok(Files { html, json: self.json.as_ref().map(create).transpose()? })
    }

    fn targets(&self) -> Result<Vec<Target>, Failure> {
        let surplus = |option: &str| {
            Failure::with_status(
                2,
                format!("{option}: given more often than there are URLs: one for each at most"),
            )
        };
        if self.label.len() > self.urls.len() {
            return Err(surplus("--label"));
        }
        if self.server_pid.len() > self.urls.len() {
            return Err(surplus("--server-pid"));
        }
        let target = |(index, text): (usize, &String)| {
            let url = parse_url(text)?;
            let address = resolve(&url)?;
            let pids = self.server_pid.get(index).map_or(Vec::new(), |pids| pids.0.clone());
            if let Some(gone) = pids.iter().find(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
                return Err(Failure::new(format!("--server-pid {gone}: there is no such process")));
            }
            let label = self.label.get(index).cloned();
            let label =
                label.unwrap_or_else(|| url.authority().map_or_else(String::new, ToString::to_string));
            Ok(Target { label, url, address, pids })
        };
        self.urls.iter().enumerate().map(target).collect()
    }

    fn measure_all<C: Client>(
        &self,
        client: &C,
        kind: ClientKind,
        targets: &[Target],
        signals: &Signals,
    ) -> Report {
        let amount = Amount {
            requests: self.requests.into(),
            duration: self.duration,
            concurrency: self.concurrency,
            timeout: self.timeout,
        };
        let mut comparisons = Vec::new();
        for target in targets {
            // Long ones first: what short ones leave behind would be in their way. In the report it is the other way.
            let mut measurements: Vec<_> = [Life::Long, Life::Short]
                .into_iter()
                .filter(|_| !signals.have_come())
                .map(|life| run(client, target, life, &amount, signals))
                .collect();
            measurements.reverse();
            comparisons.push(Comparison {
                target: target.clone(),
                source: client.source(target),
                measurements,
            });
        }
        Report { machine: machine(), client: kind, amount, comparisons, interrupted: signals.have_come() }
    }

    fn write(&self, report: &Report, files: Files) -> Result<(), Failure> {
        output::line(terminal_table(&report.comparisons).trim_end())?;
        for (path, file, text) in
            [(&self.output, files.html, html as fn(&Report) -> String), (&self.json, files.json, json)]
        {
            let Some((path, mut file)) = path.as_ref().zip(file) else { continue };
            file.write_all(text(report).as_bytes()).map_err(|error| cannot_write(path, &error))?;
        }
        match &self.output {
            Some(path) => output::line(&format!("The report is in {}.", path.display())),
            None => Ok(()),
        }
    }
}

/// Where the results go.
struct Files {
    html: Option<File>,
    json: Option<File>,
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::new(format!("{}: cannot be written: {error}: choose another file", path.display()))
}

/// A run without a single answer is a failure, and its first reason is why.
fn report_unanswered(report: &Report) -> Outcome {
    for comparison in &report.comparisons {
        if let Some(run) = comparison.measurements.iter().find(|run| run.tally.answered() == 0) {
            let why = run.tally.failures.keys().next().map_or("no answer", String::as_str);
            return Err(Failure::new(format!("{}: no request was answered: {why}", comparison.target.url)));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Warms up, and measures.
fn run<C: Client>(
    client: &C,
    target: &Target,
    life: Life,
    amount: &Amount,
    signals: &Signals,
) -> Measurement {
    let warm_up = Amount { requests: WARM_UP.min(amount.requests), ..*amount };
    measure(client, target, Life::Long, &warm_up, |_| !signals.have_come());
    let progress = Progress::new(&format!("{}, {} connections", target.label, life.name()), amount.requests);
    let measurement = measure(client, target, life, amount, |done| {
        progress.show(done);
        !signals.have_come()
    });
    progress.end();
    measurement
}

pub(super) fn resolve(url: &Uri) -> Result<SocketAddr, Failure> {
    let authority = Authority::of(url).map_err(Failure::new)?;
    let failed = |why: &dyn std::fmt::Display| {
        Failure::with_status(6, format!("{url}: {} cannot be found: {why}", authority.host()))
    };
    let mut addresses =
        (authority.host(), authority.port()).to_socket_addrs().map_err(|error| failed(&error))?;
    addresses.next().ok_or_else(|| failed(&"it has no address"))
}

/// A line that follows a run, where somebody watches; elsewhere a line for each run.
struct Progress {
    what: String,
    all: u64,
    watched: bool,
}

impl Progress {
    fn new(what: &str, all: u64) -> Progress {
        let watched = io::stderr().is_terminal();
        let progress = Progress { what: what.to_owned(), all, watched };
        progress.show(0);
        progress
    }

    fn show(&self, done: u64) {
        if self.watched {
            // Nothing depends on it.
            let _ = write!(io::stderr(), "\r\x1b[K{}: {done} of {}", self.what, self.all);
        }
    }

    fn end(&self) {
        if self.watched {
            let _ = write!(io::stderr(), "\r\x1b[K");
        } else {
            log::info!("{}: done", self.what);
        }
    }
}
