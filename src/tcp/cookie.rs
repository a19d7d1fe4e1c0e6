//! SYN cookies (RFC 4987 3.6): a SYN-ACK whose numbers hold what its listener has no room to remember.
//!
//! The sequence number is a keyed hash of the ends, of the peer's SYN and of a period's secret; its last three bits are
//! mixed with the peer's segment size, rounded down to one of eight. Window shift, SACK and ECN go into the last six
//! bits of TSval, which the peer's timestamps bring back (RFC 7323 3.2): who has none goes without them.
//!
//! Whoever does not see our SYN-ACKs guesses one acknowledgment in 2^28.

use std::hash::Hasher;

use siphasher::sip::SipHasher24;

use super::isn::IsnGenerator;
use crate::time::{Duration, Instant};
use crate::wire::{IpPair, SeqNumber};

/// How long a secret makes cookies. They are good until the next one has ended, for one minute at least.
const PERIOD: Duration = Duration::from_secs(64);

/// Segment sizes that a cookie can name. 48 is the least that counts (RFC 9293 3.7.1 has none), 536 and 1,220 stand for
/// no announcement, and the others are what paths without and with tunnels have.
const SIZES: [u16; 8] = [48, 536, 1_220, 1_300, 1_380, 1_440, 1_460, 8_940];

/// Bits of TSval that [`Memo`] takes: 64 ms of a clock of 1 ms.
const MEMO_BITS: u32 = 6;
const MEMO_MASK: u32 = (1 << MEMO_BITS) - 1;
/// No shift is that large (RFC 7323 2.3): the peer did not offer to scale.
const NO_SHIFT: u32 = 15;
const SACK: u32 = 1 << 4;
const ECN: u32 = 1 << 5;

/// The ends of a connection whose SYN is being answered, and where the peer's numbers begin.
///
/// ```
/// use longwire::tcp::{CookieEnds, IsnGenerator};
/// use longwire::{time::Instant, wire::{IpPair, SeqNumber}};
/// let addresses = IpPair::new("10.9.0.2".parse().unwrap(), "10.9.0.1".parse().unwrap()).unwrap();
/// let ends = CookieEnds { addresses: &addresses, local_port: 80, remote_port: 40_000, irs: SeqNumber(7) };
/// let (generator, now) = (IsnGenerator::new([7; 16]), Instant::from_secs(1));
/// let iss = generator.cookie(now, &ends, 1_460);
/// assert_eq!(generator.recall(now, &ends, iss), Some(1_460));
/// assert_eq!(generator.recall(now + 2 * IsnGenerator::COOKIE_LIFE, &ends, iss), None);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct CookieEnds<'a> {
    /// From us to the peer.
    pub addresses: &'a IpPair,
    /// Ours.
    pub local_port: u16,
    /// The peer's.
    pub remote_port: u16,
    /// The SYN's sequence number.
    pub irs: SeqNumber,
}

impl IsnGenerator {
    /// How long after the last cookie an acknowledgment may bring one.
    pub const COOKIE_LIFE: Duration = Duration::from_secs(2 * PERIOD.as_secs());

    /// The initial sequence number for a SYN-ACK that nobody remembers.
    pub fn cookie(&self, now: Instant, ends: &CookieEnds<'_>, peer_mss: u16) -> SeqNumber {
        let index = SIZES.iter().rposition(|&size| size <= peer_mss).unwrap_or(0);
        SeqNumber(self.cookie_hash(period(now), ends) ^ index as u32)
    }

    /// The peer's segment size, if `iss` is a cookie of this period or the last one for these ends.
    pub fn recall(&self, now: Instant, ends: &CookieEnds<'_>, iss: SeqNumber) -> Option<u16> {
        let this = period(now);
        [Some(this), this.checked_sub(1)]
            .into_iter()
            .flatten()
            .find_map(|period| SIZES.get((iss.0 ^ self.cookie_hash(period, ends)) as usize).copied())
    }

    fn cookie_hash(&self, period: u64, ends: &CookieEnds<'_>) -> u32 {
        let half = |which: u8| {
            let mut hasher = self.hasher(b"cookie");
            hasher.write_u64(period);
            hasher.write_u8(which);
            hasher.finish()
        };
        let mut hasher = SipHasher24::new_with_keys(half(0), half(1));
        super::isn::write_ends(&mut hasher, ends.addresses, &[ends.local_port, ends.remote_port]);
        hasher.write_u32(ends.irs.0);
        hasher.finish() as u32
    }
}

fn period(now: Instant) -> u64 {
    now.as_micros() / PERIOD.as_micros() as u64
}

/// What of a SYN travels in the timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Memo {
    pub(super) peer_shift: Option<u8>,
    pub(super) sack: bool,
    pub(super) ecn: bool,
}

