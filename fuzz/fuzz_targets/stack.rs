//! A whole stack, fed packets and calls.
#![no_main]

#[allow(dead_code, reason = "shared with tests/packets, which uses all of it")]
#[path = "../../tests/packets/craft.rs"]
mod craft;
#[allow(dead_code, reason = "shared with tests/packets, which uses all of it")]
#[path = "../../tests/packets/victim.rs"]
mod victim;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use longwire::stack::{Cidr, Config, ListenOptions, SocketId};
use longwire::time::Duration;
use longwire::wire::{Protocol, SeqNumber, TcpFlags, TcpHeader};
use victim::Victim;

const PORTS: [u16; 4] = [80, 81, 82, 83];
const SOCKETS: usize = 40;
const MEMORY: usize = 64 << 20;

#[derive(Arbitrary, Debug)]
enum Step {
    /// As it is.
    Packet(Vec<u8>),
    /// With its checksums made right.
    Repaired(Vec<u8>),
    Transport {
        from: End,
        protocol: u8,
        bytes: Vec<u8>,
    },
    Segment {
        from: End,
        src: u8,
        dst: u8,
        seq: u32,
        ack: u32,
        flags: u8,
        window: u16,
        len: u16,
    },
    Open {
        how: u8,
        local: End,
        port: u8,
        remote: End,
        remote_port: u8,
    },
    Use {
        socket: u8,
        how: u8,
        len: u16,
    },
    /// Microseconds, as a power of two.
    Wait(u8),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
struct End {
    ours: bool,
    v6: bool,
}

impl End {
    fn address(self) -> IpAddr {
        let last = if self.ours { 1 } else { 2 };
        if self.v6 {
            Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, last).into()
        } else {
            Ipv4Addr::new(10, 0, 0, last as u8).into()
        }
    }

    fn at(self, port: u8) -> SocketAddr {
        SocketAddr::new(self.address(), PORTS[usize::from(port) % PORTS.len()])
    }
}

fuzz_target!(|steps: Vec<Step>| {
    let local = |v6| End { ours: true, v6 }.address();
    let config = Config::new(vec![
        Cidr { address: local(false), prefix: 24 },
        Cidr { address: local(true), prefix: 64 },
    ]);
    let mut run = Run { victim: Victim::new(config), sockets: Vec::new() };
    for step in steps.iter().take(400) {
        run.step(step);
        run.victim.output();
        while run.victim.stack.poll_event().is_some() {}
        run.victim.check();
        assert!(run.victim.held() < MEMORY, "{} bytes held", run.victim.held());
    }
    run.wind_up();
});

struct Run {
    victim: Victim,
    sockets: Vec<SocketId>,
}

impl Run {
    fn step(&mut self, step: &Step) {
        match step {
            Step::Packet(bytes) => self.victim.deliver(bytes),
            Step::Repaired(bytes) => {
                let mut bytes = bytes.clone();
                craft::repair(&mut bytes);
                self.victim.deliver(&bytes);
            }
            Step::Transport { from, protocol, bytes } => {
                let to = End { ours: true, ..*from }.address();
                let bytes = &bytes[..bytes.len().min(1_400)];
                self.victim.deliver(&craft::ip(from.address(), to, Protocol(*protocol), bytes));
            }
            &Step::Segment { from, src, dst, seq, ack, flags, window, len } => {
                let header = TcpHeader {
                    src_port: from.at(src).port(),
                    dst_port: from.at(dst).port(),
                    seq: SeqNumber(seq),
                    ack: SeqNumber(ack),
                    flags: TcpFlags(flags),
                    window,
                    ..TcpHeader::default()
                };
                let to = End { ours: true, ..from }.address();
                let payload = vec![0; usize::from(len % 1_400)];
                self.victim.deliver(&craft::tcp(from.address(), to, &header, &payload));
            }
            &Step::Open { how, local, port, remote, remote_port } => {
                self.open(how, local.at(port), remote.at(remote_port));
            }
            &Step::Use { socket, how, len } => self.make_use(socket, how, usize::from(len)),
            Step::Wait(exponent) => self.victim.advance(Duration::from_micros(1 << (exponent % 28))),
        }
    }

    fn open(&mut self, how: u8, local: SocketAddr, remote: SocketAddr) {
        let (stack, now) = (&mut self.victim.stack, self.victim.now);
        let opened = match how % 5 {
            0 => stack.listen(local, ListenOptions::default()),
            1 => stack.udp_bind(local),
            2 => stack.icmp_bind(Some(u16::from(how))),
            3 => stack.connect(now, remote, Some(local), None),
            _ => stack.connect(now, remote, None, None),
        };
        self.sockets.extend(opened);
        if self.sockets.len() > SOCKETS {
            let oldest = self.sockets.remove(0);
            stack.close(now, oldest).expect("an open socket");
        }
    }

    /// Calls of the right kind and of the wrong one: each has an answer.
    fn make_use(&mut self, socket: u8, how: u8, len: usize) {
        let Some(&id) = self.sockets.get(usize::from(socket) % self.sockets.len().max(1)) else { return };
        let (stack, now) = (&mut self.victim.stack, self.victim.now);
        let mut bytes = vec![7; len];
        match how % 12 {
            0 | 1 => drop(stack.write(id, &bytes)),
            2 | 3 => drop(stack.read(id, &mut bytes)),
            4 => drop(stack.read_chunk(id)),
            5 => drop(stack.peek(id, &mut bytes)),
            6 => self.sockets.extend(stack.accept(id).map(|(socket, _)| socket)),
            7 => drop(stack.shutdown(id, Shutdown::Write)),
            8 => drop(stack.abort(id)),
            9 => drop(stack.udp_send_to(id, &bytes[..len.min(2_000)], End { ours: true, v6: false }.at(how))),
            10 => drop(stack.udp_recv_from(id, &mut bytes)),
            _ => {
                stack.close(now, id).expect("an open socket");
                self.sockets.retain(|&socket| socket != id);
            }
        }
    }

    fn wind_up(mut self) {
        for id in std::mem::take(&mut self.sockets) {
            self.victim.stack.close(self.victim.now, id).expect("an open socket");
        }
        for _ in 0..4_000 {
            self.victim.output();
            let Some(due) = self.victim.stack.poll_timeout() else { break };
            self.victim.advance(due - self.victim.now);
        }
        self.victim.check();
        assert_eq!(self.victim.stack.live_connections(), 0);
        assert_eq!(self.victim.held(), 0);
    }
}
