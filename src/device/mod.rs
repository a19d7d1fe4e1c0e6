//! Where packets come from and go to.
//!
//! One trait, [`Device`]: the plain TUN device and the in-memory pair implement it, and the wrappers (capture,
//! impairment, tracing) implement it around another one, the same in the command line, the tests and the simulation.

use std::io;

use crate::buffer::Chunk;
use crate::time::Instant;
use crate::wire::{OutPacket, PacketMeta, SendOutcome};

/// A source and sink of IP packets that never blocks.
pub trait Device: Send {
    /// The largest IP packet that goes over the wire as one, in bytes.
    fn mtu(&self) -> usize;

    /// Reads the next packet into `packet`, which is cleared first and has room for any IP packet.
    ///
    /// # Errors
    /// `WouldBlock` when there is none now; anything else when the device is down or gone.
    fn receive(&mut self, now: Instant, packet: &mut Chunk) -> io::Result<PacketMeta>;

    /// Sends one packet, cutting it into segments and completing its checksum where no hardware does.
    fn send(&mut self, now: Instant, packet: &OutPacket<'_>) -> SendOutcome;

    /// When the device wants to be polled again although nothing arrives: a wrapper that delays packets says here
    /// when the next one is due.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// What the event loop waits on, if there is such a thing.
    #[cfg(unix)]
    fn fd(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        None
    }
}
