//! Listening for connections to every address and port that is routed to the interface, as a gateway or a VPN does.
//!
//! Accepting them, we stand in for hosts elsewhere, so the rules for routers say which addresses these can be. What is
//! ours stays as it is: a socket that is bound to the end that a peer asks for comes first.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use super::fast_open::PendingFastOpens;
use super::handshake::listener_at;
use super::listener::Listener;
use super::socket::{Entry, SharedOptions, Socket};
use super::{Error, ListenOptions, SocketId, Stack};
use crate::wire::{IpHeader, Protocol};

/// Stands for every end there is: nobody can bind port 0.
pub(super) const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

impl Stack {
    /// Listens for connections to any address of either family, ours or not, and any port, wherever no other listener
    /// does. An accepted connection's [`local_addr`](Stack::local_addr) is what its peer asked for; the listener's own
    /// is 0.0.0.0:0.
    ///
    /// Addresses that no router forwards to (loopback, link-local, multicast) are not among them, nor are
    /// IPv4-mapped ones: connecting onwards to those would reach the gateway itself.
    ///
    /// # Errors
    /// `AddrInUse` if there is such a listener already; `LimitReached`.
    pub fn listen_any(&mut self, options: ListenOptions) -> Result<SocketId, Error> {
        self.check_socket_limit()?;
        if self.listeners.conflicts(ANY) {
            return Err(Error::AddrInUse);
        }
        let id = self.insert_listener(ANY, options);
        self.stands_in = true;
        Ok(id)
    }

    pub(super) fn insert_listener(&mut self, local: SocketAddr, options: ListenOptions) -> SocketId {
        let ListenOptions { backlog, socket, max_connections, fast_open } = options;
        let shared = socket.map_or_else(|| Arc::clone(&self.socket_options), SharedOptions::new);
        let mut listener = Listener::new(local, backlog, max_connections, shared);
        listener.fast_opens = PendingFastOpens::new(fast_open);
        let id = self.sockets.insert(Entry::new(Socket::Listener(Box::new(listener))));
        let origin = self.origins.open(id);
        if let Some(listening) = listener_at(&mut self.sockets, id.index) {
            listening.origin = origin;
        }
        self.listeners.insert(local, id.index);
        id
    }

    /// Who listens for connections to `local`.
    pub(super) fn listener_for(&self, local: SocketAddr) -> Option<u32> {
        if local.port() == 0 {
            return None;
        }
        let bound = self.env.addresses.is_ours(local.ip()).then(|| self.listeners.find(local)).flatten();
        bound.or_else(|| self.listeners.find(ANY))
    }

    /// Whether a packet to an address that is not ours may concern one of our connections all the same: a segment of
    /// one, or an ICMP message about one. They outlive the listener, so its end does not end this.
    pub(super) fn may_stand_in_for(&self, ip: &IpHeader) -> bool {
        self.stands_in
            && matches!(ip.protocol, Protocol::TCP | Protocol::ICMP | Protocol::ICMPV6)
            && is_forwarded(ip.dst)
    }

    /// Whether nobody answers for `address`: it is not ours, and nobody listens for any. Counted if so.
    pub(super) fn is_nobodys(&mut self, address: IpAddr) -> bool {
        let nobodys = !self.env.addresses.is_ours(address) && self.listeners.find(ANY).is_none();
        self.env.counters.ip.destination_not_ours += u64::from(nobodys);
        nobodys
    }
}

/// Whether a router would forward a packet to this address: RFC 1812 5.3.7 and 4.2.2.11, RFC 3927 7, RFC 4291 2.5.2,
/// 2.5.3 and 2.5.6; an IPv4-mapped address (2.5.5.2) is none that packets have.
fn is_forwarded(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let first = v4.octets()[0];
            let reserved = first == 0 || first >= 224; // "this network", and what is not unicast
            !(reserved || v4.is_loopback() || v4.is_link_local())
        }
        IpAddr::V6(v6) => {
            !(v6.is_unspecified()
                || v6.is_loopback()
                || v6.is_multicast()
                || v6.is_unicast_link_local()
                || v6.to_ipv4_mapped().is_some())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_routers_do_not_forward_is_nobodys_to_stand_in_for() {
        let is_forwarded = |text: &str| is_forwarded(text.parse().unwrap());
        for address in ["8.8.8.8", "10.1.2.3", "192.168.0.1", "223.255.255.254", "2001:db8::1", "fd00::5"] {
            assert!(is_forwarded(address), "{address}");
        }
        for address in ["0.1.2.3", "127.0.0.1", "127.255.0.9", "169.254.169.254", "224.0.0.1", "240.0.0.1"] {
            assert!(!is_forwarded(address), "{address}");
        }
        for address in ["::", "::1", "fe80::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1"] {
            assert!(!is_forwarded(address), "{address}");
        }
    }
}
