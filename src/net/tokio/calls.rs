//! Calls that the asynchronous sockets have in common with the blocking ones, and where they come from.

use std::io;
use std::net::SocketAddr;

use ::tokio::net::{ToSocketAddrs, lookup_host};

/// What every kind of socket can do. Its field `inner` is the socket in [`net`](crate::net), and `tasks` wait for it.
macro_rules! common_calls {
    ($kind:ident) => {
        impl $kind {
            /// Makes a socket asynchronous, and all of its clones nonblocking.
            ///
            /// # Errors
            /// `AlreadyExists` if a clone of it is asynchronous, or registered with a poller.
            pub fn from_std(socket: crate::net::$kind) -> std::io::Result<$kind> {
                let tasks = super::notify::Tasks::of(&socket.socket)?;
                Ok($kind { inner: socket, tasks })
            }

            /// The socket, no longer asynchronous. It stays nonblocking, as one of tokio's does.
            ///
            /// # Errors
            /// Never; tokio's signature.
            pub fn into_std(self) -> std::io::Result<crate::net::$kind> {
                self.inner.try_clone()
            }

            /// The socket, for all of its options. It is nonblocking.
            pub fn as_std(&self) -> &crate::net::$kind {
                &self.inner
            }

            /// Our address and port.
            ///
            /// # Errors
            /// `NetworkDown` once the network is shut down.
            pub fn local_addr(&self) -> std::io::Result<std::net::SocketAddr> {
                self.inner.local_addr()
            }

            /// How many routers a packet may pass on its way: the IPv4 time to live, the IPv6 hop limit.
            ///
            /// # Errors
            /// `NetworkDown` once the network is shut down.
            pub fn ttl(&self) -> std::io::Result<u32> {
                self.inner.ttl()
            }

            /// Sets [`ttl`](Self::ttl), 1 to 255.
            ///
            /// # Errors
            /// `InvalidInput` for any other number; `NetworkDown` once the network is shut down.
            pub fn set_ttl(&self, ttl: u32) -> std::io::Result<()> {
                self.inner.set_ttl(ttl)
            }
        }

        impl Drop for $kind {
            fn drop(&mut self) {
                // A clone that is left may be registered anew.
                self.inner.socket.waiter().subscribe(None);
            }
        }
    };
}

/// What a socket with bytes or datagrams to read and write can do beside that.
macro_rules! readiness_calls {
    ($kind:ident) => {
        impl $kind {
            /// Waits until there is something to read, the end of the stream, or an error. Cancellation safe.
            ///
            /// # Errors
            /// None of its own: the read that follows says what it is.
            pub async fn readable(&self) -> std::io::Result<()> {
                let ready = || super::calls::if_ready(self.inner.socket.readiness().readable);
                self.tasks.wait(crate::driver::Direction::Read, ready).await
            }

            /// Waits until there is room to write, or an error. Cancellation safe.
            ///
            /// # Errors
            /// None of its own: the write that follows says what it is.
            pub async fn writable(&self) -> std::io::Result<()> {
                let ready = || super::calls::if_ready(self.inner.socket.readiness().writable);
                self.tasks.wait(crate::driver::Direction::Write, ready).await
            }

            /// The peer's address and port.
            ///
            /// # Errors
            /// `NotConnected` without one, or once the connection has ended.
            pub fn peer_addr(&self) -> std::io::Result<std::net::SocketAddr> {
                self.inner.peer_addr()
            }

            /// The error that came up since one was last reported, by this or any other call.
            ///
            /// # Errors
            /// `NetworkDown` once the network is shut down.
            pub fn take_error(&self) -> std::io::Result<Option<std::io::Error>> {
                self.inner.take_error()
            }
        }
    };
}

pub(super) use {common_calls, readiness_calls};

/// `WouldBlock` until it is.
pub(super) fn if_ready(ready: bool) -> io::Result<()> {
    if ready { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
}

/// The addresses to try in turn, at least one. A name is looked up as tokio does it: not on this thread.
pub(super) async fn resolve(addresses: impl ToSocketAddrs) -> io::Result<Vec<SocketAddr>> {
    let addresses: Vec<_> = lookup_host(addresses).await?.collect();
    if addresses.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "could not resolve to any addresses"));
    }
    Ok(addresses)
}
