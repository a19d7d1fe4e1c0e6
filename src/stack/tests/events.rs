//! What an application hears, and that it hears it once.

use super::*;
use crate::stack::{Error, ListenOptions, Readiness};

fn kinds(host: &mut Host, id: SocketId) -> Readiness {
    let mut all = Readiness::default();
    let events = host.events();
    assert!(events.iter().filter(|event| event.socket == id).count() <= 1, "not coalesced: {events:?}");
    events.into_iter().filter(|event| event.socket == id).for_each(|event| all |= event.kinds);
    all
}

#[test]
fn a_connections_life_in_events() {
    let mut pair = Pair::new();
    let listener = pair.server.stack.listen(at("10.0.0.1", 80), ListenOptions::default()).unwrap();
    let c = pair.client.stack.connect(pair.client.now, at("10.0.0.1", 80), None, None).unwrap();
    assert!(pair.client.events().is_empty());
    pair.exchange();
    let connected = kinds(&mut pair.client, c);
    assert!(connected.connected && connected.writable && !connected.readable && !connected.closed);
    assert!(
        matches!(pair.server.events()[..], [Event { socket, kinds }] if socket == listener && kinds.readable)
    );

    let (s, _) = pair.server.stack.accept(listener).unwrap();
    let accepted = kinds(&mut pair.server, s);
    assert!(accepted.connected && accepted.writable && !accepted.readable);

    for _ in 0..3 {
        pair.client.stack.write(c, b"piece").unwrap();
        pair.exchange();
    }
    assert_eq!(kinds(&mut pair.server, s), Readiness::READABLE, "three pieces, one event");
    assert!(pair.server.events().is_empty(), "and no other");

    pair.client.stack.close(pair.client.now, c).unwrap();
    pair.exchange();
    assert!(kinds(&mut pair.server, s).readable, "the end of the stream");
    assert!(pair.client.events().is_empty(), "nothing for who has let go");
}

#[test]
fn data_that_came_before_accept_is_told_after_it() {
    let mut pair = Pair::new();
    let listener = pair.server.stack.listen(at("10.0.0.1", 80), ListenOptions::default()).unwrap();
    let c = pair.client.stack.connect(pair.client.now, at("10.0.0.1", 80), None, None).unwrap();
    pair.exchange();
    pair.client.stack.write(c, b"early").unwrap();
    pair.exchange();
    assert_eq!(pair.server.events().len(), 1, "the listener's alone");
    let (s, _) = pair.server.stack.accept(listener).unwrap();
    assert!(kinds(&mut pair.server, s).readable);
}

#[test]
fn events_of_a_closed_socket_are_never_told() {
    let mut pair = Pair::new();
    let listener = pair.server.stack.listen(at("10.0.0.1", 80), ListenOptions::default()).unwrap();
    let (c, s) = pair.connect(listener);
    pair.server.events();
    pair.client.stack.write(c, b"unheard").unwrap();
    pair.exchange();
    pair.server.stack.close(pair.server.now, s).unwrap();
    assert!(pair.server.events().is_empty());
    for result in [
        pair.server.stack.read(s, &mut [0; 1]).err(),
        pair.server.stack.write(s, b"x").err(),
        pair.server.stack.abort(s).err(),
        pair.server.stack.close(pair.server.now, s).err(),
        pair.server.stack.readiness(s).err(),
        pair.server.stack.error(s).err(),
        pair.server.stack.local_addr(s).err(),
        pair.server.stack.remote_addr(s).err(),
        pair.server.stack.info(s).err(),
        pair.server.stack.options(s).err(),
    ] {
        assert_eq!(result, Some(Error::StaleSocket));
    }
}

#[test]
fn room_is_told_to_a_writer_that_found_none() {
    let mut pair = Pair::new();
    let listener = pair.server.stack.listen(at("10.0.0.1", 80), ListenOptions::default()).unwrap();
    let (c, s) = pair.connect(listener);
    pair.client.events();
    while pair.client.stack.write(c, &[0; 65_536]).is_ok() {}
    pair.exchange();
    while !pair.server.read_all(s).is_empty() {
        pair.wait(Duration::from_millis(50));
    }
    assert!(kinds(&mut pair.client, c).writable);
    assert!(pair.client.stack.write(c, b"x").is_ok());
}

/// A write that takes less than it was given is no refusal, but may leave no room: asking for it is to wait for it.
#[test]
fn room_is_told_to_who_asked_for_it_after_a_short_write() {
    let mut pair = Pair::new();
    let listener = pair.server.stack.listen(at("10.0.0.1", 80), ListenOptions::default()).unwrap();
    let (c, s) = pair.connect(listener);
    pair.client.events();
    while pair.client.stack.write(c, &[0; 65_521]) == Ok(65_521) {}
    assert!(!pair.client.stack.readiness(c).unwrap().writable);
    pair.exchange();
    while !pair.server.read_all(s).is_empty() {
        pair.wait(Duration::from_millis(50));
    }
    assert!(kinds(&mut pair.client, c).writable);
    assert!(pair.client.stack.readiness(c).unwrap().writable);
}
