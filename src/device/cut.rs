//! The software cut: super-packets become packets of the MTU, and checksums are completed.
//!
//! What a network card does with TCP segmentation offload, done at the edge of a device that has none. The stack
//! above it never knows.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::ops::ControlFlow;

use super::merge::Merger;
use super::{CounterVisitor, Device, WireDevice};
use crate::buffer::Chunk;
use crate::time::Instant;
use crate::wire::{Checksum, OutPacket, PacketMeta, SendOutcome, TcpFlags, TcpHeader};

#[cfg(test)]
pub(super) mod tests;

/// The longest IP packet.
pub(super) const MAX_PACKET: usize = 65_535;
/// Offset of the checksum in a UDP header: what tells UDP from everything else here.
pub(super) const UDP_CHECKSUM: usize = 6;

/// Why a packet cannot be put on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutError {
    /// The header slice does not hold the headers that its offsets speak of.
    Malformed,
    /// A packet, or one segment of it, is larger than the MTU.
    TooLong,
    /// `gso_size` is set, but only TCP can be cut.
    NotTcp,
}

/// Cuts packets in one scratch buffer of its own: nothing is allocated for a packet.
///
/// ```
/// use std::ops::ControlFlow;
/// use longwire::device::{CutError, Cutter};
/// use longwire::wire::OutPacket;
/// let nonsense = OutPacket { header: &[0; 3], payload: &[], transport: 20, checksum: 16, gso_size: 0 };
/// let cut = Cutter::default().cut(&nonsense, 1_500, |_packet| ControlFlow::Continue(()));
/// assert_eq!(cut, Err(CutError::Malformed));
/// ```
pub struct Cutter {
    scratch: Box<[u8]>,
}

impl fmt::Display for CutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CutError::Malformed => "its headers are malformed",
            CutError::TooLong => "it is longer than the MTU",
            CutError::NotTcp => "it is not TCP and cannot be cut",
        })
    }
}

impl std::error::Error for CutError {}

impl Default for Cutter {
    fn default() -> Self {
        Cutter { scratch: vec![0; MAX_PACKET].into_boxed_slice() }
    }
}

