//! Bodies that are streamed, both ways.

use std::sync::Mutex;

use super::*;

#[test]
fn a_huge_download_passes_in_bounded_memory() {
    let mut client = Client::connect();
    client.send("GET /bytes/1000000000 HTTP/1.1\r\nHost: h\r\n\r\n");
    let mut total = 0;
    while let Some(piece) = client.session.connection_mut().take_output(at(Duration::ZERO)) {
        total += piece.len();
        client.poll();
        assert!(client.session.connection().output_len() <= 128 * 1024);
    }
    assert!((1_000_000_000..1_000_000_300).contains(&total), "{total}");
    assert!(client.session.connection().is_idle());
}

#[test]
fn a_huge_upload_passes_without_being_kept() {
    let mut client = Client::connect();
    client.send("POST /count HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000\r\n\r\n");
    let piece = vec![0; 1_000_000];
    for _ in 0..1000 {
        client.send(&piece);
        assert!(client.unsent.is_empty());
    }
    assert!(client.read().ends_with("\r\n\r\n1000000000 "));
}

#[test]
fn an_unknown_length_is_chunked_in_http_1_1() {
    let mut client = Client::connect();
    let answer = client.exchange("GET /stream/70000 HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(header(&answer, "Transfer-Encoding"), Some("chunked"));
    assert_eq!(header(&answer, "Content-Length"), None);
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    let expected = format!("10000\r\n{}\r\n1170\r\n{}\r\n0\r\n\r\n", "x".repeat(65_536), "x".repeat(4464));
    assert_eq!(body, expected);
    assert_eq!(statuses(&client.exchange(GET)), ["200"]);
}

#[test]
fn an_unknown_length_ends_with_the_connection_in_http_1_0() {
    let mut client = Client::connect();
    let answer = client.exchange("GET /stream/5 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_eq!(header(&answer, "Transfer-Encoding"), None);
    assert_eq!(header(&answer, "Connection"), Some("close"));
    assert!(answer.ends_with("\r\n\r\nxxxxx"));
    assert_eq!(client.transport(), Transport::ShutdownWrite);
}

#[test]
fn an_answer_may_run_beside_its_request() {
    let mut client = Client::connect();
    client.send("POST /pipe HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert!(client.exchange("3\r\nabc\r\n").ends_with("3\r\nabc\r\n"));
    assert_eq!(client.exchange("2\r\nde\r\n"), "2\r\nde\r\n");
    assert_eq!(client.exchange("0\r\n\r\n"), "0\r\n\r\n");
    assert!(client.session.connection().is_idle());
}

#[test]
fn a_body_waits_while_too_much_of_its_answer_does() {
    let now = at(Duration::ZERO);
    let mut connection = ServerConnection::new(Arc::new(ServerConfig::default()), now);
    connection.receive(now, b"POST /count HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n");
    connection.accept_body(now);
    connection.respond(now, Response::new(BodySize::Unknown));
    connection.send(now, vec![0; 200_000].into());
    assert!(!connection.wants_input());
    assert!(connection.receive(now, b"abc").is_idle());
    while connection.take_output(now).is_some() {}
    assert!(connection.wants_input());
    assert!(matches!(connection.receive(now, b"abc").event, Some(Event::Body(b"abc"))));
}

#[test]
fn trailers_reach_the_handler() {
    let body = "3\r\nabc\r\n0\r\nX-Sum: 17\r\n\r\n";
    let head = "POST /count HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    let answer = Client::connect().exchange([head, body].concat());
    assert!(answer.contains(r#"3 {"x-sum": "17"}"#), "{answer}");
}

#[test]
fn trailers_of_an_answer_follow_its_last_chunk() {
    let mut connection = ServerConnection::new(Arc::new(ServerConfig::default()), at(Duration::ZERO));
    let now = at(Duration::ZERO);
    connection.receive(now, GET.as_bytes());
    connection.respond(now, Response::new(BodySize::Unknown));
    connection.send(now, b"abc".as_slice().into());
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", "17".parse().unwrap());
    trailers.insert("content-length", "17".parse().unwrap());
    connection.finish(now, Some(&trailers));
    let output = connection.take_output(now).unwrap();
    assert!(output.ends_with(b"\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 17\r\n\r\n"));
}

#[test]
fn an_answer_that_breaks_off_is_cut_and_never_looks_whole() {
    let mut short = Client::connect();
    short.send("GET /short HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(short.transport(), Transport::Abort);
    assert_eq!(short.reasons(), [Reason::HandlerBroken]);

    let mut damaged = Client::connect();
    damaged.send("POST /pipe HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz");
    assert_eq!(damaged.transport(), Transport::Abort, "the request failed under its running answer");
    assert_eq!(damaged.reasons(), [Reason::BadRequest]);
}

#[test]
fn a_handler_that_has_nothing_yet_lets_others_have_their_turn() {
    let mut client = Client::connect();
    client.send("GET /spin HTTP/1.1\r\nHost: h\r\n\r\n");
    assert!(client.session.connection().answer_has_begun(), "the call came back");
}

#[test]
fn a_body_without_a_head_is_the_handlers_fault() {
    let mut client = Client::connect();
    assert_eq!(statuses(&client.exchange("GET /headless HTTP/1.1\r\nHost: h\r\n\r\n")), ["500"]);
    assert_eq!(client.reasons(), [Reason::HandlerBroken]);
}

/// Writes down how it is called, and answers once it has all of the request.
struct Diary(Arc<Mutex<Vec<&'static str>>>);

impl Diary {
    fn note(&self, call: &'static str) {
        self.0.lock().unwrap().push(call);
    }
}

impl Handler for Diary {
    fn on_head(&mut self, _request: Request<()>, _body: Framing) {
        self.note("head");
    }

    fn on_body(&mut self, _piece: &[u8]) {
        self.note("body");
    }

    fn on_end(&mut self, _trailers: Option<HeaderMap>) {
        self.note("end");
    }

    fn appetite(&self) -> Appetite {
        Appetite::Hungry
    }

    fn poll_response(&mut self, _cx: &mut Context<'_>, _budget: usize) -> Poll<Step> {
        self.note("poll");
        match self.0.lock().unwrap().contains(&"end") {
            true => Poll::Ready(Step::Whole(Response::new(Piece::default()))),
            false => Poll::Pending,
        }
    }
}

#[test]
fn who_is_shown_the_last_of_a_request_is_shown_its_end_before_the_answer_is_asked_for() {
    let request = "POST /diary HTTP/1.1\r\nHost: h\r\n";
    for (rest, calls) in [
        ("\r\n", &["head", "end", "poll"][..]),
        ("Content-Length: 3\r\n\r\nabc", &["head", "poll", "body", "end", "poll"]),
    ] {
        let diary = Arc::new(Mutex::new(Vec::new()));
        let mut client = Client::connect();
        let pages = Arc::clone(&diary);
        client.router = Router::new().stream(Method::POST, "/diary", move |_| Diary(Arc::clone(&pages)));
        client.send([request, rest].concat());
        assert_eq!(*diary.lock().unwrap(), calls);
    }
}
