//! ICMP echo sockets: what `ping` is made of.

use std::net::IpAddr;

use etherparse::{IcmpEchoHeader, Icmpv4Type, Icmpv6Type};

use super::datagrams::Datagrams;
use super::icmp::{HEADER_LEN, v4_header, v6_header};
use super::outbox::Datagram;
use super::socket::{Entry, Socket};
use super::{Chunk, Error, Readiness, SocketId, Stack};
use crate::wire::{IpPair, Protocol};

/// A socket that sends echo requests and receives the replies.
#[derive(Debug)]
pub(super) struct PingSocket {
    /// What tells its messages from those of others.
    pub(super) identifier: u16,
    /// Origins are the sender's address and the sequence number.
    pub(super) queue: Datagrams<(IpAddr, u16)>,
}

impl Stack {
    /// A socket for echo requests with this identifier, or with one of our choice.
    ///
    /// # Errors
    /// `AddrInUse` if the identifier is taken, or [another stack's](super::Steering::of_port), or all are;
    /// `LimitReached`.
    pub fn icmp_bind(&mut self, identifier: Option<u16>) -> Result<SocketId, Error> {
        self.check_socket_limit()?;
        let first = identifier.unwrap_or_else(|| self.rng.u16(..));
        let candidates = if identifier.is_some() { 1 } else { 1 << 16 };
        let identifier = (0..candidates)
            .map(|step| first.wrapping_add(step as u16))
            .find(|candidate| self.owns_port(*candidate) && !self.ping_bindings.contains_key(candidate))
            .ok_or(Error::AddrInUse)?;
        let socket = Socket::Ping(Box::new(PingSocket { identifier, queue: Datagrams::default() }));
        let id = self.sockets.insert(Entry::new(socket));
        self.ping_bindings.insert(identifier, id.index);
        Ok(id)
    }

    /// Sends an echo request.
    ///
    /// # Errors
    /// `WouldBlock` while the queue is full; `InvalidInput` for a payload beyond the MTU or a destination that is not
    /// unicast; `NetworkUnreachable` without an address of its family.
    pub fn icmp_send_echo(
        &mut self,
        id: SocketId,
        to: IpAddr,
        sequence: u16,
        payload: &[u8],
    ) -> Result<(), Error> {
        if HEADER_LEN + payload.len() > self.env.max_payload(to) {
            return Err(Error::InvalidInput);
        }
        let addresses = self.route(to)?;
        let ping = self.ping_mut(id)?;
        let echo = IcmpEchoHeader { id: ping.identifier, seq: sequence };
        let (protocol, header) = match addresses {
            IpPair::V4 { .. } => (Protocol::ICMP, v4_header(Icmpv4Type::EchoRequest(echo))),
            IpPair::V6 { .. } => (Protocol::ICMPV6, v6_header(Icmpv6Type::EchoRequest(echo))),
        };
        let mut copy = self.env.pool.take(payload.len());
        copy.append(payload);
        self.ping_mut(id)?.queue.send(Datagram { addresses, protocol, header, payload: copy })?;
        self.mark_output(id);
        Ok(())
    }

    /// Takes the oldest reply: bytes copied into `buffer`, who sent it, its sequence number.
    ///
    /// # Errors
    /// `WouldBlock` if there is none.
    pub fn icmp_recv_echo(&mut self, id: SocketId, buffer: &mut [u8]) -> Result<(usize, IpAddr, u16), Error> {
        let (len, (from, sequence)) = self.ping_mut(id)?.queue.receive(buffer)?;
        Ok((len, from, sequence))
    }

    /// A reply to one of our requests, or to none.
    pub(super) fn echo_reply(&mut self, from: IpAddr, echo: IcmpEchoHeader, packet: &mut Chunk) {
        let counters = &mut self.env.counters.icmp;
        let socket = self.ping_bindings.get(&echo.id).and_then(|&index| self.sockets.id_at(index));
        let Some((id, entry)) = socket.and_then(|id| Some((id, self.sockets.get_mut(id)?))) else {
            counters.echo_unexpected += 1;
            return;
        };
        let Socket::Ping(ping) = &mut entry.socket else { return };
        if ping.queue.deliver((from, echo.seq), take_payload(&self.env.pool, packet)) {
            counters.echo_replies += 1;
            self.events.post(id, &mut entry.untold, Readiness::READABLE);
        } else {
            counters.echo_queue_full += 1;
        }
    }

    fn ping_mut(&mut self, id: SocketId) -> Result<&mut PingSocket, Error> {
        match &mut self.sockets.get_mut(id).ok_or(Error::StaleSocket)?.socket {
            Socket::Ping(ping) => Ok(ping),
            _ => Err(Error::InvalidInput),
        }
    }
}

/// The payload that a packet has been narrowed to: itself, if keeping it wastes little, else a copy.
pub(super) fn take_payload(pool: &super::Pool, packet: &mut Chunk) -> Chunk {
    if packet.is_half_full() {
        return std::mem::take(packet);
    }
    let mut copy = pool.take(packet.len());
    copy.append(packet);
    copy
}
