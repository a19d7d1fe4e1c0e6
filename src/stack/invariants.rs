//! What always holds, for tests and the simulator.

use super::Stack;
use super::flow::Flow;
use super::socket::{Known, Progress, Socket, TcpSocket};

impl Stack {
    /// `Err` says which invariant is violated: of a control block, or between the tables of the stack.
    pub fn check_invariants(&self) -> Result<(), String> {
        let connections = || {
            self.sockets.iter().filter_map(|(index, entry)| match &entry.socket {
                Socket::Tcp(tcp) => Some((index, tcp, entry.progress)),
                _ => None,
            })
        };
        for (index, tcp, progress) in connections() {
            let tuple = tcp.ends.tuple();
            self.check_connection(index, tcp, progress).map_err(|error| format!("{tuple:?}: {error}"))?;
        }
        self.check_listeners()?;
        let count = |known| connections().filter(|(_, _, progress)| progress.is(known)).count();
        let flows = count(Known::InDemux) + self.half_open.len() + self.time_wait.len();
        let marked = self.sockets.iter().filter(|(_, entry)| entry.output.is_wanted()).count();
        for (what, counted, kept) in [
            ("flows", flows, self.demux.len()),
            ("live connections", count(Known::Live), self.live),
            ("sockets that want to send", marked, self.output.wanted()),
        ] {
            if counted != kept {
                return Err(format!("{counted} {what}, counted as {kept}"));
            }
        }
        Ok(())
    }

    fn check_connection(&self, index: u32, tcp: &TcpSocket, progress: Progress) -> Result<(), String> {
        tcp.connection.check_invariants()?;
        let tuple = tcp.ends.tuple();
        let found = self.find_flow(self.demux.tag(&tuple), &tuple);
        if progress.is(Known::InDemux) && found != Some(Flow::Connection(index)) {
            return Err(format!("its segments go to {found:?}"));
        }
        if tcp.connection.is_finished() && tcp.connection.is_orphan() {
            return Err("finished and let go, but not freed".into());
        }
        match tcp.connection.deadline() {
            Some(deadline) if !self.timers.fires_by(index, deadline) => {
                Err(format!("no timer for its deadline {deadline}"))
            }
            _ => Ok(()),
        }
    }

    fn check_listeners(&self) -> Result<(), String> {
        for (index, entry) in self.sockets.iter() {
            let Socket::Listener(listener) = &entry.socket else { continue };
            let id = self.sockets.id_at(index);
            let (mut alive, mut pending) = (0, 0);
            for (_, entry) in self.sockets.iter() {
                if matches!(entry.socket, Socket::Tcp(_)) && Some(self.origins.listener(entry.origin)) == id {
                    alive += 1;
                    pending += usize::from(entry.progress.is(Known::FastOpen));
                }
            }
            for (what, counted, kept) in [
                ("connections", alive, listener.connections),
                ("pending Fast Opens", pending, listener.fast_opens.waiting()),
            ] {
                if counted != kept {
                    return Err(format!("{counted} {what} of {}, counted as {kept}", listener.local));
                }
            }
            for (position, &half_open) in listener.syn_queue.iter().enumerate() {
                let entry = self.half_open.at(half_open);
                if entry.is_none_or(|entry| entry.listener != index || entry.position as usize != position) {
                    return Err(format!("half-open {half_open} is not where {} has it", listener.local));
                }
            }
        }
        if let Some(index) = self.reopened.keys().find(|index| self.half_open.at(**index).is_none()) {
            return Err(format!("half-open {index} is gone, and what it took over is not"));
        }
        for (index, entry) in self.half_open.iter() {
            if self.find_flow(self.demux.tag(&entry.tuple), &entry.tuple) != Some(Flow::HalfOpen(index)) {
                return Err(format!("half-open {index} cannot be found"));
            }
        }
        Ok(())
    }
}
