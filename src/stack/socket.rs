//! What a socket id stands for.

use std::sync::Arc;

use super::Readiness;
use super::event::Untold;
use super::flow::{Ends, FourTuple};
use super::listener::Listener;
use super::origin::Origin;
use super::output_queue::OutputMark;
use super::ping::PingSocket;
use super::udp::UdpSocket;
use crate::tcp::{Connection, Events, HalfOpen, State};
use crate::wire::IpOut;

/// A socket with what the stack's queues remember of it.
pub(super) struct Entry {
    pub(super) socket: Socket,
    /// What a connection counts against.
    pub(super) origin: Origin,
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
            origin: Origin::NONE,
            progress: Progress::default(),
            untold: Untold::default(),
            output: OutputMark::default(),
            hop_limit: IpOut::HOP_LIMIT,
        }
    }
}

/// The kinds of sockets. Connections are by far the most, and lie in the table itself: a box would cost every packet a
/// cache line.
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
}

/// How far a connection has come, and where it counts, in a byte: every socket has one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress(u8);

/// Where a connection is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// In the demultiplexer: segments of its 4-tuple come here.
    InDemux = 1 << 2,
    /// As alive: not finished, not in TIME-WAIT, and no orphan in FIN-WAIT-2.
    Live = 1 << 3,
    /// Among its listener's pending Fast Opens.
    FastOpen = 1 << 4,
}

impl Progress {
    const STAGE: u8 = 3;

    /// Of a new connection: in the demultiplexer, and alive.
    pub(super) fn new(stage: Stage) -> Progress {
        Progress(stage as u8 | Known::InDemux as u8 | Known::Live as u8)
    }

    pub(super) fn stage(self) -> Stage {
        match self.0 & Self::STAGE {
            0 => Stage::Open,
            1 => Stage::Waiting,
            _ => Stage::Handshake,
        }
    }

    pub(super) fn enter(&mut self, stage: Stage) {
        self.0 = self.0 & !Self::STAGE | stage as u8;
    }

    pub(super) fn is(self, known: Known) -> bool {
        self.0 & known as u8 != 0
    }

    pub(super) fn set(&mut self, known: Known) {
        self.0 |= known as u8;
    }

    /// Whether it was, until now.
    pub(super) fn unset(&mut self, known: Known) -> bool {
        let was = self.is(known);
        self.0 &= !(known as u8);
        was
    }
}

/// How far a connection has come to the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// In the application's hands, or let go by it.
    Open = 0,
    /// In its listener's accept queue.
    Waiting = 1,
    /// Passive, its handshake not yet complete.
    Handshake = 2,
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
    use super::super::demux::SLOT_BYTES;
    use super::super::slab::Slab;
    use super::super::wheel::Wheel;
    use super::*;

    #[test]
    fn stages_and_what_it_is_known_as_are_apart() {
        let mut progress = Progress::new(Stage::Handshake);
        progress.set(Known::FastOpen);
        progress.enter(Stage::Waiting);
        assert_eq!(progress.stage(), Stage::Waiting);
        assert!([Known::InDemux, Known::Live, Known::FastOpen].iter().all(|&known| progress.is(known)));
        assert!(progress.unset(Known::Live) && !progress.unset(Known::Live));
        progress.enter(Stage::Open);
        assert!(progress.is(Known::InDemux) && !progress.is(Known::Live) && progress.is(Known::FastOpen));
        assert_eq!((progress.stage(), Progress::default().stage()), (Stage::Open, Stage::Open));
    }

    #[test]
    fn around_a_connection_are_24_bytes() {
        assert_eq!(size_of::<Entry>() - size_of::<Connection>(), 24);
    }

    #[test]
    fn a_half_open_connection_costs_at_most_128_bytes() {
        let syn_queue_place = size_of::<u32>();
        let total = Slab::<HalfOpenEntry>::PLACE_BYTES + Wheel::NODE_BYTES + SLOT_BYTES + syn_queue_place;
        assert!(total <= 128, "{total} bytes");
    }
}
