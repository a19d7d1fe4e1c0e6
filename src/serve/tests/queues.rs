//! One server in the loops of several queues.

use std::io;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::buffer::Chunk;
use crate::device::{Device, Habit, WholeEnd, fan};
use crate::driver::Instant;
use crate::wire::{OutPacket, PacketMeta, SendOutcome};

const GET: &str = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";

/// A server on two queues.
fn world(change: impl FnOnce(&mut Config), build: impl FnOnce(Server) -> Server) -> World {
    world_over(|queue| queue, change, build)
}

/// The same over what `device` makes of each queue.
fn world_over<D: Device + 'static>(
    device: impl FnMut(WholeEnd) -> D,
    change: impl FnOnce(&mut Config),
    build: impl FnOnce(Server) -> Server,
) -> World {
    let (near, far) = fan(2, Habit::Learning);
    let far = far.into_iter().map(device).collect();
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

/// A queue that goes once it is told to.
struct Mortal {
    queue: WholeEnd,
    is_gone: Arc<AtomicBool>,
}

impl Device for Mortal {
    fn mtu(&self) -> usize {
        self.queue.mtu()
    }

    fn receive(&mut self, now: Instant, packet: &mut Chunk) -> io::Result<PacketMeta> {
        if self.is_gone.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::NotConnected.into());
        }
        self.queue.receive(now, packet)
    }

    fn send(&mut self, now: Instant, packet: &OutPacket<'_>) -> SendOutcome {
        self.queue.send(now, packet)
    }
}

#[test]
fn a_loop_that_ends_by_itself_ends_the_server_in_the_others() {
    let fates: [Arc<AtomicBool>; 2] = Default::default();
    let mut each = fates.iter();
    let mortal = |queue| Mortal { queue, is_gone: Arc::clone(each.next().unwrap()) };
    let world = world_over(mortal, |_| {}, |server| server);
    let mut clients: Vec<_> = (0..MANY).map(|_| world.connect()).collect();
    for client in &mut clients {
        client.send(GET);
        assert_eq!(client.answer().text(), "ok\n");
    }
    let on_the_second = world.servers.shards()[1].with(|stack| stack.counters().tcp.passive_opens) as usize;
    assert!((1..MANY).contains(&on_the_second));
    assert!(world.server.wait_timeout(Duration::from_millis(1)).is_none(), "all is well");
    fates[1].store(true, Ordering::Relaxed);
    let ended = world.server.wait_timeout(PATIENCE).expect("the first does not go on alone");
    assert_eq!(ended.cut, on_the_second, "those on the first ended in order");
}

#[test]
fn the_rate_of_a_client_is_that_of_all_its_connections() {
    let rate = |config: &mut Config| config.request_rate = NonZeroU32::new(1);
    let world = world(rate, |server| server);
    let begun = world.servers.shared().now();
    let answers: Vec<_> = (0..MANY).map(|_| world.ask("GET /healthz HTTP/1.0\r\n\r\n").status()).collect();
    let allowed = answers.iter().filter(|&&status| status == 200).count();
    // One at once, on whichever queue it is, and one more for each second that this takes.
    let most = 1 + (world.servers.shared().now() - begun).as_secs() as usize;
    assert!((1..=most).contains(&allowed) && most < MANY && answers[0] == 200, "{answers:?}");
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
