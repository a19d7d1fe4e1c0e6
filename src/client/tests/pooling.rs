//! Long and short connections.

use std::time::Duration;

use ::http::{Method, Request};

use super::*;
use crate::client::RequestBody;

#[test]
fn one_long_connection_serves_request_after_request() {
    let setup = Setup::new(|_| {});
    let server = setup.serve(&[&[HELLO, HELLO, HELLO]]);
    for _ in 0..3 {
        assert_eq!(taken(setup.client.get(URL)).unwrap().1, "hello");
    }
    server.join().unwrap();
    let steps = setup.steps();
    assert_eq!(steps[..4], ["connected", "request", "response", "kept"]);
    assert_eq!(steps[4..8], ["reused", "request", "response", "kept"]);
    assert_eq!(steps.len(), 12);
}

#[test]
fn short_connections_say_so_and_are_used_once() {
    let setup = Setup::new(|config| config.persistent = false);
    let server = setup.serve(&[&[HELLO], &[HELLO]]);
    for _ in 0..2 {
        taken(setup.client.get(URL)).unwrap();
    }
    let heads = server.join().unwrap();
    assert!(heads.iter().all(|head| head.contains("Connection: close\r\n")), "{heads:?}");
    assert_eq!(setup.steps()[..4], ["connected", "request", "response", "closed"]);
    assert_eq!(setup.client.idle_connections(), 0);
}

#[test]
fn a_server_that_closes_ends_the_connections_use() {
    let setup = Setup::new(|_| {});
    let closing = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let server = setup.serve(&[&[closing], &[HELLO]]);
    taken(setup.client.get(URL)).unwrap();
    assert_eq!(setup.client.idle_connections(), 0);
    taken(setup.client.get(URL)).unwrap();
    server.join().unwrap();
}

#[test]
fn an_unread_body_costs_the_connection() {
    let setup = Setup::new(|_| {});
    let server = setup.serve(&[&[HELLO]]);
    drop(setup.client.get(URL).unwrap());
    assert_eq!(setup.client.idle_connections(), 0);
    server.join().unwrap();
}

#[test]
fn idle_connections_go_when_their_time_is_over() {
    let setup = Setup::new(|config| config.idle_timeout = Duration::from_millis(30));
    let server = setup.serve(&[&[HELLO], &[HELLO]]);
    taken(setup.client.get(URL)).unwrap();
    thread::park_timeout(Duration::from_millis(60));
    taken(setup.client.get(URL)).unwrap();
    server.join().unwrap();
    assert_eq!(setup.steps().iter().filter(|step| *step == "connected").count(), 2);
    assert_eq!(setup.client.idle_connections(), 1);
}

#[test]
fn the_time_that_the_server_announces_is_kept_to() {
    let setup = Setup::new(|_| {});
    let brief = "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=0, max=5\r\nContent-Length: 0\r\n\r\n";
    let server = setup.serve(&[&[brief], &[HELLO]]);
    taken(setup.client.get(URL)).unwrap();
    taken(setup.client.get(URL)).unwrap();
    server.join().unwrap();
    assert!(!setup.steps().contains(&"reused".to_owned()));
}

#[test]
fn no_more_idle_connections_are_kept_than_allowed() {
    let setup = Setup::new(|config| config.max_idle_per_authority = 2);
    let server = setup.serve(&[&[HELLO], &[HELLO], &[HELLO]]);
    let open: Vec<_> = (0..3).map(|_| setup.client.get(URL)).collect();
    for response in open {
        taken(response).unwrap();
    }
    server.join().unwrap();
    assert_eq!(setup.client.idle_connections(), 2);
}

#[test]
fn a_connection_closed_while_idle_is_noticed_before_it_is_used() {
    let setup = Setup::new(|_| {});
    let server = setup.serve(&[&[HELLO], &[HELLO]]);
    taken(setup.client.get(URL)).unwrap();
    // The server closes the first connection when it waits for the second: here that is seen before the request.
    thread::park_timeout(Duration::from_millis(100));
    assert_eq!(taken(setup.client.post(URL, "not to be sent twice")).unwrap().0, 200);
    server.join().unwrap();
    assert!(!setup.steps().contains(&"retry".to_owned()));
}

