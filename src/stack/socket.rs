//! What a socket id stands for.

use std::sync::Arc;

use super::event::Untold;
use super::flow::{Ends, FourTuple};
use super::listener::Listener;
use super::output_queue::OutputMark;
use super::ping::PingSocket;
use super::udp::UdpSocket;
use super::{Readiness, SocketId};
use crate::tcp::{Connection, Events, HalfOpen, State};
use crate::wire::IpOut;

/// A socket with what the stack's queues remember of it.
pub(super) struct Entry {
    pub(super) socket: Socket,
    /// How far a connection has come, and where it is known.
    pub(super) progress: Progress,
    /// What it has to tell the application.
    pub(super) untold: Untold,
    /// Its place in the output queue.
    pub(super) output: OutputMark,
    /// How many routers its packets may pass.
    pub(super) hop_limit: u8,
}

impl Entry {
    pub(super) fn new(socket: Socket) -> Entry {
        Entry {
            socket,
            progress: Progress { stage: Stage::Open, in_demux: false, live: false, fast_open: false },
            untold: Untold::default(),
            output: OutputMark::default(),
            hop_limit: IpOut::HOP_LIMIT,
        }
    }
}

/// The kinds of sockets. Connections are by far the most, and lie in the table itself: a box would cost every packet a
/// cache line.
#[expect(clippy::large_enum_variant, reason = "a box would cost every packet a cache line")]
pub(super) enum Socket {
    Tcp(TcpSocket),
    Listener(Box<Listener>),
    Udp(Box<UdpSocket>),
    Ping(Box<PingSocket>),
}

/// A connection and its place in the stack.
pub(super) struct TcpSocket {
    pub(super) connection: Connection,
    pub(super) ends: Ends,
    /// The listener that it counts against, or [`SocketId::NONE`].
    pub(super) listener: SocketId,
}

/// Of a connection alone, and beside it for the sake of its size.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    pub(super) stage: Stage,
    /// Whether segments of its 4-tuple come here.
    pub(super) in_demux: bool,
    /// Whether it counts as alive: not finished, not in TIME-WAIT, and no orphan in FIN-WAIT-2.
    pub(super) live: bool,
    /// Whether it counts among its listener's pending Fast Opens.
    pub(super) fast_open: bool,
}

/// How far a connection has come to the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Passive, its handshake not yet complete.
    Handshake,
    /// In its listener's accept queue.
    Waiting,
    /// In the application's hands, or let go by it.
    Open,
}

impl TcpSocket {
    /// What can be done with it now.
    pub(super) fn readiness(&self) -> Readiness {
        let state = self.connection.state();
        Readiness {
            readable: self.connection.is_readable(),
            writable: self.connection.is_writable(),
            connected: state.is_synchronised(),
            closed: matches!(state, State::Closed | State::TimeWait),
            failed: self.connection.error().is_some(),
        }
    }
}

impl From<Events> for Readiness {
    fn from(events: Events) -> Readiness {
        let Events { connected, readable, writable, failed, closed } = events;
        Readiness { readable, writable, connected, closed, failed }
    }
}

/// A half-open connection and its place in the stack.
pub(super) struct HalfOpenEntry {
    pub(super) half: HalfOpen,
    pub(super) tuple: FourTuple,
    /// The listener's index; the entry goes when the listener does.
    pub(super) listener: u32,
    /// Its place in the listener's SYN queue.
    pub(super) position: u32,
}

/// Options shared by all who have not changed theirs.
pub(super) type SharedOptions = Arc<crate::tcp::SocketOptions>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_half_open_connection_costs_at_most_128_bytes() {
        let timer_node = 16;
        let demultiplexer_slot = 8;
        let syn_queue_place = size_of::<u32>();
        let slab_slot = size_of::<HalfOpenEntry>() + 8;
        let total = slab_slot + timer_node + demultiplexer_slot + syn_queue_place;
        assert!(total <= 128, "{total} bytes");
    }
}
