//! Connections.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use ::tokio::net::ToSocketAddrs;

use super::calls::{common_calls, readiness_calls, resolve};
use super::notify::Tasks;
use super::split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf, halves};
use crate::driver::Direction;
use crate::net::{self, Network};

/// `tokio::net::TcpStream`, on a [`Network`]: [`AsyncRead`] and [`AsyncWrite`].
#[derive(Debug)]
pub struct TcpStream {
    inner: net::TcpStream,
    tasks: Arc<Tasks>,
}

impl TcpStream {
    /// Opens a connection on the default network, to the first of `addresses` that answers. Dropping the future gives
    /// the attempt up.
    ///
    /// # Errors
    /// As for [`connect_on`](TcpStream::connect_on); `NetworkDown` without a default network.
    pub async fn connect(addresses: impl ToSocketAddrs) -> io::Result<TcpStream> {
        TcpStream::connect_on(&Network::get_default()?, addresses).await
    }

    /// As [`connect`](TcpStream::connect), on a network of your choice.
    ///
    /// # Errors
    /// `ConnectionRefused`, `TimedOut`, `HostUnreachable`, `NetworkUnreachable`, `NetworkDown` after a shutdown.
    pub async fn connect_on(network: &Network, addresses: impl ToSocketAddrs) -> io::Result<TcpStream> {
        let mut last = None;
        for address in resolve(addresses).await? {
            match TcpStream::connect_to(network, address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| io::ErrorKind::InvalidInput.into()))
    }

    async fn connect_to(network: &Network, address: SocketAddr) -> io::Result<TcpStream> {
        let stream = TcpStream::from_std(network.start_connect(address)?)?;
        stream.tasks.wait(Direction::Write, || stream.inner.check_open()).await?;
        Ok(stream)
    }

    /// Reads what is there, at once.
    ///
    /// # Errors
    /// `WouldBlock` if nothing is; else as for reading.
    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        (&self.inner).read(buffer)
    }

    /// Writes what there is room for, at once.
    ///
    /// # Errors
    /// `WouldBlock` without room; else as for writing.
    pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        (&self.inner).write(bytes)
    }

    /// Whether small segments go out although others are still unacknowledged.
    ///
    /// # Errors
    /// `NetworkDown` once the network is shut down.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.inner.nodelay()
    }

    /// Sets [`nodelay`](TcpStream::nodelay): turns Nagle's algorithm off or on.
    ///
    /// # Errors
    /// `NetworkDown` once the network is shut down.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.inner.set_nodelay(nodelay)
    }

    /// Waits for bytes and leaves them there. Cancellation safe.
    ///
    /// # Errors
    /// As for reading.
    pub async fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.tasks.wait(Direction::Read, || self.inner.peek(buffer)).await
    }

    /// Both directions, for two futures of one task.
    pub fn split(&mut self) -> (ReadHalf<'_>, WriteHalf<'_>) {
        (ReadHalf(self), WriteHalf(self))
    }

    /// Both directions, for two tasks. Dropping the writing half closes that direction; the connection closes with the
    /// second half.
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        halves(self)
    }

    pub(super) fn poll_read_shared(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = self.tasks.poll(cx, Direction::Read, || (&self.inner).read(buffer.initialize_unfilled()));
        read.map_ok(|count| buffer.advance(count))
    }

    pub(super) fn poll_write_shared(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.tasks.poll(cx, Direction::Write, || (&self.inner).write(bytes))
    }

    pub(super) fn poll_write_slices_shared(
        &self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.tasks.poll(cx, Direction::Write, || (&self.inner).write_vectored(slices))
    }

    /// Closes our direction. One that has ended already is as good as closed.
    pub(super) fn shut_down(&self) -> io::Result<()> {
        match self.inner.shutdown(Shutdown::Write) {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            done => done,
        }
    }
}

common_calls!(TcpStream);
readiness_calls!(TcpStream);

impl AsyncRead for TcpStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_read_shared(cx, buffer)
    }
}

impl AsyncWrite for TcpStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_shared(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_slices_shared(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Does nothing: what was written is on its way.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.shut_down())
    }
}
