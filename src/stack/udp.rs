//! UDP (RFC 768).

use std::net::{IpAddr, SocketAddr};

use etherparse::UdpHeaderSlice;

use super::datagrams::Datagrams;
use super::flow::{destination, source};
use super::icmp_error::Complaint;
use super::input::Arrival;
use super::outbox::Datagram;
use super::ping::take_payload;
use super::socket::{Entry, Socket};
use super::{Chunk, Error, Readiness, SocketId, Stack};
use crate::wire::{IpPair, Protocol};

const HEADER_LEN: usize = 8;

/// A UDP socket.
#[derive(Debug)]
pub(super) struct UdpSocket {
    /// What it is bound to.
    pub(super) local: SocketAddr,
    /// The only one that it talks to, once connected.
    peer: Option<Peer>,
    /// What was heard of the last datagrams and nobody has been told yet.
    error: Option<Error>,
    pub(super) queue: Datagrams<SocketAddr>,
}

/// The other end of a connected UDP socket.
#[derive(Clone, Copy, Debug)]
struct Peer {
    /// From us to it.
    addresses: IpPair,
    port: u16,
}

impl UdpSocket {
    fn new(local: SocketAddr) -> UdpSocket {
        UdpSocket { local, peer: None, error: None, queue: Datagrams::default() }
    }

    /// What it is bound to; connected, also which of our addresses that means.
    pub(super) fn local_addr(&self) -> SocketAddr {
        let ip = self.peer.map_or(self.local.ip(), |peer| source(&peer.addresses));
        SocketAddr::new(ip, self.local.port())
    }

    pub(super) fn remote_addr(&self) -> Option<SocketAddr> {
        self.peer.map(|peer| SocketAddr::new(destination(&peer.addresses), peer.port))
    }

    pub(super) fn readiness(&self) -> Readiness {
        let failed = self.error.is_some();
        Readiness {
            readable: failed || self.queue.is_readable(),
            writable: self.queue.is_writable(),
            failed,
            ..Readiness::default()
        }
    }

    /// Whether a datagram between these ends is for it.
    fn accepts(&self, to: IpAddr, from: SocketAddr) -> bool {
        self.peer.is_none() || (self.remote_addr() == Some(from) && self.local_addr().ip() == to)
    }

    fn take_error(&mut self) -> Result<(), Error> {
        self.error.take().map_or(Ok(()), Err)
    }
}

impl Stack {
    /// Binds a UDP socket. Port 0 asks for any; the unspecified address takes what comes to any of ours of its family.
    ///
    /// # Errors
    /// `AddrNotAvailable` if the address is not ours, the port is [another stack's](super::Steering::of_port), or none is
    /// left; `AddrInUse`; `LimitReached`.
    pub fn udp_bind(&mut self, local: SocketAddr) -> Result<SocketId, Error> {
        self.check_socket_limit()?;
        let local = self.check_binding(local, |stack| &stack.udp_bindings, Stack::owns_port)?;
        let socket = Socket::Udp(Box::new(UdpSocket::new(local)));
        let id = self.sockets.insert(Entry::new(socket));
        self.udp_bindings.insert(local, id.index);
        Ok(id)
    }

    /// Makes `remote` the only one that a UDP socket receives from, and that [`udp_send`](Stack::udp_send) sends to.
    /// What has been received already stays. Again it changes to another one.
    ///
    /// # Errors
    /// `InvalidInput` for a destination that is not unicast, of the other family, or port 0; `NetworkUnreachable`
    /// without an address of its family.
    pub fn udp_connect(&mut self, id: SocketId, remote: SocketAddr) -> Result<(), Error> {
        let local = self.udp_mut(id)?.local;
        if local.is_ipv4() != remote.is_ipv4() || remote.port() == 0 {
            return Err(Error::InvalidInput);
        }
        let route = self.route(remote.ip())?;
        let addresses =
            if local.ip().is_unspecified() { Some(route) } else { IpPair::new(local.ip(), remote.ip()) };
        let addresses = addresses.ok_or(Error::InvalidInput)?;
        let udp = self.udp_mut(id)?;
        udp.peer = Some(Peer { addresses, port: remote.port() });
        udp.error = None;
        Ok(())
    }

