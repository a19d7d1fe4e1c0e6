//! One server in the loops of several queues.

use std::num::NonZeroU32;

use super::*;
use crate::device::{Habit, fan};

const GET: &str = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";

/// A server on two queues.
fn world(change: impl FnOnce(&mut Config), build: impl FnOnce(Server) -> Server) -> World {
    let (near, far) = fan(2, Habit::Learning);
    let start = |builder: crate::net::Builder, address: &str| {
        let builder = builder.address(address.parse().unwrap()).linger(Duration::from_millis(100));
        builder.start().unwrap()
    };
    let clients = start(Network::builder(near), "10.9.0.1/24");
    let servers = start(Network::over_queues(far), "10.9.0.2/24");
    let mut config = Config::default();
    change(&mut config);
    let server = build(Server::new(config).builtin(""));
    let server = server.start_on(servers.shards(), &[address(80)]).unwrap();
    World { clients, server, servers }
}

/// Connections of which each of two queues has some, but for one time in a million.
const MANY: usize = 20;

fn counter(world: &World, wanted: &str) -> u64 {
    world.server.stats().counters().find(|(name, ..)| *name == wanted).unwrap().2
}

#[test]
fn what_the_loops_count_is_shown_as_a_sum() {
    let world = world(|_| {}, |server| server);
    let mut clients: Vec<_> = (0..MANY).map(|_| world.connect()).collect();
    for client in &mut clients {
        client.send(GET);
        assert_eq!(client.answer().text(), "ok\n");
    }
    let opens =
        world.servers.shards().iter().map(|shard| shard.with(|stack| stack.counters().tcp.passive_opens));
    assert!(opens.clone().all(|opens| opens > 0), "{:?}", opens.collect::<Vec<_>>());
    assert_eq!((counter(&world, "connections"), counter(&world, "requests")), (MANY as u64, MANY as u64));
    eventually("all are idle", || world.server.stats().idle() == MANY);
    let metrics = world.ask("GET /metrics HTTP/1.0\r\n\r\n");
    let value = |name: &str| -> u64 {
        let line = metrics.text().lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name}")).parse().unwrap()
    };
    assert_eq!(value("longwire_tcp_passive_opens_total"), MANY as u64 + 1);
    let of_queue = |queue| value(&format!("longwire_queue_passive_opens_total{{queue=\"{queue}\"}}"));
    assert_eq!(of_queue(0) + of_queue(1), MANY as u64 + 1);
}

#[test]
fn the_end_is_that_of_all_loops() {
    let world = world(|_| {}, |server| server);
    let mut clients: Vec<_> = (0..MANY).map(|_| world.connect()).collect();
    for client in &mut clients {
        client.send("GET /bytes/300000 HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    eventually("all requests are there", || counter(&world, "requests") == MANY as u64);
    world.server.shutdown(PATIENCE);
    for client in &mut clients {
        assert!(client.answer().body == pattern(300_000));
        assert_eq!(client.rest(), b"");
    }
    drop(clients);
    assert_eq!(world.server.wait().cut, 0);
    assert_eq!(world.server.stats().connections(), 0);
}

#[test]
fn what_is_cut_off_is_counted_in_all_loops() {
    let world = world(|_| {}, |server| server);
    let mut clients: Vec<_> = (0..MANY).map(|_| world.connect()).collect();
    for client in &mut clients {
        client.send("POST /sha256 HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n");
    }
    eventually("all requests are there", || counter(&world, "requests") == MANY as u64);
    assert!(world.server.wait_timeout(Duration::from_millis(1)).is_none(), "nobody has ordered it");
    world.server.shutdown(Duration::from_millis(20));
    assert_eq!(world.server.wait().cut, MANY);
}

#[test]
fn the_rate_of_a_client_is_that_of_all_its_connections() {
    let rate = |config: &mut Config| config.request_rate = NonZeroU32::new(2);
    let world = world(rate, |server| server);
    let answers: Vec<_> = (0..MANY).map(|_| world.ask("GET /healthz HTTP/1.0\r\n\r\n").status()).collect();
    let allowed = answers.iter().filter(|&&status| status == 200).count();
    // Two at once, and one more for each half of a second that this takes.
    assert!((2..MANY).contains(&allowed) && answers[..2] == [200; 2], "{answers:?}");
    assert_eq!(counter(&world, "throttled"), (MANY - allowed) as u64);
}

#[test]
fn the_services_are_on_all_queues_and_a_datagram_is_answered_by_one() {
    let world = world(|_| {}, |server| server.echo(7));
    for _ in 0..MANY {
        let mut stream = world.clients.connect(address(7)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(b"echo").unwrap();
        let mut back = [0; 4];
        stream.read_exact(&mut back).unwrap();
        let socket = world.clients.udp("10.9.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.send_to(b"once", address(7)).unwrap();
        assert_eq!((&back, socket.recv_from(&mut [0; 8]).unwrap().0), (b"echo", 4));
    }
    let sockets = |shard: &crate::driver::SharedStack| shard.with(|stack| stack.counters().udp.received);
    let received: Vec<_> = world.servers.shards().iter().map(sockets).collect();
    assert!(received.contains(&0) && received.contains(&(MANY as u64)), "{received:?}");
}
