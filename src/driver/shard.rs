//! One device and one stack, turned by whoever has a thread for it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::MutexGuard;

use super::crossing::Crossing;
use super::residents::Residents;
use super::shared::{AWAKE, Core, FOREVER};
use super::{Clock, Ringer, SharedStack};
use crate::device::Device;
use crate::stack::{Chunk, Event, Flushed, Instant, Stack};

/// Most packets read in one turn, so that timers, applications and output get theirs.
pub(super) const PACKET_BUDGET: usize = 16;

/// Bytes read after which a turn reads no more packets: what the applications take is still in the cache.
const BYTE_BUDGET: usize = 512 * 1024;

/// Bytes that may be read before acknowledgments that can wait go out, though the device holds more packets: the
/// longest stretch of one acknowledgment on a device of single packets, where each costs as much as reading ten. Less
/// than the largest window, so that the sender is not kept waiting; milliseconds, so that other senders are not either.
const ACK_STRETCH: usize = 4 * 1024 * 1024;

/// Packets that have a time of arrival in common: what the clock costs is a tenth of reading one, and what they take
/// is lost in what any measurement of a path varies by.
const CLOCK_EVERY: usize = 4;

/// Packets after which the loop lets a waiting thread have the lock.
const GIVE_WAY_AFTER: usize = 8;

/// Times that one turn takes so many packets from other shards.
const STRAY_SLICES: usize = 32;

/// Times that one turn lets the stack send as much as it does at once; between them waiting threads have the lock.
const OUTPUT_SLICES: usize = 4;

/// One device with its stack, driven by one thread: ours ([`Driver`](super::Driver)), or an event loop that you have.
///
/// Driving it is three calls. Whenever [`fd`](Shard::fd) is readable, the [`deadline`](Shard::deadline) has come or
/// the ringer rings, call [`turn`](Shard::turn) until nothing [`more`](Turn::more) is left; then ask for the
/// `deadline` and sleep. Other threads reach the stack through [`shared`](Shard::shared) all the while.
///
/// Dropping the shard stops the stack: the device is closed, and who waits is woken and finds it
/// [stopped](SharedStack::is_stopped).
///
/// ```
/// use longwire::driver::{Clock, Config, Duration, Ringer, Shard, Stack, Turn};
/// use longwire::stack::{Pool, Seed};
///
/// # fn main() -> std::io::Result<()> {
/// let (device, _other_end) = longwire::device::pair(1_500);
/// let clock = Clock::start();
/// let config = Config::new(vec!["10.9.0.2/24".parse().unwrap()]);
/// let stack = Stack::new(config, Seed::from_u64(1), Pool::new(), clock.now());
/// let mut shard = Shard::new(stack, Box::new(device), clock, Ringer::new(|| {}))?;
/// let turn: Turn = shard.turn(shard.shared().now());
/// assert!(!turn.more && !turn.gone);
/// assert_eq!(shard.deadline(), None, "no socket, no timer");
/// # Ok(())
/// # }
/// ```
pub struct Shard {
    shared: SharedStack,
    /// A descriptor of our own for what the device waits on, as the device itself is behind the lock.
    fd: Option<OwnedFd>,
    /// What the next packet is read into.
    packet: Chunk,
    residents: Residents,
    /// Events that have not been delivered.
    events: Vec<Event>,
    /// Those that the applications get in this turn; empty between turns.
    unclaimed: Vec<Event>,
    /// When the clock was last looked at.
    now: Instant,
    /// The last read failed; the log has it.
    receive_failed: bool,
    /// The last read said that the device is gone.
    gone: bool,
    /// What the last turn said about room, and so what whoever drives us waits for.
    told_full: bool,
    /// Bytes read since the last output.
    unanswered: usize,
    /// The way to the other shards, if there are any.
    crossing: Option<Crossing>,
}

/// How a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// There is more to do at once: call [`Shard::turn`] again before sleeping.
    pub more: bool,
    /// The device had no room: call [`Shard::turn`] when it is writable.
    pub full: bool,
    /// The device is gone for good: no turn will do anything any more, and the shard is to be dropped.
    pub gone: bool,
}

