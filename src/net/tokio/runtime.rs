//! The stack as a task of the user's own runtime.

use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use ::tokio::io::unix::AsyncFd;
use ::tokio::sync::Notify;

use crate::driver::{Next, Ringer, Runner, SharedStack, StopOrder, watch_in_runtime};
use crate::net::engine::Engine;
use crate::net::network::close_sockets;
use crate::net::{Builder, Network};

/// A stack that a task drives, as its network sees it.
pub(in crate::net) struct Task {
    shared: SharedStack,
    stop: StopOrder,
    ended: Arc<Ended>,
}

#[derive(Default)]
struct Ended {
    in_order: AtomicBool,
    told: Notify,
}

impl Task {
    pub(in crate::net) fn shared(&self) -> &SharedStack {
        &self.shared
    }

    /// Gives the order to stop and does not wait: the task may be the caller's own thread's. Whether it has stopped
    /// already, in order.
    pub(in crate::net) fn stop(&self, timeout: Duration) -> bool {
        self.stop.give(self.shared.now() + timeout);
        self.shared.ringer().ring();
        self.ended_in_order()
    }

    fn ended_in_order(&self) -> bool {
        self.shared.is_stopped() && self.ended.in_order.load(Ordering::Acquire)
    }

    pub(in crate::net) async fn ended(&self) -> bool {
        let mut told = pin!(self.ended.told.notified());
        told.as_mut().enable();
        if !self.shared.is_stopped() {
            told.await;
        }
        self.ended_in_order()
    }
}

impl Builder {
    /// Starts the stack as a task of the tokio runtime that this is called in, instead of on a thread of its own: no
    /// wake-up of another thread stands between a packet and the future that waits for it, in a single-threaded
    /// runtime. Feature `tokio`.
    ///
    /// The network's asynchronous sockets are those of [`net::tokio`](crate::net::tokio). Blocking ones block the
    /// runtime's thread, and with a single-threaded runtime nobody is left to drive the stack: use them on other
    /// threads. Timers are as fine as the runtime's, a millisecond.
    ///
    /// **The end.** Await [`Network::shutdown_async`] before the runtime ends. A runtime that is dropped without it closes
    /// every socket, and blocks until what was written has gone and the connections have closed, or for the time of
    /// [`Builder::linger`]. Dropping the last handle does the same in the background.
    ///
    /// ```
    /// use tokio::io::{AsyncReadExt, AsyncWriteExt};
    /// use longwire::net::{Network, tokio::{TcpListener, TcpStream}};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (here, there) = longwire::device::SocketEnd::pair(1_500)?;
    /// let (here, there) = (longwire::device::Cut::new(here), longwire::device::Cut::new(there));
    /// let here = Network::builder(here).address("10.9.0.1/24".parse()?).spawn()?;
    /// let there = Network::builder(there).address("10.9.0.2/24".parse()?).spawn()?;
    /// let listener = TcpListener::bind_on(&there, "10.9.0.2:7").await?;
    /// let mut stream = TcpStream::connect_on(&here, listener.local_addr()?).await?;
    /// let (mut accepted, _peer) = listener.accept().await?;
    /// stream.write_all(b"one thread for all of it").await?;
    /// drop(stream);
    /// let mut received = String::new();
    /// accepted.read_to_string(&mut received).await?;
    /// assert_eq!(received, "one thread for all of it");
    /// # drop(accepted);
    /// assert!(here.shutdown_async(std::time::Duration::from_secs(5)).await);
    /// # there.shutdown_async(std::time::Duration::ZERO).await;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As for [`start`](Builder::start); `InvalidInput` for several queues.
    ///
    /// # Panics
    /// Outside of a runtime with its I/O and time drivers.
    pub fn spawn(self) -> io::Result<Network> {
        let Builder { mut devices, config, backlog, linger } = self.checked()?;
        let (Some(device), true) = (devices.pop(), devices.is_empty()) else {
            let why = "several queues are for threads of their own: start it instead";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        };
        let bell = Arc::new(Notify::new());
        let ringer = Ringer::new({
            let bell = Arc::clone(&bell);
            move || bell.notify_one()
        });
        let runner = Runner::new(device, config, ringer)?;
        let fd = runner.fd().map(|fd| watch_in_runtime(fd.try_clone_to_owned()?)).transpose()?;
        let ended = Arc::new(Ended::default());
        let task = Task {
            shared: runner.shared().clone(),
            stop: runner.stop_order().clone(),
            ended: Arc::clone(&ended),
        };
        let mut driven = Driven { runner, linger, running: true, ended: TellAtEnd(ended) };
        ::tokio::spawn(async move { driven.drive(fd, &bell).await });
        Ok(Network::new(Engine::Task(task), backlog, linger))
    }
}

