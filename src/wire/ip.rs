//! IPv4 (RFC 791) and IPv6 (RFC 8200) headers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::{
    IpDscp, IpEcn, IpNumber, Ipv4Header, Ipv4HeaderSlice, Ipv6FlowLabel, Ipv6Header, Ipv6HeaderSlice,
};

use super::{Checksum, WireError};

/// Next headers that are extension headers (RFC 8200 4.1, RFC 4302).
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION_OPTIONS: u8 = 60;

/// An IP protocol number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocol(pub u8);

impl Protocol {
    /// ICMP for IPv4.
    pub const ICMP: Protocol = Protocol(1);
    /// TCP.
    pub const TCP: Protocol = Protocol(6);
    /// UDP.
    pub const UDP: Protocol = Protocol(17);
    /// ICMP for IPv6.
    pub const ICMPV6: Protocol = Protocol(58);
}

/// The ECN field (RFC 3168 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Ecn {
    /// The transport does not take part.
    #[default]
    NotCapable,
    /// ECT(1).
    Ect1,
    /// ECT(0).
    Ect0,
    /// Congestion experienced.
    CongestionExperienced,
}

impl Ecn {
    const fn from_bits(bits: u8) -> Ecn {
        match bits & 3 {
            0 => Ecn::NotCapable,
            1 => Ecn::Ect1,
            2 => Ecn::Ect0,
            _ => Ecn::CongestionExperienced,
        }
    }

    const fn to_ipv4(self) -> IpEcn {
        match self {
            Ecn::NotCapable => IpEcn::ZERO,
            Ecn::Ect1 => IpEcn::ONE,
            Ecn::Ect0 => IpEcn::TWO,
            Ecn::CongestionExperienced => IpEcn::THREE,
        }
    }
}

/// Where a fragment belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// The datagram's identification.
    pub identification: u32,
    /// Offset of the payload in the datagram, in bytes.
    pub offset: usize,
    /// Whether more fragments follow.
    pub more: bool,
}

/// A parsed IP header. Offsets count from the start of the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpHeader {
    /// Source address.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// The protocol of the payload, behind any IPv6 extension headers. A fragment's payload begins behind its fragment
    /// header: what follows that is extension headers only once all are together (RFC 8200 4.5).
    pub protocol: Protocol,
    /// ECN field.
    pub ecn: Ecn,
    /// Set if this is a fragment of a datagram.
    pub fragment: Option<Fragment>,
    /// Where the payload starts: behind options and extension headers.
    pub payload: usize,
    /// Where it ends; what the buffer holds beyond is padding.
    pub end: usize,
}

impl IpHeader {
    /// Reads the header of either version. The IPv4 header's checksum is verified here.
    ///
    /// # Errors
    /// Anything in [`WireError`] but `Options`.
    pub fn parse(packet: &[u8]) -> Result<IpHeader, WireError> {
        match packet.first().map(|byte| byte >> 4) {
            Some(4) => parse_v4(packet),
            Some(6) => parse_v6(packet),
            Some(_) => Err(WireError::Version),
            None => Err(WireError::Truncated),
        }
    }
}

fn parse_v4(packet: &[u8]) -> Result<IpHeader, WireError> {
    let slice = Ipv4HeaderSlice::from_slice(packet).map_err(|error| match error {
        etherparse::err::ipv4::HeaderSliceError::Len(_) => WireError::Truncated,
        etherparse::err::ipv4::HeaderSliceError::Content(_) => WireError::Malformed,
    })?;
    let mut sum = Checksum::default();
    sum.add(slice.slice());
    if sum.finish() != 0 {
        return Err(WireError::Checksum);
    }
    let (payload, end) = (slice.slice().len(), usize::from(slice.total_len()));
    if end < payload {
        return Err(WireError::Malformed);
    }
    if end > packet.len() {
        return Err(WireError::Truncated);
    }
    if has_source_route(slice.options()) {
        return Err(WireError::SourceRoute);
    }
    let offset = usize::from(slice.fragments_offset().byte_offset());
    let more = slice.more_fragments();
    let fragment = (more || offset > 0).then(|| Fragment {
        identification: u32::from(slice.identification()),
        offset,
        more,
    });
    Ok(IpHeader {
        src: slice.source_addr().into(),
        dst: slice.destination_addr().into(),
        protocol: Protocol(slice.protocol().0),
        ecn: Ecn::from_bits(slice.ecn().value()),
        fragment,
        payload,
        end,
    })
}

