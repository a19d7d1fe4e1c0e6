//! What a host may put on the wire, whatever happened to the packets: judged from outside, packet by packet.
//!
//! The invariants of a control block say that a host agrees with itself. These say that it agrees with what it has told
//! its peer and was told by it: an observer of both directions could hold every breach against it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::Seen;
use crate::wire::{Protocol, SeqNumber, TcpFlags, TcpHeader, pseudo_header_sum};

/// RFC 9293 3.7.1: what a peer takes that announces nothing.
const DEFAULT_MSS: [u16; 2] = [536, 1_220];

/// One end of a connection, as the other one's peer.
type End = (IpAddr, u16);

/// What is known of one direction of a connection from the segments that went that way.
#[derive(Clone, Copy, Debug)]
struct Half {
    isn: SeqNumber,
    /// Where what was sent so far ends.
    highest: SeqNumber,
    /// The last acknowledgment sent.
    ack: Option<SeqNumber>,
    /// How far the sender of these segments has ever let the other one send: by what it sent, and by what was left of
    /// that on the link.
    said_edge: Option<SeqNumber>,
    shown_edge: Option<SeqNumber>,
    /// The largest segment that it takes; a SYN that was changed on the way says less than the one that was sent.
    shown_mss: Option<u16>,
    window_scale: Option<u8>,
    timestamp: Option<SeqNumber>,
    /// Where its FIN ends: behind it no window is of use.
    fin: Option<SeqNumber>,
}

/// All connections of a world that began while it was looking.
#[derive(Default)]
pub(super) struct Audit {
    halves: BTreeMap<(End, End), Half>,
}

impl Audit {
    /// Judges what a host sends, before anything on the way could change it. Some of it may be missing, where the host's
    /// device `loses` packets.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn sent(&mut self, packet: &[u8], loses: bool) -> Result<(), String> {
        let Some(seen) = Seen::of(packet) else { return Ok(()) };
        self.judge(&seen, packet, loses).map_err(|what| format!("{what}: {seen}"))
    }

    fn judge(&mut self, seen: &Seen<'_>, packet: &[u8], loses: bool) -> Result<(), String> {
        checksum(seen, packet)?;
        let [there, back] = directions(seen);
        if seen.tcp.has(TcpFlags::RST) {
            return Ok(());
        }
        if seen.tcp.has(TcpFlags::SYN) {
            self.begin(seen, there, back);
            return Ok(());
        }
        let peer = self.halves.get(&back).copied();
        let Some(own) = self.halves.get_mut(&there) else { return Ok(()) };
        own.order(seen, loses)?;
        if let Some(peer) = peer {
            within_what_the_peer_takes(seen, own, &peer)?;
            acknowledges_what_was_sent(seen, &peer)?;
            own.keep_the_window(seen, &peer)?;
        }
        own.ack = Some(seen.tcp.ack);
        own.highest = own.highest.max(end(seen));
        if seen.tcp.has(TcpFlags::FIN) {
            own.fin = Some(end(seen));
        }
        Ok(())
    }

    /// A SYN is the beginning of a half, unless it is the same once more.
    fn begin(&mut self, seen: &Seen<'_>, there: (End, End), back: (End, End)) {
        let known = self.halves.get(&there).map(|half| half.isn);
        if known == Some(seen.tcp.seq) {
            return;
        }
        if known.is_some() && !seen.tcp.has(TcpFlags::ACK) {
            // Another incarnation: the peer's half was of the one before.
            self.halves.remove(&back);
        }
        let half = Half {
            isn: seen.tcp.seq,
            highest: end(seen),
            ack: None,
            said_edge: None,
            shown_edge: None,
            shown_mss: None,
            window_scale: seen.tcp.options.window_scale,
            timestamp: None,
            fin: None,
        };
        self.halves.insert(there, half);
    }

    /// Takes note of what a peer may come to see: the packet as it enters the link.
    pub(super) fn shown(&mut self, packet: &[u8]) {
        let Some(seen) = Seen::of(packet) else { return };
        let [there, back] = directions(&seen);
        let scale = self.scale(there, back);
        let Some(half) = self.halves.get_mut(&there) else { return };
        if seen.tcp.has(TcpFlags::RST) || (seen.tcp.has(TcpFlags::SYN) && half.isn != seen.tcp.seq) {
            return;
        }
        let tcp = &seen.tcp;
        if tcp.has(TcpFlags::SYN) {
            let default = DEFAULT_MSS[usize::from(seen.ip.src.is_ipv6())];
            half.shown_mss = half.shown_mss.max(Some(tcp.options.mss.unwrap_or(default)));
        }
        if tcp.has(TcpFlags::ACK) {
            // Never scaled in a SYN (RFC 7323 2.2).
            let scale = if tcp.has(TcpFlags::SYN) { 0 } else { scale };
            let edge = tcp.ack + (u32::from(tcp.window) << scale);
            half.shown_edge = Some(half.shown_edge.map_or(edge, |before| before.max(edge)));
        }
    }

    /// The shift of the windows that are said in this direction: both ends have to have named one (RFC 7323 2.2).
    fn scale(&self, there: (End, End), back: (End, End)) -> u8 {
        let named = |half| self.halves.get(half).and_then(|half: &Half| half.window_scale);
        named(&back).and(named(&there)).unwrap_or(0).min(14)
    }
}