    /// Sends one datagram to the peer of a connected socket.
    ///
    /// # Errors
    /// `NotConnected`; else as [`udp_send_to`](Stack::udp_send_to).
    pub fn udp_send(&mut self, id: SocketId, bytes: &[u8]) -> Result<usize, Error> {
        let to = self.udp_mut(id)?.remote_addr().ok_or(Error::NotConnected)?;
        self.udp_send_to(id, bytes, to)
    }

    /// Sends one datagram and says how long it was.
    ///
    /// # Errors
    /// `ConnectionRefused` if the peer of a connected socket said of an earlier one that nobody is there; `WouldBlock` while the queue is full; `InvalidInput` for a datagram beyond the MTU, or a destination that is not
    /// unicast, of the other family, or port 0; `NetworkUnreachable` without an address of its family.
    pub fn udp_send_to(&mut self, id: SocketId, bytes: &[u8], to: SocketAddr) -> Result<usize, Error> {
        let udp = self.udp_mut(id)?;
        udp.take_error()?;
        let local = udp.local_addr();
        let len = HEADER_LEN + bytes.len();
        if local.is_ipv4() != to.is_ipv4() || to.port() == 0 || len > self.env.max_payload(to.ip()) {
            return Err(Error::InvalidInput);
        }
        let route = self.route(to.ip())?;
        let addresses =
            if local.ip().is_unspecified() { Some(route) } else { IpPair::new(local.ip(), to.ip()) };
        let addresses = addresses.ok_or(Error::InvalidInput)?;
        let mut header = [0; HEADER_LEN];
        header[0..2].copy_from_slice(&local.port().to_be_bytes());
        header[2..4].copy_from_slice(&to.port().to_be_bytes());
        header[4..6].copy_from_slice(&(len as u16).to_be_bytes());
        let mut payload = self.env.pool.take(bytes.len());
        payload.append(bytes);
        self.udp_mut(id)?.queue.send(Datagram { addresses, protocol: Protocol::UDP, header, payload })?;
        self.mark_output(id);
        Ok(bytes.len())
    }

    /// Takes the oldest datagram: bytes copied into `buffer`, and who sent it. What does not fit is lost.
    ///
    /// # Errors
    /// `WouldBlock` if there is none; `ConnectionRefused` once, if the peer of a connected socket said that nobody is
    /// there.
    pub fn udp_recv_from(&mut self, id: SocketId, buffer: &mut [u8]) -> Result<(usize, SocketAddr), Error> {
        let udp = self.udp_mut(id)?;
        udp.take_error()?;
        udp.queue.receive(buffer)
    }

    /// As [`udp_recv_from`](Stack::udp_recv_from), leaving the datagram where it is.
    ///
    /// # Errors
    /// As `udp_recv_from`.
    pub fn udp_peek_from(&mut self, id: SocketId, buffer: &mut [u8]) -> Result<(usize, SocketAddr), Error> {
        let udp = self.udp_mut(id)?;
        udp.take_error()?;
        udp.queue.peek(buffer).map(|(len, from)| (len, *from))
    }

    /// What the peer of a connected UDP socket said of the last datagrams; the next call does not say it again.
    ///
    /// # Errors
    /// `StaleSocket`; `InvalidInput` for any other kind of socket.
    pub fn udp_take_error(&mut self, id: SocketId) -> Result<Option<Error>, Error> {
        Ok(self.udp_mut(id)?.error.take())
    }

