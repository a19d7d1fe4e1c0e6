//! Each failure says which it was.

use std::io;
use std::time::Duration;

use super::*;
use crate::client::RequestBody;
use crate::http::BadMessage;

const BRIEF: Duration = Duration::from_millis(60);

#[test]
fn nobody_listens() {
    let setup = Setup::new(|_| {});
    let error = setup.client.get("http://10.9.0.2:81/").unwrap_err();
    assert!(
        matches!(&error, Error::Connect { source, .. } if source.kind() == io::ErrorKind::ConnectionRefused)
    );
    assert!(error.to_string().starts_with("10.9.0.2:81: cannot connect"), "{error}");
}

#[test]
fn nobody_is_there() {
    let setup = Setup::new(|config| config.connect_timeout = Some(BRIEF));
    let error = setup.client.get("http://10.9.0.77/").unwrap_err();
    assert!(matches!(error, Error::ConnectTimeout { after: BRIEF, .. }), "{error}");
}

#[test]
fn no_name_and_no_family() {
    let setup = Setup::new(|_| {});
    let error = setup.client.get("http://no-such-host.invalid/").unwrap_err();
    assert!(matches!(&error, Error::NotFound { host, .. } if host == "no-such-host.invalid"), "{error}");
    let error = setup.client.get("http://[fd09::2]/").unwrap_err();
    assert!(
        matches!(&error, Error::Connect { source, .. } if source.kind() == io::ErrorKind::NetworkUnreachable)
    );
    assert!(matches!(setup.client.get("not a url"), Err(Error::Url { .. })));
}

/// Accepts, reads a head, writes `answer`, and keeps the connection open until the client closes it.
fn stall_after(setup: &Setup, answer: &'static str) -> JoinHandle<()> {
    let listener = setup.listener.try_clone().unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        read_head(&mut stream);
        stream.write_all(answer.as_bytes()).unwrap();
        let _ = stream.read(&mut [0]);
    })
}

#[test]
fn the_first_byte_does_not_come() {
    let setup = Setup::new(|config| config.first_byte_timeout = Some(BRIEF));
    let server = stall_after(&setup, "");
    let error = setup.client.get(URL).unwrap_err();
    assert!(matches!(error, Error::FirstByteTimeout { after: BRIEF }), "{error}");
    server.join().unwrap();
}

#[test]
fn the_whole_takes_too_long() {
    let setup = Setup::new(|config| config.timeout = Some(3 * BRIEF));
    let server = stall_after(&setup, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel");
    let error = taken(setup.client.get(URL)).unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error}");
    server.join().unwrap();
}

#[test]
fn the_whole_takes_too_long_with_an_upload_that_never_ends() {
    let setup = Setup::new(|config| config.timeout = Some(10 * BRIEF));
    let listener = setup.listener.try_clone().unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        read_head(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n").unwrap();
        // Until the client is stuck, and sees the answer.
        thread::park_timeout(5 * BRIEF);
        let now = || stream.network().shared().now();
        let (began, mut buffer) = (now(), [0; 64 * 1024]);
        while now() - began < 100 * BRIEF && matches!((&stream).read(&mut buffer), Ok(1..)) {}
    });
    let endless = RequestBody::Stream { reader: Box::new(io::repeat(7)), length: None };
    let error = taken(setup.client.post(URL, endless)).unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error}");
    server.join().unwrap();
}

#[test]
fn an_answer_that_stops_moving_is_left() {
    for answer in ["HTTP/1.1 200 OK\r\nContent-", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"] {
        let setup = Setup::new(|config| config.stall_timeout = Some(BRIEF));
        let server = stall_after(&setup, answer);
        let error = taken(setup.client.get(URL)).unwrap_err();
        assert!(matches!(error, Error::Stalled { after: BRIEF }), "{error}");
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::TimedOut);
        assert_eq!(setup.client.idle_connections(), 0);
        server.join().unwrap();
    }
}

#[test]
fn an_answer_that_moves_a_little_is_not_left() {
    let setup = Setup::new(|config| config.stall_timeout = Some(4 * BRIEF));
    let listener = setup.listener.try_clone().unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        read_head(&mut stream);
        for piece in HELLO.as_bytes().chunks(6) {
            stream.write_all(piece).unwrap();
            thread::park_timeout(BRIEF);
        }
    });
    assert_eq!(taken(setup.client.get(URL)).unwrap().1, "hello");
    server.join().unwrap();
}

#[test]
fn a_server_that_takes_no_more_of_the_request_is_left() {
    let setup = Setup::new(|config| config.stall_timeout = Some(3 * BRIEF));
    let listener = setup.listener.try_clone().unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        read_head(&mut stream);
        stream // reads nothing more, and stays open
    });
    let endless = RequestBody::Stream { reader: Box::new(io::repeat(7)), length: None };
    let error = setup.client.post(URL, endless).unwrap_err();
    assert!(matches!(error, Error::Stalled { .. }), "{error}");
    drop(server.join().unwrap());
}

#[test]
fn interim_answers_without_end_are_no_answer() {
    let setup = Setup::new(|_| {});
    let listener = setup.listener.try_clone().unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        read_head(&mut stream);
        while stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").is_ok() {}
    });
    let error = setup.client.get(URL).unwrap_err();
    assert!(matches!(error, Error::BadAnswer(BadMessage::Interim)), "{error}");
    server.join().unwrap();
}

#[test]
fn the_answer_is_cut_off_or_missing_or_none() {
    let setup = Setup::new(|_| {});
    let server = setup.serve(&[
        &["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"],
        &["HTTP/1.1 200 OK\r\nConte"],
        &[""],
        &["220 mail.example.org ESMTP\r\n\r\n"],
    ]);
    assert!(matches!(taken(setup.client.get(URL)), Err(Error::Truncated)));
    assert!(matches!(setup.client.get(URL), Err(Error::Truncated)));
    assert!(matches!(setup.client.get(URL), Err(Error::NoAnswer)));
    assert!(matches!(setup.client.get(URL), Err(Error::BadAnswer(_))));
    server.join().unwrap();
}

#[test]
fn as_an_io_error_it_keeps_its_kind_and_its_words() {
    let error = io::Error::from(Error::Timeout { after: BRIEF });
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert_eq!(error.to_string(), "the exchange was not complete within 60ms");
}
