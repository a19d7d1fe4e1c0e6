//! Sequence numbers: arithmetic modulo 2^32 (RFC 9293 3.4).

use std::fmt;
use std::ops::{Add, AddAssign, Sub};

/// A TCP sequence number.
///
/// Comparisons hold for numbers less than 2^31 apart, which is why they are methods and not `PartialOrd`.
///
/// ```
/// use longwire::wire::SeqNumber;
/// let last = SeqNumber(u32::MAX);
/// assert_eq!(last + 2, SeqNumber(1));
/// assert!(last.lt(last + 2));
/// assert_eq!((last + 2) - last, 2);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SeqNumber(pub u32);

impl SeqNumber {
    /// `self < other`
    pub const fn lt(self, other: SeqNumber) -> bool {
        self.distance(other) < 0
    }

    /// `self <= other`
    pub const fn le(self, other: SeqNumber) -> bool {
        self.distance(other) <= 0
    }

    /// `self > other`
    pub const fn gt(self, other: SeqNumber) -> bool {
        self.distance(other) > 0
    }

    /// `self >= other`
    pub const fn ge(self, other: SeqNumber) -> bool {
        self.distance(other) >= 0
    }

    /// The later of the two.
    pub const fn max(self, other: SeqNumber) -> SeqNumber {
        if self.lt(other) { other } else { self }
    }

    /// The earlier of the two.
    pub const fn min(self, other: SeqNumber) -> SeqNumber {
        if self.lt(other) { self } else { other }
    }

    /// `self - other` as a signed number.
    pub const fn distance(self, other: SeqNumber) -> i32 {
        self.0.wrapping_sub(other.0) as i32
    }
}

impl Add<u32> for SeqNumber {
    type Output = SeqNumber;

    fn add(self, rhs: u32) -> SeqNumber {
        SeqNumber(self.0.wrapping_add(rhs))
    }
}

impl AddAssign<u32> for SeqNumber {
    fn add_assign(&mut self, rhs: u32) {
        *self = *self + rhs;
    }
}

impl Sub<u32> for SeqNumber {
    type Output = SeqNumber;

    fn sub(self, rhs: u32) -> SeqNumber {
        SeqNumber(self.0.wrapping_sub(rhs))
    }
}

impl Sub for SeqNumber {
    type Output = u32;

    /// Octets from `rhs` up to `self`, modulo 2^32.
    fn sub(self, rhs: SeqNumber) -> u32 {
        self.0.wrapping_sub(rhs.0)
    }
}

impl fmt::Debug for SeqNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn order_survives_the_wrap() {
        let before = SeqNumber(u32::MAX - 5);
        let after = before + 10;
        assert!(before.lt(after) && after.gt(before) && before.le(before) && before.ge(before));
        assert_eq!(before.max(after), after);
        assert_eq!(before.min(after), before);
        assert_eq!(before.distance(after), -10);
    }

    proptest! {
        /// Within half of the space, sequence numbers are what plain numbers are that count on.
        #[test]
        fn arithmetic_is_that_of_numbers_without_a_wrap(
            begin in any::<u32>(),
            one in 0..1u32 << 31,
            other in 0..1u32 << 31,
        ) {
            let (a, b) = (SeqNumber(begin) + one, SeqNumber(begin) + other);
            prop_assert_eq!(
                (a.lt(b), a.le(b), a.gt(b), a.ge(b)),
                (one < other, one <= other, one > other, one >= other)
            );
            prop_assert_eq!(a.max(b), SeqNumber(begin) + one.max(other));
            prop_assert_eq!(a.min(b), SeqNumber(begin) + one.min(other));
            prop_assert_eq!(i64::from(a.distance(b)), i64::from(one) - i64::from(other));
            prop_assert_eq!(a - SeqNumber(begin), one);
            prop_assert_eq!(a - one, SeqNumber(begin));
            let mut moved = SeqNumber(begin);
            moved += other;
            prop_assert_eq!(moved, b);
        }
    }
}
