//! A connection on a thread of its own.

use std::io::{self, IoSlice, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use super::House;
use super::crowd::Crowd;
use crate::driver;
use crate::http::{Clock, Now, Reason, Reasons, ServerConnection, Session, Transport};
use crate::net::{Chunk, TcpStream};

/// How long a thread reads at most while a handler that may be woken has not answered.
const GLANCE: Duration = Duration::from_millis(10);
/// How often a thread looks up that waits for its handler alone.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// How often a connection that is to be closed is asked whether everything has been acknowledged.
const DRAIN_INTERVAL: Duration = Duration::from_millis(100);

/// A connection on its own thread.
pub(super) struct Connection<'a> {
    stream: TcpStream,
    house: &'a House,
    session: Session,
    clock: driver::Clock,
    dates: Clock,
    /// Read, and not taken by the session yet.
    leftover: Option<Chunk>,
}

impl<'a> Connection<'a> {
    /// One that is served, or, with `retry_after`, told that there is no room.
    pub(super) fn new(stream: TcpStream, house: &'a House, retry_after: Option<Duration>) -> Self {
        let clock = *stream.network().shared().clock();
        let mut dates = Clock::default();
        let now = moment(&clock, &mut dates);
        let http = Arc::clone(&house.http);
        let connection = match retry_after {
            Some(retry_after) => ServerConnection::overloaded(http, now, retry_after),
            None => ServerConnection::new(http, now),
        };
        Connection { stream, house, session: Session::new(connection), clock, dates, leftover: None }
    }

    fn now(&mut self) -> Now {
        moment(&self.clock, &mut self.dates)
    }

    /// To its end. While it is idle, it is one of those that have to go when it is crowded.
    pub(super) fn run(mut self, crowd: &Crowd) {
        let bell = Arc::new(Bell { thread: thread::current(), rung: AtomicBool::new(false) });
        let waker = Waker::from(Arc::clone(&bell));
        let mut cx = Context::from_waker(&waker);
        let (mut fin_sent, mut is_last) = (false, false);
        loop {
            if crowd.is_ending() && !std::mem::replace(&mut is_last, true) {
                self.end(&mut cx);
            }
            let now = self.now();
            self.session.handle_timeout(now);
            self.session.poll(now, &mut cx);
            self.count();
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
                Transport::Close => return self.close(crowd),
                Transport::Abort => return self.stream.set_reset_on_drop(true),
            }
            let is_idle = self.session.connection().is_idle();
            let resting = if is_idle { crowd.rest(&self.stream) } else { None };
            if is_idle && resting.is_none() && crowd.is_ending() {
                continue;
            }
            let received = self.wait(&bell);
            if crowd.is_cutting() {
                return self.stream.set_reset_on_drop(true);
            }
            let now = self.now();
            if resting.is_some_and(|number| !crowd.resume(number)) {
                if !crowd.is_ending() {
                    self.session.connection_mut().make_room(now);
                }
                if matches!(received, Some(Ok(None))) {
                    continue; // the end that woke us was not the client's
                }
            }
            if !is_idle && crowd.is_ending() && !std::mem::replace(&mut is_last, true) {
                // Before the answer begins, so that it can say that it is the last.
                self.session.connection_mut().shutdown(now);
            }
            if let Some(received) = received {
                self.take_in(now, received, &mut cx);
            }
        }
    }

    /// The server ends: this exchange is the last. A request that has arrived and was not looked at is in flight, too.
    fn end(&mut self, cx: &mut Context<'_>) {
        let now = self.now();
        if self.session.connection().is_idle() && self.leftover.is_none() {
            let _ = self.stream.set_read_timeout(Some(Duration::from_millis(1)));
            if let Ok(Some(chunk)) = self.receive() {
                self.take_in(now, Ok(Some(chunk)), cx);
            }
        }
        self.session.connection_mut().shutdown(now);
    }

    /// Tells the counters what has happened.
    fn count(&mut self) {
        self.house.stats.add_reasons(self.session.connection_mut().take_reasons());
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
            Ok(count) => {
                self.house.stats.add_sent(count);
                self.session.connection_mut().advance(now, count);
            }
            // The session knows whether that was too long.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => self.session.connection_mut().transport_failed(),
        }
        true
    }

    /// Waits for what comes next: input, the handler's waker, the deadline. Gives what was read, if reading was of use.
    fn wait(&mut self, bell: &Bell) -> Option<io::Result<Option<Chunk>>> {
        let left = self.time_left();
        if bell.rung.swap(false, Ordering::Acquire) {
            return None;
        }
        if !self.session.connection().wants_input() {
            // Neither the end of the server nor that of the client rings the bell.
            thread::park_timeout(left.map_or(LOOK_INTERVAL, |left| left.min(LOOK_INTERVAL)));
            if self.session.connection().wants_answer() && self.stream.peer_addr().is_err() {
                self.session.connection_mut().transport_failed();
            }
            return None;
        }
        let glance = self.session.connection().wants_answer().then_some(GLANCE);
        let _ = self.stream.set_read_timeout(left.into_iter().chain(glance).min());
        Some(match self.leftover.take() {
            Some(chunk) => Ok(Some(chunk)),
            None => self.receive(),
        })
    }

    /// Shows the session what was read.
    fn take_in(&mut self, now: Now, received: io::Result<Option<Chunk>>, cx: &mut Context<'_>) {
        match received {
            Ok(Some(mut chunk)) => {
                let requests = self.session.connection().requests();
                let stream = &self.stream;
                let at = driver::Instant::ZERO + now.at;
                let service = self.house.reception.introduce(at, requests, || stream.peer_addr().ok());
                let used = self.session.receive(now, &service, cx, &chunk);
                self.house.stats.add_requests(self.session.connection().requests() - requests);
                chunk.advance(used);
                self.leftover = Some(chunk).filter(|chunk| !chunk.is_empty());
            }
            Ok(None) => self.session.connection_mut().receive_eof(now),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => self.session.connection_mut().transport_failed(),
        }
    }

    fn receive(&self) -> io::Result<Option<Chunk>> {
        let received = self.stream.read_chunk();
        if let Ok(Some(chunk)) = &received {
            self.house.stats.add_received(chunk.len());
        }
        received
    }

    /// Until the session's deadline; never zero, which would mean no time-out at all.
    fn time_left(&self) -> Option<Duration> {
        let now = self.clock.now() - driver::Instant::ZERO;
        let left = self.session.connection().deadline()?.saturating_sub(now);
        Some(left.max(Duration::from_millis(1)))
    }

    /// Lets the stream go once everything is acknowledged: closed before that, it would be reset by whatever the
    /// client still sends, and the answer lost. A client that takes nothing any more is reset, and so is one that has
    /// not taken it all when the server's time is over.
    fn close(self, crowd: &Crowd) {
        let _ = self.stream.shutdown(Shutdown::Write);
        let _ = self.stream.set_read_timeout(Some(DRAIN_INTERVAL));
        let patience = self.session.connection().config().send_timeout;
        let (mut least, mut since) = (usize::MAX, self.clock.now());
        loop {
            let left = self.stream.info().map_or(0, |info| info.send_queue);
            if left == 0 {
                return;
            }
            if crowd.is_cutting() {
                return self.stream.set_reset_on_drop(true);
            }
            if left < least {
                (least, since) = (left, self.clock.now());
            }
            if self.clock.now() - since >= patience {
                let mut reasons = Reasons::default();
                reasons.insert(Reason::SendTimeout);
                self.house.stats.add_reasons(reasons);
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
