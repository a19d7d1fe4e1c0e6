//! Passive opens: from a SYN to a connection in its listener's accept queue (RFC 9293 3.5).

use std::net::IpAddr;
use std::sync::Arc;

use super::demux::Tag;
use super::fast_open::FastOpening;
use super::flow::{Ends, Flow, FourTuple, source};
use super::listener::Listener;
use super::socket::{Entry, HalfOpenEntry, Progress, SharedOptions, Socket, Stage, TcpSocket};
use super::tcp_input::Segment;
use super::{Chunk, Stack};
use crate::tcp::{Connection, EcnMode, HalfOpen, HalfOpenReply, HalfOpenTimeout, Open, TimeWait};
use crate::wire::{FastOpenCookie, SeqNumber, TcpHeader};

/// Least segment size that a socket can ask for: below it headers are most of what is sent.
const MIN_SEGMENT: u16 = 48;

impl Stack {
    /// Answers a SYN, if the listener's limits allow it. `old` is an earlier connection between the same ends, in
    /// TIME-WAIT, whose place the new one takes (RFC 6191); a SYN that is refused leaves it there.
    pub(super) fn start_handshake(
        &mut self,
        listener: u32,
        segment: &Segment,
        payload: &mut Chunk,
        old: Option<Flow>,
    ) {
        let (at_limit, out_of_memory) = (self.is_at_socket_limit(), self.exceeds_memory());
        let Some(listening) = listener_at(&mut self.sockets, listener) else { return };
        let refused = if listening.is_accept_queue_full() {
            Some(&mut self.env.counters.stack.accept_queue_full_syn)
        } else if listening.is_at_limit() {
            Some(&mut self.env.counters.stack.listener_limit)
        } else if at_limit {
            Some(&mut self.env.counters.stack.socket_limit_syn)
        } else if out_of_memory {
            Some(&mut self.env.counters.stack.memory_limit_syn)
        } else {
            None
        };
        if let Some(counter) = refused {
            *counter += 1;
            return;
        }
        if listening.is_syn_queue_full() {
            if old.is_none() {
                return self.answer_with_cookie(listener, segment);
            }
            // The entry in TIME-WAIT would get the last ACK. It also shows that the peer is where it says: no flood.
            self.evict_half_open(listener);
        }
        let old = old.and_then(|old| self.take_over(old, segment.tag));
        match self.judge_fast_open(listener, segment) {
            FastOpening::No => self.answer_syn(listener, segment, old, None),
            FastOpening::Grant(cookie) => self.answer_syn(listener, segment, old, Some(cookie)),
            FastOpening::Yes { grant } => self.open_fast(listener, segment, payload, old, grant),
        }
    }

    /// `old` is an earlier connection whose place the new one takes, `grant` a cookie for the peer's next SYN.
    fn answer_syn(
        &mut self,
        listener: u32,
        segment: &Segment,
        old: Option<TimeWait>,
        grant: Option<FastOpenCookie>,
    ) {
        let Segment { header: syn, tuple, tag, .. } = segment;
        let Some(listening) = listener_at(&mut self.sockets, listener) else { return };
        let options = Arc::clone(&listening.options);
        let position = listening.syn_queue.len() as u32;
        let open = self.open(tuple, old.map(|old| old.snd_nxt), options);
        let mut half = self.half_open_for(syn, &open);
        let mut syn_ack = half.syn_ack(self.env.now);
        syn_ack.options.fast_open = grant;
        let index = self.half_open.insert(HalfOpenEntry { half, tuple: *tuple, listener, position }).index;
        if let Some(listening) = listener_at(&mut self.sockets, listener) {
            listening.syn_queue.push(index);
        }
        old.and_then(|old| self.reopened.insert(index, old));
        self.demux.insert(*tag, Flow::HalfOpen(index));
        self.syn_timers.arm(index, self.env.now + HalfOpen::first_timeout());
        self.env.counters.stack.handshakes_started += 1;
        self.answer(tuple, syn_ack);
    }

