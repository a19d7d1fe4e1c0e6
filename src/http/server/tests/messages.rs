//! Requests and the answers that they get.

use proptest::prelude::*;

use super::*;

/// Every row: what is sent, and the statuses that come back.
const TABLE: [(&str, &[&str]); 30] = [
    (GET, &["200"]),
    ("\r\n\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", &["200"]),
    ("GET http://h/ HTTP/1.1\r\nHost: h\r\n\r\n", &["200"]),
    ("HEAD / HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", &["200", "200"]),
    ("GET /missing HTTP/1.1\r\nHost: h\r\n\r\n", &["404"]),
    ("DELETE /echo HTTP/1.1\r\nHost: h\r\n\r\n", &["405"]),
    ("TRACE / HTTP/1.1\r\nHost: h\r\n\r\n", &["405"]),
    ("BREW / HTTP/1.1\r\nHost: h\r\n\r\n", &["501"]),
    ("CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n", &["501"]),
    ("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", &["204"]),
    ("OPTIONS /echo HTTP/1.1\r\nHost: h\r\n\r\n", &["204"]),
    ("GET / HTTP/1.1\r\n\r\n", &["400"]),
    ("GET / HTTP/2.0\r\nHost: h\r\n\r\n", &["505"]),
    ("GET / HTTP/1.1\r\nHost: h\r\nExpect: tea\r\n\r\n", &["417"]),
    ("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.0\r\n\r\n", &["200", "200"]),
    ("POST /echo HTTP/1.0\r\n\r\n", &["411"]),
    ("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", &["400"]),
    ("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", &["400"]),
    ("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", &["501"]),
    ("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", &["400"]),
    ("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n", &["400"]),
    ("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\naX", &["400"]),
    (
        "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n0\r\n\r\n",
        &["400"],
    ),
    ("GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n", &["400"]),
    ("GET / HTTP/1.1\r\nHost : h\r\n\r\n", &["400"]),
    ("GET / HTTP/1.1\r\nHost: h\r\nA: b\rc\r\n\r\n", &["400"]),
    ("GET / HTTP/1.1\r\nHost: h\r\nA: \0\r\n\r\n", &["400"]),
    ("GET / HTTP/1.1\r\nHost: h\r\n\r\nPOST /echo HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n", &["200", "400"]),
    (
        "POST /count HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nX: y\r\n\r\n",
        &["200"],
    ),
    ("GET /panic HTTP/1.1\r\nHost: h\r\n\r\n", &["500"]),
];

#[test]
fn each_request_gets_its_status() {
    for (request, expected) in TABLE {
        let answers = Client::connect().exchange(request);
        assert_eq!(statuses(&answers), expected, "{request:?}");
        for answer in answers.split("HTTP/1.1 ").skip(1) {
            assert!(answer.contains("\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"), "{answer}");
            assert!(answer.contains("\r\nServer: longwire/"), "{answer}");
        }
    }
}

#[test]
fn what_cannot_be_understood_closes_the_connection() {
    for (request, expected) in TABLE {
        let mut client = Client::connect();
        let answers = client.exchange([request, GET].concat());
        let refused = matches!(expected.last(), Some(&("400" | "411" | "417" | "505")));
        if refused {
            assert_eq!(statuses(&answers), expected, "{request:?}: nothing after it is answered");
            assert_eq!(client.transport(), Transport::ShutdownWrite, "{request:?}");
        }
    }
}

#[test]
fn feeding_byte_by_byte_changes_nothing() {
    for (request, _) in TABLE {
        let whole = Client::connect().exchange(request);
        let mut client = Client::connect();
        let bytewise: String = request.bytes().map(|byte| client.exchange([byte])).collect();
        assert_eq!(bytewise, whole, "{request:?}");
    }
}

