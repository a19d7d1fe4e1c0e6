//! A cable made of Unix datagram sockets: packets in memory, with descriptors that an event loop can wait on.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixDatagram;

use super::{WireDevice, read_at};
use crate::buffer::Chunk;
use crate::time::Instant;
use crate::wire::{PacketMeta, SendOutcome};

/// One end of a connected pair of Unix datagram sockets, a packet a datagram. Each end may live in a process of its
/// own. A direction that nobody reads from is full after as many packets as the kernel likes, often a dozen.
///
/// ```
/// use longwire::device::{Cut, SocketEnd};
/// # fn main() -> std::io::Result<()> {
/// let (here, there) = SocketEnd::pair(1_500)?;
/// let (here, there) = (Cut::new(here), Cut::new(there)); // devices for two stacks
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct SocketEnd {
    socket: UnixDatagram,
    mtu: usize,
}

impl SocketEnd {
    /// Two connected ends for packets of up to `mtu` bytes.
    ///
    /// # Errors
    /// No descriptors are left.
    pub fn pair(mtu: usize) -> io::Result<(SocketEnd, SocketEnd)> {
        let (a, b) = UnixDatagram::pair()?;
        Ok((SocketEnd::new(a, mtu)?, SocketEnd::new(b, mtu)?))
    }

    /// An end made of a socket that is connected to the other one.
    ///
    /// # Errors
    /// The socket cannot be made nonblocking.
    pub fn new(socket: UnixDatagram, mtu: usize) -> io::Result<SocketEnd> {
        socket.set_nonblocking(true)?;
        Ok(SocketEnd { socket, mtu })
    }
}

impl WireDevice for SocketEnd {
    fn mtu(&self) -> usize {
        self.mtu
    }

    fn receive(&mut self, now: Instant, packet: &mut Chunk) -> io::Result<PacketMeta> {
        packet.clear();
        let len = self.socket.recv(packet.spare())?;
        packet.commit(len);
        Ok(read_at(now))
    }

    fn transmit(&mut self, _now: Instant, packet: &[u8]) -> SendOutcome {
        if packet.len() > self.mtu {
            return SendOutcome::Failed;
        }
        match self.socket.send(packet) {
            Ok(_) => SendOutcome::Sent,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => SendOutcome::Full,
            Err(_) => SendOutcome::Failed,
        }
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.socket.as_fd())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buffer::Pool;

    #[test]
    fn packets_arrive_whole_until_the_other_end_is_gone() {
        let (mut a, mut b) = SocketEnd::pair(100).unwrap();
        let mut packet = Pool::new().take_largest();
        assert_eq!(a.transmit(Instant::ZERO, b"one"), SendOutcome::Sent);
        assert_eq!(a.transmit(Instant::ZERO, &[0; 101]), SendOutcome::Failed, "longer than the MTU");
        let meta = b.receive(Instant::from_millis(3), &mut packet).unwrap();
        assert_eq!((&packet[..], meta.received_at), (&b"one"[..], Instant::from_millis(3)));
        assert_eq!(b.receive(Instant::ZERO, &mut packet).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(b);
        assert_eq!(a.transmit(Instant::ZERO, b"two"), SendOutcome::Failed);
    }

    #[test]
    fn an_end_that_nobody_reads_is_full_and_has_room_again() {
        let (mut a, mut b) = SocketEnd::pair(100).unwrap();
        let sent = (0..100_000).take_while(|_| a.transmit(Instant::ZERO, b"x") == SendOutcome::Sent).count();
        assert!((1..100_000).contains(&sent), "{sent} packets");
        let mut packet = Pool::new().take_largest();
        while b.receive(Instant::ZERO, &mut packet).is_ok() {}
        assert_eq!(a.transmit(Instant::ZERO, b"x"), SendOutcome::Sent);
    }
}
