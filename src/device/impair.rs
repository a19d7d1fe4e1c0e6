//! Faults on purpose: a wire with a [`Link`] each way.

use std::io;

use super::{CounterVisitor, Link, LinkConfig, LinkCounters, WireDevice, read_at};
use crate::buffer::{Chunk, Pool};
use crate::time::Instant;
use crate::wire::{PacketMeta, SendOutcome};

/// Packets taken from the wire before a turn of somebody else: those that are late must not keep the loop here.
const BUDGET: usize = 256;

/// A [`WireDevice`] on which packets are late, lost, doubled and damaged.
///
/// ```
/// use longwire::device::{Cut, Impair, LinkConfig, PairEnd};
/// let (near, far) = PairEnd::pair(1_500);
/// let config: LinkConfig = "delay=10ms,loss=1%".parse().unwrap();
/// let (near, far) = (Cut::new(Impair::new(near, config)), Cut::new(far));
/// ```
pub struct Impair<W> {
    wire: W,
    outbound: Link,
    inbound: Link,
    scratch: Chunk,
    /// The wire had no room for a packet that is due.
    is_blocked: bool,
    /// The wire may have more packets, although we said that there are none.
    is_unread: bool,
}

impl<W: WireDevice> Impair<W> {
    /// The same faults both ways, each direction by its own dice.
    pub fn new(wire: W, config: LinkConfig) -> Self {
        Impair::asymmetric(wire, config, config.reversed())
    }

    /// Faults of their own for what is sent and what is received.
    pub fn asymmetric(wire: W, outbound: LinkConfig, inbound: LinkConfig) -> Self {
        Impair {
            wire,
            outbound: Link::new(outbound),
            inbound: Link::new(inbound),
            scratch: Pool::new().take_largest(),
            is_blocked: false,
            is_unread: false,
        }
    }

    /// What was done to packets sent and to packets received.
    pub fn link_counters(&self) -> (&LinkCounters, &LinkCounters) {
        (self.outbound.counters(), self.inbound.counters())
    }

    /// Puts what is due on the wire.
    fn pump_out(&mut self, now: Instant) {
        self.is_blocked = false;
        while let Some(packet) = self.outbound.peek(now) {
            if self.wire.transmit(now, packet) == SendOutcome::Full {
                self.is_blocked = true;
                return;
            }
            self.outbound.pop(now);
        }
    }

