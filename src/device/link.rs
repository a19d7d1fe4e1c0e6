//! One direction of a link, as a value in virtual time.
//!
//! A packet that is [pushed](Link::push) goes through a bottleneck (a queue in front of a transmitter of limited rate)
//! and then through a delay line, at whose end it is [popped](Link::pop):
//!
//! ```text
//!   push ─▶ queue (drops, marks) ─▶ transmitter (rate) ─▶ wire (loses, corrupts, duplicates, delays) ─▶ pop
//! ```
//!
//! Everything that happens is decided when a packet is pushed, by generators seeded from the configuration: the same
//! packets at the same instants meet the same fate. Each kind of fault has a generator of its own, so that adding
//! jitter does not change which packets are lost.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::fmt;

use fastrand::Rng;

use super::CounterVisitor;
use crate::buffer::{Chunk, Pool};
use crate::time::{Duration, Instant};
use crate::wire::Checksum;

mod config;
#[cfg(test)]
mod tests;

pub use config::{Chance, Limit, LinkConfig, LinkConfigError};

/// Bytes that the delay line of one direction holds at most, whatever the configuration: 5 s at 100 Mbit/s.
const MAX_HELD_BYTES: usize = 64 * 1024 * 1024;

/// What a link has done so far, in packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct LinkCounters {
    /// Packets pushed.
    pub pushed: u64,
    /// Packets popped, duplicates included.
    pub delivered: u64,
    /// Lost by chance.
    pub lost: u64,
    /// Dropped because the queue in front of the transmitter was full.
    pub queue_dropped: u64,
    /// Dropped because the delay line holds as many bytes as it may.
    pub overflowed: u64,
    /// Delivered twice.
    pub duplicated: u64,
    /// One bit of it was flipped.
    pub corrupted: u64,
    /// Held back, so that later packets overtake it.
    pub reordered: u64,
    /// Marked with congestion experienced.
    pub marked: u64,
}

impl LinkCounters {
    /// Both directions together.
    pub fn plus(self, other: LinkCounters) -> LinkCounters {
        LinkCounters {
            pushed: self.pushed + other.pushed,
            delivered: self.delivered + other.delivered,
            lost: self.lost + other.lost,
            queue_dropped: self.queue_dropped + other.queue_dropped,
            overflowed: self.overflowed + other.overflowed,
            duplicated: self.duplicated + other.duplicated,
            corrupted: self.corrupted + other.corrupted,
            reordered: self.reordered + other.reordered,
            marked: self.marked + other.marked,
        }
    }

    /// Shows every counter.
    pub fn visit(&self, visit: &mut CounterVisitor<'_>) {
        let LinkCounters {
            pushed,
            delivered,
            lost,
            queue_dropped,
            overflowed,
            duplicated,
            corrupted,
            reordered,
            marked,
        } = *self;
        visit("link_pushed_packets", "Packets that entered an emulated link", pushed);
        visit("link_delivered_packets", "Packets that came out of it", delivered);
        visit("link_lost_packets", "Packets lost by chance", lost);
        visit("link_queue_dropped_packets", "Packets dropped at a full queue", queue_dropped);
        visit("link_overflowed_packets", "Packets dropped because too much was in flight", overflowed);
        visit("link_duplicated_packets", "Packets delivered twice", duplicated);
        visit("link_corrupted_packets", "Packets with one bit flipped", corrupted);
        visit("link_reordered_packets", "Packets held back so that later ones overtake", reordered);
        visit("link_marked_packets", "Packets marked with congestion experienced", marked);
    }
}

impl fmt::Display for LinkCounters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in, {} out", self.pushed, self.delivered)?;
        let faults = [
            (self.lost, "lost"),
            (self.queue_dropped, "dropped at the queue"),
            (self.overflowed, "dropped in flight"),
            (self.duplicated, "duplicated"),
            (self.corrupted, "corrupted"),
            (self.reordered, "reordered"),
            (self.marked, "marked"),
        ];
        faults
            .iter()
            .filter(|(count, _)| *count > 0)
            .try_for_each(|(count, what)| write!(f, ", {count} {what}"))
    }
}

