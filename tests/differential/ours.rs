//! Our stack as a host, in virtual time.

use std::collections::HashMap;
use std::net::{Shutdown, SocketAddr};
use std::ops::ControlFlow;
use std::time::Duration;

use longwire::buffer::Pool;
use longwire::device::Cutter;
use longwire::stack::{Cidr, Config, Error, Flushed, ListenOptions, Seed, SocketId, Stack};
use longwire::time::Instant;
use longwire::wire::{ChecksumState, OutPacket, PacketMeta, SendOutcome, Sink};

use crate::run::{HOST_PORTS, Host, PEER_PORTS};
use crate::scenario::Call;
use crate::{HOST, MTU, PEER, answer_to_read};

pub(crate) struct Ours {
    stack: Stack,
    now: Instant,
    listeners: HashMap<u16, SocketId>,
    streams: HashMap<u16, SocketId>,
    wire: Wire,
}

/// Takes what goes out.
#[derive(Default)]
struct Wire {
    cutter: Cutter,
    out: Vec<Vec<u8>>,
}

impl Sink for Wire {
    fn send(&mut self, packet: &OutPacket<'_>) -> SendOutcome {
        let cut = self.cutter.cut(packet, MTU, |wire| {
            self.out.push(wire.to_vec());
            ControlFlow::Continue(())
        });
        cut.map_or(SendOutcome::Failed, |()| SendOutcome::Sent)
    }
}

impl Ours {
    pub(crate) fn new() -> Ours {
        let mut config = Config { mtu: MTU, ..Config::new(vec![Cidr { address: HOST, prefix: 24 }]) };
        // Every challenge is sent, here and there: how seldom they are is tested elsewhere.
        config.tcp.challenge_ack_interval = Duration::ZERO;
        // What a timer sends again is not compared, and must not carry an acknowledgment that is.
        config.tcp.min_rto = Duration::from_secs(10);
        // Some time after zero: a host that has just begun is no usual one.
        let now = Instant::from_secs(1_000);
        let stack = Stack::new(config, Seed::from_u64(1), Pool::new(), now);
        Ours { stack, now, listeners: HashMap::new(), streams: HashMap::new(), wire: Wire::default() }
    }

    /// A turn of the loop without its packets: timers, then output.
    fn turn(&mut self) {
        if self.stack.poll_timeout().is_some_and(|due| due <= self.now) {
            self.stack.handle_timeout(self.now);
        }
        while self.stack.poll_event().is_some() {}
        while self.stack.poll_transmit(self.now, &mut self.wire) == Flushed::More {}
    }

    fn stream(&self, scenario: u16) -> Result<SocketId, Error> {
        self.streams.get(&scenario).copied().ok_or(Error::NotConnected)
    }

    fn try_call(&mut self, scenario: u16, call: Call) -> Result<String, Error> {
        let local = SocketAddr::new(HOST, HOST_PORTS + scenario);
        let done = |()| "done".to_owned();
        match call {
            Call::Listen => {
                let listener = self.stack.listen(local, ListenOptions::default())?;
                self.listeners.insert(scenario, listener);
                Ok(done(()))
            }
            Call::Connect => {
                let remote = SocketAddr::new(PEER, PEER_PORTS + scenario);
                let stream = self.stack.connect(self.now, remote, Some(local), None)?;
                self.streams.insert(scenario, stream);
                Ok(done(()))
            }
            Call::Accept => {
                let (stream, _) = self.stack.accept(self.listeners[&scenario])?;
                self.streams.insert(scenario, stream);
                Ok(done(()))
            }
            Call::Read => {
                let stream = self.stream(scenario)?;
                Ok(answer_to_read(|buffer| Ok(self.stack.read(stream, buffer)?)))
            }
            Call::Write(len) => {
                let count = self.stack.write(self.stream(scenario)?, &vec![7; len])?;
                Ok(format!("{count} bytes"))
            }
            Call::ShutdownWrite => self.stack.shutdown(self.stream(scenario)?, Shutdown::Write).map(done),
            Call::Close => self.stack.close(self.now, self.stream(scenario)?).map(done),
            Call::Abort => {
                let stream = self.stream(scenario)?;
                self.stack.abort(stream)?;
                self.stack.close(self.now, stream).map(done)
            }
        }
    }
}

impl Host for Ours {
    fn call(&mut self, scenario: u16, call: Call) -> String {
        let answer = self.try_call(scenario, call);
        self.turn();
        answer.unwrap_or_else(|error| format!("{:?}", error.kind()))
    }

    fn deliver(&mut self, packet: &[u8]) {
        let mut chunk = self.stack.pool().take(packet.len());
        chunk.append(packet);
        let meta = PacketMeta { received_at: self.now, checksum: ChecksumState::Unverified, gso_size: 0 };
        self.stack.handle_packet(self.now, &mut chunk, &meta);
        self.turn();
    }

    fn pass(&mut self, time: Duration) -> Vec<Vec<u8>> {
        let end = self.now + time;
        while let Some(due) = self.stack.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.turn();
        }
        self.now = end;
        self.stack.check_invariants().expect("invariants hold");
        std::mem::take(&mut self.wire.out)
    }
}
