//! The thread-per-connection form: the same session, seen from the same client.

use std::net::Shutdown;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::*;
use crate::http::{Handler, Reason, Router, Step};
use crate::serve::{About, Stats, threads};

fn router() -> Router {
    Router::new()
        .get("/whoami", |request| {
            let about = request.extensions().get::<About>().expect("it is introduced");
            ::http::Response::new(format!("{} {}", about.peer, about.request).into_bytes().into())
        })
        .get("/large", |_| ::http::Response::new(pattern(3_000_000).into()))
        .get("/panic", |_| panic!("as the test wants it"))
        .stream(::http::Method::GET, "/later", |_| Later::default())
        .stream(::http::Method::GET, "/never", |_| Never)
        .stream(::http::Method::POST, "/echo", |_| {
            crate::http::Buffered::new(1_000_000, |request: ::http::Request<Vec<u8>>| {
                ::http::Response::new(request.into_body().into())
            })
        })
}

/// Answers when another thread wakes it.
#[derive(Default)]
struct Later {
    asked: bool,
}

impl Handler for Later {
    fn poll_response(&mut self, cx: &mut Context<'_>, _budget: usize) -> Poll<Step> {
        if std::mem::replace(&mut self.asked, true) {
            return Poll::Ready(Step::Whole(::http::Response::new(b"later\n".as_slice().into())));
        }
        let waker = cx.waker().clone();
        std::thread::spawn(move || {
            wait(Duration::from_millis(50));
            waker.wake();
        });
        Poll::Pending
    }
}

/// Never answers, and is woken by nobody.
struct Never;

impl Handler for Never {
    fn poll_response(&mut self, _cx: &mut Context<'_>, _budget: usize) -> Poll<Step> {
        Poll::Pending
    }
}

/// A server with threads beside the one of the world, on port 8080.
struct Serving {
    world: World,
    server: Arc<threads::Server>,
    thread: std::thread::JoinHandle<()>,
    stats: Arc<Stats>,
}

fn start(change: impl FnOnce(&mut Config)) -> Serving {
    let world = World::new(|_| {});
    let listener = world.servers.listen(address(8080)).unwrap();
    let mut config = Config::default();
    change(&mut config);
    let server = Arc::new(threads::Server::new(config, router()));
    let (stats, acceptor) = (server.stats(), Arc::clone(&server));
    let thread = std::thread::spawn(move || acceptor.serve(&listener).expect("its end is in order"));
    Serving { world, server, thread, stats }
}

impl Serving {
    fn end(self) {
        self.server.shutdown(Duration::from_secs(1));
        self.thread.join().unwrap();
    }
}

#[test]
fn its_network_ends_it() {
    let world = World::new(|_| {});
    let listener = world.servers.listen(address(8080)).unwrap();
    let server = threads::Server::new(Config::default(), router());
    let thread = std::thread::spawn(move || server.serve(&listener));
    world.servers.shutdown(Duration::from_secs(1));
    assert_eq!(thread.join().unwrap().expect_err("its end").kind(), std::io::ErrorKind::NetworkDown);
}

#[test]
fn shutdown_finishes_what_is_in_flight_and_cuts_what_takes_too_long() {
    let serving = start(|config| config.http.linger_timeout = Duration::from_millis(100));
    let mut idle = connect(&serving.world);
    idle.send("GET /whoami HTTP/1.1\r\nHost: a\r\n\r\n");
    idle.answer();
    eventually("it rests", || serving.stats.idle() == 1);
    let mut busy = connect(&serving.world);
    busy.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab");
    let mut stuck = connect(&serving.world);
    stuck.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab");
    eventually("all are there", || {
        serving.stats.counters().any(|(name, _, value)| name == "requests" && value == 3)
    });
    let server = Arc::clone(&serving.server);
    let ending = std::thread::spawn(move || server.shutdown(Duration::from_secs(2)));
    assert_eq!(idle.rest(), b"", "an idle one gets its FIN at once");
    serving.thread.join().unwrap();
    let refused = serving.world.clients.connect_timeout(&address(8080), PATIENCE);
    assert_eq!(refused.expect_err("nobody listens").kind(), std::io::ErrorKind::ConnectionRefused);
    busy.send("cd");
    let last = busy.answer();
    assert_eq!((last.text(), last.field("connection")), ("abcd", Some("close")));
    assert_eq!(busy.rest(), b"");
    drop(busy);
    assert_eq!(ending.join().unwrap().cut, 1, "one never finished");
    assert!(stuck.stream.read(&mut [0]).is_err(), "it was reset");
    assert_eq!(serving.stats.count(Reason::Shutdown), 3);
}

#[test]
fn a_handler_that_never_answers_holds_nobody_up() {
    let serving = start(|_| {});
    let asked = |number| {
        let mut client = connect(&serving.world);
        client.send("GET /never HTTP/1.1\r\nHost: a\r\n\r\n");
        eventually("it is asked", || {
            serving.stats.counters().any(|(name, _, value)| name == "requests" && value == number)
        });
        client
    };
    let gone = asked(1);
    gone.stream.set_reset_on_drop(true);
    drop(gone);
    eventually("the thread of one that has gone ends", || serving.stats.connections() == 0);
    assert_eq!(serving.stats.count(Reason::TransportFailed), 1);
    let mut stuck = asked(2);
    assert_eq!(serving.server.shutdown(Duration::from_millis(50)).cut, 1);
    let error = stuck.stream.read(&mut [0]).expect_err("it was reset");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    eventually("its thread ends", || serving.stats.connections() == 0);
    serving.thread.join().unwrap();
}

