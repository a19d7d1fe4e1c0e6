//! What all kinds of sockets have in common: an id, a place to wait, time-outs, and closing when dropped.

use std::io;
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::Network;
use super::network::down;
use crate::driver::{Direction, Instant, Readiness, SharedStack, SocketOptions, Stack, Waiter};
use crate::stack::{Error, SocketId};

/// The least that a send or receive buffer can be set to, in bytes: two full segments, as in kernels.
pub(super) const MIN_BUFFER: usize = 4 * 1024;

/// A socket of a network. Clones of a stream share one, as descriptors made by `dup` do: its options are common, and
/// the last to go closes it.
pub(super) struct Socket {
    id: SocketId,
    waiter: Arc<Waiter>,
    read_timeout: Timeout,
    write_timeout: Timeout,
    nonblocking: AtomicBool,
    /// The error that ended the connection has been reported.
    error_taken: AtomicBool,
    linger: Linger,
    /// The stack that it is on.
    shared: SharedStack,
    /// What a listener has on the other stacks of its network.
    parts: Option<Box<[Part]>>,
    // The last field: the network may end with it, after the socket has been closed.
    network: Network,
}

/// A socket on another stack that belongs to the first, and has its events and its options. Closed when it is dropped.
pub(super) struct Part {
    shared: SharedStack,
    id: SocketId,
}

impl Part {
    pub(super) fn new(shared: &SharedStack, id: SocketId) -> Part {
        Part { shared: shared.clone(), id }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.shared.waiters().remove(self.id);
        let now = self.shared.now();
        // Stale after the network's end.
        let _ = self.shared.with(|stack| stack.close(now, self.id));
    }
}

impl Socket {
    /// Takes over `id`.
    ///
    /// # Errors
    /// `NetworkDown`, and the socket is closed: the network has begun to shut down since it was opened, and may have
    /// closed all that it knew of before it knew of this one.
    pub(super) fn new(network: &Network, shard: &SharedStack, id: SocketId) -> io::Result<Self> {
        let waiter = shard.waiters().register(id);
        let socket = Socket {
            id,
            waiter,
            read_timeout: Timeout::default(),
            write_timeout: Timeout::default(),
            nonblocking: AtomicBool::new(false),
            error_taken: AtomicBool::new(false),
            linger: Linger::default(),
            shared: shard.clone(),
            parts: None,
            network: network.clone(),
        };
        network.check_open().map(|()| socket)
    }

    /// Takes over its parts.
    ///
    /// # Errors
    /// As `new`.
    pub(super) fn with_parts(mut self, parts: Vec<Part>) -> io::Result<Self> {
        parts.iter().for_each(|part| part.shared.waiters().register_with(part.id, &self.waiter));
        if !parts.is_empty() {
            self.parts = Some(parts.into_boxed_slice());
        }
        self.network.check_open().map(|()| self)
    }

    pub(super) fn network(&self) -> &Network {
        &self.network
    }

    /// The stack that it is on.
    pub(super) fn shared(&self) -> &SharedStack {
        &self.shared
    }

    /// It and its parts.
    pub(super) fn all(&self) -> impl Iterator<Item = (&SharedStack, SocketId)> + Clone {
        let parts = self.parts.iter().flat_map(|parts| parts.iter().map(|part| (&part.shared, part.id)));
        std::iter::once((&self.shared, self.id)).chain(parts)
    }

    /// Where the events of this socket go.
    pub(super) fn waiter(&self) -> &Arc<Waiter> {
        &self.waiter
    }

    /// What can be done with it now; everything, after the network's end, so that whoever tries finds out.
    pub(super) fn readiness(&self) -> Readiness {
        let over = Readiness { readable: true, writable: true, connected: false, closed: true, failed: true };
        let each = self.all().map(|(shared, id)| shared.with(|stack| stack.readiness(id)).unwrap_or(over));
        each.fold(Readiness::default(), |mut all, one| {
            all |= one;
            all
        })
    }

    /// A call that never blocks.
    pub(super) fn call<T>(&self, f: impl FnOnce(&mut Stack, SocketId) -> Result<T, Error>) -> io::Result<T> {
        self.shared().with_socket(self.id, |stack| f(stack, self.id)).map_err(|error| self.explain(error))
    }

