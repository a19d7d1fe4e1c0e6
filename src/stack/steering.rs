//! Several stacks with the same addresses: which of them a packet is for.
//!
//! One process may drive several queues of one interface, with a stack for each that shares nothing with the others. Every
//! packet has one owner among them, by a rule that each can apply alone:
//!
//! | packet | owner |
//! | --- | --- |
//! | TCP segment | by a keyed hash of both ends |
//! | UDP datagram | by a keyed hash of our port: a socket has one stack, however many talk to it |
//! | ICMP echo reply | the same of its identifier |
//! | ICMP error | whoever owns the packet of ours that it quotes |
//! | fragment | by a keyed hash of addresses and identification; put together, whoever owns the datagram |
//! | echo request, anything else | whoever has it |
//!
//! The key is secret, so that nobody can aim all of their connections at one stack.

use std::collections::VecDeque;
use std::net::SocketAddr;

use siphasher::sip::SipHasher13;

use super::flow::FourTuple;
use super::icmp::{echo_reply_identifier, error_quote};
use super::icmp_error::{Quoted, quoted_packet};
use super::input::Arrival;
use super::ping::take_payload;
use super::{Chunk, Instant, PacketMeta, Pool, Stack};
use crate::wire::{IpHeader, IpPair, Protocol};

/// Packets for others that wait to be taken; what comes beyond them is dropped.
const MOST_STRAYS: usize = 1024;

/// The place of one stack among several that have the same addresses.
///
/// ```
/// use longwire::stack::Steering;
/// let (first, second) = (Steering::new([7; 16], 0, 2), Steering::new([7; 16], 1, 2));
/// let (local, remote) = ("10.9.0.2:80".parse().unwrap(), "10.9.0.1:50000".parse().unwrap());
/// assert_eq!(first.of_flow(local, remote), second.of_flow(local, remote), "all agree");
/// ```
#[derive(Clone)]
pub struct Steering {
    hasher: SipHasher13,
    place: usize,
    count: usize,
}

impl Steering {
    /// The stack at `place`, from 0, of `count`. The key is the same for all of them, and nobody else's.
    ///
    /// # Panics
    /// If there is no such place.
    pub fn new(key: [u8; 16], place: usize, count: usize) -> Steering {
        assert!(place < count, "place {place} of {count}");
        Steering { hasher: SipHasher13::new_with_key(&key), place, count }
    }

    /// Which of them this one is.
    pub fn place(&self) -> usize {
        self.place
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Whose a TCP connection between these ends is. Ends of different families are nobody's: then this one's.
    pub fn of_flow(&self, local: SocketAddr, remote: SocketAddr) -> usize {
        FourTuple::new(local, remote).map_or(self.place, |tuple| self.of_tuple(&tuple))
    }

    /// Whose a UDP socket with this port is, or an ICMP socket with this identifier.
    pub fn of_port(&self, port: u16) -> usize {
        self.owner(&port.to_be_bytes())
    }

    pub(super) fn of_tuple(&self, tuple: &FourTuple) -> usize {
        let (bytes, len) = tuple.to_bytes();
        self.owner(&bytes[..len])
    }

    /// Whose a packet is, if not ours.
    fn elsewhere(&self, ip: &IpHeader, packet: &[u8]) -> Option<usize> {
        self.owner_of(ip, packet).filter(|owner| *owner != self.place)
    }

    /// Whose a packet is; `None`: whoever has it.
    fn owner_of(&self, ip: &IpHeader, packet: &[u8]) -> Option<usize> {
        if let Some(fragment) = ip.fragment {
            let addresses = IpPair::new(ip.dst, ip.src)?;
            let (low, high) = (fragment.identification as u16, (fragment.identification >> 16) as u16);
            return Some(self.of_tuple(&FourTuple { addresses, local_port: low, remote_port: high }));
        }
        let transport = &packet[ip.payload..ip.end];
        match ip.protocol {
            Protocol::TCP => Some(self.of_tuple(&arriving(ip, transport)?)),
            Protocol::UDP => Some(self.of_port(arriving(ip, transport)?.local_port)),
            Protocol::ICMP | Protocol::ICMPV6 => self.owner_of_message(ip, transport),
            _ => None,
        }
    }

    fn owner_of_message(&self, ip: &IpHeader, message: &[u8]) -> Option<usize> {
        if let Some(identifier) = echo_reply_identifier(ip.src, message) {
            return Some(self.of_port(identifier));
        }
        let Quoted { protocol, tuple, .. } = quoted_packet(error_quote(ip.src, message)?)?;
        Some(if protocol == Protocol::UDP { self.of_port(tuple.local_port) } else { self.of_tuple(&tuple) })
    }

    fn owner(&self, bytes: &[u8]) -> usize {
        // The upper half, scaled: without a division, and even for any number of them.
        let hash = self.hasher.hash(bytes) >> 32;
        ((hash * self.count as u64) >> 32) as usize
    }
}

impl std::fmt::Debug for Steering {
    /// Without the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Steering({} of {})", self.place, self.count)
    }
}

