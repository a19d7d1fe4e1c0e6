//! Where packets come from and go to.
//!
//! Two levels, the cut between them; where the kernel cuts, the second is its own:
//!
//! ```text
//!    a stack         headers and payload apart, up to 64 KiB, checksum to be completed
//!       │
//!    Device          Offload: a TUN device that passes them whole, or
//!       │            Cut<W>: cuts into packets of the MTU, completes checksums
//!       │
//!    WireDevice      finished packets: Capture<W> · Trace<W> · Impair<W>, in any order, around
//!                    Plain (a TUN device) or PairEnd (memory)
//! ```
//!
//! A stack is driven against a [`Device`]. Wrappers stand below the cut, around a [`WireDevice`], so that one loss is
//! one packet and a capture shows what the wire carries: the same in the command line, the tests and the simulation.
//!
//! Wrappers around a wire, and the cut above them; what the impairment loses the capture never sees:
//!
//! ```
//! use longwire::device::{Capture, Chance, Cut, Impair, Limit, LinkConfig, LinkCounters, PairEnd, Trace, WireDevice};
//! use longwire::time::{Duration, Instant};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (here, _there) = PairEnd::pair(1_500);
//! let bad = LinkConfig { loss: Chance::percent(100), queue: Limit::Packets(100), ..LinkConfig::default() };
//! let file = Vec::new(); // anything that is written to
//! let traced = Trace::new(here, "lw0");
//! let captured = Capture::new(traced, file, "capture.pcapng", "lw0", Duration::ZERO)?;
//! let mut wire = Impair::new(captured, bad);
//!
//! wire.transmit(Instant::ZERO, &[0x45; 40]);
//! let (outbound, _inbound) = wire.link_counters();
//! assert_eq!(*outbound, LinkCounters { pushed: 1, lost: 1, ..LinkCounters::default() });
//! let _device = Cut::new(wire); // for `Network::builder`
//! # Ok(())
//! # }
//! ```

mod capture;
mod cut;
#[cfg(feature = "net")]
mod descriptor;
#[cfg(feature = "net")]
mod emulator;
#[cfg(feature = "net")]
mod error;
#[cfg(test)]
mod fan;
mod impair;
#[cfg(feature = "net")]
mod interface;
mod link;
mod merge;
#[cfg(feature = "net")]
mod namespace;
#[cfg(feature = "net")]
mod netlink;
#[cfg(feature = "net")]
mod offload;
mod pair;
#[cfg(feature = "net")]
mod plain;
#[cfg(unix)]
mod socket;
#[cfg(feature = "net")]
mod system;
mod trace;
#[cfg(feature = "net")]
mod virtio;

use std::io;

use crate::buffer::Chunk;
use crate::time::Instant;
use crate::wire::{OutPacket, PacketMeta, SendOutcome};

pub use capture::Capture;
pub use cut::{Cut, CutError, Cutter};
#[cfg(feature = "net")]
pub use emulator::LinkEmulator;
#[cfg(feature = "net")]
pub use error::DeviceError;
#[cfg(test)]
pub(crate) use fan::{Habit, fan};
pub use impair::Impair;
#[cfg(feature = "net")]
pub use interface::{InterfaceConfig, OpenTun, Prefix, TunDevice, TunName};
pub use link::{Chance, Limit, Link, LinkConfig, LinkConfigError, LinkCounters};
#[cfg(feature = "net")]
pub use offload::Offload;
pub use pair::{PairEnd, WholeEnd, pair, whole_pair};
#[cfg(feature = "net")]
pub use plain::Plain;
#[cfg(unix)]
pub use socket::SocketEnd;
pub use trace::{Summary, Trace};

#[cfg(feature = "tokio")]
pub(crate) use system::watch_in_runtime;

/// Takes the name of a counter, what it counts, and its value.
///
/// ```
/// use longwire::device::{CounterVisitor, Device};
/// let (device, _other_end) = longwire::device::pair(1_500);
/// let mut names = Vec::new();
/// let visit: &mut CounterVisitor<'_> = &mut |name, _help, _value| names.push(name);
/// device.counters(visit);
/// ```
pub type CounterVisitor<'a> = dyn FnMut(&'static str, &'static str, u64) + 'a;

