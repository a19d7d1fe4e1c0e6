//! Two threads take turns with one world.
//!
//! packetdrill's main thread plays the script. A call that the script marks as blocking runs on a second thread, and
//! sleeps here until the main thread's doings let it return. Virtual time must not run on meanwhile: after each of its
//! steps the main thread waits until the sleeper has looked at the world, and, if that ended its call, until it has
//! taken the time (which the tool does first of all) at which the call ended.

use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, ThreadId};

use longwire::stack::{Config, Duration, Instant};

use crate::errno::{AGAIN, Result};
use crate::world::World;

static HOST: OnceLock<Host> = OnceLock::new();

/// The one world of this process.
pub(crate) struct Host {
    turns: Mutex<Turns>,
    changed: Condvar,
    /// The thread that plays the script.
    main: ThreadId,
}

/// The world, and who waits for what.
struct Turns {
    world: World,
    sleeper: Option<Sleeper>,
    /// A blocking call of this thread has ended, and the thread has not asked for the time yet.
    returning: Option<ThreadId>,
}

/// A blocking call on the second thread.
struct Sleeper {
    /// When it ends at the latest.
    deadline: Option<Instant>,
    /// The world has changed since it last looked.
    must_look: bool,
}

/// Makes the world. The calling thread is the one that plays the script.
pub(crate) fn start(config: Config) {
    let turns = Turns { world: World::new(config), sleeper: None, returning: None };
    let host = Host { turns: Mutex::new(turns), changed: Condvar::new(), main: thread::current().id() };
    if HOST.set(host).is_err() {
        fail("the library was initialised twice");
    }
}

/// The world's keeper, once there is one.
pub(crate) fn started() -> Option<&'static Host> {
    HOST.get()
}

/// The world's keeper.
pub(crate) fn host() -> &'static Host {
    started().unwrap_or_else(|| fail("a call came before the library was initialised"))
}

/// The script cannot go on: says why and ends the process, since packetdrill's interface has no way to say so.
pub(crate) fn fail(why: &str) -> ! {
    eprintln!("longwire: {why}");
    std::process::exit(1);
}

impl Host {
    /// Makes a call that does not wait.
    pub(crate) fn run<T>(&self, call: impl FnOnce(&mut World) -> T) -> T {
        let mut turns = self.lock();
        let result = call(&mut turns.world);
        drop(self.step(turns));
        result
    }

    /// Looks at the world, which must not change by it.
    pub(crate) fn peek<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        look(&self.lock().world)
    }

    /// Makes a call again and again until it answers something other than `EAGAIN`, or until the deadline.
    pub(crate) fn wait<T>(
        &self,
        deadline: Option<Instant>,
        mut call: impl FnMut(&mut World) -> Result<T>,
    ) -> Result<T> {
        let mut turns = self.lock();
        let result = call(&mut turns.world);
        turns.world.settle();
        let late = |world: &World| deadline.is_some_and(|deadline| world.now() >= deadline);
        if matches!(result, Err(error) if error == AGAIN) && !late(&turns.world) {
            if thread::current().id() == self.main {
                return self.wait_by_advancing(turns, deadline, call);
            }
            return self.sleep(turns, deadline, call);
        }
        drop(self.step(turns));
        result
    }

    /// The script's own thread waits: nothing but time can change anything.
    fn wait_by_advancing<T>(
        &self,
        mut turns: MutexGuard<'_, Turns>,
        deadline: Option<Instant>,
        mut call: impl FnMut(&mut World) -> Result<T>,
    ) -> Result<T> {
        loop {
            let next = [turns.world.next_timer(), deadline].into_iter().flatten().min();
            let Some(next) = next else { fail("a call that the script does not mark as blocking blocks") };
            turns.world.advance(next);
            turns = self.step(turns);
            let result = call(&mut turns.world);
            turns = self.step(turns);
            let late = deadline.is_some_and(|deadline| turns.world.now() >= deadline);
            if late || !matches!(result, Err(error) if error == AGAIN) {
                return result;
            }
        }
    }

    /// The second thread sleeps, and looks at the world after each step of the main thread.
    fn sleep<T>(
        &self,
        mut turns: MutexGuard<'_, Turns>,
        deadline: Option<Instant>,
        mut call: impl FnMut(&mut World) -> Result<T>,
    ) -> Result<T> {
        turns.sleeper = Some(Sleeper { deadline, must_look: false });
        loop {
            turns = self.await_change(turns, |turns| turns.sleeper.as_ref().is_some_and(|s| !s.must_look));
            let result = call(&mut turns.world);
            turns.world.settle();
            let late = deadline.is_some_and(|deadline| turns.world.now() >= deadline);
            let ends = late || !matches!(result, Err(error) if error == AGAIN);
            if ends {
                turns.sleeper = None;
                turns.returning = Some(thread::current().id());
            } else if let Some(sleeper) = &mut turns.sleeper {
                sleeper.must_look = false;
            }
            self.changed.notify_all();
            if ends {
                return result;
            }
        }
    }

    /// The time. A blocking call's thread takes it right after the call: the world stood still for that.
    pub(crate) fn time(&self) -> Instant {
        let mut turns = self.lock();
        if turns.returning == Some(thread::current().id()) {
            turns.returning = None;
            self.changed.notify_all();
            return turns.world.now();
        }
        let now = turns.world.tick();
        drop(self.step(turns));
        now
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, duration: Duration) {
        let mut turns = self.lock();
        let end = turns.world.now() + duration;
        while turns.world.now() < end {
            let stop =
                turns.sleeper.as_ref().and_then(|sleeper| sleeper.deadline).map_or(end, |at| at.min(end));
            let stop = if stop > turns.world.now() { stop } else { end };
            turns.world.advance(stop);
            turns = self.step(turns);
        }
    }

    /// The next datagram that leaves the stack. Time jumps to it; if none can come any more, the process ends.
    pub(crate) fn next_packet(&self) -> (Instant, Vec<u8>) {
        let mut turns = self.lock();
        loop {
            if let Some(packet) = turns.world.wire.pop() {
                return packet;
            }
            let deadline = turns.sleeper.as_ref().and_then(|sleeper| sleeper.deadline);
            let Some(next) = [turns.world.next_timer(), deadline].into_iter().flatten().min() else {
                fail("the script expects a packet, and none will leave the stack any more");
            };
            turns.world.advance(next);
            turns = self.step(turns);
        }
    }

    /// Ends a step of the calling thread: all its consequences happen, the sleeper's call included.
    fn step<'a>(&self, mut turns: MutexGuard<'a, Turns>) -> MutexGuard<'a, Turns> {
        turns.world.settle();
        if let Some(sleeper) = &mut turns.sleeper {
            sleeper.must_look = true;
            self.changed.notify_all();
        }
        let caller = thread::current().id();
        self.await_change(turns, |turns| {
            turns.sleeper.as_ref().is_some_and(|sleeper| sleeper.must_look)
                || turns.returning.is_some_and(|thread| thread != caller)
        })
    }

    fn await_change<'a>(
        &self,
        turns: MutexGuard<'a, Turns>,
        mut condition: impl FnMut(&Turns) -> bool,
    ) -> MutexGuard<'a, Turns> {
        let waited = self.changed.wait_while(turns, |turns| condition(turns));
        waited.unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
