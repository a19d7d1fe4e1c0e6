//! `longwire serve`: the HTTP server in the loop of a stack of its own.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::error::Failure;
use super::open::{self, OpenStack, Role, RunningStack};
use super::options::StackOptions;
use super::signals::Signals;
use super::units::{self, OrOff};
use super::{Outcome, output};
use crate::serve::{Config, Server};

/// How long answers in flight may take to finish, once the end has been asked for.
const FINISHING: Duration = Duration::from_secs(10);

/// How long the last FINs may take to be acknowledged after that.
const CLOSING: Duration = Duration::from_secs(1);

const EXAMPLES: &str = "\
Examples:
  sudo longwire serve                     a welcome page and the built-in routes at http://10.9.0.2/
  sudo longwire serve --port 8080 --pcap serve.pcapng --impair loss=1%,delay=20ms

Ctrl-C lets what is in flight finish, for at most 10 s, and ends every connection in order; a second one ends at once.";

/// Serves HTTP: a welcome page with the built-in routes
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Serve {
    /// The port
    #[arg(long, value_name = "PORT", default_value_t = 80, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,

    /// Puts the built-in routes behind this prefix, such as /about
    #[arg(long, value_name = "PREFIX", value_parser = prefix)]
    builtin: Option<String>,

    #[command(flatten)]
    limits: Limits,

    #[command(flatten)]
    stack: StackOptions,
}

/// What a server allows its clients.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits of the server")]
struct Limits {
    /// How long a long connection may be idle between two requests
    #[arg(long, value_name = "D|off", default_value = "60s", value_parser = units::duration_or_off)]
    idle_timeout: OrOff<Duration>,

    /// Requests on one connection
    #[arg(long, value_name = "N|off", default_value = "1000", value_parser = units::count_or_off)]
    max_requests: OrOff<u32>,

    /// Connections at once; near it the longest idle go first, over it a new one gets 503
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = units::count)]
    max_connections: u32,

    /// Connections at once of one client address
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = units::count)]
    max_per_client: u32,

    /// How long the head of a request may take
    #[arg(long, value_name = "D", default_value = "10s", value_parser = units::duration)]
    header_timeout: Duration,

    /// How long each MiB of a request's body may take
    #[arg(long, value_name = "D", default_value = "60s", value_parser = units::duration)]
    body_timeout: Duration,

    /// Least bytes a second of a request's body, after its first 5 s
    #[arg(long, value_name = "SIZE", default_value = "1KiB", value_parser = units::size)]
    body_rate: u32,

    /// How long a client may take nothing of its answer
    #[arg(long, value_name = "D", default_value = "30s", value_parser = units::duration)]
    send_timeout: Duration,

    /// Largest body of a request, where it is not streamed
    #[arg(long, value_name = "SIZE", default_value = "1MiB", value_parser = units::size)]
    body_limit: u32,
}

impl Serve {
    pub(super) fn run(&self) -> Outcome {
        let opening = OpenStack::open(&self.stack, Role::Server)?;
        let mut signals = Signals::install()?;
        let stack = opening.start()?;
        let ends = ends(&stack, self.port);
        let server = Server::new(self.config())
            .builtin(self.builtin.clone().unwrap_or_default())
            .start(stack.network.shared(), &ends)
            .map_err(|error| Failure::new(format!("{error}: choose another port with --port")))?;
        output::line(&ready_line(&ends, &stack.interface))?;

        signals.wait();
        log::info!("ending: answers in flight have {FINISHING:?}; a second signal ends at once");
        server.shutdown(FINISHING);
        let cut = server.wait().cut;
        if cut > 0 {
            log::warn!("{cut} connections were not done after {FINISHING:?} and have been reset");
        }
        stack.network.shutdown(CLOSING);
        Ok(ExitCode::SUCCESS)
    }

    fn config(&self) -> Config {
        let Limits {
            idle_timeout,
            max_requests,
            max_connections,
            max_per_client,
            header_timeout,
            body_timeout,
            body_rate,
            send_timeout,
            body_limit,
        } = self.limits;
        let mut config = Config::default();
        config.http.idle_timeout = idle_timeout.on();
        config.http.max_requests = max_requests.on();
        config.http.header_timeout = header_timeout;
        config.http.body_timeout = body_timeout;
        config.http.body_rate = body_rate;
        config.http.send_timeout = send_timeout;
        config.max_connections = max_connections as usize;
        config.max_per_client = max_per_client as usize;
        config.body_limit = body_limit as usize;
        config.socket.keep_alive = open::keep_alive(&self.stack, Role::Server);
        config
    }
}

