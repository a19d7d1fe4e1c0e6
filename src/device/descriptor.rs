//! The descriptor of a TUN interface: what both kinds of device do with it alike.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;

use super::CounterVisitor;
use crate::wire::SendOutcome;

/// An interface's descriptor, which does not block, with its name, MTU and counters.
#[derive(Debug)]
pub(super) struct Descriptor {
    file: File,
    name: String,
    mtu: usize,
    counters: Counters,
    /// The last packet was refused, and the log says so.
    failing: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counters {
    received_packets: u64,
    received_bytes: u64,
    sent_packets: u64,
    sent_bytes: u64,
    full: u64,
    failed: u64,
}

impl Descriptor {
    /// Takes over a descriptor that does not block.
    pub(super) fn new(file: File, name: String, mtu: usize) -> Self {
        Descriptor { file, name, mtu, counters: Counters::default(), failing: false }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn mtu(&self) -> usize {
        self.mtu
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Reads what comes next with `read`, which says how many bytes it was; `framing` of them are not the packet's.
    ///
    /// # Errors
    /// As [`Device::receive`](super::Device::receive).
    pub(super) fn receive(
        &mut self,
        framing: usize,
        mut read: impl FnMut(&mut File) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let len = loop {
            match read(&mut self.file) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_gone(&error) => return Err(self.gone()),
                result => break result?,
            }
        };
        self.counters.received_packets += 1;
        self.counters.received_bytes += len.saturating_sub(framing) as u64;
        Ok(len)
    }

    /// Writes a packet of `len` bytes with `write`: `Sent` or `Full`.
    ///
    /// # Errors
    /// The interface does not take it; see [`refused`](Descriptor::refused).
    pub(super) fn send(
        &mut self,
        len: usize,
        mut write: impl FnMut(&mut File) -> io::Result<usize>,
    ) -> io::Result<SendOutcome> {
        loop {
            match write(&mut self.file) {
                Ok(_) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.counters.full += 1;
                    return Ok(SendOutcome::Full);
                }
                Err(error) => return Err(error),
            }
        }
        self.failing = false;
        self.counters.sent_packets += 1;
        self.counters.sent_bytes += len as u64;
        Ok(SendOutcome::Sent)
    }

    /// Counts a packet that was not taken, and logs the first of several.
    pub(super) fn refused(&mut self, error: &io::Error) -> SendOutcome {
        self.counters.failed += 1;
        if !self.failing {
            self.failing = true;
            log::warn!("{}: packets cannot be sent: {error}: is the interface up?", self.name);
        }
        SendOutcome::Failed
    }

    pub(super) fn counters(&self, visit: &mut CounterVisitor<'_>) {
        let Counters { received_packets, received_bytes, sent_packets, sent_bytes, full, failed } =
            self.counters;
        visit("device_received_packets", "Packets read from the interface", received_packets);
        visit("device_received_bytes", "Bytes of them", received_bytes);
        visit("device_sent_packets", "Packets written to the interface", sent_packets);
        visit("device_sent_bytes", "Bytes of them", sent_bytes);
        visit("device_full", "Times that the interface had no room for a packet", full);
        visit("device_failed_packets", "Packets that the interface refused", failed);
    }

    fn gone(&self) -> io::Error {
        let message = format!("{}: the interface has been deleted", self.name);
        io::Error::new(io::ErrorKind::NotConnected, message)
    }
}

/// What reading says once the interface behind the descriptor has been deleted. One that is only down reads as empty.
fn is_gone(error: &io::Error) -> bool {
    let gone = [Errno::EBADFD, Errno::ENODEV, Errno::ENXIO];
    error.raw_os_error().is_some_and(|code| gone.contains(&Errno::from_raw(code)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deleted_interface_is_gone_and_one_that_is_down_is_not() {
        let says = |errno: Errno| is_gone(&io::Error::from_raw_os_error(errno as i32));
        assert!(says(Errno::EBADFD) && says(Errno::ENODEV) && says(Errno::ENXIO));
        assert!(!says(Errno::EIO) && !says(Errno::EAGAIN) && !says(Errno::ENETDOWN));
    }
}
