//! Limits against hoarding, each with its reason.

use super::*;

const POST_HEAD: &str = "POST /count HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000\r\n\r\n";

#[test]
fn a_slow_head_gets_408() {
    let mut client = Client::connect();
    for byte in "GET / HTT".bytes() {
        client.send([byte]);
        client.wait(secs(1));
    }
    assert_eq!(client.transport(), Transport::Continue);
    client.wait(secs(1));
    let answer = client.read();
    assert_eq!(statuses(&answer), ["408"]);
    assert_eq!(header(&answer, "Connection"), Some("close"));
    assert_eq!(client.transport(), Transport::ShutdownWrite);
    assert_eq!(client.reasons(), [Reason::HeaderTimeout]);
}

#[test]
fn the_first_head_has_its_time_from_the_connections_start() {
    let mut client = Client::connect();
    client.wait(secs(9));
    client.send("GET / HTTP/1.1\r\n");
    client.wait(secs(1));
    assert_eq!(statuses(&client.read()), ["408"]);
}

#[test]
fn a_later_head_has_its_time_from_its_first_byte() {
    let mut client = Client::connect();
    client.exchange(GET);
    client.wait(secs(30));
    client.send("G");
    client.wait(millis(9_999));
    assert_eq!(client.read(), "");
    client.wait(millis(1));
    assert_eq!(statuses(&client.read()), ["408"]);
}

#[test]
fn a_connection_that_never_speaks_ends_without_an_answer() {
    let mut client = Client::connect();
    client.wait(secs(10));
    assert_eq!(client.read(), "");
    assert_eq!(client.transport(), Transport::ShutdownWrite);
    assert_eq!(client.reasons(), [Reason::HeaderTimeout]);
}

#[test]
fn a_body_below_the_least_rate_gets_408_after_the_grace() {
    let mut client = Client::connect();
    client.send(POST_HEAD);
    client.send([0; 3000]);
    client.wait(millis(4_999));
    assert_eq!(client.read(), "");
    client.wait(millis(1));
    assert_eq!(statuses(&client.read()), ["408"]);
    assert_eq!(client.reasons(), [Reason::BodyRate]);
}

#[test]
fn a_body_of_ordinary_size_has_a_minute_in_all() {
    let mut client = Client::connect();
    client.send(POST_HEAD);
    for _ in 0..59 {
        client.send([0; 2048]);
        client.wait(secs(1));
    }
    assert_eq!(client.read(), "");
    client.wait(secs(1));
    assert_eq!(statuses(&client.read()), ["408"]);
    assert_eq!(client.reasons(), [Reason::BodyTimeout]);
}

#[test]
fn a_large_upload_is_not_cut_off_for_being_large() {
    let mut client = Client::connect();
    client.send(POST_HEAD);
    for _ in 0..1000 {
        client.send([0; 100_000]);
        client.wait(secs(1));
    }
    assert!(client.read().ends_with("\r\n\r\n100000000 "));
    assert_eq!(client.reasons(), []);
}

#[test]
fn an_answer_that_nobody_takes_is_cut() {
    let mut client = Client::connect();
    client.send("GET /bytes/500000 HTTP/1.1\r\nHost: h\r\n\r\n");
    client.wait(secs(29));
    let now = client.now();
    client.session.connection_mut().advance(now, 1);
    client.wait(millis(29_999));
    assert_eq!(client.transport(), Transport::Continue);
    client.wait(millis(1));
    assert_eq!(client.transport(), Transport::Abort);
    assert_eq!(client.reasons(), [Reason::SendTimeout]);
}

#[test]
fn a_server_that_does_not_read_blames_nobody_for_a_slow_body() {
    let mut client = Client::connect();
    client.send("POST /pipe HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n");
    for _ in 0..10 {
        client.send([0; 50_000]);
    }
    assert!(!client.unsent.is_empty(), "the output is full, so the input waits");
    client.wait(secs(29));
    assert_eq!(client.reasons(), []);
    assert!(client.read_bytes().len() > 500_000);
    client.wait(secs(4));
    assert_eq!(client.reasons(), [], "the clock stood meanwhile");
}

#[test]
fn a_slow_handler_is_not_the_clients_fault() {
    let mut client = Client::connect();
    client.send("POST /never HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab");
    client.wait(secs(3600));
    assert_eq!(client.transport(), Transport::Continue);
    assert_eq!(client.session.connection().deadline(), None);
}

#[test]
fn heads_are_bounded() {
    let line = format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", "a".repeat(9000));
    let wide = format!("GET / HTTP/1.1\r\nHost: h\r\nA: {}\r\n\r\n", "a".repeat(70_000));
    let many = format!("GET / HTTP/1.1\r\nHost: h\r\n{}\r\n", "A: b\r\n".repeat(100));
    for (request, status) in [(&line, "414"), (&wide, "431"), (&many, "431")] {
        let mut client = Client::connect();
        assert_eq!(statuses(&client.exchange(request)), [status]);
        assert_eq!(client.reasons(), [Reason::BadRequest]);
    }
    let fits = format!("GET / HTTP/1.1\r\nHost: h\r\n{}\r\n", "A: b\r\n".repeat(99));
    assert_eq!(statuses(&Client::connect().exchange(fits)), ["200"]);
    let unended = "GET /".to_owned() + &"a".repeat(9000);
    assert_eq!(statuses(&Client::connect().exchange(unended)), ["414"], "before its end has come");
}

#[test]
fn a_body_over_the_limit_gets_413() {
    let mut announced = Client::connect();
    let answer = announced.exchange("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n");
    assert_eq!(statuses(&answer), ["413"]);
    assert_eq!(header(&answer, "Connection"), Some("close"));
    assert_eq!(announced.transport(), Transport::ShutdownWrite);
    assert_eq!(announced.reasons(), [Reason::BodyRefused, Reason::BodyTooLarge]);

    let mut short = Client::connect();
    let request =
        format!("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2000\r\n\r\n{}", "a".repeat(2000));
    assert_eq!(statuses(&short.exchange([&request, GET].concat())), ["413", "200"], "it is skipped");
    assert_eq!(short.reasons(), [Reason::BodyTooLarge]);

    let mut chunked = Client::connect();
    let chunk = format!("258\r\n{}\r\n", "a".repeat(600));
    chunked.send("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_eq!(chunked.exchange(&chunk), "");
    assert_eq!(statuses(&chunked.exchange(&chunk)), ["413"]);
    assert_eq!(chunked.transport(), Transport::ShutdownWrite);
}

#[test]
fn a_short_unwanted_body_is_skipped_and_the_connection_kept() {
    let mut client = Client::connect();
    let request = format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2000\r\n\r\n{}", "a".repeat(2000));
    let answers = client.exchange([&request, GET].concat());
    assert_eq!(statuses(&answers), ["405", "200"]);
    assert_eq!(client.transport(), Transport::Continue);
}
