//! Drivers on their own threads: time, sleep, and the end.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;
use crate::device::{Cut, Impair, SocketEnd};
use crate::driver::{Chunk, Device, Driver, Event, Instant, Readiness, Subscriber};
use crate::wire::{OutPacket, PacketMeta, SendOutcome};

const PATIENCE: Duration = Duration::from_secs(30);

fn drivers() -> (Driver, Driver) {
    let (a, b) = SocketEnd::pair(1_500).unwrap();
    let start = |end, address: &str| {
        Driver::start(Box::new(Cut::new(end)), Config::new(vec![address.parse().unwrap()])).unwrap()
    };
    (start(a, "10.9.0.1/24"), start(b, "10.9.0.2/24"))
}

/// Two drivers with a connection: (client, server, the ends that they have of it).
fn connected_drivers() -> (Driver, Driver, [SocketId; 2]) {
    let (client, server) = drivers();
    let listener = listen(server.shared());
    let here = connect(client.shared());
    let there = loop {
        if let Ok((there, _)) = server.shared().with(|stack| stack.accept(listener)) {
            break there;
        }
        std::thread::yield_now();
    };
    (client, server, [here, there])
}

/// Reports when each of its turns was, and wants the next one `every` so often.
struct Ticker {
    every: Option<Duration>,
    next: Option<Instant>,
    turns: Sender<(Option<Instant>, Instant)>,
}

impl Application for Ticker {
    fn turn(&mut self, _: &SharedStack, now: Instant, _: &[Event]) {
        let _ = self.turns.send((self.next, now));
        self.next = self.every.map(|every| now + every);
    }

    fn deadline(&self) -> Option<Instant> {
        self.next
    }
}

fn attach_ticker(driver: &Driver, every: Option<Duration>) -> Receiver<(Option<Instant>, Instant)> {
    let (turns, receiver) = channel();
    driver.shared().attach(Box::new(Ticker { every, next: None, turns }));
    receiver
}

#[test]
fn deadlines_are_met_to_less_than_a_millisecond() {
    let (driver, _peer) = drivers();
    let turns = attach_ticker(&driver, Some(Duration::from_micros(200)));
    let lateness: Vec<_> = (0..50)
        .filter_map(|_| {
            let (due, now) = turns.recv_timeout(PATIENCE).unwrap();
            due.map(|due| now - due)
        })
        .collect();
    // Rounding up to the millisecond would make each of them 800 µs late; a busy machine makes some.
    let best = lateness.iter().min().unwrap();
    assert!(*best < Duration::from_micros(500), "the best was {best:?} late");
}

/// Wants a turn so long after the one in which it is told so, says that it has heard, and then how late that turn came.
struct Sleeper {
    waits: Receiver<Duration>,
    due: Option<Instant>,
    heard: Sender<()>,
    late: Sender<Duration>,
}

