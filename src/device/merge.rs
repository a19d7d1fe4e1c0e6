//! The software merge: the packets of a train become one super-packet.
//!
//! What Linux does with what a network card received (GRO), done at the edge of a device that has single packets: the
//! mirror of the [cut](super::cut). The stack above sees one segment with a `gso_size`, and does once what it would do
//! for each. Nothing waits for it: only packets that lie in the device already are merged.
//!
//! Packets are of one train if cutting the super-packet would give them back: all of their headers is equal but for
//! lengths, identification, sequence numbers that follow one another, checksums (which have to be right), and a PSH that
//! ends the train. Everything else is passed on as it is, in order, for the stack to judge.

use std::io;

use super::cut::MAX_PACKET;
use crate::buffer::Chunk;
use crate::wire::{Checksum, ChecksumState, PacketMeta, Protocol, TcpFlags, TcpHeader};

#[cfg(test)]
mod tests;

/// Fixed part of an IPv4 header: packets with options are passed on as they are.
const IPV4_LEN: usize = 20;
/// An IPv6 header: packets with extension headers are passed on as they are.
const IPV6_LEN: usize = 40;
/// Offset of the flags, in a TCP header.
const TCP_FLAGS: usize = TcpHeader::FLAGS_OFFSET;

/// Reads packets and merges them. It holds back at most one, which was read and is no part of the last train.
#[derive(Default)]
pub(super) struct Merger {
    /// What the packet after next is read into; with `held`, that packet.
    next: Chunk,
    held: Option<PacketMeta>,
    /// Packets that became part of another one.
    merged: u64,
}

impl Merger {
    /// Packets that became part of another one.
    pub(super) fn merged(&self) -> u64 {
        self.merged
    }

    /// Reads a packet into `packet`, and those that continue it.
    ///
    /// # Errors
    /// Those of `read`.
    pub(super) fn receive(
        &mut self,
        packet: &mut Chunk,
        mut read: impl FnMut(&mut Chunk) -> io::Result<PacketMeta>,
    ) -> io::Result<PacketMeta> {
        let meta = match self.held.take() {
            Some(meta) => {
                std::mem::swap(packet, &mut self.next);
                meta
            }
            None => read(packet)?,
        };
        let Some(mut train) = Train::begin(packet, &meta) else { return Ok(meta) };
        if self.next.capacity() < MAX_PACKET {
            self.next = Chunk::from(vec![0; MAX_PACKET]);
        }
        while train.goes_on && packet.spare().len() >= train.segment {
            match read(&mut self.next) {
                Ok(meta) if train.append(packet, &self.next, &meta) => self.merged += 1,
                Ok(meta) => {
                    self.held = Some(meta);
                    break;
                }
                // Nothing is left, or it will fail again where it can be reported.
                Err(_) => break,
            }
        }
        Ok(train.finish(packet, meta))
    }
}

/// A packet that others may continue.
struct Train {
    /// Where the TCP header begins, and where it ends.
    transport: usize,
    payload: usize,
    /// Payload bytes of each packet but the last.
    segment: usize,
    /// Sequence number of the byte that continues it.
    next: u32,
    packets: usize,
    /// It may be continued.
    goes_on: bool,
}

impl Train {
    /// The train that begins with `packet`, if one can: data and nothing else to tell.
    fn begin(packet: &Chunk, meta: &PacketMeta) -> Option<Train> {
        let transport = ip_header_len(packet)?;
        let payload = payload_offset(packet, transport)?;
        let segment = packet.len() - payload;
        // Only a packet whose checksum is right may vouch for others, and that is looked at once there are any.
        let plain = meta.gso_size == 0 && meta.checksum == ChecksumState::Unverified;
        (plain && segment > 0 && flags(packet, transport) == TcpFlags::ACK).then(|| Train {
            transport,
            payload,
            segment,
            next: sequence(packet, transport).wrapping_add(segment as u32),
            packets: 1,
            goes_on: true,
        })
    }

