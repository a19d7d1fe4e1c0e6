//! A cable made of Unix datagram sockets: packets in memory, with descriptors that an event loop can wait on.

use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;

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
    /// What keeps the sockets of a [`pair`](SocketEnd::pair) open.
    _cable: Option<Cable>,
}

impl SocketEnd {
    /// Two connected ends for packets of up to `mtu` bytes.
    ///
    /// # Errors
    /// No descriptors are left.
    pub fn pair(mtu: usize) -> io::Result<(SocketEnd, SocketEnd)> {
        let (a, b) = UnixDatagram::pair()?;
        let cable = Arc::new([a.try_clone()?, b.try_clone()?]);
        let end = |socket, near| -> io::Result<SocketEnd> {
            let cable = Cable { sockets: Arc::clone(&cable), near };
            Ok(SocketEnd { _cable: Some(cable), ..SocketEnd::new(socket, mtu)? })
        };
        Ok((end(a, 0)?, end(b, 1)?))
    }

    /// An end made of a socket that is connected to the other one.
    ///
    /// # Errors
    /// The socket cannot be made nonblocking.
    pub fn new(socket: UnixDatagram, mtu: usize) -> io::Result<SocketEnd> {
        socket.set_nonblocking(true)?;
        Ok(SocketEnd { socket, mtu, _cable: None })
    }
}

/// Keeps both sockets of a pair open until both ends have gone. When a socket sends to one that is closed, the kernel
/// throws away what the sender has received from it and not read yet: the last packets, resets among them.
#[derive(Debug)]
struct Cable {
    sockets: Arc<[UnixDatagram; 2]>,
    /// Which of them is this end's.
    near: usize,
}

/// More datagrams than a queue holds.
const DRAINED: usize = 100_000;

impl Drop for Cable {
    /// The other end finds that what it sends fails, as if the socket were closed; and if it waits for room, it is
    /// woken to find that.
    fn drop(&mut self) {
        let near = &self.sockets[self.near];
        if near.shutdown(Shutdown::Both).is_ok() {
            let _ = (0..DRAINED).take_while(|_| near.recv(&mut [0]).is_ok()).count();
        }
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
    fn the_last_packets_of_an_end_that_is_gone_are_there_even_after_sending_to_it() {
        let (mut a, mut b) = SocketEnd::pair(100).unwrap();
        assert_eq!(a.transmit(Instant::ZERO, b"reset"), SendOutcome::Sent);
        drop(a);
        assert_eq!(b.transmit(Instant::ZERO, b"x"), SendOutcome::Failed);
        let mut packet = Pool::new().take_largest();
        b.receive(Instant::ZERO, &mut packet).unwrap();
        assert_eq!(&packet[..], b"reset");
        assert_eq!(b.receive(Instant::ZERO, &mut packet).unwrap_err().kind(), io::ErrorKind::WouldBlock);
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
