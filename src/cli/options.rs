//! The options of every subcommand that opens a stack.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::units::{self, OrOff};
use crate::device::{LinkConfig, TunName};
use crate::net::{Cidr, KeepAlive};
use crate::tcp::Algorithm;

/// Keep-alive as it is typed.
pub(super) type KeepAliveOption = OrOff<KeepAlive>;

/// What a stack is to be.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Options of the stack")]
pub(super) struct StackOptions {
    /// The TUN interface. It is made, addressed and brought up here, and gone when the command ends; one that exists
    /// already keeps what it has [default: lw0 for serve, else the first free lwN]
    #[arg(long, value_name = "NAME")]
    pub(super) tun: Option<TunName>,

    /// An address of the kernel on the interface; repeatable [default: 10.9.N.1/24 and fd09:0:0:N::1/64 on lwN]
    #[arg(long, value_name = "CIDR")]
    pub(super) host: Vec<Cidr>,

    /// An address of the stack; repeatable [default: 10.9.N.2/24 and fd09:0:0:N::2/64 on lwN]
    #[arg(long, value_name = "CIDR")]
    pub(super) address: Vec<Cidr>,

    /// A further prefix that the kernel sends to the interface; repeatable
    #[arg(long, value_name = "CIDR")]
    pub(super) route: Vec<Cidr>,

    /// The largest packet in bytes: 576 (1280 with IPv6) to 65535
    #[arg(long, value_name = "N", default_value_t = 1500, value_parser = clap::value_parser!(u16).range(576..))]
    pub(super) mtu: u16,

    /// Super-packets of up to 64 KiB through the interface
    #[arg(long, value_enum, default_value_t = Offload::Auto)]
    pub(super) offload: Offload,

    /// Queues of the interface: a loop and a stack for each, each with its part of the connections, for as many processors
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(super) queues: u16,

    /// How the stack's connections control congestion
    #[arg(long, value_enum, default_value_t = Congestion::Cubic)]
    pub(super) congestion: Congestion,

    /// Probing of idle peers: the first probe after IDLE, COUNT of them every INTERVAL, then the connection is
    /// ended; or off [default: 15s,5s,3 for serve, else off]
    #[arg(long, value_name = "IDLE,INTERVAL,COUNT|off", value_parser = units::keep_alive)]
    pub(super) tcp_keep_alive: Option<KeepAliveOption>,

    /// Maximum segment lifetime; TIME-WAIT lasts twice that
    #[arg(long, value_name = "D", default_value = "30s", value_parser = units::duration)]
    pub(super) msl: Duration,

    /// Least retransmission time-out
    #[arg(long, value_name = "D", default_value = "200ms", value_parser = units::duration)]
    pub(super) min_rto: Duration,

    /// Most sockets of all kinds; what is refused over that is counted
    #[arg(long, value_name = "N", default_value_t = 4_000_000, value_parser = units::count)]
    pub(super) max_sockets: u32,

    /// Most memory for buffers and sockets; what is refused over that is counted [default: half of the machine's]
    #[arg(long, value_name = "SIZE", value_parser = units::memory)]
    pub(super) memory: Option<u64>,

    /// Faults on the wire side, both ways: delay=20ms,jitter=2ms,loss=1%,reorder=0.1%,duplicate=…,corrupt=…,seed=N
    #[arg(long, value_name = "FAULTS")]
    pub(super) impair: Option<LinkConfig>,

    /// Writes every packet, both ways, to a pcapng file; Wireshark reads it while it grows
    #[arg(long, value_name = "FILE")]
    pub(super) pcap: Option<PathBuf>,

    /// Where 'longwire ss', 'top' and 'metrics' ask; only the user that the process becomes may, and root
    /// [default: /run/longwire/NAME.sock, for ordinary users $XDG_RUNTIME_DIR/longwire/NAME.sock]
    #[arg(long, value_name = "PATH")]
    pub(super) control: Option<PathBuf>,

