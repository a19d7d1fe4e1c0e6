//! Listening with the face of `std::net::TcpListener`.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use super::calls::{common_calls, tcp_option_calls};
use super::socket::{Part, Socket};
use super::{Network, TcpStream};
use crate::driver::{Direction, ListenOptions, SharedStack, Stack};
use crate::stack::{Error, SocketId};

/// Has the stack choose.
const ANY_PORT: u16 = 0;
/// Ports that are tried before none is free on all stacks of a network.
const MOST_ATTEMPTS: u32 = 16;

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
        TcpListener::open(network, address.port(), |stack, port, options| {
            stack.listen(SocketAddr::new(address.ip(), port), options)
        })
    }

    /// For every end that there is.
    pub(super) fn on_any(network: &Network) -> io::Result<TcpListener> {
        TcpListener::open(network, ANY_PORT, |stack, _any, options| stack.listen_any(options))
    }

    /// A listener on every stack of the network, all at the same port.
    fn open(
        network: &Network,
        port: u16,
        listen: impl Fn(&mut Stack, u16, ListenOptions) -> Result<SocketId, Error>,
    ) -> io::Result<TcpListener> {
        network.check_open()?;
        let shards = network.shards();
        let backlog = network.backlog().div_ceil(shards.len());
        let options = ListenOptions { backlog, ..ListenOptions::default() };
        let listen = |shard: &SharedStack, port| shard.with(|stack| listen(stack, port, options.clone()));
        let mut attempts = 0;
        loop {
            let id = listen(&shards[0], port)?;
            let first = Socket::new(network, &shards[0], id)?;
            let chosen = first.call(|stack, id| stack.local_addr(id))?.port();
            let others = shards[1..].iter().map(|shard| Ok(Part::new(shard, listen(shard, chosen)?)));
            match others.collect::<Result<Vec<_>, Error>>() {
                Ok(parts) => return Ok(TcpListener { socket: Arc::new(first.with_parts(parts)?) }),
                // What is free on the first need not be so on the others.
                Err(Error::AddrInUse) if port == ANY_PORT && attempts < MOST_ATTEMPTS => attempts += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Waits for a connection: it and the peer's address.
    ///
    /// # Errors
    /// `WouldBlock` if it is nonblocking and there is none, `NetworkDown` once the network is shut down.
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (shard, id, peer) = self.socket.blocking_on(Direction::Read, || self.accept_from_any())?;
        Ok((TcpStream::from_id(self.network(), shard, id)?, peer))
    }

    /// What waits on one of the stacks, each of which is asked first in its turn.
    fn accept_from_any(&self) -> Result<(&SharedStack, SocketId, SocketAddr), Error> {
        let (all, first) = (self.socket.all(), self.network().next_turn());
        for (shard, listener) in all.clone().skip(first).chain(all.take(first)) {
            match shard.with_socket(listener, |stack| stack.accept(listener)) {
                Err(Error::WouldBlock) => {}
                accepted => return accepted.map(|(id, peer)| (shard, id, peer)),
            }
        }
        Err(Error::WouldBlock)
    }

    /// Sets for how many peers at once data that comes with the SYN is taken before they have shown that they are where
    /// they say: `TCP_FASTOPEN` (RFC 7413). 0 for a new listener: for none.
    ///
    /// Such data may be received twice, on two connections, so this is for servers on which that does no harm.
    ///
    /// # Errors
    /// `NetworkDown` once the network is shut down.
    pub fn set_fast_open(&self, pending: usize) -> io::Result<()> {
        let pending = pending.div_ceil(self.network().shards().len());
        self.socket.call_all(|stack, id| stack.set_fast_open(id, pending))
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