impl Cutter {
    /// Gives `emit` each finished packet of at most `mtu` bytes, in order, until it breaks off.
    ///
    /// # Errors
    /// See [`CutError`]; nothing was emitted then.
    pub fn cut(
        &mut self,
        packet: &OutPacket<'_>,
        mtu: usize,
        mut emit: impl FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<(), CutError> {
        let plan = Plan::new(packet, mtu)?;
        let header = packet.header.len();
        self.scratch[..header].copy_from_slice(packet.header);
        let mut payload = Gather::new(packet.payload);
        let Shape { payload: total, segment, packets } = plan.shape;
        for index in 0..packets {
            let len = segment.min(total - index * segment);
            payload.copy_to(&mut self.scratch[header..header + len]);
            let finished = &mut self.scratch[..header + len];
            plan.patch(finished, index);
            plan.complete_checksum(finished);
            if emit(finished).is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// How much there is of a well-formed packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// Bytes of payload in all.
    pub(super) payload: usize,
    /// Bytes of payload of each packet but the last.
    segment: usize,
    /// Packets on the wire.
    pub(super) packets: usize,
}

impl Shape {
    /// Measures a packet for a wire that takes `mtu` bytes at once.
    ///
    /// # Errors
    /// It cannot go over that wire: see [`CutError`].
    pub(super) fn of(packet: &OutPacket<'_>, mtu: usize) -> Result<Shape, CutError> {
        let OutPacket { header, transport, checksum, gso_size, .. } = *packet;
        let ip_len = match header.first().map(|byte| byte >> 4) {
            Some(4) => 20,
            Some(6) => 40,
            _ => return Err(CutError::Malformed),
        };
        let body = header.len().checked_sub(transport).ok_or(CutError::Malformed)?;
        if transport < ip_len || body < checksum + 2 {
            return Err(CutError::Malformed);
        }
        let payload = packet.payload_len();
        let cuts = gso_size > 0 && payload > usize::from(gso_size);
        if cuts && (checksum != TcpHeader::CHECKSUM_OFFSET || body < TcpHeader::MIN_LEN) {
            return Err(CutError::NotTcp);
        }
        let segment = if cuts { usize::from(gso_size) } else { payload };
        if header.len() + segment > mtu.min(MAX_PACKET) {
            return Err(CutError::TooLong);
        }
        let packets = if cuts { payload.div_ceil(segment) } else { 1 };
        Ok(Shape { payload, segment, packets })
    }
}

/// What is the same for all packets cut from one.
struct Plan<'a> {
    source: &'a OutPacket<'a>,
    shape: Shape,
    /// The pseudo-header sum without the length.
    pseudo: Checksum,
}

impl<'a> Plan<'a> {
    fn new(source: &'a OutPacket<'a>, mtu: usize) -> Result<Self, CutError> {
        let shape = Shape::of(source, mtu)?;
        let OutPacket { header, transport, checksum, .. } = *source;
        let at = transport + checksum;
        let mut pseudo = Checksum::from_partial(u16::from_be_bytes([header[at], header[at + 1]]));
        if shape.packets > 1 {
            // One's complement subtraction is the addition of the complement (RFC 1624 3). The length of a
            // super-packet went into the sum folded, as IPv6 has it in 32 bits.
            let len = header.len() - transport + shape.payload;
            pseudo.add_word(!((len >> 16) as u16));
            pseudo.add_word(!(len as u16));
        }
        Ok(Plan { source, shape, pseudo })
    }

    /// Sets every field in which the packet differs from the one that it was cut from.
    fn patch(&self, packet: &mut [u8], index: usize) {
        if self.shape.packets == 1 {
            return;
        }
        let OutPacket { header, transport, checksum, .. } = *self.source;
        patch_ip(packet, header, transport, index as u16);
        let sequence = transport + 4;
        let first = u32::from_be_bytes([0, 1, 2, 3].map(|byte| header[sequence + byte]));
        let advanced = first.wrapping_add((index * self.shape.segment) as u32);
        packet[sequence..sequence + 4].copy_from_slice(&advanced.to_be_bytes());

        let mut flags = header[transport + TcpHeader::FLAGS_OFFSET];
        if index + 1 < self.shape.packets {
            flags &= !(TcpFlags::FIN | TcpFlags::PSH).0;
        }
        if index > 0 {
            // One CWR answers one ECE (RFC 3168 6.1.2).
            flags &= !TcpFlags::CWR.0;
        }
        packet[transport + TcpHeader::FLAGS_OFFSET] = flags;

        let mut partial = self.pseudo;
        partial.add_word((packet.len() - transport) as u16);
        packet[transport + checksum..][..2].copy_from_slice(&partial.partial().to_be_bytes());
    }

    /// Sums from the transport header on; the partial sum in the field takes part.
    fn complete_checksum(&self, packet: &mut [u8]) {
        let OutPacket { transport, checksum, .. } = *self.source;
        let mut sum = Checksum::default();
        sum.add(&packet[transport..]);
        let finished = match sum.finish() {
            // Zero means "no checksum" in UDP (RFC 768); its other representation means the same sum.
            0 if checksum == UDP_CHECKSUM => 0xffff,
            sum => sum,
        };
        packet[transport + checksum..][..2].copy_from_slice(&finished.to_be_bytes());
    }
}

/// Sets the lengths, the identification and the header checksum of IPv4, the payload length of IPv6.
fn patch_ip(packet: &mut [u8], header: &[u8], transport: usize, index: u16) {
    if header[0] >> 4 == 4 {
        let identification = u16::from_be_bytes([header[4], header[5]]).wrapping_add(index);
        packet[4..6].copy_from_slice(&identification.to_be_bytes());
    }
    set_ip_length(packet, transport);
}

/// Makes an IP header say how long the packet is.
pub(super) fn set_ip_length(packet: &mut [u8], transport: usize) {
    if packet[0] >> 4 == 6 {
        let len = (packet.len() - 40) as u16;
        packet[4..6].copy_from_slice(&len.to_be_bytes());
        return;
    }
    let len = packet.len() as u16;
    packet[2..4].copy_from_slice(&len.to_be_bytes());
    packet[10..12].fill(0);
    let mut sum = Checksum::default();
    sum.add(&packet[..transport]);
    packet[10..12].copy_from_slice(&sum.finish().to_be_bytes());
}

/// Copies a payload out of the slices that it lies in.
struct Gather<'a> {
    slices: &'a [&'a [u8]],
    current: &'a [u8],
}

impl<'a> Gather<'a> {
    fn new(slices: &'a [&'a [u8]]) -> Self {
        Gather { slices, current: &[] }
    }

    /// Fills `out` with the bytes that come next.
    fn copy_to(&mut self, mut out: &mut [u8]) {
        while !out.is_empty() {
            if self.current.is_empty() {
                let Some((first, rest)) = self.slices.split_first() else { return };
                (self.current, self.slices) = (first, rest);
            }
            let count = out.len().min(self.current.len());
            let (taken, left) = self.current.split_at(count);
            let (filled, unfilled) = out.split_at_mut(count);
            filled.copy_from_slice(taken);
            (self.current, out) = (left, unfilled);
        }
    }
}

/// Finished packets that the wire had no room for: at most the rest of one super-packet.
#[derive(Default)]
struct Pending {
    /// The packets, one after another.
    bytes: Vec<u8>,
    /// Their lengths.
    lengths: VecDeque<usize>,
    /// Bytes at the front that have gone out.
    gone: usize,
}

