//! Pollers: what is reported, when, and to whom.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;

use super::super::{Events, Interest, Poller, Token, UdpSocket, Waker};
use super::*;

const A: Token = Token(1);
const B: Token = Token(2);

/// What a token's event said: "r" readable, "w" writable, "e" error, "c" closed.
fn seen(events: &Events) -> Vec<(Token, String)> {
    let letters = |event: &super::super::Event| {
        let flags = [event.is_readable(), event.is_writable(), event.is_error(), event.is_read_closed()];
        "rwec".chars().zip(flags).filter(|(_, set)| *set).map(|(letter, _)| letter).collect()
    };
    events.iter().map(|event| (event.token(), letters(event))).collect()
}

/// The next events; none within a while is a failure.
#[track_caller]
fn next(poller: &Poller) -> Vec<(Token, String)> {
    let mut events = Events::with_capacity(16);
    poller.poll(&mut events, Some(PATIENCE)).unwrap();
    assert!(!events.is_empty(), "nothing happened");
    seen(&events)
}

#[track_caller]
fn nothing(poller: &Poller) {
    let mut events = Events::with_capacity(16);
    poller.poll(&mut events, Some(Duration::from_millis(20))).unwrap();
    assert_eq!(seen(&events), []);
}

/// Just these events, and repetitions of them: what the handshake had to say may still be on its way.
#[track_caller]
fn only(poller: &Poller, expected: &[(Token, String)]) {
    let mut told = next(poller);
    while !told.is_empty() {
        assert_eq!(told, expected);
        let mut events = Events::with_capacity(16);
        poller.poll(&mut events, Some(Duration::from_millis(50))).unwrap();
        told = seen(&events);
    }
}

fn event(token: Token, letters: &str) -> Vec<(Token, String)> {
    vec![(token, letters.to_owned())]
}

fn nonblocking_connection() -> (TcpStream, TcpStream, End) {
    let (client, server, end) = connection();
    client.set_nonblocking(true).unwrap();
    server.set_nonblocking(true).unwrap();
    (client, server, end)
}

#[test]
fn registering_reports_what_is_ready_and_then_only_changes_are() {
    let (mut client, mut server, _end) = nonblocking_connection();
    let poller = Poller::new().unwrap();
    poller.register(&server, A, Interest::READABLE | Interest::WRITABLE).unwrap();
    only(&poller, &event(A, "w"));
    client.write_all(b"one").unwrap();
    assert_eq!(next(&poller), event(A, "r"));
    nothing(&poller);
    assert_eq!(server.read(&mut [0; 8]).unwrap(), 3);
    client.write_all(b"two").unwrap();
    assert_eq!(next(&poller), event(A, "r"), "a new edge");
}

#[test]
fn room_to_write_is_reported_once_there_is_some_again() {
    let (client, server, _end) = nonblocking_connection();
    let poller = Poller::new().unwrap();
    poller.register(&client, A, Interest::WRITABLE).unwrap();
    assert_eq!(next(&poller), event(A, "w"));
    // The peer's stack takes some although nobody reads, until its window is full, too.
    let mut events = Events::with_capacity(16);
    loop {
        while (&client).write(&[0; 64 * 1024]).is_ok() {}
        poller.poll(&mut events, Some(Duration::from_millis(50))).unwrap();
        if events.is_empty() {
            break;
        }
        assert_eq!(seen(&events), event(A, "w"));
    }
    server.set_nonblocking(false).unwrap();
    let reading = spawn(move || std::io::copy(&mut &server, &mut std::io::sink()).unwrap());
    assert_eq!(next(&poller), event(A, "w"));
    assert!((&client).write(b"x").unwrap() > 0);
    client.shutdown(Shutdown::Write).unwrap();
    assert!(join(&reading) > 64 * 1024);
}

