//! Limits against hoarding, each with its counter.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::http::Reason;

const GET: &str = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn over_the_maximum_of_all_connections_it_is_503() {
    let world = World::new(|config| config.max_connections = 10);
    let mut open: Vec<Client> = (0..10).map(|_| busy(&world)).collect();
    let mut one_more = world.connect();
    let answer = one_more.answer();
    assert_eq!((answer.status(), answer.field("connection")), (503, Some("close")));
    assert_eq!(answer.field("retry-after"), Some("5"));
    assert_eq!(one_more.rest(), b"");
    assert_eq!(world.server.stats().count(Reason::Overload), 1);
    drop(one_more);
    drop(open.pop());
    eventually("there is room again", || world.server.stats().connections() == 9);
    assert_eq!(world.ask(GET).status(), 200);
}

#[test]
fn over_the_maximum_of_one_client_it_is_503_and_then_a_reset() {
    let world = World::new(|config| config.max_per_client = 5);
    let open: Vec<Client> = (0..5).map(|_| busy(&world)).collect();
    let mut told: Vec<Client> = (0..4).map(|_| world.connect()).collect();
    for client in &mut told {
        assert_eq!(client.answer().status(), 503);
    }
    let mut reset = world.connect();
    let error = reset.stream.read(&mut [0]).expect_err("reset");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let refused = world.server.stats().counters().find(|(name, ..)| *name == "refused").unwrap();
    assert_eq!(refused.2, 1);
    drop((open, told));
    eventually("all are gone", || world.server.stats().connections() == 0);
    assert_eq!(world.ask(GET).status(), 200, "none of them is counted any more");
}

#[test]
fn where_not_even_a_503_can_be_afforded_there_is_no_syn_ack() {
    let world = World::new(|config| config.max_connections = 4);
    // The listener allows the maximum and the reserve of 16.
    let _open: Vec<Client> = (0..20).map(|_| busy(&world)).collect();
    let attempt = world.clients.connect_timeout(&address(80), Duration::from_millis(300));
    assert_eq!(attempt.expect_err("no answer").kind(), ErrorKind::TimedOut);
}

#[test]
fn when_it_is_crowded_the_longest_idle_goes_first() {
    let world = World::new(|config| config.max_connections = 10);
    let mut open: Vec<Client> = (0..9).map(|_| world.connect()).collect();
    for client in &mut open {
        client.send(GET);
        client.answer();
    }
    // The first has been idle for the longest time, until it asks again.
    open[0].send(GET);
    open[0].answer();
    eventually("all are idle", || world.server.stats().idle() == 9);
    assert_eq!(world.ask(GET).status(), 200);
    assert_eq!(open[1].rest(), b"", "the second one ends in order");
    assert_eq!(world.server.stats().count(Reason::Evicted), 1);
    for index in [0, 2, 8] {
        open[index].send(GET);
        assert_eq!(open[index].answer().status(), 200, "{index}");
    }
}

#[test]
fn what_is_no_request_makes_nobody_stay_when_it_is_crowded() {
    let world = World::new(|config| {
        config.max_connections = 10;
        config.http.idle_timeout = None;
    });
    let mut open: Vec<Client> = (0..9).map(|_| world.connect()).collect();
    for client in &mut open {
        client.send(GET);
        client.answer();
    }
    eventually("all are idle", || world.server.stats().idle() == 9);
    let received = || world.server.stats().counters().find(|(name, ..)| *name == "received_bytes").unwrap().2;
    let before = received();
    open.iter_mut().for_each(|client| client.send("\r\n"));
    eventually("all were read", || received() == before + 18);
    eventually("all are idle again", || world.server.stats().idle() == 9);
    assert_eq!(world.ask(GET).status(), 200);
    eventually("one was evicted", || world.server.stats().count(Reason::Evicted) == 1);
    eventually("and is gone", || world.server.stats().connections() <= 9);
}

