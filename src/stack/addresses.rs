//! Our own addresses, and what they say about others.

use std::net::{IpAddr, Ipv4Addr};

use super::Cidr;

/// The configured addresses of a stack: a handful, so a scan is the fastest search.
#[derive(Debug)]
pub(super) struct Addresses {
    list: Vec<Cidr>,
}

impl Addresses {
    /// The addresses of a configuration.
    pub(super) fn new(list: Vec<Cidr>) -> Addresses {
        Addresses { list }
    }

    /// All of them.
    pub(super) fn as_slice(&self) -> &[Cidr] {
        &self.list
    }

    /// Whether `address` is one of ours.
    pub(super) fn is_ours(&self, address: IpAddr) -> bool {
        self.list.iter().any(|cidr| cidr.address == address)
    }

    /// Whether `address` is the limited broadcast address or that of one of our networks (RFC 919).
    pub(super) fn is_broadcast(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(Ipv4Addr::BROADCAST) => true,
            IpAddr::V4(v4) => self.list.iter().any(|cidr| cidr.broadcast() == Some(v4)),
            IpAddr::V6(_) => false,
        }
    }

    /// The address of ours to reach `remote` from: itself if it is ours, one in its network if there is one, else
    /// the first of its family.
    pub(super) fn source_for(&self, remote: IpAddr) -> Option<IpAddr> {
        if self.is_ours(remote) {
            return Some(remote);
        }
        let mut family = self.list.iter().filter(|cidr| cidr.address.is_ipv4() == remote.is_ipv4());
        let first = family.clone().next();
        family.find(|cidr| cidr.contains(remote)).or(first).map(|cidr| cidr.address)
    }

    /// Whether packets can be sent to `remote` at all.
    pub(super) fn is_unicast(&self, remote: IpAddr) -> bool {
        !(remote.is_multicast() || remote.is_unspecified() || self.is_broadcast(remote))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses() -> Addresses {
        let list = ["10.0.0.1/24", "10.0.1.1/24", "fd00::1/64"];
        Addresses::new(list.iter().map(|text| text.parse().unwrap()).collect())
    }

    fn source_for(remote: &str) -> String {
        addresses().source_for(remote.parse().unwrap()).unwrap().to_string()
    }

    #[test]
    fn the_source_is_near_the_destination() {
        assert_eq!(source_for("10.0.1.77"), "10.0.1.1");
        assert_eq!(source_for("8.8.8.8"), "10.0.0.1");
        assert_eq!(source_for("10.0.1.1"), "10.0.1.1");
        assert_eq!(source_for("2001:db8::1"), "fd00::1");
        let v4_only = Addresses::new(vec!["10.0.0.1/24".parse().unwrap()]);
        assert_eq!(v4_only.source_for("fd00::2".parse().unwrap()), None);
    }

    #[test]
    fn broadcast_is_of_our_networks_only() {
        let is_broadcast = |address: &str| addresses().is_broadcast(address.parse().unwrap());
        assert!(is_broadcast("255.255.255.255") && is_broadcast("10.0.1.255"));
        assert!(!is_broadcast("10.0.2.255") && !is_broadcast("ff02::1"));
    }
}