/// Loose (131) or strict (137) source and record route. A malformed list counts as one: it is dropped as well.
fn has_source_route(mut options: &[u8]) -> bool {
    while let [kind, rest @ ..] = options {
        match (*kind, rest) {
            (0, _) => return false,
            (1, _) => options = rest,
            (131 | 137, _) => return true,
            (_, &[len, ..]) if len >= 2 && usize::from(len) <= options.len() => {
                options = &options[usize::from(len)..];
            }
            _ => return true,
        }
    }
    false
}

fn parse_v6(packet: &[u8]) -> Result<IpHeader, WireError> {
    let slice = Ipv6HeaderSlice::from_slice(packet).map_err(|error| match error {
        etherparse::err::ipv6::HeaderSliceError::Len(_) => WireError::Truncated,
        etherparse::err::ipv6::HeaderSliceError::Content(_) => WireError::Malformed,
    })?;
    let fixed = slice.slice().len();
    let end = fixed + usize::from(slice.payload_length());
    let body = packet.get(fixed..end).ok_or(WireError::Truncated)?;
    let Extensions { protocol, len, fragment } = skip_extensions(slice.next_header().0, body)?;
    Ok(IpHeader {
        src: slice.source_addr().into(),
        dst: slice.destination_addr().into(),
        protocol,
        ecn: Ecn::from_bits(slice.traffic_class()),
        fragment,
        payload: fixed + len,
        end,
    })
}

/// What stands between an IPv6 header and the payload.
struct Extensions {
    /// The protocol of the payload.
    protocol: Protocol,
    /// Bytes of all extension headers.
    len: usize,
    fragment: Option<Fragment>,
}

/// Passes over the extension headers that `body` begins with (RFC 8200 4). A fragment header is the last: what follows
/// it is bytes from anywhere in the datagram (4.5), which a general parser would take for further headers.
fn skip_extensions(mut next: u8, body: &[u8]) -> Result<Extensions, WireError> {
    let mut len = 0;
    loop {
        let rest = &body[len..];
        let octets = match next {
            HOP_BY_HOP if len > 0 => return Err(WireError::Malformed), // 4.1: right behind the IPv6 header alone
            // 4.4: a route whose end is here says no more than the address; one that goes on is not ours to follow, and
            // type 0 is the one that RFC 5095 forbids to follow.
            ROUTING if rest.get(3).is_none_or(|&segments_left| segments_left > 0) => {
                return Err(WireError::SourceRoute);
            }
            FRAGMENT => 8,
            HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS => {
                8 + 8 * rest.get(1).map_or(0, |&units| usize::from(units))
            }
            AUTHENTICATION => 8 + 4 * rest.get(1).map_or(0, |&units| usize::from(units)), // RFC 4302 2.2
            protocol => return Ok(Extensions { protocol: Protocol(protocol), len, fragment: None }),
        };
        let header = rest.get(..octets).ok_or(WireError::Malformed)?;
        len += octets;
        if next == FRAGMENT
            && let Some(fragment) = fragment(header)
        {
            return Ok(Extensions { protocol: Protocol(header[0]), len, fragment: Some(fragment) });
        }
        next = header[0];
    }
}

/// What a fragment header says, unless the datagram is whole all the same (RFC 6946).
fn fragment(header: &[u8]) -> Option<Fragment> {
    let &[_, _, high, low, i, j, k, l] = header.first_chunk::<8>()?;
    let field = u16::from_be_bytes([high, low]);
    let (offset, more) = (usize::from(field & !7), field & 1 != 0);
    (more || offset > 0).then(|| Fragment { identification: u32::from_be_bytes([i, j, k, l]), offset, more })
}

/// An IP header to be written: everything that differs between our packets.
#[derive(Clone, Copy, Debug)]
pub struct IpOut {
    /// Source and destination, of one family.
    pub addresses: IpPair,
    /// The protocol of the payload.
    pub protocol: Protocol,
    /// ECN field.
    pub ecn: Ecn,
    /// Bytes behind the IP header.
    pub payload_len: usize,
}

/// A source and a destination of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IpPair {
    /// IPv4.
    V4 {
        /// Source.
        src: Ipv4Addr,
        /// Destination.
        dst: Ipv4Addr,
    },
    /// IPv6.
    V6 {
        /// Source.
        src: Ipv6Addr,
        /// Destination.
        dst: Ipv6Addr,
    },
}

impl IpPair {
    /// Pairs two addresses, or gives `None` if they are of different families.
    pub fn new(src: IpAddr, dst: IpAddr) -> Option<IpPair> {
        match (src, dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => Some(IpPair::V4 { src, dst }),
            (IpAddr::V6(src), IpAddr::V6(dst)) => Some(IpPair::V6 { src, dst }),
            _ => None,
        }
    }

