//! Datagrams put together of fragments (RFC 791 3.2, RFC 8200 4.5), in bounded memory and time.
//!
//! An exact duplicate is ignored. Any other overlap is an attack or a fault: the whole datagram goes, those of its
//! fragments that are still to come included (RFC 5722 4; the same for IPv4, where RFC 791 would let the last one win).

use std::collections::VecDeque;
use std::net::IpAddr;

use super::{Chunk, Duration, Instant, Pool};
use crate::wire::{Ecn, Fragment, IpHeader, IpOut, IpPair, Protocol};

/// How long the other fragments may take to come after the first (RFC 8200 4.5; RFC 1122 3.3.2: 60 to 120 s).
const LIFETIME: Duration = Duration::from_secs(60);
/// Datagrams in the making; beyond these the oldest goes.
const MAX_DATAGRAMS: usize = 64;
/// Memory that their fragments pin, in bytes; beyond it the oldest goes.
const MAX_BYTES: usize = 1024 * 1024;
/// Fragments of one datagram: 64 KiB over the smallest MTU that IPv4 paths have, 576, are 119.
const MAX_PIECES: usize = 128;
/// The most that a datagram's payload has: lengths are 16 bits wide.
const MAX_PAYLOAD: usize = 65_535;

/// What one fragment led to.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Others are missing, or it was there already.
    Kept,
    /// The datagram is complete: a packet with a header of its own, whose checksum is still to be verified.
    Complete(Chunk),
    /// It cannot be: no length, one that is not a multiple of eight, or an end beyond 65,535 bytes.
    Malformed,
    /// It overlaps another one, or belongs to a datagram of which some did.
    Overlap,
    /// Its datagram is in more pieces than any path makes of one.
    TooMany,
}

/// Datagrams in the making, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    partials: VecDeque<Partial>,
    bytes: usize,
}

/// What fragments of one datagram have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    src: IpAddr,
    dst: IpAddr,
    identification: u32,
    /// Of IPv4 alone (RFC 791 3.2): over IPv6 only the first fragment's counts (RFC 8200 4.5).
    protocol: Option<Protocol>,
}

#[derive(Debug)]
struct Partial {
    key: Key,
    expires: Instant,
    /// In the order of their offsets, without overlap.
    pieces: Vec<Piece>,
    /// Length of the payload, once the last fragment is here.
    total: Option<usize>,
    ecn: Option<Ecn>,
    /// Fragments overlapped, or were too many: nothing is kept, nothing will be.
    spoilt: bool,
}

/// A fragment as it came: the header of the first one is quoted when the others do not come.
#[derive(Debug)]
struct Piece {
    offset: usize,
    packet: Chunk,
    /// Where in the packet the payload begins.
    payload: usize,
    protocol: Protocol,
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        &self.packet[self.payload..]
    }

    fn end(&self) -> usize {
        self.offset + self.bytes().len()
    }
}

impl Fragments {
    /// Takes a fragment. Returns how many datagrams had to go for want of room, and what became of this one.
    pub(super) fn insert(
        &mut self,
        now: Instant,
        ip: &IpHeader,
        fragment: Fragment,
        packet: &[u8],
        pool: &Pool,
    ) -> (u64, Outcome) {
        let end = fragment.offset + (ip.end - ip.payload);
        let empty = ip.end == ip.payload;
        let ragged = fragment.more && !(ip.end - ip.payload).is_multiple_of(8);
        if empty || ragged || end > MAX_PAYLOAD {
            return (0, Outcome::Malformed);
        }
        let at = self.find_or_begin(now, ip, fragment.identification);
        let partial = &mut self.partials[at];
        let verdict = partial.check(ip, fragment, end, &packet[ip.payload..ip.end]);
        match verdict {
            Verdict::Duplicate => return (0, Outcome::Kept),
            Verdict::Spoils(outcome) => {
                self.bytes -= partial.spoil();
                return (0, outcome);
            }
            Verdict::Fits(place) => {
                let mut copy = pool.take(ip.end);
                copy.append(&packet[..ip.end]);
                self.bytes += copy.capacity();
                let piece = Piece {
                    offset: fragment.offset,
                    packet: copy,
                    payload: ip.payload,
                    protocol: ip.protocol,
                };
                partial.pieces.insert(place, piece);
            }
        }
        if partial.is_complete() {
            let packet = partial.assemble(pool);
            self.remove(at);
            return (0, packet.map_or(Outcome::Malformed, Outcome::Complete));
        }
        (self.make_room(), Outcome::Kept)
    }

    /// When the oldest datagram is given up.
    pub(super) fn next_expiry(&self) -> Option<Instant> {
        self.partials.front().map(|partial| partial.expires)
    }

    /// Gives the oldest datagram up whose time is over; inside, its first fragment if that has come, to be quoted.
    pub(super) fn expired(&mut self, now: Instant) -> Option<Option<Chunk>> {
        self.partials.front().filter(|partial| partial.expires <= now)?;
        let partial = self.remove(0)?;
        Some(partial.pieces.into_iter().next().filter(|first| first.offset == 0).map(|first| first.packet))
    }

