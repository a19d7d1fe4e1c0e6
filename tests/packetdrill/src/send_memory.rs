//! `SO_SNDBUF` as Linux counts it: in packet buffers, not in bytes.
//!
//! A buffer holds up to half of the peer's largest window, in whole segments. Linux takes one more as long as those that
//! it has are below the limit, so that a write may go over it by a buffer; and while the first of them can be sent at
//! once, what is left of it is filled up again. A writer that found no room sleeps until a third is free.

use std::ffi::c_int;

use longwire::stack::{SocketId, TcpInfo};

use crate::descriptors::Socket;
use crate::errno::Result;
use crate::world::World;

/// No packet is larger.
const LARGEST: usize = 65_535 - 320;

impl World {
    /// `SO_SNDBUF` of a socket.
    pub(crate) fn send_memory(&self, fd: c_int) -> Result<usize> {
        Ok(self.memory_of(self.descriptors.socket(fd)?))
    }

    fn memory_of(&self, socket: &Socket) -> usize {
        socket.local.send_memory.unwrap_or(self.default_send_memory)
    }

    /// How much a write may bring now.
    pub(crate) fn send_room(&self, fd: c_int, id: SocketId) -> Result<usize> {
        Ok(room(&self.stack.info(id)?, self.send_memory(fd)?))
    }

    /// Whether a writer that found no room is woken.
    pub(crate) fn wakes_writer(&self, fd: c_int) -> Result<bool> {
        self.has_send_room(self.descriptors.socket(fd)?)
    }

    /// Whether so much room is free that `poll` tells of it.
    pub(crate) fn has_send_room(&self, socket: &Socket) -> Result<bool> {
        let info = self.stack.info(socket.connection()?)?;
        Ok(info.send_queue + info.send_queue / 2 <= self.memory_of(socket))
    }
}

/// Bytes that fit into the buffers that `limit` allows.
fn room(info: &TcpInfo, limit: usize) -> usize {
    if info.send_queue >= limit {
        return 0;
    }
    let mss = usize::from(info.snd_mss).max(1);
    let buffer = (info.snd_wnd as usize / 2).min(LARGEST) / mss * mss;
    let window = info.cwnd.min(info.snd_wnd).saturating_sub(info.in_flight) as usize;
    let unsent = info.send_queue.saturating_sub(info.in_flight as usize);
    let mut room = (window / mss * mss).saturating_sub(unsent);
    while info.send_queue + room < limit {
        room += buffer.max(mss);
    }
    room
}
