//! Calls that several kinds of sockets have, word for word: written once, so that they cannot drift apart.

/// What every kind of socket can do. Its field `socket` is an `Arc<Socket>`.
macro_rules! common_calls {
    ($kind:ident) => {
        impl $kind {
            /// The network that it runs on.
            pub fn network(&self) -> &crate::net::Network {
                self.socket.network()
            }

            /// Our address and port; the port that was chosen if 0 was asked for.
            ///
            /// # Errors
            /// `NetworkDown` once the network is shut down.
            pub fn local_addr(&self) -> std::io::Result<std::net::SocketAddr> {
                self.socket.call(|stack, id| stack.local_addr(id))
            }

            /// Another handle on the same socket: its time-outs and options are the same, too.
            ///
            /// # Errors
            /// Never; the standard library's signature.
            pub fn try_clone(&self) -> std::io::Result<$kind> {
                Ok($kind { socket: std::sync::Arc::clone(&self.socket) })
            }

            /// Makes calls give `WouldBlock` instead of blocking, for every clone.
            ///
            /// # Errors
            /// Never; the standard library's signature.
            pub fn set_nonblocking(&self, nonblocking: bool) -> std::io::Result<()> {
                self.socket.set_nonblocking(nonblocking);
                Ok(())
            }

            /// How many routers a packet may pass on its way: the IPv4 time to live, the IPv6 hop limit.
            ///
            /// # Errors
            /// `NetworkDown` once the network is shut down.
            pub fn ttl(&self) -> std::io::Result<u32> {
                self.socket.call(|stack, id| stack.hop_limit(id)).map(u32::from)
            }

            /// Sets [`ttl`](Self::ttl), 1 to 255; 64 for a new socket. Accepted connections have their listener's.
            ///
            /// # Errors
            /// `InvalidInput` for any other number; `NetworkDown` once the network is shut down.
            pub fn set_ttl(&self, ttl: u32) -> std::io::Result<()> {
                let ttl = u8::try_from(ttl).map_err(|_| std::io::ErrorKind::InvalidInput)?;
                self.socket.call_all(|stack, id| stack.set_hop_limit(id, ttl))
            }

            /// The error that came up since one was last reported, by this or any other call.
            ///
            /// # Errors
            /// `NetworkDown` once the network is shut down.
            pub fn take_error(&self) -> std::io::Result<Option<std::io::Error>> {
                self.socket.take_error()
            }
        }
    };
}

/// The time-outs of a socket that is read from and written to.
macro_rules! timeout_calls {
    ($kind:ident) => {
        impl $kind {
            /// How long reading may block.
            ///
            /// # Errors
            /// Never; the standard library's signature.
            pub fn read_timeout(&self) -> std::io::Result<Option<std::time::Duration>> {
                Ok(self.socket.timeout(crate::driver::Direction::Read).get())
            }

            /// How long reading may block before it gives `WouldBlock`; `None`: for ever.
            ///
            /// # Errors
            /// `InvalidInput` for a time of zero.
            pub fn set_read_timeout(&self, timeout: Option<std::time::Duration>) -> std::io::Result<()> {
                self.socket.timeout(crate::driver::Direction::Read).set(timeout)
            }

            /// How long writing may block.
            ///
            /// # Errors
            /// Never; the standard library's signature.
            pub fn write_timeout(&self) -> std::io::Result<Option<std::time::Duration>> {
                Ok(self.socket.timeout(crate::driver::Direction::Write).get())
            }

            /// How long writing may block before it gives `WouldBlock`; `None`: for ever.
            ///
            /// # Errors
            /// `InvalidInput` for a time of zero.
            pub fn set_write_timeout(&self, timeout: Option<std::time::Duration>) -> std::io::Result<()> {
                self.socket.timeout(crate::driver::Direction::Write).set(timeout)
            }
        }
    };
}

/// What `socket2` can set of a TCP socket. A listener's settings are those that its next connections begin with.
macro_rules! tcp_option_calls {
    ($kind:ident) => {
        impl $kind {
            /// How an idle peer is probed; `None`: not at all.
            ///
            /// # Errors
            /// `NetworkDown` once the network is shut down.
            pub fn keepalive(&self) -> std::io::Result<Option<crate::net::KeepAlive>> {
                Ok(self.socket.options()?.keep_alive)
            }

            /// Sets [`keepalive`](Self::keepalive): the silence before the first probe, the time between probes, and
            /// how many go unanswered until the connection fails with `TimedOut`. `None` for a new socket.
            ///
            /// # Errors
            /// `InvalidInput` for a time or a number of zero; `NetworkDown` once the network is shut down.
            pub fn set_keepalive(&self, keep_alive: Option<crate::net::KeepAlive>) -> std::io::Result<()> {
                if let Some(crate::net::KeepAlive { idle, interval, count }) = keep_alive
                    && (idle.is_zero() || interval.is_zero() || count == 0)
                {
                    return Err(std::io::ErrorKind::InvalidInput.into());
                }
                self.socket.change_options(|options| options.keep_alive = keep_alive)
            }

            /// Most bytes that are written and not yet acknowledged.
            ///
            /// # Errors
            /// `NetworkDown` once the network is shut down.
            pub fn send_buffer_size(&self) -> std::io::Result<usize> {
                Ok(self.socket.options()?.send_buffer)
            }

            /// Sets [`send_buffer_size`](Self::send_buffer_size); less than 4 KiB counts as 4 KiB.
            ///
            /// # Errors
            /// `NetworkDown` once the network is shut down.
            pub fn set_send_buffer_size(&self, bytes: usize) -> std::io::Result<()> {
                let bytes = bytes.max($crate::net::socket::MIN_BUFFER);
                self.socket.change_options(|options| options.send_buffer = bytes)
            }

            /// Most memory for what is received and not yet read, in bytes: the receive window.
            ///
            /// # Errors
            /// `NetworkDown` once the network is shut down.
            pub fn recv_buffer_size(&self) -> std::io::Result<usize> {
                Ok(self.socket.options()?.receive_buffer)
            }

            /// Sets [`recv_buffer_size`](Self::recv_buffer_size); less than 4 KiB counts as 4 KiB. What the peer has
            /// been offered it may still send.
            ///
            /// # Errors
            /// `NetworkDown` once the network is shut down.
            pub fn set_recv_buffer_size(&self, bytes: usize) -> std::io::Result<()> {
                let bytes = bytes.max($crate::net::socket::MIN_BUFFER);
                self.socket.change_options(|options| options.receive_buffer = bytes)
            }

            /// How long what was written may stay unacknowledged before the connection fails with `TimedOut`
            /// (RFC 9293 3.9.1); `None`: as long as retransmissions go on.
            ///
            /// # Errors
            /// `NetworkDown` once the network is shut down.
            pub fn tcp_user_timeout(&self) -> std::io::Result<Option<std::time::Duration>> {
                Ok(self.socket.options()?.user_timeout)
            }

            /// Sets [`tcp_user_timeout`](Self::tcp_user_timeout). `None` for a new socket, and so does zero, as for
            /// the kernel's option.
            ///
            /// # Errors
            /// `NetworkDown` once the network is shut down.
            pub fn set_tcp_user_timeout(&self, timeout: Option<std::time::Duration>) -> std::io::Result<()> {
                let timeout = timeout.filter(|timeout| !timeout.is_zero());
                self.socket.change_options(|options| options.user_timeout = timeout)
            }
        }
    };
}

pub(super) use {common_calls, tcp_option_calls, timeout_calls};
