//! The HTTP machines of both sides: whatever arrives, in whatever pieces, is understood in the same way.
#![no_main]

use std::sync::Arc;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use longwire::http::{
    BodySize, ClientConnection, Clock, Event, Now, Piece, ResponseEvent, ServerConfig, ServerConnection,
    Transport,
};

fuzz_target!(|case: (u8, &[u8])| {
    let (size, bytes) = case;
    let size = usize::from(size).max(1);
    let (whole, pieces) = (serve(bytes, bytes.len().max(1)), serve(bytes, size));
    assert_eq!(whole, pieces, "a server in pieces of {size}");
    let (whole, pieces) = (fetch(bytes, bytes.len().max(1)), fetch(bytes, size));
    assert_eq!(whole, pieces, "a client in pieces of {size}");
});

fn now() -> Now {
    Clock::default().now(Duration::ZERO, 784_111_777)
}

/// What a server makes of a stream: the requests, and all that it answers.
fn serve(bytes: &[u8], size: usize) -> (Vec<String>, Vec<u8>, Transport) {
    let config = ServerConfig::default();
    let mut server = ServerConnection::new(Arc::new(config), now());
    let (mut seen, mut answers, mut held) = (Vec::new(), Vec::new(), Vec::new());
    for piece in bytes.chunks(size) {
        held.extend_from_slice(piece);
        loop {
            let received = server.receive(now(), &held);
            let (idle, consumed) = (received.is_idle(), received.consumed);
            let complete = take_event(received.event, &mut seen);
            held.drain(..consumed);
            match complete {
                Some(true) => {
                    server.respond_whole(now(), ::http::Response::new(Piece::from(b"ok".as_slice())))
                }
                Some(false) => server.accept_body(now()),
                None => {}
            }
            while let Some(output) = server.take_output(now()) {
                answers.extend_from_slice(&output);
            }
            if idle {
                break;
            }
        }
    }
    (seen, answers, server.transport())
}

/// Notes what came. A head wants its body accepted, an end its answer.
fn take_event(event: Option<Event<'_>>, seen: &mut Vec<String>) -> Option<bool> {
    match event? {
        Event::Head(request, framing) => {
            seen.push(format!("{request:?} {framing:?}"));
            seen.push(String::new());
            Some(false)
        }
        Event::Body(bytes) => {
            seen.last_mut()
                .expect("a head")
                .push_str(&format!("{bytes:02x?}").replace(['[', ']', ',', ' '], ""));
            None
        }
        Event::End(trailers) => {
            seen.push(format!("{trailers:?}"));
            Some(true)
        }
    }
}

/// What a client makes of a stream.
fn fetch(bytes: &[u8], size: usize) -> (Vec<String>, bool) {
    let mut client = ClientConnection::default();
    client.begin(&::http::Request::get("/").body(()).expect("a request"), BodySize::Known(0));
    let (mut seen, mut held) = (Vec::new(), Vec::new());
    for piece in bytes.chunks(size) {
        held.extend_from_slice(piece);
        loop {
            let (consumed, event) = match client.receive(&held) {
                Ok((consumed, event)) => (consumed, event.map(|event| note(&event, &mut seen))),
                Err(error) => {
                    seen.push(format!("{error:?}"));
                    return (seen, false);
                }
            };
            held.drain(..consumed);
            if consumed == 0 && event.is_none() {
                break;
            }
        }
    }
    let ended = client.receive_eof().is_ok();
    (seen, ended)
}

fn note(event: &ResponseEvent<'_>, seen: &mut Vec<String>) {
    match event {
        ResponseEvent::Body(bytes) => {
            let text = format!("{bytes:02x?}").replace(['[', ']', ',', ' '], "");
            match seen.last_mut() {
                Some(last) if last.starts_with("body ") => last.push_str(&text),
                _ => seen.push(format!("body {text}")),
            }
        }
        other => seen.push(format!("{other:?}")),
    }
}
