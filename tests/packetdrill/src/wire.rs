//! What left the stack, until packetdrill asks for it.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use longwire::device::Cutter;
use longwire::stack::{Instant, OutPacket, SendOutcome, Sink};

/// A queue of the datagrams that left, each with the time at which it did. Super-packets are cut, as a device without
/// offload would do.
pub(crate) struct Wire {
    cutter: Cutter,
    mtu: usize,
    now: Instant,
    packets: VecDeque<(Instant, Vec<u8>)>,
}

impl Wire {
    /// An empty wire for packets of at most `mtu` bytes.
    pub(crate) fn new(mtu: usize) -> Wire {
        Wire { cutter: Cutter::default(), mtu, now: Instant::ZERO, packets: VecDeque::new() }
    }

    /// The time at which packets leave from here on.
    pub(crate) fn set_now(&mut self, now: Instant) {
        self.now = now;
    }

    /// The oldest packet.
    pub(crate) fn pop(&mut self) -> Option<(Instant, Vec<u8>)> {
        self.packets.pop_front()
    }
}

impl Sink for Wire {
    fn send(&mut self, packet: &OutPacket<'_>) -> SendOutcome {
        let (now, packets) = (self.now, &mut self.packets);
        let cut = self.cutter.cut(packet, self.mtu, |bytes| {
            packets.push_back((now, bytes.to_vec()));
            ControlFlow::Continue(())
        });
        if cut.is_ok() { SendOutcome::Sent } else { SendOutcome::Failed }
    }
}
