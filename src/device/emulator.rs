//! The link emulator: two wires joined by a [`Link`] each way.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use super::{
    DeviceError, InterfaceConfig, Link, LinkConfig, LinkCounters, OpenTun, Plain, TunName, WireDevice,
};
use crate::buffer::{Chunk, Pool};
use crate::time::{Duration, Instant};
use crate::wire::SendOutcome;

/// Packets read from one wire before the other has its turn.
const BUDGET: usize = 64;

const A: Token = Token(0);
const B: Token = Token(1);
const TIMER: Token = Token(2);
const STOP: Token = Token(3);

/// Two wires, and what happens to packets between them.
///
/// [`run`](LinkEmulator::run) is a loop of its own; whoever has another one calls [`turn`](LinkEmulator::turn) when a
/// wire is ready or the [`deadline`](LinkEmulator::deadline) has come.
///
/// ```
/// use longwire::device::{LinkEmulator, PairEnd, WireDevice};
/// use longwire::time::Instant;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let ((mut a, a_inside), (b_inside, b)) = (PairEnd::pair(1_500), PairEnd::pair(1_500));
/// let mut link = LinkEmulator::new(a_inside, b_inside, "delay=20ms".parse()?, "loss=1%".parse()?);
/// a.transmit(Instant::ZERO, &[0x45; 40]);
/// link.turn(Instant::ZERO)?;
/// assert_eq!(link.deadline(), Some(Instant::from_millis(20)));
/// link.turn(Instant::from_millis(20))?;
/// assert_eq!(b.waiting(), 1);
/// # Ok(())
/// # }
/// ```
pub struct LinkEmulator<W> {
    a: W,
    b: W,
    a_to_b: Link,
    b_to_a: Link,
    scratch: Chunk,
}

impl LinkEmulator<Plain> {
    /// Opens two TUN interfaces, each in its own namespace if it names one, and brings them up. They get no addresses
    /// here; what they have, and what they are given later, is left.
    ///
    /// # Errors
    /// See [`DeviceError`].
    pub fn open(
        a: &TunName,
        b: &TunName,
        mtu: u16,
        a_to_b: LinkConfig,
        b_to_a: LinkConfig,
    ) -> Result<Self, DeviceError> {
        let config = InterfaceConfig { mtu, ..InterfaceConfig::default() };
        let a = OpenTun::<Plain>::open(a)?.configure(&config)?;
        let b = OpenTun::<Plain>::open(b)?.configure(&config)?;
        Ok(LinkEmulator::new(a, b, a_to_b, b_to_a))
    }
}

impl<W: WireDevice> LinkEmulator<W> {
    /// Joins two wires.
    pub fn new(a: W, b: W, a_to_b: LinkConfig, b_to_a: LinkConfig) -> Self {
        let (a_to_b, b_to_a) = (Link::new(a_to_b), Link::new(b_to_a));
        LinkEmulator { a, b, a_to_b, b_to_a, scratch: Pool::new().take_largest() }
    }

    /// Takes packets from both wires, within a budget, and puts those that are due on the other one. Whether there may
    /// be more to take.
    ///
    /// # Errors
    /// A wire is gone.
    pub fn turn(&mut self, now: Instant) -> io::Result<bool> {
        let more_from_a = take(&mut self.a, &mut self.a_to_b, &mut self.scratch, now)?;
        let more_from_b = take(&mut self.b, &mut self.b_to_a, &mut self.scratch, now)?;
        deliver(&mut self.a_to_b, &mut self.b, now);
        deliver(&mut self.b_to_a, &mut self.a, now);
        Ok(more_from_a || more_from_b)
    }

    /// When the next packet is due.
    pub fn deadline(&self) -> Option<Instant> {
        self.a_to_b.deadline().into_iter().chain(self.b_to_a.deadline()).min()
    }

    /// What was done to packets from A to B, and from B to A.
    pub fn counters(&self) -> (&LinkCounters, &LinkCounters) {
        (self.a_to_b.counters(), self.b_to_a.counters())
    }

    /// Runs until `stop` is readable. Packets are on time to a fraction of a millisecond.
    ///
    /// # Errors
    /// A wire is gone or has no descriptor, or the system has no room for a poll or a timer.
    pub fn run(&mut self, clock: impl Fn() -> Instant, stop: BorrowedFd<'_>) -> io::Result<()> {
        let mut poll = Poll::new()?;
        let timer =
            TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
        let register = |fd: BorrowedFd<'_>, token, interest| {
            poll.registry().register(&mut SourceFd(&fd.as_raw_fd()), token, interest)
        };
        for (wire, token) in [(&self.a, A), (&self.b, B)] {
            let fd = wire.fd().ok_or(io::ErrorKind::Unsupported)?;
            register(fd, token, Interest::READABLE | Interest::WRITABLE)?;
        }
        register(timer.as_fd(), TIMER, Interest::READABLE)?;
        register(stop, STOP, Interest::READABLE)?;
        let mut events = Events::with_capacity(8);
        loop {
            let now = clock();
            let more = self.turn(now)?;
            // What is due and was not delivered waits for a full wire, whose writability wakes us.
            let due = [self.a_to_b.deadline(), self.b_to_a.deadline()].into_iter().flatten();
            match due.filter(|due| *due > now).min() {
                Some(due) => set(&timer, due - clock())?,
                None => timer.unset()?,
            }
            match poll.poll(&mut events, more.then_some(Duration::ZERO)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                result => result?,
            }
            if events.iter().any(|event| event.token() == STOP) {
                return Ok(());
            }
        }
    }
}

