//! Random calls of the socket interface, right and wrong, against random packets.

use std::net::{Shutdown, SocketAddr};

use fastrand::Rng;
use longwire::stack::{ListenOptions, SendFlags, SocketId};
use longwire::tcp::{KeepAlive, SocketOptions};
use longwire::time::Duration;

use crate::craft::{Hostile, noise};
use crate::victim::{Victim, chunk};
use crate::{FRIEND, VICTIM, address, config};

const PORTS: [u16; 4] = [80, 81, 82, 83];
/// Chunks that may be held in this test: every socket may fill its buffers.
const MEMORY: usize = 64 * 1024 * 1024;
/// Sockets that are kept before old ones are closed.
const SOCKETS: usize = 40;

#[test]
fn random_calls_against_random_packets() {
    for seed in 0..60 {
        let mut run = Run::new(seed);
        for _ in 0..4_000 {
            run.step();
        }
        run.wind_up();
    }
}

/// Any answer will do, as long as there is one.
fn ignore<T>(_: T) {}

struct Run {
    rng: Rng,
    victim: Victim,
    sockets: Vec<SocketId>,
    stale: Vec<SocketId>,
}

impl Run {
    fn new(seed: u64) -> Run {
        Run {
            rng: Rng::with_seed(seed),
            victim: Victim::new(config(VICTIM)),
            sockets: Vec::new(),
            stale: Vec::new(),
        }
    }

    fn step(&mut self) {
        match self.rng.u8(0..12) {
            0..=5 => self.call(),
            6..=7 => self.packet(),
            8 => {
                let pause = Duration::from_micros(1 << self.rng.u32(0..24));
                self.victim.advance(pause);
            }
            _ => ignore(self.victim.output()),
        }
        while let Some(event) = self.victim.stack.poll_event() {
            let known = self.sockets.contains(&event.socket) || self.stale.contains(&event.socket);
            assert!(known, "an event for a socket that nobody was given");
        }
        self.victim.check();
        assert!(self.victim.held() < MEMORY, "{} bytes held", self.victim.held());
    }

    fn packet(&mut self) {
        let v6 = self.rng.bool();
        let hostile = Hostile {
            victim: address(VICTIM, v6),
            sources: &[address(FRIEND, v6), address(VICTIM, v6)],
            ports: &PORTS,
            source_ports: &PORTS,
        };
        self.victim.deliver(&hostile.packet(&mut self.rng));
    }

    /// Mostly a live socket, sometimes one that was closed.
    fn any_socket(&mut self) -> Option<SocketId> {
        let from = if self.rng.u8(0..16) == 0 { &self.stale } else { &self.sockets };
        (!from.is_empty()).then(|| from[self.rng.usize(..from.len())])
    }

    fn address(&mut self) -> SocketAddr {
        // Mostly our own: the stack then talks to itself, and connections come to life.
        let host = if self.rng.u8(0..4) == 0 { FRIEND } else { VICTIM };
        SocketAddr::new(address(host, self.rng.bool()), PORTS[self.rng.usize(..PORTS.len())])
    }

    fn call(&mut self) {
        let now = self.victim.now;
        match self.rng.u8(0..5) {
            0 => self.open(),
            1 | 2 => self.transfer(),
            _ => {
                let Some(id) = self.any_socket() else { return };
                self.manage(id);
            }
        }
        if self.sockets.len() > SOCKETS {
            let id = self.sockets.remove(0);
            self.victim.stack.close(now, id).unwrap();
            self.stale.push(id);
        }
    }

    fn open(&mut self) {
        let (local, now) = (self.address(), self.victim.now);
        let identifier = self.rng.bool().then(|| self.rng.u16(0..4));
        let remote = self.address();
        let stack = &mut self.victim.stack;
        let opened = match self.rng.u8(0..8) {
            0 => stack
                .listen(local, ListenOptions { backlog: self.rng.usize(0..4), ..ListenOptions::default() }),
            1 => stack.udp_bind(local),
            2 => stack.icmp_bind(identifier),
            3 => stack.connect(now, remote, Some(local), None),
            _ => stack.connect(now, remote, None, None),
        };
        self.sockets.extend(opened);
    }

