//! Handles that fail cleanly once what they name is gone.

/// A handle on a socket (connection, listener, UDP, ICMP). A stale one fails with
/// [`Error::StaleSocket`](super::Error::StaleSocket).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SocketId {
    pub(super) index: u32,
    pub(super) generation: u32,
}
