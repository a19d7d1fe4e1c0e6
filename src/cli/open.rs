//! From options to a running stack: device, interface, wrappers, and then without rights.

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::control_socket;
use super::error::Failure;
use super::neighbours;
use super::options::{Offload, StackOptions};
use super::plan::{Interface, Plan};
use super::privileges::Target;
use super::units::{self, OrOff};
use crate::control::{ControlSocket, Service, Sources};
use crate::device::{
    Capture, Cut, Device, DeviceError, Impair, LinkConfig, Offload as OffloadDevice, OpenTun, Plain,
    TunDevice, TunName, WireDevice,
};
use crate::net::{Builder, Cidr, Config, KeepAlive, Network};

/// What a subcommand is, as far as the stack's defaults go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It waits for others: a fixed interface, and peers are probed.
    Server,
    /// It goes to others: whatever interface is free, and standard error belongs to the conversation.
    Client,
}

/// Everything that needs rights is open; nothing runs yet.
pub(super) struct OpenStack {
    /// Who we are going to be.
    pub(super) target: Target,
    builder: Builder,
    interface: String,
    /// Which device it became, in words.
    kind: String,
    plan: Plan,
    role: Role,
    control: Option<ControlSocket>,
}

/// A running stack.
pub(super) struct RunningStack {
    /// The handle on it.
    pub(super) network: Network,
    /// The interface's name.
    pub(super) interface: String,
    /// The stack's addresses.
    pub(super) addresses: Vec<Cidr>,
    /// Where metrics can be added to those that the control socket tells.
    pub(super) sources: Sources,
}

impl OpenStack {
    /// Opens and configures the interface, and the capture.
    ///
    /// # Errors
    /// Whatever cannot be opened or does not fit together, in words.
    pub(super) fn open(options: &StackOptions, role: Role) -> Result<OpenStack, Failure> {
        let target = Target::find(&options.user)?;
        let name = tun_name(options, role);
        check_memory(options)?;
        check_beforehand(options, &name)?;
        let opening = Opening { options, role, target, in_our_namespace: name.namespace.is_none() };
        match open_offload(options, &name)? {
            Ok(tun) => opening.finish(tun, "offload device with super-packets".into(), |_, queues, _| {
                Ok(queues.into_iter().map(|queue| Box::new(queue) as Box<dyn Device>).collect())
            }),
            Err(reason) => {
                let tun = OpenTun::<Plain>::open_queues(&name, queues(options)).map_err(Failure::new)?;
                let kind = format!("plain device without super-packets ({reason})");
                opening.finish(tun, kind, |opening, queues, interface| {
                    let wires = wrap(queues, opening.options, interface, &opening.target)?.into_iter();
                    Ok(wires.map(|wire| Box::new(Cut::new(wire).merging()) as Box<dyn Device>).collect())
                })
            }
        }
    }

    /// Gives up the rights and starts the stack.
    ///
    /// # Errors
    /// The rights cannot be given up, or the system refuses a thread.
    pub(super) fn start(self) -> Result<RunningStack, Failure> {
        let OpenStack { target, builder, interface, kind, plan, role, control } = self;
        let user = target.name();
        target.assume()?;
        let failed = |error| Failure::new(format!("{interface}: cannot start: {error}"));
        let network = builder.start().map_err(failed)?;
        let mut sources = Sources::default();
        if let Some(socket) = control {
            let service = network.wake_sources().and_then(|wakes| Service::new(socket, &interface, wakes));
            let service = service.map_err(failed)?.for_all(network.shards());
            sources = service.sources();
            network.attach(Box::new(service));
        }
        let addresses: Vec<_> = plan.addresses.iter().map(ToString::to_string).collect();
        // The standard error of a client belongs to its conversation.
        let level = if role == Role::Server { log::Level::Info } else { log::Level::Debug };
        let several = match network.shards().len() {
            1 => String::new(),
            queues => format!(" on {queues} queues"),
        };
        log::log!(
            level,
            "{interface}: {kind}{several}, stack at {}, running as {user}",
            addresses.join(" and ")
        );
        Ok(RunningStack { network, interface, addresses: plan.addresses, sources })
    }
}

/// What all devices are opened with.
struct Opening<'a> {
    options: &'a StackOptions,
    role: Role,
    target: Target,
    in_our_namespace: bool,
}

impl Opening<'_> {
    /// Configures an interface that is open, and puts the stack together over what `devices` makes of its queues.
    fn finish<D: TunDevice>(
        self,
        tun: OpenTun<D>,
        kind: String,
        devices: impl FnOnce(&Self, Vec<D>, &str) -> Result<Vec<Box<dyn Device>>, Failure>,
    ) -> Result<OpenStack, Failure> {
        let (options, role) = (self.options, self.role);
        let interface = tun.name().to_owned();
        let known = Interface { name: &interface, number: tun.number(), existed: tun.existed() };
        let plan = Plan::new(options, known)?;
        // The neighbours that we can see are those of our own namespace.
        if self.in_our_namespace {
            neighbours::check(&interface, &plan.hosts)?;
        }
        let queues = tun.configure_queues(&plan.interface_config()).map_err(Failure::new)?;
        let builder = Network::over_queues(devices(&self, queues, &interface)?);
        let builder = builder.configure(|config| configure(config, options, role));
        let builder = plan.addresses.iter().fold(builder, |builder, address| builder.address(*address));
        let control = control_socket::open(options.control.as_deref(), &interface, &self.target, role)?;
        Ok(OpenStack { target: self.target, builder, interface, kind, plan, role, control })
    }
}

