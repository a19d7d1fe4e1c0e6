//! The stack behind its lock: what application threads and applications in the loop hold.
//!
//! A lock and not messages, because it costs 5 ns when it is free, and waking another thread 15 to 54 µs. Three rules
//! keep it that way:
//!
//! 1. The loop gives the lock up after a few packets when somebody waits for it.
//! 2. A thread that has written runs the output itself, and rings the loop only when a timer became earlier than the
//!    loop's sleep is long, or when the device is full.
//! 3. Nobody is woken and no handler is called under the lock.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use super::{Application, Clock, Ringer, Waiters};
use crate::device::{CounterVisitor, Device};
use crate::stack::{Event, Flushed, Instant, OutPacket, SendOutcome, Sink, SocketId, Stack};

/// A handle on a running stack. Cloning it is cheap and gives the same stack.
///
/// The stack's own calls are made through [`with`](SharedStack::with) (any of them) and
/// [`with_socket`](SharedStack::with_socket) (those of one socket, its output included).
#[derive(Clone)]
pub struct SharedStack {
    inner: Arc<Inner>,
}

struct Inner {
    core: Mutex<Core>,
    /// Held by a thread while it waits for `core`, so that the loop can queue up behind it.
    turnstile: Mutex<()>,
    /// Threads that wait for `core`.
    waiting: AtomicUsize,
    waiters: Waiters,
    mailbox: Mutex<Mailbox>,
    ringer: Ringer,
    clock: Clock,
    stopped: AtomicBool,
}

/// What is under the lock.
pub(super) struct Core {
    pub(super) stack: Stack,
    /// Where packets go; `None` once the shard has stopped.
    pub(super) device: Option<Box<dyn Device>>,
    /// Until when the loop sleeps; [`AWAKE`] while it does not, and will look for work before it does.
    pub(super) asleep_until: Instant,
    /// The device had no room for all that was to be sent: the loop waits until it has.
    pub(super) full: bool,
}

/// What other threads have left for the loop.
#[derive(Default)]
pub(super) struct Mailbox {
    /// Unclaimed events that came up on another thread.
    pub(super) events: Vec<Event>,
    /// Applications to take in.
    pub(super) applications: Vec<Box<dyn Application>>,
    /// Whether there is any application to give events to.
    pub(super) has_application: bool,
}

/// [`Core::asleep_until`] of a loop that is awake: earlier than any timer.
pub(super) const AWAKE: Instant = Instant::ZERO;

/// [`Core::asleep_until`] of a loop without any deadline.
pub(super) const FOREVER: Instant = Instant::from_nanos(u64::MAX);

impl SharedStack {
    pub(super) fn new(stack: Stack, device: Box<dyn Device>, clock: Clock, ringer: Ringer) -> Self {
        let core = Core { stack, device: Some(device), asleep_until: AWAKE, full: false };
        SharedStack {
            inner: Arc::new(Inner {
                core: Mutex::new(core),
                turnstile: Mutex::new(()),
                waiting: AtomicUsize::new(0),
                waiters: Waiters::default(),
                mailbox: Mutex::new(Mailbox::default()),
                ringer,
                clock,
                stopped: AtomicBool::new(false),
            }),
        }
    }

    /// Calls `f` with the stack, under the lock. What it gave the stack to send goes out before this returns, unless
    /// the loop is awake and does it at the end of its turn.
    ///
    /// `f` should be short, and must not come back here (nor drop a socket of [`net`](crate::net)): it would wait for
    /// itself.
    pub fn with<R>(&self, f: impl FnOnce(&mut Stack) -> R) -> R {
        let mut core = self.lock();
        let result = f(&mut core.stack);
        self.settle(core, None);
        result
    }

    /// Calls `f` with the stack, under the lock, and sends what `socket` has to send, whatever the loop does. For
    /// application threads: in the loop, [`with`](SharedStack::with) makes fewer and larger packets.
    pub fn with_socket<R>(&self, socket: SocketId, f: impl FnOnce(&mut Stack) -> R) -> R {
        let mut core = self.lock();
        let result = f(&mut core.stack);
        self.settle(core, Some(socket));
        result
    }

    /// Lets `application` live in the loop, from its next turn until the shard stops; drops it if it has.
    pub fn attach(&self, application: Box<dyn Application>) {
        let mut mailbox = self.mailbox();
        // Whoever stops the shard says so before it empties the mailbox, so what is put in now is found there.
        if self.is_stopped() {
            drop(mailbox);
            drop(application);
            return;
        }
        mailbox.applications.push(application);
        mailbox.has_application = true;
        drop(mailbox);
        self.inner.ringer.ring();
    }

    /// Who waits for which socket.
    pub fn waiters(&self) -> &Waiters {
        &self.inner.waiters
    }

    /// Shows every counter of the device, if it is still there.
    pub fn device_counters(&self, visit: &mut CounterVisitor<'_>) {
        if let Some(device) = &self.lock().device {
            device.counters(visit);
        }
    }

    /// Asks for a turn of the loop.
    pub fn ringer(&self) -> &Ringer {
        &self.inner.ringer
    }

    /// The clock on which this stack's instants are counted.
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// The time now.
    pub fn now(&self) -> Instant {
        self.inner.clock.now()
    }

    /// Whether nobody drives the stack any more: no packet comes in or goes out, and no event will come.
    pub fn is_stopped(&self) -> bool {
        self.inner.stopped.load(Ordering::Acquire)
    }

