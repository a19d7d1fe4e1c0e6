//! Where accepted connections come from.
//!
//! A connection counts against its listener as long as it lives, and may outlive it. What it keeps is a number of four
//! bytes, which is not used again before the last connection that has it is gone: so it needs no generation.

use super::SocketId;
use super::slab::Slab;

/// A listener, past or present, as its connections know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin(u32);

impl Origin {
    /// Of those that were not accepted.
    pub(super) const NONE: Origin = Origin(u32::MAX);
}

/// The listeners that there are, and those of which connections are left.
#[derive(Debug, Default)]
pub(super) struct Origins(Slab<Place>);

#[derive(Debug)]
struct Place {
    listener: SocketId,
    /// Connections, and the listener itself.
    users: usize,
}

impl Origins {
    /// That of a new listener, until it and every connection that was [added](Self::add) have [left](Self::leave).
    pub(super) fn open(&mut self, listener: SocketId) -> Origin {
        Origin(self.0.insert(Place { listener, users: 1 }).index)
    }

    /// The listener; its handle is stale if it is gone.
    pub(super) fn listener(&self, origin: Origin) -> SocketId {
        self.0.at(origin.0).map_or(SocketId::NONE, |place| place.listener)
    }

    /// A connection comes from here.
    pub(super) fn add(&mut self, origin: Origin) {
        if let Some(place) = self.0.at_mut(origin.0) {
            place.users += 1;
        }
    }

    /// One of them, or the listener, is gone.
    pub(super) fn leave(&mut self, origin: Origin) {
        let Some(place) = self.0.at_mut(origin.0) else { return };
        place.users -= 1;
        if place.users == 0 {
            self.0.remove(origin.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_used_again_once_the_last_connection_is_gone() {
        let listener = |index| SocketId { index, generation: 0 };
        let mut origins = Origins::default();
        let first = origins.open(listener(1));
        origins.add(first);
        origins.leave(first);
        let second = origins.open(listener(2));
        assert_ne!(first, second, "a connection is left");
        assert_eq!((origins.listener(first), origins.listener(second)), (listener(1), listener(2)));
        origins.leave(first);
        assert_eq!(origins.open(listener(3)), first);
    }

    #[test]
    fn who_was_not_accepted_comes_from_nowhere() {
        let mut origins = Origins::default();
        origins.add(Origin::NONE);
        origins.leave(Origin::NONE);
        assert_eq!(origins.listener(Origin::NONE), SocketId::NONE);
    }
}
