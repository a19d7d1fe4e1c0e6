//! Two devices in memory: what one sends the other receives.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Cut, Device, WireDevice, read_at};
use crate::buffer::{Chunk, Pool};
use crate::time::Instant;
use crate::wire::{ChecksumState, OutPacket, PacketMeta, SendOutcome};

/// Packets that one direction holds before it is full.
const CAPACITY: usize = 1_024;
/// The longest IP packet.
const MAX_PACKET: usize = 65_535;

/// Two ends of a cable that carries packets of up to `mtu` bytes, without delay or loss.
///
/// ```
/// use longwire::buffer::Pool;
/// use longwire::device::{Device, pair};
/// use longwire::time::Instant;
/// let (_near, mut far) = pair(1_500);
/// let nothing = far.receive(Instant::ZERO, &mut Pool::new().take_largest());
/// assert_eq!(nothing.unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
/// ```
pub fn pair(mtu: usize) -> (Cut<PairEnd>, Cut<PairEnd>) {
    let (a, b) = PairEnd::pair(mtu);
    (Cut::new(a), Cut::new(b))
}

/// Two ends between which super-packets pass whole and checksums stay uncompleted, as they do between a host and
/// a device with offload. `mtu` is what the stacks derive their segment size from.
///
/// ```
/// use longwire::device::{WholeEnd, whole_pair};
/// let (here, _there): (WholeEnd, WholeEnd) = whole_pair(1_500);
/// assert_eq!(here.waiting(), 0);
/// ```
pub fn whole_pair(mtu: usize) -> (WholeEnd, WholeEnd) {
    let (a, b) = PairEnd::pair(mtu);
    (WholeEnd(a), WholeEnd(b))
}

/// A packet in a direction's queue.
struct Queued {
    packet: Chunk,
    checksum: ChecksumState,
    gso_size: u16,
}

/// The queue of one direction.
#[derive(Default)]
struct Direction(Mutex<VecDeque<Queued>>);

impl Direction {
    fn queue(&self) -> MutexGuard<'_, VecDeque<Queued>> {
        // Push and pop are all that happens under the lock; a panic cannot leave them half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One end of a [`pair`], below the cut: wrappers go around this.
///
/// A direction that nobody reads from is full after 1,024 packets. Sending to an end that was dropped fails.
pub struct PairEnd {
    mtu: usize,
    pool: Pool,
    outgoing: Arc<Direction>,
    incoming: Arc<Direction>,
}

impl PairEnd {
    /// Two connected ends.
    pub fn pair(mtu: usize) -> (PairEnd, PairEnd) {
        let (there, back) = (Arc::<Direction>::default(), Arc::<Direction>::default());
        let pool = Pool::new();
        let a = PairEnd { mtu, pool: pool.clone(), outgoing: there.clone(), incoming: back.clone() };
        let b = PairEnd { mtu, pool, outgoing: back, incoming: there };
        (a, b)
    }

    /// Packets on their way to this end.
    pub fn waiting(&self) -> usize {
        self.incoming.queue().len()
    }

    fn enqueue(&self, len: usize, fill: impl FnOnce(&mut Chunk) -> (ChecksumState, u16)) -> SendOutcome {
        if Arc::strong_count(&self.outgoing) == 1 {
            return SendOutcome::Failed;
        }
        let mut queue = self.outgoing.queue();
        if queue.len() == CAPACITY {
            return SendOutcome::Full;
        }
        let mut packet = self.pool.take(len);
        let (checksum, gso_size) = fill(&mut packet);
        queue.push_back(Queued { packet, checksum, gso_size });
        SendOutcome::Sent
    }

    fn dequeue(&self, now: Instant, packet: &mut Chunk) -> io::Result<PacketMeta> {
        packet.clear();
        let Some(queued) = self.incoming.queue().pop_front() else {
            return Err(io::ErrorKind::WouldBlock.into());
        };
        packet.append(&queued.packet);
        Ok(PacketMeta { checksum: queued.checksum, gso_size: queued.gso_size, ..read_at(now) })
    }
}

impl WireDevice for PairEnd {
    fn mtu(&self) -> usize {
        self.mtu
    }

    fn receive(&mut self, now: Instant, packet: &mut Chunk) -> io::Result<PacketMeta> {
        self.dequeue(now, packet)
    }

