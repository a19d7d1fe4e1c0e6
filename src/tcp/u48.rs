//! A count in six bytes.

use std::fmt;
use std::ops::AddAssign;

/// A number below 2^48. What would be more stays at the greatest: as bytes that is 256 TiB, as milliseconds 8,900 years.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct U48([u16; 3]);

impl U48 {
    pub(super) const MAX: U48 = U48([u16::MAX; 3]);

    pub(super) fn saturating(value: u64) -> U48 {
        match value >> 48 {
            0 => U48([value as u16, (value >> 16) as u16, (value >> 32) as u16]),
            _ => U48::MAX,
        }
    }

    pub(super) fn get(self) -> u64 {
        let [low, middle, high] = self.0.map(u64::from);
        high << 32 | middle << 16 | low
    }
}

impl AddAssign<u32> for U48 {
    fn add_assign(&mut self, more: u32) {
        *self = U48::saturating(self.get() + u64::from(more));
    }
}

impl fmt::Debug for U48 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GREATEST: u64 = (1 << 48) - 1;

    #[test]
    fn every_part_of_a_number_is_kept() {
        for value in [0, 1, 0xffff, 0x1_0000, 0xffff_ffff, 0x1_0000_0000, 0x1234_5678_9abc, GREATEST] {
            assert_eq!(U48::saturating(value).get(), value);
        }
        assert_eq!(size_of::<U48>(), 6);
    }

    #[test]
    fn sums_carry_and_end_at_the_greatest() {
        let mut count = U48::saturating(0xffff_ffff);
        count += 1;
        assert_eq!(count.get(), 1 << 32);
        let mut count = U48::saturating(GREATEST - 1);
        count += 1;
        assert_eq!(count.get(), GREATEST);
        count += u32::MAX;
        assert_eq!((count, count.get()), (U48::MAX, GREATEST), "it never begins anew");
        assert_eq!(U48::saturating(u64::MAX), U48::MAX);
    }
}
