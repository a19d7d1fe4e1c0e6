//! Bytes in and out of a connection.

use std::ffi::c_int;

use longwire::stack::{Error, SendFlags, State};

use crate::errno::{AGAIN, BAD_DESCRIPTOR, Errno, Result};
use crate::world::World;

impl World {
    /// `read` and its relatives into one buffer.
    pub(crate) fn read(&mut self, fd: c_int, buffer: &mut [u8], flags: c_int) -> Result<usize> {
        let id = self.descriptors.socket(fd)?.connection()?;
        if flags & libc::MSG_ERRQUEUE != 0 {
            return Err(AGAIN); // there is no such queue
        }
        let peek = flags & libc::MSG_PEEK != 0;
        let result = if peek { self.stack.peek(id, buffer) } else { self.stack.read(id, buffer) };
        match result {
            Ok(count) => Ok(count),
            Err(Error::WouldBlock) => Err(AGAIN),
            // An error is told once; from then on the stream has simply ended.
            Err(error) => match self.take_error(fd)? {
                Some(ended) => Err(ended.into()),
                None if self.stack.error(id)?.is_some() => Ok(0),
                None => Err(error.into()),
            },
        }
    }

    /// `write` and its relatives: as much as there is room for.
    pub(crate) fn write(&mut self, fd: c_int, bytes: &[u8], flags: c_int) -> Result<usize> {
        let id = match self.descriptors.socket(fd)?.connection() {
            Ok(id) => id,
            Err(_) => return Err(Errno(libc::EPIPE)),
        };
        if flags & (libc::MSG_FASTOPEN | libc::MSG_OOB) != 0 {
            return Err(Errno(libc::EOPNOTSUPP));
        }
        let room = self.send_room(fd, id)?;
        if room == 0 && !bytes.is_empty() {
            return Err(AGAIN);
        }
        let more = flags & libc::MSG_MORE != 0 && bytes.len() <= room;
        let end_of_record = flags & libc::MSG_EOR != 0 && bytes.len() <= room;
        let bytes = &bytes[..bytes.len().min(room)];
        match self.stack.write_with(id, bytes, SendFlags { more, end_of_record }) {
            Ok(count) => Ok(count),
            Err(Error::WouldBlock) => Err(AGAIN),
            Err(error) => match self.take_error(fd)? {
                Some(ended) => Err(ended.into()),
                None if error == Error::StaleSocket => Err(BAD_DESCRIPTOR),
                None => Err(Errno(libc::EPIPE)),
            },
        }
    }

    /// `SIOCINQ`: bytes to read.
    pub(crate) fn unread(&self, fd: c_int) -> Result<usize> {
        let id = self.descriptors.socket(fd)?.connection().map_err(|_| Errno(libc::EINVAL))?;
        Ok(self.stack.info(id)?.receive_queue)
    }

    /// What `TCP_INQ` tells behind a message: bytes to read, or 1 for the end of the stream; `None` if not asked for.
    pub(crate) fn unread_hint(&self, fd: c_int) -> Result<Option<c_int>> {
        let socket = self.descriptors.socket(fd)?;
        if !socket.local.tell_unread {
            return Ok(None);
        }
        let id = socket.connection()?;
        let count = self.stack.info(id)?.receive_queue;
        let ended = count == 0 && self.is_peer_done(id)?;
        Ok(Some(if ended { 1 } else { c_int::try_from(count).unwrap_or(c_int::MAX) }))
    }

    /// `SIOCOUTQ`: bytes written and not acknowledged; `SIOCOUTQNSD`: those not even sent. Our FIN counts as one, as
    /// it takes a sequence number.
    pub(crate) fn unsent(&self, fd: c_int, only_unsent: bool) -> Result<usize> {
        let id = self.descriptors.socket(fd)?.connection().map_err(|_| Errno(libc::EINVAL))?;
        let info = self.stack.info(id)?;
        if only_unsent {
            return Ok(info.send_queue.saturating_sub(info.in_flight as usize));
        }
        let fin = matches!(info.state, State::FinWait1 | State::Closing | State::LastAck);
        Ok(info.send_queue + usize::from(fin))
    }
}
