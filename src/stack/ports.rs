//! Ephemeral ports that outsiders cannot guess (RFC 6056).

use std::hash::Hasher;
use std::net::IpAddr;
use std::net::SocketAddr;

use siphasher::sip::SipHasher24;

/// The ports given to sockets that ask for none. RFC 6056 3.2 wants the range as wide as can be; what is below is
/// where services listen.
const FIRST: u16 = 32_768;
const COUNT: u16 = u16::MAX - FIRST + 1;
/// Ports tried before one in TIME-WAIT is taken over, although there may be an unused one further on.
const PREFER_FRESH: u16 = 32;

/// What using a port would meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PortState {
    /// Nothing.
    Free,
    /// A connection in TIME-WAIT that a new one may take over.
    Reusable,
    /// Something alive.
    Taken,
}

/// The first port from `start` on for which `is_free` holds, for sockets without a remote end.
pub(super) fn any_port(start: u16, is_free: impl Fn(u16) -> bool) -> Option<u16> {
    (0..COUNT).map(|step| FIRST + start.wrapping_add(step) % COUNT).find(|&port| is_free(port))
}

/// Chooses ports.
#[derive(Clone)]
pub(super) struct PortAllocator {
    key: [u8; 16],
    next: u16,
}

impl PortAllocator {
    /// An allocator with a secret.
    pub(super) const fn new(key: [u8; 16]) -> PortAllocator {
        PortAllocator { key, next: 0 }
    }

    /// A port for a connection from `local` to `remote`, RFC 6056 3.3.3 (algorithm 3): a keyed hash of the
    /// destination says where to begin, a counter goes on from there, so that one destination sees its ports in
    /// order, as late as possible again, and learns nothing about others. `None` when all are taken.
    pub(super) fn choose(
        &mut self,
        local: IpAddr,
        remote: SocketAddr,
        mut state: impl FnMut(u16) -> PortState,
    ) -> Option<u16> {
        let offset = self.offset(local, remote);
        let mut reusable = None;
        for tried in 0..COUNT {
            let port = FIRST + self.next.wrapping_add(offset) % COUNT;
            self.next = self.next.wrapping_add(1) % COUNT;
            match state(port) {
                PortState::Free => return Some(port),
                PortState::Reusable => reusable = reusable.or(Some(port)),
                PortState::Taken => {}
            }
            if tried >= PREFER_FRESH && reusable.is_some() {
                break;
            }
        }
        reusable
    }

    fn offset(&self, local: IpAddr, remote: SocketAddr) -> u16 {
        let mut hasher = SipHasher24::new_with_key(&self.key);
        for address in [local, remote.ip()] {
            match address {
                IpAddr::V4(v4) => hasher.write(&v4.octets()),
                IpAddr::V6(v6) => hasher.write(&v6.octets()),
            }
        }
        hasher.write_u16(remote.port());
        hasher.finish() as u16 % COUNT
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn allocator() -> PortAllocator {
        PortAllocator::new([3; 16])
    }

    fn choose(
        allocator: &mut PortAllocator,
        remote: &str,
        state: impl FnMut(u16) -> PortState,
    ) -> Option<u16> {
        allocator.choose("10.0.0.1".parse().unwrap(), remote.parse().unwrap(), state)
    }

    #[test]
    fn rfc_6056_3_3_3_a_destination_sees_every_port_once_before_one_again() {
        let mut allocator = allocator();
        let ports: HashSet<_> =
            (0..COUNT).filter_map(|_| choose(&mut allocator, "10.0.0.2:80", |_| PortState::Free)).collect();
        assert_eq!(ports.len(), usize::from(COUNT));
        assert!(ports.iter().all(|&port| port >= FIRST));
    }

    #[test]
    fn destinations_and_keys_begin_elsewhere() {
        let begin = |key: u8, remote| {
            choose(&mut PortAllocator::new([key; 16]), remote, |_| PortState::Free).unwrap()
        };
        assert_ne!(begin(3, "10.0.0.2:80"), begin(3, "10.0.0.2:81"));
        assert_ne!(begin(3, "10.0.0.2:80"), begin(4, "10.0.0.2:80"));
    }

    #[test]
    fn taken_ports_are_passed_over_and_all_taken_ends() {
        let first = choose(&mut allocator(), "10.0.0.2:80", |_| PortState::Free).unwrap();
        let taken = |port| if port == first { PortState::Taken } else { PortState::Free };
        assert_ne!(choose(&mut allocator(), "10.0.0.2:80", taken), Some(first));

        let mut tried = 0;
        let none = choose(&mut allocator(), "10.0.0.2:80", |_| {
            tried += 1;
            PortState::Taken
        });
        assert_eq!((none, tried), (None, COUNT));
    }

    #[test]
    fn time_wait_is_taken_over_when_nothing_fresh_is_near() {
        let mut tried = 0;
        let mut seen = Vec::new();
        let chosen = choose(&mut allocator(), "10.0.0.2:80", |port| {
            tried += 1;
            seen.push(port);
            PortState::Reusable
        });
        assert_eq!(chosen, Some(seen[0]), "the one unused longest");
        assert_eq!(tried, PREFER_FRESH + 1);

        let mut tried = 0;
        choose(&mut allocator(), "10.0.0.2:80", |_| {
            tried += 1;
            if tried == 5 { PortState::Free } else { PortState::Reusable }
        });
        assert_eq!(tried, 5, "a fresh one nearby is better");
    }
}
