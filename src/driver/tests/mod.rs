//! Shards turned by hand, and on their own threads.

mod applications;
mod queues;
mod running;
mod turns;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::{Application, Clock, Config, ListenOptions, Ringer, Shard, SharedStack, SocketId, Stack};
use crate::device::{WholeEnd, whole_pair};
use crate::stack::{Pool, Seed};

/// Two shards on one cable, turned by the test: nothing happens behind its back.
struct Bench {
    client: Shard,
    server: Shard,
    /// How often the client's loop would have been woken.
    rings: Arc<AtomicUsize>,
}

impl Bench {
    fn new() -> Self {
        let (a, b) = whole_pair(1_500);
        let (client, rings) = shard(a, "10.9.0.1/24");
        let (server, _) = shard(b, "10.9.0.2/24");
        Bench { client, server, rings }
    }

    /// Turns both until all is quiet.
    fn settle(&mut self) {
        for _ in 0..8 {
            turn(&mut self.client);
            turn(&mut self.server);
        }
    }

    /// An established connection: (client's end, server's end).
    fn connection(&mut self) -> (SocketId, SocketId) {
        let listener = listen(self.server.shared());
        let here = connect(self.client.shared());
        self.settle();
        let (there, _) = self.server.shared().with(|stack| stack.accept(listener)).unwrap();
        // Whatever there is to tell about the handshake is told.
        self.settle();
        (here, there)
    }

    fn rings(&self) -> usize {
        self.rings.load(Ordering::Relaxed)
    }
}

fn shard(device: WholeEnd, address: &str) -> (Shard, Arc<AtomicUsize>) {
    let clock = Clock::start();
    let mut config = Config::new(vec![address.parse().unwrap()]);
    config.socket.nodelay = true;
    let stack = Stack::new(config, Seed::from_u64(1), Pool::new(), clock.now());
    let rings = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&rings);
    let ringer = Ringer::new(move || {
        counter.fetch_add(1, Ordering::Relaxed);
    });
    (Shard::new(stack, Box::new(device), clock, ringer).unwrap(), rings)
}

/// Turns until there is nothing more, as a loop does before it sleeps.
fn turn(shard: &mut Shard) {
    for _ in 0..100 {
        let now = shard.shared().now();
        if !shard.turn(now).more {
            return;
        }
    }
    panic!("the shard always wants one more turn");
}

fn listen(shared: &SharedStack) -> SocketId {
    shared.with(|stack| stack.listen(address(), ListenOptions::default())).unwrap()
}

fn connect(shared: &SharedStack) -> SocketId {
    let now = shared.now();
    shared.with(|stack| stack.connect(now, address(), None, None)).unwrap()
}

fn address() -> SocketAddr {
    "10.9.0.2:80".parse().unwrap()
}

#[allow(clippy::disallowed_methods, reason = "tests of what real time does have to let it pass")]
fn sleep(duration: Duration) {
    std::thread::sleep(duration);
}