/// The ends of a TCP segment or UDP datagram that came in.
fn arriving(ip: &IpHeader, transport: &[u8]) -> Option<FourTuple> {
    let &[a, b, c, d] = transport.first_chunk::<4>()?;
    let addresses = IpPair::new(ip.dst, ip.src)?;
    Some(FourTuple {
        addresses,
        local_port: u16::from_be_bytes([c, d]),
        remote_port: u16::from_be_bytes([a, b]),
    })
}

/// A packet that came to one stack and is another's.
///
/// ```
/// use longwire::stack::{Instant, Stack, Stray};
///
/// /// What whoever drives several stacks does after their packets.
/// fn hand_on(now: Instant, stacks: &mut [Stack]) {
///     for place in 0..stacks.len() {
///         while let Some(stray) = stacks[place].poll_stray() {
///             let stray: Stray = stray;
///             stacks[stray.to].handle_stray(now, stray);
///         }
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Stray {
    /// The place of the stack whose it is.
    pub to: usize,
    packet: Chunk,
    meta: PacketMeta,
}

/// Packets for others, until they are taken.
#[derive(Debug, Default)]
pub(super) struct Strays {
    waiting: VecDeque<Stray>,
}

impl Strays {
    /// Takes a packet over; `false`: there is no room.
    fn push(&mut self, pool: &Pool, to: usize, meta: PacketMeta, packet: &mut Chunk) -> bool {
        let room = self.waiting.len() < MOST_STRAYS;
        if room {
            self.waiting.push_back(Stray { to, packet: take_payload(pool, packet), meta });
        }
        room
    }
}

impl Stack {
    /// Its place among several, if there are.
    pub fn steering(&self) -> Option<&Steering> {
        self.env.config.steering.as_ref()
    }

    /// Takes out the oldest packet that came here and is for another stack, whose
    /// [`handle_stray`](Stack::handle_stray) it is for. Only of stacks with a [`steering`](super::Config::steering).
    /// It counts as handed on, unless [`count_lost_stray`](Stack::count_lost_stray) follows.
    pub fn poll_stray(&mut self) -> Option<Stray> {
        let stray = self.strays.waiting.pop_front()?;
        self.env.counters.ip.forwarded += 1;
        Some(stray)
    }

    /// Whether [`poll_stray`](Stack::poll_stray) has something.
    pub fn has_strays(&self) -> bool {
        !self.strays.waiting.is_empty()
    }

    /// Handles a packet that came to another stack with the same addresses. That one has counted it.
    pub fn handle_stray(&mut self, now: Instant, stray: Stray) {
        let Stray { to: _, packet: theirs, meta } = stray;
        // What may be kept here is to be memory of ours, which our limit is about.
        let mut packet = self.env.pool.take(theirs.len());
        packet.append(&theirs);
        drop(theirs);
        // Another thread has read it, perhaps after the turn began that this is a part of.
        self.tick(now.max(meta.received_at));
        if let Some(ip) = self.parse_ip(&packet) {
            self.deliver(Arrival { ip, meta }, &mut packet);
        }
    }

