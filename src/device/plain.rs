//! The plain TUN device: one packet a call, on any kernel.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::BorrowedFd;

use super::descriptor::Descriptor;
use super::interface::TunDevice;
use super::{CounterVisitor, DeviceError, WireDevice, read_at, system};
use crate::buffer::Chunk;
use crate::time::Instant;
use crate::wire::{PacketMeta, SendOutcome};

/// A TUN interface: one IP packet a read or write. Made by [`OpenTun::configure`](super::OpenTun::configure).
#[derive(Debug)]
pub struct Plain {
    descriptor: Descriptor,
}

impl Plain {
    /// The interface's name.
    pub fn name(&self) -> &str {
        self.descriptor.name()
    }
}

impl TunDevice for Plain {
    fn attach(interface: &str) -> Result<File, DeviceError> {
        system::open_tun(interface).map_err(|error| DeviceError::from_open(interface, error))
    }

    fn attach_queue(interface: &str) -> Result<File, DeviceError> {
        system::open_tun_queue(interface).map_err(|error| DeviceError::from_open_queue(interface, error))
    }

    fn over(file: File, name: String, mtu: usize) -> Self {
        Plain { descriptor: Descriptor::new(file, name, mtu) }
    }
}

impl WireDevice for Plain {
    fn mtu(&self) -> usize {
        self.descriptor.mtu()
    }

    fn receive(&mut self, now: Instant, packet: &mut Chunk) -> io::Result<PacketMeta> {
        packet.clear();
        let len = self.descriptor.receive(0, |file| file.read(packet.spare()))?;
        packet.commit(len);
        Ok(read_at(now))
    }

    fn transmit(&mut self, _now: Instant, packet: &[u8]) -> SendOutcome {
        let sent = self.descriptor.send(packet.len(), |file| file.write(packet));
        sent.unwrap_or_else(|error| self.descriptor.refused(&error))
    }

    fn counters(&self, visit: &mut CounterVisitor<'_>) {
        self.descriptor.counters(visit);
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.descriptor.fd())
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
            Plain::over(File::from(OwnedFd::from(socket)), "pair".to_owned(), 1_500)
        });
        (a, b)
    }

    fn counter(plain: &Plain, wanted: &str) -> u64 {
        let mut found = None;
        plain.counters(&mut |name, _, value| found = found.or((name == wanted).then_some(value)));
        found.unwrap()
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
        let counter = |name| counter(&a, name);
        assert_eq!((counter("device_full"), counter("device_sent_packets")), (1, sent as u64 + 1));
    }

    #[test]
    fn a_refused_packet_is_counted_and_not_tried_again() {
        let (mut a, b) = pair();
        drop(b);
        assert_eq!(a.transmit(Instant::ZERO, b"x"), SendOutcome::Failed);
        assert_eq!(a.transmit(Instant::ZERO, b"x"), SendOutcome::Failed);
        assert_eq!(counter(&a, "device_failed_packets"), 2);
    }
}