impl Application for Sleeper {
    fn turn(&mut self, _: &SharedStack, now: Instant, _: &[Event]) {
        if let Some(due) = self.due.take_if(|due| *due <= now) {
            let _ = self.late.send(now - due);
        }
        if let Ok(wait) = self.waits.try_recv() {
            self.due = Some(now + wait);
            let _ = self.heard.send(());
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.due
    }
}

#[test]
fn a_deadline_that_is_brought_forward_or_put_off_is_met() {
    let (driver, _peer) = drivers();
    let ((order, waits), (heard, hears), (late, lateness)) = (channel(), channel(), channel());
    driver.shared().attach(Box::new(Sleeper { waits, due: None, heard, late }));
    let wait_for = |milliseconds| {
        order.send(Duration::from_millis(milliseconds)).unwrap();
        driver.shared().ringer().ring();
        hears.recv_timeout(PATIENCE).unwrap();
        sleep(Duration::from_millis(5)); // the loop sleeps by now, with its timer set
    };
    wait_for(3_600_000);
    wait_for(10);
    lateness.recv_timeout(PATIENCE).expect("a turn before what the timer was set to first");
    wait_for(20);
    wait_for(60);
    lateness.recv_timeout(PATIENCE).expect("a turn after what the timer was set to first");
}

#[test]
fn an_idle_loop_sleeps() {
    let (driver, _peer) = drivers();
    let turns = attach_ticker(&driver, None);
    turns.recv_timeout(PATIENCE).unwrap();
    sleep(Duration::from_millis(100));
    let more = turns.try_iter().count();
    assert!(more <= 2, "{more} turns for nothing");
}

#[test]
fn a_ring_is_a_turn() {
    let (driver, _peer) = drivers();
    let turns = attach_ticker(&driver, None);
    turns.recv_timeout(PATIENCE).unwrap();
    for _ in 0..10 {
        while turns.try_recv().is_ok() {}
        driver.shared().ringer().ring();
        turns.recv_timeout(PATIENCE).unwrap();
    }
}

#[test]
fn stopping_an_idle_driver_is_in_order_and_drops_its_applications() {
    let (driver, _peer) = drivers();
    let turns = attach_ticker(&driver, None);
    turns.recv_timeout(PATIENCE).unwrap();
    assert!(driver.stop(PATIENCE));
    assert!(turns.iter().count() < 10, "the sender is gone, or this would never end");
    assert!(driver.shared().is_stopped());
    assert!(driver.stop(PATIENCE), "once more does no harm");
}

#[test]
fn stopping_waits_for_connections_that_close_meanwhile() {
    let (client, server, [here, there]) = connected_drivers();
    let (client, server) = (Arc::new(client), Arc::new(server));
    let closing = {
        let ends = [(Arc::clone(&client), here), (Arc::clone(&server), there)];
        std::thread::spawn(move || {
            sleep(Duration::from_millis(50));
            for (driver, socket) in ends {
                let now = driver.shared().now();
                driver.shared().with(|stack| stack.close(now, socket)).unwrap();
            }
        })
    };
    assert!(server.stop(PATIENCE));
    closing.join().unwrap();
    client.stop(Duration::ZERO);
}

#[test]
fn stopping_resets_what_is_still_open_at_the_limit() {
    let (client, server, [here, _]) = connected_drivers();
    assert!(!server.stop(Duration::from_millis(20)));
    let waiter = client.shared().waiters().register(here);
    loop {
        let ticket = waiter.ticket(crate::driver::Direction::Read);
        if client.shared().with(|stack| stack.error(here)).unwrap().is_some() {
            break;
        }
        waiter.wait(ticket, client.shared().clock(), None);
    }
    let error = client.shared().with(|stack| stack.error(here));
    assert_eq!(error, Ok(Some(crate::driver::Error::ConnectionReset)));
}

/// A cable that can be cut off for good, as when somebody deletes the interface.
struct Deletable {
    end: Cut<SocketEnd>,
    deleted: Arc<AtomicBool>,
}

impl Device for Deletable {
    fn mtu(&self) -> usize {
        self.end.mtu()
    }

    fn receive(&mut self, now: Instant, packet: &mut Chunk) -> io::Result<PacketMeta> {
        match self.deleted.load(Ordering::Relaxed) {
            true => Err(io::ErrorKind::NotConnected.into()),
            false => self.end.receive(now, packet),
        }
    }