impl Memo {
    /// The latest TSval up to `value` that carries it: a clock that went ahead would have to go back.
    pub(super) fn write(self, value: u32) -> u32 {
        let shift = self.peer_shift.map_or(NO_SHIFT, |shift| u32::from(shift.min(14)));
        let bits = shift | if self.sack { SACK } else { 0 } | if self.ecn { ECN } else { 0 };
        let carrying = value & !MEMO_MASK | bits;
        if carrying & MEMO_MASK > value & MEMO_MASK {
            carrying.wrapping_sub(1 << MEMO_BITS)
        } else {
            carrying
        }
    }

    /// From the peer's echo of it.
    pub(super) fn read(echo: u32) -> Memo {
        let shift = echo & NO_SHIFT;
        Memo {
            peer_shift: (shift != NO_SHIFT).then_some(shift as u8),
            sack: echo & SACK != 0,
            ecn: echo & ECN != 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant::from_secs(1_000);

    fn generator() -> IsnGenerator {
        IsnGenerator::new([7; 16])
    }

    fn pair() -> IpPair {
        IpPair::new("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()).unwrap()
    }

    fn ends(addresses: &IpPair) -> CookieEnds<'_> {
        CookieEnds { addresses, local_port: 80, remote_port: 5_000, irs: SeqNumber(99) }
    }

    #[test]
    fn rfc_4987_3_6_the_segment_size_comes_back_rounded_down() {
        let pair = pair();
        for (announced, recalled) in [
            (48, 48),
            (535, 48),
            (536, 536),
            (1_219, 536),
            (1_220, 1_220),
            (1_459, 1_440),
            (1_460, 1_460),
            (65_495, 8_940),
        ] {
            let cookie = generator().cookie(NOW, &ends(&pair), announced);
            assert_eq!(generator().recall(NOW, &ends(&pair), cookie), Some(recalled), "{announced}");
        }
        let cookie = generator().cookie(NOW, &ends(&pair), 0);
        assert_eq!(generator().recall(NOW, &ends(&pair), cookie), Some(48));
    }

    #[test]
    fn rfc_4987_3_6_a_cookie_is_for_its_ends_its_syn_and_its_key() {
        let (pair, other) =
            (pair(), IpPair::new("10.0.0.1".parse().unwrap(), "10.0.0.3".parse().unwrap()).unwrap());
        let cookie = generator().cookie(NOW, &ends(&pair), 1_460);
        let good = ends(&pair);
        for wrong in [
            ends(&other),
            CookieEnds { local_port: 81, ..good },
            CookieEnds { remote_port: 5_001, ..good },
            CookieEnds { irs: SeqNumber(100), ..good },
        ] {
            assert_eq!(generator().recall(NOW, &wrong, cookie), None, "{wrong:?}");
        }
        assert_eq!(IsnGenerator::new([8; 16]).recall(NOW, &good, cookie), None);
        assert_eq!(generator().recall(NOW, &good, cookie + 8), None);
    }

    #[test]
    fn rfc_4987_3_6_secrets_change_and_a_cookie_lives_for_one_to_two_minutes() {
        let pair = pair();
        let cookie = generator().cookie(NOW, &ends(&pair), 1_460);
        let good_for =
            |seconds| generator().recall(NOW + Duration::from_secs(seconds), &ends(&pair), cookie).is_some();
        assert!(good_for(0) && good_for(64));
        assert!(!good_for(128) && !good_for(100_000));
        let later = generator().cookie(NOW + PERIOD, &ends(&pair), 1_460);
        assert_ne!(cookie.0 & !7, later.0 & !7);
    }

    #[test]
    fn guessing_does_not_pay() {
        let (pair, generator) = (pair(), generator());
        let hits = (0..100_000u32)
            .filter(|guess| {
                generator.recall(NOW, &ends(&pair), SeqNumber(guess.wrapping_mul(0x9e37_79b1))).is_some()
            })
            .count();
        assert_eq!(hits, 0, "16 of 2^32 are good");
    }

    #[test]
    fn rfc_4987_3_6_options_come_back_in_the_timestamp_which_never_goes_ahead() {
        for value in [0, 1, 62, 63, 64, 12_345, u32::MAX] {
            for (shift, sack, ecn) in
                [(None, false, false), (Some(0), true, false), (Some(7), false, true), (Some(14), true, true)]
            {
                let memo = Memo { peer_shift: shift, sack, ecn };
                let carrying = memo.write(value);
                assert_eq!(Memo::read(carrying), memo);
                assert!(value.wrapping_sub(carrying) < 128, "{value} became {carrying}");
            }
        }
    }

    #[test]
    fn rfc_7323_2_3_a_shift_above_14_is_14() {
        let memo = Memo { peer_shift: Some(200), sack: false, ecn: false };
        assert_eq!(Memo::read(memo.write(1_000)).peer_shift, Some(14));
    }
}
