//! Hosts and ports as they are typed.

use std::net::{SocketAddr, ToSocketAddrs};

use super::error::Failure;
use crate::net::Cidr;

/// Asks the system's resolver; gives the addresses whose family the stack has, in the resolver's order.
///
/// # Errors
/// The name is unknown, or all its addresses are of a family that the stack lacks.
pub(super) fn resolve(host: &str, port: u16, ours: &[Cidr]) -> Result<Vec<SocketAddr>, Failure> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let failed = |error: std::io::Error| {
        Failure::new(format!("{host}: name not found: {error}: check the spelling, or give an address"))
    };
    let all: Vec<_> = (host, port).to_socket_addrs().map_err(failed)?.collect();
    let ours_too =
        |address: &&SocketAddr| ours.iter().any(|cidr| cidr.address.is_ipv4() == address.is_ipv4());
    let usable: Vec<_> = all.iter().filter(ours_too).copied().collect();
    match (usable.is_empty(), all.first()) {
        (false, _) => Ok(usable),
        (true, Some(address)) => {
            let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
            Err(Failure::new(format!(
                "{}: the stack has no {family} address: give it one with --address and --host",
                address.ip()
            )))
        }
        (true, None) => Err(failed(std::io::ErrorKind::NotFound.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(host: &str, ours: &str) -> Result<Vec<SocketAddr>, String> {
        let ours = [ours.parse().unwrap()];
        resolve(host, 7, &ours).map_err(|failure| failure.message().unwrap().to_owned())
    }

    #[test]
    fn addresses_of_our_families_are_taken() {
        assert_eq!(resolved("10.9.0.1", "10.9.0.2/24").unwrap(), ["10.9.0.1:7".parse().unwrap()]);
        assert_eq!(resolved("[fd09::1]", "fd09::2/64").unwrap(), ["[fd09::1]:7".parse().unwrap()]);
        assert!(resolved("fd09::1", "10.9.0.2/24").unwrap_err().contains("no IPv6 address"));
    }

    #[test]
    fn an_unknown_name_is_said_to_be_one() {
        let error = resolved("no-such-host.invalid", "10.9.0.2/24").unwrap_err();
        assert!(error.starts_with("no-such-host.invalid: name not found"), "{error}");
    }
}