/// A packet on the delay line. Ordered by arrival, then by the order of pushing.
struct InFlight {
    arrival: Instant,
    sequence: u64,
    packet: Chunk,
}

impl InFlight {
    fn key(&self) -> (Instant, u64) {
        (self.arrival, self.sequence)
    }
}

impl PartialEq for InFlight {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for InFlight {}

impl PartialOrd for InFlight {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for InFlight {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

/// The generators, one for each kind of fault.
struct Dice {
    loss: Rng,
    reorder: Rng,
    duplicate: Rng,
    corrupt: Rng,
    jitter: Rng,
}

impl Dice {
    fn new(seed: u64) -> Self {
        let mut seeds = Rng::with_seed(seed);
        Dice {
            loss: seeds.fork(),
            reorder: seeds.fork(),
            duplicate: seeds.fork(),
            corrupt: seeds.fork(),
            jitter: seeds.fork(),
        }
    }
}

/// One direction of a link.
///
/// The driver pushes packets as they are sent, pops what has arrived, and comes back at the
/// [`deadline`](Link::deadline). Time must not run backwards between calls.
///
/// ```
/// use longwire::device::Link;
/// use longwire::time::Instant;
/// let mut link = Link::new("delay=20ms,rate=8mbit".parse().unwrap());
/// link.push(Instant::ZERO, &[0; 1_000]);
/// // 1 ms to transmit 8,000 bits, then 20 ms on the way.
/// assert_eq!(link.deadline(), Some(Instant::from_millis(21)));
/// assert!(link.pop(Instant::from_millis(20)).is_none());
/// assert!(link.pop(Instant::from_millis(21)).is_some());
/// ```
pub struct Link {
    config: LinkConfig,
    dice: Dice,
    /// What is queued or being transmitted: when its transmission ends, and its length.
    queue: VecDeque<(Instant, usize)>,
    queued_bytes: usize,
    /// When the transmitter has sent all that is queued.
    idle_at: Instant,
    line: BinaryHeap<Reverse<InFlight>>,
    held_bytes: usize,
    /// When the latest packet that was not held back arrives: no other arrives before it.
    latest_arrival: Instant,
    next_sequence: u64,
    pool: Pool,
    counters: LinkCounters,
}

impl Link {
    /// An empty link.
    pub fn new(config: LinkConfig) -> Self {
        Link {
            dice: Dice::new(config.seed),
            config,
            queue: VecDeque::new(),
            queued_bytes: 0,
            idle_at: Instant::ZERO,
            line: BinaryHeap::new(),
            held_bytes: 0,
            latest_arrival: Instant::ZERO,
            next_sequence: 0,
            pool: Pool::new(),
            counters: LinkCounters::default(),
        }
    }

    /// A packet enters the link at `now`.
    pub fn push(&mut self, now: Instant, packet: &[u8]) {
        self.counters.pushed += 1;
        let Some((departure, mark)) = self.transmit(now, packet.len()) else {
            self.counters.queue_dropped += 1;
            return;
        };
        // A lost packet has used the transmitter's time: it is the wire that loses it.
        if self.config.loss.happens(&mut self.dice.loss) {
            self.counters.lost += 1;
            return;
        }
        let mut packet = self.copy_of(packet);
        if mark && mark_congestion(&mut packet) {
            self.counters.marked += 1;
        }
        if !packet.is_empty() && self.config.corrupt.happens(&mut self.dice.corrupt) {
            self.counters.corrupted += 1;
            let bit = self.dice.corrupt.usize(..packet.len() * 8);
            packet[bit / 8] ^= 1 << (bit % 8);
        }
        let arrival = self.arrival(departure);
        if self.config.duplicate.happens(&mut self.dice.duplicate) {
            self.counters.duplicated += 1;
            let twin = self.copy_of(&packet);
            self.put_on_line(arrival, twin);
        }
        self.put_on_line(arrival, packet);
    }

    /// The next packet that has arrived by `now`, and when it did.
    pub fn pop(&mut self, now: Instant) -> Option<(Instant, Chunk)> {
        self.peek(now)?;
        let Reverse(InFlight { arrival, packet, .. }) = self.line.pop()?;
        self.held_bytes -= packet.capacity();
        self.counters.delivered += 1;
        Some((arrival, packet))
    }

