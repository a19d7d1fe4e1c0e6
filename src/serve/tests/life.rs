//! How long a connection lives: short and long ones, and who ends them.

use std::net::Shutdown;
use std::time::Instant;

use super::*;
use crate::http::Reason;

const GET: &str = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn http_1_0_is_short_unless_it_asks_to_be_long() {
    let world = World::new(|_| {});
    let mut short = world.connect();
    short.send("GET /healthz HTTP/1.0\r\n\r\n");
    let answer = short.answer();
    assert_eq!((answer.text(), answer.field("connection")), ("ok\n", Some("close")));
    assert_eq!(short.rest(), b"");
    let mut long = world.connect();
    for _ in 0..3 {
        long.send("GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        assert_eq!(long.answer().field("connection"), Some("keep-alive"));
    }
}

#[test]
fn http_1_1_is_long_until_somebody_says_close() {
    let world = World::new(|_| {});
    let mut client = world.connect();
    for _ in 0..3 {
        client.send(GET);
        let answer = client.answer();
        assert_eq!(
            (answer.status(), answer.field("connection"), answer.field("keep-alive")),
            (200, None, None)
        );
    }
    client.send("GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert_eq!(client.answer().field("connection"), Some("close"));
    assert_eq!(client.rest(), b"");
}

#[test]
fn keep_alive_is_announced_and_counted_down() {
    let world = World::new(|config| config.http.max_requests = Some(3));
    let mut client = world.connect();
    let mut said = Vec::new();
    for _ in 0..3 {
        client.send("GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n");
        let answer = client.answer();
        said.push((
            answer.field("connection").map(str::to_owned),
            answer.field("keep-alive").map(str::to_owned),
        ));
    }
    let expected = [
        (Some("keep-alive"), Some("timeout=60, max=2")),
        (Some("keep-alive"), Some("timeout=60, max=1")),
        (Some("close"), None),
    ];
    assert_eq!(said, expected.map(|(one, two)| (one.map(str::to_owned), two.map(str::to_owned))));
    assert_eq!(client.rest(), b"");
    eventually("it is counted", || world.server.stats().count(Reason::MaxRequests) == 1);
}

#[test]
fn an_idle_connection_ends_in_order() {
    let idle = Duration::from_millis(100);
    let world = World::new(|config| config.http.idle_timeout = Some(idle));
    let mut client = world.connect();
    client.send(GET);
    client.answer();
    #[allow(clippy::disallowed_methods)]
    let since = Instant::now();
    assert_eq!(client.rest(), b"", "FIN, not a reset");
    assert!(since.elapsed() >= idle - Duration::from_millis(20), "{:?}", since.elapsed());
    assert_eq!(world.server.stats().count(Reason::IdleTimeout), 1);
}

#[test]
fn an_idle_time_out_that_is_off_never_comes() {
    let world = World::new(|config| {
        config.http.idle_timeout = None;
        config.http.header_timeout = Duration::from_millis(50);
    });
    let mut client = world.connect();
    client.send(GET);
    client.answer();
    client.stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let error = client.stream.read(&mut [0]).expect_err("still open");
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    client.send(GET);
    assert_eq!(client.answer().status(), 200);
}

#[test]
fn the_last_answer_arrives_whole_though_the_client_goes_on_sending() {
    let world = World::new(|config| config.http.linger_timeout = Duration::from_secs(1));
    let mut client = world.connect();
    client.send("GET /bytes/500000 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let writer = client.stream.try_clone().unwrap();
    let pest = std::thread::spawn(move || {
        for _ in 0..200 {
            if (&writer).write_all(&[b'x'; 10_000]).is_err() {
                return;
            }
        }
    });
    let answer = client.answer();
    assert!(answer.body == pattern(500_000));
    assert_eq!(client.rest(), b"", "FIN, not a reset");
    client.stream.shutdown(Shutdown::Both).unwrap();
    pest.join().unwrap();
}

#[test]
fn lingering_is_bounded() {
    let world = World::new(|config| config.http.linger_timeout = Duration::from_millis(100));
    let mut client = world.connect();
    client.send("GET /healthz HTTP/1.0\r\n\r\n");
    assert_eq!(client.answer().text(), "ok\n");
    assert_eq!(client.rest(), b"");
    eventually("the client did not close, the server did", || world.server.stats().connections() == 0);
    assert_eq!(world.server.stats().count(Reason::LingerTimeout), 1);
}

#[test]
fn what_the_client_has_not_taken_yet_is_not_cut_by_the_end_of_lingering() {
    let world = World::new(|config| config.http.linger_timeout = Duration::from_millis(20));
    let mut client = world.connect();
    // More than the client's first window, less than what both buffers hold: the server is done at once.
    client.send("GET /bytes/100000 HTTP/1.0\r\n\r\n");
    eventually("the stack has all of it", || {
        world.server.stats().counters().any(|(name, _, value)| name == "sent_bytes" && value > 100_000)
    });
    wait(Duration::from_millis(300));
    client.send("still here");
    assert!(client.answer().body == pattern(100_000));
    assert_eq!(client.rest(), b"");
    eventually("it is closed", || world.server.stats().connections() == 0);
}

#[test]
fn a_client_that_closes_first_leaves_nothing_behind() {
    let world = World::new(|_| {});
    for _ in 0..20 {
        let mut client = world.connect();
        client.send(GET);
        client.answer();
        drop(client);
    }
    eventually("all are gone", || world.server.stats().connections() == 0);
    assert_eq!(world.server.stats().count(Reason::ClientClosed), 20);
    eventually("their sockets, too", || world.servers.shared().with(|stack| stack.live_connections()) == 0);
}

#[test]
fn a_half_closed_client_gets_its_answer() {
    let world = World::new(|_| {});
    let mut client = world.connect();
    client.send("GET /bytes/300000 HTTP/1.1\r\nHost: a\r\n\r\n");
    client.stream.shutdown(Shutdown::Write).unwrap();
    assert!(client.answer().body == pattern(300_000));
    assert_eq!(client.rest(), b"");
}

#[test]
fn a_client_that_resets_costs_nobody_else_anything() {
    let world = World::new(|_| {});
    let mut healthy = world.connect();
    let mut rude = world.connect();
    rude.send("GET /bytes/100000000 HTTP/1.1\r\nHost: a\r\n\r\n");
    rude.exactly(100_000);
    rude.stream.set_reset_on_drop(true);
    drop(rude);
    eventually("the reset one is gone", || world.server.stats().connections() == 1);
    assert_eq!(world.server.stats().count(Reason::TransportFailed), 1);
    healthy.send(GET);
    assert_eq!(healthy.answer().text(), "ok\n");
}
