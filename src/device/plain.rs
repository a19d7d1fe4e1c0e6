//! The plain TUN device: one packet a call, on any kernel.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;

use super::{CounterVisitor, WireDevice, read_at};
use crate::buffer::Chunk;
use crate::time::Instant;
use crate::wire::{PacketMeta, SendOutcome};

/// A TUN interface: one IP packet a read or write. Made by [`OpenTun::configure`](super::OpenTun::configure).
#[derive(Debug)]
pub struct Plain {
    file: File,
    name: String,
    mtu: usize,
    counters: Counters,
    /// The last packet was refused, and the log says so.
    failing: bool,
}

#[derive(Debug, Default)]
struct Counters {
    received_packets: u64,
    received_bytes: u64,
    sent_packets: u64,
    sent_bytes: u64,
    full: u64,
    failed: u64,
}

impl Plain {
    /// Takes over a descriptor that does not block.
    pub(super) fn new(file: File, name: String, mtu: usize) -> Self {
        Plain { file, name, mtu, counters: Counters::default(), failing: false }
    }

    /// The interface's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn gone(&self) -> io::Error {
        let message = format!("{}: the interface has been deleted", self.name);
        io::Error::new(io::ErrorKind::NotConnected, message)
    }

    fn refused(&mut self, error: &io::Error) -> SendOutcome {
        self.counters.failed += 1;
        if !self.failing {
            self.failing = true;
            log::warn!("{}: packets cannot be sent: {error}: is the interface up?", self.name);
        }
        SendOutcome::Failed
    }
}

/// What reading says once the interface behind the descriptor has been deleted. One that is only down reads as empty.
fn is_gone(error: &io::Error) -> bool {
    let gone = [Errno::EBADFD, Errno::ENODEV, Errno::ENXIO];
    error.raw_os_error().is_some_and(|code| gone.contains(&Errno::from_raw(code)))
}

impl WireDevice for Plain {
    fn mtu(&self) -> usize {
        self.mtu
    }

    fn receive(&mut self, now: Instant, packet: &mut Chunk) -> io::Result<PacketMeta> {
        packet.clear();
        let len = loop {
            match self.file.read(packet.spare()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_gone(&error) => return Err(self.gone()),
                result => break result?,
            }
        };
        packet.commit(len);
        self.counters.received_packets += 1;
        self.counters.received_bytes += len as u64;
        Ok(read_at(now))
    }

    fn transmit(&mut self, _now: Instant, packet: &[u8]) -> SendOutcome {
        loop {
            match self.file.write(packet) {
                Ok(_) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.counters.full += 1;
                    return SendOutcome::Full;
                }
                Err(error) => return self.refused(&error),
            }
        }
        self.failing = false;
        self.counters.sent_packets += 1;
        self.counters.sent_bytes += packet.len() as u64;
        SendOutcome::Sent
    }

    fn counters(&self, visit: &mut CounterVisitor<'_>) {
        let Counters { received_packets, received_bytes, sent_packets, sent_bytes, full, failed } =
            self.counters;
        visit("device_received_packets", "Packets read from the interface", received_packets);
        visit("device_received_bytes", "Bytes of them", received_bytes);
        visit("device_sent_packets", "Packets written to the interface", sent_packets);
        visit("device_sent_bytes", "Bytes of them", sent_bytes);
        visit("device_full", "Times that the interface had no room for a packet", full);
        visit("device_failed_packets", "Packets that the interface refused", failed);
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.file.as_fd())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buffer::Pool;
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixDatagram;

    /// Two devices on the ends of a socket pair, which keeps packets apart and blocks as a TUN interface would.
    fn pair() -> (Plain, Plain) {
        let (a, b) = UnixDatagram::pair().unwrap();
        let [a, b] = [a, b].map(|socket| {
            socket.set_nonblocking(true).unwrap();
            Plain::new(File::from(OwnedFd::from(socket)), "pair".to_owned(), 1_500)
        });
        (a, b)
    }

    #[test]
    fn packets_keep_their_boundaries() {
        let (mut a, mut b) = pair();
        assert_eq!(a.transmit(Instant::ZERO, b"one"), SendOutcome::Sent);
        assert_eq!(a.transmit(Instant::ZERO, &[7; 1_500]), SendOutcome::Sent);
        let mut packet = Pool::new().take_largest();
        let now = Instant::from_millis(3);
        assert_eq!(b.receive(now, &mut packet).unwrap().received_at, now);
        assert_eq!(&packet[..], b"one");
        b.receive(now, &mut packet).unwrap();
        assert_eq!(packet.len(), 1_500);
        assert_eq!(b.receive(now, &mut packet).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert!(packet.is_empty(), "cleared even so");
    }

    #[test]
    fn a_full_device_takes_packets_again_once_somebody_reads() {
        let (mut a, mut b) = pair();
        let sent =
            (0..100_000).take_while(|_| a.transmit(Instant::ZERO, &[7; 1_500]) == SendOutcome::Sent).count();
        assert!(sent > 0 && sent < 100_000, "{sent}");
        let mut packet = Pool::new().take_largest();
        while b.receive(Instant::ZERO, &mut packet).is_ok() {}
        assert_eq!(a.transmit(Instant::ZERO, &[7; 1_500]), SendOutcome::Sent);
        assert_eq!((a.counters.full, a.counters.sent_packets), (1, sent as u64 + 1));
    }

    #[test]
    fn a_deleted_interface_is_gone_and_one_that_is_down_is_not() {
        let says = |errno: Errno| is_gone(&io::Error::from_raw_os_error(errno as i32));
        assert!(says(Errno::EBADFD) && says(Errno::ENODEV) && says(Errno::ENXIO));
        assert!(!says(Errno::EIO) && !says(Errno::EAGAIN) && !says(Errno::ENETDOWN));
    }

    #[test]
    fn a_refused_packet_is_counted_and_not_tried_again() {
        let (mut a, b) = pair();
        drop(b);
        assert_eq!(a.transmit(Instant::ZERO, b"x"), SendOutcome::Failed);
        assert_eq!(a.transmit(Instant::ZERO, b"x"), SendOutcome::Failed);
        assert_eq!(a.counters.failed, 2);
    }
}
