//! Connections in TIME-WAIT: compact entries in the order in which they expire (RFC 9293 3.6.1).
//!
//! All of them wait equally long, so a list in order of arrival is in order of expiry; a restarted wait moves to its
//! end. No entry has a timer of its own. Families are kept apart, so that IPv4 does not pay for IPv6's addresses.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::flow::{Flow, FourTuple};
use crate::tcp::TimeWait;
use crate::time::Instant;
use crate::wire::IpPair;

const NONE: u32 = u32::MAX;

/// All entries of a stack.
pub(super) struct TimeWaitTable {
    v4: Ring<(Ipv4Addr, Ipv4Addr)>,
    v6: Ring<(Ipv6Addr, Ipv6Addr)>,
    limit: usize,
}

impl TimeWaitTable {
    /// A table for at most `limit` entries.
    pub(super) fn new(limit: usize) -> TimeWaitTable {
        TimeWaitTable { v4: Ring::new(), v6: Ring::new(), limit }
    }

    /// Entries held.
    pub(super) fn len(&self) -> usize {
        self.v4.len + self.v6.len
    }

    /// The entry that has to go before another one may come, if the limit is reached.
    pub(super) fn to_evict(&self) -> Option<Flow> {
        if self.len() < self.limit { None } else { self.oldest().map(|(flow, _)| flow) }
    }

    /// Adds an entry, or gives `None` if the limit has no room for it.
    pub(super) fn insert(&mut self, tuple: &FourTuple, state: TimeWait, expires: Instant) -> Option<Flow> {
        if self.len() >= self.limit {
            return None;
        }
        let ports = (tuple.local_port, tuple.remote_port);
        Some(match tuple.addresses {
            IpPair::V4 { src, dst } => Flow::TimeWaitV4(self.v4.insert((src, dst), ports, state, expires)),
            IpPair::V6 { src, dst } => Flow::TimeWaitV6(self.v6.insert((src, dst), ports, state, expires)),
        })
    }

    /// The tuple of an entry; `None` for a flow of another kind.
    pub(super) fn tuple(&self, flow: Flow) -> Option<FourTuple> {
        let (addresses, ports) = match flow {
            Flow::TimeWaitV4(index) => {
                let Entry { addresses: (src, dst), ports, .. } = *self.v4.entry(index)?;
                (IpPair::V4 { src, dst }, ports)
            }
            Flow::TimeWaitV6(index) => {
                let Entry { addresses: (src, dst), ports, .. } = *self.v6.entry(index)?;
                (IpPair::V6 { src, dst }, ports)
            }
            Flow::Connection(_) | Flow::HalfOpen(_) => return None,
        };
        Some(FourTuple { addresses, local_port: ports.0, remote_port: ports.1 })
    }

    /// Places, vacant ones included, of IPv4 and of IPv6: every index in use is below these.
    pub(super) fn places(&self) -> (u32, u32) {
        (self.v4.entries.len() as u32, self.v6.entries.len() as u32)
    }

    /// Both ends and the expiry of an entry; `None` for a vacant place or a flow of another kind.
    pub(super) fn survey(&self, flow: Flow) -> Option<(FourTuple, Instant)> {
        let vacant = match flow {
            Flow::TimeWaitV4(index) => self.v4.is_vacant(index),
            Flow::TimeWaitV6(index) => self.v6.is_vacant(index),
            Flow::Connection(_) | Flow::HalfOpen(_) => true,
        };
        if vacant {
            return None;
        }
        Some((self.tuple(flow)?, self.get(flow)?.1))
    }

    /// What is remembered of the connection, and until when.
    pub(super) fn get(&self, flow: Flow) -> Option<(&TimeWait, Instant)> {
        match flow {
            Flow::TimeWaitV4(index) => self.v4.entry(index).map(|entry| (&entry.state, entry.expires)),
            Flow::TimeWaitV6(index) => self.v6.entry(index).map(|entry| (&entry.state, entry.expires)),
            Flow::Connection(_) | Flow::HalfOpen(_) => None,
        }
    }

