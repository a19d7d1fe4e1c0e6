//! Short and long connections: how long they live and how they end (RFC 9112 9).

use super::*;

#[test]
fn http_1_0_is_short_by_default() {
    let mut client = Client::connect();
    let answer = client.exchange("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(statuses(&answer), ["200"]);
    assert_eq!(header(&answer, "Connection"), Some("close"));
    assert_eq!(client.transport(), Transport::ShutdownWrite);
}

#[test]
fn http_1_0_is_long_when_asked_by_name() {
    let mut client = Client::connect();
    for left in [999, 998] {
        let answer = client.exchange("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        assert_eq!(header(&answer, "Connection"), Some("keep-alive"));
        assert_eq!(header(&answer, "Keep-Alive"), Some(format!("timeout=60, max={left}").as_str()));
        assert_eq!(client.transport(), Transport::Continue);
    }
    let last = client.exchange("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(header(&last, "Connection"), Some("close"));
}

#[test]
fn http_1_1_is_long_by_default_and_says_nothing_of_it() {
    let mut client = Client::connect();
    for _ in 0..3 {
        let answer = client.exchange(GET);
        assert_eq!((header(&answer, "Connection"), header(&answer, "Keep-Alive")), (None, None));
        assert_eq!(client.transport(), Transport::Continue);
        assert!(client.session.connection().is_idle());
    }
    let named = client.exchange("GET / HTTP/1.1\r\nHost: h\r\nConnection: Keep-Alive\r\n\r\n");
    assert_eq!(header(&named, "Keep-Alive"), Some("timeout=60, max=996"));
}

#[test]
fn close_from_either_side_makes_the_exchange_the_last() {
    let requests = [
        "GET / HTTP/1.1\r\nHost: h\r\nConnection: x, Close\r\n\r\n",
        "GET /close HTTP/1.1\r\nHost: h\r\n\r\n",
    ];
    for request in requests {
        let mut client = Client::connect();
        let answer = client.exchange([request, GET].concat());
        assert_eq!(statuses(&answer), ["200"], "what follows is not answered");
        assert_eq!(header(&answer, "Connection"), Some("close"));
        assert_eq!(client.transport(), Transport::ShutdownWrite);
    }
}

#[test]
fn the_last_answer_goes_out_whole_before_fin() {
    let mut client = Client::connect();
    client.send("GET /bytes/200000 HTTP/1.0\r\n\r\n");
    assert_eq!(client.transport(), Transport::Continue);
    let answer = client.read();
    assert_eq!(answer.split_once("\r\n\r\n").unwrap().1.len(), 200_000);
    assert_eq!(client.transport(), Transport::ShutdownWrite);
    client.send("whatever the client still sends is read and dropped");
    assert!(client.unsent.is_empty());
    client.finish();
    assert_eq!(client.transport(), Transport::Close);
}

#[test]
fn lingering_ends_after_two_seconds() {
    let mut client = Client::connect();
    client.exchange("GET / HTTP/1.0\r\n\r\n");
    client.wait(millis(1999));
    assert_eq!(client.transport(), Transport::ShutdownWrite);
    client.wait(millis(1));
    assert_eq!(client.transport(), Transport::Close);
    assert_eq!(client.reasons(), [Reason::LingerTimeout]);
}

#[test]
fn an_idle_connection_ends_in_order_and_without_a_word() {
    let mut client = Client::connect();
    client.wait(secs(5));
    client.exchange(GET);
    client.wait(secs(59));
    client.exchange(GET);
    client.wait(millis(29_999));
    client.send("\r\n"); // no request, and no sign of one
    client.wait(secs(30));
    assert_eq!(client.transport(), Transport::Continue);
    client.wait(millis(1));
    assert_eq!(client.transport(), Transport::ShutdownWrite);
    assert_eq!(client.read(), "");
    assert_eq!(client.reasons(), [Reason::IdleTimeout]);
}

#[test]
fn without_an_idle_timeout_nothing_is_due() {
    let mut client = Client::connect_with(ServerConfig { idle_timeout: None, ..Default::default() });
    let answer = client.exchange("GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\n\r\n");
    assert_eq!(header(&answer, "Keep-Alive"), Some("max=999"));
    assert_eq!(client.session.connection().deadline(), None);
}

#[test]
fn the_last_of_the_allowed_requests_says_close() {
    let mut client = Client::connect_with(ServerConfig { max_requests: Some(3), ..Default::default() });
    let answers = client.exchange(GET.repeat(5));
    assert_eq!(statuses(&answers), ["200"; 3]);
    assert_eq!(answers.matches("Connection: close").count(), 1);
    assert!(answers.ends_with("Connection: close\r\n\r\nhello\n"));
    assert_eq!(client.transport(), Transport::ShutdownWrite);
    assert_eq!(client.reasons(), [Reason::MaxRequests]);
}

#[test]
fn shutdown_ends_idle_connections_and_finishes_what_is_in_flight() {
    let mut idle = Client::connect();
    idle.exchange(GET);
    idle.session.connection_mut().shutdown(at(secs(1)));
    assert_eq!(idle.transport(), Transport::ShutdownWrite);
    assert_eq!(idle.reasons(), [Reason::Shutdown]);

    let mut busy = Client::connect();
    busy.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nab");
    busy.session.connection_mut().shutdown(at(secs(1)));
    assert_eq!(busy.transport(), Transport::Continue);
    let answer = busy.exchange("cd");
    assert!(answer.ends_with("Connection: close\r\n\r\nabcd"), "{answer}");
    assert_eq!(busy.transport(), Transport::ShutdownWrite);

    let mut flushing = Client::connect();
    flushing.send("GET /bytes/500000 HTTP/1.1\r\nHost: h\r\n\r\n");
    flushing.session.connection_mut().shutdown(at(secs(1)));
    assert!(flushing.read().len() > 500_000);
    assert_eq!(flushing.transport(), Transport::ShutdownWrite);
}

#[test]
fn an_idle_connection_makes_room_for_others() {
    let mut client = Client::connect();
    client.exchange(GET);
    let now = client.now();
    client.session.connection_mut().make_room(now);
    assert_eq!(client.transport(), Transport::ShutdownWrite);
    assert_eq!(client.reasons(), [Reason::Evicted]);
}

#[test]
fn a_transfer_coding_in_http_1_0_is_answered_with_400_and_closed() {
    let head = "POST /echo HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut client = Client::connect();
    let answers = client.exchange([head, "3\r\nabc\r\n0\r\n\r\n", GET].concat());
    assert_eq!(statuses(&answers), ["400"], "where it ends is not certain: nothing behind it is looked at");
    assert_eq!(header(&answers, "Connection"), Some("close"));
    assert_eq!(client.transport(), Transport::ShutdownWrite);
}

#[test]
fn a_client_that_closes_between_requests_is_closed() {
    let mut client = Client::connect();
    client.exchange(GET);
    client.finish();
    assert_eq!(client.transport(), Transport::Close);
    assert_eq!(client.reasons(), [Reason::ClientClosed]);
}

#[test]
fn a_half_closed_client_still_gets_its_answers() {
    let mut client = Client::connect();
    client.send([GET, "GET /bytes/300000 HTTP/1.1\r\nHost: h\r\n\r\n"].concat());
    client.finish();
    let answers = client.read();
    assert_eq!(statuses(&answers), ["200", "200"]);
    assert!(answers.len() > 300_000);
    assert_eq!(client.transport(), Transport::Close, "its FIN is known: there is nothing to linger for");
}

#[test]
fn a_request_cut_short_by_fin_is_refused() {
    let heads = ["GET / HTT", "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nab"];
    for head in heads {
        let mut client = Client::connect();
        client.send(head);
        client.finish();
        assert_eq!(statuses(&client.read()), ["400"], "{head}");
        assert_eq!(client.transport(), Transport::Close);
    }
}

#[test]
fn a_full_server_says_so_and_when_to_come_back() {
    let config = Arc::new(ServerConfig::default());
    let connection = ServerConnection::overloaded(config, at(Duration::ZERO), secs(3));
    let mut client = Client { session: Session::new(connection), ..Client::connect() };
    let answer = client.exchange(GET);
    assert_eq!(statuses(&answer), ["503"]);
    assert_eq!(header(&answer, "Retry-After"), Some("3"));
    assert_eq!(header(&answer, "Connection"), Some("close"));
    assert_eq!(client.transport(), Transport::ShutdownWrite);
    assert_eq!(client.reasons(), [Reason::Overload]);
}

#[test]
fn a_failed_transport_ends_everything() {
    let mut client = Client::connect();
    client.send("GET /bytes/500000 HTTP/1.1\r\nHost: h\r\n\r\n");
    client.session.connection_mut().transport_failed();
    assert_eq!(client.transport(), Transport::Abort);
    assert_eq!(client.reasons(), [Reason::TransportFailed]);
    assert_eq!(client.session.connection().output_len(), 0);
}

#[test]
fn an_idle_connection_is_small_and_holds_no_memory() {
    assert!(size_of::<ServerConnection>() <= 56, "{}", size_of::<ServerConnection>());
    assert!(size_of::<Session>() <= 72, "{}", size_of::<Session>());
    let mut client = Client::connect();
    client.exchange(GET);
    assert!(client.session.connection().is_idle());
}
