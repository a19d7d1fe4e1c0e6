//! What `poll` and epoll say about a socket.

use std::ffi::c_int;

use longwire::stack::{SocketId, State};

use crate::descriptors::Role;
use crate::errno::Result;
use crate::world::World;

const IN: u32 = libc::EPOLLIN as u32 | libc::EPOLLRDNORM as u32;
const OUT: u32 = libc::EPOLLOUT as u32 | libc::EPOLLWRNORM as u32;
const HUP: u32 = libc::EPOLLHUP as u32;
const RDHUP: u32 = libc::EPOLLRDHUP as u32;
const ERR: u32 = libc::EPOLLERR as u32;

impl World {
    /// The events that hold for a descriptor now; the values of `poll` and of epoll are the same.
    ///
    /// # Errors
    /// As for [`socket`](crate::descriptors::Descriptors::socket).
    pub(crate) fn events(&mut self, fd: c_int) -> Result<u32> {
        let socket = self.descriptors.socket(fd)?;
        Ok(match socket.role {
            Role::Fresh(_) => OUT | HUP,
            Role::Listener(id) => {
                if self.stack.readiness(id)?.readable {
                    IN
                } else {
                    0
                }
            }
            Role::Connection(_) => self.connection_events(fd)?,
        })
    }

    fn connection_events(&mut self, fd: c_int) -> Result<u32> {
        let id = self.descriptors.socket(fd)?.connection()?;
        let readiness = self.stack.readiness(id)?;
        let socket = self.descriptors.socket(fd)?;
        let peer_done = self.is_peer_done(id)?;
        let mut events = 0;
        for (holds, bits) in [
            (readiness.readable, IN),
            (readiness.writable && self.has_send_room(socket)?, OUT),
            (peer_done, RDHUP),
            (readiness.closed, HUP),
            (readiness.failed && !socket.error_reported, ERR),
        ] {
            if holds {
                events |= bits;
            }
        }
        Ok(events)
    }

    /// Whether the peer has sent all that it will.
    pub(crate) fn is_peer_done(&self, id: SocketId) -> Result<bool> {
        Ok(matches!(
            self.stack.info(id)?.state,
            State::CloseWait | State::LastAck | State::Closing | State::TimeWait | State::Closed
        ))
    }
}
