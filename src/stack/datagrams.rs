//! The two queues of a socket that sends and receives whole messages.

use std::collections::VecDeque;

use super::link::Link;
use super::outbox::Datagram;
use super::{Chunk, Error, SendOutcome};
use crate::tcp::Transmit;

/// Most memory that the messages of one direction pin, in bytes.
const MAX_BYTES: usize = 512 * 1024;

/// Messages received, each with its origin, and messages to be sent.
#[derive(Debug)]
pub(super) struct Datagrams<O> {
    received: VecDeque<(O, Chunk)>,
    received_bytes: usize,
    sending: VecDeque<Datagram>,
    sending_bytes: usize,
    /// Somebody was told that there is no room to send.
    blocked: bool,
}

impl<O> Default for Datagrams<O> {
    fn default() -> Self {
        Datagrams {
            received: VecDeque::new(),
            received_bytes: 0,
            sending: VecDeque::new(),
            sending_bytes: 0,
            blocked: false,
        }
    }
}

impl<O> Datagrams<O> {
    /// Keeps a message for the application; `false` if there is no room.
    pub(super) fn deliver(&mut self, origin: O, payload: Chunk) -> bool {
        if self.received_bytes + payload.capacity() > MAX_BYTES {
            return false;
        }
        self.received_bytes += payload.capacity();
        self.received.push_back((origin, payload));
        true
    }

    /// Copies the oldest message out, as much of it as fits, and drops it.
    ///
    /// # Errors
    /// `WouldBlock` if there is none.
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> Result<(usize, O), Error> {
        let (origin, payload) = self.received.pop_front().ok_or(Error::WouldBlock)?;
        self.received_bytes -= payload.capacity();
        let len = payload.len().min(buffer.len());
        buffer[..len].copy_from_slice(&payload[..len]);
        Ok((len, origin))
    }

    /// Copies the oldest message out, as much of it as fits, and leaves it where it is.
    ///
    /// # Errors
    /// `WouldBlock` if there is none.
    pub(super) fn peek(&self, buffer: &mut [u8]) -> Result<(usize, &O), Error> {
        let (origin, payload) = self.received.front().ok_or(Error::WouldBlock)?;
        let len = payload.len().min(buffer.len());
        buffer[..len].copy_from_slice(&payload[..len]);
        Ok((len, origin))
    }

    /// Memory that waits to be received, and to be sent, in bytes.
    pub(super) fn queued(&self) -> (usize, usize) {
        (self.received_bytes, self.sending_bytes)
    }

    /// Whether there is a message to receive.
    pub(super) fn is_readable(&self) -> bool {
        !self.received.is_empty()
    }

    /// Whether there is room to send another small message.
    pub(super) fn is_writable(&self) -> bool {
        self.sending_bytes < MAX_BYTES
    }

    /// Somebody asks whether there is room: without any, it is told once there is.
    pub(super) fn expect_room(&mut self) {
        self.blocked |= !self.is_writable();
    }

    /// Queues a message to be sent.
    ///
    /// # Errors
    /// `WouldBlock` if the queue is full.
    pub(super) fn send(&mut self, datagram: Datagram) -> Result<(), Error> {
        if !self.is_writable() {
            self.blocked = true;
            return Err(Error::WouldBlock);
        }
        self.sending_bytes += datagram.payload.capacity();
        self.sending.push_back(datagram);
        Ok(())
    }

    /// Sends what is queued.
    pub(super) fn poll_transmit(&mut self, link: &mut Link<'_>) -> Transmit {
        while let Some(datagram) = self.sending.front() {
            if link.datagram(datagram) == SendOutcome::Full {
                return Transmit::Full;
            }
            self.sending_bytes -= datagram.payload.capacity();
            self.sending.pop_front();
        }
        Transmit::Done
    }

    /// Whether somebody waits for room and there is some now. Tells it once.
    pub(super) fn take_unblocked(&mut self) -> bool {
        self.is_writable() && std::mem::take(&mut self.blocked)
    }

    /// What is still to be sent when the socket goes.
    pub(super) fn into_unsent(self) -> VecDeque<Datagram> {
        self.sending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{IpPair, Protocol};

    #[test]
    fn both_directions_are_bounded() {
        let addresses = IpPair::new("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()).unwrap();
        let mut queues = Datagrams::<u8>::default();
        let kept = (0..100).filter(|&i| queues.deliver(i, Chunk::copy_of(&[0; 16_384]))).count();
        assert_eq!(kept * 16_384, MAX_BYTES);
        let sent = (0..100)
            .filter(|_| {
                let payload = Chunk::copy_of(&[0; 16_384]);
                queues.send(Datagram { addresses, protocol: Protocol::UDP, header: [0; 8], payload }).is_ok()
            })
            .count();
        assert_eq!(sent * 16_384, MAX_BYTES);
        assert!(!queues.is_writable() && queues.is_readable());
    }

    #[test]
    fn a_short_buffer_loses_the_rest_of_its_message_only() {
        let mut queues = Datagrams::default();
        queues.deliver(1, Chunk::copy_of(b"first"));
        queues.deliver(2, Chunk::copy_of(b"second"));
        let mut buffer = [0; 3];
        assert_eq!(queues.receive(&mut buffer), Ok((3, 1)));
        assert_eq!(&buffer, b"fir");
        assert_eq!(queues.receive(&mut buffer), Ok((3, 2)));
        assert_eq!(&buffer, b"sec");
        assert_eq!(queues.receive(&mut buffer), Err(Error::WouldBlock));
        assert_eq!(queues.received_bytes, 0);
    }
}
