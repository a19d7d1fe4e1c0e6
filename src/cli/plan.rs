//! Which addresses an interface and its stack get, and whether they fit together.

use super::error::Failure;
use super::options::StackOptions;
use crate::device::{InterfaceConfig, Prefix};
use crate::net::Cidr;

/// The smallest MTU of IPv6 (RFC 8200 5).
const LEAST_MTU_IPV6: u16 = 1_280;

/// Addresses of an interface and of the stack behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// The kernel's addresses.
    pub(super) hosts: Vec<Cidr>,
    /// The stack's own.
    pub(super) addresses: Vec<Cidr>,
    /// Further prefixes towards the interface.
    pub(super) routes: Vec<Cidr>,
    mtu: u16,
}

/// What is known of the interface.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interface<'a> {
    pub(super) name: &'a str,
    /// N of `lwN`.
    pub(super) number: Option<u8>,
    /// It was there before, perhaps with addresses of its own.
    pub(super) existed: bool,
}

impl Plan {
    /// What `options` say about `interface`, with the defaults of its number.
    ///
    /// # Errors
    /// An address twice or outside every prefix, an MTU too small for IPv6, no default for such a name.
    pub(super) fn new(options: &StackOptions, interface: Interface<'_>) -> Result<Plan, Failure> {
        let defaults = |last| interface.number.map(|number| default_addresses(number, last));
        let addresses = match &options.address[..] {
            [] => defaults(2).ok_or_else(|| {
                let name = interface.name;
                Failure::new(format!(
                    "{name}: only interfaces called lwN have default addresses: give --address and --host"
                ))
            })?,
            given => given.to_vec(),
        };
        let hosts = match &options.host[..] {
            [] => defaults(1).unwrap_or_default(),
            given => given.to_vec(),
        };
        let plan = Plan { hosts, addresses, routes: options.route.clone(), mtu: options.mtu };
        plan.check_duplicates()?;
        plan.check_mtu()?;
        if !interface.existed {
            plan.check_reachable()?;
        }
        Ok(plan)
    }

    /// What the kernel's side of the interface is to be.
    pub(super) fn interface_config(&self) -> InterfaceConfig {
        let prefixes = |cidrs: &[Cidr]| cidrs.iter().map(prefix_of).collect();
        InterfaceConfig { addresses: prefixes(&self.hosts), routes: prefixes(&self.routes), mtu: self.mtu }
    }

    fn check_duplicates(&self) -> Result<(), Failure> {
        let all: Vec<_> = self.addresses.iter().chain(&self.hosts).collect();
        for (index, cidr) in all.iter().enumerate() {
            if all[..index].iter().any(|earlier| earlier.address == cidr.address) {
                let address = cidr.address;
                return Err(Failure::new(format!(
                    "{address}: given twice: the kernel (--host) and the stack (--address) need addresses of their own"
                )));
            }
        }
        Ok(())
    }

    fn check_mtu(&self) -> Result<(), Failure> {
        let all = || self.addresses.iter().chain(&self.hosts).chain(&self.routes);
        if self.mtu < LEAST_MTU_IPV6 && all().any(|cidr| cidr.address.is_ipv6()) {
            return Err(Failure::new(format!(
                "MTU {}: IPv6 needs at least 1280: choose a larger one, or give only IPv4 with --host and --address",
                self.mtu
            )));
        }
        Ok(())
    }

    /// The kernel must have a reason to send the stack's packets to this interface.
    fn check_reachable(&self) -> Result<(), Failure> {
        let towards = || self.hosts.iter().chain(&self.routes);
        match self.addresses.iter().find(|ours| !towards().any(|prefix| prefix.contains(ours.address))) {
            None => Ok(()),
            Some(outside) => {
                let prefixes: Vec<_> = towards().map(ToString::to_string).collect();
                let prefixes = if prefixes.is_empty() { "none".to_owned() } else { prefixes.join(", ") };
                Err(Failure::new(format!(
                    "{}: outside every prefix of the interface ({prefixes}): give --host in the same prefix, or --route",
                    outside.address
                )))
            }
        }
    }
}

