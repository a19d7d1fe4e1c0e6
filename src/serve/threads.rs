//! The other form of server: a blocking thread for each connection, on `net`'s listener.
//!
//! It drives the same [`Session`] with the same handlers as the event-driven form, and is what one wants where a
//! handler has to block. Limits are those of [`ServerConfig`]; the number of connections is bounded, as each costs a
//! thread.
//!
//! ```
//! use longwire::{device, http::{Router, ServerConfig}, net::Network, serve::threads};
//! use std::io::{Read, Write};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (here, there) = device::pair(1_500);
//! let here = Network::builder(here).address("10.9.0.1/24".parse()?).start()?;
//! let there = Network::builder(there).address("10.9.0.2/24".parse()?).start()?;
//! let listener = there.listen("10.9.0.2:80")?;
//! let router = Router::new().get("/", |_request| http::Response::new(b"hello\n".as_slice().into()));
//! let server = std::thread::spawn(move || {
//!     threads::serve(&listener, ServerConfig::default(), 100, router)
//! });
//!
//! let mut client = here.connect("10.9.0.2:80")?;
//! client.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
//! let mut answer = String::new();
//! client.read_to_string(&mut answer)?;
//! assert!(answer.ends_with("\r\n\r\nhello\n"));
//!
//! there.shutdown(std::time::Duration::from_secs(1));
//! assert!(server.join().unwrap().is_err(), "it ends with its network");
//! # Ok(())
//! # }
//! ```

