//! Time passing: what is due, and when to come back.

use super::socket::Socket;
use super::{Instant, Stack};

impl Stack {
    /// Does what is due. To be called when the time has come that [`poll_timeout`](Stack::poll_timeout) named, and
    /// harmless at any other.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.tick(now);
        self.expire_fragments();
        while let Some(flow) = self.time_wait.expired(self.env.now) {
            self.forget_time_wait(flow);
        }
        while let Some(index) = self.syn_timers.pop_due() {
            self.half_open_timeout(index);
        }
        while let Some(index) = self.timers.pop_due() {
            self.connection_timeout(index);
        }
    }

    /// When to call [`handle_timeout`](Stack::handle_timeout): at the earliest timer, rounded up to 64 µs, or before
    /// it, as the wheel moves timers that are far away in a few steps.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let timers = Instant::earlier(self.timers.next(), self.syn_timers.next());
        let tables = Instant::earlier(self.time_wait.next_expiry(), self.fragments.next_expiry());
        Instant::earlier(timers, tables)
    }

    /// A connection's node has fired. Its deadline may have moved on since the node was placed.
    fn connection_timeout(&mut self, index: u32) {
        let Some(entry) = self.sockets.at_mut(index) else { return };
        let Socket::Tcp(tcp) = &mut entry.socket else { return };
        match tcp.connection.deadline() {
            None => {}
            Some(deadline) if deadline > self.env.now => self.timers.arm(index, deadline),
            Some(_) => {
                let mut cx = self.env.context();
                tcp.connection.handle_timeout(&mut cx);
                self.output.mark(index, &mut entry.output);
                self.settle(index);
            }
        }
    }
}
