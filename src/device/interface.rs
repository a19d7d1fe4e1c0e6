//! A TUN interface: its name, its addresses, and all else that the kernel's side of it is set to.

use std::fmt;
use std::fs::File;
use std::marker::PhantomData;
use std::net::IpAddr;
use std::str::FromStr;
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::if_nametoindex;

use super::DeviceError;
use super::error::is_permission;
use super::namespace::within;
use super::netlink::{LinkState, Netlink};

/// Packets that the kernel queues towards us. It drops silently what exceeds that, and its own default, 500, is less
/// than one window of 4 MiB.
const QUEUE: u32 = 4_000;
/// How often, and how far apart, the kernel is asked whether it takes packets for a new IPv6 address.
const ASKED: u32 = 250;
const ASKED_EVERY: Duration = Duration::from_millis(2);
/// The largest packet that any host has to take (RFC 1122 3.3.2).
const LEAST_MTU: u16 = 576;
/// The smallest MTU of IPv6 (RFC 8200 5).
const LEAST_MTU_IPV6: u16 = 1_280;
/// The longest name of an interface (IFNAMSIZ without the final zero).
const LONGEST_NAME: usize = 15;

/// Which interface to open: `lw0`, or `server/lw0` for one in the network namespace `server`.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct TunName {
    /// The network namespace, by its name under `/run/netns`; our own if `None`.
    pub namespace: Option<String>,
    /// The interface; the first `lwN` that does not exist if `None`.
    pub interface: Option<String>,
}

impl FromStr for TunName {
    type Err = DeviceError;

    fn from_str(text: &str) -> Result<Self, DeviceError> {
        let (namespace, interface) = match text.split_once('/') {
            Some((namespace, interface)) => (Some(namespace), interface),
            None => (None, text),
        };
        let forbidden = |c: char| c.is_whitespace() || c.is_control() || "/:%".contains(c);
        let is_name = |name: &str| {
            !name.is_empty() && name != "." && name != ".." && name.is_ascii() && !name.contains(forbidden)
        };
        if !is_name(interface)
            || interface.len() > LONGEST_NAME
            || namespace.is_some_and(|name| !is_name(name))
        {
            return Err(DeviceError::BadName { name: text.to_owned() });
        }
        Ok(TunName { namespace: namespace.map(str::to_owned), interface: Some(interface.to_owned()) })
    }
}

impl fmt::Display for TunName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(namespace) = &self.namespace {
            write!(f, "{namespace}/")?;
        }
        f.write_str(self.interface.as_deref().unwrap_or("lwN"))
    }
}

/// An address with the length of its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// The address.
    pub address: IpAddr,
    /// Bits of it that are the network's.
    pub len: u8,
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.len)
    }
}

/// What the kernel's side of an interface is to be set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceConfig {
    /// The kernel's addresses. The prefixes around them are routed to the interface.
    pub addresses: Vec<Prefix>,
    /// Further prefixes that are routed to it.
    pub routes: Vec<Prefix>,
    /// The largest packet, in bytes.
    pub mtu: u16,
}

impl Default for InterfaceConfig {
    fn default() -> Self {
        InterfaceConfig { addresses: Vec::new(), routes: Vec::new(), mtu: 1_500 }
    }
}

impl InterfaceConfig {
    fn check(&self) -> Result<(), DeviceError> {
        let has_ipv6 = self.addresses.iter().chain(&self.routes).any(|prefix| prefix.address.is_ipv6());
        let least = if has_ipv6 { LEAST_MTU_IPV6 } else { LEAST_MTU };
        if self.mtu < least {
            return Err(DeviceError::Mtu { mtu: self.mtu, possible: least..=u16::MAX });
        }
        Ok(())
    }
}

/// A device over a TUN interface: [`Plain`](super::Plain) or [`Offload`](super::Offload). What the two ask of the kernel
/// is asked when the interface is opened.
///
/// ```
/// use longwire::device::{DeviceError, InterfaceConfig, Offload, OpenTun, Plain, TunDevice};
///
/// /// A device of either kind: `open::<Plain>()`, `open::<Offload>()`.
/// fn open<D: TunDevice>() -> Result<D, DeviceError> {
///     let config = InterfaceConfig { mtu: 9_000, ..InterfaceConfig::default() };
///     OpenTun::<D>::open(&"lw0".parse()?)?.configure(&config)
/// }
/// # let _ = (open::<Plain>, open::<Offload>);
/// ```
pub trait TunDevice: Sized {
    /// Attaches to the interface, or creates it, in the way that this device wants; the descriptor does not block.
    ///
    /// # Errors
    /// See [`DeviceError`].
    fn attach(interface: &str) -> Result<File, DeviceError>;

