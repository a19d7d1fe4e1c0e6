//! The way out: from headers and payloads to packets, for the device or back to ourselves.

use std::collections::VecDeque;

use super::addresses::Addresses;
use super::counters::IpCounters;
use super::flow::{FourTuple, destination, source};
use super::outbox::{Control, Datagram};
use crate::buffer::{Chunk, Pool};
use crate::tcp::{OutSegment, SegmentSink};
use crate::time::Instant;
use crate::wire::{
    ChecksumState, Ecn, IpOut, IpPair, OutPacket, PacketMeta, Protocol, SendOutcome, Sink, TcpHeader,
    pseudo_header_sum,
};

/// Most memory that packets to ourselves pin, in bytes.
const LOOPBACK_BYTES: usize = 4 * 1024 * 1024;

/// Packets from us to us, until they come in again.
#[derive(Debug, Default)]
pub(super) struct Loopback {
    packets: VecDeque<(Chunk, PacketMeta)>,
    bytes: usize,
}

impl Loopback {
    /// Takes the oldest packet out.
    pub(super) fn pop(&mut self) -> Option<(Chunk, PacketMeta)> {
        let (chunk, meta) = self.packets.pop_front()?;
        self.bytes -= chunk.capacity();
        Some((chunk, meta))
    }

    /// Packets that wait.
    pub(super) fn len(&self) -> usize {
        self.packets.len()
    }

    fn push(&mut self, now: Instant, packet: &OutPacket<'_>, pool: &Pool) -> SendOutcome {
        let mut chunk = pool.take(packet.header.len() + packet.payload_len());
        if self.bytes + chunk.capacity() > LOOPBACK_BYTES {
            return SendOutcome::Full;
        }
        chunk.append(packet.header);
        packet.payload.iter().for_each(|slice| {
            chunk.append(slice);
        });
        self.bytes += chunk.capacity();
        // It has been on no wire: there is nothing that a checksum could find.
        let checksum = ChecksumState::Trusted;
        self.packets.push_back((chunk, PacketMeta { received_at: now, checksum, gso_size: packet.gso_size }));
        SendOutcome::Sent
    }
}

/// What sending needs, borrowed for one packet or a few.
pub(super) struct Link<'a> {
    pub(super) now: Instant,
    pub(super) sink: &'a mut dyn Sink,
    pub(super) addresses: &'a Addresses,
    pub(super) loopback: &'a mut Loopback,
    pub(super) pool: &'a Pool,
    pub(super) counters: &'a mut IpCounters,
    /// What the IP header says of how far a packet may go.
    pub(super) hop_limit: u8,
    /// Packets sent so far, as many as a device without offload makes of them.
    pub(super) sent: usize,
    /// Whether the last `Full` was ours and not the device's: it passes as soon as the packets have come in.
    pub(super) loopback_full: bool,
}

impl Link<'_> {
    /// Sends a control packet.
    pub(super) fn control(&mut self, packet: &Control) -> SendOutcome {
        match packet {
            Control::Segment { addresses, header } => {
                self.segment(addresses, header, &[], 0, Ecn::NotCapable)
            }
            Control::Datagram(datagram) => self.datagram(datagram),
        }
    }

    /// Sends a TCP segment whose header has its ports.
    fn segment(
        &mut self,
        addresses: &IpPair,
        header: &TcpHeader,
        payload: &[&[u8]],
        gso_size: u16,
        ecn: Ecn,
    ) -> SendOutcome {
        let mut transport = [0; TcpHeader::MAX_LEN];
        let len = header.emit(0, &mut transport);
        let out = Outgoing { addresses, protocol: Protocol::TCP, ecn, gso_size };
        self.packet(&out, &mut transport[..len], TcpHeader::CHECKSUM_OFFSET, payload)
    }

    /// Sends a UDP datagram or an ICMP message.
    pub(super) fn datagram(&mut self, datagram: &Datagram) -> SendOutcome {
        let mut transport = datagram.header;
        let Datagram { addresses, protocol, .. } = datagram;
        let out = Outgoing { addresses, protocol: *protocol, ecn: Ecn::NotCapable, gso_size: 0 };
        self.packet(&out, &mut transport, datagram.checksum_offset(), &[&datagram.payload])
    }

    /// Puts the IP header in front, and the pseudo-header's sum into the checksum field for the device to complete.
    fn packet(
        &mut self,
        out: &Outgoing<'_>,
        transport: &mut [u8],
        checksum: usize,
        payload: &[&[u8]],
    ) -> SendOutcome {
        let len = transport.len() + payload.iter().map(|slice| slice.len()).sum::<usize>();
        // ICMP for IPv4 alone has no pseudo-header (RFC 792).
        if out.protocol != Protocol::ICMP {
            let sum = pseudo_header_sum(source(out.addresses), destination(out.addresses), out.protocol, len);
            transport[checksum..checksum + 2].copy_from_slice(&sum.partial().to_be_bytes());
        }
        let ip = IpOut { addresses: *out.addresses, protocol: out.protocol, ecn: out.ecn, payload_len: len };
        let mut ip_header = [0; IpOut::MAX_LEN];
        let ip_len = ip.emit_with(self.hop_limit, &mut ip_header);
        let mut header = [0; IpOut::MAX_LEN + TcpHeader::MAX_LEN];
        header[..ip_len].copy_from_slice(&ip_header[..ip_len]);
        header[ip_len..ip_len + transport.len()].copy_from_slice(transport);
        let header = &header[..ip_len + transport.len()];
        let packet = OutPacket { header, payload, transport: ip_len, checksum, gso_size: out.gso_size };
        self.hand_over(out.addresses, &packet)
    }

    fn hand_over(&mut self, addresses: &IpPair, packet: &OutPacket<'_>) -> SendOutcome {
        let to_us = self.addresses.is_ours(destination(addresses));
        let outcome =
            if to_us { self.loopback.push(self.now, packet, self.pool) } else { self.sink.send(packet) };
        match outcome {
            SendOutcome::Sent if to_us => self.counters.loopback += 1,
            SendOutcome::Sent => self.counters.sent += 1,
            SendOutcome::Failed => self.counters.send_failed += 1,
            SendOutcome::Full => self.loopback_full = to_us,
        }
        if outcome != SendOutcome::Full {
            self.sent += packet.wire_packets();
        }
        outcome
    }
}

/// What the IP header says.
struct Outgoing<'a> {
    addresses: &'a IpPair,
    protocol: Protocol,
    ecn: Ecn,
    gso_size: u16,
}

/// A connection's way out: adds what the connection does not know.
pub(super) struct ConnectionLink<'a, 'b> {
    pub(super) link: &'a mut Link<'b>,
    pub(super) tuple: FourTuple,
}

impl SegmentSink for ConnectionLink<'_, '_> {
    fn send(&mut self, segment: &OutSegment<'_>) -> SendOutcome {
        let FourTuple { addresses, local_port, remote_port } = self.tuple;
        let header = TcpHeader { src_port: local_port, dst_port: remote_port, ..segment.header };
        self.link.segment(&addresses, &header, segment.payload, segment.gso_size, segment.ecn)
    }
}
