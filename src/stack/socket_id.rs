//! Handles that fail cleanly once what they name is gone.

/// A handle on a socket (connection, listener, UDP, ICMP). A stale one fails with
/// [`Error::StaleSocket`](super::Error::StaleSocket).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SocketId {
    pub(super) index: u32,
    pub(super) generation: u32,
}

impl SocketId {
    /// That of no socket: always a stale one.
    pub(super) const NONE: SocketId = SocketId { index: u32::MAX, generation: u32::MAX };

    /// As a number that no other socket of its stack has had or will have before 2^32 others have had its place.
    pub const fn to_bits(self) -> u64 {
        (self.generation as u64) << 32 | self.index as u64
    }

    /// What [`to_bits`](Self::to_bits) made a number of.
    pub const fn from_bits(bits: u64) -> SocketId {
        SocketId { index: bits as u32, generation: (bits >> 32) as u32 }
    }

    /// A number that no other open socket of its stack has, and little more than there are sockets: the index of a table
    /// of one's own, which then needs no map from handles.
    pub const fn index(self) -> u32 {
        self.index
    }
}