    /// The same for one of several queues: each call adds one.
    ///
    /// # Errors
    /// See [`DeviceError`].
    fn attach_queue(interface: &str) -> Result<File, DeviceError>;

    /// The device over a descriptor that `attach` gave.
    fn over(file: File, name: String, mtu: usize) -> Self;

    /// The devices over the descriptors of all queues of one interface.
    fn over_queues(files: Vec<File>, name: &str, mtu: usize) -> Vec<Self> {
        files.into_iter().map(|file| Self::over(file, name.to_owned(), mtu)).collect()
    }
}

/// An interface that is open and not yet configured: its name is known, and addresses can be derived from it. Which
/// device it becomes is decided already.
///
/// The interface goes when this, or the device made of it, is dropped, unless it was there before and is persistent.
#[derive(Debug)]
pub struct OpenTun<D> {
    interface: Interface,
    device: PhantomData<fn() -> D>,
}

impl<D: TunDevice> OpenTun<D> {
    /// Opens the interface, or creates it.
    ///
    /// # Errors
    /// See [`DeviceError`].
    pub fn open(name: &TunName) -> Result<Self, DeviceError> {
        OpenTun::open_queues(name, 1)
    }

    /// The same with so many queues, at least one: a device for each comes of it
    /// ([`configure_queues`](OpenTun::configure_queues)), for a stack over each. The kernel
    /// keeps the packets of a flow on the queue on which its answers come. An interface that exists already has to be one
    /// with several queues (`ip tuntap add … multi_queue`), that nobody has open.
    ///
    /// # Errors
    /// See [`DeviceError`].
    pub fn open_queues(name: &TunName, queues: usize) -> Result<Self, DeviceError> {
        let interface = within(name.namespace.as_deref(), || match &name.interface {
            Some(interface) => attach::<D>(interface, queues),
            None => attach_first_free::<D>(queues),
        })?;
        let interface = Interface { namespace: name.namespace.clone(), ..interface };
        Ok(OpenTun { interface, device: PhantomData })
    }

    /// The interface's name.
    pub fn name(&self) -> &str {
        &self.interface.name
    }

    /// N of an interface called `lwN`, N up to 255.
    pub fn number(&self) -> Option<u8> {
        self.name().strip_prefix("lw")?.parse().ok()
    }

    /// Whether the interface was there before: then what it already has is left.
    pub fn existed(&self) -> bool {
        self.interface.existed
    }

    /// Sets addresses, routes, MTU and queue length, and brings the interface up. What it already has is no error. Queues
    /// beside the first are let go.
    ///
    /// # Errors
    /// See [`DeviceError`].
    pub fn configure(self, config: &InterfaceConfig) -> Result<D, DeviceError> {
        self.configure_queues(config).map(|mut queues| queues.swap_remove(0))
    }

    /// As [`configure`](OpenTun::configure), for all queues: a device of each.
    ///
    /// # Errors
    /// See [`DeviceError`].
    pub fn configure_queues(self, config: &InterfaceConfig) -> Result<Vec<D>, DeviceError> {
        config.check()?;
        let interface = self.interface;
        let mtu = within(interface.namespace.as_deref(), || interface.configure(config))? as usize;
        let Interface { file, others, name, .. } = interface;
        let files = std::iter::once(file).chain(others).collect();
        Ok(D::over_queues(files, &name, mtu))
    }
}

/// An interface that we hold open.
#[derive(Debug)]
struct Interface {
    file: File,
    /// The queues beside the first.
    others: Vec<File>,
    namespace: Option<String>,
    name: String,
    index: u32,
    /// It was there before we came.
    existed: bool,
}

