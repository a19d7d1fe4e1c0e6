//! `longwire ss`: the sockets of a running stack.

mod table;

use std::io::{BufWriter, Write};
use std::process::ExitCode;

use clap::Args;

use super::error::Failure;
use super::instances::Whom;
use super::{Outcome, output};
use crate::control::{Line, Question, SocketQuestion, SocketReport};

const EXAMPLES: &str = "\
Examples:
  sudo longwire ss                            every socket of the only longwire that runs
  sudo longwire ss -i --state established     with what TCP knows of each connection
  sudo longwire ss --tun lw0 --port 80 --json | jq '.[].state'

Queues are in bytes: received and not read, written and not acknowledged; for a listener the connections that wait to
be accepted, and the most that may. Windows, too, are in bytes. timer:(WHAT,IN,TRIES): rto and synack (retransmission),
persist, tlp and reorder (loss detection), pace, delack, keepalive, finwait2, timewait.";

/// States with the names that ss has for them.
const STATES: [(&str, &[&str]); 14] = [
    ("established", &["ESTABLISHED"]),
    ("syn-sent", &["SYN-SENT"]),
    ("syn-recv", &["SYN-RECEIVED"]),
    ("fin-wait-1", &["FIN-WAIT-1"]),
    ("fin-wait-2", &["FIN-WAIT-2"]),
    ("time-wait", &["TIME-WAIT"]),
    ("closed", &["CLOSED"]),
    ("close-wait", &["CLOSE-WAIT"]),
    ("last-ack", &["LAST-ACK"]),
    ("listening", &["LISTEN"]),
    ("closing", &["CLOSING"]),
    ("unconnected", &["UNCONNECTED"]),
    ("connected", &CONNECTED),
    ("all", &[]),
];

/// All that are neither listening, closed nor without a peer.
const CONNECTED: [&str; 9] = [
    "SYN-SENT",
    "SYN-RECEIVED",
    "ESTABLISHED",
    "FIN-WAIT-1",
    "FIN-WAIT-2",
    "CLOSE-WAIT",
    "CLOSING",
    "LAST-ACK",
    "TIME-WAIT",
];

/// Shows the sockets of a running longwire
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Ss {
    /// Adds what TCP knows: windows, round-trip times, retransmissions, rates, options
    #[arg(short, long)]
    info: bool,

    /// Writes an array of JSON objects
    #[arg(long)]
    json: bool,

    /// Only sockets in this state, as ss calls it; repeatable
    #[arg(long, value_name = "STATE", value_parser = STATES.map(|(name, _)| name))]
    state: Vec<String>,

    /// Only listeners: --state listening
    #[arg(short, long, conflicts_with = "state")]
    listening: bool,

    /// Only sockets with this port at either end
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,

    /// Only TCP
    #[arg(short, long, conflicts_with = "udp")]
    tcp: bool,

    /// Only UDP
    #[arg(short, long)]
    udp: bool,

    #[command(flatten)]
    whom: Whom,
}

impl Ss {
    pub(super) fn run(&self) -> Outcome {
        let instance = self.whom.find()?;
        let answer = instance.ask(&Question::Sockets(self.question()))?;
        let mut out = BufWriter::new(output::stdout()?);
        let failed = |error| Failure::from_output(&error);
        let mut shown = 0_u64;
        if !self.json {
            writeln!(out, "{}", table::heading()).map_err(failed)?;
        }
        for line in answer {
            let Line::Socket(socket) = line.map_err(|error| instance.explain(&error))? else { continue };
            if self.json {
                let before = if shown == 0 { "[\n" } else { ",\n" };
                write!(out, "{before}{}", json(&socket)?).map_err(failed)?;
            } else {
                writeln!(out, "{}", table::row(&socket)).map_err(failed)?;
                if let Some(tcp) = &socket.tcp {
                    writeln!(out, "\t{}", table::details(tcp)).map_err(failed)?;
                }
            }
            shown += 1;
        }
        if self.json {
            writeln!(out, "{}", if shown == 0 { "[]" } else { "\n]" }).map_err(failed)?;
        }
        out.flush().map_err(failed)?;
        Ok(ExitCode::SUCCESS)
    }

    fn question(&self) -> SocketQuestion {
        let mut names: Vec<&str> = self.state.iter().map(String::as_str).collect();
        if self.listening {
            names.push("listening");
        }
        let states = if names.contains(&"all") { Vec::new() } else { states(&names) };
        let protocol = [(self.tcp, "tcp"), (self.udp, "udp")].into_iter().find(|(asked, _)| *asked);
        SocketQuestion {
            details: self.info || self.json,
            states,
            protocol: protocol.map(|(_, name)| name.to_owned()),
            port: self.port,
            active_within_ms: None,
        }
    }
}

/// RFC 9293's names for those of ss.
fn states(names: &[&str]) -> Vec<String> {
    let matching = STATES.iter().filter(|(name, _)| names.contains(name));
    matching.flat_map(|(_, states)| states.iter().map(|&state| state.to_owned())).collect()
}

fn json(socket: &SocketReport) -> Result<String, Failure> {
    serde_json::to_string(socket).map_err(|error| Failure::new(format!("JSON cannot be written: {error}")))
}

#[cfg(test)]
mod tests {
    use super::super::{Command, CommandLine};
    use super::*;
    use clap::Parser;

    fn question(arguments: &[&str]) -> Result<SocketQuestion, String> {
        let all = ["longwire", "ss"].iter().chain(arguments);
        let parsed = CommandLine::try_parse_from(all).map_err(|error| error.to_string())?;
        let Command::Ss(ss) = parsed.command else { panic!("another command") };
        Ok(ss.question())
    }

    #[test]
    fn without_filters_everything_is_asked_for() {
        assert_eq!(question(&[]).unwrap(), SocketQuestion::default());
        assert_eq!(question(&["--state", "all"]).unwrap(), SocketQuestion::default());
        assert!(question(&["-i"]).unwrap().details && question(&["--json"]).unwrap().details);
    }

    #[test]
    fn filters_have_the_names_of_ss() {
        let states = |arguments: &[&str]| question(arguments).unwrap().states;
        assert_eq!(states(&["-l"]), ["LISTEN"]);
        assert_eq!(states(&["--state", "syn-recv", "--state", "time-wait"]), ["SYN-RECEIVED", "TIME-WAIT"]);
        assert_eq!(states(&["--state", "connected"]).len(), 9);
        let filtered = question(&["-u", "--port", "53"]).unwrap();
        assert_eq!((filtered.protocol.as_deref(), filtered.port), (Some("udp"), Some(53)));
        for wrong in
            [&["--state", "open"][..], &["-t", "-u"], &["--port", "70000"], &["-l", "--state", "closed"]]
        {
            assert!(question(wrong).is_err(), "{wrong:?}");
        }
    }
}
