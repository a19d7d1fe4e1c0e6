//! Large bodies, slow readers, many requests at once, handlers that fail, the end in the middle of it all.

use std::io::ErrorKind;

use sha2::{Digest, Sha256};

use super::*;
use crate::http::Reason;
use crate::serve::Ended;

const LARGE: usize = 100_000_000;

#[test]
fn a_hundred_megabytes_down_byte_for_byte() {
    let world = World::new(|_| {});
    let mut client = world.connect();
    client.send(format!("GET /bytes/{LARGE} HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert!(client.head().contains(&format!("Content-Length: {LARGE}\r\n")));
    let period = pattern(251 * 1000);
    let mut offset = 0;
    while offset < LARGE {
        let piece = client.exactly(period.len().min(LARGE - offset));
        assert!(piece == period[..piece.len()], "in the {} bytes from {offset} on", piece.len());
        offset += piece.len();
    }
    client.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.answer().text(), "ok\n", "and not a byte more");
}

#[test]
fn a_hundred_megabytes_up_hash_for_hash() {
    let world = World::new(|_| {});
    let mut client = world.connect();
    let period = pattern(251 * 1000);
    let mut hash = Sha256::new();
    client.send(format!("POST /sha256 HTTP/1.1\r\nHost: a\r\nContent-Length: {LARGE}\r\n\r\n"));
    let mut left = LARGE;
    while left > 0 {
        let piece = &period[..period.len().min(left)];
        hash.update(piece);
        client.send(piece);
        left -= piece.len();
    }
    let hash: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(client.answer().text(), format!("{LARGE} {hash}\n"));
}

#[test]
fn a_slow_reader_holds_little_memory_and_nobody_up() {
    let world = World::new(|_| {});
    let mut slow = world.connect();
    slow.send(format!("GET /bytes/{LARGE} HTTP/1.1\r\nHost: a\r\n\r\n"));
    wait(Duration::from_millis(300));
    let sent = || world.server.stats().counters().find(|(name, ..)| *name == "sent_bytes").unwrap().2;
    let before = sent();
    assert!(before < 4_000_000, "{before} bytes for who does not read");
    let held = world.servers.shared().with(|stack| stack.pool().in_use());
    assert!(held < 4_000_000, "{held} bytes of buffers");
    assert_eq!(world.ask("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").text(), "ok\n");
    slow.head();
    slow.exactly(10_000_000);
    assert!(sent() > 10_000_000, "it goes on where it stood");
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let world = World::new(|config| config.http.max_requests = None);
    let mut client = world.connect();
    let requests: String =
        (0..2000).map(|n| format!("GET /bytes/{} HTTP/1.1\r\nHost: a\r\n\r\n", n % 700)).collect();
    let writer = client.stream.try_clone().unwrap();
    let writing = std::thread::spawn(move || (&writer).write_all(requests.as_bytes()).unwrap());
    for n in 0..2000 {
        assert_eq!(client.answer().body, pattern(n % 700), "answer {n}");
    }
    writing.join().unwrap();
}

#[test]
fn pipelined_requests_without_a_reader_are_bounded() {
    let world = World::new(|config| config.http.max_requests = None);
    let client = world.connect();
    client.stream.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let request = "GET /bytes/60000 HTTP/1.1\r\nHost: a\r\n\r\n".repeat(1000);
    let mut writer = &client.stream;
    let error = loop {
        if let Err(error) = writer.write_all(request.as_bytes()) {
            break error;
        }
    };
    assert_eq!(error.kind(), ErrorKind::WouldBlock, "the server has stopped reading");
    let held = world.servers.shared().with(|stack| stack.pool().in_use());
    assert!(held < 5_000_000, "{held} bytes of buffers");
}

#[test]
fn a_panic_is_500_on_its_own_connection() {
    let world = World::with(
        |_| {},
        |server| server.routes(|router| router.get("/panic", |_| panic!("as the test wants it"))),
    );
    let mut healthy = world.connect();
    healthy.send("GET /bytes/3000000 HTTP/1.1\r\nHost: a\r\n\r\n");
    healthy.head();
    let answer = world.ask("GET /panic HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!((answer.status(), answer.field("connection")), (500, Some("close")));
    assert!(healthy.exactly(3_000_000) == pattern(3_000_000));
    assert_eq!(world.server.stats().count(Reason::HandlerPanic), 1);
}

#[test]
fn shutdown_finishes_what_is_in_flight() {
    let world = World::new(|config| config.http.linger_timeout = Duration::from_millis(200));
    let mut idle = world.connect();
    let mut busy = world.connect();
    busy.send("GET /bytes/20000000 HTTP/1.1\r\nHost: a\r\n\r\n");
    busy.head();
    busy.exactly(100_000);
    world.server.shutdown(PATIENCE);
    assert_eq!(idle.rest(), b"", "an idle one gets its FIN at once");
    let refused = world.clients.connect_timeout(&address(80), Duration::from_millis(500));
    assert_eq!(refused.expect_err("nobody listens").kind(), ErrorKind::ConnectionRefused);
    assert_eq!(world.server.wait_timeout(Duration::ZERO), None, "one is still busy");
    assert!(busy.exactly(19_900_000).iter().eq(pattern(20_000_000)[100_000..].iter()));
    assert_eq!(busy.rest(), b"");
    assert_eq!(world.server.wait(), Ended { cut: 0 });
}

#[test]
fn a_request_that_has_just_arrived_is_in_flight() {
    let world = World::new(|_| {});
    let mut clients: Vec<Client> = (0..20).map(|_| world.connect()).collect();
    for client in &mut clients {
        client.send("GET /bytes/10 HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    // What the loop has not read by now is read before it ends.
    let received = || world.servers.shared().with(|stack| stack.counters().tcp.passive_opens);
    eventually("all are there", || received() == 20);
    eventually("all have asked", || {
        world.server.stats().counters().any(|(name, _, value)| name == "requests" && value == 20)
    });
    world.server.shutdown(PATIENCE);
    for client in &mut clients {
        assert_eq!(client.answer().body, pattern(10));
        assert_eq!(client.rest(), b"");
        client.stream.shutdown(std::net::Shutdown::Write).unwrap();
    }
    assert_eq!(world.server.wait(), Ended { cut: 0 });
    assert!(world.servers.shutdown(PATIENCE), "no reset");
}

#[test]
fn shutdown_is_bounded_and_a_second_one_is_immediate() {
    let world = World::new(|_| {});
    let mut endless = world.connect();
    endless.send("GET /bytes/18446744073709551615 HTTP/1.1\r\nHost: a\r\n\r\n");
    endless.head();
    world.server.shutdown(Duration::from_millis(100));
    assert_eq!(world.server.wait(), Ended { cut: 1 });
    let world = World::new(|_| {});
    let mut endless = world.connect();
    endless.send("GET /bytes/18446744073709551615 HTTP/1.1\r\nHost: a\r\n\r\n");
    endless.head();
    world.server.shutdown(PATIENCE);
    assert_eq!(world.server.wait_timeout(Duration::from_millis(100)), None);
    world.server.shutdown(PATIENCE);
    assert_eq!(world.server.wait(), Ended { cut: 1 });
}

#[test]
fn a_stack_that_stops_ends_its_server() {
    let world = World::new(|_| {});
    let _client = world.connect();
    eventually("it is there", || world.server.stats().connections() == 1);
    world.servers.shutdown(Duration::ZERO);
    assert!(world.server.wait_timeout(PATIENCE).is_some(), "who waits for it is told");
}