    /// Starts an entry's wait again.
    pub(super) fn restart(&mut self, flow: Flow, expires: Instant) {
        match flow {
            Flow::TimeWaitV4(index) => self.v4.restart(index, expires),
            Flow::TimeWaitV6(index) => self.v6.restart(index, expires),
            Flow::Connection(_) | Flow::HalfOpen(_) => {}
        }
    }

    /// Forgets an entry.
    pub(super) fn remove(&mut self, flow: Flow) {
        match flow {
            Flow::TimeWaitV4(index) => self.v4.remove(index),
            Flow::TimeWaitV6(index) => self.v6.remove(index),
            Flow::Connection(_) | Flow::HalfOpen(_) => {}
        }
    }

    /// The entry that expires first, if that is by `now`.
    pub(super) fn expired(&self, now: Instant) -> Option<Flow> {
        self.oldest().filter(|&(_, expires)| expires <= now).map(|(flow, _)| flow)
    }

    /// When the first entry expires.
    pub(super) fn next_expiry(&self) -> Option<Instant> {
        self.oldest().map(|(_, expires)| expires)
    }

    fn oldest(&self) -> Option<(Flow, Instant)> {
        let v4 = self.v4.oldest().map(|(index, expires)| (Flow::TimeWaitV4(index), expires));
        let v6 = self.v6.oldest().map(|(index, expires)| (Flow::TimeWaitV6(index), expires));
        v4.into_iter().chain(v6).min_by_key(|&(_, expires)| expires)
    }
}

/// Entries of one family, linked in order of expiry. Vacant places are linked through `next`, and each is its own
/// `prev`, which an entry never is.
struct Ring<A> {
    entries: Vec<Entry<A>>,
    first: u32,
    last: u32,
    free: u32,
    len: usize,
}

#[derive(Clone, Copy)]
struct Entry<A> {
    expires: Instant,
    state: TimeWait,
    addresses: A,
    ports: (u16, u16),
    prev: u32,
    next: u32,
}

impl<A: Copy> Ring<A> {
    const fn new() -> Ring<A> {
        Ring { entries: Vec::new(), first: NONE, last: NONE, free: NONE, len: 0 }
    }

    fn entry(&self, index: u32) -> Option<&Entry<A>> {
        self.entries.get(index as usize)
    }

    fn oldest(&self) -> Option<(u32, Instant)> {
        self.entry(self.first).map(|entry| (self.first, entry.expires))
    }

    fn insert(&mut self, addresses: A, ports: (u16, u16), state: TimeWait, expires: Instant) -> u32 {
        let entry = Entry { expires, state, addresses, ports, prev: NONE, next: NONE };
        let index = if self.free == NONE {
            self.entries.push(entry);
            self.entries.len() as u32 - 1
        } else {
            let index = self.free;
            self.free = self.entries[index as usize].next;
            self.entries[index as usize] = entry;
            index
        };
        self.len += 1;
        self.append(index);
        index
    }

    fn restart(&mut self, index: u32, expires: Instant) {
        self.unlink(index);
        self.entries[index as usize].expires = expires;
        self.append(index);
    }

    fn is_vacant(&self, index: u32) -> bool {
        self.entry(index).is_none_or(|entry| entry.prev == index)
    }

    fn remove(&mut self, index: u32) {
        self.unlink(index);
        let entry = &mut self.entries[index as usize];
        (entry.prev, entry.next) = (index, self.free);
        self.free = index;
        self.len -= 1;
    }

    fn append(&mut self, index: u32) {
        let last = std::mem::replace(&mut self.last, index);
        let entry = &mut self.entries[index as usize];
        (entry.prev, entry.next) = (last, NONE);
        match self.entries.get_mut(last as usize) {
            Some(last) => last.next = index,
            None => self.first = index,
        }
    }

