//! ICMP for both families (RFC 792, RFC 4443): echo is answered, errors go to the connection they are about.

use std::net::IpAddr;

use etherparse::{
    IcmpEchoHeader, Icmpv4Header, Icmpv4Slice, Icmpv4Type, Icmpv6Slice, Icmpv6Type, icmpv4, icmpv6,
};

use super::icmp_error::Report;
use super::input::Arrival;
use super::outbox::Datagram;
use super::{Chunk, Error, Stack};
use crate::wire::{Checksum, ChecksumState, IpPair, Protocol};

/// Bytes of an ICMP header.
pub(super) const HEADER_LEN: usize = 8;

/// What a message means to us, whatever its family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Message {
    EchoRequest(IcmpEchoHeader),
    EchoReply(IcmpEchoHeader),
    /// An error about the packet that follows, as a connection would report it.
    Unreachable(Error),
    /// The packet that follows was too big for a router, which carries so many bytes; 0 if it does not say.
    PacketTooBig(u32),
    /// An error that changes nothing for the packet it is about.
    Unimportant,
    Unhandled,
}

impl Message {
    fn is_error(self) -> bool {
        matches!(self, Message::Unreachable(_) | Message::PacketTooBig(_) | Message::Unimportant)
    }
}

impl Stack {
    /// Handles a packet that holds an ICMP message.
    pub(super) fn icmp_input(&mut self, arrival: &Arrival, packet: &mut Chunk) {
        self.env.counters.icmp.received += 1;
        let bytes = arrival.segment(packet);
        if !checksum_holds(arrival, bytes) {
            self.env.counters.icmp.bad_checksum += 1;
            return;
        }
        let Some(message) = parse(arrival.ip.src, bytes) else {
            self.env.counters.icmp.malformed += 1;
            return;
        };
        if !message.is_error() && !self.env.addresses.is_ours(arrival.ip.dst) {
            // We answer for connections to others' addresses, and not whether those are there.
            self.env.counters.ip.destination_not_ours += 1;
            return;
        }
        packet.narrow(arrival.ip.payload + HEADER_LEN..arrival.ip.end);
        match message {
            Message::EchoRequest(echo) => self.answer_echo(arrival, echo, packet),
            Message::EchoReply(echo) => self.echo_reply(arrival.ip.src, echo, packet),
            Message::Unreachable(error) => {
                self.icmp_error_input(arrival.ip.dst, Report::Unreachable(error), packet);
            }
            Message::PacketTooBig(mtu) => self.icmp_error_input(arrival.ip.dst, Report::TooBig(mtu), packet),
            Message::Unimportant => self.env.counters.icmp.errors_ignored += 1,
            Message::Unhandled => self.env.counters.icmp.unhandled += 1,
        }
    }

    /// The same message back, from the address that was asked (RFC 1122 3.2.2.6, RFC 4443 4.2). One that came in
    /// fragments may be too long for us, who send none: RFC 1122 has it truncated, RFC 4443 never.
    fn answer_echo(&mut self, arrival: &Arrival, echo: IcmpEchoHeader, payload: &[u8]) {
        let Some(addresses) = IpPair::new(arrival.ip.dst, arrival.ip.src) else { return };
        let room = self.env.max_payload(arrival.ip.src).saturating_sub(HEADER_LEN);
        if payload.len() > room && arrival.ip.src.is_ipv6() {
            self.env.counters.icmp.echo_too_large += 1;
            return;
        }
        let payload = &payload[..payload.len().min(room)];
        let mut copy = self.env.pool.take(payload.len());
        copy.append(payload);
        let (protocol, header) = match addresses {
            IpPair::V4 { .. } => (Protocol::ICMP, v4_header(Icmpv4Type::EchoReply(echo))),
            IpPair::V6 { .. } => (Protocol::ICMPV6, v6_header(Icmpv6Type::EchoReply(echo))),
        };
        self.env.counters.icmp.echo_answered += 1;
        let reply = Datagram { addresses, protocol, header, payload: copy };
        self.outbox.push_datagram(&mut self.env.counters.ip, reply);
    }
}