    fn transfer(&mut self) {
        let (Some(id), to) = (self.any_socket(), self.address()) else { return };
        let bytes = noise(&mut self.rng, 1..30_000);
        let mut buffer = vec![0; self.rng.usize(1..30_000)];
        let flags = SendFlags { more: self.rng.bool(), end_of_record: self.rng.bool() };
        let stack = &mut self.victim.stack;
        match self.rng.u8(0..10) {
            0 => ignore(stack.write(id, &bytes)),
            1 => ignore(stack.write_with(id, &bytes, flags)),
            2 => ignore(stack.push(id)),
            3 => ignore(stack.write_chunk(id, chunk(stack, &bytes))),
            4..=5 => ignore(stack.read(id, &mut buffer)),
            6 => ignore(stack.read_chunk(id)),
            7 => ignore(stack.peek(id, &mut buffer)),
            8 => {
                ignore(stack.udp_send_to(id, &bytes[..bytes.len().min(2_000)], to));
                ignore(stack.udp_recv_from(id, &mut buffer));
            }
            _ => {
                ignore(stack.icmp_send_echo(id, to.ip(), 1, &bytes[..bytes.len().min(2_000)]));
                ignore(stack.icmp_recv_echo(id, &mut buffer));
            }
        }
    }

    fn manage(&mut self, id: SocketId) {
        let now = self.victim.now;
        let how = [Shutdown::Read, Shutdown::Write, Shutdown::Both][self.rng.usize(0..3)];
        let options = SocketOptions {
            nodelay: self.rng.bool(),
            cork: self.rng.bool(),
            keep_alive: self
                .rng
                .bool()
                .then(|| KeepAlive { idle: Duration::from_secs(1), ..KeepAlive::default() }),
            max_segment: (self.rng.u8(..4) == 0).then(|| self.rng.u16(..)),
            user_timeout: self.rng.bool().then(|| Duration::from_millis(self.rng.u64(0..5_000))),
            min_burst: self.rng.u8(..),
            send_buffer: self.rng.usize(0..200_000),
            first_send_buffer: self.rng.usize(0..200_000),
            notsent_lowat: self.rng.bool().then(|| self.rng.usize(0..20_000)),
            receive_buffer: self.rng.usize(0..200_000),
        };
        let stack = &mut self.victim.stack;
        match self.rng.u8(0..12) {
            0..=3 => {
                if let Ok((socket, _)) = stack.accept(id) {
                    self.sockets.push(socket);
                }
            }
            4 => ignore(stack.shutdown(id, how)),
            5 => ignore(stack.abort(id)),
            6 => {
                let closed = stack.close(now, id);
                let was_live = self.sockets.contains(&id);
                assert_eq!(closed.is_ok(), was_live, "{closed:?}");
                self.sockets.retain(|&socket| socket != id);
                self.stale.push(id);
            }
            7 => ignore(stack.set_options(id, options)),
            8 => ignore((stack.options(id), stack.info(id), stack.readiness(id))),
            9 => ignore((stack.local_addr(id), stack.remote_addr(id), stack.error(id))),
            _ => ignore(stack.counters().iter().count()),
        }
    }

    /// Lets everything go: nothing may be left once every timer has run out.
    fn wind_up(mut self) {
        for id in std::mem::take(&mut self.sockets) {
            self.victim.stack.close(self.victim.now, id).unwrap();
        }
        for _ in 0..4_000 {
            self.victim.output();
            self.victim.advance(Duration::from_secs(1));
        }
        self.victim.check();
        assert_eq!(self.victim.stack.live_connections(), 0);
        assert_eq!(self.victim.stack.poll_timeout(), None);
        assert_eq!(self.victim.held(), 0);
    }
}
