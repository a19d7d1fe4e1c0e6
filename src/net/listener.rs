//! Listening with the face of `std::net::TcpListener`.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use super::calls::{common_calls, tcp_option_calls};
use super::socket::Socket;
use super::{Network, TcpStream};
use crate::driver::{Direction, ListenOptions, Stack};
use crate::stack::{Error, SocketId};

/// A listener for TCP connections: [`std::net::TcpListener`], on a [`Network`]. Several threads may accept from it.
///
/// Dropping the last clone closes it, and resets the connections that nobody has accepted. An accepted connection blocks
/// whatever the listener does, and begins with the listener's options.
///
/// ```
/// use longwire::net::{KeepAlive, Network, TcpStream};
///
/// fn serve(network: &Network) -> std::io::Result<()> {
///     let listener = network.listen("10.9.0.2:80")?;
///     listener.set_keepalive(Some(KeepAlive::default()))?;
///     for stream in listener.incoming() {
///         let stream: TcpStream = stream?;
///         std::thread::spawn(move || std::io::copy(&mut &stream, &mut &stream));
///     }
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct TcpListener {
    pub(super) socket: Arc<Socket>,
}

impl TcpListener {
    pub(super) fn on(network: &Network, address: SocketAddr) -> io::Result<TcpListener> {
        TcpListener::open(network, |stack, options| stack.listen(address, options))
    }

    /// For every end that there is.
    pub(super) fn on_any(network: &Network) -> io::Result<TcpListener> {
        TcpListener::open(network, Stack::listen_any)
    }

    fn open(
        network: &Network,
        listen: impl FnOnce(&mut Stack, ListenOptions) -> Result<SocketId, Error>,
    ) -> io::Result<TcpListener> {
        network.check_open()?;
        let options = ListenOptions { backlog: network.backlog(), ..ListenOptions::default() };
        let id = network.shared().with(|stack| listen(stack, options))?;
        Ok(TcpListener { socket: Arc::new(Socket::new(network, id)?) })
    }

    /// Waits for a connection: it and the peer's address.
    ///
    /// # Errors
    /// `WouldBlock` if it is nonblocking and there is none, `NetworkDown` once the network is shut down.
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (id, peer) = self.socket.blocking(Direction::Read, Stack::accept)?;
        Ok((TcpStream::from_id(self.network(), id)?, peer))
    }

    /// Sets for how many peers at once data that comes with the SYN is taken before they have shown that they are where
    /// they say: `TCP_FASTOPEN` (RFC 7413). 0 for a new listener: for none.
    ///
    /// Such data may be received twice, on two connections, so this is for servers on which that does no harm.
    ///
    /// # Errors
    /// `NetworkDown` once the network is shut down.
    pub fn set_fast_open(&self, pending: usize) -> io::Result<()> {
        self.socket.call(|stack, id| stack.set_fast_open(id, pending))
    }

    /// Connections as they come, without an end: what [`accept`](TcpListener::accept) gives, without the address.
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming { listener: self }
    }
}

common_calls!(TcpListener);
tcp_option_calls!(TcpListener);

/// The iterator of [`TcpListener::incoming`].
///
/// ```
/// use longwire::net::{Incoming, TcpListener};
///
/// /// The next `count` connections that come in order.
/// fn next(listener: &TcpListener, count: usize) -> std::io::Result<Vec<longwire::net::TcpStream>> {
///     let incoming: Incoming<'_> = listener.incoming();
///     incoming.take(count).collect()
/// }
/// ```
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
