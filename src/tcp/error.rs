//! What a socket call can answer instead of success.

use std::{fmt, io};

/// An error of a socket. A connection that has failed repeats the error that ended it.
///
/// ```
/// use longwire::tcp::Error;
/// assert_eq!(Error::TimedOut.kind(), std::io::ErrorKind::TimedOut);
/// assert_eq!(std::io::Error::from(Error::StaleSocket).kind(), Error::StaleSocket.kind());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Error {
    /// Nothing to read, no room to write, no connection to accept: an event will say when that changes.
    WouldBlock,
    /// The socket has been closed, or was never ours.
    StaleSocket,
    /// The call does not fit this kind of socket or this state.
    InvalidInput,
    /// Not connected yet, or not any more.
    NotConnected,
    /// The peer answered our SYN with a reset, or its host said that nobody listens.
    ConnectionRefused,
    /// The peer reset the connection.
    ConnectionReset,
    /// We ended the connection: by abort, or because the stack is shutting down.
    ConnectionAborted,
    /// The peer did not answer in time: retransmissions, keep-alive probes or the user timeout ran out.
    TimedOut,
    /// A router or the peer's network said that it cannot be reached.
    HostUnreachable,
    /// There is no address of ours in the destination's family.
    NetworkUnreachable,
    /// Writing after the direction was shut down, or to a peer that has closed and reset what came after that.
    BrokenPipe,
    /// The address and port are taken.
    AddrInUse,
    /// The address is not one of the stack's.
    AddrNotAvailable,
    /// A configured limit on sockets or memory was reached.
    LimitReached,
}

impl Error {
    /// The kind with which `std::net` reports the same.
    pub const fn kind(self) -> io::ErrorKind {
        match self {
            Error::WouldBlock => io::ErrorKind::WouldBlock,
            Error::StaleSocket | Error::NotConnected => io::ErrorKind::NotConnected,
            Error::InvalidInput => io::ErrorKind::InvalidInput,
            Error::ConnectionRefused => io::ErrorKind::ConnectionRefused,
            Error::ConnectionReset => io::ErrorKind::ConnectionReset,
            Error::ConnectionAborted => io::ErrorKind::ConnectionAborted,
            Error::TimedOut => io::ErrorKind::TimedOut,
            Error::HostUnreachable => io::ErrorKind::HostUnreachable,
            Error::NetworkUnreachable => io::ErrorKind::NetworkUnreachable,
            Error::BrokenPipe => io::ErrorKind::BrokenPipe,
            Error::AddrInUse => io::ErrorKind::AddrInUse,
            Error::AddrNotAvailable => io::ErrorKind::AddrNotAvailable,
            Error::LimitReached => io::ErrorKind::OutOfMemory,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::WouldBlock => "operation would block",
            Error::StaleSocket => "socket is closed",
            Error::InvalidInput => "call does not fit this socket",
            Error::NotConnected => "not connected",
            Error::ConnectionRefused => "connection refused",
            Error::ConnectionReset => "connection reset by peer",
            Error::ConnectionAborted => "connection aborted",
            Error::TimedOut => "connection timed out",
            Error::HostUnreachable => "host unreachable",
            Error::NetworkUnreachable => "network unreachable",
            Error::BrokenPipe => "broken pipe",
            Error::AddrInUse => "address already in use",
            Error::AddrNotAvailable => "address not available",
            Error::LimitReached => "limit on sockets reached",
        })
    }
}

impl std::error::Error for Error {}

impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        io::Error::new(error.kind(), error)
    }
}