    /// What is to be remembered of a SYN.
    pub(super) fn half_open_for(&self, syn: &TcpHeader, open: &Open) -> HalfOpen {
        let window = open.options.receive_buffer;
        let mut half = HalfOpen::new(syn, open.iss, open.timestamp_offset, open.mss, window);
        half.ecn &= self.env.config.tcp.ecn != EcnMode::Off;
        if !self.env.config.tcp.timestamps {
            half.ts_recent = None; // offered, and not accepted (RFC 7323 3.2)
        }
        half
    }

    /// How a connection between these ends begins. `floor` is where an earlier one stopped: the new one starts above
    /// it (RFC 1122 4.2.2.13), beyond any window that the old one could have been granted without scaling.
    pub(super) fn open(&self, tuple: &FourTuple, floor: Option<SeqNumber>, options: SharedOptions) -> Open {
        let FourTuple { addresses, local_port, remote_port } = tuple;
        let isn = self.isn.isn(self.env.now, addresses, *local_port, *remote_port);
        let floor = floor.map_or(isn, |floor| floor + 65_536);
        let (headers, default_mss) = match source(addresses) {
            IpAddr::V4(_) => (40, 536),
            IpAddr::V6(_) => (60, 1220),
        };
        let device = u16::try_from(self.env.config.mtu.saturating_sub(headers)).unwrap_or(u16::MAX);
        Open {
            iss: isn.max(floor),
            timestamp_offset: self.isn.timestamp_offset(addresses, *local_port, *remote_port),
            mss: options.max_segment.map_or(device, |most| most.max(MIN_SEGMENT).min(device)),
            default_mss,
            options,
        }
    }

    /// Makes room in a SYN queue. The peer of the one that goes may well be there: nothing says that its SYN was an old
    /// duplicate, and a connection whose place it took does not come back in its way.
    fn evict_half_open(&mut self, listener: u32) {
        let Stack { sockets, half_open, rng, .. } = self;
        let Some(listening) = listener_at(sockets, listener) else { return };
        let is_stale =
            |index| half_open.at(index).is_some_and(|entry: &HalfOpenEntry| entry.half.was_retransmitted());
        if let Some(index) = listening.to_evict(rng, is_stale) {
            self.env.counters.stack.syn_queue_evicted += 1;
            self.forget_half_open(index);
        }
    }

    /// Ends a handshake that its peer disowns as if it had never been: its SYN was an old duplicate, and the connection whose place
    /// it took is in TIME-WAIT again (RFC 1122 4.2.2.13).
    fn take_back_half_open(&mut self, index: u32) {
        let old = self.reopened.remove(&index);
        if let (Some(entry), Some(old)) = (self.forget_half_open(index), old) {
            let tag = self.demux.tag(&entry.tuple);
            self.wait_out(&entry.tuple, tag, old);
        }
    }

    /// Takes a half-open connection out of every table.
    pub(super) fn forget_half_open(&mut self, index: u32) -> Option<HalfOpenEntry> {
        let entry = self.half_open.remove(index)?;
        self.reopened.remove(&index);
        self.syn_timers.cancel(index);
        let tag = self.demux.tag(&entry.tuple);
        self.demux.remove(tag, Flow::HalfOpen(index));
        if let Some(listening) = listener_at(&mut self.sockets, entry.listener) {
            let position = entry.position as usize;
            listening.syn_queue.swap_remove(position);
            if let Some(moved) =
                listening.syn_queue.get(position).and_then(|&moved| self.half_open.at_mut(moved))
            {
                moved.position = entry.position;
            }
        }
        Some(entry)
    }

    /// A segment for a half-open connection.
    pub(super) fn half_open_input(&mut self, index: u32, segment: &Segment, payload: &mut Chunk) {
        let Some(entry) = self.half_open.at_mut(index) else { return };
        let mut cx = self.env.context();
        match entry.half.handle_segment(&mut cx, &segment.header, payload.len()) {
            HalfOpenReply::Ignore => {}
            HalfOpenReply::Answer(header) => self.answer(&segment.tuple, header),
            HalfOpenReply::Dead => {
                self.env.counters.stack.handshakes_reset += 1;
                self.take_back_half_open(index);
            }
            HalfOpenReply::Complete => self.complete_handshake(index, segment, payload),
        }
    }

