//! Packets that belong to no connection, on their way out.

use std::collections::VecDeque;

use super::counters::IpCounters;
use crate::buffer::Chunk;
use crate::wire::{IpPair, Protocol, TcpHeader};

/// Most packets that wait.
const MAX_PACKETS: usize = 4_096;
/// Most memory that their payloads pin, in bytes.
const MAX_BYTES: usize = 1024 * 1024;

/// A packet made by the stack itself.
#[derive(Debug)]
pub(super) enum Control {
    /// A TCP segment without payload: a reset, a SYN-ACK, an ACK for TIME-WAIT.
    Segment {
        /// From us to the peer.
        addresses: IpPair,
        /// With ports.
        header: TcpHeader,
    },
    /// ICMP or UDP.
    Datagram(Datagram),
}

/// A UDP datagram or an ICMP message. Both have headers of eight bytes.
#[derive(Debug)]
pub(super) struct Datagram {
    /// From us to the peer.
    pub(super) addresses: IpPair,
    /// What it is.
    pub(super) protocol: Protocol,
    /// Its header, the checksum field zero.
    pub(super) header: [u8; 8],
    /// What follows the header.
    pub(super) payload: Chunk,
}

impl Datagram {
    /// Offset of the checksum in the header.
    pub(super) fn checksum_offset(&self) -> usize {
        if self.protocol == Protocol::UDP { 6 } else { 2 }
    }
}

/// A bounded queue of them. What does not fit is dropped and counted: all of it can be lost on the wire as well.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    packets: VecDeque<Control>,
    bytes: usize,
}

impl Outbox {
    /// Adds a segment.
    pub(super) fn push_segment(&mut self, counters: &mut IpCounters, addresses: IpPair, header: TcpHeader) {
        self.push(counters, Control::Segment { addresses, header });
    }

    /// Adds a datagram.
    pub(super) fn push_datagram(&mut self, counters: &mut IpCounters, datagram: Datagram) {
        self.push(counters, Control::Datagram(datagram));
    }

    fn push(&mut self, counters: &mut IpCounters, packet: Control) {
        let bytes = pinned(&packet);
        if self.packets.len() >= MAX_PACKETS || self.bytes + bytes > MAX_BYTES {
            counters.outbox_full += 1;
            return;
        }
        self.bytes += bytes;
        self.packets.push_back(packet);
    }

    /// Takes the oldest packet out.
    pub(super) fn pop(&mut self) -> Option<Control> {
        let packet = self.packets.pop_front()?;
        self.bytes -= pinned(&packet);
        Some(packet)
    }

    /// Puts a packet back that could not be sent now.
    pub(super) fn put_back(&mut self, packet: Control) {
        self.bytes += pinned(&packet);
        self.packets.push_front(packet);
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }
}

fn pinned(packet: &Control) -> usize {
    match packet {
        Control::Segment { .. } => 0,
        Control::Datagram(datagram) => datagram.payload.capacity(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> IpPair {
        IpPair::new("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()).unwrap()
    }

    #[test]
    fn packets_are_bounded_in_number() {
        let (mut outbox, mut counters) = (Outbox::default(), IpCounters::default());
        for _ in 0..MAX_PACKETS + 3 {
            outbox.push_segment(&mut counters, pair(), TcpHeader::default());
        }
        assert_eq!((outbox.packets.len(), counters.outbox_full), (MAX_PACKETS, 3));
    }

    #[test]
    fn and_in_bytes_and_come_out_in_order() {
        let (mut outbox, mut counters) = (Outbox::default(), IpCounters::default());
        for i in 0..20 {
            let payload = Chunk::from(vec![i; 65_536]);
            let datagram = Datagram { addresses: pair(), protocol: Protocol::ICMP, header: [0; 8], payload };
            outbox.push_datagram(&mut counters, datagram);
        }
        assert_eq!(counters.outbox_full, 4, "one MiB is sixteen of them");
        for i in 0..16 {
            let Some(Control::Datagram(datagram)) = outbox.pop() else { panic!() };
            assert_eq!(datagram.payload[0], i);
        }
        assert!(outbox.is_empty());
        assert_eq!(outbox.bytes, 0);
    }
}
