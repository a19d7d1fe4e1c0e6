//! Why a client may get no answer from another stack of the same host: the kernel between them does not forward.

use std::fs;
use std::net::IpAddr;

use nix::ifaddrs::getifaddrs;

use crate::net::Cidr;

/// What to add to a time-out of talking to `target`, from a stack with the addresses `ours`.
pub(super) fn hint(target: IpAddr, ours: &[Cidr]) -> Option<String> {
    let is_near = ours.iter().any(|cidr| cidr.address == target) || is_address_of_kernel(target);
    let path = switch(target).1;
    explain(target, is_near, fs::read_to_string(path).ok()?.trim())
}

fn explain(target: IpAddr, is_near: bool, forwarding: &str) -> Option<String> {
    if is_near || forwarding != "0" {
        return None;
    }
    let sysctl = switch(target).0;
    Some(format!(
        "this host does not forward packets ({sysctl} is 0), and only itself can be reached: sudo sysctl -w {sysctl}=1"
    ))
}

/// The sysctl that switches forwarding for this family, and where its value is.
const fn switch(target: IpAddr) -> (&'static str, &'static str) {
    match target {
        IpAddr::V4(_) => ("net.ipv4.ip_forward", "/proc/sys/net/ipv4/ip_forward"),
        IpAddr::V6(_) => ("net.ipv6.conf.all.forwarding", "/proc/sys/net/ipv6/conf/all/forwarding"),
    }
}

/// Whether the kernel itself answers at this address: then nothing is forwarded.
fn is_address_of_kernel(target: IpAddr) -> bool {
    let Ok(mut all) = getifaddrs() else { return false };
    all.any(|entry| {
        entry.address.is_some_and(|address| match target {
            IpAddr::V4(target) => address.as_sockaddr_in().is_some_and(|address| address.ip() == target),
            IpAddr::V6(target) => address.as_sockaddr_in6().is_some_and(|address| address.ip() == target),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_far_address_behind_closed_forwarding_gets_the_hint() {
        let v4: IpAddr = "10.9.0.2".parse().unwrap();
        assert!(explain(v4, false, "0").unwrap().contains("sudo sysctl -w net.ipv4.ip_forward=1"));
        assert!(
            explain("fd09::2".parse().unwrap(), false, "0")
                .unwrap()
                .contains("sudo sysctl -w net.ipv6.conf.all.forwarding=1")
        );
        assert_eq!(explain(v4, false, "1"), None);
        assert_eq!(explain(v4, true, "0"), None);
    }

    #[test]
    fn loopback_is_the_kernels_own() {
        assert!(is_address_of_kernel("127.0.0.1".parse().unwrap()));
        assert!(!is_address_of_kernel("240.0.0.1".parse().unwrap()), "reserved, so nobody's");
    }
}