    /// Handles a packet that holds a UDP datagram.
    pub(super) fn udp_input(&mut self, arrival: &Arrival, packet: &mut Chunk) {
        let counters = &mut self.env.counters.udp;
        let bytes = arrival.segment(packet);
        let Some((header, bytes)) = parse(bytes) else {
            counters.malformed += 1;
            return;
        };
        if !checksum_holds(arrival, &header, bytes) {
            counters.bad_checksum += 1;
            return;
        }
        let to = SocketAddr::new(arrival.ip.dst, header.destination_port());
        let from = SocketAddr::new(arrival.ip.src, header.source_port());
        let end = arrival.ip.payload + bytes.len();
        let socket = self.udp_bindings.find(to).and_then(|index| self.sockets.id_at(index));
        let Some((id, entry)) = socket.and_then(|id| Some((id, self.sockets.get_mut(id)?))) else {
            counters.no_socket += 1;
            return self.send_error(Complaint::PortUnreachable, &arrival.ip, packet);
        };
        let Socket::Udp(udp) = &mut entry.socket else { return };
        if !udp.accepts(to.ip(), from) {
            counters.no_socket += 1;
            return self.send_error(Complaint::PortUnreachable, &arrival.ip, packet);
        }
        packet.narrow(arrival.ip.payload + HEADER_LEN..end);
        if udp.queue.deliver(from, take_payload(&self.env.pool, packet)) {
            counters.received += 1;
            self.events.post(id, &mut entry.untold, Readiness::READABLE);
        } else {
            counters.queue_full += 1;
        }
    }

    /// Somebody answered a datagram of ours with a port unreachable: the socket hears of it if it is connected to just
    /// that port (RFC 1122 4.1.3.3). Whether it was.
    pub(super) fn udp_refused(&mut self, local: SocketAddr, remote: SocketAddr) -> bool {
        let socket = self.udp_bindings.find(local).and_then(|index| self.sockets.id_at(index));
        let Some((id, entry)) = socket.and_then(|id| Some((id, self.sockets.get_mut(id)?))) else {
            return false;
        };
        let Socket::Udp(udp) = &mut entry.socket else { return false };
        if udp.peer.is_none() || !udp.accepts(local.ip(), remote) {
            return false;
        }
        udp.error = Some(Error::ConnectionRefused);
        let kinds = Readiness { failed: true, ..Readiness::READABLE };
        self.events.post(id, &mut entry.untold, kinds);
        true
    }

    /// Tells the application about room, after messages of a UDP or ICMP socket have gone out.
    pub(super) fn settle_datagrams(&mut self, index: u32, sent: usize) {
        let Some(id) = self.sockets.id_at(index) else { return };
        let Some(entry) = self.sockets.at_mut(index) else { return };
        let unblocked = match &mut entry.socket {
            Socket::Udp(udp) => {
                self.env.counters.udp.sent += sent as u64;
                udp.queue.take_unblocked()
            }
            Socket::Ping(ping) => ping.queue.take_unblocked(),
            Socket::Tcp(_) | Socket::Listener(_) => false,
        };
        if unblocked {
            self.events.post(id, &mut entry.untold, Readiness::WRITABLE);
        }
    }

    fn udp_mut(&mut self, id: SocketId) -> Result<&mut UdpSocket, Error> {
        match &mut self.sockets.get_mut(id).ok_or(Error::StaleSocket)?.socket {
            Socket::Udp(udp) => Ok(udp),
            _ => Err(Error::InvalidInput),
        }
    }

    /// Our address and `to`, for packets that go there.
    pub(super) fn route(&self, to: IpAddr) -> Result<IpPair, Error> {
        if !self.env.addresses.is_unicast(to) {
            return Err(Error::InvalidInput);
        }
        if to.is_loopback() && !self.env.addresses.is_ours(to) {
            return Err(Error::NetworkUnreachable);
        }
        let from = self.env.addresses.source_for(to).ok_or(Error::NetworkUnreachable)?;
        IpPair::new(from, to).ok_or(Error::NetworkUnreachable)
    }
}

/// The header, and the datagram cut to the length that it says.
fn parse(bytes: &[u8]) -> Option<(UdpHeaderSlice<'_>, &[u8])> {
    let header = UdpHeaderSlice::from_slice(bytes).ok()?;
    let len = usize::from(header.length());
    let datagram = bytes.get(..len).filter(|_| len >= HEADER_LEN)?;
    Some((header, datagram))
}

/// Over IPv4 zero means that there is none; over IPv6 there has to be one (RFC 8200 8.1).
fn checksum_holds(arrival: &Arrival, header: &UdpHeaderSlice<'_>, bytes: &[u8]) -> bool {
    match (header.checksum(), arrival.ip.src) {
        (0, IpAddr::V4(_)) => true,
        (0, IpAddr::V6(_)) => false,
        _ => arrival.checksum_holds(bytes),
    }
}