impl Shard {
    /// Puts `stack` and `device` together. `clock` is the one that the stack was made with, and `ringer` wakes the
    /// thread that will drive this.
    ///
    /// # Errors
    /// No descriptor is left for waiting on the device.
    pub fn new(stack: Stack, device: Box<dyn Device>, clock: Clock, ringer: Ringer) -> io::Result<Shard> {
        let fd = device.fd().map(|fd| fd.try_clone_to_owned()).transpose()?;
        Ok(Shard {
            now: clock.now(),
            shared: SharedStack::new(stack, device, clock, ringer),
            fd,
            packet: Chunk::default(),
            residents: Residents::default(),
            events: Vec::new(),
            unclaimed: Vec::new(),
            receive_failed: false,
            gone: false,
            told_full: false,
            unanswered: 0,
            crossing: None,
        })
    }

    /// Makes it one of several, whose stacks have a [`Steering`](crate::stack::Steering) and the same clock.
    pub(super) fn join(&mut self, crossing: Crossing) {
        self.crossing = Some(crossing);
    }

    /// The handle for other threads.
    pub fn shared(&self) -> &SharedStack {
        &self.shared
    }

    /// What to wait on: readable when there is a packet, writable when there is room after a [full](Turn::full) turn.
    /// `None` if the device has nothing of the sort, and has to be looked at from time to time.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.fd.as_ref().map(AsFd::as_fd)
    }

    /// One turn: packets up to a budget → due timers → the applications' turns → output → each waiter woken once.
    /// `now` is the time on [`SharedStack::clock`].
    ///
    /// Packets come before timers, so that a stall of ours never fires a retransmission whose acknowledgment lies in
    /// the device's queue. Every turn reads until there is nothing, so edge-triggered readiness is enough.
    pub fn turn(&mut self, now: Instant) -> Turn {
        self.now = now;
        // Whoever leaves something there rings.
        if self.shared.ringer().answered() {
            self.empty_mailbox();
        }
        let arrivals_left = self.receive_strays();
        let packets_left = self.receive_and_time();
        if !self.residents.is_empty() {
            self.turn_applications();
        }
        let output_left = self.transmit(packets_left);
        if let Some(crossing) = &mut self.crossing {
            crossing.ring();
        }
        self.wake();
        let more = arrivals_left || packets_left || output_left || !self.events.is_empty();
        Turn { more, full: self.told_full, gone: self.gone }
    }

    /// When the next turn is due though nothing arrives; in the past: at once; `None`: never. To be asked right before
    /// sleeping: the other threads then know how long the sleep is, and ring if they need a turn before its end.
    pub fn deadline(&mut self) -> Option<Instant> {
        let residents = self.residents.deadline();
        let mut core = self.shared.lock_for_loop();
        core.take_events(&mut self.events);
        // A thread that sent after the turn may have found the device full: nobody waits for its room yet.
        let full_is_news = core.full != self.told_full;
        let wants_transmit = core.stack.wants_transmit() && !core.full;
        if full_is_news || wants_transmit || core.stack.has_strays() || !self.events.is_empty() {
            return Some(AWAKE);
        }
        let deadline = Instant::earlier(core.deadline(), residents);
        core.asleep_until = deadline.unwrap_or(FOREVER);
        deadline
    }

    /// When the last turn looked at the clock for the last time: before its output.
    pub(super) fn last_look(&self) -> Instant {
        self.now
    }

    /// Whether the device still holds packets that it will let go in time, by itself.
    pub(super) fn device_has_deadline(&self) -> bool {
        self.shared.lock_for_loop().device_deadline().is_some()
    }

    fn empty_mailbox(&mut self) {
        let mut mailbox = self.shared.mailbox();
        self.events.append(&mut mailbox.events);
        let applications = std::mem::take(&mut mailbox.applications);
        drop(mailbox);
        self.residents.take_in(applications);
    }

    /// What came to other shards and is for this one, before what the device has now, as it came earlier. Whether there
    /// may be more.
    fn receive_strays(&mut self) -> bool {
        let &mut Shard { ref shared, crossing: Some(ref mut crossing), now, .. } = self else { return false };
        let mut core = shared.lock_for_loop();
        core.asleep_until = AWAKE;
        for _ in 0..STRAY_SLICES {
            if !crossing.receive(now, &mut core.stack, GIVE_WAY_AFTER) {
                return false;
            }
            core = shared.give_way(core);
        }
        true
    }

    /// Packets, then due timers. Whether packets may be left.
    fn receive_and_time(&mut self) -> bool {
        let Shard { shared, packet, receive_failed, gone, unanswered, crossing, now, .. } = self;
        let mut core = shared.lock_for_loop();
        core.asleep_until = AWAKE;
        let mut packets_left = true;
        let mut bytes = 0;
        for count in 1..=PACKET_BUDGET {
            match receive(&mut core, *now, packet) {
                Ok(len) => {
                    *receive_failed = false;
                    bytes += len;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    packets_left = false;
                    *gone = error.kind() == io::ErrorKind::NotConnected;
                    if error.kind() != io::ErrorKind::WouldBlock && !std::mem::replace(receive_failed, true) {
                        log::warn!("reading from the device failed: {error}");
                    }
                    break;
                }
            }
            if count % GIVE_WAY_AFTER == 0 {
                core = shared.give_way(core);
            }
            if count % CLOCK_EVERY == 0 {
                *now = shared.now();
            }
            if bytes >= BYTE_BUDGET {
                break;
            }
        }
        *unanswered += bytes;
        if core.stack.poll_timeout().is_some_and(|due| due <= *now) {
            core.stack.handle_timeout(*now);
        }
        hand_on(crossing.as_mut(), &mut core.stack);
        core.take_events(&mut self.events);
        drop(core);
        // Before the applications' turn, which may be long.
        if let Some(crossing) = crossing {
            crossing.ring();
        }
        packets_left
    }

    /// The applications get what nobody has claimed; the rest stays for [`wake`](Shard::wake).
    fn turn_applications(&mut self) {
        coalesce(&mut self.events);
        self.shared.waiters().take_unclaimed(&mut self.events, &mut self.unclaimed);
        self.residents.turn(&self.shared, self.now, &self.unclaimed);
        self.unclaimed.clear();
    }

    /// Output. Whether its budget was too small.
    fn transmit(&mut self, packets_left: bool) -> bool {
        let mut core = self.shared.lock_for_loop();
        if packets_left && self.unanswered < ACK_STRETCH && core.stack.transmit_can_wait() {
            core.take_events(&mut self.events);
            return false;
        }
        self.unanswered = 0;
        // What the applications have done may have taken long, and what is sent is timed.
        self.now = self.shared.now();
        let mut flushed = core.transmit(self.now);
        for _ in 1..OUTPUT_SLICES {
            if flushed != Flushed::More {
                break;
            }
            core = self.shared.give_way(core);
            self.now = self.shared.now();
            flushed = core.transmit(self.now);
        }
        hand_on(self.crossing.as_mut(), &mut core.stack);
        core.take_events(&mut self.events);
        self.told_full = core.full;
        flushed == Flushed::More
    }

    /// Wakes each waiter once. What nobody has claimed stays for the applications' next turn.
    fn wake(&mut self) {
        coalesce(&mut self.events);
        self.shared.waiters().deliver(&mut self.events);
        if self.residents.is_empty() {
            self.events.clear();
        }
    }
}

