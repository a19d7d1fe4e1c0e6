//! The control block of one connection, and the way to drive it.

use std::sync::Arc;

use super::{Config, Counters, Error, HalfOpen, SocketOptions, State, TcpInfo, TimeWait};
use crate::buffer::{Chunk, Pool};
use crate::time::Instant;
use crate::wire::{Ecn, SendOutcome, SeqNumber, TcpHeader};

/// What every call needs beside its arguments: the time, the stack's parameters, memory, counters.
pub struct Context<'a> {
    /// Now.
    pub now: Instant,
    /// Parameters of all connections.
    pub config: &'a Config,
    /// Where memory comes from.
    pub pool: &'a Pool,
    /// What is counted.
    pub counters: &'a mut Counters,
}

/// How a connection begins.
#[derive(Clone, Debug)]
pub struct Open {
    /// Our initial sequence number (RFC 6528).
    pub iss: SeqNumber,
    /// What is added to our clock for TSval (RFC 7323 5.4).
    pub timestamp_offset: u32,
    /// The MSS that we announce: the device's MTU less 40 (IPv4) or 60 (IPv6).
    pub mss: u16,
    /// The MSS to assume of a peer that announces none: 536 (IPv4) or 1220 (IPv6), RFC 9293 3.7.1.
    pub default_mss: u16,
    /// The socket's options.
    pub options: Arc<SocketOptions>,
}

/// What came with a segment.
#[derive(Clone, Copy, Debug, Default)]
pub struct SegmentMeta {
    /// When the device read it.
    pub received_at: Instant,
    /// The ECN field of its packet.
    pub ecn: Ecn,
    /// The size of the segments merged into it, 0 if it is one.
    pub gso_size: u16,
}

/// A segment to send. The caller fills in the ports.
#[derive(Clone, Copy, Debug)]
pub struct OutSegment<'a> {
    /// Header without ports.
    pub header: TcpHeader,
    /// Payload in pieces.
    pub payload: &'a [&'a [u8]],
    /// Payload bytes of each wire segment but the last, 0 if it is one segment.
    pub gso_size: u16,
    /// The ECN field for its packet.
    pub ecn: Ecn,
}

/// Where a connection's segments go.
pub trait SegmentSink {
    /// Takes one segment, or says why not.
    fn send(&mut self, segment: &OutSegment<'_>) -> SendOutcome;
}

/// How [`Connection::poll_transmit`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transmit {
    /// Nothing more to send before [`Connection::deadline`] or the next input.
    Done,
    /// The sink is full; call again when it has room.
    Full,
    /// The budget of one call is spent; there is more.
    More,
}

/// What changed for the application since it was last asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Events {
    /// The handshake is complete.
    pub connected: bool,
    /// There is something to read, or the peer has finished sending.
    pub readable: bool,
    /// There is room to write again.
    pub writable: bool,
    /// The connection has failed; `error()` says why.
    pub failed: bool,
    /// The connection has ended, with or without an error: TIME-WAIT or CLOSED.
    pub closed: bool,
}

/// One TCP connection.
pub struct Connection {
    state: State,
}