    /// The same for it and for all of its parts: what changes its options.
    pub(super) fn call_all(
        &self,
        mut f: impl FnMut(&mut Stack, SocketId) -> Result<(), Error>,
    ) -> io::Result<()> {
        self.all()
            .try_for_each(|(shared, id)| shared.with_socket(id, |stack| f(stack, id)))
            .map_err(|error| self.explain(error))
    }

    /// A call that blocks as long as it gives `WouldBlock`, unless the socket is nonblocking; with the time-out of
    /// the direction, whose end is a `WouldBlock`, as it is for Unix sockets in the standard library.
    pub(super) fn blocking<T>(
        &self,
        direction: Direction,
        mut attempt: impl FnMut(&mut Stack, SocketId) -> Result<T, Error>,
    ) -> io::Result<T> {
        self.blocking_on(direction, || self.shared().with_socket(self.id, |stack| attempt(stack, self.id)))
    }

    /// The same for an attempt that is made at more than this one.
    pub(super) fn blocking_on<T>(
        &self,
        direction: Direction,
        mut attempt: impl FnMut() -> Result<T, Error>,
    ) -> io::Result<T> {
        if self.nonblocking.load(Ordering::Relaxed) {
            return attempt().map_err(|error| self.explain(error));
        }
        self.block_until(direction, || Some(self.shared().now() + self.timeout(direction).get()?), attempt)
    }

    /// As [`blocking`](Self::blocking), but with this time-out whatever is set, and `TimedOut` at its end.
    pub(super) fn blocking_for<T>(
        &self,
        direction: Direction,
        timeout: Option<Duration>,
        mut attempt: impl FnMut(&mut Stack, SocketId) -> Result<T, Error>,
    ) -> io::Result<T> {
        let deadline = timeout.map(|timeout| self.shared().now() + timeout);
        let attempt = || self.shared().with_socket(self.id, |stack| attempt(stack, self.id));
        self.block_until(direction, || deadline, attempt).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => io::Error::from(Error::TimedOut),
            _ => error,
        })
    }

    /// `deadline` is asked for when it comes to sleeping for the first time: most calls never ask for the time.
    fn block_until<T>(
        &self,
        direction: Direction,
        deadline: impl Fn() -> Option<Instant>,
        mut attempt: impl FnMut() -> Result<T, Error>,
    ) -> io::Result<T> {
        let mut until = None;
        loop {
            let ticket = self.waiter.ticket(direction);
            match attempt() {
                Err(Error::WouldBlock) => {}
                done => return done.map_err(|error| self.explain(error)),
            }
            if self.shared().is_stopped() {
                return Err(self.explain(Error::WouldBlock));
            }
            let until = *until.get_or_insert_with(&deadline);
            if !self.waiter.wait(ticket, self.shared().clock(), until) {
                return Err(Error::WouldBlock.into());
            }
        }
    }

    /// The only way for an id of ours to become stale is the network's end, and once nobody drives the stack any more
    /// waiting has no end. What ended a connection is told once, by whichever call comes first, as kernel sockets do;
    /// from then on it is a `BrokenPipe`, which for reading is the end of the stream.
    fn explain(&self, error: Error) -> io::Error {
        match error {
            Error::StaleSocket => down(),
            Error::WouldBlock if self.shared().is_stopped() => down(),
            Error::WouldBlock => error.into(),
            _ if self.ended_by(error) && self.error_taken.swap(true, Ordering::Relaxed) => {
                Error::BrokenPipe.into()
            }
            _ => error.into(),
        }
    }

    fn ended_by(&self, error: Error) -> bool {
        self.shared().with(|stack| stack.error(self.id)) == Ok(Some(error))
    }

    /// The options of a TCP socket.
    pub(super) fn options(&self) -> io::Result<SocketOptions> {
        self.call(|stack, id| stack.options(id))
    }

    pub(super) fn change_options(&self, change: impl Fn(&mut SocketOptions)) -> io::Result<()> {
        self.call_all(|stack, id| {
            let mut options = stack.options(id)?;
            change(&mut options);
            stack.set_options(id, options)
        })
    }

    pub(super) fn timeout(&self, direction: Direction) -> &Timeout {
        match direction {
            Direction::Read => &self.read_timeout,
            Direction::Write => &self.write_timeout,
        }
    }

    pub(super) fn set_nonblocking(&self, nonblocking: bool) {
        self.nonblocking.store(nonblocking, Ordering::Relaxed);
    }

    /// What dropping the socket waits for.
    pub(super) fn linger(&self) -> &Linger {
        &self.linger
    }

    /// The error that ended the connection, or that was heard of a datagram, once.
    pub(super) fn take_error(&self) -> io::Result<Option<io::Error>> {
        let error = self.call(|stack, id| match stack.udp_take_error(id) {
            Err(Error::InvalidInput) => {
                Ok(stack.error(id)?.filter(|_| !self.error_taken.swap(true, Ordering::Relaxed)))
            }
            taken => taken,
        })?;
        Ok(error.map(io::Error::from))
    }

    /// Waits until the peer has acknowledged everything, or the time is over.
    fn wait_until_delivered(&self, timeout: Duration) {
        // Fails on a connection that has ended, and then there is nothing to wait for.
        let _ = self.call(|stack, id| stack.shutdown(id, Shutdown::Write));
        let _ = self.blocking_for(Direction::Write, Some(timeout), |stack, id| {
            if stack.is_delivered(id)? { Ok(()) } else { Err(Error::WouldBlock) }
        });
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let linger = self.linger.get();
        if let Some(timeout) = linger.filter(|timeout| !timeout.is_zero()) {
            self.wait_until_delivered(timeout);
        }
        // What the loop is just telling of is not to be heard any more.
        self.waiter().subscribe(None);
        let shared = self.shared();
        shared.waiters().remove(self.id);
        let now = shared.now();
        shared.with(|stack| {
            // Stale after the network's end: then there is nothing left to close.
            if linger.is_some_and(|timeout| timeout.is_zero()) {
                let _ = stack.abort(self.id);
            }
            let _ = stack.close(now, self.id);
        });
    }
}

