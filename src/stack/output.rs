//! The way out: control packets first, then the sockets in turn.

use super::link::ConnectionLink;
use super::outbox::Control;
use super::output_queue::OutputQueue;
use super::socket::Socket;
use super::{Instant, SendOutcome, Sink, SocketId, Stack};
use crate::tcp::Transmit;
use crate::wire::TcpFlags;

/// Packets that one call sends, so that input, timers and other threads get their turn. One connection's turn is not
/// cut short: it may be as many super-packets as [`tcp`](crate::tcp) sends at once.
const BUDGET: usize = 64;

/// How [`Stack::poll_transmit`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flushed {
    /// Nothing is left.
    Done,
    /// The sink is full: call again when it has room.
    Full,
    /// The budget of one call is spent and there is more: call again soon.
    More,
}

impl Stack {
    /// Sends what is to be sent. Packets to ourselves come in again within the call.
    pub fn poll_transmit(&mut self, now: Instant, sink: &mut dyn Sink) -> Flushed {
        self.tick(now);
        let mut budget = BUDGET;
        loop {
            let before = budget;
            let flushed = self.flush(sink, &mut budget);
            let looped = self.env.loopback.len() > 0;
            self.take_loopback();
            let progress = looped || budget < before;
            match flushed {
                Flushed::Full => return Flushed::Full,
                _ if !self.wants_transmit() => return Flushed::Done,
                _ if budget == 0 || !progress => return Flushed::More,
                _ => {}
            }
        }
    }

    /// Sends for one socket only, for a thread that has just written to it. What others have to send waits for
    /// [`poll_transmit`](Stack::poll_transmit).
    pub fn poll_transmit_socket(&mut self, now: Instant, id: SocketId, sink: &mut dyn Sink) -> Flushed {
        self.tick(now);
        match self.sockets.get(id) {
            Some(entry) if entry.output.is_wanted() => self.flush_socket(id.index, sink, &mut { BUDGET }),
            _ => Flushed::Done,
        }
    }

    /// Whether [`poll_transmit`](Stack::poll_transmit) has work now.
    pub fn wants_transmit(&self) -> bool {
        self.output.wanted() > 0 || !self.outbox.is_empty() || self.env.loopback.len() > 0
    }

    /// Whether all that [`poll_transmit`](Stack::poll_transmit) would send is acknowledgments of data that came in
    /// order: they may wait while more packets lie in the device, so that one stands for all of them.
    pub fn transmit_can_wait(&self) -> bool {
        self.output.urgent() == 0 && self.outbox.is_empty() && self.env.loopback.len() == 0
    }

    /// Control packets, and one turn for each socket that has one now.
    fn flush(&mut self, sink: &mut dyn Sink, budget: &mut usize) -> Flushed {
        let flushed = self.flush_outbox(sink, budget);
        if flushed != Flushed::Done {
            return flushed;
        }
        for _ in 0..self.output.turns() {
            let Some(index) = self.output.pop() else { break };
            let wants =
                self.sockets.at_mut(index).is_some_and(|entry| OutputQueue::take_turn(&mut entry.output));
            if !wants {
                continue;
            }
            if self.flush_socket(index, sink, budget) == Flushed::Full {
                return Flushed::Full;
            }
            if *budget == 0 {
                return Flushed::More;
            }
        }
        Flushed::Done
    }

    fn flush_outbox(&mut self, sink: &mut dyn Sink, budget: &mut usize) -> Flushed {
        while let Some(packet) = self.outbox.pop() {
            let (mut link, _) = self.env.link(sink);
            match link.control(&packet) {
                SendOutcome::Full => {
                    let flushed = if link.loopback_full { Flushed::More } else { Flushed::Full };
                    self.outbox.put_back(packet);
                    return flushed;
                }
                SendOutcome::Sent => self.count_control(&packet),
                SendOutcome::Failed => {}
            }
            *budget -= 1;
            if *budget == 0 {
                return Flushed::More;
            }
        }
        Flushed::Done
    }

    /// Connections count their own segments; these belong to none.
    fn count_control(&mut self, packet: &Control) {
        match packet {
            Control::Segment { header, .. } => {
                self.env.counters.tcp.segments_sent += 1;
                self.env.counters.tcp.resets_sent += u64::from(header.has(TcpFlags::RST));
            }
            Control::Datagram(_) => {}
        }
    }

    /// Sends for one socket and gives it another turn if it has more.
    fn flush_socket(&mut self, index: u32, sink: &mut dyn Sink, budget: &mut usize) -> Flushed {
        let Some(entry) = self.sockets.at_mut(index) else { return Flushed::Done };
        let (mut link, mut cx) = self.env.link(sink);
        link.hop_limit = entry.hop_limit;
        let transmitted = match &mut entry.socket {
            Socket::Tcp(tcp) => {
                let tuple = tcp.ends.tuple();
                tcp.connection.poll_transmit(&mut cx, &mut ConnectionLink { link: &mut link, tuple })
            }
            Socket::Udp(udp) => udp.queue.poll_transmit(&mut link),
            Socket::Ping(ping) => ping.queue.poll_transmit(&mut link),
            Socket::Listener(_) => Transmit::Done,
        };
        let (sent, loopback_full) = (link.sent, link.loopback_full);
        *budget = budget.saturating_sub(sent);
        let flushed = match transmitted {
            Transmit::Done => Flushed::Done,
            // Room for packets to ourselves comes of itself; the others need not wait for it.
            Transmit::Full if loopback_full => Flushed::More,
            Transmit::Full => Flushed::Full,
            Transmit::More => Flushed::More,
        };
        match flushed {
            Flushed::Done => self.output.clear(&mut entry.output),
            Flushed::More => self.output.mark(index, &mut entry.output),
            Flushed::Full => self.output.mark_first(index, &mut entry.output),
        }
        match &entry.socket {
            Socket::Tcp(_) => self.settle(index),
            _ => self.settle_datagrams(index, sent),
        }
        flushed
    }
}
