//! Descriptors that get a turn out of a loop.

use std::fmt;
use std::io;

use mio::event::Source;
use mio::{Interest, Registry, Token};

/// What all sources are registered with: the loop does not tell one from another.
const ANY: Token = Token(usize::MAX);

/// Where an [`Application`](super::Application) registers descriptors that it reads from or writes to in its turns,
/// such as sockets of the kernel: when one becomes readable or writable, the loop is woken as by a ring.
///
/// Readiness is edge-triggered. A turn does not say which source was ready, nor whether any was: try each until
/// `WouldBlock`. A loop that has enough to do does not ask for readiness; an application that is called then looks by
/// itself from time to time.
///
/// ```
/// use std::net::UdpSocket;
/// use std::os::fd::AsRawFd;
/// use longwire::driver::{Application, Event, Instant, SharedStack, WakeSources};
///
/// /// Counts what comes to a socket of the kernel's, in the loop of a stack.
/// struct Counting { socket: UdpSocket, datagrams: usize }
///
/// impl Counting {
///     fn new(socket: UdpSocket, wakes: &WakeSources) -> std::io::Result<Counting> {
///         socket.set_nonblocking(true)?;
///         wakes.register(&mut mio::unix::SourceFd(&socket.as_raw_fd()))?;
///         Ok(Counting { socket, datagrams: 0 })
///     }
/// }
///
/// impl Application for Counting {
///     fn turn(&mut self, _stack: &SharedStack, _now: Instant, _events: &[Event]) {
///         while self.socket.recv(&mut [0; 2_048]).is_ok() {
///             self.datagrams += 1;
///         }
///     }
/// }
/// ```
pub struct WakeSources {
    registry: Registry,
}

impl WakeSources {
    /// The sources of the loop that polls with `registry`.
    ///
    /// # Errors
    /// The system has no descriptors left.
    pub fn new(registry: &Registry) -> io::Result<WakeSources> {
        Ok(WakeSources { registry: registry.try_clone()? })
    }

    /// Lets `source` wake the loop until it is closed.
    ///
    /// # Errors
    /// What epoll says: the descriptor cannot be waited on, or the system's limit on watches is reached.
    pub fn register(&self, source: &mut impl Source) -> io::Result<()> {
        self.registry.register(source, ANY, Interest::READABLE | Interest::WRITABLE)
    }
}

impl fmt::Debug for WakeSources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WakeSources")
    }
}