    /// Takes from the wire what there is, within the budget.
    fn pump_in(&mut self, now: Instant) -> io::Result<()> {
        self.is_unread = true;
        for _ in 0..BUDGET {
            match self.wire.receive(now, &mut self.scratch) {
                Ok(_) => self.inbound.push(now, &self.scratch),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.is_unread = false;
                    return Ok(());
                }
                Err(error) => {
                    self.is_unread = false;
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, now: Instant, packet: &mut Chunk) -> Option<PacketMeta> {
        let (arrival, arrived) = self.inbound.pop(now)?;
        packet.append(&arrived);
        Some(read_at(arrival))
    }
}

impl<W: WireDevice> WireDevice for Impair<W> {
    fn mtu(&self) -> usize {
        self.wire.mtu()
    }

    fn receive(&mut self, now: Instant, packet: &mut Chunk) -> io::Result<PacketMeta> {
        packet.clear();
        self.pump_out(now);
        if let Some(meta) = self.take(now, packet) {
            return Ok(meta);
        }
        self.pump_in(now)?;
        self.take(now, packet).ok_or_else(|| io::ErrorKind::WouldBlock.into())
    }

    fn transmit(&mut self, now: Instant, packet: &[u8]) -> SendOutcome {
        if packet.len() > self.wire.mtu() {
            return SendOutcome::Failed;
        }
        self.outbound.push(now, packet);
        self.pump_out(now);
        SendOutcome::Sent
    }

    fn flush(&mut self, now: Instant) {
        self.pump_out(now);
        self.wire.flush(now);
    }

    fn holds_back(&self) -> bool {
        self.is_blocked || self.wire.holds_back()
    }

    fn deadline(&self) -> Option<Instant> {
        // A blocked packet waits for room, not for time.
        let outbound = if self.is_blocked { None } else { self.outbound.deadline() };
        let unread = self.is_unread.then_some(Instant::ZERO);
        [outbound, self.inbound.deadline(), unread, self.wire.deadline()].into_iter().flatten().min()
    }

    fn counters(&self, visit: &mut CounterVisitor<'_>) {
        self.outbound.counters().plus(*self.inbound.counters()).visit(visit);
        self.wire.counters(visit);
    }

    #[cfg(unix)]
    fn fd(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        self.wire.fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::PairEnd;

    const PACKET: &[u8] = b"a packet";

    fn impaired(options: &str) -> (Impair<PairEnd>, PairEnd) {
        let (near, far) = PairEnd::pair(1_500);
        (Impair::new(near, options.parse().unwrap()), far)
    }

    fn receive(device: &mut impl WireDevice, now: Instant) -> Option<Instant> {
        let mut packet = Pool::new().take_largest();
        let meta = device.receive(now, &mut packet).ok()?;
        assert_eq!(&packet[..], PACKET);
        Some(meta.received_at)
    }

    #[test]
    fn both_directions_are_late() {
        let (mut near, mut far) = impaired("delay=10ms");
        assert_eq!(near.transmit(Instant::ZERO, PACKET), SendOutcome::Sent);
        assert_eq!(near.deadline(), Some(Instant::from_millis(10)));
        near.flush(Instant::from_millis(9));
        assert_eq!(far.waiting(), 0);
        near.flush(Instant::from_millis(10));
        assert_eq!(far.waiting(), 1);

        far.transmit(Instant::ZERO, PACKET);
        assert_eq!(receive(&mut near, Instant::from_millis(12)), None);
        assert_eq!(near.deadline(), Some(Instant::from_millis(22)));
        let at = receive(&mut near, Instant::from_millis(25));
        assert_eq!(at, Some(Instant::from_millis(22)), "stamped with its arrival, not with our reading it");
        assert_eq!(near.deadline(), None);
    }

    #[test]
    fn what_arrives_is_due_even_if_nobody_flushes() {
        let (mut near, far) = impaired("delay=10ms");
        near.transmit(Instant::ZERO, PACKET);
        assert_eq!(receive(&mut near, Instant::from_millis(10)), None);
        assert_eq!(far.waiting(), 1);
    }

    #[test]
    fn a_full_wire_is_waited_for_without_spinning() {
        let (mut near, mut far) = impaired("");
        let mut sent = 0;
        while !near.holds_back() {
            assert_eq!(near.transmit(Instant::ZERO, PACKET), SendOutcome::Sent);
            sent += 1;
        }
        assert_eq!((near.deadline(), far.waiting()), (None, sent - 1));
        assert!(receive(&mut far, Instant::ZERO).is_some());
        near.flush(Instant::ZERO);
        assert!(!near.holds_back());
        assert_eq!(far.waiting(), sent - 1, "nothing was lost");
    }

    #[test]
    fn a_flood_that_is_all_lost_does_not_keep_the_loop() {
        let (mut near, mut far) = impaired("loss=100%");
        (0..=BUDGET).for_each(|_| assert_eq!(far.transmit(Instant::ZERO, PACKET), SendOutcome::Sent));
        assert_eq!(receive(&mut near, Instant::from_millis(1)), None);
        assert_eq!((near.waiting(), near.deadline()), (1, Some(Instant::ZERO)), "come back at once");
        assert_eq!(receive(&mut near, Instant::from_millis(1)), None);
        assert_eq!((near.waiting(), near.deadline()), (0, None));
    }

    #[test]
    fn the_directions_have_dice_of_their_own_and_are_counted_together() {
        let (mut near, mut far) = impaired("loss=50%");
        for _ in 0..100 {
            near.transmit(Instant::ZERO, PACKET);
            far.transmit(Instant::ZERO, PACKET);
        }
        while receive(&mut near, Instant::ZERO).is_some() {}
        let (outbound, inbound) = near.link_counters();
        let lost = outbound.lost + inbound.lost;
        assert_eq!(far.waiting() as u64, 100 - outbound.lost);
        let mut seen = None;
        near.counters(&mut |name, _, value| {
            seen = if name == "link_lost_packets" { Some(value) } else { seen }
        });
        assert_eq!(seen, Some(lost));
        assert!((50..150).contains(&lost));
    }

    impl Impair<PairEnd> {
        fn waiting(&self) -> usize {
            self.wire.waiting()
        }
    }
}
