//! What can be registered.

use crate::net::socket::Socket;
use crate::net::{TcpListener, TcpStream, UdpSocket};

/// What a [`Poller`](super::Poller) can wait for: the sockets of this module.
pub trait Source: sealed::HasSocket {}

impl<T: sealed::HasSocket> Source for T {}

mod sealed {
    use super::Socket;

    pub trait HasSocket {
        fn socket(&self) -> &Socket;
    }
}

macro_rules! sources {
    ($($kind:ident),+) => {
        $(
            impl sealed::HasSocket for $kind {
                fn socket(&self) -> &Socket {
                    &self.socket
                }
            }
        )+
    };
}

sources!(TcpListener, TcpStream, UdpSocket);
