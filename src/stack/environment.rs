//! What every part of the stack needs to handle one connection.

use super::addresses::Addresses;
use super::link::{Link, Loopback};
use super::{Config, Counters, Instant, Pool, Sink};
use crate::tcp::Context;
use crate::wire::IpOut;

/// The surroundings of all sockets, apart from the tables that hold them, so that one socket and these can be
/// borrowed together.
pub(super) struct Environment {
    pub(super) config: Config,
    pub(super) addresses: Addresses,
    pub(super) pool: Pool,
    pub(super) counters: Counters,
    /// The latest instant that anyone passed in.
    pub(super) now: Instant,
    pub(super) loopback: Loopback,
}

impl Environment {
    /// What a connection's methods take.
    pub(super) fn context(&mut self) -> Context<'_> {
        Context {
            now: self.now,
            config: &self.config.tcp,
            pool: &self.pool,
            counters: &mut self.counters.tcp,
        }
    }

    /// The way out through `sink`, and what a connection's methods take.
    pub(super) fn link<'a>(&'a mut self, sink: &'a mut dyn Sink) -> (Link<'a>, Context<'a>) {
        let link = Link {
            now: self.now,
            sink,
            addresses: &self.addresses,
            loopback: &mut self.loopback,
            pool: &self.pool,
            counters: &mut self.counters.ip,
            hop_limit: IpOut::HOP_LIMIT,
            sent: 0,
            loopback_full: false,
        };
        let context = Context {
            now: self.now,
            config: &self.config.tcp,
            pool: &self.pool,
            counters: &mut self.counters.tcp,
        };
        (link, context)
    }

    /// Most bytes behind the IP header of a packet to `address` that goes out whole.
    pub(super) fn max_payload(&self, address: std::net::IpAddr) -> usize {
        self.config.mtu.min(usize::from(u16::MAX)).saturating_sub(if address.is_ipv4() { 20 } else { 40 })
    }
}