/// Opens the interface for super-packets, or says why not.
///
/// # Errors
/// They are asked for and cannot be had, or no device at all.
fn open_offload(
    options: &StackOptions,
    name: &TunName,
) -> Result<Result<OpenTun<OffloadDevice>, String>, Failure> {
    match (options.offload, single_packets(options)) {
        (Offload::Off, _) => return Ok(Err("--offload off".into())),
        (Offload::Auto, Some(option)) => return Ok(Err(format!("for {option}"))),
        (Offload::On, Some(option)) => {
            return Err(Failure::new(format!(
                "--offload on: {option} is about packets as the wire has them, one by one: choose --offload auto or off"
            )));
        }
        (Offload::Auto | Offload::On, None) => {}
    }
    match OpenTun::open_queues(name, queues(options)) {
        Err(DeviceError::NoOffload { source, .. }) if options.offload == Offload::Auto => {
            Ok(Err(format!("the kernel has none here: {source}")))
        }
        result => result.map(Ok).map_err(Failure::new),
    }
}

fn queues(options: &StackOptions) -> usize {
    usize::from(options.queues)
}

/// The option, if one is given, that needs each packet to be one on the wire: one loss is one packet, and a capture
/// shows what a cable would carry.
fn single_packets(options: &StackOptions) -> Option<&'static str> {
    let pcap = options.pcap.is_some().then_some("--pcap");
    pcap.or(options.impair.is_some().then_some("--impair"))
}

fn tun_name(options: &StackOptions, role: Role) -> TunName {
    match (&options.tun, role) {
        (Some(name), _) => name.clone(),
        (None, Role::Server) => TunName { namespace: None, interface: Some("lw0".into()) },
        (None, Role::Client) => TunName::default(),
    }
}

/// Finds what does not fit together before an interface comes into being, as far as that can be known.
fn check_beforehand(options: &StackOptions, name: &TunName) -> Result<(), Failure> {
    let interface = name.interface.as_deref().unwrap_or("lw0");
    let number = interface.strip_prefix("lw").and_then(|number| number.parse().ok());
    // One that exists may have addresses that we do not know.
    let existed = number.is_none() || nix::net::if_::if_nametoindex(interface).is_ok();
    Plan::new(options, Interface { name: interface, number, existed }).map(drop)
}

/// Each queue's stack needs room in its part of the memory.
fn check_memory(options: &StackOptions) -> Result<(), Failure> {
    let (queues, least) = (u64::from(options.queues), units::LEAST_MEMORY);
    match memory(options) {
        Some(all) if queues > 1 && all / queues < least => Err(Failure::new(format!(
            "--queues {queues}: each has a part of --memory, {} in all, and needs {}: give more, or fewer queues",
            units::bytes_for_people(all),
            units::bytes_for_people(least),
        ))),
        _ => Ok(()),
    }
}

/// The capture stands next to the stack: it shows what the stack sent and what reached it, so that the faults of
/// `--impair` can be seen in it. Of several queues there is one, and each has its own faults.
fn wrap(
    queues: Vec<Plain>,
    options: &StackOptions,
    interface: &str,
    target: &Target,
) -> Result<Vec<Box<dyn WireDevice>>, Failure> {
    let mut wires = queues.into_iter().zip(0..).map(|(plain, number)| match options.impair {
        Some(faults) => {
            let seed = faults.seed.wrapping_add(number);
            Box::new(Impair::new(plain, LinkConfig { seed, ..faults })) as Box<dyn WireDevice>
        }
        None => Box::new(plain),
    });
    let Some(path) = &options.pcap else { return Ok(wires.collect()) };
    let Some(first) = wires.next() else { return Ok(Vec::new()) };
    let failed = |error| capture_failure(path, &error);
    let file = target.create_file(path).map_err(failed)?;
    let label = path.display().to_string();
    let first = Capture::new(first, file, &label, interface, since_1970()).map_err(failed)?;
    let others: Vec<_> = wires.map(|wire| first.beside(wire)).collect();
    let all = std::iter::once(first).chain(others);
    Ok(all.map(|capture| Box::new(capture) as Box<dyn WireDevice>).collect())
}

fn capture_failure(path: &Path, error: &io::Error) -> Failure {
    let path = path.display();
    let advice = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "make room, or choose another file with --pcap"
        }
        _ => "choose another file with --pcap",
    };
    Failure::new(format!("{path}: the capture cannot be written: {error}: {advice}"))
}

#[allow(clippy::disallowed_methods, reason = "a capture shows the wall clock's time")]
fn since_1970() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

