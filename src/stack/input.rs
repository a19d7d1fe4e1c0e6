//! The way in: IP, and whether a packet is for us at all.

use std::net::IpAddr;

use super::fragments::Outcome;
use super::icmp_error::Complaint;
use super::{Chunk, Instant, PacketMeta, Stack};
use crate::wire::{ChecksumState, Fragment, IpHeader, Protocol, WireError, pseudo_header_sum};

/// What is known of a packet before its transport header is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    pub(super) ip: IpHeader,
    pub(super) meta: PacketMeta,
}

impl Arrival {
    /// The transport header and what follows it.
    pub(super) fn segment<'a>(&self, packet: &'a [u8]) -> &'a [u8] {
        &packet[self.ip.payload..self.ip.end]
    }

    /// Whether the checksum over `bytes` and the pseudo-header is right, or known to be.
    pub(super) fn checksum_holds(&self, bytes: &[u8]) -> bool {
        if self.meta.checksum == ChecksumState::Trusted {
            return true;
        }
        let mut sum = pseudo_header_sum(self.ip.src, self.ip.dst, self.ip.protocol, bytes.len());
        sum.add(bytes);
        sum.finish() == 0
    }
}

impl Stack {
    /// Handles one packet that came in. Narrows `packet` to its payload and may take it over; then it is left
    /// without capacity, and the next packet needs another.
    pub fn handle_packet(&mut self, now: Instant, packet: &mut Chunk, meta: &PacketMeta) {
        self.tick(now);
        self.env.counters.ip.received += 1;
        let Some(ip) = self.parse_ip(packet) else { return };
        if self.is_for_us(&ip) {
            self.dispatch(Arrival { ip, meta: *meta }, packet);
        }
    }

    /// Brings the packets in that waited when the call began; what they cause waits for the next.
    pub(super) fn take_loopback(&mut self) {
        for _ in 0..self.env.loopback.len() {
            let Some((mut packet, meta)) = self.env.loopback.pop() else { return };
            self.env.counters.ip.received += 1;
            match self.parse_ip(&packet) {
                // Both ends of a connection to ourselves are in this stack, whoever else there is.
                Some(ip) if ip.protocol == Protocol::TCP => self.deliver(Arrival { ip, meta }, &mut packet),
                Some(ip) => self.dispatch(Arrival { ip, meta }, &mut packet),
                None => {}
            }
        }
    }

    pub(super) fn parse_ip(&mut self, packet: &[u8]) -> Option<IpHeader> {
        let counters = &mut self.env.counters.ip;
        match IpHeader::parse(packet) {
            Ok(ip) => return Some(ip),
            Err(WireError::Truncated) => counters.truncated += 1,
            Err(WireError::Version) => counters.bad_version += 1,
            Err(WireError::Malformed | WireError::Options) => counters.malformed += 1,
            Err(WireError::Checksum) => counters.bad_checksum += 1,
            Err(WireError::SourceRoute) => counters.source_route += 1,
        }
        None
    }

    /// What the device may bring: from a unicast address that is not ours, to one that is, or that a connection may have
    /// for its end. Everything else is dropped without an answer (RFC 1122 3.2.1.3; RFC 4291 2.5 to 2.7).
    fn is_for_us(&mut self, ip: &IpHeader) -> bool {
        let IpHeader { src, dst, .. } = *ip;
        let reaches_us = self.env.addresses.is_ours(dst) || self.may_stand_in_for(ip);
        let counters = &mut self.env.counters.ip;
        let reason = if src == dst {
            &mut counters.source_is_destination
        } else if dst.is_multicast() {
            &mut counters.destination_multicast
        } else if self.env.addresses.is_broadcast(dst) {
            &mut counters.destination_broadcast
        } else if !reaches_us {
            &mut counters.destination_not_ours
        } else if src.is_multicast() {
            &mut counters.source_multicast
        } else if src.is_loopback() {
            &mut counters.source_loopback
        } else if is_unspecified(src) {
            &mut counters.source_unspecified
        } else if self.env.addresses.is_broadcast(src) {
            &mut counters.source_broadcast
        } else if self.env.addresses.is_ours(src) {
            &mut counters.source_ours
        } else {
            return true;
        };
        *reason += 1;
        false
    }

    pub(super) fn deliver(&mut self, arrival: Arrival, packet: &mut Chunk) {
        if let Some(fragment) = arrival.ip.fragment {
            return self.fragment_input(&arrival, fragment, packet);
        }
        match (arrival.ip.protocol, arrival.ip.dst) {
            (Protocol::TCP, _) => self.tcp_input(&arrival, packet),
            (Protocol::UDP, _) => self.udp_input(&arrival, packet),
            (Protocol::ICMP, IpAddr::V4(_)) | (Protocol::ICMPV6, IpAddr::V6(_)) => {
                self.icmp_input(&arrival, packet);
            }
            _ => self.env.counters.ip.unknown_protocol += 1,
        }
    }

    /// One more part of a datagram; the last one delivers it.
    fn fragment_input(&mut self, arrival: &Arrival, fragment: Fragment, packet: &[u8]) {
        let Stack { fragments, env, .. } = self;
        let counters = &mut env.counters.ip;
        counters.fragments += 1;
        let (dropped, outcome) = fragments.insert(env.now, &arrival.ip, fragment, packet, &env.pool);
        counters.fragments_evicted += dropped;
        match outcome {
            Outcome::Kept => {}
            Outcome::Malformed => counters.fragments_malformed += 1,
            Outcome::Overlap => counters.fragments_overlapping += 1,
            Outcome::TooMany => counters.fragments_too_many += 1,
            Outcome::Complete(mut whole) => {
                counters.reassembled += 1;
                // Who vouches for a fragment's checksum vouches for no sum over all of them.
                let meta = PacketMeta { received_at: arrival.meta.received_at, ..PacketMeta::default() };
                if let Some(ip) = self.parse_ip(&whole) {
                    self.dispatch(Arrival { ip, meta }, &mut whole);
                }
            }
        }
    }

    /// Datagrams whose fragments did not all come in time: whoever sent the first one is told (RFC 1122 3.3.2,
    /// RFC 8200 4.5).
    pub(super) fn expire_fragments(&mut self) {
        while let Some(first) = self.fragments.expired(self.env.now) {
            self.env.counters.ip.fragments_timed_out += 1;
            if let Some(packet) = first
                && let Ok(ip) = IpHeader::parse(&packet)
            {
                self.send_error(Complaint::ReassemblyTimeout, &ip, &packet);
            }
        }
    }
}

/// `::`, and all of 0.0.0.0/8, "this host on this network" (RFC 1122 3.2.1.3).
fn is_unspecified(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.octets()[0] == 0,
        IpAddr::V6(v6) => v6.is_unspecified(),
    }
}
