//! The virtio-net header that stands in front of each packet of a TUN interface opened with IFF_VNET_HDR (virtio 1.2,
//! 5.1.6; `struct virtio_net_hdr` of linux/virtio_net.h).
//!
//! ```text
//!    0       1          2          4          6            8             10
//!    ┌───────┬──────────┬──────────┬──────────┬────────────┬─────────────┐
//!    │ flags │ gso_type │ hdr_len  │ gso_size │ csum_start │ csum_offset │ IP packet …
//!    └───────┴──────────┴──────────┴──────────┴────────────┴─────────────┘
//! ```
//!
//! Its numbers are in the machine's own byte order. The longer form of twelve bytes has to be asked for, and is not.

use crate::wire::{ChecksumState, OutPacket, TcpFlags, TcpHeader};

/// Bytes of the header.
pub(super) const LEN: usize = 10;

/// `flags`: from `csum_start` on the packet is still to be summed; the sum goes to `csum_offset` behind that.
const NEEDS_CSUM: u8 = 1;
/// `flags`: whoever received the packet has verified its checksum.
const DATA_VALID: u8 = 2;

/// `gso_type`: one packet.
const GSO_NONE: u8 = 0;
/// `gso_type`: TCP over IPv4, to be cut or merged.
const GSO_TCPV4: u8 = 1;
/// `gso_type`: TCP over IPv6, to be cut or merged.
const GSO_TCPV6: u8 = 4;
/// `gso_type`, with one of the others: the first segment alone has CWR (RFC 3168 6.1.2).
const GSO_ECN: u8 = 0x80;

/// What the header says of the packet behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct VirtioHeader {
    flags: u8,
    gso_type: u8,
    /// Bytes of all headers, IP and transport: what the kernel keeps in one piece.
    hdr_len: u16,
    /// Payload bytes of each packet on the wire but the last.
    gso_size: u16,
    csum_start: u16,
    csum_offset: u16,
}

impl VirtioHeader {
    /// The header for a packet that the kernel is to complete: its checksum, and its segments if it is longer than
    /// one. The packet is [well-formed](super::cut::Shape).
    pub(super) fn for_packet(packet: &OutPacket<'_>, is_cut: bool) -> Self {
        let OutPacket { header, transport, checksum, gso_size, .. } = *packet;
        let base = VirtioHeader {
            flags: NEEDS_CSUM,
            hdr_len: header.len() as u16,
            csum_start: transport as u16,
            csum_offset: checksum as u16,
            ..VirtioHeader::default()
        };
        if !is_cut {
            return base;
        }
        let family = if header[0] >> 4 == 4 { GSO_TCPV4 } else { GSO_TCPV6 };
        let ecn =
            if header[transport + TcpHeader::FLAGS_OFFSET] & TcpFlags::CWR.0 != 0 { GSO_ECN } else { 0 };
        VirtioHeader { gso_type: family | ecn, gso_size, ..base }
    }

    /// The bytes that go in front of the packet.
    pub(super) fn emit(&self) -> [u8; LEN] {
        let mut out = [0; LEN];
        (out[0], out[1]) = (self.flags, self.gso_type);
        let numbers = [self.hdr_len, self.gso_size, self.csum_start, self.csum_offset];
        for (field, number) in out[2..].chunks_exact_mut(2).zip(numbers) {
            field.copy_from_slice(&number.to_ne_bytes());
        }
        out
    }

    /// Reads the header. Every ten bytes are one.
    pub(super) fn parse(bytes: &[u8; LEN]) -> Self {
        let number = |at: usize| u16::from_ne_bytes([bytes[at], bytes[at + 1]]);
        VirtioHeader {
            flags: bytes[0],
            gso_type: bytes[1],
            hdr_len: number(2),
            gso_size: number(4),
            csum_start: number(6),
            csum_offset: number(8),
        }
    }

    /// What is known of the checksum of a packet that came with this header. A sum that the sender on this host left
    /// to the device has been on no wire; there is nothing that it could find.
    pub(super) fn checksum(&self) -> ChecksumState {
        if self.flags & (NEEDS_CSUM | DATA_VALID) != 0 {
            ChecksumState::Trusted
        } else {
            ChecksumState::Unverified
        }
    }

