//! What a connection and its caller say to each other.

use std::sync::Arc;

use super::{Config, Counters, SocketOptions};
use crate::buffer::Pool;
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
    /// Memory is short: its text is not taken if that would only add to what waits to be read.
    pub out_of_memory: bool,
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

/// What a write says beside its bytes (`flags` of send(2)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SendFlags {
    /// More follows soon: a last segment that is not full waits for it, until an acknowledgment comes, or for a
    /// retransmission time-out if nothing is under way (`MSG_MORE`). While a whole super-packet is under way, so does what
    /// makes up less than another one.
    pub more: bool,
    /// A record ends here: no segment holds bytes of this write and of the next (`MSG_EOR`). TCP has no records; the
    /// receiver may still read across.
    pub end_of_record: bool,
}

impl SendFlags {
    /// Only [`more`](Self::more).
    pub const MORE: SendFlags = SendFlags { more: true, end_of_record: false };
    /// Only [`end_of_record`](Self::end_of_record).
    pub const END_OF_RECORD: SendFlags = SendFlags { more: false, end_of_record: true };
}

/// How [`Connection::poll_transmit`](super::Connection::poll_transmit) ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transmit {
    /// Nothing more to send before [`Connection::deadline`](super::Connection::deadline) or the next input.
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
    /// The connection has failed; [`Connection::error`](super::Connection::error) says why.
    pub failed: bool,
    /// The connection has ended, with or without an error: TIME-WAIT or CLOSED.
    pub closed: bool,
}
