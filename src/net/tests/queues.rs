//! Sockets of a network with several queues.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::thread;
use std::time::Duration;

use crate::device::{Habit, fan};
use crate::net::{Events, Interest, Network, Poller, TcpListener, Token};

/// Connections of which each of three queues has some, but for one time in a million.
const MANY: usize = 40;

/// A network with one queue, and one with three, of one interface.
fn networks(habit: Habit) -> (Network, Network) {
    let (near, far) = fan(3, habit);
    let one = Network::builder(near).address("10.9.0.1/24".parse().unwrap()).start().unwrap();
    (one, Network::over_queues(far).address("10.9.0.2/24".parse().unwrap()).start().unwrap())
}

/// Sends back what comes on `count` connections, each on a thread of its own.
fn echo(listener: TcpListener, count: usize) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let serve = |(mut stream, _): (crate::net::TcpStream, _)| {
            thread::spawn(move || std::io::copy(&mut stream.try_clone().unwrap(), &mut stream).unwrap())
        };
        let threads: Vec<_> = (0..count).map(|_| serve(listener.accept().unwrap())).collect();
        for thread in threads {
            thread.join().unwrap();
        }
    })
}

fn ask(network: &Network, to: std::net::SocketAddr) {
    let mut stream = network.connect(to).unwrap();
    let question = vec![7; 20_000];
    thread::scope(|scope| {
        let mut writer = stream.try_clone().unwrap();
        let question = &question;
        scope.spawn(move || {
            writer.write_all(question).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        });
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert!(answer == *question, "{} bytes", answer.len());
    });
}

#[test]
fn a_listener_accepts_from_all_queues() {
    for habit in [Habit::Learning, Habit::Contrary] {
        let (client, server) = networks(habit);
        let listener = server.listen("10.9.0.2:0").unwrap();
        let address = listener.local_addr().unwrap();
        let echoing = echo(listener, MANY);
        (0..MANY).for_each(|_| ask(&client, address));
        echoing.join().unwrap();
        let shares: Vec<_> =
            server.shards().iter().map(|shard| shard.with(|s| s.counters().tcp.passive_opens)).collect();
        assert!(
            shares.iter().all(|&share| share > 0) && shares.iter().sum::<u64>() == MANY as u64,
            "{shares:?}"
        );
        assert!(server.shutdown(Duration::from_secs(5)), "nothing had to be reset");
        client.shutdown(Duration::ZERO);
    }
}

#[test]
fn connections_begin_on_all_queues() {
    let (server, client) = networks(Habit::Learning);
    let listener = server.listen("10.9.0.1:7").unwrap();
    let echoing = echo(listener, 6);
    (0..6).for_each(|_| ask(&client, "10.9.0.1:7".parse().unwrap()));
    echoing.join().unwrap();
    let opens = client.shards().iter().map(|shard| shard.with(|stack| stack.counters().tcp.active_opens));
    assert_eq!(opens.collect::<Vec<_>>(), [2, 2, 2], "in turn");
    let forwarded = |shard: &crate::driver::SharedStack| shard.with(|stack| stack.counters().ip.forwarded);
    assert_eq!(client.shards().iter().map(forwarded).sum::<u64>(), 0, "each where its answers come");
}

#[test]
fn a_poller_hears_of_connections_on_any_queue() {
    let (client, server) = networks(Habit::Learning);
    let listener = server.listen("10.9.0.2:80").unwrap();
    listener.set_nonblocking(true).unwrap();
    let poller = Poller::new().unwrap();
    poller.register(&listener, Token(1), Interest::READABLE).unwrap();
    let mut events = Events::with_capacity(4);
    for _ in 0..8 {
        let _stream = client.connect("10.9.0.2:80").unwrap();
        let (accepted, _) = loop {
            match listener.accept() {
                Ok(accepted) => break accepted,
                Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
            }
            poller.poll(&mut events, Some(Duration::from_secs(10))).unwrap();
            assert!(!events.is_empty(), "nobody told of it");
        };
        drop(accepted);
    }
}

#[test]
fn options_of_a_listener_are_those_of_all_its_parts() {
    let (client, server) = networks(Habit::Learning);
    let listener = server.listen("10.9.0.2:80").unwrap();
    listener.set_ttl(9).unwrap();
    for _ in 0..8 {
        let _stream = client.connect("10.9.0.2:80").unwrap();
        assert_eq!(listener.accept().unwrap().0.ttl().unwrap(), 9);
    }
}

#[test]
fn a_port_is_free_again_on_all_queues_once_its_listener_is_dropped() {
    let (client, server) = networks(Habit::Learning);
    drop(server.listen("10.9.0.2:80").unwrap());
    let again = server.listen("10.9.0.2:80").unwrap();
    assert_eq!(server.listen("10.9.0.2:80").unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
    drop(again);
    for _ in 0..8 {
        let refused = client.connect("10.9.0.2:80").unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    }
}

#[test]
fn datagrams_and_pings_find_their_sockets() {
    for habit in [Habit::Learning, Habit::Contrary] {
        let (one, several) = networks(habit);
        let sockets: Vec<_> = (0..6).map(|_| several.udp("10.9.0.2:0").unwrap()).collect();
        let ports: HashSet<_> = sockets.iter().map(|socket| socket.local_addr().unwrap().port()).collect();
        assert_eq!(ports.len(), 6);
        let asking = one.udp("10.9.0.1:0").unwrap();
        for socket in sockets.iter().chain([&several.udp("10.9.0.2:53").unwrap()]) {
            asking.send_to(b"x", socket.local_addr().unwrap()).unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            assert_eq!(socket.recv_from(&mut [0; 4]).unwrap().0, 1);
        }
        for _ in 0..6 {
            several.ping("10.9.0.1".parse().unwrap(), Duration::from_secs(10)).unwrap();
        }
        one.ping("10.9.0.2".parse().unwrap(), Duration::from_secs(10)).unwrap();
    }
}
