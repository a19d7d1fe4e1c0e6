//! Echo, discard, character generator.

use std::net::Shutdown;

use super::*;
use crate::serve::Ended;

fn world() -> World {
    World::with(|_| {}, |server| server.echo(7).discard(9).chargen(19))
}

fn connect(world: &World, port: u16) -> Client {
    let stream = world.clients.connect(address(port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    Client { stream, early: Vec::new() }
}

#[test]
fn echo_returns_everything_and_then_its_fin() {
    let world = world();
    let mut client = connect(&world, 7);
    client.send("there");
    assert_eq!(client.exactly(5), b"there");
    let sent = pattern(5_000_000);
    let writer = client.stream.try_clone().unwrap();
    let copy = sent.clone();
    let writing = std::thread::spawn(move || {
        (&writer).write_all(&copy).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    assert!(client.rest() == sent);
    writing.join().unwrap();
}

#[test]
fn echo_does_not_hoard_for_who_does_not_read() {
    let world = world();
    let client = connect(&world, 7);
    client.stream.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let mut taken = 0;
    let piece = pattern(100_000);
    while let Ok(count) = (&client.stream).write(&piece) {
        taken += count;
        assert!(taken < 20_000_000, "no end to it");
    }
    let held = world.servers.shared().with(|stack| stack.pool().in_use());
    assert!(held < 5_000_000, "{held} bytes of buffers");
}

#[test]
fn discard_takes_everything_and_says_nothing() {
    let world = world();
    let mut client = connect(&world, 9);
    client.send(pattern(3_000_000));
    client.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.rest(), b"");
}

#[test]
fn chargen_goes_on_until_the_client_closes() {
    let world = world();
    let mut client = connect(&world, 19);
    let lines = client.exactly(74 * 95 * 100);
    assert!(lines.starts_with(b" !\"#$%&'()*+") && lines[..74].ends_with(b"efg\r\n"));
    assert!(lines.chunks(74 * 95).all(|round| round == &lines[..74 * 95]), "it repeats after 95 lines");
    client.stream.shutdown(Shutdown::Write).unwrap();
    client.rest();
    eventually("it is gone", || world.servers.shared().with(|stack| stack.live_connections()) == 0);
}

#[test]
fn echo_over_udp_but_not_to_other_services() {
    let world = world();
    let person = world.clients.udp("10.9.0.1:5000").unwrap();
    person.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut buffer = [0; 2000];
    for length in [0, 1, 1000] {
        person.send_to(&pattern(length), address(7)).unwrap();
        let (count, from) = person.recv_from(&mut buffer).unwrap();
        assert_eq!((&buffer[..count], from), (&pattern(length)[..], address(7)));
    }
    let service = world.clients.udp("10.9.0.1:19").unwrap();
    service.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    service.send_to(b"loop", address(7)).unwrap();
    assert!(service.recv_from(&mut buffer).is_err());
}

#[test]
fn services_end_in_order_with_their_server() {
    let world = World::with(
        |config| config.http.linger_timeout = Duration::from_millis(300),
        |server| server.echo(7).discard(9).chargen(19),
    );
    let mut clients = [7, 9, 19].map(|port| connect(&world, port));
    clients[0].send("last words");
    eventually("they are known", || world.servers.shared().with(|stack| stack.live_connections()) == 3);
    wait(Duration::from_millis(50));
    world.server.shutdown(PATIENCE);
    assert_eq!(clients[0].rest(), b"last words");
    assert_eq!(clients[1].rest(), b"");
    assert!(!clients[2].rest().is_empty());
    assert_eq!(world.server.wait(), Ended { cut: 0 });
}
