//! Bodies, both ways.

use ::http::{Method, Request};

use super::*;
use crate::client::RequestBody;

#[test]
fn bodies_end_where_their_framing_says() {
    let setup = Setup::new(|_| {});
    let server = setup.serve(&[&[
        HELLO,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 404 Not Found\r\n\r\nuntil the close",
    ]]);
    assert_eq!(taken(setup.client.get(URL)).unwrap(), (200, "hello".into()));
    assert_eq!(taken(setup.client.get(URL)).unwrap(), (200, "abcdefg".into()));
    assert_eq!(taken(setup.client.get(URL)).unwrap(), (204, String::new()));
    assert_eq!(taken(setup.client.get(URL)).unwrap(), (404, "until the close".into()));
    assert_eq!(setup.client.idle_connections(), 0);
    let heads = server.join().unwrap();
    assert!(heads[0].starts_with("GET / HTTP/1.1\r\nHost: 10.9.0.2\r\n"), "{}", heads[0]);
}

#[test]
fn the_answer_to_head_has_no_body_whatever_it_announces() {
    let setup = Setup::new(|_| {});
    let server = setup.serve(&[&["HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"]]);
    let response = setup.client.head(URL).unwrap();
    assert_eq!(response.headers()["content-length"], "1000");
    assert_eq!(setup.client.idle_connections(), 1, "even before the body is asked for");
    assert_eq!(taken(Ok(response)).unwrap().1, "");
    assert!(server.join().unwrap()[0].starts_with("HEAD / "));
}

/// Accepts one connection and gives everything that comes behind the head, `length` bytes of it.
fn receive_body(setup: &Setup, length: usize) -> JoinHandle<(String, Vec<u8>)> {
    let listener = setup.listener.try_clone().unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let head = read_head(&mut stream);
        let mut body = vec![0; length];
        stream.read_exact(&mut body).unwrap();
        stream.write_all(HELLO.as_bytes()).unwrap();
        (head, body)
    })
}

#[test]
fn a_large_body_of_known_length_goes_out_whole() {
    let setup = Setup::new(|_| {});
    let body: Vec<u8> = (0..3_000_000u32).map(|i| (i % 251) as u8).collect();
    let server = receive_body(&setup, body.len());
    assert_eq!(taken(setup.client.post(URL, body.clone())).unwrap().0, 200);
    let (head, received) = server.join().unwrap();
    assert!(head.contains("Content-Length: 3000000\r\n"), "{head}");
    assert!(received == body);
}

#[test]
fn a_stream_of_unknown_length_goes_out_in_chunks() {
    let setup = Setup::new(|_| {});
    let chunked = "6\r\nstream\r\n0\r\n\r\n";
    let server = receive_body(&setup, chunked.len());
    let body = RequestBody::Stream { reader: Box::new(&b"stream"[..]), length: None };
    assert_eq!(taken(setup.client.post(URL, body)).unwrap().0, 200);
    let (head, received) = server.join().unwrap();
    assert!(head.contains("Transfer-Encoding: chunked\r\n"), "{head}");
    assert_eq!(received, chunked.as_bytes());
}

#[test]
fn a_refusal_is_heard_while_the_body_is_still_going_out() {
    let setup = Setup::new(|_| {});
    let listener = setup.listener.try_clone().unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        read_head(&mut stream);
        stream.write_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n").unwrap();
        stream // reads nothing more, and stays open
    });
    let endless = RequestBody::Stream { reader: Box::new(std::io::repeat(7)), length: None };
    let mut request = Request::new(endless);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = URL.parse().unwrap();
    assert_eq!(taken(setup.client.send(request)).unwrap().0, 413);
    assert_eq!(setup.client.idle_connections(), 0, "half a request is in its way");
    drop(server.join().unwrap());
}

#[test]
fn an_echo_larger_than_every_buffer_comes_back_while_it_goes_out() {
    const LENGTH: usize = 24 * 1024 * 1024;
    let setup = Setup::new(|_| {});
    let listener = setup.listener.try_clone().unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        read_head(&mut stream);
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut piece = vec![0; 64 * 1024];
        let mut left = LENGTH;
        while left > 0 {
            let count = stream.read(&mut piece).unwrap();
            stream.write_all(&piece[..count]).unwrap();
            left -= count;
        }
        stream.read(&mut piece).unwrap()
    });
    let sent: Vec<u8> = (0..LENGTH).map(|i| (i % 251) as u8).collect();
    let mut response = setup.client.post(URL, sent.clone()).unwrap();
    let mut received = Vec::new();
    response.body_mut().read_to_end(&mut received).unwrap();
    assert!(received == sent, "{} bytes came back", received.len());
    assert_eq!(setup.client.idle_connections(), 1, "both directions are done, and it can be used again");
    drop(setup);
    assert_eq!(server.join().unwrap(), 0);
}

#[test]
fn an_answer_that_ends_before_the_request_does_ends_the_exchange() {
    let setup = Setup::new(|_| {});
    let listener = setup.listener.try_clone().unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        read_head(&mut stream);
        stream.write_all(HELLO.as_bytes()).unwrap();
        stream // has heard enough
    });
    let endless = RequestBody::Stream { reader: Box::new(std::io::repeat(7)), length: None };
    assert_eq!(taken(setup.client.post(URL, endless)).unwrap(), (200, "hello".into()));
    assert_eq!(setup.client.idle_connections(), 0);
    drop(server.join().unwrap());
}
