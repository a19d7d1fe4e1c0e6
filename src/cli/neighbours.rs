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
    for entry in all.filter(|entry| entry.interface_name != interface) {
        let address = entry.address.as_ref().and_then(ip);
        let mask = entry.netmask.as_ref().and_then(ip);
        if let (Some(address), Some(mask)) = (address, mask)
            && let Ok(other) = Cidr::new(address, prefix_len(mask))
            && let Some(host) = hosts.iter().find(|host| is_same_network(host, &other))
        {
            return Err(Failure::new(format!(
                "{host}: the network is already that of {} ({other}): choose another one with --host and --address",
                entry.interface_name
            )));
        }
    }
    Ok(())
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

    fn check_on(interface: &str, host: &str) -> Result<(), String> {
        check(interface, &[host.parse().unwrap()]).map_err(|failure| failure.message().unwrap().to_owned())
    }

    #[test]
    fn the_network_of_another_interface_is_refused() {
        let error = check_on("lw0", "127.0.0.1/24").unwrap_err();
        assert!(
            error.starts_with("127.0.0.1/24: the network is already that of lo (127.0.0.1/8)"),
            "{error}"
        );
        assert!(check_on("lw0", "127.0.0.7/8").is_err(), "the same prefix");
        assert_eq!(check_on("lw0", "127.9.0.1/24"), Ok(()), "a part of it may be elsewhere");
        assert_eq!(check_on("lo", "127.0.0.1/8"), Ok(()), "one's own");
        assert_eq!(check_on("lw0", "192.0.2.1/24"), Ok(()));
    }

    #[test]
    fn masks_are_counted() {
        assert_eq!(prefix_len("255.255.252.0".parse().unwrap()), 22);
        assert_eq!(prefix_len("ffff:ffff::".parse().unwrap()), 32);
    }
}
