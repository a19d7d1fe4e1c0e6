//! The connections that are being served.

use super::connection::Connection;
use super::wheel::Wheel;
use crate::driver::Instant;

/// Boxes that are kept for those who come next.
const SPARE: usize = 256;
/// No time at all.
const NEVER: Instant = Instant::from_nanos(u64::MAX);

/// A box, empty once nobody is served from it.
type Tenant = Box<Option<Connection>>;

/// Where a connection is served. It is another one's after that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Post(pub(super) u32);

struct Place {
    /// When the wheel fires for whoever is here: that is remembered for the place, and not for a connection, so that there
    /// is at most about one entry for each place, however short the requests are.
    armed: Instant,
    tenant: Option<Tenant>,
}

/// As many places as connections have been busy at once, and their deadlines.
#[derive(Default)]
pub(super) struct Crew {
    places: Vec<Place>,
    vacant: Vec<u32>,
    spare: Vec<Tenant>,
}

impl Crew {
    pub(super) fn get(&self, post: Post) -> Option<&Connection> {
        self.places.get(post.0 as usize)?.tenant.as_ref()?.as_ref().as_ref()
    }

    pub(super) fn get_mut(&mut self, post: Post) -> Option<&mut Connection> {
        self.places.get_mut(post.0 as usize)?.tenant.as_mut()?.as_mut().as_mut()
    }

    pub(super) fn take_on(&mut self, connection: Connection) -> Post {
        let mut tenant = self.spare.pop().unwrap_or_default();
        *tenant = Some(connection);
        match self.vacant.pop() {
            Some(index) => {
                self.places[index as usize].tenant = Some(tenant);
                Post(index)
            }
            None => {
                self.places.push(Place { armed: NEVER, tenant: Some(tenant) });
                Post(self.places.len() as u32 - 1)
            }
        }
    }

    pub(super) fn let_go(&mut self, post: Post) {
        let Some(mut tenant) = self.places[post.0 as usize].tenant.take() else { return };
        self.vacant.push(post.0);
        *tenant = None;
        if self.spare.len() < SPARE {
            self.spare.push(tenant);
        }
    }

    /// Has the wheel fire at `deadline`, unless it does before.
    pub(super) fn arm(&mut self, wheel: &mut Wheel, post: Post, deadline: Instant) {
        let firing = wheel.firing(deadline);
        let place = &mut self.places[post.0 as usize];
        if firing < place.armed {
            place.armed = firing;
            wheel.insert(post, deadline);
        }
    }

    /// The wheel has fired for a place: whoever is there now, if it was not for an earlier tenant alone.
    pub(super) fn fire(&mut self, post: Post, now: Instant) -> Option<&mut Connection> {
        let place = &mut self.places[post.0 as usize];
        if place.armed > now {
            return None;
        }
        place.armed = NEVER;
        place.tenant.as_mut()?.as_mut().as_mut()
    }
}