    /// The last ACK is here. With no room in the accept queue it is dropped: the half-open connection stays, and the
    /// ACK that the repeated SYN-ACK draws tries again.
    fn complete_handshake(&mut self, index: u32, segment: &Segment, payload: &mut Chunk) {
        let Some(listener) = self.half_open.at(index).map(|entry| entry.listener) else { return };
        if self.has_room_for_connection(listener)
            && let Some(HalfOpenEntry { half, .. }) = self.forget_half_open(index)
        {
            self.establish(listener, &half, segment, payload);
        }
    }

    /// Whether a handshake of a listener may become a connection; counted if not.
    pub(super) fn has_room_for_connection(&mut self, listener: u32) -> bool {
        let Some(listening) = listener_at(&mut self.sockets, listener) else { return false };
        let refused = if listening.is_accept_queue_full() {
            &mut self.env.counters.stack.accept_queue_full_ack
        } else if listening.is_at_limit() {
            &mut self.env.counters.stack.listener_limit
        } else {
            return true;
        };
        *refused += 1;
        false
    }

    /// Makes a connection of a handshake whose last ACK is here, and hands that to it.
    pub(super) fn establish(
        &mut self,
        listener: u32,
        half: &HalfOpen,
        segment: &Segment,
        payload: &mut Chunk,
    ) {
        let Some(listening) = listener_at(&mut self.sockets, listener) else { return };
        listening.connections += 1;
        let (options, tuple) = (Arc::clone(&listening.options), segment.tuple);
        let open = Open { iss: half.iss, ..self.open(&tuple, None, options) };
        let mut cx = self.env.context();
        let connection = Connection::accept(&mut cx, half, open, segment.meta.received_at);
        let index = self.insert_passive(listener, tuple, connection);
        self.connection_input(index, segment, payload);
    }

    /// Gives a listener's new connection its places in the tables.
    pub(super) fn insert_passive(&mut self, listener: u32, tuple: FourTuple, connection: Connection) -> u32 {
        let tcp = TcpSocket { connection, ends: Ends::new(&tuple) };
        let index = self.insert_connection(self.demux.tag(&tuple), tcp, Stage::Handshake);
        if let Some(Entry { socket: Socket::Listener(listening), hop_limit, .. }) = self.sockets.at(listener)
        {
            let (origin, hop_limit) = (listening.origin, *hop_limit);
            self.origins.add(origin);
            if let Some(entry) = self.sockets.at_mut(index) {
                (entry.origin, entry.hop_limit) = (origin, hop_limit);
            }
        }
        index
    }

    /// Gives a connection its places in the tables, and says which socket it is.
    pub(super) fn insert_connection(&mut self, tag: Tag, tcp: TcpSocket, stage: Stage) -> u32 {
        let progress = Progress::new(stage);
        let index = self.sockets.insert(Entry { progress, ..Entry::new(Socket::Tcp(tcp)) }).index;
        self.demux.insert(tag, Flow::Connection(index));
        self.live += 1;
        index
    }

    /// A SYN-ACK's timer has fired.
    pub(super) fn half_open_timeout(&mut self, index: u32) {
        let Some(entry) = self.half_open.at_mut(index) else { return };
        match entry.half.handle_timeout(&self.env.config.tcp) {
            HalfOpenTimeout::Resend(wait) => {
                let (tuple, syn_ack) = (entry.tuple, entry.half.syn_ack(self.env.now));
                self.env.counters.stack.syn_ack_retransmissions += 1;
                self.syn_timers.arm(index, self.env.now + wait);
                self.answer(&tuple, syn_ack);
            }
            HalfOpenTimeout::GiveUp => {
                self.env.counters.stack.handshakes_timed_out += 1;
                self.forget_half_open(index);
            }
        }
    }
}

/// The listener at an index.
pub(super) fn listener_at(sockets: &mut super::slab::Slab<Entry>, index: u32) -> Option<&mut Listener> {
    match &mut sockets.at_mut(index)?.socket {
        Socket::Listener(listener) => Some(listener),
        _ => None,
    }
}
