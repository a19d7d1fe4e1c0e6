//! An address with the length of its network's prefix.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

/// A configured address of the stack with the length of its prefix, as in `10.9.0.2/24`.
///
/// ```
/// use longwire::stack::Cidr;
/// let cidr: Cidr = "10.9.0.2/24".parse().unwrap();
/// assert!(cidr.contains("10.9.0.77".parse().unwrap()));
/// assert_eq!(cidr.to_string(), "10.9.0.2/24");
/// assert!("10.9.0.2/33".parse::<Cidr>().unwrap_err().to_string().contains("32"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    /// The address itself.
    pub address: IpAddr,
    /// Bits of it that name the network.
    pub prefix: u8,
}

impl Cidr {
    /// An address with its prefix.
    ///
    /// # Errors
    /// [`CidrError::Prefix`] if the prefix is longer than the address.
    pub fn new(address: IpAddr, prefix: u8) -> Result<Cidr, CidrError> {
        match prefix <= bits(address) {
            true => Ok(Cidr { address, prefix }),
            false => Err(CidrError::Prefix { prefix: prefix.to_string(), longest: bits(address) }),
        }
    }

    /// Whether `address` is in the same network.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(ours), IpAddr::V4(other)) => {
                let host_bits = 32 - u32::from(self.prefix.min(32));
                (ours.to_bits() ^ other.to_bits()).checked_shr(host_bits).unwrap_or(0) == 0
            }
            (IpAddr::V6(ours), IpAddr::V6(other)) => {
                let host_bits = 128 - u32::from(self.prefix.min(128));
                (ours.to_bits() ^ other.to_bits()).checked_shr(host_bits).unwrap_or(0) == 0
            }
            _ => false,
        }
    }

    /// The network's directed broadcast address (RFC 919). IPv6 has none, and neither has a network of one or two
    /// addresses (RFC 3021).
    pub fn broadcast(&self) -> Option<Ipv4Addr> {
        match self.address {
            IpAddr::V4(ours) if self.prefix < 31 => {
                Some(Ipv4Addr::from_bits(ours.to_bits() | u32::MAX.checked_shr(u32::from(self.prefix))?))
            }
            _ => None,
        }
    }
}

const fn bits(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// Why a text is not an address with a prefix.
///
/// ```
/// use longwire::stack::{Cidr, CidrError};
/// assert!(matches!("10.9.0.2".parse::<Cidr>(), Err(CidrError::NoPrefix(_))));
/// assert!(matches!("10.9.0.2/33".parse::<Cidr>(), Err(CidrError::Prefix { longest: 32, .. })));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CidrError {
    /// The part before the slash is not an address.
    Address(String),
    /// There is no slash.
    NoPrefix(String),
    /// The part behind the slash is not a length that fits the address.
    Prefix {
        /// What was there.
        prefix: String,
        /// The longest that would fit.
        longest: u8,
    },
}

impl fmt::Display for CidrError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CidrError::Address(text) => write!(f, "'{text}' is neither an IPv4 nor an IPv6 address"),
            CidrError::NoPrefix(text) => {
                write!(f, "'{text}' has no prefix length: write it as in 10.9.0.2/24 or fd09::2/64")
            }
            CidrError::Prefix { prefix, longest } => {
                write!(f, "prefix length '{prefix}' is not a number from 0 to {longest}")
            }
        }
    }
}

impl std::error::Error for CidrError {}

impl FromStr for Cidr {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Cidr, CidrError> {
        let (address, prefix) = text.split_once('/').ok_or_else(|| CidrError::NoPrefix(text.to_owned()))?;
        let address: IpAddr = address.parse().map_err(|_| CidrError::Address(address.to_owned()))?;
        let length = prefix
            .parse()
            .map_err(|_| CidrError::Prefix { prefix: prefix.to_owned(), longest: bits(address) })?;
        Cidr::new(address, length)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cidr(text: &str) -> Cidr {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_shown_is_read_back() {
        for text in ["10.9.0.2/24", "0.0.0.0/0", "fd09::2/64", "::1/128"] {
            assert_eq!(cidr(text).to_string(), text);
        }
    }

    #[test]
    fn errors_say_what_is_wrong() {
        for (text, part) in [
            ("10.9.0.2", "no prefix length"),
            ("10.9.0/24", "'10.9.0' is neither"),
            ("10.9.0.2/33", "'33' is not a number from 0 to 32"),
            ("fd09::2/129", "from 0 to 128"),
            ("fd09::2/x", "'x' is not a number"),
            ("10.9.0.2/", "'' is not a number"),
            ("10.9.0.2/300", "'300' is not a number from 0 to 32"),
        ] {
            let error = text.parse::<Cidr>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn containment() {
        assert!(cidr("10.9.0.2/24").contains("10.9.0.255".parse().unwrap()));
        assert!(!cidr("10.9.0.2/24").contains("10.9.1.2".parse().unwrap()));
        assert!(cidr("10.9.0.2/0").contains("200.0.0.1".parse().unwrap()));
        assert!(!cidr("10.9.0.2/0").contains("fd09::1".parse().unwrap()));
        assert!(cidr("fd09::2/64").contains("fd09::ffff:1".parse().unwrap()));
        assert!(!cidr("fd09::2/128").contains("fd09::3".parse().unwrap()));
    }

    #[test]
    fn rfc_919_and_rfc_3021_broadcast() {
        assert_eq!(cidr("10.9.0.2/24").broadcast(), Some(Ipv4Addr::new(10, 9, 0, 255)));
        assert_eq!(cidr("10.9.0.2/0").broadcast(), Some(Ipv4Addr::BROADCAST));
        assert_eq!(cidr("10.9.0.2/31").broadcast(), None);
        assert_eq!(cidr("10.9.0.2/32").broadcast(), None);
        assert_eq!(cidr("fd09::2/64").broadcast(), None);
    }
}
