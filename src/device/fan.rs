//! For tests: the kernel's side of an interface with several queues, which puts packets wherever the test likes.

use std::collections::HashMap;
use std::io;

use super::{Device, WholeEnd, whole_pair};
use crate::buffer::Chunk;
use crate::time::Instant;
use crate::wire::{IpHeader, OutPacket, PacketMeta, SendOutcome};

/// Which queue a packet of a flow is put on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Habit {
    /// That on which its last answer came, as the kernel does; the first for what it does not know.
    Learning,
    /// Another one.
    Contrary,
}

/// One device at one end, several queues at the other.
pub(crate) struct Fan {
    queues: Vec<WholeEnd>,
    habit: Habit,
    learned: HashMap<Flow, usize>,
}

/// Protocol, port at this end, port at the other.
type Flow = (u8, [u8; 2], [u8; 2]);

/// The device, and the queues.
pub(crate) fn fan(queues: usize, habit: Habit) -> (Fan, Vec<WholeEnd>) {
    let (near, far) = (0..queues).map(|_| whole_pair(1_500)).unzip();
    (Fan { queues: near, habit, learned: HashMap::new() }, far)
}

impl Device for Fan {
    fn mtu(&self) -> usize {
        1_500
    }

    fn receive(&mut self, now: Instant, packet: &mut Chunk) -> io::Result<PacketMeta> {
        for (number, queue) in self.queues.iter_mut().enumerate() {
            match queue.receive(now, packet) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => {
                    if let Some((protocol, there, here)) = flow(packet) {
                        self.learned.insert((protocol, here, there), number);
                    }
                    return result;
                }
            }
        }
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn send(&mut self, now: Instant, packet: &OutPacket<'_>) -> SendOutcome {
        let last = flow_of(packet.header, packet.transport)
            .and_then(|flow| self.learned.get(&flow))
            .map_or(0, |queue| *queue);
        let queue = match self.habit {
            Habit::Learning => last,
            Habit::Contrary => (last + 1) % self.queues.len(),
        };
        self.queues[queue].send(now, packet)
    }
}

/// The flow of a whole packet, its source first.
fn flow(packet: &[u8]) -> Option<Flow> {
    let ip = IpHeader::parse(packet).ok()?;
    flow_of(packet, ip.payload)
}

fn flow_of(packet: &[u8], transport: usize) -> Option<Flow> {
    let protocol = packet[if packet[0] >> 4 == 4 { 9 } else { 6 }];
    let &[a, b, c, d] = packet.get(transport..)?.first_chunk::<4>()?;
    Some((protocol, [a, b], [c, d]))
}
