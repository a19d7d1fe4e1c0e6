//! Active opens.

use std::net::SocketAddr;
use std::sync::Arc;

use super::flow::{Ends, FourTuple};
use super::ports::PortState;
use super::socket::{SharedOptions, Socket, Stage, TcpSocket};
use super::{Duration, Error, Instant, SocketId, SocketOptions, Stack};
use crate::tcp::{Connection, Open};

/// How long a connection must have been in TIME-WAIT before a new one of ours takes its place: by then our timestamps
/// are higher than the old one's last, whatever the clocks' grain.
const REUSE_AFTER: Duration = Duration::from_secs(1);

impl Stack {
    /// Begins a connection to `remote`. Without `local`, or with its port 0, the stack chooses (RFC 6056); an event
    /// says how it ended.
    ///
    /// # Errors
    /// `InvalidInput` for a remote end that no connection can have; `NetworkUnreachable` without an address of its
    /// family; `AddrNotAvailable` if `local` is not ours or no port is left, or if the answers to just that one would come
    /// to [another stack](super::Steering); `AddrInUse`; `LimitReached`.
    pub fn connect(
        &mut self,
        now: Instant,
        remote: SocketAddr,
        local: Option<SocketAddr>,
        options: Option<SocketOptions>,
    ) -> Result<SocketId, Error> {
        self.tick(now);
        self.begin(remote, local, options, |stack, _, open| {
            Connection::connect(&mut stack.env.context(), open)
        })
    }

    /// As [`connect`](Stack::connect), with the first data for the peer: says how much of it was taken. The rest is to
    /// be written once the connection stands.
    ///
    /// Data that fits one segment goes with the SYN, if the server has given out a cookie before (TCP Fast Open,
    /// RFC 7413); else the SYN asks for one. A server that does not take it gets it behind the handshake. It may get it
    /// twice, should the network repeat the SYN after the connection has ended: only what may be done twice should be
    /// sent this way (RFC 7413 6.1).
    ///
    /// # Errors
    /// As `connect`.
    pub fn connect_with_data(
        &mut self,
        now: Instant,
        remote: SocketAddr,
        local: Option<SocketAddr>,
        options: Option<SocketOptions>,
        data: &[u8],
    ) -> Result<(SocketId, usize), Error> {
        self.tick(now);
        let mut taken = 0;
        let id = self.begin(remote, local, options, |stack, tuple, open| {
            let attempt = stack.plan_fast_open(tuple);
            let (connection, count) =
                Connection::connect_with_data(&mut stack.env.context(), open, attempt, data);
            taken = count;
            connection
        })?;
        Ok((id, taken))
    }

    fn begin(
        &mut self,
        remote: SocketAddr,
        local: Option<SocketAddr>,
        options: Option<SocketOptions>,
        connect: impl FnOnce(&mut Stack, &FourTuple, Open) -> Connection,
    ) -> Result<SocketId, Error> {
        self.check_socket_limit()?;
        let tuple = self.ends(remote, local)?;
        let tag = self.demux.tag(&tuple);
        let old = self.find_flow(tag, &tuple);
        let floor = old.and_then(|flow| self.take_over(flow, tag)).map(|old| old.snd_nxt);
        let options = options.map_or_else(|| Arc::clone(&self.socket_options), SharedOptions::new);
        let open = self.open(&tuple, floor, options);
        let connection = connect(self, &tuple, open);
        let tcp = TcpSocket { connection, ends: Ends::new(&tuple) };
        let index = self.insert_connection(tag, tcp, Stage::Open);
        self.touch(index);
        self.sockets.id_at(index).ok_or(Error::StaleSocket)
    }

    /// Both ends of a new connection; nothing is between them, or something in TIME-WAIT that may be taken over.
    fn ends(&mut self, remote: SocketAddr, local: Option<SocketAddr>) -> Result<FourTuple, Error> {
        if remote.port() == 0 {
            return Err(Error::InvalidInput);
        }
        let route = self.route(remote.ip())?;
        let (ip, port) = match local {
            Some(local) if local.is_ipv4() != remote.is_ipv4() => return Err(Error::InvalidInput),
            Some(local) if local.ip().is_unspecified() => (super::flow::source(&route), local.port()),
            Some(local) if !self.env.addresses.is_ours(local.ip()) => return Err(Error::AddrNotAvailable),
            Some(local) => (local.ip(), local.port()),
            None => (super::flow::source(&route), 0),
        };
        let with_port = |port| FourTuple::new(SocketAddr::new(ip, port), remote).ok_or(Error::InvalidInput);
        if port != 0 {
            let tuple = with_port(port)?;
            if !self.owns_flow(&tuple) {
                return Err(Error::AddrNotAvailable);
            }
            return match self.tuple_state(&tuple) {
                PortState::Taken => Err(Error::AddrInUse),
                PortState::Free | PortState::Reusable => Ok(tuple),
            };
        }
        let mut ports = self.ports.clone();
        let chosen = ports.choose(ip, remote, |port| self.ephemeral_state(SocketAddr::new(ip, port), remote));
        self.ports = ports;
        match chosen {
            Some(port) => with_port(port),
            None => {
                self.env.counters.stack.ports_exhausted += 1;
                Err(Error::AddrNotAvailable)
            }
        }
    }

    /// What a port of our choice would meet. One that a listener has stays free of connections of ours, none connects to
    /// itself, and of several stacks with our addresses this one takes what its answers will come to.
    fn ephemeral_state(&self, local: SocketAddr, remote: SocketAddr) -> PortState {
        if local == remote || self.listeners.find(local).is_some() {
            return PortState::Taken;
        }
        match FourTuple::new(local, remote) {
            Some(tuple) if self.owns_flow(&tuple) => self.tuple_state(&tuple),
            _ => PortState::Taken,
        }
    }

    /// What a new connection of ours between these ends would meet. TIME-WAIT may be cut short when timestamps tell the
    /// new connection's segments from the old one's (RFC 6191, RFC 7323 appendix B.2).
    fn tuple_state(&self, tuple: &FourTuple) -> PortState {
        let Some(flow) = self.find_flow(self.demux.tag(tuple), tuple) else { return PortState::Free };
        match self.time_wait.get(flow) {
            Some((state, expires)) if state.ts_recent.is_some() => {
                let entered = self.env.config.tcp.time_wait();
                if expires <= self.env.now + entered.saturating_sub(REUSE_AFTER) {
                    PortState::Reusable
                } else {
                    PortState::Taken
                }
            }
            _ => PortState::Taken,
        }
    }

    /// A connection's application or its timers have changed it: it gets a turn to send.
    pub(super) fn touch(&mut self, index: u32) {
        if let Some(entry) = self.sockets.at_mut(index) {
            self.output.mark(index, &mut entry.output);
            if matches!(entry.socket, Socket::Tcp(_)) {
                self.settle(index);
            }
        }
    }
}