#[test]
fn a_slow_head_is_408() {
    let world = World::new(|config| config.http.header_timeout = Duration::from_millis(80));
    let mut slow = world.connect();
    slow.send("GET / HTTP/1.1\r\nHo");
    let answer = slow.answer();
    assert_eq!((answer.status(), answer.field("connection")), (408, Some("close")));
    let mut silent = world.connect();
    assert_eq!(silent.rest(), b"", "nobody has asked anything");
    assert_eq!(world.server.stats().count(Reason::HeaderTimeout), 2);
}

#[test]
fn a_slow_body_is_408() {
    let world = World::new(|config| {
        config.http.body_rate_grace = Duration::from_millis(80);
        config.http.body_timeout = Duration::from_millis(160);
    });
    let mut client = world.connect();
    client.send("POST /sha256 HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
    assert_eq!(client.answer().status(), 408);
    assert_eq!(world.server.stats().count(Reason::BodyRate), 1);
    let world = World::new(|config| {
        config.http.body_rate = 0;
        config.http.body_timeout = Duration::from_millis(80);
    });
    let mut client = world.connect();
    client.send("POST /sha256 HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
    assert_eq!(client.answer().status(), 408);
    assert_eq!(world.server.stats().count(Reason::BodyTimeout), 1);
}

#[test]
fn who_takes_nothing_of_an_answer_is_reset() {
    let world = World::new(|config| config.http.send_timeout = Duration::from_millis(150));
    let mut client = world.connect();
    client.send("GET /bytes/100000000 HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("it is counted", || world.server.stats().count(Reason::SendTimeout) == 1);
    eventually("it is gone", || world.server.stats().connections() == 0);
    let error = client.stream.read_to_end(&mut Vec::new()).expect_err("cut, not ended");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn who_takes_nothing_of_the_last_answer_is_reset_too() {
    let world = World::new(|config| {
        config.http.send_timeout = Duration::from_millis(150);
        config.http.linger_timeout = Duration::from_millis(20);
    });
    let mut client = world.connect();
    client.send("GET /bytes/1200000 HTTP/1.0\r\n\r\n");
    eventually("it is counted", || world.server.stats().count(Reason::SendTimeout) == 1);
    eventually("it is gone", || world.server.stats().connections() == 0);
    assert!(client.stream.read_to_end(&mut Vec::new()).is_err(), "cut, not ended");
}

#[test]
fn a_body_over_the_limit_is_413_unless_it_is_streamed() {
    let world = World::with(
        |config| config.body_limit = 1000,
        |server| {
            server.routes(|router| {
                router.route(::http::Method::POST, "/small", |request| {
                    ::http::Response::new(request.into_body().into())
                })
            })
        },
    );
    let post = |path: &str, length: usize| {
        let head = format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
        world.ask(&(head + &"x".repeat(length)))
    };
    assert_eq!(post("/small", 1000).status(), 200);
    assert_eq!(post("/small", 1001).status(), 413);
    assert_eq!(post("/echo", 5000).status(), 200);
}

#[test]
fn a_peer_that_has_vanished_is_found_by_tcp_keep_alive() {
    let (near, far) = device::pair(1_500);
    let (near, cable) = Severable::new(near);
    let clients = Network::builder(near).address("10.9.0.1/24".parse().unwrap());
    // Probes come faster here than challenges are answered (RFC 5961 10).
    let clients = clients.configure(|config| config.tcp.challenge_ack_interval = Duration::ZERO);
    let clients = clients.linger(Duration::ZERO).start().unwrap();
    let servers = Network::builder(far).address("10.9.0.2/24".parse().unwrap()).start().unwrap();
    let mut config = Config::default();
    config.http.idle_timeout = None;
    let defaults = config.socket.keep_alive.as_mut().expect("on by default");
    assert_eq!((defaults.idle.as_secs(), defaults.interval.as_secs(), defaults.count), (15, 5, 3));
    (defaults.idle, defaults.interval) = (Duration::from_millis(60), Duration::from_millis(30));
    let server = Server::new(config).builtin("").start(servers.shared(), &[address(80)]).unwrap();
    let mut client = Client { stream: clients.connect(address(80)).unwrap(), early: Vec::new() };
    client.send(GET);
    client.answer();
    wait(Duration::from_millis(300));
    assert_eq!(server.stats().connections(), 1, "a living peer answers the probes");
    cable.speaks.store(false, Ordering::Relaxed);
    eventually("the dead peer is freed", || server.stats().connections() == 0);
    assert_eq!(servers.shared().with(|stack| stack.counters().tcp.keep_alive_timeouts), 1);
}

#[test]
fn a_peer_that_vanishes_before_its_answer_is_given_up() {
    let (near, far) = device::pair(1_500);
    let (near, cable) = Severable::new(near);
    let clients = Network::builder(near).address("10.9.0.1/24".parse().unwrap());
    let clients = clients.linger(Duration::ZERO).start().unwrap();
    let servers = Network::builder(far).address("10.9.0.2/24".parse().unwrap()).start().unwrap();
    let mut config = Config::default();
    config.http.idle_timeout = None;
    assert_eq!(config.socket.user_timeout, Some(Duration::from_secs(35)), "longer than the send deadline");
    config.socket.user_timeout = Some(Duration::from_millis(400));
    let server = Server::new(config).builtin("").start(servers.shared(), &[address(80)]).unwrap();
    let mut client = Client { stream: clients.connect(address(80)).unwrap(), early: Vec::new() };
    client.send(GET);
    client.answer();
    wait(Duration::from_millis(600));
    assert_eq!(server.stats().connections(), 1, "where nothing is under way it does not count");
    // Keep-alive never probes here: there is always something under way.
    cable.hears.store(false, Ordering::Relaxed);
    client.send(GET);
    eventually("it is asked", || server.stats().counters().any(|it| it.0 == "requests" && it.2 == 2));
    eventually("the dead peer is freed", || server.stats().connections() == 0);
    assert_eq!(servers.shared().with(|stack| stack.counters().tcp.give_ups), 1);
    assert_eq!(server.stats().count(Reason::SendTimeout), 0, "to HTTP the answer had gone");
}

/// A connection with a request under way, so that it is not idle.
fn busy(world: &World) -> Client {
    let mut client = world.connect();
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
    client
}

/// A device whose cable can be cut, in either direction.
struct Severable<D> {
    device: D,
    cable: Arc<Cable>,
}

struct Cable {
    speaks: AtomicBool,
    hears: AtomicBool,
}

impl<D> Severable<D> {
    fn new(device: D) -> (Self, Arc<Cable>) {
        let cable = Arc::new(Cable { speaks: AtomicBool::new(true), hears: AtomicBool::new(true) });
        (Severable { device, cable: Arc::clone(&cable) }, cable)
    }
}

impl<D: device::Device> device::Device for Severable<D> {
    fn mtu(&self) -> usize {
        self.device.mtu()
    }

    fn receive(
        &mut self,
        now: crate::time::Instant,
        packet: &mut crate::buffer::Chunk,
    ) -> std::io::Result<crate::wire::PacketMeta> {
        loop {
            let received = self.device.receive(now, packet);
            if received.is_err() || self.cable.hears.load(Ordering::Relaxed) {
                return received;
            }
        }
    }

    fn send(
        &mut self,
        now: crate::time::Instant,
        packet: &crate::wire::OutPacket<'_>,
    ) -> crate::wire::SendOutcome {
        if self.cable.speaks.load(Ordering::Relaxed) {
            self.device.send(now, packet)
        } else {
            crate::wire::SendOutcome::Sent
        }
    }

    fn flush(&mut self, now: crate::time::Instant) {
        self.device.flush(now);
    }

    fn fd(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        self.device.fd()
    }
}