impl Interface {
    /// Configures from within the interface's namespace; gives the MTU that it has in the end.
    fn configure(&self, config: &InterfaceConfig) -> Result<u32, DeviceError> {
        let mut netlink = Netlink::open().map_err(|error| self.failed("routing socket", error))?;
        let before = netlink.link(self.index).map_err(|error| self.failed("state", error))?;
        if before.mtu != u32::from(config.mtu) {
            self.optional("MTU", netlink.set_mtu(self.index, config.mtu.into()))?;
        }
        if before.queue < QUEUE {
            self.optional("txqueuelen", netlink.set_queue(self.index, QUEUE))?;
        }
        if !self.existed
            && let Err(error) = netlink.set_no_link_local(self.index)
        {
            log::debug!("{}: link-local address not switched off: {error}", self.name);
        }
        // First up, then addresses: an IPv6 address that waits for its interface to come up becomes usable only some
        // time later.
        if !before.is_up {
            netlink.set_up(self.index).map_err(|error| self.failed("bringing it up", error))?;
        }
        for prefix in &config.addresses {
            self.add_address(&mut netlink, *prefix)?;
        }
        for prefix in &config.routes {
            self.add_route(&mut netlink, *prefix)?;
        }
        for prefix in config.addresses.iter().filter(|prefix| prefix.address.is_ipv6()) {
            self.wait_for(&mut netlink, prefix.address);
        }
        Ok(netlink.link(self.index).map_err(|error| self.failed("state", error))?.mtu)
    }

    fn add_address(&self, netlink: &mut Netlink, prefix: Prefix) -> Result<(), DeviceError> {
        let what = format!("address {prefix}");
        match netlink.add_address(self.index, prefix.address, prefix.len) {
            Err(error) if is_errno(&error, &[Errno::EEXIST]) => Ok(()),
            Err(error) if is_ipv6_off(prefix, &error) => {
                self.warn_of_ipv6(&what);
                Ok(())
            }
            Err(error) if is_permission(&error) && self.has_address_like(prefix.address) => {
                log::warn!("{}: {what} not set, as that takes more rights: it keeps what it has", self.name);
                Ok(())
            }
            result => result.map_err(|error| self.failed(&what, error)),
        }
    }

    /// Waits until the kernel takes packets for an address, so that the first one to it is not lost. Where that cannot
    /// be known, or does not come, the packets will show it.
    #[allow(clippy::disallowed_methods, reason = "nothing runs yet")]
    fn wait_for(&self, netlink: &mut Netlink, address: IpAddr) {
        for _ in 0..ASKED {
            match netlink.is_local(address) {
                Ok(false) => thread::sleep(ASKED_EVERY),
                Ok(true) => return,
                Err(error) => {
                    log::debug!("{}: no route to {address}: {error}", self.name);
                    return;
                }
            }
        }
        log::debug!("{}: the kernel does not take packets for {address}", self.name);
    }

    fn add_route(&self, netlink: &mut Netlink, prefix: Prefix) -> Result<(), DeviceError> {
        match netlink.add_route(self.index, prefix.address, prefix.len) {
            Err(error) if is_errno(&error, &[Errno::EEXIST]) && self.existed => Ok(()),
            Err(error) if is_ipv6_off(prefix, &error) => {
                self.warn_of_ipv6(&format!("route {prefix}"));
                Ok(())
            }
            Err(error) if is_errno(&error, &[Errno::EEXIST]) => {
                Err(DeviceError::Routed { prefix: prefix.to_string() })
            }
            result => result.map_err(|error| self.failed(&format!("route {prefix}"), error)),
        }
    }

    /// Passes over a missing right to change an interface that somebody else has made.
    fn optional(&self, what: &str, result: std::io::Result<()>) -> Result<(), DeviceError> {
        match result {
            Err(error) if is_permission(&error) && self.existed => {
                log::warn!("{}: {what} not changed: {error}", self.name);
                Ok(())
            }
            result => result.map_err(|error| self.failed(what, error)),
        }
    }

    /// Whether the interface was given an address of the same family by whoever made it.
    fn has_address_like(&self, address: IpAddr) -> bool {
        let Ok(mut all) = getifaddrs() else { return false };
        self.existed
            && all.any(|entry| {
                entry.interface_name == self.name
                    && entry.address.is_some_and(|other| match address {
                        IpAddr::V4(_) => other.as_sockaddr_in().is_some(),
                        IpAddr::V6(_) => {
                            other.as_sockaddr_in6().is_some_and(|v6| !v6.ip().is_unicast_link_local())
                        }
                    })
            })
    }

    fn warn_of_ipv6(&self, what: &str) {
        let sysctl = "net.ipv6.conf.all.disable_ipv6";
        log::warn!("{}: {what} not set, as IPv6 is switched off here (sysctl {sysctl})", self.name);
    }

    fn failed(&self, what: &str, source: std::io::Error) -> DeviceError {
        DeviceError::Configure { interface: self.name.clone(), what: what.to_owned(), source }
    }
}