    fn send(&mut self, now: Instant, packet: &OutPacket<'_>) -> SendOutcome {
        self.end.send(now, packet)
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.end.fd()
    }
}

#[test]
fn a_device_that_is_gone_ends_the_loop_and_every_wait() {
    let (end, _peer) = SocketEnd::pair(1_500).unwrap();
    let deleted = Arc::new(AtomicBool::new(false));
    let device = Deletable { end: Cut::new(end), deleted: Arc::clone(&deleted) };
    let driver = Driver::start(Box::new(device), Config::new(vec!["10.9.0.2/24".parse().unwrap()])).unwrap();
    let turns = attach_ticker(&driver, None);
    turns.recv_timeout(PATIENCE).unwrap();
    let listener = listen(driver.shared());
    let waiter = driver.shared().waiters().register(listener);
    let ticket = waiter.ticket(crate::driver::Direction::Read);
    deleted.store(true, Ordering::Relaxed);
    driver.shared().ringer().ring();
    let clock = driver.shared().clock();
    assert!(waiter.wait(ticket, clock, Some(clock.now() + PATIENCE)));
    assert!(driver.shared().is_stopped());
    assert!(turns.iter().count() < 10, "the application is dropped, or this would never end");
}

#[test]
fn what_is_sent_last_gets_through_a_device_that_delays_it() {
    let (a, b) = SocketEnd::pair(1_500).unwrap();
    let late = Impair::new(a, "delay=30ms".parse().unwrap());
    let client =
        Driver::start(Box::new(Cut::new(late)), Config::new(vec!["10.9.0.1/24".parse().unwrap()])).unwrap();
    let server =
        Driver::start(Box::new(Cut::new(b)), Config::new(vec!["10.9.0.2/24".parse().unwrap()])).unwrap();
    let receiver = server.shared().with(|stack| stack.udp_bind(address())).unwrap();
    let waiter = server.shared().waiters().register(receiver);
    let ticket = waiter.ticket(crate::driver::Direction::Read);
    client.shared().with(|stack| {
        let sender = stack.udp_bind("10.9.0.1:5".parse().unwrap()).unwrap();
        stack.udp_send_to(sender, b"farewell", address()).unwrap();
        stack.close(Instant::ZERO, sender).unwrap();
    });
    assert!(client.stop(PATIENCE));
    let clock = server.shared().clock();
    assert!(waiter.wait(ticket, clock, Some(clock.now() + PATIENCE)), "lost with the device");
}

/// Ends a connection when it is told of something, in the middle of its driver's last turn.
struct Resetter {
    shared: SharedStack,
    socket: SocketId,
}

impl Subscriber for Resetter {
    fn notify(&self, _: Readiness) {
        self.shared.with(|stack| {
            let _ = stack.abort(self.socket);
        });
    }
}

#[test]
fn a_reset_that_comes_up_after_the_last_output_is_sent() {
    let (client, server, [here, there]) = connected_drivers();
    let resetter = Resetter { shared: server.shared().clone(), socket: there };
    server.shared().waiters().register(there).subscribe(Some(Arc::new(resetter)));
    let stopping = std::thread::spawn(move || server.stop(PATIENCE));
    // The server looks out for its end already when this arrives.
    sleep(Duration::from_millis(20));
    let waiter = client.shared().waiters().register(here);
    let ticket = waiter.ticket(crate::driver::Direction::Read);
    client.shared().with_socket(here, |stack| stack.write(here, b"x")).unwrap();
    assert!(stopping.join().unwrap(), "no connection was left");
    let clock = client.shared().clock();
    assert!(waiter.wait(ticket, clock, Some(clock.now() + PATIENCE)));
    let error = client.shared().with(|stack| stack.error(here));
    assert_eq!(error, Ok(Some(crate::driver::Error::ConnectionReset)));
}

/// Stops its own driver.
struct Quitter(Arc<Driver>, Sender<bool>);

impl Application for Quitter {
    fn turn(&mut self, _: &SharedStack, _: Instant, _: &[Event]) {
        let _ = self.1.send(self.0.stop(PATIENCE));
    }
}

#[test]
fn an_application_may_stop_its_own_driver() {
    let (driver, _peer) = drivers();
    let driver = Arc::new(driver);
    let (sender, receiver) = channel();
    driver.shared().attach(Box::new(Quitter(Arc::clone(&driver), sender)));
    assert!(!receiver.recv_timeout(PATIENCE).unwrap(), "only ordered so far");
    assert!(driver.stop(PATIENCE));
}