/// `port` on each of the stack's addresses.
fn ends(stack: &RunningStack, port: u16) -> Vec<SocketAddr> {
    stack.addresses.iter().map(|cidr| SocketAddr::new(cidr.address, port)).collect()
}

/// The one line that says that, where and until when.
fn ready_line(ends: &[SocketAddr], interface: &str) -> String {
    let urls: Vec<_> = ends.iter().map(|end| url(*end)).collect();
    format!("longwire: serving {} on {interface} (Ctrl-C stops)", urls.join(" and "))
}

fn url(end: SocketAddr) -> String {
    match (end.port(), end) {
        (80, SocketAddr::V4(end)) => format!("http://{}/", end.ip()),
        (80, SocketAddr::V6(end)) => format!("http://[{}]/", end.ip()),
        _ => format!("http://{end}/"),
    }
}

/// `/about`, however its slashes are typed; a prefix of nothing is no prefix.
fn prefix(text: &str) -> Result<String, String> {
    let inner = text.trim_matches('/');
    if inner.is_empty() {
        return Ok(String::new());
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~/".contains(c);
    match inner.chars().all(is_plain) {
        true => Ok(format!("/{inner}")),
        false => Err("not a path such as /about".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Command, CommandLine};
    use super::*;
    use clap::Parser;

    fn serve(arguments: &[&str]) -> Result<Serve, String> {
        let all = ["longwire", "serve"].iter().chain(arguments);
        let parsed = CommandLine::try_parse_from(all).map_err(|error| error.to_string())?;
        let Command::Serve(serve) = parsed.command else { panic!("another command") };
        Ok(*serve)
    }

    #[test]
    fn the_defaults_are_the_librarys() {
        let (ours, library) = (serve(&[]).unwrap().config(), Config::default());
        assert_eq!(format!("{ours:?}"), format!("{library:?}"));
    }

    #[test]
    fn each_limit_reaches_the_server() {
        let config = serve(&[
            "--idle-timeout=off",
            "--max-requests=2",
            "--max-connections=3",
            "--max-per-client=4",
            "--header-timeout=5s",
            "--body-timeout=6s",
            "--body-rate=7",
            "--send-timeout=8s",
            "--body-limit=9KiB",
            "--tcp-keep-alive=1s,2s,3",
        ]);
        let config = config.unwrap().config();
        assert_eq!((config.http.idle_timeout, config.http.max_requests), (None, Some(2)));
        assert_eq!((config.max_connections, config.max_per_client), (3, 4));
        assert_eq!(config.http.header_timeout, Duration::from_secs(5));
        assert_eq!(config.http.body_timeout, Duration::from_secs(6));
        assert_eq!((config.http.body_rate, config.body_limit), (7, 9 * 1024));
        assert_eq!(config.http.send_timeout, Duration::from_secs(8));
        assert_eq!(config.socket.keep_alive.unwrap().count, 3);
    }

    #[test]
    fn the_ready_line_has_a_url_for_each_address() {
        let ends = ["10.9.0.2:80".parse().unwrap(), "[fd09::2]:80".parse().unwrap()];
        let line = "longwire: serving http://10.9.0.2/ and http://[fd09::2]/ on lw0 (Ctrl-C stops)";
        assert_eq!(ready_line(&ends, "lw0"), line);
        assert_eq!(url("10.9.0.2:8080".parse().unwrap()), "http://10.9.0.2:8080/");
        assert_eq!(url("[fd09::2]:8080".parse().unwrap()), "http://[fd09::2]:8080/");
    }

    #[test]
    fn prefixes_and_wrong_values() {
        assert_eq!(serve(&["--builtin", "about/"]).unwrap().builtin.as_deref(), Some("/about"));
        assert_eq!(serve(&["--builtin", "/"]).unwrap().builtin.as_deref(), Some(""));
        for wrong in [["--builtin", "a b"], ["--port", "0"], ["--max-requests", "0"], ["--body-rate", "x"]] {
            assert!(serve(&wrong).is_err(), "{wrong:?}");
        }
    }
}
