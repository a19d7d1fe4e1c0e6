//! What can be registered.

use crate::net::socket::Socket;
use crate::net::{TcpListener, TcpStream, UdpSocket};

/// What a [`Poller`](super::Poller) can wait for: the sockets of this module.
///
/// ```
/// use longwire::net::{Interest, Poller, Source, Token};
///
/// /// Waits for reading and writing, whatever kind of socket it is.
/// fn watch(poller: &Poller, socket: &impl Source, number: usize) -> std::io::Result<()> {
///     poller.register(socket, Token(number), Interest::READABLE | Interest::WRITABLE)
/// }
/// ```
pub trait Source: sealed::HasSocket {}

impl<T: sealed::HasSocket> Source for T {}

mod sealed {
    use super::Socket;

    /// Names the trait's only way in without naming the type behind it.
    pub struct Inside<'a>(pub(in crate::net) &'a Socket);

    pub trait HasSocket {
        fn inside(&self) -> Inside<'_>;
    }
}

macro_rules! sources {
    ($($kind:ident),+) => {
        $(
            impl sealed::HasSocket for $kind {
                fn inside(&self) -> sealed::Inside<'_> {
                    sealed::Inside(&self.socket)
                }
            }
        )+
    };
}

sources!(TcpListener, TcpStream, UdpSocket);
