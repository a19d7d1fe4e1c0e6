//! How another thread gets a turn out of whoever drives a shard.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Asks for a turn of the loop: it comes soon, if the loop is asleep it is woken. Cloning it rings the same bell.
///
/// What a thread did before [`ring`](Ringer::ring) is seen by the turn that follows. Rings that come before that turn
/// begins count as one, so that ringing often costs little.
#[derive(Clone)]
pub struct Ringer {
    bell: Arc<Bell>,
}

struct Bell {
    rung: AtomicBool,
    wake: Box<dyn Fn() + Send + Sync>,
}

impl Ringer {
    /// A ringer that calls `wake` to end the driving thread's sleep, or to keep it from falling asleep next time.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Ringer { bell: Arc::new(Bell { rung: AtomicBool::new(false), wake: Box::new(wake) }) }
    }

    /// Asks for a turn.
    pub fn ring(&self) {
        if !self.bell.rung.swap(true, Ordering::AcqRel) {
            (self.bell.wake)();
        }
    }

    /// A turn begins: from here on a ring asks for another one. Whether anybody has asked for this one.
    pub(super) fn answered(&self) -> bool {
        // Most turns nobody has asked for, and to look costs less than to write.
        self.bell.rung.load(Ordering::Acquire) && self.bell.rung.swap(false, Ordering::AcqRel)
    }
}

impl fmt::Debug for Ringer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ringer")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[test]
    fn rings_before_a_turn_count_as_one() {
        let wakes = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&wakes);
        let ringer = Ringer::new(move || {
            counter.fetch_add(1, Ordering::Relaxed);
        });
        ringer.ring();
        ringer.clone().ring();
        assert_eq!(wakes.load(Ordering::Relaxed), 1);
        assert!(ringer.answered() && !ringer.answered());
        ringer.ring();
        assert_eq!(wakes.load(Ordering::Relaxed), 2);
    }
}
