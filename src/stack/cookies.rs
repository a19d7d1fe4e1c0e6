//! Handshakes that nobody remembers: a listener whose SYN queue is full answers with SYN cookies (RFC 4987 3.6).

use std::sync::Arc;

use super::handshake::listener_at;
use super::tcp_input::Segment;
use super::{Chunk, Stack};
use crate::tcp::{CookieEnds, EcnMode, HalfOpen};
use crate::wire::{SeqNumber, TcpFlags};

impl Stack {
    /// Answers a SYN and forgets it.
    pub(super) fn answer_with_cookie(&mut self, listener: u32, segment: &Segment) {
        let now = self.env.now;
        let Some(listening) = listener_at(&mut self.sockets, listener) else { return };
        listening.note_cookie(now);
        let options = Arc::clone(&listening.options);
        let mut open = self.open(&segment.tuple, None, options);
        let peer_mss = segment.header.options.mss.unwrap_or(open.default_mss);
        open.iss = self.isn.cookie(now, &ends(segment, segment.header.seq), peer_mss);
        let syn_ack = self.half_open_for(&segment.header, &open).syn_ack_with_cookie(now);
        self.env.counters.stack.cookies_sent += 1;
        self.answer(&segment.tuple, syn_ack);
    }

    /// An acknowledgment of no connection that came to a listener: it ends a handshake that was forgotten, or is refused.
    pub(super) fn cookie_input(&mut self, listener: u32, mut segment: Segment, payload: &mut Chunk) {
        let Some(half) = self.recall(listener, &segment) else {
            return self.refuse(&segment, payload.len());
        };
        // Without room it is dropped: the peer's first data, or its retransmission, brings the cookie again.
        if self.is_at_socket_limit() {
            self.env.counters.stack.socket_limit_syn += 1;
        } else if self.has_room_for_connection(listener) {
            self.env.counters.stack.cookies_accepted += 1;
            if let Some(timestamps) = &mut segment.header.options.timestamps {
                timestamps.echo = 0; // it says what our SYN-ACK remembered, and not when that was sent
            }
            self.establish(listener, &half, &segment, payload);
        }
    }

    /// The handshake that an acknowledgment ends, if it brings a cookie.
    fn recall(&mut self, listener: u32, segment: &Segment) -> Option<HalfOpen> {
        let now = self.env.now;
        let listening = listener_at(&mut self.sockets, listener)?;
        if !listening.expects_cookies(now) || segment.header.has(TcpFlags::SYN) {
            return None;
        }
        let options = Arc::clone(&listening.options);
        let mut ack = segment.header;
        if !self.env.config.tcp.timestamps {
            ack.options.timestamps = None;
        }
        let Some(peer_mss) = self.isn.recall(now, &ends(segment, ack.seq - 1), ack.ack - 1) else {
            self.env.counters.stack.cookies_invalid += 1;
            return None;
        };
        let open = self.open(&segment.tuple, None, options);
        let window = open.options.receive_buffer;
        let mut half = HalfOpen::recalled(&ack, peer_mss, open.timestamp_offset, open.mss, window);
        half.ecn &= self.env.config.tcp.ecn != EcnMode::Off; // the echo is the peer's to choose
        Some(half)
    }
}

fn ends(segment: &Segment, irs: SeqNumber) -> CookieEnds<'_> {
    let tuple = &segment.tuple;
    CookieEnds {
        addresses: &tuple.addresses,
        local_port: tuple.local_port,
        remote_port: tuple.remote_port,
        irs,
    }
}
