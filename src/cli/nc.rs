//! `longwire nc`: netcat.

mod pump;
mod tcp;
mod udp;

use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory};

use super::error::Failure;
use super::open::{OpenStack, Role};
use super::options::StackOptions;
use super::signals::Signals;
use super::units::{self, OrOff};
use super::{CommandLine, Outcome};

/// How long what was written may take to arrive, at the end.
const CLOSING: Duration = Duration::from_secs(5);

/// How long it may take when somebody has pressed Ctrl-C.
const CLOSING_ON_SIGNAL: Duration = Duration::from_secs(1);

const EXAMPLES: &str = "\
Examples:
  sudo longwire nc 10.9.0.1 7000              to a server on this host, such as 'nc -l 7000'
  sudo longwire nc 10.9.0.1 7000 <file        sends the file, then closes its direction
  sudo longwire nc --tun lw5 -l 7000          waits for 'nc 10.9.5.2 7000'
  sudo longwire nc -u 10.9.0.1 7000           UDP; ends a second after the last answer

Ends when both directions have ended; at a terminal, when the peer has closed its own.";

/// Netcat: standard input to a peer, and what the peer sends to standard output
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, override_usage = "longwire nc [OPTIONS] HOST PORT\n       longwire nc [OPTIONS] -l PORT")]
pub(super) struct Nc {
    /// HOST and PORT of the peer; with -l our own PORT
    #[arg(value_name = "HOST PORT", required = true, num_args = 1..=2)]
    end: Vec<String>,

    /// Waits for a peer instead of going to one
    #[arg(short, long)]
    listen: bool,

    /// With -l: waits for another peer when one has ended
    #[arg(short, long, requires = "listen")]
    keep: bool,

    /// UDP: what is read at once goes as one datagram
    #[arg(short, long)]
    udp: bool,

    /// How long connecting may take
    #[arg(long, value_name = "D|off", default_value = "10s", value_parser = units::duration_or_off)]
    connect_timeout: OrOff<Duration>,

    #[command(flatten)]
    stack: StackOptions,
}

impl Nc {
    pub(super) fn run(&self) -> Outcome {
        let (host, port) = self.host_and_port().unwrap_or_else(|words| wrong_usage(words));
        let opening = OpenStack::open(&self.stack, Role::Client)?;
        let signals = Signals::install()?;
        let stack = opening.start()?;
        let network = stack.network.clone();
        let watch = signals.end_with(move |status| {
            network.shutdown(CLOSING_ON_SIGNAL);
            status
        })?;
        let result = match (host, self.udp) {
            (Some(host), false) => tcp::connect(&stack, host, port, self.connect_timeout.on()),
            (Some(host), true) => udp::connect(&stack, host, port, self.stack.mtu),
            (None, false) => tcp::listen(&stack, port, self.keep),
            (None, true) => udp::listen(&stack, port, self.keep, self.stack.mtu),
        };
        watch.leave_the_end_to_it();
        stack.network.shutdown(CLOSING);
        result.map(|()| ExitCode::SUCCESS)
    }

    /// The host, if we are to go to one, and the port.
    fn host_and_port(&self) -> Result<(Option<&str>, u16), &'static str> {
        let (host, port) = match (&self.end[..], self.listen) {
            ([port], true) => (None, port),
            ([host, port], false) => (Some(host.as_str()), port),
            (_, true) => return Err("-l takes a PORT and nothing else"),
            (_, false) => return Err("HOST and PORT are needed"),
        };
        let port = port.parse().ok().filter(|port| *port > 0).ok_or("PORT is a number from 1 to 65535")?;
        Ok((host, port))
    }
}

fn wrong_usage(words: &str) -> ! {
    let mut all = CommandLine::command();
    // Only then does it know what its usage is called.
    all.build();
    let command = all.find_subcommand_mut("nc").expect("this very one");
    command.error(ErrorKind::ValueValidation, words).exit()
}

/// The words for a failure of the connection with `peer`.
fn broken(peer: &dyn std::fmt::Display, error: &std::io::Error) -> Failure {
    Failure::new(format!("{peer}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn host_and_port(arguments: &[&str]) -> Result<(Option<String>, u16), String> {
        let all = ["longwire", "nc"].iter().chain(arguments);
        let parsed = CommandLine::try_parse_from(all).map_err(|error| error.to_string())?;
        let super::super::Command::Nc(nc) = parsed.command else { panic!("another command") };
        nc.host_and_port().map(|(host, port)| (host.map(str::to_owned), port)).map_err(str::to_owned)
    }

    #[test]
    fn a_peer_or_a_port_to_listen_on() {
        assert_eq!(host_and_port(&["h", "7"]), Ok((Some("h".into()), 7)));
        assert_eq!(host_and_port(&["-l", "7"]), Ok((None, 7)));
        assert_eq!(host_and_port(&["-lk", "7"]), Ok((None, 7)));
        assert_eq!(host_and_port(&["-u", "-l", "-k", "7"]), Ok((None, 7)));
        for wrong in [&["h"][..], &["-l", "h", "7"], &["h", "0"], &["h", "x"], &["-k", "h", "7"], &[]] {
            assert!(host_and_port(wrong).is_err(), "{wrong:?}");
        }
    }
}
