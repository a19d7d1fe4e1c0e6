//! The TCP header (RFC 9293 3.1).

use std::fmt;
use std::ops::BitOr;

use etherparse::{TcpHeaderSlice, err};

use super::options::MAX_LEN;
use super::{SeqNumber, TcpOptions, WireError};

/// Offset of the checksum in the header.
const CHECKSUM: usize = 16;
const FIXED_LEN: usize = 20;

/// The control bits.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// No more data from the sender.
    pub const FIN: TcpFlags = TcpFlags(0x01);
    /// Synchronise sequence numbers.
    pub const SYN: TcpFlags = TcpFlags(0x02);
    /// Reset the connection.
    pub const RST: TcpFlags = TcpFlags(0x04);
    /// Push function.
    pub const PSH: TcpFlags = TcpFlags(0x08);
    /// The acknowledgment field is significant.
    pub const ACK: TcpFlags = TcpFlags(0x10);
    /// The urgent pointer is significant.
    pub const URG: TcpFlags = TcpFlags(0x20);
    /// ECN-Echo (RFC 3168).
    pub const ECE: TcpFlags = TcpFlags(0x40);
    /// Congestion window reduced (RFC 3168).
    pub const CWR: TcpFlags = TcpFlags(0x80);

    /// Whether all bits of `other` are set.
    pub const fn contains(self, other: TcpFlags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any bit of `other` is set.
    pub const fn intersects(self, other: TcpFlags) -> bool {
        self.0 & other.0 != 0
    }
}

impl BitOr for TcpFlags {
    type Output = TcpFlags;

    fn bitor(self, rhs: TcpFlags) -> TcpFlags {
        TcpFlags(self.0 | rhs.0)
    }
}

impl fmt::Debug for TcpFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (bit, letter) in "FSRPAUEC".chars().enumerate() {
            if self.0 & (1 << bit) != 0 {
                write!(f, "{letter}")?;
            }
        }
        if self.0 == 0 { f.write_str("-") } else { Ok(()) }
    }
}

/// A parsed TCP header, or one to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct TcpHeader {
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
    /// Sequence number of the first octet, or of the SYN.
    pub seq: SeqNumber,
    /// The next octet the sender expects; significant with [`TcpFlags::ACK`].
    pub ack: SeqNumber,
    /// Control bits.
    pub flags: TcpFlags,
    /// The window field as it is on the wire, unscaled.
    pub window: u16,
    /// Urgent pointer, as it is on the wire.
    pub urgent: u16,
    /// The options that this stack knows.
    pub options: TcpOptions,
}

impl TcpHeader {
    /// A header without options, in bytes.
    pub const MIN_LEN: usize = FIXED_LEN;
    /// Longest header in bytes.
    pub const MAX_LEN: usize = FIXED_LEN + MAX_LEN;
    /// Offset of the byte with the [control bits](TcpFlags).
    pub const FLAGS_OFFSET: usize = 13;
    /// Offset of the checksum field.
    pub const CHECKSUM_OFFSET: usize = CHECKSUM;

    /// Reads a header and returns it with its length: where the payload starts.
    ///
    /// # Errors
    /// [`WireError::Truncated`], [`WireError::Malformed`] for an impossible data offset, [`WireError::Options`].
    pub fn parse(segment: &[u8]) -> Result<(TcpHeader, usize), WireError> {
        let slice = TcpHeaderSlice::from_slice(segment).map_err(|error| match error {
            err::tcp::HeaderSliceError::Len(_) => WireError::Truncated,
            err::tcp::HeaderSliceError::Content(_) => WireError::Malformed,
        })?;
        let bytes = slice.slice();
        let header = TcpHeader {
            src_port: slice.source_port(),
            dst_port: slice.destination_port(),
            seq: SeqNumber(slice.sequence_number()),
            ack: SeqNumber(slice.acknowledgment_number()),
            flags: TcpFlags(bytes[Self::FLAGS_OFFSET]),
            window: slice.window_size(),
            urgent: slice.urgent_pointer(),
            options: TcpOptions::parse(slice.options())?,
        };
        Ok((header, bytes.len()))
    }

    /// Writes the header to the start of `out` with `checksum` in its field, and returns its length.
    pub fn emit(&self, checksum: u16, out: &mut [u8; Self::MAX_LEN]) -> usize {
        let mut options = [0; MAX_LEN];
        let options_len = self.options.emit(&mut options);
        let len = FIXED_LEN + options_len;
        out[0..2].copy_from_slice(&self.src_port.to_be_bytes());
        out[2..4].copy_from_slice(&self.dst_port.to_be_bytes());
        out[4..8].copy_from_slice(&self.seq.0.to_be_bytes());
        out[8..12].copy_from_slice(&self.ack.0.to_be_bytes());
        out[12] = (len as u8 / 4) << 4;
        out[Self::FLAGS_OFFSET] = self.flags.0;
        out[14..16].copy_from_slice(&self.window.to_be_bytes());
        out[16..18].copy_from_slice(&checksum.to_be_bytes());
        out[18..20].copy_from_slice(&self.urgent.to_be_bytes());
        out[FIXED_LEN..len].copy_from_slice(&options[..options_len]);
        len
    }

    /// Bytes the header takes on the wire.
    pub fn wire_len(&self) -> usize {
        FIXED_LEN + self.options.wire_len()
    }

    /// Whether `other` is set.
    pub fn has(&self, other: TcpFlags) -> bool {
        self.flags.contains(other)
    }

    /// SEG.LEN: octets of sequence space that a segment with this header and `payload` bytes takes (RFC 9293 3.4).
    pub fn segment_len(&self, payload: usize) -> u32 {
        payload as u32 + u32::from(self.has(TcpFlags::SYN)) + u32::from(self.has(TcpFlags::FIN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let header = TcpHeader {
            src_port: 80,
            dst_port: 50_000,
            seq: SeqNumber(0xdead_beef),
            ack: SeqNumber(7),
            flags: TcpFlags::ACK | TcpFlags::PSH | TcpFlags::CWR,
            window: 512,
            urgent: 3,
            options: TcpOptions { mss: Some(1460), window_scale: Some(2), ..TcpOptions::default() },
        };
        let mut bytes = [0; TcpHeader::MAX_LEN];
        let len = header.emit(0x1234, &mut bytes);
        assert_eq!(TcpHeader::parse(&bytes[..len]), Ok((header, len)));
        assert_eq!(bytes[TcpHeader::CHECKSUM_OFFSET..][..2], [0x12, 0x34]);
        assert_eq!(len, header.wire_len());
    }

    #[test]
    fn impossible_lengths_are_errors() {
        let mut bytes = [0u8; 20];
        assert_eq!(TcpHeader::parse(&bytes[..19]), Err(WireError::Truncated));
        assert_eq!(TcpHeader::parse(&bytes), Err(WireError::Malformed), "data offset 0");
        bytes[12] = 6 << 4;
        assert_eq!(TcpHeader::parse(&bytes), Err(WireError::Truncated), "options cut off");
    }

    #[test]
    fn flags_read_like_a_capture() {
        assert_eq!(format!("{:?}", TcpFlags::SYN | TcpFlags::ACK), "SA");
        assert_eq!(format!("{:?}", TcpFlags::default()), "-");
    }
}
