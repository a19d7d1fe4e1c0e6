//! Calls for sockets of every kind.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use super::event::Untold;
use super::outbox::Datagram;
use super::socket::{Entry, Known, SharedOptions, Socket};
use super::{Error, Instant, Readiness, SocketId, SocketOptions, Stack};

impl Stack {
    /// Lets any kind of socket go; the id is stale from now on. A connection closes in the background, in order: what
    /// was written still goes out. A listener's waiting connections are reset. Datagrams not yet sent still go out.
    ///
    /// # Errors
    /// `StaleSocket`.
    pub fn close(&mut self, now: Instant, id: SocketId) -> Result<(), Error> {
        self.tick(now);
        match &mut self.sockets.get_mut(id).ok_or(Error::StaleSocket)?.socket {
            Socket::Tcp(tcp) => {
                tcp.connection.close(&mut self.env.context());
                self.sockets.renew(id.index);
                self.forget_events(id.index);
                self.touch(id.index);
            }
            Socket::Listener(_) => self.close_listener(id.index),
            Socket::Udp(_) | Socket::Ping(_) => self.close_datagrams(id.index),
        }
        Ok(())
    }

    /// Ends every [live](Stack::live_connections) connection with a reset and closes every listener: the stack is going
    /// away. The resets go out at the next `poll_transmit`. To one that has delivered everything a reset could only do
    /// harm: the peer might throw away what it has not read.
    pub fn abort_all(&mut self) {
        let indices: Vec<_> = self.sockets.iter().map(|(index, _)| index).collect();
        for index in indices {
            match self.sockets.at_mut(index) {
                Some(Entry { socket: Socket::Listener(_), .. }) => self.close_listener(index),
                Some(Entry { socket: Socket::Tcp(tcp), progress, .. }) if progress.is(Known::Live) => {
                    tcp.connection.abort(Error::ConnectionAborted);
                    self.touch(index);
                }
                Some(_) | None => {}
            }
        }
    }

    /// The error that ended a connection. It stays, as what `read` and `write` give does.
    ///
    /// # Errors
    /// `StaleSocket`.
    pub fn error(&self, id: SocketId) -> Result<Option<Error>, Error> {
        match &self.sockets.get(id).ok_or(Error::StaleSocket)?.socket {
            Socket::Tcp(tcp) => Ok(tcp.connection.error()),
            Socket::Listener(_) | Socket::Udp(_) | Socket::Ping(_) => Ok(None),
        }
    }

    /// What can be done with a socket now. Whoever hears that there is no room to write gets an event once there is,
    /// as after a write that gave `WouldBlock`.
    ///
    /// # Errors
    /// `StaleSocket`.
    pub fn readiness(&mut self, id: SocketId) -> Result<Readiness, Error> {
        let of_messages = |readable, writable| Readiness { readable, writable, ..Readiness::default() };
        Ok(match &mut self.sockets.get_mut(id).ok_or(Error::StaleSocket)?.socket {
            Socket::Tcp(tcp) => {
                tcp.connection.expect_room();
                tcp.readiness()
            }
            Socket::Listener(listener) => of_messages(!listener.accept_queue.is_empty(), false),
            Socket::Udp(udp) => {
                udp.queue.expect_room();
                udp.readiness()
            }
            Socket::Ping(ping) => {
                ping.queue.expect_room();
                of_messages(ping.queue.is_readable(), ping.queue.is_writable())
            }
        })
    }

