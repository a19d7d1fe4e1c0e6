//! Whether another interface of this host is in the same network already: the kernel would not mind, and send the
//! stack's packets there.

use std::net::IpAddr;

use nix::ifaddrs::getifaddrs;

use super::error::Failure;
use crate::net::Cidr;

/// Looks for an address of another interface than `interface` that stands in the way of `hosts`.
///
/// # Errors
/// There is one.
pub(super) fn check(interface: &str, hosts: &[Cidr]) -> Result<(), Failure> {
    let Ok(all) = getifaddrs() else { return Ok(()) };
    let others = all.filter(|entry| entry.interface_name != interface).filter_map(|entry| {
        let (address, mask) = (ip(entry.address.as_ref()?)?, ip(entry.netmask.as_ref()?)?);
        Some((entry.interface_name, Cidr::new(address, prefix_len(mask)).ok()?))
    });
    refuse_taken(others, hosts)
}

fn refuse_taken(mut others: impl Iterator<Item = (String, Cidr)>, hosts: &[Cidr]) -> Result<(), Failure> {
    let taken = others.find_map(|(name, other)| {
        let host = hosts.iter().find(|host| is_same_network(host, &other))?;
        Some(format!(
            "{host}: the network is already that of {name} ({other}): choose another one with --host and --address"
        ))
    });
    taken.map_or(Ok(()), |words| Err(Failure::new(words)))
}

/// The same address, or the same prefix: a longer or shorter one around it is no contradiction to the kernel.
fn is_same_network(one: &Cidr, other: &Cidr) -> bool {
    one.address == other.address || (one.prefix == other.prefix && one.contains(other.address))
}

fn ip(address: &nix::sys::socket::SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| v4.ip().into());
    v4.or_else(|| address.as_sockaddr_in6().map(|v6| v6.ip().into()))
}

fn prefix_len(mask: IpAddr) -> u8 {
    let ones = match mask {
        IpAddr::V4(mask) => mask.to_bits().count_ones(),
        IpAddr::V6(mask) => mask.to_bits().count_ones(),
    };
    ones as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beside(other: &str, host: &str) -> Result<(), String> {
        let others = [("eth0".to_owned(), other.parse().unwrap())];
        let result = refuse_taken(others.into_iter(), &[host.parse().unwrap()]);
        result.map_err(|failure| failure.message().unwrap().to_owned())
    }

    #[test]
    fn the_network_of_another_interface_is_refused() {
        let error = beside("10.9.0.7/24", "10.9.0.1/24").unwrap_err();
        assert!(
            error.starts_with("10.9.0.1/24: the network is already that of eth0 (10.9.0.7/24)"),
            "{error}"
        );
        assert!(beside("10.9.0.1/8", "10.9.0.1/24").is_err(), "the same address");
        assert!(beside("fd09::7/64", "fd09::1/64").is_err());
        assert_eq!(beside("10.0.0.1/8", "10.9.0.1/24"), Ok(()), "a part of it may be elsewhere");
        assert_eq!(beside("10.9.1.1/24", "10.9.0.1/24"), Ok(()));
        assert_eq!(beside("fd09::1/64", "10.9.0.1/24"), Ok(()));
    }

    #[test]
    fn loopback_does_not_stand_in_its_own_way() {
        assert!(check("lw0", &["127.0.0.1/8".parse().unwrap()]).is_err());
        assert!(check("lo", &["127.0.0.1/8".parse().unwrap()]).is_ok());
    }

    #[test]
    fn masks_are_counted() {
        assert_eq!(prefix_len("255.255.252.0".parse().unwrap()), 22);
        assert_eq!(prefix_len("ffff:ffff::".parse().unwrap()), 32);
    }
}