/// A source and sink of IP packets that never blocks.
///
/// Whoever drives it reads until [`WouldBlock`](io::ErrorKind::WouldBlock), sends, and calls [`flush`](Device::flush)
/// once at the end of the turn; again when the descriptor is ready or the [`deadline`](Device::deadline) has come.
pub trait Device: Send {
    /// The largest IP packet that goes over the wire as one, in bytes.
    fn mtu(&self) -> usize;

    /// Reads the next packet into `packet`, which is cleared first and has room for any IP packet.
    ///
    /// # Errors
    /// `WouldBlock` when there is none now, `NotConnected` when the device is gone and will not come back; anything
    /// else when it is down.
    fn receive(&mut self, now: Instant, packet: &mut Chunk) -> io::Result<PacketMeta>;

    /// Sends one packet, cutting it into segments and completing its checksum where no hardware does.
    fn send(&mut self, now: Instant, packet: &OutPacket<'_>) -> SendOutcome;

    /// Moves on what the device itself holds back: the rest of a super-packet, delayed packets, a capture's buffer.
    fn flush(&mut self, _now: Instant) {}

    /// Whether it holds something back for want of room: to be flushed when the descriptor is writable, even if
    /// nothing else is to be sent.
    fn holds_back(&self) -> bool {
        false
    }

    /// When the device wants to be flushed and read again although nothing arrives: a wrapper that delays packets
    /// says here when the next one is due.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// Shows every counter of the device and of what it is made of.
    fn counters(&self, _visit: &mut CounterVisitor<'_>) {}

    /// What the event loop waits on, if there is such a thing.
    #[cfg(unix)]
    fn fd(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        None
    }
}

/// A [`Device`] below the cut: what passes here is one finished packet, as a cable would carry it.
pub trait WireDevice: Send {
    /// The largest packet it takes, in bytes.
    fn mtu(&self) -> usize;

    /// As [`Device::receive`].
    ///
    /// # Errors
    /// As [`Device::receive`].
    fn receive(&mut self, now: Instant, packet: &mut Chunk) -> io::Result<PacketMeta>;

    /// Sends one finished packet.
    fn transmit(&mut self, now: Instant, packet: &[u8]) -> SendOutcome;

    /// As [`Device::flush`].
    fn flush(&mut self, _now: Instant) {}

    /// As [`Device::holds_back`].
    fn holds_back(&self) -> bool {
        false
    }

    /// As [`Device::deadline`].
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// As [`Device::counters`].
    fn counters(&self, _visit: &mut CounterVisitor<'_>) {}

    /// As [`Device::fd`].
    #[cfg(unix)]
    fn fd(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        None
    }
}

impl<D: Device + ?Sized> Device for Box<D> {
    fn mtu(&self) -> usize {
        (**self).mtu()
    }

    fn receive(&mut self, now: Instant, packet: &mut Chunk) -> io::Result<PacketMeta> {
        (**self).receive(now, packet)
    }

    fn send(&mut self, now: Instant, packet: &OutPacket<'_>) -> SendOutcome {
        (**self).send(now, packet)
    }

    fn flush(&mut self, now: Instant) {
        (**self).flush(now);
    }

    fn holds_back(&self) -> bool {
        (**self).holds_back()
    }

    fn deadline(&self) -> Option<Instant> {
        (**self).deadline()
    }

    fn counters(&self, visit: &mut CounterVisitor<'_>) {
        (**self).counters(visit);
    }

    #[cfg(unix)]
    fn fd(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        (**self).fd()
    }
}

impl<W: WireDevice + ?Sized> WireDevice for Box<W> {
    fn mtu(&self) -> usize {
        (**self).mtu()
    }

    fn receive(&mut self, now: Instant, packet: &mut Chunk) -> io::Result<PacketMeta> {
        (**self).receive(now, packet)
    }

    fn transmit(&mut self, now: Instant, packet: &[u8]) -> SendOutcome {
        (**self).transmit(now, packet)
    }

    fn flush(&mut self, now: Instant) {
        (**self).flush(now);
    }

    fn holds_back(&self) -> bool {
        (**self).holds_back()
    }

    fn deadline(&self) -> Option<Instant> {
        (**self).deadline()
    }

    fn counters(&self, visit: &mut CounterVisitor<'_>) {
        (**self).counters(visit);
    }

    #[cfg(unix)]
    fn fd(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        (**self).fd()
    }
}

/// The meta-data of a packet that was read at `now` and about which nothing else is known.
fn read_at(now: Instant) -> PacketMeta {
    PacketMeta { received_at: now, ..PacketMeta::default() }
}
