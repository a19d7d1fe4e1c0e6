//! A box on the way that does more than carry: it loses and thins acknowledgments, and changes headers.

use std::collections::BTreeMap;

use fastrand::Rng;

use super::Seen;
use crate::stack::{Duration, Instant};
use crate::wire::{IpHeader, Protocol, TcpFlags, TcpHeader, pseudo_header_sum};

/// Offset of the window field in the TCP header.
const WINDOW: usize = 14;
/// The option that a SYN's segment size stands in, and its length.
const MSS_OPTION: [u8; 2] = [2, 4];
/// Windows are shown in eighths.
const EIGHTHS: u32 = 8;

/// What a box does to the packets of one direction, apart from the link. The default does nothing.
///
/// ```
/// use longwire::sim::{Middlebox, Trace, World};
/// let mut world = World::new(1, Trace::hash_only());
/// let small = Middlebox { max_mss: Some(536), ..Middlebox::default() };
/// world.set_middlebox(0, 1, small);
/// ```
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Middlebox {
    /// The chance that an acknowledgment without data is lost. Data passes.
    pub ack_loss: f64,
    /// Acknowledgments without data are dropped if one of the same connection has passed less than this ago: the sender
    /// hears seldom, and then of much at once.
    pub ack_spacing: Duration,
    /// The largest segment that a SYN may announce.
    pub max_mss: Option<u16>,
    /// Windows shrink and grow: for each stretch of this length another part of what the receiver has said is shown,
    /// nothing at all included. A receiver must not do that (RFC 9293 3.8.6, SHLD-14), and a sender has to live with it.
    pub window_changes_every: Option<Duration>,
}

/// A box at work.
pub(super) struct BoxAtWork {
    config: Middlebox,
    rng: Rng,
    /// When the last acknowledgment without data passed, by ports.
    last_ack: BTreeMap<(u16, u16), Instant>,
    /// How many eighths of a window are shown, and until when.
    eighths: u32,
    until: Instant,
}

impl BoxAtWork {
    pub(super) fn new(config: Middlebox, seed: u64, now: Instant) -> Self {
        let rng = Rng::with_seed(seed);
        BoxAtWork { config, rng, last_ack: BTreeMap::new(), eighths: EIGHTHS, until: now }
    }

    /// Changes a packet on its way; whether it passes.
    pub(super) fn pass(&mut self, now: Instant, packet: &mut [u8]) -> bool {
        let Some(Seen { ip, tcp, payload }) = Seen::of(packet) else { return true };
        if tcp.flags == TcpFlags::ACK && payload.is_empty() && !self.passes_ack(now, &tcp) {
            return false;
        }
        let clamped = self.clamp_mss(&ip, &tcp, packet);
        let shrunk = !tcp.has(TcpFlags::RST) && self.shrink_window(now, &ip, &tcp, packet);
        if clamped || shrunk {
            set_checksum(&ip, packet);
        }
        true
    }

    fn passes_ack(&mut self, now: Instant, tcp: &TcpHeader) -> bool {
        if self.rng.f64() < self.config.ack_loss {
            return false;
        }
        let ports = (tcp.src_port, tcp.dst_port);
        let passes = self.last_ack.get(&ports).is_none_or(|last| now - *last >= self.config.ack_spacing);
        if passes {
            self.last_ack.insert(ports, now);
        }
        passes
    }

    /// Lowers the segment size that a SYN announces, as routers in front of tunnels do; whether it did.
    fn clamp_mss(&self, ip: &IpHeader, tcp: &TcpHeader, packet: &mut [u8]) -> bool {
        let Some(most) = self.config.max_mss.filter(|_| tcp.has(TcpFlags::SYN)) else { return false };
        if tcp.options.mss.is_none_or(|mss| mss <= most) {
            return false;
        }
        // Our stack writes it first.
        let option = &mut packet[ip.payload + TcpHeader::MIN_LEN..];
        if !option.starts_with(&MSS_OPTION) {
            return false;
        }
        option[2..4].copy_from_slice(&most.to_be_bytes());
        true
    }

    fn shrink_window(&mut self, now: Instant, ip: &IpHeader, tcp: &TcpHeader, packet: &mut [u8]) -> bool {
        let Some(every) = self.config.window_changes_every else { return false };
        if now >= self.until {
            self.until = now + every;
            self.eighths = self.rng.u32(0..=EIGHTHS);
        }
        let window = (u32::from(tcp.window) * self.eighths / EIGHTHS) as u16;
        packet[ip.payload + WINDOW..][..2].copy_from_slice(&window.to_be_bytes());
        true
    }
}

/// Writes the checksum of a TCP segment anew.
fn set_checksum(ip: &IpHeader, packet: &mut [u8]) {
    let segment = &mut packet[ip.payload..ip.end];
    segment[TcpHeader::CHECKSUM_OFFSET..][..2].fill(0);
    let mut sum = pseudo_header_sum(ip.src, ip.dst, Protocol::TCP, segment.len());
    sum.add(segment);
    segment[TcpHeader::CHECKSUM_OFFSET..][..2].copy_from_slice(&sum.finish().to_be_bytes());
}

#[cfg(test)]
mod tests;
