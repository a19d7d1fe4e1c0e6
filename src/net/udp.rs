//! Datagrams with the face of `std::net::UdpSocket`.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use super::Network;
use super::socket::Socket;
use crate::driver::Direction;

/// A UDP socket: [`std::net::UdpSocket`], on a [`Network`]. Dropping the last clone closes it.
#[derive(Debug)]
pub struct UdpSocket {
    socket: Arc<Socket>,
}

impl UdpSocket {
    pub(super) fn on(network: &Network, address: SocketAddr) -> io::Result<UdpSocket> {
        network.check_open()?;
        let id = network.shared().with(|stack| stack.udp_bind(address))?;
        Ok(UdpSocket { socket: Arc::new(Socket::new(network, id)?) })
    }

    /// The network that it runs on.
    pub fn network(&self) -> &Network {
        self.socket.network()
    }

    /// Sends one datagram to the first address of `to`. Returns its length.
    ///
    /// # Errors
    /// `InvalidInput` when it is too long, `NetworkUnreachable` without an address of ours in that family.
    pub fn send_to<A: ToSocketAddrs>(&self, bytes: &[u8], to: A) -> io::Result<usize> {
        let none = || io::Error::new(io::ErrorKind::InvalidInput, "no addresses to send data to");
        let to = to.to_socket_addrs()?.next().ok_or_else(none)?;
        self.socket.blocking(Direction::Write, |stack, id| stack.udp_send_to(id, bytes, to))
    }

    /// Receives one datagram: how much of it fitted into `buffer`, and who sent it. The rest of it is lost.
    ///
    /// # Errors
    /// `WouldBlock` if the socket is nonblocking or its time-out is over and there is none; `NetworkDown` once the
    /// network is shut down.
    pub fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.socket.blocking(Direction::Read, |stack, id| stack.udp_recv_from(id, buffer))
    }

    /// Our address and port; the port that was chosen if 0 was asked for.
    ///
    /// # Errors
    /// `NetworkDown` once the network is shut down.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.call(|stack, id| stack.local_addr(id))
    }

    /// Another handle on the same socket.
    ///
    /// # Errors
    /// Never; the standard library's signature.
    pub fn try_clone(&self) -> io::Result<UdpSocket> {
        Ok(UdpSocket { socket: Arc::clone(&self.socket) })
    }

    /// How long receiving may block.
    ///
    /// # Errors
    /// Never; the standard library's signature.
    pub fn read_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.socket.timeout(Direction::Read).get())
    }

    /// How long receiving may block before it gives `WouldBlock`; `None`: for ever.
    ///
    /// # Errors
    /// `InvalidInput` for a time of zero.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.socket.timeout(Direction::Read).set(timeout)
    }

    /// How long sending may block.
    ///
    /// # Errors
    /// Never; the standard library's signature.
    pub fn write_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.socket.timeout(Direction::Write).get())
    }

    /// How long sending may block before it gives `WouldBlock`; `None`: for ever.
    ///
    /// # Errors
    /// `InvalidInput` for a time of zero.
    pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.socket.timeout(Direction::Write).set(timeout)
    }

    /// Makes sending and receiving give `WouldBlock` instead of blocking, for every clone.
    ///
    /// # Errors
    /// Never; the standard library's signature.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.socket.set_nonblocking(nonblocking);
        Ok(())
    }
}