    fn find_or_begin(&mut self, now: Instant, ip: &IpHeader, identification: u32) -> usize {
        let protocol = ip.src.is_ipv4().then_some(ip.protocol);
        let key = Key { src: ip.src, dst: ip.dst, identification, protocol };
        if let Some(at) = self.partials.iter().position(|partial| partial.key == key) {
            return at;
        }
        let expires = now + LIFETIME;
        self.partials.push_back(Partial {
            key,
            expires,
            pieces: Vec::new(),
            total: None,
            ecn: None,
            spoilt: false,
        });
        self.partials.len() - 1
    }

    /// Drops the oldest datagrams until the bounds hold; how many those were.
    fn make_room(&mut self) -> u64 {
        let mut dropped = 0;
        while self.partials.len() > MAX_DATAGRAMS || self.bytes > MAX_BYTES {
            self.remove(0);
            dropped += 1;
        }
        dropped
    }

    fn remove(&mut self, at: usize) -> Option<Partial> {
        let partial = self.partials.remove(at)?;
        self.bytes -= partial.pinned();
        Some(partial)
    }
}

/// How a fragment goes with those that are there.
enum Verdict {
    /// Its place among them.
    Fits(usize),
    Duplicate,
    /// The whole datagram goes.
    Spoils(Outcome),
}

impl Partial {
    /// Compares a fragment with what is there, and takes note of what it says about the whole.
    fn check(&mut self, ip: &IpHeader, fragment: Fragment, end: usize, bytes: &[u8]) -> Verdict {
        let place = self.pieces.partition_point(|piece| piece.offset < fragment.offset);
        if let Some(same) = self.pieces.get(place)
            && same.offset == fragment.offset
            && same.bytes() == bytes
        {
            return Verdict::Duplicate;
        }
        let before = place.checked_sub(1).map_or(0, |before| self.pieces[before].end());
        let behind = self.pieces.get(place).map_or(MAX_PAYLOAD, |next| next.offset);
        let last = self.pieces.last().map_or(0, Piece::end);
        let contradicts = match self.total {
            Some(total) => end > total || !fragment.more,
            None => !fragment.more && end < last,
        };
        let overlaps = before > fragment.offset || end > behind;
        let ecn = self.ecn.map_or(Some(ip.ecn), |ecn| merged(ecn, ip.ecn));
        if self.spoilt || overlaps || contradicts || ecn.is_none() {
            return Verdict::Spoils(Outcome::Overlap);
        }
        if self.pieces.len() >= MAX_PIECES {
            return Verdict::Spoils(Outcome::TooMany);
        }
        self.ecn = ecn;
        if !fragment.more {
            self.total = Some(end);
        }
        Verdict::Fits(place)
    }

    /// Forgets what is there and remembers that nothing is to be; how much memory that gives back.
    fn spoil(&mut self) -> usize {
        let pinned = self.pinned();
        self.spoilt = true;
        self.pieces = Vec::new();
        pinned
    }

    fn pinned(&self) -> usize {
        self.pieces.iter().map(|piece| piece.packet.capacity()).sum()
    }

    /// Without overlaps, all is there when the lengths add up.
    fn is_complete(&self) -> bool {
        self.total
            .is_some_and(|total| self.pieces.iter().map(|piece| piece.bytes().len()).sum::<usize>() == total)
    }

    /// One packet of all, without options and extension headers that each fragment had.
    fn assemble(&self, pool: &Pool) -> Option<Chunk> {
        let addresses = IpPair::new(self.key.src, self.key.dst)?;
        let header_len = addresses.header_len();
        let payload_len = self.total?;
        if matches!(addresses, IpPair::V4 { .. }) && header_len + payload_len > MAX_PAYLOAD {
            return None; // its length field counts the header
        }
        let protocol = self.pieces.first()?.protocol;
        let header = IpOut { addresses, protocol, ecn: self.ecn?, payload_len };
        let mut bytes = [0; IpOut::MAX_LEN];
        let len = header.emit(&mut bytes);
        let mut packet = pool.take(len + payload_len);
        packet.append(&bytes[..len]);
        self.pieces.iter().for_each(|piece| {
            packet.append(piece.bytes());
        });
        Some(packet)
    }
}

/// What the whole says of congestion (RFC 3168 5.3): a mark on any fragment is one of the datagram, and none is lost by
/// being put together with what cannot be marked: that datagram is dropped.
fn merged(one: Ecn, other: Ecn) -> Option<Ecn> {
    use Ecn::{CongestionExperienced as Marked, NotCapable};
    match (one, other) {
        (Marked, NotCapable) | (NotCapable, Marked) => None,
        (Marked, _) | (_, Marked) => Some(Marked),
        _ => Some(one),
    }
}
