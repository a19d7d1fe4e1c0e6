//! What happened on the wires of a world: a hash of it always, the lines when somebody wants to read them.

use std::fmt::{self, Write};
use std::hash::Hasher;

use siphasher::sip::SipHasher13;

use crate::stack::Instant;
use crate::wire::{IpHeader, Protocol, TcpHeader};

/// A packet taken apart as far as the trace and the rules of a world need it.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// Its IP header.
    pub ip: IpHeader,
    /// Its TCP header.
    pub tcp: TcpHeader,
    /// What the segment carries.
    pub payload: &'a [u8],
}

impl<'a> Seen<'a> {
    /// Takes a packet apart; `None` if it is not a whole TCP segment with a header that can be read.
    pub fn of(packet: &'a [u8]) -> Option<Seen<'a>> {
        let ip = IpHeader::parse(packet).ok()?;
        if ip.protocol != Protocol::TCP || ip.fragment.is_some() {
            return None;
        }
        let segment = &packet[ip.payload..ip.end];
        let (tcp, header) = TcpHeader::parse(segment).ok()?;
        Some(Seen { ip, tcp, payload: &segment[header..] })
    }
}

impl fmt::Display for Seen<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tcp = &self.tcp;
        write!(f, "{}:{} > {}:{}", self.ip.src, tcp.src_port, self.ip.dst, tcp.dst_port)?;
        write!(f, " {:?} seq {:?} ack {:?} win {}", tcp.flags, tcp.seq, tcp.ack, tcp.window)?;
        write!(f, " len {}", self.payload.len())?;
        if let Some(mss) = tcp.options.mss {
            write!(f, " mss {mss}")?;
        }
        if let Some(shift) = tcp.options.window_scale {
            write!(f, " wscale {shift}")?;
        }
        if let Some(stamps) = tcp.options.timestamps {
            write!(f, " ts {} {}", stamps.value, stamps.echo)?;
        }
        for (left, right) in tcp.options.sack.as_slice() {
            write!(f, " sack {left:?}-{right:?}")?;
        }
        Ok(())
    }
}

/// What happened to a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A host gave it to its link.
    Sent,
    /// The rule of the world took it away.
    Removed,
    /// It came out of the link, into the host.
    Arrived,
}

/// The history of a world's wires. Two runs of one seed have equal hashes, or something is not deterministic.
#[derive(Clone, Debug)]
pub struct Trace {
    hasher: SipHasher13,
    packets: u64,
    lines: Option<Vec<String>>,
}

impl Trace {
    /// Keeps the hash only.
    pub fn hash_only() -> Self {
        Trace { hasher: SipHasher13::new(), packets: 0, lines: None }
    }

    /// Keeps a line for every event too.
    pub fn with_lines() -> Self {
        Trace { lines: Some(Vec::new()), ..Trace::hash_only() }
    }

    /// The hash of everything so far.
    pub fn hash(&self) -> u64 {
        self.hasher.finish()
    }

    /// Packets sent so far.
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// The lines, in order; empty unless they are kept.
    pub fn lines(&self) -> &[String] {
        self.lines.as_deref().unwrap_or_default()
    }

    /// Adds what happened to a packet between two hosts.
    pub(super) fn packet(&mut self, now: Instant, step: Step, from: usize, to: usize, packet: &[u8]) {
        self.packets += u64::from(step == Step::Sent);
        self.hasher.write_u64(now.as_nanos());
        self.hasher.write_u8(step as u8);
        self.hasher.write(packet);
        if let Some(lines) = &mut self.lines {
            let arrow = match step {
                Step::Sent => "->",
                Step::Removed => "-x",
                Step::Arrived => "=>",
            };
            let mut line = format!("{now} {from} {arrow} {to}  ");
            let _ = match Seen::of(packet) {
                Some(seen) => write!(line, "{seen}"),
                None => write!(line, "{} bytes that are not TCP", packet.len()),
            };
            lines.push(line);
        }
    }
}