/// `10.9.N.LAST/24` and `fd09:0:0:N::LAST/64`, N written in hexadecimal as IPv6 has it.
fn default_addresses(number: u8, last: u8) -> Vec<Cidr> {
    let v4 = Cidr { address: [10, 9, number, last].into(), prefix: 24 };
    let v6 = Cidr { address: [0xfd09, 0, 0, number.into(), 0, 0, 0, last.into()].into(), prefix: 64 };
    vec![v4, v6]
}

fn prefix_of(cidr: &Cidr) -> Prefix {
    Prefix { address: cidr.address, len: cidr.prefix }
}

#[cfg(test)]
mod tests {
    use super::super::options::tests::options;
    use super::*;

    const LW7: Interface<'_> = Interface { name: "lw7", number: Some(7), existed: false };
    const ETHER: Interface<'_> = Interface { name: "tun5", number: None, existed: false };

    fn plan(interface: Interface<'_>, arguments: &[&str]) -> Result<Plan, String> {
        let plan = Plan::new(&options(arguments).unwrap(), interface);
        plan.map_err(|failure| failure.message().unwrap().to_owned())
    }

    fn shown(cidrs: &[Cidr]) -> Vec<String> {
        cidrs.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn addresses_follow_the_number_of_the_interface() {
        let plan = plan(LW7, &[]).unwrap();
        assert_eq!(shown(&plan.hosts), ["10.9.7.1/24", "fd09:0:0:7::1/64"]);
        assert_eq!(shown(&plan.addresses), ["10.9.7.2/24", "fd09:0:0:7::2/64"]);
        let lw0 = Plan::new(&options(&[]).unwrap(), Interface { number: Some(0), ..LW7 }).unwrap();
        assert_eq!(shown(&lw0.addresses), ["10.9.0.2/24", "fd09::2/64"]);
        let config = plan.interface_config();
        assert_eq!((config.addresses.len(), config.mtu), (2, 1_500));
    }

    #[test]
    fn what_is_given_replaces_the_defaults() {
        let given = ["--host", "192.168.7.1/24", "--address", "192.168.7.2/24", "--mtu", "576"];
        let given = plan(LW7, &given).unwrap();
        assert_eq!(shown(&given.hosts), ["192.168.7.1/24"]);
        let routed = plan(LW7, &["--address", "192.168.7.2/24", "--route", "192.168.7.0/24"]).unwrap();
        assert_eq!(shown(&routed.hosts), ["10.9.7.1/24", "fd09:0:0:7::1/64"]);
    }

    #[test]
    fn each_contradiction_has_its_own_words() {
        for (interface, arguments, words) in [
            (
                LW7,
                &["--address", "10.8.0.2/24"][..],
                "10.8.0.2: outside every prefix of the interface (10.9.7.1/24",
            ),
            (LW7, &["--address", "10.9.7.1/24"], "10.9.7.1: given twice"),
            (LW7, &["--address", "10.9.7.2/24", "--address", "10.9.7.2/24"], "10.9.7.2: given twice"),
            (LW7, &["--mtu", "1279"], "MTU 1279: IPv6 needs at least 1280"),
            (ETHER, &[], "tun5: only interfaces called lwN"),
            (ETHER, &["--address", "10.1.0.2/24"], "outside every prefix of the interface (none)"),
        ] {
            let error = plan(interface, arguments).unwrap_err();
            assert!(error.contains(words), "{arguments:?}: {error}");
        }
    }

    #[test]
    fn an_interface_that_exists_may_have_what_is_needed() {
        let existing = Interface { existed: true, ..ETHER };
        assert!(plan(existing, &["--address", "10.1.0.2/24"]).is_ok());
    }
}
