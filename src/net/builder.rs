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
    device: Box<dyn Device>,
    config: Config,
    backlog: usize,
    linger: Duration,
}

impl Builder {
    pub(super) fn new(device: Box<dyn Device>) -> Self {
        let mtu = device.mtu();
        let config = Config { mtu, ..Config::new(Vec::new()) };
        Builder { device, config, backlog: DEFAULT_BACKLOG, linger: DEFAULT_LINGER }
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

    /// Starts the stack and its thread.
    ///
    /// # Errors
    /// `InvalidInput` for a network without an address or with an MTU above the device's; else the operating system
    /// refused a thread, a descriptor or random bytes.
    pub fn start(self) -> io::Result<Network> {
        let (device, config, backlog, linger) = self.into_parts()?;
        let driver = Driver::start(device, config)?;
        Ok(Network::new(Engine::Thread(driver), backlog, linger))
    }

    /// Device, configuration, backlog and linger time.
    ///
    /// # Errors
    /// `InvalidInput` for what no network can have.
    pub(super) fn into_parts(self) -> io::Result<(Box<dyn Device>, Config, usize, Duration)> {
        if self.config.addresses.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a network needs an address"));
        }
        if self.config.mtu > self.device.mtu() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the MTU is larger than the device's"));
        }
        Ok((self.device, self.config, self.backlog, self.linger))
    }
}