/// Attaches to the interface in the namespace that we are in.
fn attach<D: TunDevice>(name: &str, queues: usize) -> Result<Interface, DeviceError> {
    let before = if_nametoindex(name);
    let existed = before.is_ok();
    if let (Ok(index), true) = (before, queues > 1) {
        refuse_what_is_in_use(name, index)?;
    }
    let file = if queues > 1 { D::attach_queue(name) } else { D::attach(name) }?;
    let others = (1..queues).map(|_| D::attach_queue(name)).collect::<Result<_, _>>()?;
    let index = if_nametoindex(name)
        .map_err(|errno| DeviceError::Open { interface: name.to_owned(), source: errno.into() })?;
    if queues > 1 {
        refuse_what_others_have_joined(name, index, queues)?;
    }
    Ok(Interface { file, others, namespace: None, name: name.to_owned(), index, existed })
}

/// The kernel lets anybody add queues to an interface that has several, whoever has the others: what somebody has open
/// would lose packets to us. It has a carrier just then.
fn refuse_what_is_in_use(name: &str, index: u32) -> Result<(), DeviceError> {
    refuse(name, index, |state| state.has_carrier)
}

/// Two that come at once both find it free. Whoever is there second sees queues that are not its own, and goes.
fn refuse_what_others_have_joined(name: &str, index: u32, ours: usize) -> Result<(), DeviceError> {
    refuse(name, index, |state| state.open_queues.is_some_and(|open| open as usize != ours))
}

fn refuse(name: &str, index: u32, is_busy: impl Fn(LinkState) -> bool) -> Result<(), DeviceError> {
    let state = Netlink::open().and_then(|mut netlink| netlink.link(index));
    match state {
        Ok(state) if is_busy(state) => Err(DeviceError::Busy { interface: name.to_owned() }),
        Ok(_) => Ok(()),
        Err(source) => Err(DeviceError::Open { interface: name.to_owned(), source }),
    }
}

fn attach_first_free<D: TunDevice>(queues: usize) -> Result<Interface, DeviceError> {
    for number in 0..=u8::MAX {
        let name = format!("lw{number}");
        if if_nametoindex(name.as_str()).is_ok() {
            continue;
        }
        match attach::<D>(&name, queues) {
            // Somebody was faster: the next one, then.
            Err(DeviceError::Busy { .. }) => {}
            result => return result,
        }
    }
    Err(DeviceError::NoFreeName)
}

/// Whether the host has no IPv6. EACCES is what the kernel says when `disable_ipv6` is set; a missing right is EPERM.
fn is_ipv6_off(prefix: Prefix, error: &std::io::Error) -> bool {
    prefix.address.is_ipv6() && is_errno(error, &[Errno::EACCES, Errno::EOPNOTSUPP, Errno::EAFNOSUPPORT])
}

fn is_errno(error: &std::io::Error, among: &[Errno]) -> bool {
    error.raw_os_error().is_some_and(|code| among.contains(&Errno::from_raw(code)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(namespace: Option<&str>, interface: &str) -> TunName {
        TunName { namespace: namespace.map(str::to_owned), interface: Some(interface.to_owned()) }
    }

    #[test]
    fn names_with_and_without_a_namespace() {
        assert_eq!("lw0".parse::<TunName>().unwrap(), named(None, "lw0"));
        let inside: TunName = "server/tun7".parse().unwrap();
        assert_eq!(inside, named(Some("server"), "tun7"));
        assert_eq!(inside.to_string(), "server/tun7");
    }

    #[test]
    fn what_the_kernel_would_refuse_or_change_is_no_name() {
        for name in
            ["", "/", "a/", "/lw0", "../x/lw0", "../lw0", "lw%d", "lw 0", "sixteen-letters!", "lw:0", "."]
        {
            let error = name.parse::<TunName>().unwrap_err();
            assert!(matches!(error, DeviceError::BadName { .. }), "'{name}' gives {error}");
        }
    }

    #[test]
    fn ipv6_takes_a_larger_mtu() {
        let mut config = InterfaceConfig { mtu: 576, ..InterfaceConfig::default() };
        assert!(config.check().is_ok());
        config.routes.push(Prefix { address: "fd00::".parse().unwrap(), len: 8 });
        assert!(matches!(config.check(), Err(DeviceError::Mtu { mtu: 576, .. })));
    }
}
