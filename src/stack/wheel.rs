//! A hierarchical timer wheel with one node for each key.
//!
//! Level 0 has 64 slots of 64 µs, and each further level slots 64 times as long; a node waits in the coarsest slot
//! that tells its time from the present, and moves to a finer one when that slot begins. So arming, re-arming and
//! finding the next deadline (by bitmap) cost the same however many timers there are, and a timer far away costs at
//! most a handful of moves. Times are rounded up: no timer of the next 38 hours fires early, none later than 64 µs after
//! its deadline.
//!
//! A key keeps its node when it is armed for a later time: most timers are pushed back long before they fire. When the
//! node fires, whoever owns the key looks at what it really wants and arms again. So a time that is further away than a
//! node can tell is as good as the furthest that it can.

use crate::time::Instant;

/// Nanoseconds of a tick.
const TICK: u64 = 64_000;
/// The furthest that a node can be ahead, in ticks: 38 hours.
const REACH: u64 = (1 << 31) - 1;
/// After so many ticks at the latest what is due says anew since when. Less than half of [`REACH`] passes between two times.
const ERA: u64 = 1 << 29;
/// Levels of six bits: enough for every tick of a 64-bit count of nanoseconds.
const LEVELS: usize = 9;
const BITS: u32 = 6;
const SLOTS: usize = 1 << BITS;
/// The list of nodes that are due, behind those of the slots.
const DUE: usize = LEVELS * SLOTS;

/// Nodes that are made at once: a page never moves, and nothing lies idle behind the last one.
const PAGE: usize = 64;
const NONE: u32 = u32::MAX;
/// Set in `prev` of a list's first node; the rest of it is the list.
const HEAD: u32 = 1 << 31;

/// The wheel. Keys are small numbers; nodes are kept for all up to the greatest.
pub(super) struct Wheel {
    heads: Box<[u32; DUE + 1]>,
    /// A bit for each slot that holds something.
    occupied: [u64; LEVELS],
    /// A bit for each level that does.
    levels: u16,
    #[expect(clippy::vec_box, reason = "growing moves pointers, and no page")]
    nodes: Vec<Box<[Node; PAGE]>>,
    /// The present in ticks: every slot that begins up to here has been emptied.
    elapsed: u64,
}

#[derive(Clone, Copy)]
struct Node {
    /// The tick at which it fires, modulo 2^32: as far ahead of the present as [`REACH`], or as far behind.
    tick: u32,
    /// [`NONE`] if it is not armed.
    prev: u32,
    next: u32,
}

impl Node {
    const UNARMED: Node = Node { tick: 0, prev: NONE, next: NONE };

    fn is_armed(&self) -> bool {
        self.prev != NONE
    }
}

impl Wheel {
    #[cfg(test)]
    pub(super) const NODE_BYTES: usize = size_of::<Node>();

    /// An empty wheel that stands at `now`.
    pub(super) fn new(now: Instant) -> Wheel {
        Wheel {
            heads: Box::new([NONE; DUE + 1]),
            occupied: [0; LEVELS],
            levels: 0,
            nodes: Vec::new(),
            elapsed: now.as_nanos() / TICK,
        }
    }

    /// Makes the key's node fire at `deadline`, or at the next tick if that is past. A node that fires earlier anyway
    /// stays where it is.
    pub(super) fn arm(&mut self, key: u32, deadline: Instant) {
        let tick = self.tick_for(deadline);
        while self.nodes.len() <= key as usize / PAGE {
            self.nodes.push(Box::new([Node::UNARMED; PAGE]));
        }
        match self.tick_of(key) {
            Some(armed) if armed <= tick => return,
            Some(_) => self.unlink(key),
            None => {}
        }
        self.node_mut(key).tick = tick as u32;
        self.link(key, self.list_of(tick));
    }

    /// The tick at which a node for `deadline` fires.
    fn tick_for(&self, deadline: Instant) -> u64 {
        deadline.as_nanos().div_ceil(TICK).clamp(self.elapsed + 1, self.elapsed + REACH)
    }

    /// The node of a key that has one.
    fn node(&self, key: u32) -> &Node {
        &self.nodes[key as usize / PAGE][key as usize % PAGE]
    }

