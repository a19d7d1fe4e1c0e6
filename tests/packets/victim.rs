//! A stack by itself, with its packets in the hand.

use std::ops::ControlFlow;

use longwire::buffer::{Chunk, Pool};
use longwire::device::Cutter;
use longwire::sim::Seen;
use longwire::stack::{Config, Flushed, Seed, Stack};
use longwire::time::{Duration, Instant};
use longwire::wire::{ChecksumState, OutPacket, PacketMeta, SendOutcome, Sink};

pub(crate) struct Victim {
    pub(crate) stack: Stack,
    pub(crate) now: Instant,
    mtu: usize,
}

struct Collect<'a> {
    cutter: Cutter,
    mtu: usize,
    out: &'a mut Vec<Vec<u8>>,
}

impl Sink for Collect<'_> {
    fn send(&mut self, packet: &OutPacket<'_>) -> SendOutcome {
        let cut = self.cutter.cut(packet, self.mtu, |wire| {
            self.out.push(wire.to_vec());
            ControlFlow::Continue(())
        });
        cut.map_or(SendOutcome::Failed, |()| SendOutcome::Sent)
    }
}

impl Victim {
    pub(crate) fn new(config: Config) -> Victim {
        let mtu = config.mtu;
        let stack = Stack::new(config, Seed::from_u64(1), Pool::new(), Instant::ZERO);
        Victim { stack, now: Instant::ZERO, mtu }
    }

    pub(crate) fn deliver(&mut self, packet: &[u8]) {
        let mut chunk = self.stack.pool().take(packet.len());
        chunk.append(packet);
        let meta = PacketMeta { received_at: self.now, checksum: ChecksumState::Unverified, gso_size: 0 };
        self.stack.handle_packet(self.now, &mut chunk, &meta);
    }

    pub(crate) fn advance(&mut self, time: Duration) {
        self.now += time;
        if self.stack.poll_timeout().is_some_and(|due| due <= self.now) {
            self.stack.handle_timeout(self.now);
        }
    }

    /// Everything that it sends now.
    pub(crate) fn output(&mut self) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        let mut sink = Collect { cutter: Cutter::default(), mtu: self.mtu, out: &mut out };
        while self.stack.poll_transmit(self.now, &mut sink) == Flushed::More {}
        out
    }

    /// Gives it a packet and takes its TCP answers.
    pub(crate) fn exchange(&mut self, packet: &[u8], mut each: impl FnMut(Seen<'_>)) {
        self.deliver(packet);
        self.output().iter().filter_map(|packet| Seen::of(packet)).for_each(&mut each);
    }

    #[track_caller]
    pub(crate) fn check(&self) {
        self.stack.check_invariants().unwrap();
    }

    pub(crate) fn held(&self) -> usize {
        self.stack.pool().in_use()
    }
}

/// Empty chunks hold nothing.
pub(crate) fn chunk(stack: &Stack, bytes: &[u8]) -> Chunk {
    let mut chunk = stack.pool().take(bytes.len());
    chunk.append(bytes);
    chunk
}
