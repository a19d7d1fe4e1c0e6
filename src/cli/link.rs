//! `longwire link`: a link between two TUN interfaces that loses, delays and reorders.

use std::os::fd::AsFd;
use std::process::ExitCode;

use clap::Args;

use super::error::Failure;
use super::options::UserOption;
use super::privileges::Target;
use super::signals::Signals;
use super::{Outcome, output};
use crate::device::{LinkConfig, LinkCounters, LinkEmulator, TunName};
use crate::driver::Clock;

const EXAMPLES: &str = "\
Example, two namespaces with a bad link between them:
  sudo ip netns add left; sudo ip netns add right
  sudo longwire link --a left/tun0 --b right/tun0 --delay 20ms --loss 2% &
  sudo ip -n left address add 10.8.0.1/24 dev tun0; sudo ip -n right address add 10.8.0.2/24 dev tun0
  sudo ip netns exec left ping 10.8.0.2

The interfaces are brought up without addresses, and are gone when this ends (Ctrl-C).";

/// Joins two TUN interfaces by an emulated link
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct LinkCommand {
    /// One end: an interface that is made if need be, in a network namespace if one is named
    #[arg(long, value_name = "[NETNS/]TUN")]
    a: TunName,

    /// The other end
    #[arg(long, value_name = "[NETNS/]TUN")]
    b: TunName,

    #[command(flatten)]
    faults: Faults,

    /// Options of the direction from A to B alone, over those of both: delay=5ms,loss=1%,…
    #[arg(long, value_name = "OPTIONS", value_parser = parse_options)]
    a_to_b: Option<String>,

    /// Likewise from B to A
    #[arg(long, value_name = "OPTIONS", value_parser = parse_options)]
    b_to_a: Option<String>,

    /// The largest packet in bytes
    #[arg(long, value_name = "N", default_value_t = 1500, value_parser = clap::value_parser!(u16).range(576..))]
    mtu: u16,

    #[command(flatten)]
    user: UserOption,
}

/// What happens to packets, in each direction alike.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "The link, each direction alike")]
struct Faults {
    /// Time on the way: 20ms
    #[arg(long, value_name = "D", value_parser = link_option("delay"))]
    delay: Option<String>,

    /// The delay varies by up to this much either way: 2ms
    #[arg(long, value_name = "D", value_parser = link_option("jitter"))]
    jitter: Option<String>,

    /// Packets lost: 1%
    #[arg(long, value_name = "PERCENT", value_parser = link_option("loss"))]
    loss: Option<String>,

    /// Packets held back, so that later ones overtake: 0.1%
    #[arg(long, value_name = "PERCENT", value_parser = link_option("reorder"))]
    reorder: Option<String>,

    /// Packets delivered twice: 0.1%
    #[arg(long, value_name = "PERCENT", value_parser = link_option("duplicate"))]
    duplicate: Option<String>,

    /// Packets with one bit flipped: 0.01%
    #[arg(long, value_name = "PERCENT", value_parser = link_option("corrupt"))]
    corrupt: Option<String>,

    /// Speed of the transmitter: 10mbit
    #[arg(long, value_name = "RATE", value_parser = link_option("rate"))]
    rate: Option<String>,

    /// What may wait for the transmitter: 100 packets, or 64KiB
    #[arg(long, value_name = "LIMIT", value_parser = link_option("queue"), requires = "rate")]
    queue: Option<String>,

    /// A queue longer than this marks packets instead of losing them, where they are ECN-capable
    #[arg(long, value_name = "LIMIT", value_parser = link_option("ecn"), requires = "rate")]
    ecn: Option<String>,

    /// Seed of all chances
    #[arg(long, value_name = "N", value_parser = link_option("seed"))]
    seed: Option<String>,
}

impl LinkCommand {
    pub(super) fn run(&self) -> Outcome {
        let (a_to_b, b_to_a) = self.directions()?;
        if self.a == self.b {
            return Err(Failure::new(format!(
                "{}: a link needs two interfaces: name another one with --b",
                self.a
            )));
        }
        let target = Target::find(&self.user)?;
        let mut link =
            LinkEmulator::open(&self.a, &self.b, self.mtu, a_to_b, b_to_a).map_err(Failure::new)?;
        let signals = Signals::install()?;
        let user = target.name();
        target.assume()?;
        log::info!("A to B: {}; B to A: {}; running as {user}", shown(&a_to_b), shown(&b_to_a));
        output::line(&format!("longwire: link between {} and {} (Ctrl-C stops)", self.a, self.b))?;
        let clock = Clock::start();
        link.run(|| clock.now(), signals.as_fd()).map_err(|error| {
            Failure::new(format!("the link between {} and {} is gone: {error}", self.a, self.b))
        })?;
        let (a_to_b, b_to_a) = link.counters();
        output::line(&format!("A to B: {}\nB to A: {}", counted(a_to_b), counted(b_to_a)))?;
        Ok(ExitCode::SUCCESS)
    }

