//! `longwire serve`: the HTTP server in the loop of a stack of its own.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::error::Failure;
use super::open::{self, OpenStack, Role, RunningStack};
use super::options::StackOptions;
use super::signals::Signals;
use super::units::{self, OrOff};
use super::{Outcome, output};
use crate::http::message::HeadLimits;
use crate::serve::{Config, Files, Server, user_timeout};

/// How long the last FINs may take to be acknowledged after that.
const CLOSING: Duration = Duration::from_secs(1);

const EXAMPLES: &str = "\
Examples:
  sudo longwire serve                     a welcome page and the built-in routes at http://10.9.0.2/
  sudo longwire serve ./site              the files in that directory
  sudo longwire serve --echo 7            try: nc 10.9.0.2 7
  sudo longwire serve --port 8080 --pcap serve.pcapng --impair loss=1%,delay=20ms

Ctrl-C lets what is in flight finish, for at most 10 s (--shutdown-timeout), and ends every connection in order; a second one ends at once.";

/// Serves HTTP: the files of a directory, or a welcome page with the built-in routes
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Serve {
    /// The directory to serve; without it a welcome page that explains itself
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,

    /// The port
    #[arg(long, value_name = "PORT", default_value_t = 80, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,

    /// Shows the names in a directory that has no index.html
    #[arg(long, requires = "directory")]
    listing: bool,

    /// Puts the built-in routes behind this prefix, such as /about; with DIR there are none without it
    #[arg(long, value_name = "PREFIX", value_parser = prefix)]
    builtin: Option<String>,

    #[command(flatten)]
    services: SmallServices,

    #[command(flatten)]
    limits: Limits,

    #[command(flatten)]
    stack: StackOptions,
}

/// Services beside HTTP, for trying things out.
#[derive(Debug, Args)]
#[command(next_help_heading = "Small services")]
struct SmallServices {
    /// The echo service (RFC 862), over TCP and UDP
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    echo: Option<u16>,

    /// The discard service (RFC 863)
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    discard: Option<u16>,

    /// The character generator (RFC 864)
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    chargen: Option<u16>,
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

    /// Requests a second of one client address; over it they get 429
    #[arg(long, value_name = "N|off", default_value = "off", value_parser = units::count_or_off)]
    request_rate: OrOff<u32>,

    /// TCP Fast Open: requests that come with the SYN are handled at once, for so many peers that are not confirmed yet
    #[arg(long, value_name = "N|off", default_value = "off", value_parser = units::count_or_off)]
    fast_open: OrOff<u32>,

    /// How long the head of a request may take
    #[arg(long, value_name = "D", default_value = "10s", value_parser = units::duration)]
    header_timeout: Duration,

    /// How long each MiB of a request's body may take
    #[arg(long, value_name = "D", default_value = "60s", value_parser = units::duration)]
    body_timeout: Duration,

    /// Least bytes a second of a request's body, after its first seconds
    #[arg(long, value_name = "SIZE", default_value = "1KiB", value_parser = units::size)]
    body_rate: u32,

    /// How many its first seconds are
    #[arg(long, value_name = "D", default_value = "5s", value_parser = units::duration)]
    body_grace: Duration,

    /// How long a client may take nothing of its answer
    #[arg(long, value_name = "D", default_value = "30s", value_parser = units::duration)]
    send_timeout: Duration,

    /// How long what a client still sends is read after the last answer, so that it is not reset before it has read
    #[arg(long, value_name = "D", default_value = "2s", value_parser = units::duration)]
    linger_timeout: Duration,

    /// Largest body of a request, where it is not streamed
    #[arg(long, value_name = "SIZE", default_value = "1MiB", value_parser = units::size)]
    body_limit: u32,

    /// Longest first line of a request
    #[arg(long, value_name = "SIZE", default_value = "8KiB", value_parser = units::size)]
    line_limit: u32,

    /// Header fields of a request, in bytes
    #[arg(long, value_name = "SIZE", default_value = "64KiB", value_parser = units::size)]
    header_limit: u32,

    /// Header fields of a request, in number
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = units::count)]
    field_limit: u32,

    /// How long answers in flight may take to finish, once the end has been asked for
    #[arg(long, value_name = "D", default_value = "10s", value_parser = units::duration)]
    shutdown_timeout: Duration,
}

impl Serve {
    pub(super) fn run(&self) -> Outcome {
        self.check_ports()?;
        let files = self.directory.as_deref().map(open_directory).transpose()?;
        let opening = OpenStack::open(&self.stack, Role::Server)?;
        let mut signals = Signals::install()?;
        let stack = opening.start()?;
        let ends = ends(&stack, self.port);
        let server = self
            .server(files)
            .start_on(stack.network.shards(), &ends)
            .map_err(|error| Failure::new(format!("{error}: choose another port")))?;
        stack.sources.add(Arc::clone(server.stats()) as _);
        output::line(&ready_line(&ends, &stack.interface))?;

        let watched = server.clone();
        signals.or(move || {
            watched.wait();
        })?;
        signals.wait();
        if !signals.have_come() {
            let interface = &stack.interface;
            return Err(Failure::new(format!(
                "{interface}: the interface has gone, or a loop has failed as the log says: start longwire again"
            )));
        }
        let finishing = self.limits.shutdown_timeout;
        log::info!("ending: answers in flight have {finishing:?}; a second signal ends at once");
        server.shutdown(finishing);
        let cut = server.wait().cut;
        if cut > 0 {
            log::warn!("{cut} connections were not done after {finishing:?} and have been reset");
        }
        stack.network.shutdown(CLOSING);
        Ok(ExitCode::SUCCESS)
    }