impl Drop for Shard {
    fn drop(&mut self) {
        self.residents.clear();
        self.shared.mark_stopped();
    }
}

/// Reads one packet, gives it to the stack and says how long it was. Its time is about that of the read: what waits in a
/// queue of ours must not look like a slow network.
fn receive(core: &mut MutexGuard<'_, Core>, now: Instant, packet: &mut Chunk) -> io::Result<usize> {
    let Core { stack, device, .. } = &mut **core;
    let device = device.as_mut().ok_or(io::ErrorKind::NotConnected)?;
    if packet.capacity() == 0 {
        *packet = stack.pool().take_largest();
    }
    let meta = device.receive(now, packet)?;
    let len = packet.len();
    stack.handle_packet(now, packet, &meta);
    Ok(len)
}

/// Sends what is for other stacks to their shards. Where there are none, as a shard of the application's own may have a
/// steering all the same, it is lost.
fn hand_on(crossing: Option<&mut Crossing>, stack: &mut Stack) {
    match crossing {
        Some(crossing) => crossing.send(stack),
        None => {
            while stack.poll_stray().is_some() {
                stack.count_lost_stray();
            }
        }
    }
}

/// Makes one event of all those of a socket.
fn coalesce(events: &mut Vec<Event>) {
    if events.len() < 2 {
        return;
    }
    events.sort_by_key(|event| event.socket);
    events.dedup_by(|later, earlier| {
        let same = later.socket == earlier.socket;
        if same {
            earlier.kinds |= later.kinds;
        }
        same
    });
}