    fn node_mut(&mut self, key: u32) -> &mut Node {
        &mut self.nodes[key as usize / PAGE][key as usize % PAGE]
    }

    /// The tick that a key is armed for, if it is.
    fn tick_of(&self, key: u32) -> Option<u64> {
        let node = &self.nodes.get(key as usize / PAGE)?[key as usize % PAGE];
        node.is_armed().then(|| self.tick_in(node))
    }

    /// The tick that an armed node means.
    fn tick_in(&self, node: &Node) -> u64 {
        let ahead = node.tick.wrapping_sub(self.elapsed as u32) as i32;
        self.elapsed.saturating_add_signed(ahead.into())
    }

    /// When the key's node fires.
    pub(super) fn armed_for(&self, key: u32) -> Option<Instant> {
        Some(Instant::from_nanos(self.tick_of(key)?.saturating_mul(TICK)))
    }

    /// Forgets the key's node.
    pub(super) fn cancel(&mut self, key: u32) {
        if self.tick_of(key).is_some() {
            self.unlink(key);
            *self.node_mut(key) = Node::UNARMED;
        }
    }

    /// Turns the wheel to `now`; what is due then comes out of [`pop_due`](Wheel::pop_due).
    pub(super) fn advance(&mut self, now: Instant) {
        let target = now.as_nanos() / TICK;
        if target <= self.elapsed {
            return; // most packets come within the tick of the one before
        }
        let before = self.elapsed;
        while let Some((list, start)) = self.earliest().filter(|&(_, start)| start <= target) {
            self.elapsed = start;
            self.empty(list);
        }
        self.elapsed = self.elapsed.max(target);
        if self.elapsed / ERA != before / ERA {
            self.keep_due();
        }
    }

    /// What has been due for longer than [`REACH`] would seem to lie ahead.
    fn keep_due(&mut self) {
        let (now, mut key) = (self.elapsed as u32, self.heads[DUE]);
        while key != NONE {
            let node = self.node_mut(key);
            node.tick = now;
            key = node.next;
        }
    }

    /// Takes the next due key out of the wheel.
    pub(super) fn pop_due(&mut self) -> Option<u32> {
        let key = Some(self.heads[DUE]).filter(|&key| key != NONE)?;
        self.cancel(key);
        Some(key)
    }

    /// When [`advance`](Wheel::advance) has something to do: no later than the earliest timer, rounded up. It may be
    /// earlier, to move nodes to finer slots.
    pub(super) fn next(&self) -> Option<Instant> {
        if self.heads[DUE] != NONE {
            return Some(Instant::from_nanos(self.elapsed * TICK));
        }
        self.earliest().map(|(_, start)| Instant::from_nanos(start.saturating_mul(TICK)))
    }

    /// Whether the key's node fires no later than a timer for `deadline` would.
    pub(super) fn fires_by(&self, key: u32, deadline: Instant) -> bool {
        self.tick_of(key).is_some_and(|armed| armed <= self.tick_for(deadline))
    }

    /// The first occupied slot, and the tick at which it begins. A coarser level only holds what lies beyond
    /// everything in the finer ones.
    fn earliest(&self) -> Option<(usize, u64)> {
        if self.levels == 0 {
            return None;
        }
        let level = self.levels.trailing_zeros() as usize;
        let slot = self.occupied[level].trailing_zeros();
        let shift = BITS * level as u32;
        let base = self.elapsed >> (shift + BITS) << (shift + BITS);
        Some((level * SLOTS + slot as usize, base | u64::from(slot) << shift))
    }

    /// The slot for a tick in the future: at the highest level in which it differs from the present.
    fn list_of(&self, tick: u64) -> usize {
        let level = (63 - (tick ^ self.elapsed).leading_zeros()) / BITS;
        level as usize * SLOTS + (tick >> (BITS * level)) as usize % SLOTS
    }

    /// Moves the nodes of a slot that begins now to finer ones, or to those that are due.
    fn empty(&mut self, list: usize) {
        while self.heads[list] != NONE {
            let key = self.heads[list];
            self.unlink(key);
            let tick = self.tick_in(self.node(key));
            self.link(key, if tick <= self.elapsed { DUE } else { self.list_of(tick) });
        }
    }