fn configure(config: &mut Config, options: &StackOptions, role: Role) {
    config.tcp.congestion = options.congestion.into();
    config.tcp.msl = options.msl;
    config.tcp.min_rto = options.min_rto;
    config.max_sockets = options.max_sockets as usize;
    config.max_memory = memory(options).map_or(usize::MAX, |bytes| bytes as usize);
    config.socket.keep_alive = keep_alive(options, role);
}

/// What all queues together may use, if that is limited.
fn memory(options: &StackOptions) -> Option<u64> {
    options.memory.or_else(half_of_ram)
}

/// Half of what the machine has; `None` where the kernel does not tell.
fn half_of_ram() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = total.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024 / 2)
}

/// The probing of idle peers that the options ask for, or that is usual for this role.
pub(super) fn keep_alive(options: &StackOptions, role: Role) -> Option<KeepAlive> {
    let server = KeepAlive { idle: Duration::from_secs(15), interval: Duration::from_secs(5), count: 3 };
    let default = if role == Role::Server { OrOff::On(server) } else { OrOff::Off };
    options.tcp_keep_alive.unwrap_or(default).on()
}

#[cfg(test)]
mod tests {
    use super::super::options::tests::options;
    use super::*;

    #[test]
    fn servers_probe_their_peers_and_clients_do_not() {
        let none = options(&[]).unwrap();
        let probing = keep_alive(&none, Role::Server).unwrap();
        assert_eq!((probing.idle, probing.interval), (Duration::from_secs(15), Duration::from_secs(5)));
        assert_eq!(probing.count, 3);
        assert_eq!(keep_alive(&none, Role::Client), None);
        let off = options(&["--tcp-keep-alive", "off"]).unwrap();
        assert_eq!(keep_alive(&off, Role::Server), None);
        let on = options(&["--tcp-keep-alive", "1s,2s,4"]).unwrap();
        assert_eq!(keep_alive(&on, Role::Client).unwrap().count, 4);
    }

    #[test]
    fn a_server_has_a_fixed_interface_and_a_client_any() {
        let none = options(&[]).unwrap();
        assert_eq!(tun_name(&none, Role::Server).to_string(), "lw0");
        assert_eq!(tun_name(&none, Role::Client).interface, None);
        let given = options(&["--tun", "lw5"]).unwrap();
        assert_eq!(tun_name(&given, Role::Client).to_string(), "lw5");
    }

    #[test]
    fn captures_and_faults_are_of_single_packets() {
        let name: TunName = "lw200".parse().unwrap();
        for arguments in [["--pcap", "x"], ["--impair", "loss=1%"]] {
            let with = |offload| options(&["--offload", offload, arguments[0], arguments[1]]).unwrap();
            assert!(open_offload(&with("auto"), &name).unwrap().err().unwrap().contains(arguments[0]));
            assert!(open_offload(&with("off"), &name).unwrap().err().unwrap().contains("--offload off"));
            let refused = open_offload(&with("on"), &name).map(drop).unwrap_err();
            assert!(refused.message().unwrap().contains(arguments[0]), "{refused:?}");
        }
    }

    #[test]
    fn options_reach_the_stack() {
        let options =
            options(&["--congestion", "newreno", "--msl", "1s", "--min-rto", "50ms", "--max-sockets", "9"]);
        let options = StackOptions { memory: Some(64 << 20), ..options.unwrap() };
        let mut config = Config::new(Vec::new());
        configure(&mut config, &options, Role::Client);
        assert_eq!(config.tcp.congestion, crate::tcp::Algorithm::NewReno);
        assert_eq!((config.tcp.msl, config.tcp.min_rto), (Duration::from_secs(1), Duration::from_millis(50)));
        assert_eq!((config.max_sockets, config.socket.keep_alive), (9, None));
        assert_eq!(config.max_memory, 64 << 20);
        configure(&mut config, &StackOptions { memory: None, ..options }, Role::Client);
        assert!(config.max_memory > 64 << 20 && config.max_memory < usize::MAX, "half of what there is");
    }

    #[test]
    fn the_memory_is_enough_for_each_queue() {
        let check =
            |queues, memory| check_memory(&options(&["--queues", queues, "--memory", memory]).unwrap());
        assert!(check("3", "48MiB").is_ok() && check("1", "16MiB").is_ok());
        let refused = check("3", "47MiB").unwrap_err();
        assert!(
            refused.message().unwrap().starts_with("--queues 3: each has a part of --memory"),
            "{refused:?}"
        );
    }

    #[test]
    fn contradictions_are_found_before_anything_is_made() {
        let options = options(&["--address", "10.1.0.2/24", "--host", "10.2.0.1/24"]).unwrap();
        let name: TunName = "lw200".parse().unwrap();
        assert!(check_beforehand(&options, &name).is_err());
    }

    #[test]
    fn a_full_disk_has_its_own_words() {
        let full = capture_failure(Path::new("x.pcapng"), &io::ErrorKind::StorageFull.into());
        assert!(full.message().unwrap().contains("make room"), "{full:?}");
    }
}