    /// Bytes of the IP header that goes with it.
    pub const fn header_len(&self) -> usize {
        match self {
            IpPair::V4 { .. } => 20,
            IpPair::V6 { .. } => 40,
        }
    }
}

impl IpOut {
    /// Longest header written.
    pub const MAX_LEN: usize = 40;
    /// The hop limit (time to live) of what asks for no other: the number that RFC 1700 recommends.
    pub const HOP_LIMIT: u8 = 64;

    /// Writes the header to the start of `out` and returns its length. A payload beyond what the length field can
    /// say is a bug of ours; the field saturates.
    pub fn emit(&self, out: &mut [u8; Self::MAX_LEN]) -> usize {
        self.emit_with(Self::HOP_LIMIT, out)
    }

    /// As [`emit`](Self::emit), with a hop limit of one's own.
    pub fn emit_with(&self, hop_limit: u8, out: &mut [u8; Self::MAX_LEN]) -> usize {
        match self.addresses {
            IpPair::V4 { src, dst } => {
                let header = Ipv4Header {
                    dscp: IpDscp::ZERO,
                    ecn: self.ecn.to_ipv4(),
                    total_len: u16::try_from(self.payload_len + 20).unwrap_or(u16::MAX),
                    // Never fragmented (RFC 6864 4.1: an atomic datagram's identification may be anything).
                    dont_fragment: true,
                    time_to_live: hop_limit,
                    protocol: IpNumber(self.protocol.0),
                    source: src.octets(),
                    destination: dst.octets(),
                    ..Ipv4Header::default()
                };
                let mut bytes = header.to_bytes();
                let mut sum = Checksum::default();
                bytes[10..12].fill(0);
                sum.add(&bytes);
                bytes[10..12].copy_from_slice(&sum.finish().to_be_bytes());
                out[..20].copy_from_slice(&bytes);
                20
            }
            IpPair::V6 { src, dst } => {
                let header = Ipv6Header {
                    traffic_class: self.ecn.to_ipv4().value(),
                    flow_label: Ipv6FlowLabel::ZERO,
                    payload_length: u16::try_from(self.payload_len).unwrap_or(u16::MAX),
                    next_header: IpNumber(self.protocol.0),
                    hop_limit,
                    source: src.octets(),
                    destination: dst.octets(),
                };
                out.copy_from_slice(&header.to_bytes());
                40
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(src: &str, dst: &str, payload: &[u8]) -> Vec<u8> {
        let addresses = IpPair::new(src.parse().unwrap(), dst.parse().unwrap()).unwrap();
        let ip = IpOut { addresses, protocol: Protocol::TCP, ecn: Ecn::Ect0, payload_len: payload.len() };
        let mut out = [0; IpOut::MAX_LEN];
        let len = ip.emit(&mut out);
        [&out[..len], payload].concat()
    }

    #[test]
    fn what_is_written_is_read_back() {
        for (src, dst, header) in [("10.0.0.1", "10.0.0.2", 20), ("fd00::1", "fd00::2", 40)] {
            let mut packet = written(src, dst, b"payload");
            packet.extend_from_slice(b"padding");
            let parsed = IpHeader::parse(&packet).unwrap();
            assert_eq!((parsed.src, parsed.dst), (src.parse().unwrap(), dst.parse().unwrap()));
            assert_eq!((parsed.protocol, parsed.ecn, parsed.fragment), (Protocol::TCP, Ecn::Ect0, None));
            assert_eq!((parsed.payload, parsed.end), (header, header + 7));
        }
    }

    #[test]
    fn every_truncation_is_an_error() {
        for packet in [written("10.0.0.1", "10.0.0.2", b"xy"), written("fd00::1", "fd00::2", b"xy")] {
            for len in 0..packet.len() {
                assert_eq!(IpHeader::parse(&packet[..len]), Err(WireError::Truncated), "length {len}");
            }
        }
    }

    #[test]
    fn a_flipped_header_bit_is_a_checksum_error() {
        let mut packet = written("10.0.0.1", "10.0.0.2", b"xy");
        packet[8] ^= 1;
        assert_eq!(IpHeader::parse(&packet), Err(WireError::Checksum));
    }

    #[test]
    fn source_routing_is_refused() {
        assert!(has_source_route(&[1, 131, 3, 4]));
        assert!(has_source_route(&[7, 0]), "malformed");
        assert!(!has_source_route(&[1, 148, 4, 0, 0, 0, 131]));
    }

    #[test]
    fn versions_are_told_apart() {
        assert_eq!(IpHeader::parse(&[0x50; 40]), Err(WireError::Version));
    }
}