    fn unlink(&mut self, index: u32) {
        let Entry { prev, next, .. } = self.entries[index as usize];
        match self.entries.get_mut(prev as usize) {
            Some(prev) => prev.next = next,
            None => self.first = next,
        }
        match self.entries.get_mut(next as usize) {
            Some(next) => next.prev = prev,
            None => self.last = prev,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::SeqNumber;

    fn tuple(port: u16, family: &str) -> FourTuple {
        let (local, remote) = match family {
            "v4" => ("10.0.0.1:80".to_owned(), format!("10.0.0.2:{port}")),
            _ => ("[fd00::1]:80".to_owned(), format!("[fd00::2]:{port}")),
        };
        FourTuple::new(local.parse().unwrap(), remote.parse().unwrap()).unwrap()
    }

    fn state() -> TimeWait {
        TimeWait {
            snd_nxt: SeqNumber(1),
            rcv_nxt: SeqNumber(2),
            window: 3,
            ts_recent: None,
            timestamp_offset: 0,
        }
    }

    fn insert(table: &mut TimeWaitTable, port: u16, family: &str, secs: u64) -> Flow {
        table.insert(&tuple(port, family), state(), Instant::from_secs(secs)).unwrap()
    }

    /// Ports in the order in which the entries go.
    fn drain(table: &mut TimeWaitTable) -> Vec<u16> {
        std::iter::from_fn(|| {
            let flow = table.expired(Instant::from_secs(1_000_000))?;
            let port = table.tuple(flow)?.remote_port;
            table.remove(flow);
            Some(port)
        })
        .collect()
    }

    #[test]
    fn the_first_to_expire_goes_first_over_both_families() {
        let mut table = TimeWaitTable::new(10);
        let restarted = insert(&mut table, 1, "v4", 60);
        insert(&mut table, 2, "v6", 61);
        insert(&mut table, 3, "v4", 62);
        table.restart(restarted, Instant::from_secs(63));
        assert_eq!(table.next_expiry(), Some(Instant::from_secs(61)));
        assert_eq!(table.expired(Instant::from_secs(60)), None);
        assert_eq!(drain(&mut table), [2, 3, 1]);
        assert_eq!((table.len(), table.next_expiry()), (0, None));
    }

    #[test]
    fn the_limit_names_the_oldest() {
        let mut table = TimeWaitTable::new(2);
        let oldest = insert(&mut table, 1, "v6", 1);
        insert(&mut table, 2, "v4", 2);
        assert_eq!(table.to_evict(), Some(oldest));
        assert!(table.insert(&tuple(3, "v4"), state(), Instant::from_secs(3)).is_none());
        table.remove(oldest);
        insert(&mut table, 3, "v4", 3);
        assert_eq!(drain(&mut table), [2, 3]);
    }

    #[test]
    fn places_are_used_again() {
        let mut table = TimeWaitTable::new(100);
        for round in 0..50 {
            let flows: Vec<_> = (0..10).map(|port| insert(&mut table, port, "v4", round)).collect();
            // From the middle outwards, so that both ends of the list move.
            for i in [5, 4, 6, 3, 7, 2, 8, 1, 9, 0] {
                table.remove(flows[i]);
            }
        }
        assert_eq!((table.len(), table.v4.entries.len()), (0, 10));
    }

    #[test]
    fn a_vacant_place_is_told_from_an_entry() {
        let mut table = TimeWaitTable::new(10);
        let flows: Vec<_> = (0..3).map(|port| insert(&mut table, port, "v4", 60)).collect();
        table.remove(flows[1]);
        assert_eq!(table.places(), (3, 0));
        let seen: Vec<_> =
            flows.iter().map(|&flow| table.survey(flow).map(|found| found.0.remote_port)).collect();
        assert_eq!(seen, [Some(0), None, Some(2)]);
        insert(&mut table, 7, "v4", 61);
        assert_eq!(table.survey(flows[1]).map(|found| found.0.remote_port), Some(7));
        assert_eq!(table.survey(Flow::TimeWaitV4(9)), None);
    }

    #[test]
    fn entries_are_small() {
        assert!(size_of::<Entry<(Ipv4Addr, Ipv4Addr)>>() <= 64);
        assert!(size_of::<Entry<(Ipv6Addr, Ipv6Addr)>>() <= 96);
    }
}