/// Takes what a wire has, within the budget. Whether it may have more.
fn take<W: WireDevice>(wire: &mut W, link: &mut Link, scratch: &mut Chunk, now: Instant) -> io::Result<bool> {
    for _ in 0..BUDGET {
        match wire.receive(now, scratch) {
            Ok(_) => link.push(now, scratch),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// Puts on a wire what is due. A full wire leaves the rest on the link.
fn deliver<W: WireDevice>(link: &mut Link, wire: &mut W, now: Instant) {
    while let Some(packet) = link.peek(now) {
        if wire.transmit(now, packet) == SendOutcome::Full {
            return;
        }
        link.pop(now);
    }
}

/// Has the timer fire once. Setting it forgets an expiry that nobody has read.
fn set(timer: &TimerFd, after: Duration) -> nix::Result<()> {
    // Zero would disarm it.
    let after = after.max(Duration::from_nanos(1));
    timer.set(Expiration::OneShot(TimeSpec::from_duration(after)), TimerSetTimeFlags::empty())
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::device::{PairEnd, SocketEnd};

    fn config(options: &str) -> LinkConfig {
        options.parse().unwrap()
    }

    #[test]
    fn each_direction_has_its_own_link() {
        let ((mut left, a), (mut right, b)) = (PairEnd::pair(1_500), PairEnd::pair(1_500));
        let mut emulator = LinkEmulator::new(a, b, config("delay=10ms"), config("delay=3ms"));
        left.transmit(Instant::ZERO, b"to the right");
        right.transmit(Instant::ZERO, b"to the left");
        assert!(!emulator.turn(Instant::ZERO).unwrap());
        assert_eq!(emulator.deadline(), Some(Instant::from_millis(3)));
        emulator.turn(Instant::from_millis(3)).unwrap();
        assert_eq!((left.waiting(), right.waiting()), (1, 0));
        assert_eq!(emulator.deadline(), Some(Instant::from_millis(10)));
        emulator.turn(Instant::from_millis(10)).unwrap();
        assert_eq!((left.waiting(), right.waiting()), (1, 1));
        assert_eq!(emulator.counters().0.delivered, 1);
    }

    #[test]
    fn a_flood_from_one_side_does_not_shut_the_other_out() {
        let ((mut left, a), (mut right, b)) = (PairEnd::pair(1_500), PairEnd::pair(1_500));
        let mut emulator = LinkEmulator::new(a, b, config(""), config(""));
        (0..=BUDGET).for_each(|_| assert_eq!(left.transmit(Instant::ZERO, b"x"), SendOutcome::Sent));
        right.transmit(Instant::ZERO, b"y");
        assert!(emulator.turn(Instant::ZERO).unwrap(), "there is more");
        assert_eq!((left.waiting(), right.waiting()), (1, BUDGET));
        assert!(!emulator.turn(Instant::ZERO).unwrap());
        assert_eq!(right.waiting(), BUDGET + 1);
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "the loop under test runs in real time")]
    fn the_loop_delays_packets_until_it_is_stopped() {
        let (near, a) = std::os::unix::net::UnixDatagram::pair().unwrap();
        let (far, b) = std::os::unix::net::UnixDatagram::pair().unwrap();
        let wires = [a, b].map(|socket| SocketEnd::new(socket, 1_500).unwrap());
        let (stop, mut stopper) = UnixStream::pair().unwrap();
        let start = std::time::Instant::now();
        let running = std::thread::spawn(move || {
            let [a, b] = wires;
            let mut emulator = LinkEmulator::new(a, b, config("delay=1500us"), config(""));
            emulator.run(|| Instant::ZERO + start.elapsed(), stop.as_fd()).unwrap();
            *emulator.counters().0
        });
        for number in 0..20u8 {
            let sent = start.elapsed();
            near.send(&[number]).unwrap();
            let mut packet = [0; 10];
            assert_eq!((far.recv(&mut packet).unwrap(), packet[0]), (1, number));
            let took = start.elapsed() - sent;
            assert!(took >= Duration::from_micros(1_500) && took < Duration::from_secs(5), "{took:?}");
        }
        stopper.write_all(b"!").unwrap();
        assert_eq!(running.join().unwrap().delivered, 20);
    }
}