    /// What [`pop`](Link::pop) would give, left on the link.
    pub fn peek(&self, now: Instant) -> Option<&[u8]> {
        let Reverse(next) = self.line.peek()?;
        (next.arrival <= now).then_some(&next.packet)
    }

    /// When the next packet arrives.
    pub fn deadline(&self) -> Option<Instant> {
        self.line.peek().map(|Reverse(next)| next.arrival)
    }

    /// Packets on their way.
    pub fn in_flight(&self) -> usize {
        self.line.len()
    }

    /// What has been done so far.
    pub fn counters(&self) -> &LinkCounters {
        &self.counters
    }

    /// Changes what the link does to packets from now on; those on their way arrive as they would have. The
    /// generators go on where they are: a new seed has no effect.
    pub fn reconfigure(&mut self, config: LinkConfig) {
        self.config = config;
    }

    /// Passes `len` bytes through queue and transmitter: when the last bit has left, and whether the queue was so
    /// long that the packet is to be marked. `None` if the queue is full.
    fn transmit(&mut self, now: Instant, len: usize) -> Option<(Instant, bool)> {
        let Some(rate) = self.config.rate else { return Some((now, false)) };
        while let Some(&(end, len)) = self.queue.front()
            && end <= now
        {
            self.queue.pop_front();
            self.queued_bytes -= len;
        }
        let (packets, bytes) = (self.queue.len() + 1, self.queued_bytes + len);
        if self.config.queue.is_exceeded(packets, bytes) {
            return None;
        }
        let nanos = len as u128 * 8 * 1_000_000_000 / u128::from(rate.get());
        let time = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        self.idle_at = self.idle_at.max(now) + time;
        self.queue.push_back((self.idle_at, len));
        self.queued_bytes = bytes;
        Some((self.idle_at, self.config.ecn.is_some_and(|threshold| threshold.is_exceeded(packets, bytes))))
    }

    /// When a packet arrives that left the transmitter at `departure`. Jitter keeps the order: a packet waits for
    /// the one in front of it. Only one that is to be reordered is held back longer, and nothing waits for it.
    fn arrival(&mut self, departure: Instant) -> Instant {
        let LinkConfig { delay, jitter, reorder, .. } = self.config;
        let spread = u64::try_from(jitter.as_nanos() * 2).unwrap_or(u64::MAX);
        let late = Duration::from_nanos(self.dice.jitter.u64(..=spread));
        let arrival = (departure + (delay + late).saturating_sub(jitter)).max(self.latest_arrival);
        if reorder.happens(&mut self.dice.reorder) {
            self.counters.reordered += 1;
            return arrival + self.config.reorder_by();
        }
        self.latest_arrival = arrival;
        arrival
    }

    fn put_on_line(&mut self, arrival: Instant, packet: Chunk) {
        if self.held_bytes + packet.capacity() > MAX_HELD_BYTES {
            self.counters.overflowed += 1;
            return;
        }
        self.held_bytes += packet.capacity();
        self.line.push(Reverse(InFlight { arrival, sequence: self.next_sequence, packet }));
        self.next_sequence += 1;
    }

    fn copy_of(&self, bytes: &[u8]) -> Chunk {
        let mut chunk = self.pool.take(bytes.len());
        chunk.append(bytes);
        chunk
    }
}

/// Sets congestion experienced in the header of a packet whose transport takes part in ECN (RFC 3168 5); tells
/// whether it did.
fn mark_congestion(packet: &mut [u8]) -> bool {
    match packet.first().map(|byte| byte >> 4) {
        Some(4) if packet.len() >= 20 && packet[1] & 3 != 0 => {
            packet[1] |= 3;
            let header = (usize::from(packet[0] & 0xf) * 4).clamp(20, packet.len());
            packet[10..12].fill(0);
            let mut sum = Checksum::default();
            sum.add(&packet[..header]);
            packet[10..12].copy_from_slice(&sum.finish().to_be_bytes());
            true
        }
        // The traffic class lies across the first two bytes: its ECN bits are bits 4 and 5 of the second.
        Some(6) if packet.len() >= 40 && packet[1] & 0x30 != 0 => {
            packet[1] |= 0x30;
            true
        }
        _ => false,
    }
}