    fn link(&mut self, key: u32, list: usize) {
        let next = std::mem::replace(&mut self.heads[list], key);
        let node = self.node_mut(key);
        (node.prev, node.next) = (HEAD | list as u32, next);
        if next != NONE {
            self.node_mut(next).prev = key;
        }
        if list < DUE {
            self.occupied[list / SLOTS] |= 1 << (list % SLOTS);
            self.levels |= 1 << (list / SLOTS);
        }
    }

    fn unlink(&mut self, key: u32) {
        let Node { prev, next, .. } = *self.node(key);
        if next != NONE {
            self.node_mut(next).prev = prev;
        }
        if prev & HEAD == 0 {
            self.node_mut(prev).next = next;
            return;
        }
        let list = (prev & !HEAD) as usize;
        self.heads[list] = next;
        if next == NONE && list < DUE {
            self.occupied[list / SLOTS] &= !(1 << (list % SLOTS));
            if self.occupied[list / SLOTS] == 0 {
                self.levels &= !(1 << (list / SLOTS));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::time::Duration;

    fn due(wheel: &mut Wheel, now: Instant) -> Vec<u32> {
        wheel.advance(now);
        let mut keys: Vec<_> = std::iter::from_fn(|| wheel.pop_due()).collect();
        keys.sort_unstable();
        keys
    }

    fn rounded_up(deadline: u64) -> u64 {
        deadline.div_ceil(TICK) * TICK
    }

    /// Turns the wheel from one [`Wheel::next`] to the next until something is due.
    fn run(wheel: &mut Wheel) -> Option<(Instant, Vec<u32>, usize)> {
        for turns in 1..100 {
            let now = wheel.next()?;
            let keys = due(wheel, now);
            if !keys.is_empty() {
                return Some((now, keys, turns));
            }
        }
        panic!("the wheel turns and nothing comes of it");
    }

    #[test]
    fn fires_at_the_deadline_rounded_up_to_64_us_near_and_far() {
        for deadline in [1, 64_000, 64_001, 40_000_000, 200_000_000, 7_200_000_000_000, REACH * TICK] {
            let mut wheel = Wheel::new(Instant::ZERO);
            wheel.arm(3, Instant::from_nanos(deadline));
            let (fired, keys, turns) = run(&mut wheel).unwrap();
            assert_eq!((fired.as_nanos(), keys), (rounded_up(deadline), vec![3]), "deadline {deadline}");
            assert!(turns <= LEVELS, "{turns} turns for {deadline}");
            assert_eq!(wheel.next(), None);
        }
    }

    #[test]
    fn what_is_out_of_reach_fires_at_its_edge_and_goes_on_from_there() {
        let mut wheel = Wheel::new(Instant::ZERO);
        let deadline = Instant::from_nanos((2 * REACH + 5) * TICK);
        for edge in [REACH, 2 * REACH, 2 * REACH + 5] {
            wheel.arm(3, deadline);
            assert!(wheel.fires_by(3, deadline));
            let (fired, keys, _) = run(&mut wheel).unwrap();
            assert_eq!((fired.as_nanos(), keys), (edge * TICK, vec![3]));
        }
        wheel.arm(3, Instant::from_nanos(u64::MAX));
        assert!(wheel.armed_for(3).is_some());
    }

    #[test]
    fn what_was_due_long_ago_is_still_due() {
        let mut wheel = Wheel::new(Instant::ZERO);
        wheel.arm(3, Instant::from_millis(5));
        wheel.arm(4, Instant::from_secs(3_600));
        wheel.advance(Instant::from_nanos(REACH * TICK));
        wheel.arm(3, Instant::from_nanos(2 * REACH * TICK));
        assert_eq!(due(&mut wheel, Instant::from_secs(1 << 30)), [3, 4]);
    }

    #[test]
    fn what_is_due_and_not_taken_for_days_never_seems_to_lie_ahead() {
        let day = Duration::from_secs(86_400);
        let (soon, much_later) = (Instant::from_millis(5), Instant::ZERO + day * 30);
        for step in [day / 100, day / 2, day, day * 2, day * 5] {
            let (mut wheel, mut now) = (Wheel::new(Instant::ZERO), Instant::ZERO);
            wheel.arm(3, soon);
            while now < Instant::ZERO + day * 10 {
                now += step;
                wheel.advance(now);
                assert!(wheel.fires_by(3, soon) && wheel.armed_for(3).unwrap() <= now, "{step:?}, {now}");
            }
            wheel.arm(3, much_later);
            assert_eq!(wheel.pop_due(), Some(3), "it stays where it is");
        }
    }

    #[test]
    fn a_later_deadline_leaves_the_node_where_it_is_and_an_earlier_one_moves_it() {
        let mut wheel = Wheel::new(Instant::ZERO);
        wheel.arm(0, Instant::from_millis(5));
        wheel.arm(0, Instant::from_millis(9));
        assert_eq!(due(&mut wheel, Instant::from_millis(6)), [0]);
        wheel.arm(0, Instant::from_millis(20));
        wheel.arm(0, Instant::from_millis(10));
        assert_eq!(due(&mut wheel, Instant::from_millis(11)), [0]);
        assert_eq!(due(&mut wheel, Instant::from_millis(100)), [0; 0], "one node, fired once");
    }

    #[test]
    fn a_deadline_in_the_past_is_the_next_tick_and_never_a_busy_loop() {
        let mut wheel = Wheel::new(Instant::from_millis(64));
        wheel.advance(Instant::from_millis(64));
        wheel.arm(0, Instant::ZERO);
        assert_eq!(due(&mut wheel, Instant::from_millis(64)), [0; 0]);
        assert_eq!(wheel.next(), Some(Instant::from_micros(64_064)));
    }

    #[test]
    fn a_cancelled_node_does_not_fire() {
        let mut wheel = Wheel::new(Instant::ZERO);
        (0..5).for_each(|key| wheel.arm(key, Instant::from_millis(3)));
        [2, 4, 2].into_iter().for_each(|key| wheel.cancel(key));
        wheel.cancel(1_000);
        assert_eq!(due(&mut wheel, Instant::from_millis(4)), [0, 1, 3]);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Arm(u32, u64),
        Cancel(u32),
        Wait(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        // Logarithmic, so that all levels are met, and what lies beyond them.
        let span = (0..49u32, any::<u64>()).prop_map(|(bits, random)| random % (2 << bits));
        prop_oneof![
            4 => (0..40u32, span.clone()).prop_map(|(key, after)| Step::Arm(key, after)),
            1 => (0..40u32).prop_map(Step::Cancel),
            3 => span.prop_map(Step::Wait),
        ]
    }

    proptest! {
        #[test]
        fn agrees_with_an_ordered_map(steps in prop::collection::vec(step(), 1..300)) {
            let mut now = 123_456_789;
            let mut wheel = Wheel::new(Instant::from_nanos(now));
            let mut model = BTreeMap::<u32, u64>::new();
            for step in steps {
                match step {
                    Step::Arm(key, after) => {
                        wheel.arm(key, Instant::from_nanos(now + after));
                        let tick = (now + after).div_ceil(TICK).clamp(now / TICK + 1, now / TICK + REACH);
                        model.entry(key).and_modify(|armed| *armed = tick.min(*armed)).or_insert(tick);
                    }
                    Step::Cancel(key) => {
                        wheel.cancel(key);
                        model.remove(&key);
                    }
                    Step::Wait(span) => {
                        now += span;
                        let is_due = |tick: u64| tick <= now / TICK;
                        let expected: Vec<_> =
                            model.iter().filter(|(_, tick)| is_due(**tick)).map(|(key, _)| *key).collect();
                        model.retain(|_, tick| !is_due(*tick));
                        prop_assert_eq!(due(&mut wheel, Instant::from_nanos(now)), expected);
                    }
                }
                let earliest = model.values().min().map(|tick| Instant::from_nanos(tick * TICK));
                prop_assert_eq!(wheel.next().is_some(), earliest.is_some());
                prop_assert!(wheel.next() <= earliest, "never later than the earliest timer");
                if let Some(next) = wheel.next() {
                    prop_assert!(next > Instant::from_nanos(now / TICK * TICK), "always ahead");
                }
            }
        }
    }

    #[test]
    fn a_node_is_12_bytes() {
        assert_eq!(Wheel::NODE_BYTES, 12);
    }
}
