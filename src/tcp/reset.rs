//! The answer to a segment that belongs to no connection.

use crate::wire::{SeqNumber, TcpFlags, TcpHeader};

/// The reset for a segment that nobody expects (RFC 9293 3.5.2, group 1; 3.10.7.1), without ports, or `None` for a
/// segment that is a reset itself.
///
/// ```
/// use longwire::tcp::reset_for;
/// use longwire::wire::{SeqNumber, TcpFlags, TcpHeader};
/// let syn = TcpHeader { seq: SeqNumber(99), flags: TcpFlags::SYN, ..TcpHeader::default() };
/// let reset = reset_for(&syn, 0).unwrap();
/// assert_eq!((reset.flags, reset.ack), (TcpFlags::RST | TcpFlags::ACK, SeqNumber(100)));
/// assert_eq!(reset_for(&reset, 0), None, "nobody answers a reset");
/// ```
pub fn reset_for(segment: &TcpHeader, payload_len: usize) -> Option<TcpHeader> {
    if segment.has(TcpFlags::RST) {
        return None;
    }
    Some(if segment.has(TcpFlags::ACK) {
        TcpHeader { seq: segment.ack, flags: TcpFlags::RST, ..TcpHeader::default() }
    } else {
        TcpHeader {
            seq: SeqNumber(0),
            ack: segment.seq + segment.segment_len(payload_len),
            flags: TcpFlags::RST | TcpFlags::ACK,
            ..TcpHeader::default()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_9293_section_3_10_7_1() {
        let syn = TcpHeader { seq: SeqNumber(99), flags: TcpFlags::SYN, ..TcpHeader::default() };
        let reset = reset_for(&syn, 10).unwrap();
        assert_eq!((reset.seq, reset.ack), (SeqNumber(0), SeqNumber(110)));
        assert_eq!(reset.flags, TcpFlags::RST | TcpFlags::ACK);

        let ack = TcpHeader { ack: SeqNumber(7), flags: TcpFlags::ACK, ..TcpHeader::default() };
        let reset = reset_for(&ack, 10).unwrap();
        assert_eq!((reset.seq, reset.flags), (SeqNumber(7), TcpFlags::RST));

        assert_eq!(reset_for(&TcpHeader { flags: TcpFlags::RST, ..ack }, 0), None);
    }
}
