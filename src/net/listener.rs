//! Listening with the face of `std::net::TcpListener`.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use super::socket::Socket;
use super::{Network, TcpStream};
use crate::driver::{Direction, ListenOptions, Stack};

/// A listener for TCP connections: [`std::net::TcpListener`], on a [`Network`]. Several threads may accept from it.
///
/// Dropping the last clone closes it, and resets the connections that nobody has accepted.
#[derive(Debug)]
pub struct TcpListener {
    socket: Arc<Socket>,
}

impl TcpListener {
    pub(super) fn on(network: &Network, address: SocketAddr) -> io::Result<TcpListener> {
        network.check_open()?;
        let options = ListenOptions { backlog: network.backlog(), ..ListenOptions::default() };
        let id = network.shared().with(|stack| stack.listen(address, options))?;
        Ok(TcpListener { socket: Arc::new(Socket::new(network, id)?) })
    }

    /// The network that it runs on.
    pub fn network(&self) -> &Network {
        self.socket.network()
    }

    /// Waits for a connection: it and the peer's address.
    ///
    /// # Errors
    /// `WouldBlock` if it is nonblocking and there is none, `NetworkDown` once the network is shut down.
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (id, peer) = self.socket.blocking(Direction::Read, Stack::accept)?;
        Ok((TcpStream::from_id(self.network(), id)?, peer))
    }

    /// Connections as they come, without an end: what [`accept`](TcpListener::accept) gives, without the address.
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming { listener: self }
    }

    /// Our address and port; the port that was chosen if 0 was asked for.
    ///
    /// # Errors
    /// `NetworkDown` once the network is shut down.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.call(|stack, id| stack.local_addr(id))
    }

    /// Another handle on the same listener.
    ///
    /// # Errors
    /// Never; the standard library's signature.
    pub fn try_clone(&self) -> io::Result<TcpListener> {
        Ok(TcpListener { socket: Arc::clone(&self.socket) })
    }

    /// Makes accepting give `WouldBlock` instead of blocking, for every clone. Accepted connections block.
    ///
    /// # Errors
    /// Never; the standard library's signature.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.socket.set_nonblocking(nonblocking);
        Ok(())
    }
}

/// The iterator of [`TcpListener::incoming`].
#[derive(Debug)]
pub struct Incoming<'a> {
    listener: &'a TcpListener,
}

impl Iterator for Incoming<'_> {
    type Item = io::Result<TcpStream>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.listener.accept().map(|(stream, _)| stream))
    }
}

impl std::iter::FusedIterator for Incoming<'_> {}
