//! The applications that live in a shard, and what their panics cost.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Application, SharedStack};
use crate::stack::{Event, Instant};

/// Turns in a row that may panic before an application is dropped.
const MAX_PANICS: u32 = 16;

/// The applications of one shard. Each sees all events that nobody has claimed.
#[derive(Default)]
pub(super) struct Residents {
    list: Vec<Resident>,
}

struct Resident {
    application: Box<dyn Application>,
    /// Turns in a row that have panicked.
    panics: u32,
}

impl Residents {
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn take_in(&mut self, applications: Vec<Box<dyn Application>>) {
        self.list.extend(applications.into_iter().map(|application| Resident { application, panics: 0 }));
    }

    /// Gives each application its turn. To be called without the stack's lock.
    pub(super) fn turn(&mut self, stack: &SharedStack, now: Instant, events: &[Event]) {
        self.list.retain_mut(|resident| resident.turn(stack, now, events));
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.list.iter().filter_map(|resident| resident.application.deadline()).min()
    }

    pub(super) fn clear(&mut self) {
        self.list.clear();
    }
}

impl Resident {
    /// Whether it may stay.
    fn turn(&mut self, stack: &SharedStack, now: Instant, events: &[Event]) -> bool {
        // The stack is whole at every moment at which an application can panic; what state the application itself is
        // in is its own affair.
        let outcome = catch_unwind(AssertUnwindSafe(|| self.application.turn(stack, now, events)));
        let Err(panic) = outcome else {
            self.panics = 0;
            return true;
        };
        self.panics += 1;
        log::error!("an application panicked in its turn: {}", message_of(&*panic));
        if self.panics == MAX_PANICS {
            log::error!("the application is dropped: it panicked in {MAX_PANICS} turns in a row");
        }
        self.panics < MAX_PANICS
    }
}

fn message_of(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}
