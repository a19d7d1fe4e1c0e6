//! `longwire ladder`: a capture as a time-sequence diagram.

use std::fs::File;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::error::Failure;
use super::{Outcome, output, units};
use crate::ladder::{Analysis, Connection, Filter, Limits, Names, ReadError, Selection, analyse, draw};

const EXAMPLES: &str = "\
Examples:
  longwire ladder life.pcapng -o life.svg             every connection of a capture, one below the other
  longwire ladder life.pcapng --list                  what there is in it
  longwire ladder life.pcapng --connection 3 -o 3.svg
  longwire ladder life.pcapng --filter 10.9.0.1:41001 --name 10.9.0.1=curl --name 10.9.0.2=longwire >life.svg

Captures come from --pcap, tcpdump -w, dumpcap or Wireshark. Times are those of the capture, so an arrow's slope says
nothing of how long it was on its way.";

/// Draws the TCP connections of a capture as a time-sequence diagram, in SVG
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Ladder {
    /// The capture: pcapng or pcap
    #[arg(value_name = "FILE")]
    capture: PathBuf,

    /// Writes the diagram to FILE [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Draws the connection with this number, as --list and the headings have it; repeatable
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    connection: Vec<u64>,

    /// Draws connections with an end like this: an address, a port, or both; repeatable
    #[arg(long, value_name = "[ADDRESS][:PORT]")]
    filter: Vec<Filter>,

    /// Writes a line about each connection to standard output instead
    #[arg(long, conflicts_with = "output")]
    list: bool,

    /// What an end is called in the diagram; repeatable
    #[arg(long, value_name = "ADDRESS[:PORT]=NAME", value_parser = parse_name)]
    name: Vec<(Named, String)>,

    /// Most connections in the diagram
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = units::count)]
    most: u32,

    /// Most rows of a connection; what is over that is left out of its middle
    #[arg(long, value_name = "N", default_value_t = 150, value_parser = clap::value_parser!(u32).range(12..=100_000))]
    rows: u32,
}

/// What gets a name.
#[derive(Clone, Copy, Debug)]
enum Named {
    Address(IpAddr),
    End(SocketAddr),
}

fn parse_name(text: &str) -> Result<(Named, String), String> {
    let wrong = || "not ADDRESS=NAME such as 10.9.0.2=longwire".to_owned();
    let (end, name) = text.split_once('=').ok_or_else(wrong)?;
    let address = end.parse().map(Named::Address).or_else(|_| end.parse().map(Named::End));
    Ok((address.map_err(|_| wrong())?, name.to_owned()))
}

/// Connections that `--list` has a line for, at most.
const MOST_LISTED: usize = 10_000;

impl Ladder {
    pub(super) fn run(&self) -> Outcome {
        let (analysis, cut_off) = self.read()?;
        if analysis.connections.is_empty() {
            let failure = cut_off.unwrap_or_else(|| self.nothing_to_draw(&analysis));
            return Err(failure);
        }
        if self.list {
            self.write_list(&analysis.connections)?;
        } else {
            let remark = cut_off.as_ref().and_then(|failure| failure.message());
            self.write(draw(&analysis, &self.names(), remark).as_bytes())?;
        }
        cut_off.map_or(Ok(ExitCode::SUCCESS), Err)
    }

    /// What the file holds; and why not all of it, if it is cut off.
    fn read(&self) -> Result<(Analysis, Option<Failure>), Failure> {
        let path = self.capture.display();
        let file = File::open(&self.capture)
            .map_err(|error| Failure::new(format!("{path}: cannot be read: {error}: name a capture")))?;
        let selection = Selection { numbers: self.connection.clone(), filters: self.filter.clone() };
        let limits = if self.list {
            Limits { connections: MOST_LISTED, rows: 0 }
        } else {
            Limits { connections: self.most as usize, rows: self.rows as usize }
        };
        match analyse(file, selection, limits) {
            Ok(analysis) => Ok((analysis, None)),
            Err(error) => {
                let failure = Failure::new(format!("{path}: {error}{}", advice(&error)));
                match error {
                    ReadError::CutOff { so_far, .. } => Ok((*so_far, Some(failure))),
                    _ => Err(failure),
                }
            }
        }
    }

    fn nothing_to_draw(&self, analysis: &Analysis) -> Failure {
        let path = self.capture.display();
        let Analysis { seen, packets, unreadable, .. } = analysis;
        match seen {
            0 => Failure::new(format!(
                "{path}: no TCP connection in {packets} packets ({unreadable} of them not readable)"
            )),
            seen => Failure::new(format!(
                "{path}: none of its {seen} connections is meant by --connection and --filter: --list shows them"
            )),
        }
    }

    fn names(&self) -> Names {
        let mut names = Names::default();
        for (end, name) in &self.name {
            match end {
                Named::Address(address) => names.address(*address, name),
                Named::End(end) => names.end(*end, name),
            }
        }
        names
    }

    fn write_list(&self, connections: &[Connection]) -> Result<(), Failure> {
        let lines: String = connections.iter().map(|connection| format!("{connection}\n")).collect();
        self.write(lines.as_bytes())
    }

    fn write(&self, bytes: &[u8]) -> Result<(), Failure> {
        match &self.output {
            None => output::stdout()?.write_all(bytes).map_err(|error| Failure::from_output(&error)),
            Some(path) => write_file(path, bytes),
        }
    }
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    std::fs::write(path, bytes).map_err(|error| {
        Failure::new(format!("{}: cannot be written: {error}: choose another file with -o", path.display()))
    })
}

/// What to do about a file that could not be read.
fn advice(error: &ReadError) -> &'static str {
    match error {
        ReadError::NotACapture => ": --pcap, tcpdump -w and dumpcap write such files",
        ReadError::Empty { link_types } if !link_types.is_empty() => {
            ": capture on an Ethernet or TUN interface, or on any"
        }
        ReadError::Empty { .. } | ReadError::CutOff { .. } | ReadError::Io(_) => "",
    }
}
