//! The built-in routes.

use std::net::Shutdown;

use super::*;

#[test]
fn welcome_says_who_asks_and_how_often() {
    let world = World::new(|_| {});
    let mut client = world.connect();
    let peer = client.stream.local_addr().unwrap().to_string();
    for count in 1..=3 {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let answer = client.answer();
        assert_eq!((answer.status(), answer.field("content-type")), (200, Some("text/html; charset=utf-8")));
        let text = answer.text();
        assert!(text.contains(&format!("<b>{peer}</b>")) && text.contains("<b>long</b>"), "{text}");
        assert!(text.contains(&format!("<b>{count}</b> request")), "{text}");
    }
    let absolute = world.ask("GET http://target:81/ HTTP/1.1\r\nHost: host-of-the-field\r\n\r\n");
    assert!(
        absolute.text().contains("target:81") && !absolute.text().contains("host-of-the-field"),
        "RFC 9112 3.2.2"
    );
    let short = world.ask("GET / HTTP/1.0\r\n\r\n");
    assert!(short.text().contains("<b>short</b>"), "{}", short.text());
    assert!(!short.text().contains('{') || short.text().contains("{ color"), "every word is filled in");
}

#[test]
fn healthz_and_what_is_not_there() {
    let world = World::new(|_| {});
    assert_eq!(world.ask("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").text(), "ok\n");
    assert_eq!(world.ask("GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n").status(), 404);
    let post = world.ask("POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    assert_eq!((post.status(), post.field("allow")), (405, Some("GET, HEAD, OPTIONS")));
}

#[test]
fn bytes_of_any_number_and_their_ranges() {
    let world = World::new(|_| {});
    let get = |path: &str, more: &str| world.ask(&format!("GET {path} HTTP/1.1\r\nHost: a\r\n{more}\r\n"));
    assert_eq!(get("/bytes/0", "").body, b"");
    assert_eq!(get("/bytes/1000000", "").body, pattern(1_000_000));
    assert_eq!(get("/bytes/many", "").status(), 404);
    let part = get("/bytes/1000", "Range: bytes=250-260\r\n");
    assert_eq!((part.status(), part.field("content-range")), (206, Some("bytes 250-260/1000")));
    assert_eq!(part.body, pattern(261)[250..]);
    let none = get("/bytes/1000", "Range: bytes=1000-\r\n");
    assert_eq!((none.status(), none.field("content-range")), (416, Some("bytes */1000")));
    let mut client = world.connect();
    client.send("HEAD /bytes/18446744073709551615 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(client.head().contains("Content-Length: 18446744073709551615\r\n"));
    client.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.answer().text(), "ok\n", "HEAD had no body");
}

#[test]
fn several_ranges_in_one_answer() {
    let world = World::new(|_| {});
    let answer = world.ask("GET /bytes/1000 HTTP/1.1\r\nHost: a\r\nRange: bytes=0-2,-2\r\n\r\n");
    assert_eq!(answer.status(), 206);
    let kind = answer.field("content-type").unwrap();
    let boundary = kind.strip_prefix("multipart/byteranges; boundary=").expect("multipart");
    let head = |range: &str| {
        format!(
            "\r\n--{boundary}\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes {range}/1000\r\n\r\n"
        )
    };
    let all = pattern(1000);
    let end = format!("\r\n--{boundary}--\r\n");
    let expected =
        [head("0-2").as_bytes(), &all[..3], head("998-999").as_bytes(), &all[998..], end.as_bytes()].concat();
    assert_eq!(answer.body, expected);
}

#[test]
fn echo_returns_what_it_gets_however_it_comes() {
    let world = World::new(|_| {});
    let body = pattern(3_000_000);
    let mut client = world.connect();
    let writer = client.stream.try_clone().unwrap();
    let head = format!(
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: x/y\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let sent = body.clone();
    let writing = std::thread::spawn(move || {
        (&writer).write_all(head.as_bytes()).unwrap();
        (&writer).write_all(&sent).unwrap();
    });
    let answer = client.answer();
    writing.join().unwrap();
    assert_eq!(answer.field("content-type"), Some("x/y"));
    assert!(answer.body == body);
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    let answer = client.answer();
    assert_eq!((answer.field("transfer-encoding"), &answer.body[..]), (Some("chunked"), &b"abcde"[..]));
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(client.answer().body, b"");
}

#[test]
fn sha256_of_nothing_and_of_something() {
    let world = World::new(|_| {});
    let nothing = world.ask("POST /sha256 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(nothing.text(), "0 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n");
    let json = "POST /sha256 HTTP/1.1\r\nHost: a\r\nAccept: text/*, application/json;q=1\r\nContent-Length: 3\r\n\r\nabc";
    let expected =
        "{\"length\":3,\"sha256\":\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"}\n";
    assert_eq!(world.ask(json).text(), expected);
}

#[test]
fn metrics_count_what_has_happened() {
    let world = World::new(|_| {});
    let mut client = world.connect();
    client.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nbroken\r\n\r\n");
    client.answer();
    assert_eq!(client.answer().status(), 400);
    client.stream.shutdown(Shutdown::Both).unwrap();
    eventually("the broken connection is gone", || world.server.stats().connections() == 0);
    let answer = world.ask("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(answer.field("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    for line in [
        "longwire_http_connections_total 2",
        "longwire_http_reasons_total{reason=\"bad_request\"} 1",
        "longwire_tcp_passive_opens_total 2",
        "longwire_device_uncuttable_packets_total 0",
        "# TYPE longwire_http_open_connections gauge",
    ] {
        assert!(answer.text().lines().any(|found| found == line), "{line} in\n{}", answer.text());
    }
}

#[test]
fn an_address_that_is_taken_is_named() {
    let world = World::new(|_| {});
    let error = Server::new(Config::default()).start(world.servers.shared(), &[address(81), address(80)]);
    let error = error.expect_err("80 is taken");
    assert_eq!(error.to_string(), "cannot listen on 10.9.0.2:80: address already in use");
    let again = Server::new(Config::default()).start(world.servers.shared(), &[address(81)]);
    assert!(again.is_ok(), "nothing was left listening");
}