    /// No port can have two services.
    fn check_ports(&self) -> Result<(), Failure> {
        let SmallServices { echo, discard, chargen } = self.services;
        let all =
            [("--port", Some(self.port)), ("--echo", echo), ("--discard", discard), ("--chargen", chargen)];
        for (index, (option, port)) in all.iter().enumerate() {
            let taken = all[..index].iter().find(|(_, earlier)| port.is_some() && earlier == port);
            if let (Some((by, _)), Some(port)) = (taken, port) {
                return Err(Failure::new(format!(
                    "{option} {port}: already taken by {by}: choose another port"
                )));
            }
        }
        Ok(())
    }

    fn server(&self, files: Option<Files>) -> Server {
        let mut server = Server::new(self.config());
        // Without a directory there would else be nothing to see.
        if let Some(prefix) = self.builtin.clone().or_else(|| files.is_none().then(String::new)) {
            server = server.builtin(prefix);
        }
        if let Some(files) = files {
            server = server.files(files.listing(self.listing));
        }
        let SmallServices { echo, discard, chargen } = self.services;
        server = echo.into_iter().fold(server, Server::echo);
        server = discard.into_iter().fold(server, Server::discard);
        chargen.into_iter().fold(server, Server::chargen)
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
            body_grace,
            request_rate,
            fast_open,
            send_timeout,
            linger_timeout,
            body_limit,
            line_limit,
            header_limit,
            field_limit,
            shutdown_timeout: _,
        } = self.limits;
        let mut config = Config::default();
        config.http.idle_timeout = idle_timeout.on();
        config.http.max_requests = max_requests.on();
        config.http.header_timeout = header_timeout;
        config.http.body_timeout = body_timeout;
        config.http.body_rate = body_rate;
        config.http.body_rate_grace = body_grace;
        config.http.head = HeadLimits {
            line: line_limit as usize,
            headers: header_limit as usize,
            fields: field_limit as usize,
        };
        config.request_rate = request_rate.on().and_then(NonZeroU32::new);
        config.http.send_timeout = send_timeout;
        config.http.linger_timeout = linger_timeout;
        config.max_connections = max_connections as usize;
        config.max_per_client = max_per_client as usize;
        config.fast_open = fast_open.on().unwrap_or(0) as usize;
        config.body_limit = body_limit as usize;
        config.socket.keep_alive = open::keep_alive(&self.stack, Role::Server);
        config.socket.user_timeout = Some(user_timeout(send_timeout));
        config
    }
}

/// Opens it while we still have all rights: what becomes of its path afterwards makes no difference.
fn open_directory(path: &Path) -> Result<Files, Failure> {
    Files::open(path).map_err(|error| {
        let why = match error.kind() {
            io::ErrorKind::NotFound => "no such directory".to_owned(),
            io::ErrorKind::NotADirectory => "not a directory".to_owned(),
            _ => error.to_string(),
        };
        Failure::new(format!("{}: {why}: name a directory that can be read", path.display()))
    })
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
            "--linger-timeout=10s",
            "--body-limit=9KiB",
            "--body-grace=11s",
            "--line-limit=12",
            "--header-limit=13KiB",
            "--field-limit=14",
            "--request-rate=15",
            "--tcp-keep-alive=1s,2s,3",
            "--fast-open=12",
        ]);
        let config = config.unwrap().config();
        assert_eq!((config.http.idle_timeout, config.http.max_requests), (None, Some(2)));
        assert_eq!((config.max_connections, config.max_per_client, config.fast_open), (3, 4, 12));
        assert_eq!(config.http.header_timeout, Duration::from_secs(5));
        assert_eq!(config.http.body_timeout, Duration::from_secs(6));
        assert_eq!((config.http.body_rate, config.body_limit), (7, 9 * 1024));
        assert_eq!(config.http.send_timeout, Duration::from_secs(8));
        assert_eq!(config.socket.user_timeout, Some(Duration::from_secs(13)), "a little longer than that");
        assert_eq!(config.http.linger_timeout, Duration::from_secs(10));
        assert_eq!(config.http.body_rate_grace, Duration::from_secs(11));
        assert_eq!(config.http.head, HeadLimits { line: 12, headers: 13 * 1024, fields: 14 });
        assert_eq!(config.request_rate.map(NonZeroU32::get), Some(15));
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
    fn no_two_services_share_a_port() {
        let refused = |arguments: &[&str]| {
            let failure = serve(arguments).unwrap().check_ports().unwrap_err();
            failure.message().unwrap().to_owned()
        };
        assert_eq!(refused(&["--echo", "80"]), "--echo 80: already taken by --port: choose another port");
        assert!(
            refused(&["--discard", "9", "--chargen", "9"])
                .starts_with("--chargen 9: already taken by --discard")
        );
        assert!(serve(&["--echo=7", "--discard=9", "--chargen=19"]).unwrap().check_ports().is_ok());
    }

    #[test]
    fn a_directory_that_cannot_be_served_is_named() {
        let missing = open_directory(Path::new("/no/such/directory")).unwrap_err();
        assert!(missing.message().unwrap().starts_with("/no/such/directory: no such"), "{missing:?}");
        let file =
            open_directory(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml").as_path()).unwrap_err();
        assert!(file.message().unwrap().contains("not a directory"), "{file:?}");
        assert!(serve(&["--listing"]).is_err(), "of what?");
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