    /// The local end of a socket; for an ICMP socket its identifier, in place of a port.
    ///
    /// # Errors
    /// `StaleSocket`.
    pub fn local_addr(&self, id: SocketId) -> Result<SocketAddr, Error> {
        Ok(match &self.sockets.get(id).ok_or(Error::StaleSocket)?.socket {
            Socket::Tcp(tcp) => tcp.ends.tuple().local(),
            Socket::Listener(listener) => listener.local,
            Socket::Udp(udp) => udp.local_addr(),
            Socket::Ping(ping) => SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), ping.identifier),
        })
    }

    /// The peer's end of a connection, or of a UDP socket that has been connected.
    ///
    /// # Errors
    /// `StaleSocket`; `NotConnected` for a socket that has no peer.
    pub fn remote_addr(&self, id: SocketId) -> Result<SocketAddr, Error> {
        match &self.sockets.get(id).ok_or(Error::StaleSocket)?.socket {
            Socket::Tcp(tcp) => Ok(tcp.ends.tuple().remote()),
            Socket::Udp(udp) => udp.remote_addr().ok_or(Error::NotConnected),
            Socket::Listener(_) | Socket::Ping(_) => Err(Error::NotConnected),
        }
    }

    /// How many routers the packets of a socket may pass; 64 unless set. Connections take it over from their listener.
    ///
    /// # Errors
    /// `StaleSocket`.
    pub fn hop_limit(&self, id: SocketId) -> Result<u8, Error> {
        Ok(self.sockets.get(id).ok_or(Error::StaleSocket)?.hop_limit)
    }

    /// Sets [`hop_limit`](Stack::hop_limit). What belongs to no socket yet or any more (SYN-ACKs, answers from
    /// TIME-WAIT, resets to nobody's segments) keeps the usual one.
    ///
    /// # Errors
    /// `StaleSocket`; `InvalidInput` for 0, with which no packet would go anywhere.
    pub fn set_hop_limit(&mut self, id: SocketId, hop_limit: u8) -> Result<(), Error> {
        let entry = self.sockets.get_mut(id).ok_or(Error::StaleSocket)?;
        if hop_limit == 0 {
            return Err(Error::InvalidInput);
        }
        entry.hop_limit = hop_limit;
        Ok(())
    }

    /// A connection's options, or those that a listener's connections begin with.
    ///
    /// # Errors
    /// `StaleSocket`; `InvalidInput` for UDP and ICMP.
    pub fn options(&self, id: SocketId) -> Result<SocketOptions, Error> {
        match &self.sockets.get(id).ok_or(Error::StaleSocket)?.socket {
            Socket::Tcp(tcp) => Ok(tcp.connection.options().clone()),
            Socket::Listener(listener) => Ok(SocketOptions::clone(&listener.options)),
            Socket::Udp(_) | Socket::Ping(_) => Err(Error::InvalidInput),
        }
    }

    /// Changes a connection's options, or those that a listener's next connections begin with.
    ///
    /// # Errors
    /// `StaleSocket`; `InvalidInput` for UDP and ICMP.
    pub fn set_options(&mut self, id: SocketId, options: SocketOptions) -> Result<(), Error> {
        let shared = if options == *self.socket_options {
            Arc::clone(&self.socket_options)
        } else {
            SharedOptions::new(options)
        };
        match &mut self.sockets.get_mut(id).ok_or(Error::StaleSocket)?.socket {
            Socket::Tcp(tcp) => tcp.connection.set_options(shared),
            Socket::Listener(listener) => listener.options = shared,
            Socket::Udp(_) | Socket::Ping(_) => return Err(Error::InvalidInput),
        }
        self.touch(id.index);
        Ok(())
    }

    /// What a socket had to tell is of no interest any more.
    fn forget_events(&mut self, index: u32) {
        if let Some(entry) = self.sockets.at_mut(index) {
            entry.untold = Untold::default();
        }
    }

    fn close_datagrams(&mut self, index: u32) {
        let Some(entry) = self.take_socket(index) else { return };
        let unsent = match entry.socket {
            Socket::Udp(udp) => {
                self.udp_bindings.remove(udp.local);
                udp.queue.into_unsent()
            }
            Socket::Ping(ping) => {
                self.ping_bindings.remove(&ping.identifier);
                ping.queue.into_unsent()
            }
            Socket::Tcp(_) | Socket::Listener(_) => return,
        };
        let counters = &mut self.env.counters.ip;
        unsent.into_iter().for_each(|datagram: Datagram| self.outbox.push_datagram(counters, datagram));
    }
}