#[allow(unused_variables, missing_docs)]
impl Connection {
    /// Active open: the SYN goes out at the next [`poll_transmit`](Self::poll_transmit).
    pub fn connect(cx: &mut Context<'_>, open: Open) -> Connection {
        unimplemented!()
    }
    /// A passive open whose last ACK is here: in SYN-RECEIVED, to be given that segment next.
    pub fn accept(cx: &mut Context<'_>, half: &HalfOpen, open: Open) -> Connection {
        unimplemented!()
    }
    /// Handles a segment of this connection; what is left of `payload` afterwards has not been taken. Returns a reset to send, without ports.
    pub fn handle_segment(
        &mut self,
        cx: &mut Context<'_>,
        segment: &TcpHeader,
        meta: &SegmentMeta,
        payload: &mut Chunk,
    ) -> Option<TcpHeader> {
        unimplemented!()
    }
    /// Runs the timers that are due.
    pub fn handle_timeout(&mut self, cx: &mut Context<'_>) {
        unimplemented!()
    }
    /// An ICMP error about this connection: ends SYN-SENT, and is otherwise only remembered (RFC 5927).
    pub fn handle_unreachable(&mut self, cx: &mut Context<'_>, error: Error) {
        unimplemented!()
    }
    /// Sends what may be sent now.
    pub fn poll_transmit(&mut self, cx: &mut Context<'_>, sink: &mut dyn SegmentSink) -> Transmit {
        unimplemented!()
    }
    /// When [`handle_timeout`](Self::handle_timeout) has to be called.
    pub fn deadline(&self) -> Option<Instant> {
        unimplemented!()
    }
    /// Whether poll_transmit has something to send (call it after every input and every application call; cheap).
    /// What changed for the application since the last call.
    pub fn take_events(&mut self) -> Events {
        unimplemented!()
    }
    /// Moves received bytes out: `Ok(0)` at the end of the stream (or for an empty buffer).
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        unimplemented!()
    }
    pub fn peek(&self, buffer: &mut [u8]) -> Result<usize, Error> {
        unimplemented!()
    }
    /// `Ok(None)` at the end of the stream.
    pub fn read_chunk(&mut self) -> Result<Option<Chunk>, Error> {
        unimplemented!()
    }
    /// Takes as much as there is room for, at least one byte.
    pub fn write(&mut self, pool: &Pool, bytes: &[u8]) -> Result<usize, Error> {
        unimplemented!()
    }
    /// Room for `write` now, in bytes.
    pub fn send_room(&self) -> usize {
        unimplemented!()
    }
    pub fn write_chunk(&mut self, chunk: Chunk) -> Result<(), (Error, Chunk)> {
        unimplemented!()
    }
    /// Closes our direction: a FIN goes out behind what was written.
    pub fn shutdown_write(&mut self) -> Result<(), Error> {
        unimplemented!()
    }
    /// What the peer sends from now on is acknowledged and thrown away.
    pub fn shutdown_read(&mut self) -> Result<(), Error> {
        unimplemented!()
    }
    /// The application lets the connection go: with unread data a reset (RFC 2525 2.17), else an orderly close in the background. After this no events.
    pub fn close(&mut self, cx: &mut Context<'_>) {
        unimplemented!()
    }
    /// Ends the connection at once; a reset goes out at the next poll_transmit. `error` is what reads and writes give from now on.
    pub fn abort(&mut self, error: Error) {
        unimplemented!()
    }
    pub fn state(&self) -> State {
        self.state
    }
    /// The application has let it go (close was called).
    pub fn is_orphan(&self) -> bool {
        unimplemented!()
    }
    /// CLOSED, and its last reset (if it owes one) has been sent: the slot may be freed once `is_orphan`.
    pub fn is_finished(&self) -> bool {
        unimplemented!()
    }
    /// The error that ended the connection; stays.
    pub fn error(&self) -> Option<Error> {
        unimplemented!()
    }
    /// Whether read would not block / write would not block.
    pub fn is_readable(&self) -> bool {
        unimplemented!()
    }
    pub fn is_writable(&self) -> bool {
        unimplemented!()
    }
    /// In TIME-WAIT: what the compact entry needs. The caller then takes the connection out of its demultiplexer; it stays readable until closed.
    pub fn time_wait(&self) -> Option<TimeWait> {
        unimplemented!()
    }
    pub fn options(&self) -> &SocketOptions {
        unimplemented!()
    }
    pub fn set_options(&mut self, options: Arc<SocketOptions>) {
        unimplemented!()
    }
    pub fn info(&self) -> TcpInfo {
        unimplemented!()
    }
    /// Invariants of the control block, for tests and the simulator: `Err` says which one is violated.
    pub fn check_invariants(&self) -> Result<(), String> {
        unimplemented!()
    }
}