impl std::fmt::Debug for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.id.fmt(f)
    }
}

/// How long dropping a connection blocks: not at all unless set, and zero is a reset.
pub(super) struct Linger(AtomicU64);

/// Stands for no lingering: 584 years, which nobody can ask for.
const NO_LINGER: u64 = u64::MAX;

impl Default for Linger {
    fn default() -> Self {
        Linger(AtomicU64::new(NO_LINGER))
    }
}

impl Linger {
    pub(super) fn get(&self) -> Option<Duration> {
        Some(self.0.load(Ordering::Relaxed)).filter(|nanos| *nanos != NO_LINGER).map(Duration::from_nanos)
    }

    pub(super) fn set(&self, linger: Option<Duration>) {
        let nanos = |linger: Duration| {
            u64::try_from(linger.as_nanos()).map_or(NO_LINGER - 1, |n| n.min(NO_LINGER - 1))
        };
        self.0.store(linger.map_or(NO_LINGER, nanos), Ordering::Relaxed);
    }
}

/// A time-out that clones share: nanoseconds, 0 for none.
#[derive(Default)]
pub(super) struct Timeout(AtomicU64);

impl Timeout {
    pub(super) fn get(&self) -> Option<Duration> {
        Some(Duration::from_nanos(self.0.load(Ordering::Relaxed))).filter(|timeout| !timeout.is_zero())
    }

    /// Zero is refused, as in the standard library: there it would mean "none" to the kernel.
    pub(super) fn set(&self, timeout: Option<Duration>) -> io::Result<()> {
        if let Some(timeout) = timeout {
            refuse_zero(timeout)?;
        }
        let nanos = timeout.map_or(0, |timeout| u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX));
        self.0.store(nanos, Ordering::Relaxed);
        Ok(())
    }
}

/// `InvalidInput` for a duration of zero.
pub(super) fn refuse_zero(timeout: Duration) -> io::Result<()> {
    if timeout.is_zero() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "cannot set a 0 duration timeout"));
    }
    Ok(())
}
