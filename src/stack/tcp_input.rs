//! TCP segments on their way to a connection, a half-open one, one in TIME-WAIT, a listener, or nobody.

use super::demux::Tag;
use super::flow::{Flow, FourTuple};
use super::input::Arrival;
use super::socket::Socket;
use super::{Chunk, Stack};
use crate::tcp::{SegmentMeta, TimeWaitReply, reset_for};
use crate::wire::{IpPair, TcpFlags, TcpHeader, WireError};

/// A segment and whose it is.
pub(super) struct Segment {
    pub(super) header: TcpHeader,
    pub(super) meta: SegmentMeta,
    pub(super) tuple: FourTuple,
    pub(super) tag: Tag,
}

impl Stack {
    /// Handles a packet that holds a TCP segment.
    pub(super) fn tcp_input(&mut self, arrival: &Arrival, packet: &mut Chunk) {
        self.env.counters.stack.segments_received += 1;
        let Some((header, payload)) = self.parse_segment(arrival, packet) else { return };
        packet.narrow(arrival.ip.payload + payload..arrival.ip.end);
        let Some(addresses) = IpPair::new(arrival.ip.dst, arrival.ip.src) else { return };
        let tuple = FourTuple { addresses, local_port: header.dst_port, remote_port: header.src_port };
        let meta = SegmentMeta {
            received_at: arrival.meta.received_at,
            ecn: arrival.ip.ecn,
            gso_size: arrival.meta.gso_size,
            ..SegmentMeta::default()
        };
        let segment = Segment { header, meta, tag: self.demux.tag_of_arrival(&tuple), tuple };
        match self.find_flow(segment.tag, &tuple) {
            Some(Flow::Connection(index)) => self.connection_input(index, &segment, packet),
            Some(Flow::HalfOpen(index)) => self.half_open_input(index, &segment, packet),
            Some(flow) => self.time_wait_input(flow, &segment, packet),
            None => self.unclaimed_input(segment, packet),
        }
    }

    fn parse_segment(&mut self, arrival: &Arrival, packet: &[u8]) -> Option<(TcpHeader, usize)> {
        let counters = &mut self.env.counters.stack;
        let bytes = arrival.segment(packet);
        if !arrival.checksum_holds(bytes) {
            counters.bad_checksum += 1;
            return None;
        }
        match TcpHeader::parse(bytes) {
            Ok(parsed) => return Some(parsed),
            Err(WireError::Truncated) => counters.truncated += 1,
            Err(WireError::Options) => counters.bad_options += 1,
            Err(_) => counters.malformed += 1,
        }
        None
    }

    /// Where the state of a 4-tuple is kept.
    pub(super) fn find_flow(&self, tag: Tag, tuple: &FourTuple) -> Option<Flow> {
        self.demux.find(tag, |flow| match flow {
            Flow::Connection(index) => match self.sockets.at(index).map(|entry| &entry.socket) {
                Some(Socket::Tcp(tcp)) => tcp.ends.tuple() == *tuple,
                _ => false,
            },
            Flow::HalfOpen(index) => self.half_open.at(index).is_some_and(|entry| entry.tuple == *tuple),
            Flow::TimeWaitV4(_) | Flow::TimeWaitV6(_) => self.time_wait.tuple(flow).as_ref() == Some(tuple),
        })
    }

    /// Hands a segment to its connection.
    pub(super) fn connection_input(&mut self, index: u32, segment: &Segment, payload: &mut Chunk) {
        let meta = SegmentMeta { out_of_memory: self.exceeds_memory(), ..segment.meta };
        let Some(entry) = self.sockets.at_mut(index) else { return };
        let Socket::Tcp(tcp) = &mut entry.socket else { return };
        let mut cx = self.env.context();
        let reset = tcp.connection.handle_segment(&mut cx, &segment.header, &meta, payload);
        if tcp.connection.output_can_wait() {
            self.output.mark_patient(index, &mut entry.output);
        } else {
            self.output.mark(index, &mut entry.output);
        }
        if let Some(reset) = reset {
            self.answer(&segment.tuple, reset);
        }
        self.settle(index);
    }

    fn time_wait_input(&mut self, flow: Flow, segment: &Segment, payload: &mut Chunk) {
        let Some((state, _)) = self.time_wait.get(flow) else { return };
        let mut header = segment.header;
        if !self.env.config.tcp.timestamps {
            header.options.timestamps = None;
        }
        match state.handle_segment(self.env.now, &header) {
            TimeWaitReply::Ignore => self.env.counters.stack.time_wait_ignored += 1,
            TimeWaitReply::Answer(ack) => self.answer(&segment.tuple, ack),
            TimeWaitReply::Restart(ack) => {
                self.time_wait.restart(flow, self.env.now + self.env.config.tcp.time_wait());
                self.answer(&segment.tuple, ack);
            }
            TimeWaitReply::Reuse => match self.listener_for(segment.tuple.local()) {
                Some(listener) => self.start_handshake(listener, segment, payload, Some(flow)),
                None => self.refuse(segment, payload.len()),
            },
        }
    }

    /// A segment of no connection (RFC 9293 3.10.7.1 and 3.10.7.2).
    fn unclaimed_input(&mut self, segment: Segment, payload: &mut Chunk) {
        let local = segment.tuple.local();
        let Some(listener) = self.listener_for(local) else {
            if !self.is_nobodys(local.ip()) {
                self.refuse(&segment, payload.len());
            }
            return;
        };
        let flags = segment.header.flags;
        if flags.contains(TcpFlags::RST) {
            self.env.counters.stack.listener_ignored += 1;
        } else if flags.contains(TcpFlags::ACK) {
            self.cookie_input(listener, segment, payload);
        } else if flags.contains(TcpFlags::SYN) {
            self.start_handshake(listener, &segment, payload, None);
        } else {
            self.env.counters.stack.listener_ignored += 1;
        }
    }

    /// Answers with a reset, unless the segment is one.
    pub(super) fn refuse(&mut self, segment: &Segment, payload_len: usize) {
        self.env.counters.stack.no_connection += 1;
        if let Some(reset) = reset_for(&segment.header, payload_len) {
            self.answer(&segment.tuple, reset);
        }
    }

    /// Sends a segment without a connection; `header` has no ports yet.
    pub(super) fn answer(&mut self, tuple: &FourTuple, header: TcpHeader) {
        let FourTuple { addresses, local_port, remote_port } = *tuple;
        let header = TcpHeader { src_port: local_port, dst_port: remote_port, ..header };
        self.outbox.push_segment(&mut self.env.counters.ip, addresses, header);
    }
}
