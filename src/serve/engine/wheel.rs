//! Deadlines of many connections.

use super::crew::Post;
use crate::driver::Instant;

/// A tick is 2^24 ns, about 17 ms.
const SHIFT: u32 = 24;
/// Ticks that the wheel reaches ahead, about 69 s. What is due later is looked at then and put off.
const SLOTS: usize = 4096;
/// Words of a bit for each slot: as many as a word has bits, so that one more says which of them are not zero.
const WORDS: usize = SLOTS / 64;

/// A timing wheel: entering costs no more at a million connections than at one. Nothing is ever taken out before its
/// time; its owner remembers when a connection is due and ignores what fires besides.
pub(super) struct Wheel {
    slots: Vec<Vec<Post>>,
    /// A bit for each slot that holds something.
    occupied: [u64; WORDS],
    /// A bit for each word of `occupied` that has any.
    words: u64,
    /// The last tick that has fired.
    fired: u64,
}

impl Wheel {
    pub(super) fn new(now: Instant) -> Self {
        Wheel {
            slots: vec![Vec::new(); SLOTS],
            occupied: [0; WORDS],
            words: 0,
            fired: now.as_nanos() >> SHIFT,
        }
    }

    /// When something that is due at `at` fires: rounded up to a tick, but never beyond the wheel's reach.
    pub(super) fn firing(&self, at: Instant) -> Instant {
        instant(self.tick(at))
    }

    /// Lets `post` fire for `at`.
    pub(super) fn insert(&mut self, post: Post, at: Instant) {
        let slot = self.tick(at) as usize % SLOTS;
        self.slots[slot].push(post);
        self.occupied[slot / 64] |= 1 << (slot % 64);
        self.words |= 1 << (slot / 64);
    }

    /// Takes out what has come due.
    pub(super) fn expire(&mut self, now: Instant, due: &mut Vec<Post>) {
        let target = now.as_nanos() >> SHIFT;
        while let Some(tick) = self.next_tick().filter(|&tick| tick <= target) {
            let slot = tick as usize % SLOTS;
            self.occupied[slot / 64] &= !(1 << (slot % 64));
            if self.occupied[slot / 64] == 0 {
                self.words &= !(1 << (slot / 64));
            }
            due.append(&mut std::mem::take(&mut self.slots[slot]));
            self.fired = tick;
        }
        self.fired = self.fired.max(target);
    }

    /// When the next one fires.
    pub(super) fn next(&self) -> Option<Instant> {
        self.next_tick().map(instant)
    }

    fn tick(&self, at: Instant) -> u64 {
        let tick = at.as_nanos().div_ceil(1 << SHIFT);
        tick.clamp(self.fired + 1, self.fired + SLOTS as u64 - 1)
    }

    /// The first occupied slot behind the last tick that has fired.
    fn next_tick(&self) -> Option<u64> {
        if self.words == 0 {
            return None;
        }
        let start = (self.fired + 1) as usize % SLOTS;
        let (word, bit) = (start / 64, start % 64);
        let from_here = self.occupied[word] & u64::MAX << bit;
        let (index, bits) = if from_here != 0 {
            (word, from_here)
        } else {
            // Round the wheel. The word itself comes last, with the slots before `start`.
            let next = self.words.rotate_right(word as u32 + 1);
            let index = (word + 1 + next.trailing_zeros() as usize) % WORDS;
            (index, self.occupied[index])
        };
        let slot = index * 64 + bits.trailing_zeros() as usize;
        Some(self.fired + 1 + ((slot + SLOTS - start) % SLOTS) as u64)
    }
}

fn instant(tick: u64) -> Instant {
    Instant::from_nanos(tick << SHIFT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::Duration;

    fn key(index: u32) -> Post {
        Post(index)
    }

    fn fired(wheel: &mut Wheel, now: Instant) -> Vec<u32> {
        let mut due = Vec::new();
        wheel.expire(now, &mut due);
        due.iter().map(|key| key.0).collect()
    }

    #[test]
    fn nothing_fires_early_and_nothing_much_later() {
        let start = Instant::from_millis(123_456);
        let mut wheel = Wheel::new(start);
        for (index, after) in [5_u64, 50, 500, 5_000, 50_000].into_iter().enumerate() {
            wheel.insert(key(index as u32), start + Duration::from_millis(after));
        }
        for (index, after) in [5_u64, 50, 500, 5_000, 50_000].into_iter().enumerate() {
            let at = start + Duration::from_millis(after);
            let firing = wheel.next().expect("one left");
            assert!(at <= firing && firing - at < Duration::from_millis(17), "{at} fires at {firing}");
            let before = Instant::from_nanos(at.as_nanos() - 1);
            assert_eq!(fired(&mut wheel, before), [0_u32; 0]);
            assert_eq!(fired(&mut wheel, firing), [index as u32]);
        }
        assert_eq!(wheel.next(), None);
    }

    #[test]
    fn the_next_is_found_wherever_on_the_wheel_it_is() {
        for begin in (0..2 * SLOTS as u64).step_by(61) {
            for ahead in [1, 2, 63, 64, 65, 1_000, SLOTS as u64 - 65, SLOTS as u64 - 1] {
                let mut wheel = Wheel::new(instant(begin));
                wheel.insert(key(1), instant(begin + SLOTS as u64));
                wheel.insert(key(2), instant(begin + ahead));
                assert_eq!(wheel.next(), Some(instant(begin + ahead)), "{ahead} ticks behind {begin}");
                assert_eq!(fired(&mut wheel, instant(begin + ahead)).last(), Some(&2));
            }
        }
    }

    #[test]
    fn what_is_beyond_its_reach_fires_at_its_rim() {
        let mut wheel = Wheel::new(Instant::ZERO);
        let at = Instant::from_secs(3_600);
        wheel.insert(key(1), at);
        let firing = wheel.firing(at);
        assert!(firing > Instant::from_secs(60) && firing < Instant::from_secs(70), "{firing}");
        assert_eq!(wheel.next(), Some(firing));
        assert_eq!(fired(&mut wheel, firing), [1]);
    }

    #[test]
    fn a_long_sleep_misses_nothing() {
        let mut wheel = Wheel::new(Instant::ZERO);
        (0..100).for_each(|index| wheel.insert(key(index), Instant::from_millis(u64::from(index) * 600)));
        let mut all = fired(&mut wheel, Instant::from_secs(100_000));
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
        wheel.insert(key(7), Instant::ZERO);
        assert_eq!(fired(&mut wheel, Instant::from_secs(100_001)), [7], "what is overdue fires next");
    }
}