use std::io::{self, IoSlice, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use super::about::Introduction;
use crate::driver;
use crate::http::{Clock, Now, ServerConfig, ServerConnection, Service, Session, Transport};
use crate::net::{Chunk, TcpListener, TcpStream};

/// Threads above the maximum, for as long as it takes to say 503.
const RESERVE: usize = 16;
/// How long a thread reads at most while a handler that may be woken has not answered.
const GLANCE: Duration = Duration::from_millis(10);
/// How often a connection that is to be closed is asked whether everything has been acknowledged.
const DRAIN_INTERVAL: Duration = Duration::from_millis(100);
/// What a connection over the maximum is told to wait.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Serves what `listener` accepts, until its network is shut down. Of more than `max_connections` at once the next
/// few get 503, and what comes on top of them a reset.
///
/// # Errors
/// What accepting ended with.
pub fn serve(
    listener: &TcpListener,
    config: ServerConfig,
    max_connections: usize,
    service: impl Service + 'static,
) -> io::Result<()> {
    let (config, service): (_, Arc<dyn Service>) = (Arc::new(config), Arc::new(service));
    let open = Arc::new(AtomicUsize::new(0));
    loop {
        let (stream, _) = listener.accept()?;
        let guest = Guest::new(&open);
        let is_full = guest.number > max_connections;
        if guest.number > max_connections.saturating_add(RESERVE) {
            stream.set_reset_on_drop(true);
            continue;
        }
        let (config, service) = (Arc::clone(&config), Arc::clone(&service));
        let thread = thread::Builder::new().name("longwire-http".into());
        hand_over(stream, thread, move |stream| {
            let _guest = guest;
            Connection::new(stream, config, is_full).run(&*service);
        });
    }
}

/// Runs `serve` on a thread of its own; without one the connection is reset.
fn hand_over(stream: TcpStream, thread: thread::Builder, serve: impl FnOnce(TcpStream) + Send + 'static) {
    // A spawn that fails drops the stream, and an orderly end would look like an empty answer.
    stream.set_reset_on_drop(true);
    let spawned = thread.spawn(move || {
        stream.set_reset_on_drop(false);
        serve(stream);
    });
    if let Err(error) = spawned {
        log::warn!("no thread for a connection, it is reset: {error}");
    }
}

/// Counts a connection for as long as it lives.
struct Guest {
    open: Arc<AtomicUsize>,
    /// Connections with this one.
    number: usize,
}

impl Guest {
    fn new(open: &Arc<AtomicUsize>) -> Self {
        Guest { number: open.fetch_add(1, Ordering::Relaxed) + 1, open: Arc::clone(open) }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection on its own thread.
struct Connection {
    stream: TcpStream,
    session: Session,
    clock: driver::Clock,
    dates: Clock,
    /// Read, and not taken by the session yet.
    leftover: Option<Chunk>,
}

impl Connection {
    fn new(stream: TcpStream, config: Arc<ServerConfig>, is_full: bool) -> Self {
        let clock = *stream.network().shared().clock();
        let mut dates = Clock::default();
        let now = moment(&clock, &mut dates);
        let connection = if is_full {
            ServerConnection::overloaded(config, now, RETRY_AFTER)
        } else {
            ServerConnection::new(config, now)
        };
        Connection { stream, session: Session::new(connection), clock, dates, leftover: None }
    }

    fn now(&mut self) -> Now {
        moment(&self.clock, &mut self.dates)
    }

    /// To its end.
    fn run(mut self, service: &dyn Service) {
        let bell = Arc::new(Bell { thread: thread::current(), rung: AtomicBool::new(false) });
        let waker = Waker::from(Arc::clone(&bell));
        let mut cx = Context::from_waker(&waker);
        let mut fin_sent = false;
        loop {
            let now = self.now();
            self.session.handle_timeout(now);
            self.session.poll(now, &mut cx);
            if self.write() {
                continue;
            }
            match self.session.connection().transport() {
                Transport::Continue => {}
                Transport::ShutdownWrite => {
                    if !std::mem::replace(&mut fin_sent, true) {
                        // If it fails the connection has ended, and reading says so.
                        let _ = self.stream.shutdown(Shutdown::Write);
                    }
                }
                Transport::Close => return self.close(),
                Transport::Abort => return self.stream.set_reset_on_drop(true),
            }
            self.wait(service, &bell, &mut cx);
        }
    }

    /// Writes what there is, or as much as goes in the time that the session gives. Whether there was anything.
    fn write(&mut self) -> bool {
        let mut slices = [IoSlice::new(&[]); 16];
        let filled = self.session.connection().output(&mut slices);
        if filled == 0 {
            return false;
        }
        let timeout = self.time_left().unwrap_or(self.session.connection().config().send_timeout);
        let _ = self.stream.set_write_timeout(Some(timeout));
        let written = (&self.stream).write_vectored(&slices[..filled]);
        let now = self.now();
        match written {
            Ok(count) => self.session.connection_mut().advance(now, count),
            // The session knows whether that was too long.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => self.session.connection_mut().transport_failed(),
        }
        true
    }

    /// Waits for what comes next: input, the handler's waker, the deadline.
    fn wait(&mut self, service: &dyn Service, bell: &Bell, cx: &mut Context<'_>) {
        let left = self.time_left();
        if bell.rung.swap(false, Ordering::Acquire) {
            return;
        }
        if !self.session.connection().wants_input() {
            match left {
                Some(left) => thread::park_timeout(left),
                None => thread::park(),
            }
            return;
        }
        let glance = self.session.connection().wants_answer().then_some(GLANCE);
        let _ = self.stream.set_read_timeout(left.into_iter().chain(glance).min());
        let received = match self.leftover.take() {
            Some(chunk) => Ok(Some(chunk)),
            None => self.stream.read_chunk(),
        };
        let now = self.now();
        match received {
            Ok(Some(mut chunk)) => {
                let requests = self.session.connection().requests();
                let stream = &self.stream;
                let service = Introduction::new(service, requests, || stream.peer_addr().ok());
                let used = self.session.receive(now, &service, cx, &chunk);
                chunk.advance(used);
                self.leftover = Some(chunk).filter(|chunk| !chunk.is_empty());
            }
            Ok(None) => self.session.connection_mut().receive_eof(now),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => self.session.connection_mut().transport_failed(),
        }
    }

    /// Until the session's deadline; never zero, which would mean no time-out at all.
    fn time_left(&self) -> Option<Duration> {
        let now = self.clock.now() - driver::Instant::ZERO;
        let left = self.session.connection().deadline()?.saturating_sub(now);
        Some(left.max(Duration::from_millis(1)))
    }

    /// Lets the stream go once everything is acknowledged: closed before that, it would be reset by whatever the
    /// client still sends, and the answer lost. A client that takes nothing any more is reset.
    fn close(self) {
        let _ = self.stream.shutdown(Shutdown::Write);
        let _ = self.stream.set_read_timeout(Some(DRAIN_INTERVAL));
        let patience = self.session.connection().config().send_timeout;
        let (mut least, mut since) = (usize::MAX, self.clock.now());
        loop {
            let left = self.stream.info().map_or(0, |info| info.send_queue);
            if left == 0 {
                return;
            }
            if left < least {
                (least, since) = (left, self.clock.now());
            }
            if self.clock.now() - since >= patience {
                return self.stream.set_reset_on_drop(true);
            }
            match self.stream.read_chunk() {
                Ok(Some(_)) => {}
                // Nothing comes any more, so nothing can reset it: the stack sends the rest by itself.
                Ok(None) => return,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }
}

fn moment(clock: &driver::Clock, dates: &mut Clock) -> Now {
    dates.now(clock.now() - driver::Instant::ZERO, clock.unix_time().as_secs())
}

/// Wakes the connection's thread out of its parking.
struct Bell {
    thread: Thread,
    rung: AtomicBool,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::device;
    use crate::net::Network;

    #[test]
    fn a_connection_that_gets_no_thread_is_reset() {
        let (near, far) = device::pair(1_500);
        let network = |device, address: &str| {
            let builder = Network::builder(device).address(address.parse().unwrap());
            builder.linger(Duration::from_millis(100)).start().unwrap()
        };
        let (clients, servers) = (network(near, "10.9.0.1/24"), network(far, "10.9.0.2/24"));
        let listener = servers.listen("10.9.0.2:80").unwrap();
        let mut client = clients.connect("10.9.0.2:80").unwrap();
        client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let (stream, _) = listener.accept().unwrap();
        // No address space holds such a stack.
        let thread = thread::Builder::new().stack_size(1 << 60);
        hand_over(stream, thread, |_| unreachable!("there is no such thread"));
        let end = client.read(&mut [0]).expect_err("not an orderly end");
        assert_eq!(end.kind(), io::ErrorKind::ConnectionReset);
    }
}