/// Stops `network` and waits for that: a thread's end on one of the runtime's threads for blocking.
pub(in crate::net) async fn stop(network: Network, timeout: Duration) -> bool {
    if let Engine::Task(task) = network.engine() {
        task.stop(timeout);
        return task.ended().await;
    }
    let stopping = ::tokio::task::spawn_blocking(move || network.engine().stop(timeout));
    stopping.await.unwrap_or(false)
}

/// The stack in its task. What the runtime has not let it do before its own end, it does when it is dropped.
struct Driven {
    runner: Runner,
    linger: Duration,
    running: bool,
    // Behind the runner: once it is told, the stack has stopped.
    ended: TellAtEnd,
}

impl Driven {
    async fn drive(&mut self, fd: Option<AsyncFd<OwnedFd>>, bell: &Notify) {
        loop {
            match self.runner.turn() {
                // The other tasks go first.
                Next::Turn => ::tokio::task::yield_now().await,
                Next::Sleep(sleep) => {
                    let left = sleep.deadline.map(|deadline| deadline - self.runner.shared().now());
                    let timeout = left.into_iter().chain(sleep.at_most).min();
                    wait(timeout, fd.as_ref(), bell, sleep.until_room).await;
                }
                Next::Ended { in_order } => return self.end(in_order),
            }
        }
    }

    fn end(&mut self, in_order: bool) {
        self.running = false;
        self.ended.0.in_order.store(in_order, Ordering::Release);
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        // A panic of this stack or of the program's ends the connections, too.
        if self.running && !std::thread::panicking() {
            close_sockets(self.runner.shared());
            let in_order = self.runner.run_out(self.linger);
            self.end(in_order);
        }
    }
}

struct TellAtEnd(Arc<Ended>);

impl Drop for TellAtEnd {
    fn drop(&mut self) {
        self.0.told.notify_waiters();
    }
}

async fn wait(timeout: Option<Duration>, fd: Option<&AsyncFd<OwnedFd>>, bell: &Notify, until_room: bool) {
    let mut rung = pin!(bell.notified());
    let mut over = pin!(async {
        match timeout {
            Some(timeout) => ::tokio::time::sleep(timeout).await,
            None => std::future::pending().await,
        }
    });
    poll_fn(|cx| {
        let happened = rung.as_mut().poll(cx).is_ready()
            | over.as_mut().poll(cx).is_ready()
            | fd.is_some_and(|fd| is_ready(fd, cx, until_room));
        if happened { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// Whether the device has packets, or room if that is wanted. Readiness is taken back at once: the turn that follows
/// reads until there is nothing, and what comes after that is a new edge.
fn is_ready(fd: &AsyncFd<OwnedFd>, cx: &mut Context<'_>, until_room: bool) -> bool {
    let readable = match fd.poll_read_ready(cx) {
        Poll::Ready(Ok(mut guard)) => {
            guard.clear_ready();
            true
        }
        // The runtime is going away: a turn does no harm.
        Poll::Ready(Err(_)) => true,
        Poll::Pending => false,
    };
    let writable = until_room
        && match fd.poll_write_ready(cx) {
            Poll::Ready(Ok(mut guard)) => {
                guard.clear_ready();
                true
            }
            Poll::Ready(Err(_)) => true,
            Poll::Pending => false,
        };
    readable || writable
}