/// ICMP for IPv4 sums itself alone, ICMPv6 also a pseudo-header (RFC 4443 2.3).
fn checksum_holds(arrival: &Arrival, bytes: &[u8]) -> bool {
    if arrival.ip.protocol == Protocol::ICMPV6 {
        return arrival.checksum_holds(bytes);
    }
    let mut sum = Checksum::default();
    sum.add(bytes);
    arrival.meta.checksum == ChecksumState::Trusted || sum.finish() == 0
}

fn parse(src: IpAddr, bytes: &[u8]) -> Option<Message> {
    Some(match src {
        IpAddr::V4(_) => v4_message(&Icmpv4Slice::from_slice(bytes).ok()?.icmp_type()),
        IpAddr::V6(_) => v6_message(Icmpv6Slice::from_slice(bytes).ok()?.icmp_type()),
    })
}

/// The identifier of an echo reply; `None` for any other message.
pub(super) fn echo_reply_identifier(src: IpAddr, message: &[u8]) -> Option<u16> {
    match parse(src, message)? {
        Message::EchoReply(echo) => Some(echo.id),
        _ => None,
    }
}

/// What an error quotes; `None` for any other message.
pub(super) fn error_quote(src: IpAddr, message: &[u8]) -> Option<&[u8]> {
    parse(src, message)?.is_error().then_some(())?;
    message.get(HEADER_LEN..)
}

fn v4_message(kind: &Icmpv4Type) -> Message {
    use icmpv4::DestUnreachableHeader as Unreachable;
    match kind {
        Icmpv4Type::EchoRequest(echo) => Message::EchoRequest(*echo),
        Icmpv4Type::EchoReply(echo) => Message::EchoReply(*echo),
        Icmpv4Type::DestinationUnreachable(Unreachable::Port | Unreachable::Protocol) => {
            Message::Unreachable(Error::ConnectionRefused)
        }
        Icmpv4Type::DestinationUnreachable(Unreachable::FragmentationNeeded { next_hop_mtu }) => {
            Message::PacketTooBig(u32::from(*next_hop_mtu))
        }
        Icmpv4Type::DestinationUnreachable(Unreachable::Network | Unreachable::NetworkUnknown) => {
            Message::Unreachable(Error::NetworkUnreachable)
        }
        Icmpv4Type::DestinationUnreachable(_) => Message::Unreachable(Error::HostUnreachable),
        Icmpv4Type::TimeExceeded(_) => Message::Unreachable(Error::HostUnreachable),
        Icmpv4Type::ParameterProblem(_) => Message::Unimportant,
        _ => Message::Unhandled,
    }
}

fn v6_message(kind: Icmpv6Type) -> Message {
    use icmpv6::DestUnreachableCode as Unreachable;
    match kind {
        Icmpv6Type::EchoRequest(echo) => Message::EchoRequest(echo),
        Icmpv6Type::EchoReply(echo) => Message::EchoReply(echo),
        Icmpv6Type::DestinationUnreachable(Unreachable::Port) => {
            Message::Unreachable(Error::ConnectionRefused)
        }
        Icmpv6Type::DestinationUnreachable(Unreachable::NoRoute) => {
            Message::Unreachable(Error::NetworkUnreachable)
        }
        Icmpv6Type::DestinationUnreachable(_) => Message::Unreachable(Error::HostUnreachable),
        Icmpv6Type::TimeExceeded(_) => Message::Unreachable(Error::HostUnreachable),
        Icmpv6Type::PacketTooBig { mtu } => Message::PacketTooBig(mtu),
        Icmpv6Type::ParameterProblem(_) => Message::Unimportant,
        _ => Message::Unhandled,
    }
}

/// The header of an IPv4 message with its checksum zero.
pub(super) fn v4_header(kind: Icmpv4Type) -> [u8; HEADER_LEN] {
    first_eight(&Icmpv4Header::new(kind).to_bytes())
}

/// The header of an IPv6 message with its checksum zero.
pub(super) fn v6_header(kind: Icmpv6Type) -> [u8; HEADER_LEN] {
    first_eight(&etherparse::Icmpv6Header { icmp_type: kind, checksum: 0 }.to_bytes())
}

/// All messages that we send have headers of just this length.
fn first_eight(bytes: &[u8]) -> [u8; HEADER_LEN] {
    std::array::from_fn(|i| bytes.get(i).copied().unwrap_or(0))
}
