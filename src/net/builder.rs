//! How a network is put together.

use std::io;
use std::time::Duration;

use super::Network;
use super::engine::Engine;
use crate::driver::{Cidr, Config, Device, Driver};

/// How long dropping the last handle waits, unless said otherwise.
const DEFAULT_LINGER: Duration = Duration::from_secs(5);

/// Connections that wait to be accepted by a listener, unless said otherwise; the standard library's number.
const DEFAULT_BACKLOG: usize = 128;

/// Settings of a [`Network`] that is to start; see [`Network::builder`].
#[must_use = "nothing runs before `start`"]
pub struct Builder {
    /// A queue each.
    pub(super) devices: Vec<Box<dyn Device>>,
    pub(super) config: Config,
    pub(super) backlog: usize,
    pub(super) linger: Duration,
}

impl Builder {
    pub(super) fn new(devices: Vec<Box<dyn Device>>) -> Self {
        let none = Config::new(Vec::new());
        let mtu = devices.iter().map(Device::mtu).min().unwrap_or(none.mtu);
        Builder { devices, config: Config { mtu, ..none }, backlog: DEFAULT_BACKLOG, linger: DEFAULT_LINGER }
    }

    /// Adds an address of ours, with the prefix of its network: `"10.9.0.2/24".parse()?`.
    pub fn address(mut self, address: Cidr) -> Self {
        self.config.addresses.push(address);
        self
    }

    /// The MTU in bytes, if it is to be smaller than the device's.
    pub fn mtu(mut self, mtu: usize) -> Self {
        self.config.mtu = mtu;
        self
    }

    /// Changes anything else about the stack.
    pub fn configure(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    /// Most connections that wait to be accepted by a listener: 128, as in the standard library.
    pub fn backlog(mut self, backlog: usize) -> Self {
        self.backlog = backlog;
        self
    }

    /// How long dropping the last handle waits for what was written to go out: 5 s.
    pub fn linger(mut self, linger: Duration) -> Self {
        self.linger = linger;
        self
    }

    /// Starts the stack and its thread; of several queues, those of each.
    ///
    /// # Errors
    /// `InvalidInput` for a network without a device or an address, or with an MTU above the device's; else the operating system
    /// refused a thread, a descriptor or random bytes.
    pub fn start(self) -> io::Result<Network> {
        let Builder { mut devices, config, backlog, linger } = self.checked()?;
        let drivers = match (devices.pop(), devices.is_empty()) {
            (Some(only), true) => vec![Driver::start(only, config)?],
            (last, _) => {
                devices.extend(last);
                Driver::start_several(devices, &config)?
            }
        };
        Ok(Network::new(Engine::Threads(drivers), backlog, linger))
    }

    /// The same, if there can be such a network.
    ///
    /// # Errors
    /// `InvalidInput` for what no network can have.
    pub(super) fn checked(self) -> io::Result<Builder> {
        let refused = |why| Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        if self.devices.is_empty() {
            return refused("a network needs a device");
        }
        if self.config.addresses.is_empty() {
            return refused("a network needs an address");
        }
        if self.devices.iter().any(|device| self.config.mtu > device.mtu()) {
            return refused("the MTU is larger than the device's");
        }
        Ok(self)
    }
}