    fn transmit(&mut self, _now: Instant, packet: &[u8]) -> SendOutcome {
        if packet.len() > self.mtu {
            return SendOutcome::Failed;
        }
        self.enqueue(packet.len(), |chunk| {
            chunk.append(packet);
            (ChecksumState::Unverified, 0)
        })
    }
}

/// One end of a [`whole_pair`].
pub struct WholeEnd(PairEnd);

impl WholeEnd {
    /// Packets on their way to this end.
    pub fn waiting(&self) -> usize {
        self.0.waiting()
    }
}

impl Device for WholeEnd {
    fn mtu(&self) -> usize {
        self.0.mtu
    }

    fn receive(&mut self, now: Instant, packet: &mut Chunk) -> io::Result<PacketMeta> {
        self.0.dequeue(now, packet)
    }

    fn send(&mut self, _now: Instant, packet: &OutPacket<'_>) -> SendOutcome {
        let len = packet.header.len() + packet.payload_len();
        let longest = if packet.gso_size > 0 { MAX_PACKET } else { self.0.mtu };
        if len > longest || packet.header.len() + usize::from(packet.gso_size) > self.0.mtu {
            return SendOutcome::Failed;
        }
        self.0.enqueue(len, |chunk| {
            chunk.append(packet.header);
            packet.payload.iter().for_each(|slice| {
                chunk.append(slice);
            });
            (ChecksumState::Trusted, packet.gso_size)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(device: &mut impl WireDevice) -> Option<Vec<u8>> {
        let mut packet = Pool::new().take_largest();
        let now = Instant::from_millis(7);
        match device.receive(now, &mut packet) {
            Ok(meta) => {
                assert_eq!(meta.received_at, now);
                Some(packet.to_vec())
            }
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                None
            }
        }
    }

    #[test]
    fn each_end_receives_what_the_other_sends_in_order() {
        let (mut a, mut b) = PairEnd::pair(100);
        for packet in [b"one", b"two"] {
            assert_eq!(a.transmit(Instant::ZERO, packet), SendOutcome::Sent);
        }
        assert_eq!(b.transmit(Instant::ZERO, b"back"), SendOutcome::Sent);
        assert_eq!((a.waiting(), b.waiting()), (1, 2));
        assert_eq!(
            [received(&mut b), received(&mut b), received(&mut b)],
            [Some(b"one".to_vec()), Some(b"two".to_vec()), None]
        );
        assert_eq!(received(&mut a), Some(b"back".to_vec()));
    }

    #[test]
    fn a_queue_that_nobody_reads_is_full_in_the_end() {
        let (mut a, mut b) = PairEnd::pair(100);
        let sent = (0..).take_while(|_| a.transmit(Instant::ZERO, b"x") == SendOutcome::Sent).count();
        assert_eq!(sent, CAPACITY);
        assert_eq!(a.transmit(Instant::ZERO, b"x"), SendOutcome::Full);
        received(&mut b);
        assert_eq!(a.transmit(Instant::ZERO, b"x"), SendOutcome::Sent);
    }

    #[test]
    fn what_does_not_fit_or_has_nowhere_to_go_fails() {
        let (mut a, b) = PairEnd::pair(10);
        assert_eq!(a.transmit(Instant::ZERO, &[0; 11]), SendOutcome::Failed);
        drop(b);
        assert_eq!(a.transmit(Instant::ZERO, &[0; 10]), SendOutcome::Failed);
    }

    #[test]
    fn a_super_packet_passes_whole_and_says_what_it_is_made_of() {
        let (mut a, mut b) = whole_pair(1_500);
        let packet = OutPacket {
            header: &[1; 40],
            payload: &[&[2; 3_000]],
            transport: 20,
            checksum: 16,
            gso_size: 1_460,
        };
        assert_eq!(a.send(Instant::ZERO, &packet), SendOutcome::Sent);
        let mut chunk = Pool::new().take_largest();
        let meta = b.receive(Instant::ZERO, &mut chunk).unwrap();
        assert_eq!((chunk.len(), meta.gso_size, meta.checksum), (3_040, 1_460, ChecksumState::Trusted));
        assert_eq!(
            a.send(Instant::ZERO, &OutPacket { gso_size: 0, ..packet }),
            SendOutcome::Failed,
            "above the MTU"
        );
        assert_eq!(a.send(Instant::ZERO, &OutPacket { gso_size: 1_461, ..packet }), SendOutcome::Failed);
    }
}
