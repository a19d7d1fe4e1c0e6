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
/// use std::io::{Read, Write};
/// use std::os::fd::AsRawFd;
/// use std::os::unix::net::UnixStream;
/// use std::sync::mpsc::{Sender, channel};
///
/// use longwire::driver::{Application, Event, Instant, SharedStack, WakeSources};
/// use longwire::{device, net::Network};
/// use mio::unix::SourceFd;
///
/// /// Passes on what comes over a socket of the kernel.
/// struct Listener(UnixStream, Sender<u8>);
///
/// impl Application for Listener {
///     fn turn(&mut self, _stack: &SharedStack, _now: Instant, _events: &[Event]) {
///         let mut byte = [0];
///         while let Ok(1) = self.0.read(&mut byte) {
///             let _ = self.1.send(byte[0]);
///         }
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let network = Network::builder(device::pair(1_500).0).address("10.9.0.1/24".parse()?).start()?;
/// let (ours, mut theirs) = UnixStream::pair()?;
/// ours.set_nonblocking(true)?;
/// let wakes: WakeSources = network.wake_sources()?;
/// wakes.register(&mut SourceFd(&ours.as_raw_fd()))?;
/// let (sender, receiver) = channel();
/// network.attach(Box::new(Listener(ours, sender)));
///
/// theirs.write_all(b"!")?; // wakes the loop, which would else sleep for ever
/// assert_eq!(receiver.recv()?, b'!');
/// # Ok(())
/// # }
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