    /// The size of the segments that the packet was merged from, 0 if it is one; `None` if it is merged from anything
    /// but TCP, or from segments of no size.
    pub(super) fn segments(&self) -> Option<u16> {
        match self.gso_type & !GSO_ECN {
            GSO_NONE => Some(0),
            GSO_TCPV4 | GSO_TCPV6 if self.gso_size > 0 => Some(self.gso_size),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header slice of the right length and version; nothing else of it is looked at.
    fn header_slice(version: u8, len: usize, tcp_flags: TcpFlags) -> Vec<u8> {
        let mut header = vec![0; len];
        header[0] = version << 4;
        header[len - 20 + TcpHeader::FLAGS_OFFSET] = tcp_flags.0;
        header
    }

    fn packet<'a>(header: &'a [u8], gso_size: u16) -> OutPacket<'a> {
        let checksum = TcpHeader::CHECKSUM_OFFSET;
        OutPacket { header, payload: &[], transport: header.len() - 20, checksum, gso_size }
    }

    fn numbers(bytes: [u8; LEN]) -> [u16; 4] {
        [2, 4, 6, 8].map(|at| u16::from_ne_bytes([bytes[at], bytes[at + 1]]))
    }

    #[test]
    fn a_single_packet_has_only_its_checksum_left_to_the_kernel() {
        for (version, len) in [(4, 40), (6, 60)] {
            let header = header_slice(version, len, TcpFlags::ACK);
            let bytes = VirtioHeader::for_packet(&packet(&header, 1_448), false).emit();
            assert_eq!(bytes[..2], [NEEDS_CSUM, GSO_NONE]);
            assert_eq!(numbers(bytes), [len as u16, 0, len as u16 - 20, 16]);
        }
    }

    #[test]
    fn a_super_packet_names_its_family_and_segment_size() {
        for (version, len, gso_type) in [(4, 40, GSO_TCPV4), (6, 60, GSO_TCPV6)] {
            let header = header_slice(version, len, TcpFlags::ACK);
            for gso_size in [1, 1_447, 1_448, 65_495] {
                let bytes = VirtioHeader::for_packet(&packet(&header, gso_size), true).emit();
                assert_eq!(bytes[..2], [NEEDS_CSUM, gso_type]);
                assert_eq!(numbers(bytes), [len as u16, gso_size, len as u16 - 20, 16]);
            }
        }
    }

    #[test]
    fn rfc_3168_6_1_2_cwr_is_for_the_first_segment_alone() {
        let header = header_slice(4, 40, TcpFlags::ACK | TcpFlags::CWR);
        assert_eq!(VirtioHeader::for_packet(&packet(&header, 1_448), true).emit()[1], GSO_TCPV4 | GSO_ECN);
        assert_eq!(VirtioHeader::for_packet(&packet(&header, 0), false).emit()[1], GSO_NONE);
    }

    #[test]
    fn what_is_written_reads_the_same() {
        let header = header_slice(6, 72, TcpFlags::ACK);
        let written = VirtioHeader::for_packet(&packet(&header, 1_428), true);
        assert_eq!(VirtioHeader::parse(&written.emit()), written);
        assert_eq!(written.segments(), Some(1_428));
    }

    #[test]
    fn only_a_checksum_that_somebody_answers_for_is_trusted() {
        let with = |flags| VirtioHeader { flags, ..VirtioHeader::default() }.checksum();
        assert_eq!(with(0), ChecksumState::Unverified);
        assert_eq!(with(NEEDS_CSUM), ChecksumState::Trusted);
        assert_eq!(with(DATA_VALID), ChecksumState::Trusted);
        assert_eq!(with(4), ChecksumState::Unverified, "receive segment coalescing says nothing of it");
    }

    #[test]
    fn merged_packets_that_nobody_asked_for_are_not_taken() {
        let of =
            |gso_type, gso_size| VirtioHeader { gso_type, gso_size, ..VirtioHeader::default() }.segments();
        assert_eq!(of(GSO_NONE, 0), Some(0));
        assert_eq!(of(GSO_NONE, 77), Some(0), "the field means nothing then");
        assert_eq!(of(GSO_TCPV4 | GSO_ECN, 1_448), Some(1_448));
        assert_eq!(of(GSO_TCPV4, 0), None);
        for udp_and_unknown in [2, 3, 5, 0x7f] {
            assert_eq!(of(udp_and_unknown, 1_448), None);
        }
    }

    #[test]
    fn any_ten_bytes_are_read_without_a_panic() {
        for byte in 0..=u8::MAX {
            let header = VirtioHeader::parse(&[byte; LEN]);
            assert_eq!(header.emit(), [byte; LEN]);
            let _ = (header.segments(), header.checksum());
        }
    }
}
