//! Initial sequence numbers (RFC 6528) and timestamp offsets (RFC 7323 5.4).

use std::hash::Hasher;

use siphasher::sip::SipHasher24;

use crate::time::Instant;
use crate::wire::{IpPair, SeqNumber};

/// Gives each 4-tuple a place in sequence space that outsiders cannot guess.
///
/// ```
/// use longwire::{tcp::IsnGenerator, time::{Duration, Instant}, wire::IpPair};
/// let pair = IpPair::new("10.9.0.2".parse().unwrap(), "10.9.0.1".parse().unwrap()).unwrap();
/// let (generator, now) = (IsnGenerator::new([7; 16]), Instant::from_secs(1));
/// let isn = generator.isn(now, &pair, 80, 40_000);
/// assert_eq!(generator.isn(now + Duration::from_micros(4), &pair, 80, 40_000), isn + 1);
/// assert_ne!(generator.isn(now, &pair, 80, 40_001), isn);
/// ```
#[derive(Clone)]
pub struct IsnGenerator {
    key: [u8; 16],
}

impl IsnGenerator {
    /// A generator with a secret from the operating system.
    pub const fn new(key: [u8; 16]) -> Self {
        IsnGenerator { key }
    }

    /// ISN = M + F(4-tuple, secret), where M is a clock of 4 µs (RFC 6528 3).
    pub fn isn(&self, now: Instant, addresses: &IpPair, local_port: u16, remote_port: u16) -> SeqNumber {
        let hash = self.hash(b"isn", addresses, &[local_port, remote_port]);
        SeqNumber((hash as u32).wrapping_add((now.as_micros() / 4) as u32))
    }

    /// What a connection adds to its clock for TSval: the same for every incarnation of a 4-tuple, so that values
    /// rise from one to the next, and unrelated between 4-tuples, so that they tell nothing about the host.
    pub fn timestamp_offset(&self, addresses: &IpPair, local_port: u16, remote_port: u16) -> u32 {
        self.hash(b"tso", addresses, &[local_port, remote_port]) as u32
    }

    fn hash(&self, purpose: &[u8], addresses: &IpPair, ports: &[u16]) -> u64 {
        let mut hasher = self.hasher(purpose);
        write_ends(&mut hasher, addresses, ports);
        hasher.finish()
    }

    /// A hash under our secret, for one purpose.
    pub(super) fn hasher(&self, purpose: &[u8]) -> SipHasher24 {
        let mut hasher = SipHasher24::new_with_key(&self.key);
        hasher.write(purpose);
        hasher
    }
}

/// Hashes the ends of a connection.
pub(super) fn write_ends(hasher: &mut SipHasher24, addresses: &IpPair, ports: &[u16]) {
    match addresses {
        IpPair::V4 { src, dst } => [src, dst].iter().for_each(|address| hasher.write(&address.octets())),
        IpPair::V6 { src, dst } => [src, dst].iter().for_each(|address| hasher.write(&address.octets())),
    }
    ports.iter().for_each(|&port| hasher.write_u16(port));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> IpPair {
        IpPair::new("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()).unwrap()
    }

    #[test]
    fn rfc_6528_section_3_the_clock_ticks_every_4_us() {
        let generator = IsnGenerator::new([1; 16]);
        let first = generator.isn(Instant::ZERO, &pair(), 80, 5000);
        assert_eq!(generator.isn(Instant::from_micros(400), &pair(), 80, 5000) - first, 100);
    }

    #[test]
    fn tuples_and_keys_are_unrelated() {
        let generator = IsnGenerator::new([1; 16]);
        let isn = generator.isn(Instant::ZERO, &pair(), 80, 5000);
        assert_ne!(isn, generator.isn(Instant::ZERO, &pair(), 80, 5001));
        assert_ne!(isn, IsnGenerator::new([2; 16]).isn(Instant::ZERO, &pair(), 80, 5000));
    }
}