fn connect(world: &World) -> Client {
    let stream = world.clients.connect(address(8080)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    Client { stream, early: Vec::new() }
}

#[test]
fn long_and_short_connections() {
    let serving = start(|config| config.http.max_requests = Some(4));
    let mut client = connect(&serving.world);
    let peer = client.stream.local_addr().unwrap();
    client.send("GET /whoami HTTP/1.1\r\nHost: a\r\n\r\n".repeat(2));
    assert_eq!(client.answer().text(), format!("{peer} 1"));
    assert_eq!(client.answer().text(), format!("{peer} 2"));
    client.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(client.answer().body == pattern(3_000_000));
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab");
    client.send("cde");
    let last = client.answer();
    assert_eq!((last.text(), last.field("connection")), ("abcde", Some("close")));
    assert_eq!(client.rest(), b"");
    client.stream.shutdown(Shutdown::Both).unwrap();
    eventually("it is gone", || serving.stats.connections() == 0);
    let count = |name| serving.stats.counters().find(|counter| counter.0 == name).unwrap().2;
    assert_eq!((count("connections"), count("requests")), (1, 4));
    assert!(count("sent_bytes") > 3_000_000 && count("received_bytes") > 100);
    assert_eq!(serving.stats.count(Reason::MaxRequests), 1);
    serving.end();
}

#[test]
fn wakers_panics_limits() {
    let serving = start(|config| config.max_connections = 2);
    let world = &serving.world;
    let mut client = connect(world);
    client.send("GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.answer().text(), "later\n");
    let mut broken = connect(world);
    broken.send("GET /panic HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(broken.answer().status(), 500);
    drop(broken);
    eventually("it is gone", || serving.stats.connections() == 1);
    let second = connect(world);
    eventually("it is there", || serving.stats.connections() == 2);
    assert_eq!(connect(world).answer().status(), 503);
    for reason in [Reason::HandlerPanic, Reason::Overload] {
        eventually("it is counted", || serving.stats.count(reason) == 1);
    }
    drop(second);
    serving.end();
}

#[test]
fn a_head_that_does_not_come_is_408() {
    let serving = start(|config| {
        config.http.header_timeout = Duration::from_millis(100);
        config.http.linger_timeout = Duration::from_millis(100);
    });
    let mut slow = connect(&serving.world);
    slow.send("GET / HT");
    assert_eq!(slow.answer().status(), 408);
    eventually("it is counted", || serving.stats.count(Reason::HeaderTimeout) == 1);
    serving.end();
}

#[test]
fn one_client_has_its_own_maximum() {
    let serving = start(|config| config.max_per_client = 2);
    let open: Vec<Client> = (0..2).map(|_| connect(&serving.world)).collect();
    eventually("they are there", || serving.stats.connections() == 2);
    let mut told: Vec<Client> = (0..4).map(|_| connect(&serving.world)).collect();
    for client in &mut told {
        assert_eq!(client.answer().status(), 503);
    }
    let error = connect(&serving.world).stream.read(&mut [0]).expect_err("reset");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    drop((open, told));
    eventually("all are gone", || serving.stats.connections() == 0);
    let mut client = connect(&serving.world);
    client.send("GET /whoami HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.answer().status(), 200, "none of them is counted any more");
    serving.end();
}

#[test]
fn when_it_is_crowded_the_longest_idle_thread_ends() {
    let serving = start(|config| config.max_connections = 10);
    let ask = |client: &mut Client| {
        client.send("GET /whoami HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.answer().status(), 200);
    };
    let mut open = Vec::new();
    for number in 1..=9 {
        let mut client = connect(&serving.world);
        ask(&mut client);
        eventually("it rests", || serving.stats.idle() == number);
        open.push(client);
    }
    ask(&mut open[0]);
    eventually("all are idle", || serving.stats.idle() == 9);
    ask(&mut connect(&serving.world));
    assert_eq!(open[1].rest(), b"", "the second one ends in order");
    eventually("it is counted", || serving.stats.count(Reason::Evicted) == 1);
    ask(&mut open[0]);
    ask(&mut open[8]);
    serving.end();
}

#[test]
fn too_many_requests_of_one_client_are_429_in_both_forms() {
    let few = std::num::NonZeroU32::new(1);
    let serving = start(|config| config.request_rate = few);
    let event_driven = World::new(|config| config.request_rate = few);
    let forms = [
        (connect(&serving.world), "/whoami", &*serving.stats),
        (event_driven.connect(), "/healthz", event_driven.server.stats()),
    ];
    for (mut client, path, stats) in forms {
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").repeat(8));
        let answers: Vec<Answer> = (0..8).map(|_| client.answer()).collect();
        assert_eq!(answers[0].status(), 200, "{path}");
        // Where this machine stalls for a second, one of the others is let through as well.
        let (refused, taken): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status() == 429);
        assert!(!refused.is_empty() && taken.iter().all(|answer| answer.status() == 200), "{path}");
        assert_eq!((refused[0].field("retry-after"), refused[0].field("connection")), (Some("1"), None));
        let throttled = stats.counters().find(|(name, ..)| *name == "throttled").expect("it is there").2;
        assert_eq!(throttled, refused.len() as u64, "{path}");
        wait(Duration::from_millis(1_100));
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(client.answer().status(), 200, "the connection is still good");
    }
    serving.end();
}
