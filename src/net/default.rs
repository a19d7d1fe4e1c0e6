//! The network that the std-shaped functions use: the only global.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use super::exit;
use super::{Network, TcpListener, TcpStream, UdpSocket};

static DEFAULT: RwLock<Option<Network>> = RwLock::new(None);

impl Network {
    /// Makes `network` the one that [`TcpStream::connect`], [`TcpListener::bind`] and [`UdpSocket::bind`] use, or with
    /// `None` takes it away again. Returns the one before.
    ///
    /// It runs until the end of the program, which waits until what was written has gone if this is called on the
    /// thread that runs `main`; [`shutdown`](Network::shutdown) ends it earlier.
    pub fn set_default(network: impl Into<Option<Network>>) -> Option<Network> {
        let network = network.into();
        network.iter().for_each(exit::watch);
        let mut default = DEFAULT.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *default, network)
    }

    /// The network given to [`set_default`](Network::set_default).
    ///
    /// # Errors
    /// `NetworkDown` if there is none.
    pub fn get_default() -> io::Result<Network> {
        DEFAULT.read().unwrap_or_else(PoisonError::into_inner).clone().ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::NetworkDown,
                "no default network: start one and give it to Network::set_default",
            )
        })
    }
}

impl TcpStream {
    /// As [`std::net::TcpStream::connect`], on the default network: [`Network::connect`].
    ///
    /// # Errors
    /// As for [`Network::connect`]; `NetworkDown` without a default network.
    pub fn connect<A: ToSocketAddrs>(address: A) -> io::Result<TcpStream> {
        Network::get_default()?.connect(address)
    }

    /// As [`std::net::TcpStream::connect_timeout`], on the default network: [`Network::connect_timeout`].
    ///
    /// # Errors
    /// As for [`Network::connect_timeout`]; `NetworkDown` without a default network.
    pub fn connect_timeout(address: &SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
        Network::get_default()?.connect_timeout(address, timeout)
    }
}

impl TcpListener {
    /// As [`std::net::TcpListener::bind`], on the default network: [`Network::listen`].
    ///
    /// # Errors
    /// As for [`Network::listen`]; `NetworkDown` without a default network.
    pub fn bind<A: ToSocketAddrs>(address: A) -> io::Result<TcpListener> {
        Network::get_default()?.listen(address)
    }
}

impl UdpSocket {
    /// As [`std::net::UdpSocket::bind`], on the default network: [`Network::udp`].
    ///
    /// # Errors
    /// As for [`Network::udp`]; `NetworkDown` without a default network.
    pub fn bind<A: ToSocketAddrs>(address: A) -> io::Result<UdpSocket> {
        Network::get_default()?.udp(address)
    }
}
