//! Datagrams.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use ::tokio::net::ToSocketAddrs;

use super::calls::{common_calls, readiness_calls, resolve};
use super::notify::Tasks;
use crate::driver::Direction;
use crate::net::{self, Network};

/// `tokio::net::UdpSocket`, on a [`Network`]. All of its futures are cancellation safe.
///
/// ```
/// use longwire::net::{Network, tokio::UdpSocket};
///
/// async fn ask(network: &Network, question: &[u8]) -> std::io::Result<Vec<u8>> {
///     let socket = UdpSocket::bind_on(network, "10.9.0.2:0").await?;
///     socket.send_to(question, "10.9.0.1:53").await?;
///     let mut answer = vec![0; 512];
///     let (len, _from) = socket.recv_from(&mut answer).await?;
///     answer.truncate(len);
///     Ok(answer)
/// }
/// ```
#[derive(Debug)]
pub struct UdpSocket {
    inner: net::UdpSocket,
    tasks: Arc<Tasks>,
}

impl UdpSocket {
    /// Binds a socket of the default network: to the first of `addresses` that is free. Port 0 takes a free one.
    ///
    /// # Errors
    /// As for [`Network::udp`]; `NetworkDown` without a default network.
    pub async fn bind(addresses: impl ToSocketAddrs) -> io::Result<UdpSocket> {
        UdpSocket::bind_on(&Network::get_default()?, addresses).await
    }

    /// As [`bind`](UdpSocket::bind), on a network of your choice.
    ///
    /// # Errors
    /// As for [`Network::udp`].
    pub async fn bind_on(network: &Network, addresses: impl ToSocketAddrs) -> io::Result<UdpSocket> {
        UdpSocket::from_std(network.udp(&resolve(addresses).await?[..])?)
    }

    /// Makes one peer the only one that datagrams are received from and that [`send`](UdpSocket::send) sends to.
    ///
    /// # Errors
    /// As for [`net::UdpSocket::connect`].
    pub async fn connect(&self, addresses: impl ToSocketAddrs) -> io::Result<()> {
        self.inner.connect(&resolve(addresses).await?[..])
    }

    /// Sends one datagram to the first of `to`.
    ///
    /// # Errors
    /// As for [`net::UdpSocket::send_to`].
    pub async fn send_to(&self, bytes: &[u8], to: impl ToSocketAddrs) -> io::Result<usize> {
        let to = resolve(to).await?[0];
        self.tasks.wait(Direction::Write, || self.inner.send_to(bytes, to)).await
    }

    /// Receives one datagram: how much of it fitted into `buffer`, and who sent it.
    ///
    /// # Errors
    /// As for [`net::UdpSocket::recv_from`].
    pub async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.tasks.wait(Direction::Read, || self.inner.recv_from(buffer)).await
    }

    /// As [`recv_from`](UdpSocket::recv_from), but the datagram stays there to be received again.
    ///
    /// # Errors
    /// As for `recv_from`.
    pub async fn peek_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.tasks.wait(Direction::Read, || self.inner.peek_from(buffer)).await
    }

    /// Sends one datagram to the peer that the socket is [connected](UdpSocket::connect) to.
    ///
    /// # Errors
    /// As for [`net::UdpSocket::send`].
    pub async fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.tasks.wait(Direction::Write, || self.inner.send(bytes)).await
    }

    /// Receives one datagram, and does not ask who sent it.
    ///
    /// # Errors
    /// As for [`net::UdpSocket::recv`].
    pub async fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.tasks.wait(Direction::Read, || self.inner.recv(buffer)).await
    }
}

common_calls!(UdpSocket);
readiness_calls!(UdpSocket);
