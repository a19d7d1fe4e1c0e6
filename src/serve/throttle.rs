//! Requests a second of one client.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};

use crate::driver::{Duration, Instant};

/// Clients that are remembered. Beyond, new ones are not counted until others have been quiet for a while.
const MOST: usize = 64 * 1024;
/// What a client may have saved up: as many requests at once as it may send in this time.
const BURST: Duration = Duration::from_secs(1);
/// How often those who were quiet are looked for, at most.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Counts the requests of each client address as a bucket that leaks at a steady rate (GCRA).
#[derive(Debug)]
pub(super) struct Throttle {
    /// Between two requests at the rate that is allowed.
    interval: Duration,
    clients: Mutex<Clients>,
}

#[derive(Debug, Default)]
struct Clients {
    /// When the bucket of each is empty. One whose time has come might as well not be here.
    empty_at: HashMap<IpAddr, Instant>,
    swept_at: Instant,
}

impl Throttle {
    /// Allows `rate` requests a second of each client.
    pub(super) fn new(rate: NonZeroU32) -> Self {
        Throttle { interval: Duration::from_secs(1) / rate.get(), clients: Mutex::default() }
    }

    /// Counts a request.
    ///
    /// # Errors
    /// It is one too many; the next will not be after so long.
    pub(super) fn count(&self, client: IpAddr, now: Instant) -> Result<(), Duration> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let known = clients.empty_at.get(&client).copied();
        if known.is_none() && !clients.has_room(now) {
            return Ok(());
        }
        let empty_at = known.unwrap_or(now).max(now) + self.interval;
        if empty_at - now > BURST.max(self.interval) {
            return Err(empty_at - now - BURST.max(self.interval));
        }
        clients.empty_at.insert(client, empty_at);
        Ok(())
    }
}

impl Clients {
    /// Whether one more can be remembered.
    fn has_room(&mut self, now: Instant) -> bool {
        if self.empty_at.len() >= MOST && now >= self.swept_at + SWEEP_INTERVAL {
            self.empty_at.retain(|_, empty_at| *empty_at > now);
            self.swept_at = now;
        }
        self.empty_at.len() < MOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttle(rate: u32) -> Throttle {
        Throttle::new(NonZeroU32::new(rate).unwrap())
    }

    fn client(number: u32) -> IpAddr {
        IpAddr::from(number.to_be_bytes())
    }

    fn millis(millis: u64) -> Instant {
        Instant::from_millis(10_000 + millis)
    }

    #[test]
    fn a_second_may_be_saved_up_and_no_more() {
        let throttle = throttle(10);
        for _ in 0..10 {
            assert_eq!(throttle.count(client(1), millis(0)), Ok(()));
        }
        assert_eq!(throttle.count(client(1), millis(0)), Err(Duration::from_millis(100)));
        assert_eq!(
            throttle.count(client(1), millis(60)),
            Err(Duration::from_millis(40)),
            "a refusal costs nothing"
        );
        assert_eq!(throttle.count(client(1), millis(100)), Ok(()));
        assert_eq!(throttle.count(client(1), millis(100)), Err(Duration::from_millis(100)));
        assert_eq!(throttle.count(client(2), millis(100)), Ok(()), "another one is not concerned");
        let allowed = (0..20).filter(|_| throttle.count(client(1), millis(60_000)).is_ok()).count();
        assert_eq!(allowed, 10, "long silence saves up no more than that");
    }

    #[test]
    fn the_least_rate_is_one() {
        let throttle = throttle(1);
        assert_eq!(throttle.count(client(1), millis(0)), Ok(()));
        assert_eq!(throttle.count(client(1), millis(400)), Err(Duration::from_millis(600)));
        assert_eq!(throttle.count(client(1), millis(1_000)), Ok(()));
    }

    #[test]
    fn memory_is_bounded_and_those_who_are_quiet_make_room() {
        let throttle = throttle(1);
        let count = |number, at| throttle.count(client(number), millis(at));
        assert!((0..MOST as u32).all(|number| count(number, 0).is_ok()));
        let newcomer = MOST as u32;
        assert_eq!((count(newcomer, 1), count(newcomer, 1)), (Ok(()), Ok(())), "not counted");
        assert_eq!(throttle.clients.lock().unwrap().empty_at.len(), MOST);
        assert!(count(7, 1).is_err(), "who is known is counted on");
        assert_eq!(count(newcomer, 2_000), Ok(()));
        assert!(count(newcomer, 2_000).is_err(), "there was room");
        assert_eq!(throttle.clients.lock().unwrap().empty_at.len(), 1);
    }
}