proptest! {
    #[test]
    fn however_the_input_is_cut_the_answers_are_the_same(
        rows in prop::collection::vec(0..TABLE.len(), 1..5),
        cuts in prop::collection::vec(1usize..60, 1..20),
    ) {
        let input: Vec<u8> = rows.iter().flat_map(|&row| TABLE[row].0.bytes()).collect();
        let whole = Client::connect().exchange(&input);
        let mut client = Client::connect();
        let mut rest = &input[..];
        let mut answers = String::new();
        for cut in cuts.iter().cycle() {
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            client.send(piece);
            if cut % 2 == 0 {
                answers += &client.read();
            }
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        answers += &client.read();
        prop_assert_eq!(answers, whole);
    }

    #[test]
    fn no_input_panics_or_hoards(input in prop::collection::vec(any::<u8>(), 0..2000), cut in 1usize..100) {
        let mut client = Client::connect();
        for piece in input.chunks(cut) {
            client.send(piece);
            prop_assert!(client.unsent.is_empty() || client.session.connection().wants_answer());
        }
        client.finish();
        client.read_bytes();
        prop_assert_ne!(client.transport(), Transport::Continue);
    }
}

#[test]
fn answers_come_in_the_order_of_the_requests() {
    let mut client = Client::connect();
    let post = |text: &str| {
        format!("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n{text}", text.len())
    };
    let answers = client.exchange((0..50).map(|n| post(&format!("<{n}>"))).collect::<String>());
    let order: Vec<&str> = answers.split(['<', '>']).skip(1).step_by(2).collect();
    assert_eq!(order, (0..50).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[test]
fn pipelined_requests_wait_while_their_answers_do() {
    let mut client = Client::connect();
    let request = "GET /bytes/50000 HTTP/1.1\r\nHost: h\r\n\r\n";
    client.send(request.repeat(100));
    let waiting = client.session.connection().output_len();
    assert!(waiting < 128 * 1024 + 64 * 1024, "{waiting}");
    assert!(client.unsent.len() > 90 * request.len(), "the rest stays with the transport");
    assert!(!client.session.connection().wants_input());
    assert_eq!(statuses(&client.read()).len(), 100);
}

#[test]
fn head_is_get_without_the_body() {
    let get = Client::connect().exchange(GET);
    let head = Client::connect().exchange("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(get, format!("{head}hello\n"));
    assert_eq!(header(&head, "Content-Length"), Some("6"));
    let huge = Client::connect().exchange("HEAD /bytes/1000000000000 HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(header(&huge, "Content-Length"), Some("1000000000000"));
    let chunked = Client::connect().exchange("HEAD /stream/5 HTTP/1.1\r\nHost: h\r\n\r\n");
    assert!(chunked.ends_with("Transfer-Encoding: chunked\r\n\r\n"), "{chunked}");
}

#[test]
fn no_content_has_neither_body_nor_length() {
    let mut client = Client::connect();
    let answer = client.exchange("GET /empty HTTP/1.1\r\nHost: h\r\n\r\n");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    assert_eq!(header(&answer, "Content-Length"), None);
    assert_eq!(statuses(&client.exchange(GET)), ["200"]);
}

#[test]
fn allow_names_the_methods_of_the_path() {
    let answer = Client::connect().exchange("GET /echo HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!((statuses(&answer)[0], header(&answer, "Allow")), ("405", Some("OPTIONS, POST, PUT")));
    let answer = Client::connect().exchange("OPTIONS / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!((statuses(&answer)[0], header(&answer, "Allow")), ("204", Some("GET, HEAD, OPTIONS")));
}

#[test]
fn continue_comes_once_the_body_is_wanted_and_before_it() {
    let head = "PUT /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
    let mut client = Client::connect();
    assert_eq!(client.exchange(head), "HTTP/1.1 100 Continue\r\n\r\n");
    assert!(client.exchange("abc").ends_with("\r\n\r\nabc"));
    assert_eq!(client.transport(), Transport::Continue);
}

#[test]
fn an_http_1_0_client_is_never_told_to_continue() {
    let head = "PUT /echo HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
    let mut client = Client::connect();
    assert_eq!(client.exchange(head), "");
    assert!(client.exchange("abc").ends_with("\r\n\r\nabc"));
}

#[test]
fn a_final_status_replaces_continue_and_closes() {
    let head = "PUT /missing HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
    let mut client = Client::connect();
    let answer = client.exchange(head);
    assert_eq!(statuses(&answer), ["404"]);
    assert_eq!(header(&answer, "Connection"), Some("close"), "nobody knows whether the body will come");
}

#[test]
fn a_panic_costs_one_answer() {
    let mut client = Client::connect();
    let answer = client.exchange("GET /panic HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!((statuses(&answer)[0], header(&answer, "Connection")), ("500", Some("close")));
    assert_eq!(client.reasons(), [Reason::HandlerPanic]);
}

#[test]
fn a_handler_that_panics_when_it_is_dropped_harms_nobody() {
    let mut client = Client::connect();
    let answers = client.exchange(["GET /drop HTTP/1.1\r\nHost: h\r\n\r\n", GET].concat());
    assert_eq!(statuses(&answers), ["200", "200"], "both answers were complete");
    let mut gone = Client::connect();
    gone.send("GET /drop-late HTTP/1.1\r\nHost: h\r\n\r\n");
    drop(gone);
}

#[test]
fn an_expectation_of_nothing_is_none() {
    let mut client = Client::connect();
    let answer =
        client.exchange("PUT /echo HTTP/1.1\r\nHost: h\r\nExpect: ,\r\nContent-Length: 3\r\n\r\nabc");
    assert_eq!(statuses(&answer), ["200"], "and nobody is told to continue");
}

#[test]
fn the_first_byte_of_another_protocol_is_enough() {
    let mut client = Client::connect();
    let answer = client.exchange(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03");
    assert_eq!(statuses(&answer), ["400"], "TLS sends no end of a line");
    assert_eq!(client.reasons(), [Reason::BadRequest]);
}
