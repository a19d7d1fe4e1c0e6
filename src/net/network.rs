//! The handle on a running stack.

use std::io;
use std::net::{IpAddr, Shutdown, SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::engine::Engine;
use super::exit;
use super::{Builder, IcmpSocket, TcpListener, TcpStream, UdpSocket};
use crate::driver::{Application, Device, SharedStack, Stack, WakeSources};
use crate::stack::Error;

/// A running stack. Cloning it gives another handle on the same one; every socket holds one, too.
///
/// Two networks on one cable, and an echo between them:
///
/// ```
/// use std::io::{Read, Write};
/// use std::thread;
/// use longwire::device;
/// use longwire::net::Network;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (here, there) = device::pair(1_500);
/// let here = Network::builder(here).address("10.9.0.1/24".parse()?).start()?;
/// let there = Network::builder(there).address("10.9.0.2/24".parse()?).start()?;
///
/// let listener = there.listen("10.9.0.2:7")?;
/// let server = thread::spawn(move || {
///     let (mut stream, _peer) = listener.accept()?;
///     std::io::copy(&mut stream.try_clone()?, &mut stream)
/// });
///
/// let mut stream = here.connect("10.9.0.2:7")?;
/// stream.write_all(b"all the way round")?;
/// stream.shutdown(std::net::Shutdown::Write)?;
/// let mut answer = String::new();
/// stream.read_to_string(&mut answer)?;
/// assert_eq!(answer, "all the way round");
/// assert_eq!(server.join().unwrap()?, 17);
/// # Ok(())
/// # }
/// ```
///
/// **The end.** [`shutdown`](Network::shutdown) closes everything in order. Without it the stack runs as long as there
/// is a handle or a socket; dropping the last one waits until what was written has gone and the connections have
/// closed, at most for the time set with [`Builder::linger`], and resets what is left. Returning from `main` does the
/// same for sockets that nobody drops (in a static, on a thread that still runs), as the kernel does for its own; for
/// that, the network has to be started, or made the default, on the thread that runs `main`.
#[derive(Clone)]
pub struct Network {
    inner: Arc<Inner>,
}

/// A handle that does not keep the stack running.
pub(super) struct WeakNetwork {
    inner: Weak<Inner>,
}

impl WeakNetwork {
    pub(super) fn upgrade(&self) -> Option<Network> {
        Some(Network { inner: self.inner.upgrade()? })
    }
}

struct Inner {
    engine: Engine,
    /// One for each queue, and so at least one.
    shards: Vec<SharedStack>,
    /// Which of them the next socket goes to that may be on any.
    turn: AtomicUsize,
    backlog: usize,
    linger: Duration,
    /// `shutdown` has been called: no new sockets.
    closing: AtomicBool,
}

impl Network {
    /// Begins a network over `device`.
    pub fn builder(device: impl Device + 'static) -> Builder {
        Builder::new(vec![Box::new(device)])
    }

    /// Begins a network over several queues of one interface. Each gets a stack and a thread of its own, and about as many of
    /// the connections as every other one; sockets are of all of them, and so are limits.
    ///
    /// ```no_run
    /// use longwire::device::{InterfaceConfig, Offload, OpenTun};
    /// use longwire::net::Network;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let interface = OpenTun::<Offload>::open_queues(&"lw0".parse()?, 4)?;
    /// let queues = interface.configure_queues(&InterfaceConfig::default())?;
    /// let network = Network::over_queues(queues).address("10.9.0.2/24".parse()?).start()?;
    /// assert_eq!(network.shards().len(), 4);
    /// # Ok(())
    /// # }
    /// ```
    pub fn over_queues(queues: Vec<impl Device + 'static>) -> Builder {
        Builder::new(queues.into_iter().map(|queue| Box::new(queue) as Box<dyn Device>).collect())
    }

    pub(super) fn new(engine: Engine, backlog: usize, linger: Duration) -> Self {
        let (shards, turn, closing) = (engine.shards(), AtomicUsize::new(0), AtomicBool::new(false));
        let inner = Inner { engine, shards, turn, backlog, linger, closing };
        let network = Network { inner: Arc::new(inner) };
        exit::watch(&network);
        network
    }

    pub(super) fn downgrade(&self) -> WeakNetwork {
        WeakNetwork { inner: Arc::downgrade(&self.inner) }
    }

    /// Closes every socket, whoever holds it, as the end of a process does: what was written still goes out.
    pub(super) fn close_sockets(&self) {
        self.inner.closing.store(true, Ordering::Release);
        self.shards().iter().for_each(close_sockets);
    }

    /// Lingers as dropping the last handle does, and stops.
    pub(super) fn stop(&self) {
        self.inner.engine.stop(self.inner.linger);
    }

    /// Listens for TCP connections. Port 0 takes a free one.
    ///
    /// # Errors
    /// `AddrInUse`, `AddrNotAvailable` (not one of ours), `NetworkDown` after [`shutdown`](Network::shutdown).
    pub fn listen(&self, address: impl ToSocketAddrs) -> io::Result<TcpListener> {
        each_address(address, |address| TcpListener::on(self, address))
    }

    /// Listens for TCP connections to any address and port that is routed to the interface, IPv4 and IPv6, wherever
    /// no listener of that very end is: what gateways, VPNs and transparent proxies are made of. The accepted stream's
    /// [`local_addr`](TcpStream::local_addr) is what the peer asked for.
    ///
    /// ```
    /// use std::io::{Read, Write};
    /// use longwire::{device, net::Network};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (here, there) = device::pair(1_500);
    /// let here = Network::builder(here).address("10.9.0.1/24".parse()?).start()?;
    /// let there = Network::builder(there).address("10.9.0.2/24".parse()?).start()?;
    /// let listener = there.listen_any()?;
    ///
    /// let mut stream = here.connect("198.51.100.7:443")?; // whoever that is: it answers for them
    /// let (mut accepted, _peer) = listener.accept()?;
    /// assert_eq!(accepted.local_addr()?.to_string(), "198.51.100.7:443");
    /// accepted.write_all(b"hello")?;
    /// drop(accepted);
    /// let mut answer = String::new();
    /// stream.read_to_string(&mut answer)?;
    /// assert_eq!(answer, "hello");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Addresses that no router forwards to (loopback, link-local, multicast) and IPv4-mapped ones are left out: a
    /// gateway that connected onwards to those would reach itself. The listener's own address is 0.0.0.0:0.
    ///
    /// # Errors
    /// `AddrInUse` if there is one already, `NetworkDown` after [`shutdown`](Network::shutdown).
    pub fn listen_any(&self) -> io::Result<TcpListener> {
        TcpListener::on_any(self)
    }

    /// Opens a TCP connection and waits until it stands; of several addresses the first that answers.
    ///
    /// # Errors
    /// `ConnectionRefused`, `TimedOut`, `HostUnreachable`, `NetworkUnreachable` (no address of ours in that family),
    /// `NetworkDown` after [`shutdown`](Network::shutdown).
    pub fn connect(&self, address: impl ToSocketAddrs) -> io::Result<TcpStream> {
        each_address(address, |address| TcpStream::open(self, address, None))
    }

    /// As [`connect`](Network::connect), with the first data for the peer, and how much of it was taken (all of it, if
    /// it is no larger than a send buffer): TCP Fast Open (RFC 7413), `sendto` with `MSG_FASTOPEN`. If the server has
    /// given out a cookie to an earlier connection of this kind, what fits one segment goes with the SYN, and the answer
    /// may come a round trip earlier. Whatever the server says, the data arrives.
    ///
    /// It may arrive twice, as a SYN that the network repeats late may begin a second connection: only for requests
    /// that may be repeated.
    ///
    /// ```
    /// use std::io::{Read, Write};
    /// use longwire::{device, net::Network};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (here, there) = device::pair(1_500);
    /// let here = Network::builder(here).address("10.9.0.1/24".parse()?).start()?;
    /// let there = Network::builder(there).address("10.9.0.2/24".parse()?).start()?;
    /// let listener = there.listen("10.9.0.2:7")?;
    /// listener.set_fast_open(16)?;
    /// for fast in [false, true] {
    ///     let (stream, taken) = here.connect_with_data("10.9.0.2:7", b"what time is it?")?;
    ///     assert_eq!((taken, stream.info()?.fast_open), (16, fast), "the first only gets a cookie");
    ///     let mut request = [0; 16];
    ///     listener.accept()?.0.read_exact(&mut request)?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As for `connect`.
    pub fn connect_with_data(
        &self,
        address: impl ToSocketAddrs,
        data: &[u8],
    ) -> io::Result<(TcpStream, usize)> {
        each_address(address, |address| TcpStream::open_with_data(self, address, data))
    }

    /// As [`connect`](Network::connect), but gives up after `timeout`.
    ///
    /// # Errors
    /// As for `connect`; `TimedOut` when the time is over, `InvalidInput` for a time of zero.
    pub fn connect_timeout(&self, address: &SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
        TcpStream::open(self, *address, Some(timeout))
    }

    /// Begins to open a TCP connection and does not wait for it: the stream is nonblocking, and a
    /// [`Poller`](super::Poller) says when it is writable. Then the connection stands if
    /// [`peer_addr`](TcpStream::peer_addr) answers, and [`take_error`](TcpStream::take_error) says why not if it does
    /// not.
    ///
    /// # Errors
    /// `NetworkUnreachable` (no address of ours in that family), `NetworkDown` after
    /// [`shutdown`](Network::shutdown); what the peer says comes later.
    pub fn start_connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let stream = TcpStream::start(self, address)?;
        stream.set_nonblocking(true)?;
        Ok(stream)
    }

    /// Binds a UDP socket. Port 0 takes a free one.
    ///
    /// # Errors
    /// As for [`listen`](Network::listen).
    pub fn udp(&self, address: impl ToSocketAddrs) -> io::Result<UdpSocket> {
        each_address(address, |address| UdpSocket::on(self, address))
    }

    /// Opens a socket for echo requests, with an identifier of its own.
    ///
    /// # Errors
    /// `OutOfMemory` when the stack has as many sockets as it may, `NetworkDown` after
    /// [`shutdown`](Network::shutdown).
    pub fn icmp(&self) -> io::Result<IcmpSocket> {
        IcmpSocket::on(self)
    }

    /// Sends one echo request and waits for the reply: the round-trip time.
    ///
    /// # Errors
    /// `TimedOut` without a reply in time, `InvalidInput` for a time of zero; else as for [`icmp`](Network::icmp).
    pub fn ping(&self, to: IpAddr, timeout: Duration) -> io::Result<Duration> {
        self.icmp()?.ping(to, 1, timeout)
    }

    /// Lets an event-driven application live in this stack's loop; of several, in that of the first.
    pub fn attach(&self, application: Box<dyn Application>) {
        self.shared().attach(application);
    }

    /// For applications in the loop with descriptors of their own: what is registered there wakes the loop.
    ///
    /// # Errors
    /// The system has no descriptors left; `Unsupported` for a network that runs as a task of a tokio runtime, which has
    /// no such loop.
    pub fn wake_sources(&self) -> io::Result<WakeSources> {
        self.inner.engine.wake_sources()
    }

    /// The stack itself, for calls that no socket has; of several, the first.
    pub fn shared(&self) -> &SharedStack {
        &self.inner.shards[0]
    }

    /// The stacks: one, or one for each [queue](Network::over_queues).
    pub fn shards(&self) -> &[SharedStack] {
        &self.inner.shards
    }

    /// The stack for a socket that may be on any: each has its turn.
    pub(super) fn any_shard(&self) -> &SharedStack {
        &self.shards()[self.next_turn()]
    }

    /// The place of the stack whose turn it is, if it makes no difference.
    pub(super) fn next_turn(&self) -> usize {
        match self.shards().len() {
            1 => 0,
            count => self.inner.turn.fetch_add(1, Ordering::Relaxed) % count,
        }
    }

    /// The stack that datagrams to a UDP port come to; any for port 0, which is yet to be chosen.
    pub(super) fn shard_of_port(&self, port: u16) -> &SharedStack {
        let owner = |stack: &mut Stack| stack.steering().map(|steering| steering.of_port(port));
        match self.shards() {
            [only] => only,
            _ if port == 0 => self.any_shard(),
            shards => &shards[shards[0].with(owner).unwrap_or(0)],
        }
    }

    /// Ends everything in order: no new connections, and of the open ones our direction is closed behind what was
    /// written. Waits until the peers have done the same or `timeout` is over, resets what is left then, and closes
    /// the device. `true` if nothing had to be reset.
    ///
    /// Meanwhile other threads may read what the peers still send; writing gives `BrokenPipe`. Afterwards every call
    /// fails. Connections of an attached application are waited for, but to close them is for the application.
    ///
    /// A network that runs as a task of a tokio runtime is only told to end, as the runtime's thread may be the caller's
    /// own: `false` then, unless it had ended before.
    pub fn shutdown(&self, timeout: Duration) -> bool {
        self.begin_to_close();
        self.inner.engine.stop(timeout)
    }

    /// As [`shutdown`](Network::shutdown), without blocking: for networks of both kinds. Feature `tokio`; to be awaited
    /// in a tokio runtime.
    #[cfg(feature = "tokio")]
    pub async fn shutdown_async(&self, timeout: Duration) -> bool {
        self.begin_to_close();
        super::tokio::stop(self.clone(), timeout).await
    }

    /// No new sockets, and the open ones close our direction.
    fn begin_to_close(&self) {
        self.inner.closing.store(true, Ordering::Release);
        for shared in self.shards() {
            for socket in shared.waiters().sockets() {
                let now = shared.now();
                shared.with(|stack| {
                    // Only a connection has a direction to close; one that has ended keeps what it received.
                    if stack.shutdown(socket, Shutdown::Write) == Err(Error::InvalidInput) {
                        let _ = stack.close(now, socket);
                    }
                });
            }
            shared.waiters().wake_all();
        }
    }

    #[cfg(feature = "tokio")]
    pub(super) fn engine(&self) -> &Engine {
        &self.inner.engine
    }

    pub(super) fn backlog(&self) -> usize {
        self.inner.backlog
    }

    /// Fails once the network is shutting down.
    pub(super) fn check_open(&self) -> io::Result<()> {
        if self.inner.closing.load(Ordering::Acquire) || self.shared().is_stopped() {
            return Err(down());
        }
        Ok(())
    }
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Network").field("open", &self.check_open().is_ok()).finish_non_exhaustive()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Every socket holds a handle, so all of them are closed by now.
        self.engine.stop(self.linger);
    }
}

/// What every call gives after the network's end.
pub(super) fn down() -> io::Error {
    io::Error::new(io::ErrorKind::NetworkDown, "the network has been shut down")
}

/// Closes every socket that somebody holds: what was written still goes out.
pub(super) fn close_sockets(shared: &SharedStack) {
    for socket in shared.waiters().sockets() {
        let now = shared.now();
        // Fails if its owner has closed it at this very moment.
        let _ = shared.with(|stack| stack.close(now, socket));
    }
    shared.waiters().wake_all();
}

/// Tries the addresses in turn: the first success, or the last error.
pub(super) fn each_address<T>(
    addresses: impl ToSocketAddrs,
    mut attempt: impl FnMut(SocketAddr) -> io::Result<T>,
) -> io::Result<T> {
    let none = || io::Error::new(io::ErrorKind::InvalidInput, "could not resolve to any addresses");
    let mut last = None;
    for address in addresses.to_socket_addrs()? {
        match attempt(address) {
            Ok(done) => return Ok(done),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(none))
}