    /// Counts a packet that [`poll_stray`](Stack::poll_stray) gave, and that could not be handed to the stack whose it is.
    pub fn count_lost_stray(&mut self) {
        let counters = &mut self.env.counters.ip;
        counters.forwarded = counters.forwarded.saturating_sub(1);
        counters.forward_dropped += 1;
    }

    /// Delivers a packet, or keeps it for the stack whose it is.
    pub(super) fn dispatch(&mut self, arrival: Arrival, packet: &mut Chunk) {
        let steering = self.env.config.steering.as_ref();
        let Some(to) = steering.and_then(|steering| steering.elsewhere(&arrival.ip, packet)) else {
            return self.deliver(arrival, packet);
        };
        if !self.strays.push(&self.env.pool, to, arrival.meta, packet) {
            self.env.counters.ip.forward_dropped += 1;
        }
    }

    /// Whether the packets of a connection between these ends come to us in the end.
    pub(super) fn owns_flow(&self, tuple: &FourTuple) -> bool {
        self.env.config.steering.as_ref().is_none_or(|steering| steering.of_tuple(tuple) == steering.place)
    }

    /// Whether what is for this UDP port or ICMP identifier comes to us in the end.
    pub(super) fn owns_port(&self, port: u16) -> bool {
        self.env.config.steering.as_ref().is_none_or(|steering| steering.of_port(port) == steering.place)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn flow(port: u16) -> (SocketAddr, SocketAddr) {
        ("10.0.0.1:80".parse().unwrap(), SocketAddr::new("10.0.0.2".parse().unwrap(), port))
    }

    #[test]
    fn flows_and_ports_are_spread_evenly_for_any_number_of_stacks() {
        for count in [1, 2, 3, 7] {
            let steering = Steering::new([3; 16], 0, count);
            for owner in [&(|port| steering.of_port(port)) as &dyn Fn(u16) -> usize, &|port| {
                steering.of_flow(flow(port).0, flow(port).1)
            }] {
                let mut shares = vec![0; count];
                (0..=u16::MAX).for_each(|port| shares[owner(port)] += 1);
                let fair = 65_536 / count;
                assert!(
                    shares.iter().all(|&share: &usize| share.abs_diff(fair) < fair / 20),
                    "{count}: {shares:?}"
                );
            }
        }
    }

    #[test]
    fn another_key_spreads_them_otherwise() {
        let [one, other] = [1, 2].map(|key| Steering::new([key; 16], 0, 2));
        let same = (0..1_000).filter(|&port| one.of_port(port) == other.of_port(port)).count();
        assert!((400..600).contains(&same), "{same}");
    }

    #[test]
    fn the_key_is_not_shown() {
        assert_eq!(format!("{:?}", Steering::new([77; 16], 1, 3)), "Steering(1 of 3)");
    }

    proptest! {
        #[test]
        fn whatever_the_bytes_it_is_somebodys_and_all_agree(
            mut bytes in prop::collection::vec(any::<u8>(), 0..200),
            version in prop::sample::select(vec![0x45_u8, 0x46, 0x60]),
            protocol in prop::sample::select(vec![1_u8, 6, 17, 44, 58]),
            count in 1_usize..9,
        ) {
            if let Some(first) = bytes.first_mut() {
                *first = version;
            }
            if bytes.len() > 9 {
                bytes[if version == 0x60 { 6 } else { 9 }] = protocol;
            }
            // The header alone says where the payload is: one that no parser would accept is not asked about.
            let Ok(ip) = IpHeader::parse(&bytes) else { return Ok(()) };
            let all: Vec<_> = (0..count).map(|place| Steering::new([5; 16], place, count)).collect();
            let owner = all[0].owner_of(&ip, &bytes);
            prop_assert!(owner.is_none_or(|owner| owner < count));
            for steering in &all {
                prop_assert_eq!(steering.owner_of(&ip, &bytes), owner);
            }
        }
    }
}
