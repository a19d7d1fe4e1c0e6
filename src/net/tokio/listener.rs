//! Accepting.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use ::tokio::net::ToSocketAddrs;

use super::TcpStream;
use super::calls::{common_calls, resolve};
use super::notify::Tasks;
use crate::driver::Direction;
use crate::net::{self, Network};

/// `tokio::net::TcpListener`, on a [`Network`]. Several tasks may accept from it.
///
/// Servers that are generic over what they accept from take it behind a type of your own: for axum's see
/// `examples/async/src/bin/axum-server.rs`.
#[derive(Debug)]
pub struct TcpListener {
    inner: net::TcpListener,
    tasks: Arc<Tasks>,
}

impl TcpListener {
    /// Listens on the default network: the first of `addresses` that is free. Port 0 takes a free one.
    ///
    /// # Errors
    /// As for [`Network::listen`]; `NetworkDown` without a default network.
    pub async fn bind(addresses: impl ToSocketAddrs) -> io::Result<TcpListener> {
        TcpListener::bind_on(&Network::get_default()?, addresses).await
    }

    /// As [`bind`](TcpListener::bind), on a network of your choice.
    ///
    /// # Errors
    /// As for [`Network::listen`].
    pub async fn bind_on(network: &Network, addresses: impl ToSocketAddrs) -> io::Result<TcpListener> {
        TcpListener::from_std(network.listen(&resolve(addresses).await?[..])?)
    }

    /// Waits for a connection: it and the peer's address. Cancellation safe: a connection that nobody took waits for
    /// the next call.
    ///
    /// # Errors
    /// `NetworkDown` once the network is shut down.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        self.tasks.wait(Direction::Read, || self.try_accept()).await
    }

    /// As [`accept`](TcpListener::accept), for futures written by hand: the task of the last call is woken.
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        self.tasks.poll(cx, Direction::Read, || self.try_accept())
    }

    fn try_accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, peer) = self.inner.accept()?;
        Ok((TcpStream::from_std(stream)?, peer))
    }
}

common_calls!(TcpListener);