impl Half {
    /// SND.NXT moves in order, and so does the clock (RFC 7323 3.2). A keep-alive probe is one before (RFC 9293 3.8.4).
    fn order(&mut self, seen: &Seen<'_>, loses: bool) -> Result<(), String> {
        if seen.tcp.seq.gt(self.highest) && !loses {
            return Err(format!("leaves a gap behind {:?}", self.highest));
        }
        if let Some(stamps) = seen.tcp.options.timestamps {
            let value = SeqNumber(stamps.value);
            if self.timestamp.is_some_and(|last| value.lt(last)) {
                return Err(format!("a clock that goes back from {:?}", self.timestamp));
            }
            self.timestamp = Some(value);
        }
        if let Some(ack) = self.ack.filter(|ack| seen.tcp.ack.lt(*ack)) {
            return Err(format!("acknowledges less than before, {ack:?}"));
        }
        Ok(())
    }

    /// What was once let in may come: the right edge never goes back (RFC 9293 3.8.6, SHLD-14), but for what a scaled
    /// window cannot say (RFC 7323 2.4).
    fn keep_the_window(&mut self, seen: &Seen<'_>, peer: &Half) -> Result<(), String> {
        if peer.fin == Some(seen.tcp.ack) {
            return Ok(());
        }
        let scale = self.window_scale.filter(|_| peer.window_scale.is_some()).unwrap_or(0).min(14);
        let edge = seen.tcp.ack + (u32::from(seen.tcp.window) << scale);
        let before = self.said_edge.unwrap_or(edge);
        if (edge + (1 << scale)).le(before) && scale > 0 || edge.lt(before) && scale == 0 {
            return Err(format!("shrinks its window: {edge:?} after {before:?}"));
        }
        self.said_edge = Some(before.max(edge));
        Ok(())
    }
}

fn directions(seen: &Seen<'_>) -> [(End, End); 2] {
    let (from, to) = ((seen.ip.src, seen.tcp.src_port), (seen.ip.dst, seen.tcp.dst_port));
    [(from, to), (to, from)]
}

fn end(seen: &Seen<'_>) -> SeqNumber {
    seen.tcp.seq + seen.tcp.segment_len(seen.payload.len())
}

fn checksum(seen: &Seen<'_>, packet: &[u8]) -> Result<(), String> {
    let segment = &packet[seen.ip.payload..seen.ip.end];
    let mut sum = pseudo_header_sum(seen.ip.src, seen.ip.dst, Protocol::TCP, segment.len());
    sum.add(segment);
    if sum.finish() == 0 { Ok(()) } else { Err("a wrong checksum".into()) }
}

/// Segments no longer than announced, options counted (RFC 6691), and nothing beyond the window but the octet of a probe.
fn within_what_the_peer_takes(seen: &Seen<'_>, own: &Half, peer: &Half) -> Result<(), String> {
    let header = seen.ip.end - seen.ip.payload - seen.payload.len();
    let len = seen.payload.len() + header - TcpHeader::MIN_LEN;
    if let Some(mss) = peer.shown_mss.filter(|_| !seen.payload.is_empty()) {
        // RFC 9293 has no least; smaller ones than 48 are not believed.
        if len > usize::from(mss.max(48)) {
            return Err(format!("{len} bytes with options for a peer that takes {mss}"));
        }
    }
    let Some(edge) = peer.shown_edge.filter(|_| !seen.payload.is_empty()) else { return Ok(()) };
    let fresh = seen.tcp.seq + seen.payload.len() as u32;
    if fresh.gt(edge + 1) && fresh.gt(own.highest) {
        return Err(format!("sends to {fresh:?}, beyond the window that ends at {edge:?}"));
    }
    Ok(())
}

/// Acknowledgments and SACK blocks are of what the peer has sent; blocks behind the first, which may report a duplicate
/// (RFC 2883 4), lie above the acknowledgment.
fn acknowledges_what_was_sent(seen: &Seen<'_>, peer: &Half) -> Result<(), String> {
    if seen.tcp.ack.gt(peer.highest) {
        return Err(format!("acknowledges beyond {:?}, where the peer has come to", peer.highest));
    }
    for (index, (left, right)) in seen.tcp.options.sack.as_slice().iter().enumerate() {
        let duplicate = index == 0 && left.ge(peer.isn);
        if left.ge(*right) || right.gt(peer.highest) || (left.le(seen.tcp.ack) && !duplicate) {
            return Err(format!("a SACK block {left:?}-{right:?}, the peer has come to {:?}", peer.highest));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