    /// The two directions: what both have, then what each has of its own.
    fn directions(&self) -> Result<(LinkConfig, LinkConfig), Failure> {
        let both = self.faults.config()?;
        let with = |mut config: LinkConfig, own: &Option<String>| {
            for (option, value) in own.iter().flat_map(|list| options_of(list)) {
                config.set(option, value).map_err(Failure::new)?;
            }
            config.check().map_err(Failure::new)?;
            Ok::<_, Failure>(config)
        };
        Ok((with(both, &self.a_to_b)?, with(both.reversed(), &self.b_to_a)?))
    }
}

impl Faults {
    fn config(&self) -> Result<LinkConfig, Failure> {
        let Faults { delay, jitter, loss, reorder, duplicate, corrupt, rate, queue, ecn, seed } = self;
        let mut config = LinkConfig::default();
        for (option, value) in [
            ("delay", delay),
            ("jitter", jitter),
            ("loss", loss),
            ("reorder", reorder),
            ("duplicate", duplicate),
            ("corrupt", corrupt),
            ("rate", rate),
            ("queue", queue),
            ("ecn", ecn),
            ("seed", seed),
        ] {
            if let Some(value) = value {
                config.set(option, value).map_err(Failure::new)?;
            }
        }
        Ok(config)
    }
}

/// Checks the value of one option while the command line is read.
fn link_option(option: &'static str) -> impl Fn(&str) -> Result<String, String> + Clone {
    move |value| match LinkConfig::default().set(option, value) {
        Ok(()) => Ok(value.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Checks a list of options while the command line is read; whether they go together is seen later.
fn parse_options(list: &str) -> Result<String, String> {
    let mut config = LinkConfig::default();
    for (option, value) in options_of(list) {
        config.set(option, value).map_err(|error| error.to_string())?;
    }
    Ok(list.to_owned())
}

fn options_of(list: &str) -> impl Iterator<Item = (&str, &str)> {
    let parts = list.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| part.split_once('=').unwrap_or((part, "")))
}

fn shown(config: &LinkConfig) -> String {
    let text = config.to_string();
    if text.is_empty() { "no faults".to_owned() } else { text }
}

fn counted(counters: &LinkCounters) -> String {
    counters.to_string()
}

#[cfg(test)]
mod tests {
    use super::super::{Command, CommandLine};
    use super::*;
    use clap::Parser;

    fn directions(arguments: &[&str]) -> Result<(String, String), String> {
        let all = ["longwire", "link", "--a", "x/t0", "--b", "t1"].iter().chain(arguments);
        let parsed = CommandLine::try_parse_from(all).map_err(|error| error.to_string())?;
        let Command::Link(link) = parsed.command else { panic!("another command") };
        let (a_to_b, b_to_a) = link.directions().map_err(|failure| failure.message().unwrap().to_owned())?;
        Ok((a_to_b.to_string(), LinkConfig { seed: 0, ..b_to_a }.to_string()))
    }

    #[test]
    fn both_directions_are_alike_unless_one_is_told_otherwise() {
        let alike = directions(&["--delay", "20ms", "--loss", "2%"]).unwrap();
        assert_eq!(alike, ("delay=20ms,loss=2%".into(), "delay=20ms,loss=2%".into()));
        let different = directions(&["--delay", "20ms", "--a-to-b", "delay=1ms,rate=1mbit"]).unwrap();
        assert_eq!(different, ("delay=1ms,rate=1000000bit".into(), "delay=20ms".into()));
    }

    #[test]
    fn wrong_values_are_found_while_reading() {
        assert!(directions(&["--loss", "2"]).unwrap_err().contains("not a percentage"));
        assert!(directions(&["--a-to-b", "speed=1"]).unwrap_err().contains("no option is called 'speed'"));
        assert!(directions(&["--queue", "10"]).unwrap_err().contains("--rate"));
        assert!(directions(&["--a-to-b", "queue=10"]).unwrap_err().contains("needs a rate"));
    }
}
