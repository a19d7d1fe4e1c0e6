//! What identifies a connection, and where it is kept.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::wire::IpPair;

/// Both ends of a connection as we see them: the pair's source is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct FourTuple {
    /// Our address and the peer's.
    pub(super) addresses: IpPair,
    /// Our port.
    pub(super) local_port: u16,
    /// The peer's port.
    pub(super) remote_port: u16,
}

impl FourTuple {
    /// The tuple of two ends, or `None` if they are of different families.
    pub(super) fn new(local: SocketAddr, remote: SocketAddr) -> Option<FourTuple> {
        let addresses = IpPair::new(local.ip(), remote.ip())?;
        Some(FourTuple { addresses, local_port: local.port(), remote_port: remote.port() })
    }

    /// Our end.
    pub(super) fn local(&self) -> SocketAddr {
        SocketAddr::new(source(&self.addresses), self.local_port)
    }

    /// The peer's end.
    pub(super) fn remote(&self) -> SocketAddr {
        SocketAddr::new(destination(&self.addresses), self.remote_port)
    }

    /// Everything that tells it from others, to be hashed, and how many bytes that are.
    pub(super) fn to_bytes(self) -> ([u8; 36], usize) {
        let mut bytes = [0; 36];
        bytes[0..2].copy_from_slice(&self.local_port.to_be_bytes());
        bytes[2..4].copy_from_slice(&self.remote_port.to_be_bytes());
        match self.addresses {
            IpPair::V4 { src, dst } => {
                bytes[4..8].copy_from_slice(&src.octets());
                bytes[8..12].copy_from_slice(&dst.octets());
                (bytes, 12)
            }
            IpPair::V6 { src, dst } => {
                bytes[4..20].copy_from_slice(&src.octets());
                bytes[20..36].copy_from_slice(&dst.octets());
                (bytes, 36)
            }
        }
    }
}

/// A [`FourTuple`] as connections keep it: IPv4 does not pay for the length of IPv6's addresses, which are in a box.
#[derive(Debug)]
pub(super) enum Ends {
    V4 { src: Ipv4Addr, dst: Ipv4Addr, local_port: u16, remote_port: u16 },
    V6(Box<FourTuple>),
}

impl Ends {
    /// Those of a tuple.
    pub(super) fn new(tuple: &FourTuple) -> Ends {
        match *tuple {
            FourTuple { addresses: IpPair::V4 { src, dst }, local_port, remote_port } => {
                Ends::V4 { src, dst, local_port, remote_port }
            }
            tuple => Ends::V6(Box::new(tuple)),
        }
    }

    /// The tuple.
    pub(super) fn tuple(&self) -> FourTuple {
        match *self {
            Ends::V4 { src, dst, local_port, remote_port } => {
                FourTuple { addresses: IpPair::V4 { src, dst }, local_port, remote_port }
            }
            Ends::V6(ref tuple) => **tuple,
        }
    }
}

/// The pair's source.
pub(super) fn source(pair: &IpPair) -> IpAddr {
    match *pair {
        IpPair::V4 { src, .. } => src.into(),
        IpPair::V6 { src, .. } => src.into(),
    }
}

/// The pair's destination.
pub(super) fn destination(pair: &IpPair) -> IpAddr {
    match *pair {
        IpPair::V4 { dst, .. } => dst.into(),
        IpPair::V6 { dst, .. } => dst.into(),
    }
}

/// Where the state of a flow is kept: an index into one of four tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// A socket with a connection.
    Connection(u32),
    /// A half-open connection.
    HalfOpen(u32),
    /// An IPv4 entry in TIME-WAIT.
    TimeWaitV4(u32),
    /// An IPv6 entry in TIME-WAIT.
    TimeWaitV6(u32),
}

const KIND_SHIFT: u32 = 29;

impl Flow {
    /// As 32 bits that are never all zero: three for the kind, the rest for the index.
    pub(super) fn to_bits(self) -> u32 {
        let (kind, index) = match self {
            Flow::Connection(index) => (1, index),
            Flow::HalfOpen(index) => (2, index),
            Flow::TimeWaitV4(index) => (3, index),
            Flow::TimeWaitV6(index) => (4, index),
        };
        debug_assert!(index < 1 << KIND_SHIFT, "more flows than the demultiplexer can name");
        kind << KIND_SHIFT | index
    }

    /// What [`to_bits`](Flow::to_bits) made.
    pub(super) fn from_bits(bits: u32) -> Flow {
        let index = bits & ((1 << KIND_SHIFT) - 1);
        match bits >> KIND_SHIFT {
            1 => Flow::Connection(index),
            2 => Flow::HalfOpen(index),
            3 => Flow::TimeWaitV4(index),
            _ => Flow::TimeWaitV6(index),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_tell_kinds_and_indices_apart() {
        for index in [0, 1, (1 << KIND_SHIFT) - 1] {
            for flow in [
                Flow::Connection(index),
                Flow::HalfOpen(index),
                Flow::TimeWaitV4(index),
                Flow::TimeWaitV6(index),
            ] {
                assert_ne!(flow.to_bits(), 0);
                assert_eq!(Flow::from_bits(flow.to_bits()), flow);
            }
        }
    }

    #[test]
    fn ends_are_kept_in_16_bytes() {
        assert_eq!(size_of::<Ends>(), 16);
        for (local, remote) in [("10.0.0.1:80", "10.0.0.2:50000"), ("[fd00::1]:80", "[fd00::2]:50000")] {
            let tuple = FourTuple::new(local.parse().unwrap(), remote.parse().unwrap()).unwrap();
            assert_eq!(Ends::new(&tuple).tuple(), tuple);
        }
    }

    #[test]
    fn ends_of_different_families_have_no_tuple() {
        let (v4, v6) = ("10.0.0.1:80".parse().unwrap(), "[fd00::1]:80".parse().unwrap());
        assert!(FourTuple::new(v4, v6).is_none());
        let tuple = FourTuple::new(v6, "[fd00::2]:99".parse().unwrap()).unwrap();
        assert_eq!((tuple.local(), tuple.remote()), (v6, "[fd00::2]:99".parse().unwrap()));
    }
}
