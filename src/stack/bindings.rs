//! Who is bound to which local address and port.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Sockets bound to local ends: listeners, or UDP sockets. The unspecified address stands for all of ours *of its
/// family*: `[::]` takes no IPv4, so that nobody meets IPv4-mapped addresses; bind both to serve both.
#[derive(Debug, Default)]
pub(super) struct Bindings {
    /// By port first, so that all that share one are neighbours.
    sockets: BTreeMap<(u16, IpAddr), u32>,
}

impl Bindings {
    /// The socket that packets to `local` are for: one bound to just this address before one bound to all.
    pub(super) fn find(&self, local: SocketAddr) -> Option<u32> {
        let exact = self.sockets.get(&(local.port(), local.ip()));
        exact.or_else(|| self.sockets.get(&(local.port(), unspecified(local.ip())))).copied()
    }

    /// Whether binding `local` would take packets from another socket, or lose some to it.
    pub(super) fn conflicts(&self, local: SocketAddr) -> bool {
        let lowest = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        self.sockets
            .range((local.port(), lowest)..)
            .take_while(|((port, _), _)| *port == local.port())
            .filter(|((_, ip), _)| ip.is_ipv4() == local.is_ipv4())
            .any(|((_, ip), _)| *ip == local.ip() || ip.is_unspecified() || local.ip().is_unspecified())
    }

    /// Binds a socket. The caller has looked for conflicts.
    pub(super) fn insert(&mut self, local: SocketAddr, index: u32) {
        self.sockets.insert((local.port(), local.ip()), index);
    }

    /// Gives a binding up.
    pub(super) fn remove(&mut self, local: SocketAddr) {
        self.sockets.remove(&(local.port(), local.ip()));
    }
}

/// The unspecified address of the same family.
pub(super) const fn unspecified(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_specific_socket_comes_before_the_general_one() {
        let mut bindings = Bindings::default();
        bindings.insert(at("0.0.0.0:80"), 1);
        bindings.insert(at("[::]:80"), 2);
        bindings.insert(at("10.0.0.1:81"), 3);
        assert_eq!(bindings.find(at("10.0.0.1:80")), Some(1));
        assert_eq!(bindings.find(at("[fd00::1]:80")), Some(2));
        assert_eq!(bindings.find(at("10.0.0.1:81")), Some(3));
        assert_eq!(bindings.find(at("10.0.0.2:81")), None);
        bindings.remove(at("0.0.0.0:80"));
        assert_eq!(bindings.find(at("10.0.0.1:80")), None, "[::] takes no IPv4");
    }

    #[test]
    fn overlapping_ends_conflict() {
        let mut bindings = Bindings::default();
        bindings.insert(at("10.0.0.1:80"), 1);
        assert!(bindings.conflicts(at("10.0.0.1:80")));
        assert!(bindings.conflicts(at("0.0.0.0:80")));
        assert!(!bindings.conflicts(at("10.0.0.2:80")));
        assert!(!bindings.conflicts(at("[::]:80")));
        assert!(!bindings.conflicts(at("10.0.0.1:79")) && !bindings.conflicts(at("10.0.0.1:81")));
        bindings.insert(at("0.0.0.0:90"), 2);
        assert!(bindings.conflicts(at("10.0.0.1:90")));
    }
}