    /// What an application thread does after its call: output, an earlier deadline for the loop, events.
    fn settle(&self, mut core: MutexGuard<'_, Core>, socket: Option<SocketId>) {
        let asleep = core.asleep_until != AWAKE;
        let was_full = core.full;
        let mut flushed = Flushed::Done;
        if let Some(socket) = socket {
            flushed = core.transmit_socket(&self.inner.clock, socket);
        }
        if asleep && flushed == Flushed::Done && core.stack.wants_transmit() {
            flushed = core.transmit(self.now());
        }
        let mut events = Vec::new();
        if asleep {
            core.take_events(&mut events);
        }
        let ring = asleep
            && (flushed == Flushed::More
                || core.full != was_full
                || core.stack.has_strays()
                || core.has_deadline_before(core.asleep_until));
        if ring {
            core.asleep_until = AWAKE;
        }
        drop(core);
        if ring {
            self.inner.ringer.ring();
        }
        self.inner.waiters.deliver(&mut events);
        if !events.is_empty() {
            self.leave_for_applications(&mut events);
        }
    }

    fn leave_for_applications(&self, events: &mut Vec<Event>) {
        let mut mailbox = self.mailbox();
        if mailbox.has_application {
            mailbox.events.append(events);
            drop(mailbox);
            self.inner.ringer.ring();
        }
    }

    /// The lock, for everybody but the loop.
    fn lock(&self) -> MutexGuard<'_, Core> {
        match self.inner.core.try_lock() {
            Ok(core) => return core,
            Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {}
        }
        self.inner.waiting.fetch_add(1, Ordering::Relaxed);
        let turnstile = self.inner.turnstile.lock().unwrap_or_else(PoisonError::into_inner);
        let core = self.lock_for_loop();
        self.inner.waiting.fetch_sub(1, Ordering::Relaxed);
        drop(turnstile);
        core
    }

    /// The lock, for the loop. A poisoned one is taken all the same: the stack's calls do not panic, and a closure
    /// that panicked between two of them has left the stack whole.
    pub(super) fn lock_for_loop(&self) -> MutexGuard<'_, Core> {
        self.inner.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Rule 1: lets one waiting thread go first, if there is one. To unlock and lock would not do: the thread that
    /// was woken by the first finds the second already done.
    pub(super) fn give_way<'a>(&'a self, core: MutexGuard<'a, Core>) -> MutexGuard<'a, Core> {
        if self.inner.waiting.load(Ordering::Relaxed) == 0 {
            return core;
        }
        drop(core);
        drop(self.inner.turnstile.lock().unwrap_or_else(PoisonError::into_inner));
        self.lock_for_loop()
    }

    /// Threads that wait for the lock.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.inner.waiting.load(Ordering::Relaxed)
    }

    pub(super) fn mailbox(&self) -> MutexGuard<'_, Mailbox> {
        self.inner.mailbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nobody drives the stack any more: the device goes, and who waits is told.
    pub(super) fn mark_stopped(&self) {
        self.inner.stopped.store(true, Ordering::Release);
        let device = self.lock_for_loop().device.take();
        drop(device);
        let mut mailbox = self.mailbox();
        mailbox.has_application = false;
        let left = std::mem::take(&mut *mailbox);
        drop(mailbox);
        drop(left);
        self.inner.waiters.wake_all();
    }
}

impl std::fmt::Debug for SharedStack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedStack").field("stopped", &self.is_stopped()).finish_non_exhaustive()
    }
}

impl Core {
    /// Output of every socket that has some.
    pub(super) fn transmit(&mut self, now: Instant) -> Flushed {
        let mut sink = DeviceSink { device: self.device.as_deref_mut(), now };
        let flushed = self.stack.poll_transmit(now, &mut sink);
        self.full = self.flush_device(now) || flushed == Flushed::Full;
        flushed
    }

    /// Output of one socket. Most calls leave nothing to send, and then nobody needs the time.
    fn transmit_socket(&mut self, clock: &Clock, socket: SocketId) -> Flushed {
        if !self.stack.wants_transmit() {
            return Flushed::Done;
        }
        let now = clock.now();
        let mut sink = DeviceSink { device: self.device.as_deref_mut(), now };
        let flushed = self.stack.poll_transmit_socket(now, socket, &mut sink);
        self.full |= self.flush_device(now) || flushed == Flushed::Full;
        flushed
    }

    /// The end of an output. Whether the device has to be flushed again when it has room.
    fn flush_device(&mut self, now: Instant) -> bool {
        self.device.as_mut().is_some_and(|device| {
            device.flush(now);
            device.holds_back()
        })
    }

    pub(super) fn take_events(&mut self, into: &mut Vec<Event>) {
        into.extend(std::iter::from_fn(|| self.stack.poll_event()));
    }

    /// The earliest time at which the stack or the device wants a turn.
    pub(super) fn deadline(&self) -> Option<Instant> {
        Instant::earlier(self.stack.poll_timeout(), self.device_deadline())
    }

    /// When the device wants to be flushed and read again.
    pub(super) fn device_deadline(&self) -> Option<Instant> {
        self.device.as_ref().and_then(Device::deadline)
    }

    fn has_deadline_before(&self, instant: Instant) -> bool {
        self.deadline().is_some_and(|deadline| deadline < instant)
    }
}

/// The device as the stack's sink.
struct DeviceSink<'a> {
    device: Option<&'a mut (dyn Device + 'static)>,
    now: Instant,
}

impl Sink for DeviceSink<'_> {
    fn send(&mut self, packet: &OutPacket<'_>) -> SendOutcome {
        match &mut self.device {
            Some(device) => device.send(self.now, packet),
            None => SendOutcome::Failed,
        }
    }
}
