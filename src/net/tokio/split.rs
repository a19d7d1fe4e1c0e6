//! One direction of a connection each.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::TcpStream;

/// The reading half of [`TcpStream::split`].
#[derive(Debug)]
pub struct ReadHalf<'a>(pub(super) &'a TcpStream);

/// The writing half of [`TcpStream::split`].
#[derive(Debug)]
pub struct WriteHalf<'a>(pub(super) &'a TcpStream);

/// The reading half of [`TcpStream::into_split`].
#[derive(Debug)]
pub struct OwnedReadHalf(Arc<TcpStream>);

/// The writing half of [`TcpStream::into_split`]. Dropping it closes our direction.
///
/// ```
/// use longwire::net::tokio::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, TcpStream, WriteHalf};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// /// Sends and receives at the same time, in two tasks.
/// async fn exchange(stream: TcpStream) -> Result<TcpStream, ReuniteError> {
///     let (mut reading, mut writing): (OwnedReadHalf, OwnedWriteHalf) = stream.into_split();
///     let sending = tokio::spawn(async move { writing.write_all(b"question").await.map(|()| writing) });
///     let mut answer = [0; 6];
///     let _ = reading.read_exact(&mut answer).await;
///     reading.reunite(sending.await.expect("it does not panic").expect("it is sent"))
/// }
///
/// /// The same in one task.
/// async fn exchange_in_one(stream: &mut TcpStream) -> std::io::Result<()> {
///     let (mut reading, mut writing): (ReadHalf<'_>, WriteHalf<'_>) = stream.split();
///     let mut answer = [0; 6];
///     tokio::try_join!(writing.write_all(b"question"), reading.read_exact(&mut answer))?;
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct OwnedWriteHalf {
    stream: Arc<TcpStream>,
    shut_down_on_drop: bool,
}

pub(super) fn halves(stream: TcpStream) -> (OwnedReadHalf, OwnedWriteHalf) {
    let stream = Arc::new(stream);
    (OwnedReadHalf(Arc::clone(&stream)), OwnedWriteHalf { stream, shut_down_on_drop: true })
}

impl OwnedReadHalf {
    /// Puts two halves together again.
    ///
    /// # Errors
    /// They are of two connections: both are given back.
    pub fn reunite(self, other: OwnedWriteHalf) -> Result<TcpStream, ReuniteError> {
        if !Arc::ptr_eq(&self.0, &other.stream) {
            return Err(ReuniteError(self, other));
        }
        other.forget();
        // The only handle left: the other half was the only one beside it.
        Arc::try_unwrap(self.0).map_err(|_| unreachable!("a connection has two halves"))
    }
}

impl OwnedWriteHalf {
    /// Drops the half and leaves the direction open, for the other one to have it with
    /// [`reunite`](OwnedReadHalf::reunite), or for ever.
    pub fn forget(mut self) {
        self.shut_down_on_drop = false;
    }
}

impl Drop for OwnedWriteHalf {
    fn drop(&mut self) {
        if self.shut_down_on_drop {
            // Fails on a network that is gone, and then there is nothing to close.
            let _ = self.stream.shut_down();
        }
    }
}

/// The two halves are of different connections; here they are again.
#[derive(Debug)]
pub struct ReuniteError(pub OwnedReadHalf, pub OwnedWriteHalf);

impl fmt::Display for ReuniteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the two halves are of different connections")
    }
}

impl std::error::Error for ReuniteError {}

macro_rules! reading {
    ($half:ty, |$self:ident| $stream:expr) => {
        impl AsRef<TcpStream> for $half {
            fn as_ref(&self) -> &TcpStream {
                let $self = self;
                $stream
            }
        }

        impl AsyncRead for $half {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buffer: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                self.as_ref().get_ref().as_ref().poll_read_shared(cx, buffer)
            }
        }
    };
}

macro_rules! writing {
    ($half:ty, |$self:ident| $stream:expr) => {
        impl AsRef<TcpStream> for $half {
            fn as_ref(&self) -> &TcpStream {
                let $self = self;
                $stream
            }
        }

        impl AsyncWrite for $half {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bytes: &[u8],
            ) -> Poll<io::Result<usize>> {
                self.as_ref().get_ref().as_ref().poll_write_shared(cx, bytes)
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                slices: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                self.as_ref().get_ref().as_ref().poll_write_slices_shared(cx, slices)
            }

            fn is_write_vectored(&self) -> bool {
                true
            }

            /// Does nothing: what was written is on its way.
            fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(self.as_ref().get_ref().as_ref().shut_down())
            }
        }
    };
}

reading!(ReadHalf<'_>, |half| half.0);
reading!(OwnedReadHalf, |half| &half.0);
writing!(WriteHalf<'_>, |half| half.0);
writing!(OwnedWriteHalf, |half| &half.stream);
