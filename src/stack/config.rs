//! What a stack is told when it begins, and a listener when it is made.

use super::{Cidr, Steering};
use crate::tcp::{self, SocketOptions};

/// Configuration of a stack.
#[derive(Clone, Debug)]
pub struct Config {
    /// Our addresses. Packets to any other are not for us.
    pub addresses: Vec<Cidr>,
    /// The device's MTU in bytes.
    pub mtu: usize,
    /// Parameters of all TCP connections.
    pub tcp: tcp::Config,
    /// Options that a new socket begins with.
    pub socket: SocketOptions,
    /// Most sockets of all kinds, half-open ones included.
    pub max_sockets: usize,
    /// Most memory in bytes for buffers and sockets, beyond which little more is taken: see [`Stack::memory`](super::Stack::memory).
    pub max_memory: usize,
    /// Most entries in TIME-WAIT; at the bound the oldest goes.
    pub max_time_wait: usize,
    /// Which packets are this stack's, if several have these addresses; `None`: all are.
    pub steering: Option<Steering>,
}

impl Config {
    /// The defaults, for a device with an MTU of 1,500 bytes.
    pub fn new(addresses: Vec<Cidr>) -> Config {
        Config {
            addresses,
            mtu: 1500,
            tcp: tcp::Config::default(),
            socket: SocketOptions::default(),
            max_sockets: 4_000_000,
            max_memory: usize::MAX,
            max_time_wait: 262_144,
            steering: None,
        }
    }

    /// What one of several stacks that together are to keep to this is told: its place, and its share of each limit. The
    /// shares are equal, as [`Steering`] spreads connections evenly.
    #[must_use]
    pub fn share(&self, steering: Steering) -> Config {
        let count = steering.count();
        Config {
            max_sockets: self.max_sockets.div_ceil(count),
            max_memory: self.max_memory.div_ceil(count),
            max_time_wait: self.max_time_wait.div_ceil(count),
            steering: Some(steering),
            ..self.clone()
        }
    }
}

/// How a listener takes connections.
#[derive(Clone, Debug)]
pub struct ListenOptions {
    /// Most connections that wait to be accepted. The SYN queue has room for as many handshakes, and for at least
    /// 1,024.
    pub backlog: usize,
    /// Options of the connections; `None` for the stack's.
    pub socket: Option<SocketOptions>,
    /// Most connections of this listener alive at once, waiting ones included; over it no SYN is answered.
    pub max_connections: Option<usize>,
    /// Most connections that wait for the first acknowledgment of peers whose data came with the SYN; 0 takes no such
    /// data. See [`Stack::set_fast_open`](super::Stack::set_fast_open).
    pub fast_open: usize,
}

impl Default for ListenOptions {
    fn default() -> Self {
        ListenOptions { backlog: 1024, socket: None, max_connections: None, fast_open: 0 }
    }
}

/// Secrets and the seed of all randomness; from the operating system in earnest, from a number in tests.
#[derive(Clone)]
pub struct Seed([u8; 48]);

impl Seed {
    /// A seed of bytes that nobody else knows.
    pub fn from_bytes(bytes: [u8; 48]) -> Self {
        Seed(bytes)
    }

    /// A seed that makes a run repeat. Not a secret: for tests and simulations.
    pub fn from_u64(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        Seed(std::array::from_fn(|_| rng.u8(..)))
    }

    /// Three independent keys: for sequence numbers, for the demultiplexer, for ports and choices.
    pub(super) fn into_keys(self) -> [[u8; 16]; 3] {
        std::array::from_fn(|which| std::array::from_fn(|i| self.0[which * 16 + i]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_of_a_limit_add_up_to_it() {
        let config =
            Config { max_sockets: 10, max_memory: usize::MAX, max_time_wait: 9, ..Config::new(Vec::new()) };
        let share = config.share(Steering::new([0; 16], 1, 3));
        assert_eq!((share.max_sockets, share.max_time_wait), (4, 3));
        assert!(share.max_memory > usize::MAX / 4, "as good as none is still as good as none");
        assert_eq!(share.steering.map(|steering| (steering.place(), steering.count())), Some((1, 3)));
    }

    #[test]
    fn a_seed_repeats_and_its_keys_differ() {
        let keys = Seed::from_u64(7).into_keys();
        assert_eq!(keys, Seed::from_u64(7).into_keys());
        assert!(keys[0] != keys[1] && keys[1] != keys[2]);
        assert_ne!(keys, Seed::from_u64(8).into_keys());
    }
}
