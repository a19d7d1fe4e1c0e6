//! Datagrams with the face of `std::net::UdpSocket`.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use super::Network;
use super::calls::{common_calls, timeout_calls};
use super::network::each_address;
use super::socket::Socket;
use crate::driver::Direction;

/// A UDP socket: [`std::net::UdpSocket`], on a [`Network`]. Dropping the last clone closes it.
///
/// What it does not have of the standard library's is broadcast and multicast, which the stack does not send.
///
/// ```
/// use longwire::net::{Network, UdpSocket};
///
/// fn ask(network: &Network, question: &[u8]) -> std::io::Result<Vec<u8>> {
///     let socket: UdpSocket = network.udp("10.9.0.2:0")?;
///     socket.connect("10.9.0.1:53")?;
///     socket.send(question)?;
///     let mut answer = vec![0; 512];
///     let len = socket.recv(&mut answer)?;
///     answer.truncate(len);
///     Ok(answer)
/// }
/// ```
#[derive(Debug)]
pub struct UdpSocket {
    pub(super) socket: Arc<Socket>,
}

impl UdpSocket {
    pub(super) fn on(network: &Network, address: SocketAddr) -> io::Result<UdpSocket> {
        network.check_open()?;
        let shard = network.shard_of_port(address.port());
        let id = shard.with(|stack| stack.udp_bind(address))?;
        Ok(UdpSocket { socket: Arc::new(Socket::new(network, shard, id)?) })
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
    /// `WouldBlock` if the socket is nonblocking or its time-out is over and there is none; `ConnectionRefused` if it
    /// is connected and the peer said that nobody is there; `NetworkDown` once the network is shut down.
    pub fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.socket.blocking(Direction::Read, |stack, id| stack.udp_recv_from(id, buffer))
    }

    /// As [`recv_from`](UdpSocket::recv_from), but the datagram stays there to be received again.
    ///
    /// # Errors
    /// As for `recv_from`.
    pub fn peek_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.socket.blocking(Direction::Read, |stack, id| stack.udp_peek_from(id, buffer))
    }

    /// Makes one peer the only one that datagrams are received from and that [`send`](UdpSocket::send) sends to: the
    /// first address of `address` that can be reached. Once more it changes to another.
    ///
    /// # Errors
    /// `InvalidInput` for an address that no datagram can be sent to, `NetworkUnreachable` without an address of ours
    /// in that family.
    pub fn connect<A: ToSocketAddrs>(&self, address: A) -> io::Result<()> {
        each_address(address, |address| self.socket.call(|stack, id| stack.udp_connect(id, address)))
    }

    /// Sends one datagram to the peer that the socket is connected to. Returns its length.
    ///
    /// # Errors
    /// `NotConnected`; `ConnectionRefused` if the peer has answered an earlier one that nobody is there; else as for
    /// [`send_to`](UdpSocket::send_to).
    pub fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.blocking(Direction::Write, |stack, id| stack.udp_send(id, bytes))
    }

    /// Receives one datagram: how much of it fitted into `buffer`. Connected, it is the peer's; else anybody's.
    ///
    /// # Errors
    /// As for [`recv_from`](UdpSocket::recv_from).
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.recv_from(buffer).map(|(len, _)| len)
    }

    /// As [`recv`](UdpSocket::recv), but the datagram stays there to be received again.
    ///
    /// # Errors
    /// As for [`recv_from`](UdpSocket::recv_from).
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.peek_from(buffer).map(|(len, _)| len)
    }

    /// The peer that the socket is connected to.
    ///
    /// # Errors
    /// `NotConnected` without one.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket.call(|stack, id| stack.remote_addr(id))
    }
}

common_calls!(UdpSocket);
timeout_calls!(UdpSocket);