/// A server that takes a second request on its first connection and closes it without an answer.
fn close_at_second_request(setup: &Setup) -> JoinHandle<()> {
    let listener = setup.listener.try_clone().unwrap();
    thread::spawn(move || {
        let (mut first, _) = listener.accept().unwrap();
        read_head(&mut first);
        first.write_all(HELLO.as_bytes()).unwrap();
        read_head(&mut first);
        drop(first);
        let (mut second, _) = listener.accept().unwrap();
        read_head(&mut second);
        second.write_all(HELLO.as_bytes()).unwrap();
    })
}

#[test]
fn an_idempotent_request_is_tried_again() {
    let setup = Setup::new(|_| {});
    let server = close_at_second_request(&setup);
    taken(setup.client.get(URL)).unwrap();
    assert_eq!(taken(setup.client.get(URL)).unwrap().1, "hello");
    server.join().unwrap();
    assert_eq!(
        setup.steps()[4..],
        ["reused", "request", "retry", "connected", "request", "response", "kept"]
    );
}

#[test]
fn one_that_is_not_fails_with_an_error_of_its_own() {
    let setup = Setup::new(|_| {});
    let server = close_at_second_request(&setup);
    taken(setup.client.get(URL)).unwrap();
    let error = setup.client.post(URL, "").unwrap_err();
    let Error::ClosedWhileIdle { source } = &error else { panic!("{error}") };
    assert!(matches!(**source, Error::NoAnswer | Error::Receive(_) | Error::Send(_)), "{source}");
    assert!(error.to_string().contains("it may have been carried out"), "{error}");
    taken(setup.client.get(URL)).unwrap();
    server.join().unwrap();
}

#[test]
fn a_body_that_cannot_be_had_twice_is_not_sent_twice() {
    let setup = Setup::new(|_| {});
    let server = close_at_second_request(&setup);
    taken(setup.client.get(URL)).unwrap();
    let body = RequestBody::Stream { reader: Box::new(std::io::empty()), length: Some(0) };
    let mut request = Request::new(body);
    *request.method_mut() = Method::PUT;
    *request.uri_mut() = URL.parse().unwrap();
    assert!(matches!(setup.client.send(request), Err(Error::ClosedWhileIdle { .. })));
    taken(setup.client.get(URL)).unwrap();
    server.join().unwrap();
}

#[test]
fn however_many_pooled_connections_are_dead_the_request_gets_through() {
    let setup = Setup::new(|_| {});
    let listener = setup.listener.try_clone().unwrap();
    let server = thread::spawn(move || {
        let mut open: Vec<_> = (0..4).map(|_| listener.accept().unwrap().0).collect();
        for stream in &mut open {
            read_head(stream);
            stream.write_all(HELLO.as_bytes()).unwrap();
        }
        // Each is closed only once its second request is there.
        for mut stream in open {
            thread::spawn(move || drop(read_head(&mut stream)));
        }
        let (mut last, _) = listener.accept().unwrap();
        read_head(&mut last);
        last.write_all(HELLO.as_bytes()).unwrap();
    });
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let client = setup.client.clone();
            thread::spawn(move || client.get(URL))
        })
        .collect();
    // All four heads are there before the first body is read, so that none uses another's connection.
    let answers: Vec<_> = clients.into_iter().map(|client| client.join().unwrap()).collect();
    answers.into_iter().for_each(|answer| drop(taken(answer).unwrap()));
    assert_eq!(setup.client.idle_connections(), 4);
    assert_eq!(taken(setup.client.get(URL)).unwrap().1, "hello");
    assert_eq!(setup.steps().iter().filter(|step| *step == "retry").count(), 4);
    server.join().unwrap();
}