    /// Appends the packet that comes next, if it continues the train.
    fn append(&mut self, train: &mut Chunk, packet: &[u8], meta: &PacketMeta) -> bool {
        let len = packet.len().saturating_sub(self.payload);
        let fits = len > 0
            && len <= self.segment
            && train.len() + len <= MAX_PACKET
            && meta.gso_size == 0
            && ip_header_len(packet) == Some(self.transport)
            && payload_offset(packet, self.transport) == Some(self.payload)
            && sequence(packet, self.transport) == self.next
            && self.is_like(train, packet)
            && self.is_intact(packet)
            && (self.packets > 1 || self.is_intact(train));
        if !fits {
            return false;
        }
        train.append(&packet[self.payload..]);
        self.next = self.next.wrapping_add(len as u32);
        self.packets += 1;
        if flags(packet, self.transport).contains(TcpFlags::PSH) {
            train[self.transport + TCP_FLAGS] |= TcpFlags::PSH.0;
            self.goes_on = false;
        }
        self.goes_on &= len == self.segment;
        true
    }

    /// Whether the headers differ only in what differs within a train.
    fn is_like(&self, train: &[u8], packet: &[u8]) -> bool {
        let (ip, tcp) = (self.transport, &packet[self.transport..self.payload]);
        let (first_ip, first_tcp) = (&train[..ip], &train[ip..self.payload]);
        let same_ip = if ip == IPV4_LEN {
            // Not: total length, identification, header checksum.
            packet[..2] == first_ip[..2]
                && packet[6..10] == first_ip[6..10]
                && packet[12..ip] == first_ip[12..]
        } else {
            packet[..4] == first_ip[..4] && packet[6..ip] == first_ip[6..]
        };
        let push = TcpFlags::PSH.0;
        same_ip
            && tcp[..4] == first_tcp[..4]
            && tcp[8..TCP_FLAGS] == first_tcp[8..TCP_FLAGS]
            && tcp[TCP_FLAGS] & !push == first_tcp[TCP_FLAGS] & !push
            && tcp[14..16] == first_tcp[14..16]
            && tcp[18..] == first_tcp[18..]
    }

    /// Whether the checksums of a single packet are right.
    fn is_intact(&self, packet: &[u8]) -> bool {
        let header_holds = self.transport != IPV4_LEN || {
            let mut sum = Checksum::default();
            sum.add(&packet[..IPV4_LEN]);
            sum.finish() == 0
        };
        header_holds && tcp_sum(packet, self.transport).finish() == 0
    }

    /// Makes the headers those of a super-packet.
    fn finish(&self, train: &mut Chunk, meta: PacketMeta) -> PacketMeta {
        if self.packets == 1 {
            return meta;
        }
        super::cut::set_ip_length(train, self.transport);
        PacketMeta { checksum: ChecksumState::Trusted, gso_size: self.segment as u16, ..meta }
    }
}

/// The length of the IP header in front of a TCP header, for an ordinary packet that is as long as it says.
fn ip_header_len(packet: &[u8]) -> Option<usize> {
    let word = |at: usize| packet.get(at..at + 2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]));
    match packet.first()? {
        0x45 => {
            let unfragmented = word(6)? & 0x3fff == 0;
            let whole = usize::from(word(2)?) == packet.len();
            (unfragmented && whole && packet.get(9) == Some(&Protocol::TCP.0)).then_some(IPV4_LEN)
        }
        version if version >> 4 == 6 => {
            let whole = usize::from(word(4)?) + IPV6_LEN == packet.len();
            (whole && packet.get(6) == Some(&Protocol::TCP.0)).then_some(IPV6_LEN)
        }
        _ => None,
    }
}

/// Where the payload begins, behind a TCP header that is whole.
fn payload_offset(packet: &[u8], transport: usize) -> Option<usize> {
    let header = packet.get(transport..)?;
    let len = usize::from(header.get(12)? >> 4) * 4;
    (len >= TcpHeader::MIN_LEN && len <= header.len()).then_some(transport + len)
}

fn flags(packet: &[u8], transport: usize) -> TcpFlags {
    TcpFlags(packet[transport + TCP_FLAGS])
}

fn sequence(packet: &[u8], transport: usize) -> u32 {
    u32::from_be_bytes([4, 5, 6, 7].map(|byte| packet[transport + byte]))
}

/// The sum over a TCP segment and its pseudo-header (RFC 9293 3.1), whose addresses end where the IP header does.
fn tcp_sum(packet: &[u8], transport: usize) -> Checksum {
    let addresses = if transport == IPV4_LEN { 12 } else { 8 };
    let mut sum = Checksum::default();
    sum.add(&packet[addresses..]);
    sum.add_word(u16::from(Protocol::TCP.0));
    sum.add_word((packet.len() - transport) as u16);
    sum
}

const _: () = assert!(TcpHeader::CHECKSUM_OFFSET == 16, "between the window and the urgent pointer");
