//! A connection that believes everything: no retransmission, no congestion control, no order but the one in which the
//! kernel writes.

use service::Service;

use crate::packet::{ACK, Ends, FIN, Header, MOST_PAYLOAD, PSH, SCALE, SYN, Segment};

/// What a client may send ahead. Never used up, as everything is read at once.
const WINDOW: u32 = 6 * 1024 * 1024;

#[derive(Debug)]
pub struct Connection {
    pub ends: Ends,
    pub service: Service,
    rcv_nxt: u32,
    snd_una: u32,
    snd_nxt: u32,
    snd_wnd: u32,
    scale: u8,
    mss: u16,
    /// Bytes received since the last acknowledgment.
    pub unacknowledged: u32,
    fin_sent: bool,
    fin_received: bool,
}

impl Connection {
    /// After a SYN; `mss` is what a segment of ours carries.
    pub fn new(syn: &Segment<'_>, service: Service, mss: u16) -> Connection {
        Connection {
            ends: syn.ends,
            service,
            rcv_nxt: syn.seq.wrapping_add(1),
            snd_una: 0,
            snd_nxt: 0,
            snd_wnd: syn.window.into(),
            scale: syn.scale(),
            mss,
            unacknowledged: 0,
            fin_sent: false,
            fin_received: false,
        }
    }

    /// The answer to the SYN.
    pub fn syn_ack(&mut self) -> Header {
        let header = Header { window: u16::MAX, ..self.header(SYN | ACK) };
        self.snd_nxt = 1;
        header
    }

    /// Takes note of what the segment acknowledges.
    pub fn acknowledged(&mut self, segment: &Segment<'_>) {
        if segment.ack.wrapping_sub(self.snd_una) <= self.snd_nxt.wrapping_sub(self.snd_una) {
            self.snd_una = segment.ack;
        }
        self.snd_wnd = u32::from(segment.window) << self.scale;
    }

    /// Whether what the segment carries is next; it counts as received then.
    pub fn receive(&mut self, segment: &Segment<'_>) -> bool {
        if segment.seq != self.rcv_nxt {
            return false;
        }
        self.rcv_nxt = self.rcv_nxt.wrapping_add(segment.payload.len() as u32);
        self.unacknowledged += segment.payload.len() as u32;
        if segment.flags & FIN != 0 {
            self.rcv_nxt = self.rcv_nxt.wrapping_add(1);
            self.fin_received = true;
        }
        true
    }

    /// The client has closed.
    pub fn is_half_closed(&self) -> bool {
        self.fin_received
    }

    /// Both have closed, and both know.
    pub fn is_over(&self) -> bool {
        self.fin_received && self.fin_sent && self.snd_una == self.snd_nxt
    }

    /// The header of an empty acknowledgment.
    pub fn acknowledge(&mut self) -> Header {
        self.unacknowledged = 0;
        self.header(ACK)
    }

    /// The header of `payload` bytes, which count as sent; with `last` nothing follows.
    pub fn send(&mut self, payload: usize, last: bool) -> Header {
        let last = last && !self.fin_sent;
        let header = self.header(ACK | if payload > 0 { PSH } else { 0 } | if last { FIN } else { 0 });
        self.snd_nxt = self.snd_nxt.wrapping_add(payload as u32 + u32::from(last));
        self.fin_sent |= last;
        self.unacknowledged = 0;
        header
    }

    /// Payload of the next super-packet: the longest, or whatever the client's window takes if nothing is under way.
    pub fn room(&self) -> usize {
        let free = (self.snd_wnd as usize).saturating_sub(self.under_way() as usize);
        match free {
            _ if self.fin_sent => 0,
            MOST_PAYLOAD.. => MOST_PAYLOAD,
            _ if self.under_way() == 0 => free,
            _ => 0,
        }
    }

    pub fn under_way(&self) -> u32 {
        self.snd_nxt.wrapping_sub(self.snd_una)
    }

    /// Sends everything once more that is not acknowledged: the kernel must have dropped a packet.
    pub fn go_back(&mut self) {
        self.snd_nxt = self.snd_una;
        self.fin_sent = false;
    }

    fn header(&self, flags: u8) -> Header {
        let window = (WINDOW >> SCALE) as u16;
        Header { ends: self.ends, seq: self.snd_nxt, ack: self.rcv_nxt, flags, window, mss: self.mss }
    }
}
