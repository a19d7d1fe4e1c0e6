//! The stack with its virtual clock, its wire and its descriptors.

use longwire::stack::{
    Algorithm, Chunk, Config, Duration, Flushed, Instant, PacketMeta, Pool, Seed, SocketOptions, Stack,
};

use crate::descriptors::Descriptors;
use crate::wire::Wire;

/// Most bytes that wait in the stack: more than any script writes.
const STACK_BUFFER: usize = 64 * 1024 * 1024;

/// Everything that the calls work on. Whoever changes something calls [`settle`](World::settle) before anyone else
/// looks.
pub(crate) struct World {
    pub(crate) stack: Stack,
    pub(crate) descriptors: Descriptors,
    pub(crate) wire: Wire,
    /// What every connection controls congestion with.
    pub(crate) congestion: Algorithm,
    /// What a socket begins with.
    pub(crate) default_options: SocketOptions,
    /// `SO_SNDBUF` of a new socket.
    pub(crate) default_send_memory: usize,
    now: Instant,
}

impl World {
    /// A world at a time that is not zero, so that nothing mistakes it for unset.
    pub(crate) fn new(mut config: Config) -> World {
        let now = Instant::from_secs(1_000);
        // What `SO_SNDBUF` counts is ours to count: the stack takes what that lets through.
        let default_send_memory = std::mem::replace(&mut config.socket.send_buffer, STACK_BUFFER);
        config.socket.first_send_buffer = STACK_BUFFER;
        World {
            default_send_memory,
            wire: Wire::new(config.mtu),
            congestion: config.tcp.congestion,
            default_options: config.socket.clone(),
            stack: Stack::new(config, Seed::from_u64(1), Pool::new(), now),
            descriptors: Descriptors::default(),
            now,
        }
    }

    /// The time.
    pub(crate) fn now(&self) -> Instant {
        self.now
    }

    /// Lets all consequences of the last call happen: what is to be sent is on the wire, and every socket knows of
    /// its events.
    pub(crate) fn settle(&mut self) {
        self.wire.set_now(self.now);
        while self.stack.poll_transmit(self.now, &mut self.wire) == Flushed::More {}
        while let Some(event) = self.stack.poll_event() {
            self.descriptors.note_event(event.socket, event.kinds);
        }
    }

    /// A datagram comes in.
    pub(crate) fn receive(&mut self, datagram: &[u8]) {
        let meta = PacketMeta { received_at: self.now, ..PacketMeta::default() };
        self.stack.handle_packet(self.now, &mut Chunk::from(datagram.to_vec()), &meta);
    }

    /// When the stack wants to be called next.
    pub(crate) fn next_timer(&self) -> Option<Instant> {
        self.stack.poll_timeout()
    }

    /// Lets time pass up to `to` or the first timer before it, and fires what is due. Time never goes back.
    pub(crate) fn advance(&mut self, to: Instant) {
        let stop = self.next_timer().map_or(to, |timer| timer.min(to));
        self.now = self.now.max(stop);
        if self.next_timer().is_some_and(|timer| timer <= self.now) {
            self.stack.handle_timeout(self.now);
        }
    }

    /// A reading of the clock takes a microsecond: whoever reads it in a loop would wait for ever otherwise.
    pub(crate) fn tick(&mut self) -> Instant {
        self.advance(self.now + Duration::from_micros(1));
        self.now
    }
}
