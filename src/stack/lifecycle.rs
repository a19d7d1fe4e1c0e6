//! What follows from a change in a connection: events, timers, TIME-WAIT, the end of its socket.

use super::demux::Tag;
use super::flow::{Flow, FourTuple};
use super::socket::{Entry, Known, Socket, Stage};
use super::{Error, Readiness, SocketId, Stack};
use crate::tcp::{State, TimeWait};

impl Stack {
    /// Brings everything around a connection up to date. To be called after whatever may have changed it.
    pub(super) fn settle(&mut self, index: u32) {
        let Some(id) = self.sockets.id_at(index) else { return };
        self.pass_to_listener(id);
        self.settle_fast_open(index);
        let Some(entry) = self.sockets.at_mut(index) else { return };
        let Socket::Tcp(tcp) = &mut entry.socket else { return };
        if let Some(deadline) = tcp.connection.deadline() {
            self.timers.arm(index, deadline);
        }
        let events = tcp.connection.take_events();
        let progress = &mut entry.progress;
        if progress.stage() == Stage::Open {
            self.events.post(id, &mut entry.untold, events.into());
        }
        let finished = tcp.connection.is_finished();
        let waiting = tcp.connection.time_wait();
        // All that was written has arrived, and nobody is there to read: what is left is the peer's affair.
        let delivered = tcp.connection.is_orphan() && tcp.connection.state() == State::FinWait2;
        if (finished || waiting.is_some() || delivered) && progress.unset(Known::Live) {
            self.live -= 1;
        }
        let free = finished && (tcp.connection.is_orphan() || progress.stage() == Stage::Handshake);
        if progress.is(Known::InDemux) && tcp.connection.state() == State::Closed || waiting.is_some() {
            self.leave_demux(index, waiting);
        }
        if free {
            self.free_connection(index);
        }
    }

    /// A passive open that has become a connection goes to its listener's accept queue.
    fn pass_to_listener(&mut self, id: SocketId) {
        let Some(entry) = self.sockets.at_mut(id.index) else { return };
        let Socket::Tcp(tcp) = &entry.socket else { return };
        if entry.progress.stage() != Stage::Handshake || !tcp.connection.can_be_accepted() {
            return;
        }
        entry.progress.enter(Stage::Waiting);
        let listener = self.origins.listener(entry.origin);
        let Some(entry) = self.sockets.get_mut(listener) else { return self.abandon(id.index) };
        if let Socket::Listener(listening) = &mut entry.socket {
            listening.accept_queue.push_back(id);
            self.events.post(listener, &mut entry.untold, Readiness::READABLE);
        }
    }

    /// Segments of the connection's 4-tuple do not come to it any more, but to an entry in TIME-WAIT if it is there.
    fn leave_demux(&mut self, index: u32, waiting: Option<TimeWait>) {
        let Some(entry) = self.sockets.at_mut(index) else { return };
        let Socket::Tcp(tcp) = &entry.socket else { return };
        if !entry.progress.unset(Known::InDemux) {
            return;
        }
        let tuple = tcp.ends.tuple();
        let tag = self.demux.tag(&tuple);
        self.demux.remove(tag, Flow::Connection(index));
        if let Some(state) = waiting {
            self.enter_time_wait(&tuple, tag, state);
        }
    }

    fn enter_time_wait(&mut self, tuple: &FourTuple, tag: Tag, state: TimeWait) {
        self.env.counters.stack.time_wait += 1;
        self.wait_out(tuple, tag, state);
    }

    /// Adds an entry in TIME-WAIT whose time begins now.
    pub(super) fn wait_out(&mut self, tuple: &FourTuple, tag: Tag, state: TimeWait) {
        if let Some(oldest) = self.time_wait.to_evict() {
            self.env.counters.stack.time_wait_evicted += 1;
            self.forget_time_wait(oldest);
        }
        let expires = self.env.now + self.env.config.tcp.time_wait();
        if let Some(flow) = self.time_wait.insert(tuple, state, expires) {
            self.demux.insert(tag, flow);
        }
    }

    /// Ends an entry in TIME-WAIT.
    pub(super) fn forget_time_wait(&mut self, flow: Flow) {
        if let Some(tuple) = self.time_wait.tuple(flow) {
            let tag = self.demux.tag(&tuple);
            self.demux.remove(tag, flow);
            self.time_wait.remove(flow);
        }
    }

    /// A new connection takes the place of one in TIME-WAIT (RFC 6191); returns what was remembered of that.
    pub(super) fn take_over(&mut self, flow: Flow, tag: Tag) -> Option<TimeWait> {
        let old = self.time_wait.get(flow).map(|(state, _)| *state);
        self.env.counters.stack.time_wait_reused += 1;
        self.demux.remove(tag, flow);
        self.time_wait.remove(flow);
        old
    }

    /// Ends a connection that no application will ever hold, with a reset.
    pub(super) fn abandon(&mut self, index: u32) {
        let Some(entry) = self.sockets.at_mut(index) else { return };
        let Socket::Tcp(tcp) = &mut entry.socket else { return };
        entry.progress.enter(Stage::Open);
        tcp.connection.abort(Error::ConnectionAborted);
        let mut cx = self.env.context();
        tcp.connection.close(&mut cx);
        self.output.mark(index, &mut entry.output);
        self.settle(index);
    }

    /// Frees a socket's place. It no longer wants to send.
    pub(super) fn take_socket(&mut self, index: u32) -> Option<Entry> {
        let mut entry = self.sockets.remove(index)?;
        self.output.clear(&mut entry.output);
        Some(entry)
    }

    fn free_connection(&mut self, index: u32) {
        self.leave_demux(index, None);
        self.timers.cancel(index);
        let Some(entry) = self.take_socket(index) else { return };
        let listener = self.origins.listener(entry.origin);
        if let Some(Entry { socket: Socket::Listener(listening), .. }) = self.sockets.get_mut(listener) {
            listening.connections -= 1;
        }
        self.origins.leave(entry.origin);
    }
}
