//! Listeners, from the application's side.

use std::net::SocketAddr;

use super::bindings::Bindings;
use super::ports::any_port;
use super::socket::{Entry, Socket, Stage};
use super::{Error, ListenOptions, SocketId, Stack};
use crate::tcp::HalfOpen;
use crate::wire::{TcpFlags, TcpHeader};

impl Stack {
    /// Listens for connections. Port 0 asks for any; the unspecified address listens on all of ours of its family:
    /// `[::]` takes no IPv4, listen on both to serve both.
    ///
    /// # Errors
    /// `AddrNotAvailable` if the address is not ours, or no port is left; `AddrInUse`; `LimitReached`.
    pub fn listen(&mut self, local: SocketAddr, options: ListenOptions) -> Result<SocketId, Error> {
        self.check_socket_limit()?;
        let local = self.check_binding(local, |stack| &stack.listeners, |_, _| true)?;
        Ok(self.insert_listener(local, options))
    }

    /// Takes the connection that has waited longest, with the address of its peer.
    ///
    /// # Errors
    /// `WouldBlock` if none waits.
    pub fn accept(&mut self, listener: SocketId) -> Result<(SocketId, SocketAddr), Error> {
        let entry = self.sockets.get_mut(listener).ok_or(Error::StaleSocket)?;
        let Socket::Listener(listening) = &mut entry.socket else { return Err(Error::InvalidInput) };
        let id = listening.accept_queue.pop_front().ok_or(Error::WouldBlock)?;
        let entry = self.sockets.get_mut(id).ok_or(Error::StaleSocket)?;
        let Socket::Tcp(tcp) = &mut entry.socket else { return Err(Error::StaleSocket) };
        entry.progress.enter(Stage::Open);
        // What has happened while it waited: the application has seen no event of it.
        let (remote, readiness) = (tcp.ends.tuple().remote(), tcp.readiness());
        self.events.post(id, &mut entry.untold, readiness);
        Ok((id, remote))
    }

    /// Lets a listener go, and with it what waits in its queues: each peer gets a reset.
    pub(super) fn close_listener(&mut self, index: u32) {
        let Some(Entry { socket: Socket::Listener(listener), .. }) = self.take_socket(index) else { return };
        self.listeners.remove(listener.local);
        self.origins.leave(listener.origin);
        for &half_open in &listener.syn_queue {
            if let Some(entry) = self.forget_half_open(half_open) {
                self.answer(&entry.tuple, reset(&entry.half));
            }
        }
        for id in listener.accept_queue {
            self.abandon(id.index);
        }
    }

    /// Refuses a new socket over the limits.
    pub(super) fn check_socket_limit(&mut self) -> Result<(), Error> {
        if self.is_at_socket_limit() {
            self.env.counters.stack.socket_limit += 1;
            return Err(Error::LimitReached);
        }
        if self.exceeds_memory() {
            self.env.counters.stack.memory_limit += 1;
            return Err(Error::LimitReached);
        }
        Ok(())
    }

    /// The end that a socket may bind, with a port chosen if it has none.
    pub(super) fn check_binding(
        &mut self,
        local: SocketAddr,
        bindings: fn(&Stack) -> &Bindings,
        may_have: fn(&Stack, u16) -> bool,
    ) -> Result<SocketAddr, Error> {
        if !local.ip().is_unspecified() && !self.env.addresses.is_ours(local.ip()) {
            return Err(Error::AddrNotAvailable);
        }
        if local.port() != 0 {
            if !may_have(self, local.port()) {
                return Err(Error::AddrNotAvailable);
            }
            let taken = bindings(self).conflicts(local);
            return if taken { Err(Error::AddrInUse) } else { Ok(local) };
        }
        let start = self.rng.u16(..);
        let with_port = |port| SocketAddr::new(local.ip(), port);
        let port = any_port(start, |port| may_have(self, port) && !bindings(self).conflicts(with_port(port)));
        port.map(with_port).ok_or(Error::AddrNotAvailable)
    }
}

/// The reset that ends a handshake (RFC 9293 3.10.5). Its acknowledgment makes it acceptable to a peer that has not
/// seen our SYN-ACK.
fn reset(half: &HalfOpen) -> TcpHeader {
    TcpHeader {
        seq: half.iss + 1,
        ack: half.irs + 1,
        flags: TcpFlags::RST | TcpFlags::ACK,
        ..TcpHeader::default()
    }
}