#[test]
fn interest_is_what_is_reported_and_the_end_always_is() {
    let (client, mut server, _end) = nonblocking_connection();
    let poller = Poller::new().unwrap();
    poller.register(&client, A, Interest::READABLE).unwrap();
    nothing(&poller);
    poller.reregister(&client, B, Interest::WRITABLE).unwrap();
    only(&poller, &event(B, "w"));
    server.write_all(b"of no interest").unwrap();
    nothing(&poller);
    server.set_linger(Some(Duration::ZERO)).unwrap();
    drop(server);
    assert_eq!(next(&poller), event(B, "wec"));
    assert_eq!(client.take_error().unwrap().unwrap().kind(), ErrorKind::ConnectionReset);
}

#[test]
fn a_socket_is_in_one_poller_at_a_time() {
    let (client, _server, _end) = nonblocking_connection();
    let (one, other) = (Poller::new().unwrap(), Poller::new().unwrap());
    assert_eq!(one.deregister(&client).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(one.reregister(&client, A, Interest::READABLE).unwrap_err().kind(), ErrorKind::NotFound);
    one.register(&client, A, Interest::WRITABLE).unwrap();
    for poller in [&one, &other] {
        let again = poller.register(&client.try_clone().unwrap(), B, Interest::WRITABLE);
        assert_eq!(again.unwrap_err().kind(), ErrorKind::AlreadyExists);
    }
    one.deregister(&client).unwrap();
    nothing(&one);
    other.register(&client, B, Interest::WRITABLE).unwrap();
    assert_eq!(next(&other), event(B, "w"));
    // A poller that is gone has no sockets.
    drop(other);
    one.register(&client, A, Interest::WRITABLE).unwrap();
    assert_eq!(next(&one), event(A, "w"));
}

#[test]
fn a_socket_that_is_dropped_says_nothing_more() {
    let (client, server, _end) = nonblocking_connection();
    let poller = Poller::new().unwrap();
    poller.register(&client, A, Interest::WRITABLE).unwrap();
    drop(client);
    nothing(&poller);
    drop(server);
}

#[test]
fn listeners_datagrams_and_connections_under_way() {
    let (client, server, _end) = networks();
    let listener = listen(&server);
    let socket: UdpSocket = server.udp((SERVER, 0)).unwrap();
    let poller = Poller::new().unwrap();
    poller.register(&listener, A, Interest::READABLE).unwrap();
    poller.register(&socket, B, Interest::READABLE).unwrap();
    nothing(&poller);
    let asking = client.udp("10.9.0.1:0").unwrap();
    asking.send_to(b"x", socket.local_addr().unwrap()).unwrap();
    assert_eq!(next(&poller), event(B, "r"));

    let connecting = Poller::new().unwrap();
    let stream = client.start_connect(listener.local_addr().unwrap()).unwrap();
    connecting.register(&stream, A, Interest::WRITABLE).unwrap();
    assert_eq!(next(&connecting), event(A, "w"));
    assert_eq!(stream.peer_addr().unwrap(), listener.local_addr().unwrap());
    assert_eq!(next(&poller), event(A, "r"));
    listener.accept().unwrap();

    let refused = client.start_connect((SERVER.parse::<std::net::IpAddr>().unwrap(), 81).into()).unwrap();
    connecting.register(&refused, B, Interest::WRITABLE).unwrap();
    assert_eq!(next(&connecting), event(B, "wec"));
    assert_eq!(refused.take_error().unwrap().unwrap().kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn more_events_than_there_is_room_for_come_with_the_next_call() {
    let (client, server, _end) = networks();
    let listener = listen(&server);
    let poller = Poller::new().unwrap();
    let streams: Vec<_> = (0..5).map(|_| connect(&client, &listener).0).collect();
    for (number, stream) in streams.iter().enumerate() {
        poller.register(stream, Token(number), Interest::WRITABLE).unwrap();
    }
    let mut events = Events::with_capacity(2);
    let mut tokens = Vec::new();
    for expected in [2, 2, 1] {
        poller.poll(&mut events, Some(Duration::ZERO)).unwrap();
        // A repetition of an earlier one may come behind the last.
        assert!((expected..=2).contains(&events.iter().count()));
        tokens.extend(events.iter().map(|event| event.token().0));
    }
    assert_eq!(tokens[..5], [0, 1, 2, 3, 4], "first come, first served");
}

#[test]
fn a_waker_ends_a_wait_and_is_heard_once() {
    let poller = Poller::new().unwrap();
    let waker = Waker::new(&poller, B).unwrap();
    waker.wake().unwrap();
    waker.wake().unwrap();
    assert_eq!(next(&poller), event(B, "r"));
    nothing(&poller);
}

#[test]
fn the_end_of_the_network_is_everybodys_event() {
    let (client, _server, _end) = nonblocking_connection();
    let poller = Poller::new().unwrap();
    poller.register(&client, A, Interest::READABLE).unwrap();
    client.network().clone().shutdown(Duration::ZERO);
    let told = next(&poller);
    assert!(told[0].0 == A && told[0].1.contains('r'), "{told:?}");
}

#[test]
fn a_mio_loop_waits_for_a_poller_beside_the_sockets_of_the_kernel() {
    const OURS: mio::Token = mio::Token(7);
    let (mut client, mut server, _end) = nonblocking_connection();
    let mut poller = Poller::new().unwrap();
    poller.register(&server, A, Interest::READABLE).unwrap();
    let mut poll = mio::Poll::new().unwrap();
    poll.registry().register(&mut poller, OURS, mio::Interest::READABLE).unwrap();
    let mut theirs = mio::Events::with_capacity(8);
    let mut wait = |timeout| {
        poll.poll(&mut theirs, Some(timeout)).unwrap();
        theirs.iter().map(mio::event::Event::token).collect::<Vec<_>>()
    };
    assert_eq!(wait(Duration::from_millis(20)), []);
    for _ in 0..3 {
        client.write_all(b"wake up").unwrap();
        assert_eq!(wait(PATIENCE), [OURS]);
        let mut events = Events::with_capacity(8);
        poller.poll(&mut events, Some(Duration::ZERO)).unwrap();
        assert_eq!(seen(&events), event(A, "r"));
        assert_eq!(wait(Duration::from_millis(20)), [], "nothing more");
        while server.read(&mut [0; 8]).is_ok() {}
    }
    poll.registry().deregister(&mut poller).unwrap();
}

#[test]
fn two_threads_wait_and_each_event_goes_to_one() {
    const ALL: usize = 20;
    let (client, server, _end) = networks();
    let listener = listen(&server);
    let poller = Arc::new(Poller::new().unwrap());
    let streams: Vec<_> = (0..ALL).map(|_| connect(&client, &listener)).collect();
    for (number, (stream, _)) in streams.iter().enumerate() {
        poller.register(stream, Token(number), Interest::READABLE).unwrap();
    }
    let (heard, hearing) = mpsc::channel();
    for _ in 0..2 {
        let (poller, heard) = (Arc::clone(&poller), heard.clone());
        thread::spawn(move || {
            let mut events = Events::with_capacity(1);
            loop {
                poller.poll(&mut events, Some(PATIENCE)).unwrap();
                // Ends with the test.
                if events.iter().any(|event| heard.send(event.token().0).is_err()) {
                    return;
                }
            }
        });
    }
    for (_, accepted) in &streams {
        (&*accepted).write_all(b"x").unwrap();
    }
    let mut tokens: Vec<_> = (0..ALL).map(|_| join(&hearing)).collect();
    tokens.sort_unstable();
    assert_eq!(tokens, (0..ALL).collect::<Vec<_>>());
    assert!(hearing.recv_timeout(Duration::from_millis(20)).is_err(), "none was told twice");
    drop(hearing);
    let waker = Waker::new(&poller, Token(ALL)).unwrap();
    while Arc::strong_count(&poller) > 1 {
        waker.wake().unwrap();
        thread::yield_now();
    }
}