    #[command(flatten)]
    pub(super) user: UserOption,
}

/// Who the process becomes.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct UserOption {
    /// The user that the process becomes once everything that needs rights is open; root keeps root
    /// [default: $SUDO_USER, else nobody]
    #[arg(long = "user", value_name = "NAME")]
    pub(super) name: Option<String>,
}

/// Whether super-packets are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Offload {
    /// Where they are possible.
    Auto,
    /// Or else fail.
    On,
    /// Not at all.
    Off,
}

/// The congestion controllers by their names on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Congestion {
    /// As Linux, Windows and macOS send (RFC 9438)
    Cubic,
    /// RFC 5681 and RFC 6582
    Newreno,
    /// By a model of the path instead of by losses, version 3 (draft-ietf-ccwg-bbr-06)
    Bbr,
}

impl From<Congestion> for Algorithm {
    fn from(congestion: Congestion) -> Algorithm {
        match congestion {
            Congestion::Cubic => Algorithm::Cubic,
            Congestion::Newreno => Algorithm::NewReno,
            Congestion::Bbr => Algorithm::Bbr,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Only {
        #[command(flatten)]
        stack: StackOptions,
    }

    /// The options that `arguments` give.
    pub(crate) fn options(arguments: &[&str]) -> Result<StackOptions, String> {
        let arguments = ["longwire"].iter().chain(arguments);
        Only::try_parse_from(arguments).map(|only| only.stack).map_err(|error| error.to_string())
    }

    #[test]
    fn the_defaults_are_those_of_the_documentation() {
        let options = options(&[]).unwrap();
        assert_eq!(options.tun, None);
        assert_eq!((options.mtu, options.offload, options.queues), (1_500, Offload::Auto, 1));
        assert_eq!(options.congestion, Congestion::Cubic);
        assert_eq!(options.tcp_keep_alive, None);
        assert_eq!((options.msl, options.min_rto), (Duration::from_secs(30), Duration::from_millis(200)));
        assert_eq!(options.max_sockets, 4_000_000);
        let stack = crate::net::Config::new(Vec::new());
        assert_eq!((options.msl, options.min_rto), (stack.tcp.msl, stack.tcp.min_rto), "as the library's");
        assert_eq!(options.max_sockets as usize, stack.max_sockets);
        assert_eq!(Algorithm::from(options.congestion), stack.tcp.congestion);
    }

    #[test]
    fn addresses_and_routes_may_be_repeated() {
        let options =
            options(&["--address", "10.1.0.2/16", "--address", "fd00::2/64", "--route", "10.2.0.0/16"]);
        let options = options.unwrap();
        assert_eq!(options.address.len(), 2);
        assert_eq!(options.route[0].to_string(), "10.2.0.0/16");
    }

    #[test]
    fn wrong_values_are_named_with_what_was_expected() {
        for (arguments, words) in [
            (["--mtu", "575"], "575 is not in 576..=65535"),
            (["--mtu", "65536"], "65536 is not in 576..=65535"),
            (["--address", "10.9.0.2"], "has no prefix length"),
            (["--host", "10.9.0.2/33"], "from 0 to 32"),
            (["--tun", "a b"], "no name for an interface"),
            (["--congestion", "vegas"], "cubic, newreno, bbr"),
            (["--offload", "perhaps"], "auto, on, off"),
            (["--queues", "0"], "0 is not in 1..=256"),
            (["--queues", "257"], "257 is not in 1..=256"),
            (["--msl", "0s"], "not a duration"),
            (["--impair", "loss=2"], "not a percentage"),
            (["--tcp-keep-alive", "15s"], "IDLE,INTERVAL,COUNT"),
            (["--max-sockets", "0"], "not a number from 1"),
            (["--memory", "1MiB"], "not a size from 16MiB"),
        ] {
            let error = options(&arguments).unwrap_err();
            assert!(error.contains(words), "{arguments:?}: {error}");
        }
    }
}
