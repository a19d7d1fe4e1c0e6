//! Readiness: many sockets on one thread, with the names and the contract of mio.

mod event;
mod queue;
mod source;
mod waker;

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use mio::Registry;
use mio::unix::SourceFd;

use self::queue::{Queue, Registration};
use crate::driver::Subscriber;

pub use event::{Event, Events, Iter};
pub use source::Source;
pub use waker::Waker;

// mio's own, so that a program that knows those knows these, and may put its sockets and ours into one match.
#[doc(no_inline)]
pub use mio::{Interest, Token};

/// Waits for many sockets at once: mio's `Poll`, for the sockets of a [`Network`](crate::net::Network).
///
/// **The contract** is mio's, edge-triggered:
///
/// * Registering reports what is ready already. After that an event comes when something *becomes* ready: read, write
///   or accept until `WouldBlock`, or there may be no further event. Sockets have to be
///   [nonblocking](crate::net::TcpStream::set_nonblocking) for that.
/// * Events of a source between two calls of [`poll`](Poller::poll) come as one. An event may be spurious: trying
///   may give `WouldBlock` all the same.
/// * The end of a connection, by an error or in order, is reported whatever the interest.
/// * A socket is in one poller at a time. Dropping its last handle takes it out; what it had to say is forgotten.
///
/// **With other event loops.** A poller is a [`mio::event::Source`] itself, and has a descriptor that is readable while
/// there are events, so that one mio loop can wait for the kernel's sockets and ours. Call `poll` with a time-out of
/// zero then, until it gives no events.
///
/// An echo server for any number of clients, on one thread:
///
/// ```
/// use std::collections::HashMap;
/// use std::io::{ErrorKind, Read, Write};
/// use longwire::device;
/// use longwire::net::{Events, Interest, Network, Poller, Token};
///
/// const LISTENER: Token = Token(0);
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (here, there) = device::pair(1_500);
/// # let here = Network::builder(here).address("10.9.0.1/24".parse()?).start()?;
/// # let there = Network::builder(there).address("10.9.0.2/24".parse()?).start()?;
/// let listener = there.listen("10.9.0.2:7")?;
/// listener.set_nonblocking(true)?;
/// # let client = std::thread::spawn(move || -> std::io::Result<String> {
/// #     let mut stream = here.connect("10.9.0.2:7")?;
/// #     stream.write_all(b"all the way round")?;
/// #     stream.shutdown(std::net::Shutdown::Write)?;
/// #     let mut answer = String::new();
/// #     stream.read_to_string(&mut answer)?;
/// #     Ok(answer)
/// # });
///
/// let poller = Poller::new()?;
/// poller.register(&listener, LISTENER, Interest::READABLE)?;
/// let mut events = Events::with_capacity(128);
/// let mut streams = HashMap::new();
/// # let mut served = 0;
/// # while served == 0 {
/// poller.poll(&mut events, None)?;
/// for event in &events {
///     if event.token() == LISTENER {
///         while let Ok((stream, _peer)) = listener.accept() {
///             stream.set_nonblocking(true)?;
///             let token = Token(streams.len() + 1);
///             poller.register(&stream, token, Interest::READABLE)?;
///             streams.insert(token, stream);
///         }
///     } else if let Some(mut stream) = streams.get(&event.token()) {
///         let mut buffer = [0; 4096];
///         let ended = loop {
///             match stream.read(&mut buffer) {
///                 Ok(0) => break true,
///                 // A server in earnest keeps what the peer does not take yet.
///                 Ok(count) => stream.write_all(&buffer[..count])?,
///                 Err(error) if error.kind() == ErrorKind::WouldBlock => break false,
///                 Err(_) => break true,
///             }
///         };
///         if ended {
///             streams.remove(&event.token());
/// #           served += 1;
///         }
///     }
/// }
/// # }
/// # assert_eq!(client.join().unwrap()?, "all the way round");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Poller {
    queue: Arc<Queue>,
}

impl Poller {
    /// A poller without sources.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn new() -> io::Result<Poller> {
        Ok(Poller { queue: Arc::new(Queue::new()?) })
    }

    /// Reports `source` under `token` from now on, and what is ready now.
    ///
    /// # Errors
    /// `AlreadyExists` if it is registered, here or with another poller.
    pub fn register(&self, source: &impl Source, token: Token, interest: Interest) -> io::Result<()> {
        let socket = source.inside().0;
        let waiter = socket.waiter();
        let registration = Arc::new(Registration::new(&self.queue, waiter, token, interest)?);
        if !waiter.try_subscribe(Arc::clone(&registration) as Arc<dyn Subscriber>) {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "registered already"));
        }
        registration.notify(socket.readiness());
        Ok(())
    }

    /// Changes the token or the interest, and reports what is ready now.
    ///
    /// # Errors
    /// `NotFound` if the source is not registered here.
    pub fn reregister(&self, source: &impl Source, token: Token, interest: Interest) -> io::Result<()> {
        let socket = source.inside().0;
        self.queue.change(socket.waiter(), token, interest)?;
        self.queue.add(socket.waiter(), socket.readiness());
        Ok(())
    }

    /// Forgets `source`, and what it had to say.
    ///
    /// # Errors
    /// `NotFound` if the source is not registered here.
    pub fn deregister(&self, source: &impl Source) -> io::Result<()> {
        let waiter = source.inside().0.waiter();
        self.queue.check(waiter)?;
        waiter.subscribe(None);
        Ok(())
    }

    /// Waits until there are events, or `timeout` is over, and puts them into `events` instead of what was there: as
    /// many as there is capacity for, the others come with the next call. `None` waits for ever. Several threads may
    /// wait at once: each event goes to one of them.
    ///
    /// # Errors
    /// Never; mio's signature.
    pub fn poll(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        self.queue.take(events, timeout);
        Ok(())
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        // The sources may be registered with another one from now on.
        for waiter in self.queue.sources() {
            waiter.subscribe(None);
        }
    }
}

impl mio::event::Source for Poller {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        SourceFd(&self.as_raw_fd()).register(registry, token, interests)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        SourceFd(&self.as_raw_fd()).reregister(registry, token, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        SourceFd(&self.as_raw_fd()).deregister(registry)
    }
}

impl AsFd for Poller {
    /// Readable while there are events. For waiting only: not to be read from.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.queue.bell()
    }
}

impl AsRawFd for Poller {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}
