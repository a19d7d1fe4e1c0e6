//! Echo over UDP.

use crate::driver::{SharedStack, SocketId};

/// Datagrams that are answered in one turn, for each socket.
const BUDGET: usize = 256;
/// The longest datagram.
const LONGEST: usize = 65_535;
/// A request from a port below this is no person's: two services that answer each other would never stop.
const FIRST_ANSWERED_PORT: u16 = 1024;

/// The sockets of the service.
#[derive(Default)]
pub(super) struct Datagrams {
    /// Each with whether something may have come.
    sockets: Vec<(SocketId, bool)>,
    buffer: Vec<u8>,
}

impl Datagrams {
    pub(super) fn add(&mut self, socket: SocketId) {
        self.sockets.push((socket, true));
        self.buffer.resize(LONGEST, 0);
    }

    /// Gives the sockets away.
    pub(super) fn take(&mut self) -> impl Iterator<Item = SocketId> + use<> {
        std::mem::take(&mut self.sockets).into_iter().map(|(socket, _)| socket)
    }

    /// Something has happened to a socket; `false` if it is none of these.
    pub(super) fn notice(&mut self, socket: SocketId) -> bool {
        let ours = self.sockets.iter_mut().find(|(ours, _)| *ours == socket);
        ours.map(|(_, readable)| *readable = true).is_some()
    }

    pub(super) fn has_more(&self) -> bool {
        self.sockets.iter().any(|(_, readable)| *readable)
    }

    /// Answers what has come. An answer for which there is no room is lost, as datagrams may be.
    pub(super) fn run(&mut self, stack: &SharedStack) {
        let Datagrams { sockets, buffer } = self;
        for (socket, readable) in sockets.iter_mut().filter(|(_, readable)| *readable) {
            *readable = stack.with(|stack| {
                for _ in 0..BUDGET {
                    let Ok((length, from)) = stack.udp_recv_from(*socket, buffer) else { return false };
                    if from.port() >= FIRST_ANSWERED_PORT {
                        let _ = stack.udp_send_to(*socket, &buffer[..length], from);
                    }
                }
                true
            });
        }
    }
}