impl Pending {
    fn push(&mut self, packet: &[u8]) {
        self.bytes.extend_from_slice(packet);
        self.lengths.push_back(packet.len());
    }

    fn front(&self) -> Option<&[u8]> {
        self.lengths.front().map(|len| &self.bytes[self.gone..self.gone + len])
    }

    fn pop(&mut self) {
        self.gone += self.lengths.pop_front().unwrap_or(0);
        if self.lengths.is_empty() {
            self.bytes.clear();
            self.gone = 0;
        }
    }
}

/// A [`Device`] made of a [`WireDevice`] by cutting in software.
///
/// When the wire fills up in the middle of a super-packet, the rest waits inside and goes out before anything else:
/// for the stack a super-packet is sent whole or not at all.
pub struct Cut<W> {
    wire: W,
    cutter: Cutter,
    pending: Pending,
    /// Packets that could not be cut: a bug of whoever sent them.
    rejected: u64,
    merger: Option<Merger>,
}

impl<W: WireDevice> Cut<W> {
    /// Puts the cut in front of `wire`.
    pub fn new(wire: W) -> Self {
        Cut { wire, cutter: Cutter::default(), pending: Pending::default(), rejected: 0, merger: None }
    }

    /// Merges what comes in as well: packets of one train that the wire holds become a super-packet.
    #[must_use]
    pub fn merging(self) -> Self {
        Cut { merger: Some(Merger::default()), ..self }
    }

    /// The device below.
    pub fn wire(&self) -> &W {
        &self.wire
    }

    /// The device below, to be configured. Its traffic is the cut's business.
    pub fn wire_mut(&mut self) -> &mut W {
        &mut self.wire
    }

    /// Counts a packet that cannot go over the wire in any form.
    pub(super) fn reject(&mut self, packet: &OutPacket<'_>, error: CutError) -> SendOutcome {
        self.rejected += 1;
        log::debug!("a packet of {} bytes was not sent: {error}", packet.header.len() + packet.payload_len());
        SendOutcome::Failed
    }

    /// Sends what is pending. Whether all of it went out.
    pub(super) fn send_pending(&mut self, now: Instant) -> bool {
        while let Some(packet) = self.pending.front() {
            if self.wire.transmit(now, packet) == SendOutcome::Full {
                return false;
            }
            self.pending.pop();
        }
        true
    }
}

impl<W: WireDevice> Device for Cut<W> {
    fn mtu(&self) -> usize {
        self.wire.mtu()
    }

    fn receive(&mut self, now: Instant, packet: &mut Chunk) -> io::Result<PacketMeta> {
        let Cut { wire, merger, .. } = self;
        match merger {
            Some(merger) => merger.receive(packet, |packet| wire.receive(now, packet)),
            None => wire.receive(now, packet),
        }
    }

    fn send(&mut self, now: Instant, packet: &OutPacket<'_>) -> SendOutcome {
        if !self.send_pending(now) {
            return SendOutcome::Full;
        }
        let Cut { wire, cutter, pending, .. } = self;
        // Full until anything has left us; then Sent if at least one packet is on its way.
        let mut outcome = SendOutcome::Full;
        let cut = cutter.cut(packet, wire.mtu(), |finished| {
            if !pending.lengths.is_empty() {
                pending.push(finished);
                return ControlFlow::Continue(());
            }
            match (wire.transmit(now, finished), outcome) {
                (SendOutcome::Full, SendOutcome::Full) => return ControlFlow::Break(()),
                (SendOutcome::Full, _) => {
                    pending.push(finished);
                    outcome = SendOutcome::Sent;
                }
                (SendOutcome::Failed, SendOutcome::Full) => outcome = SendOutcome::Failed,
                (SendOutcome::Failed, _) => {}
                (SendOutcome::Sent, _) => outcome = SendOutcome::Sent,
            }
            ControlFlow::Continue(())
        });
        match cut {
            Ok(()) => outcome,
            Err(error) => self.reject(packet, error),
        }
    }

    fn flush(&mut self, now: Instant) {
        self.send_pending(now);
        self.wire.flush(now);
    }

    fn holds_back(&self) -> bool {
        !self.pending.lengths.is_empty() || self.wire.holds_back()
    }

    fn deadline(&self) -> Option<Instant> {
        self.wire.deadline()
    }

    fn counters(&self, visit: &mut CounterVisitor<'_>) {
        visit(
            "device_uncuttable_packets",
            "Packets refused as malformed or longer than the MTU",
            self.rejected,
        );
        if let Some(merger) = &self.merger {
            let merged = merger.merged();
            visit("device_merged_packets", "Packets read that became part of the one before", merged);
        }
        self.wire.counters(visit);
    }

    #[cfg(unix)]
    fn fd(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        self.wire.fd()
    }
}
