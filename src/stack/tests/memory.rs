//! What a stack refuses once it has as much memory as it may.

use super::*;
use crate::stack::{Error, ListenOptions};

/// Less than the first receive window.
const LIMIT: usize = 48 * 1024;

/// A client with unlimited memory, and a server with little. What arrives lies in the pool, as from a device.
struct Tight {
    client: Host,
    server: Host,
    listener: SocketId,
    /// A connection: the client's socket and the server's.
    ours: SocketId,
    theirs: SocketId,
}

impl Tight {
    fn new() -> Tight {
        let client = Host::with(2, |_| {});
        let server = Host::with(1, |config| config.max_memory = LIMIT);
        let mut pair = Pair { client, server };
        let listener = pair.server.stack.listen(at("10.0.0.1", 80), ListenOptions::default()).unwrap();
        let (ours, theirs) = pair.connect(listener);
        let Pair { client, server } = pair;
        Tight { client, server, listener, ours, theirs }
    }

    /// One whose server's memory is full of what nobody has read.
    fn filled() -> Tight {
        let mut tight = Tight::new();
        for _ in 0..200 {
            let _ = tight.client.stack.write(tight.ours, &[7; 16 * 1024]);
            tight.run(2);
            if tight.server.stack.counters().tcp.memory_limit_payload > 0 {
                break;
            }
        }
        assert!(tight.server.stack.memory() > LIMIT, "{} bytes", tight.server.stack.memory());
        tight
    }

    /// Lets so many steps of 5 ms pass.
    fn run(&mut self, steps: u32) {
        for _ in 0..steps {
            for host in [&mut self.client, &mut self.server] {
                host.now += Duration::from_millis(5);
                host.stack.handle_timeout(host.now);
            }
            loop {
                let (to_server, to_client) = (self.client.output(), self.server.output());
                if to_server.is_empty() && to_client.is_empty() {
                    break;
                }
                to_server.iter().for_each(|packet| deliver(&mut self.server, packet));
                to_client.iter().for_each(|packet| deliver(&mut self.client, packet));
            }
        }
    }
}

fn deliver(host: &mut Host, packet: &Packet) {
    let mut chunk = host.stack.pool().take(packet.bytes.len());
    chunk.append(&packet.bytes);
    let meta = PacketMeta { received_at: host.now, gso_size: packet.gso_size, ..PacketMeta::default() };
    host.stack.handle_packet(host.now, &mut chunk, &meta);
}

#[test]
fn unread_data_ends_at_the_limit_and_arrives_once_it_is_read() {
    let mut tight = Tight::filled();
    let before = tight.server.stack.memory();
    let _ = tight.client.stack.write(tight.ours, &[7; 64 * 1024]);
    tight.run(20);
    assert_eq!(tight.server.stack.memory(), before, "no more of it, however often it is sent");
    let info = tight.client.stack.info(tight.ours).unwrap();
    let (written, mut read) = (info.bytes_acked + info.send_queue as u64, 0);
    for _ in 0..200 {
        read += tight.server.read_all(tight.theirs).len() as u64;
        tight.run(20);
    }
    assert_eq!(read, written, "nothing is lost");
}

#[test]
fn new_connections_and_sockets_are_refused_and_counted() {
    let mut tight = Tight::filled();
    let remote = tight.server.stack.local_addr(tight.listener).unwrap();
    tight.client.stack.connect(tight.client.now, remote, None, None).unwrap();
    tight.run(1);
    assert_eq!(tight.server.stack.counters().stack.memory_limit_syn, 1);
    assert_eq!(tight.server.stack.udp_bind(at("10.0.0.1", 53)), Err(Error::LimitReached));
    assert_eq!(tight.server.stack.counters().stack.memory_limit, 1);
}

#[test]
fn who_writes_waits_for_what_is_under_way_and_is_told() {
    let mut tight = Tight::filled();
    let server = &mut tight.server;
    assert_eq!(server.stack.write(tight.theirs, &[1; 900]), Ok(900), "with nothing under way there is room");
    assert_eq!(server.stack.write(tight.theirs, &[1; 900]), Err(Error::WouldBlock));
    assert_eq!(server.stack.counters().stack.memory_limit_write, 1);
    server.events();
    tight.run(20);
    assert_eq!(tight.client.read_all(tight.ours).len(), 900);
    let events = tight.server.events();
    assert!(events.iter().any(|event| event.socket == tight.theirs && event.kinds.writable), "{events:?}");
    assert_eq!(tight.server.stack.write(tight.theirs, &[1; 900]), Ok(900));
}
