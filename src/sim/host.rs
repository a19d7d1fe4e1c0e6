//! One host of a world: a stack, its applications, and the device between the stack and the links.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::{ControlFlow, RangeInclusive};

use fastrand::Rng;

use super::apps::{Endpoint, Turn};
use super::merge::{Arrival, merge, single};
use super::script::Script;
use crate::device::{CutError, Cutter};
use crate::stack::{
    self, Chunk, Duration, Error, Flushed, Instant, ListenOptions, Pool, Seed, SocketId, SocketOptions, Stack,
};
use crate::wire::{OutPacket, SendOutcome, Sink};

/// Longest call of an application, twice (`peek` and `read` are compared).
const SCRATCH: usize = 2 * 64 * 1024;
/// Rounds of events and output in one turn before the stack counts as running in circles.
const ROUNDS: usize = 10_000;

/// How a host is made.
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// Its stack.
    pub stack: stack::Config,
    /// The chance that its device says `Full` to a packet, and has room again a little later.
    pub full_chance: f64,
    /// The chance that its device refuses a packet.
    pub refuse_chance: f64,
    /// Whether packets arrive in buffers that just hold them, rather than in the largest there are.
    pub snug_buffers: bool,
    /// Whether its device merges segments that follow each other into super-packets.
    pub merges: bool,
}

impl HostConfig {
    /// A host whose device always has room.
    pub fn new(stack: stack::Config) -> Self {
        HostConfig { stack, full_chance: 0.0, refuse_chance: 0.0, snug_buffers: true, merges: false }
    }
}

/// A connection that an application opens later.
#[derive(Clone, Debug)]
pub struct Plan {
    /// When.
    pub at: Instant,
    /// Where to.
    pub remote: SocketAddr,
    /// Where from; chosen by the stack if not given.
    pub local: Option<SocketAddr>,
    /// Its options; the stack's if not given.
    pub options: Option<SocketOptions>,
    /// What the application does with it.
    pub script: Script,
}

/// A server: a listener whose connections are all handed to applications with one script.
#[derive(Clone, Debug)]
pub struct Service {
    /// Where it listens.
    pub local: SocketAddr,
    /// How it listens.
    pub options: ListenOptions,
    /// What each application does.
    pub script: Script,
    /// Connections that have to come before the world may end.
    pub expected: usize,
    /// How long it lets each connection wait in the accept queue, in microseconds.
    pub dawdles_micros: RangeInclusive<u64>,
}

impl Service {
    /// A server that accepts at once.
    pub fn new(local: SocketAddr, script: Script, expected: usize) -> Self {
        Service { local, options: ListenOptions::default(), script, expected, dawdles_micros: 0..=0 }
    }
}

/// A service at work.
#[derive(Debug)]
struct Listener {
    socket: SocketId,
    service: Service,
    accepted: usize,
    /// When it looks into its accept queue again, if something may be there.
    accepts_at: Option<Instant>,
}

/// A stack with applications on it and a device under it.
pub struct Host {
    stack: Stack,
    config: HostConfig,
    rng: Rng,
    endpoints: Vec<Endpoint>,
    awake: Vec<usize>,
    by_socket: BTreeMap<SocketId, usize>,
    listeners: Vec<Listener>,
    plans: Vec<Plan>,
    inbox: Vec<Chunk>,
    injected: bool,
    buffer: Chunk,
    scratch: Vec<u8>,
    cutter: Cutter,
    pub(super) stalled_until: Instant,
    blocked_until: Instant,
}

impl Host {
    pub(super) fn new(config: HostConfig, seed: u64, now: Instant) -> Self {
        let stack = Stack::new(config.stack.clone(), Seed::from_u64(seed), Pool::new(), now);
        Host {
            stack,
            config,
            rng: Rng::with_seed(seed ^ 0x0005_0571),
            endpoints: Vec::new(),
            awake: Vec::new(),
            by_socket: BTreeMap::new(),
            listeners: Vec::new(),
            plans: Vec::new(),
            inbox: Vec::new(),
            injected: false,
            buffer: Chunk::default(),
            scratch: vec![0; SCRATCH],
            cutter: Cutter::default(),
            stalled_until: now,
            blocked_until: now,
        }
    }

    /// Its stack.
    pub fn stack(&self) -> &Stack {
        &self.stack
    }

    /// Its stack, for calls that no script makes.
    pub fn stack_mut(&mut self) -> &mut Stack {
        &mut self.stack
    }

    /// The applications, in the order in which their connections came to be.
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// The device's MTU.
    pub fn mtu(&self) -> usize {
        self.config.stack.mtu
    }

    /// Whether something came in beside its links.
    pub(super) fn was_injected_into(&self) -> bool {
        self.injected
    }

    /// Whether its device takes packets from the stack that never get to a link.
    pub(super) fn loses_packets(&self) -> bool {
        self.config.refuse_chance > 0.0
    }

    pub(super) fn owns(&self, address: std::net::IpAddr) -> bool {
        self.config.stack.addresses.iter().any(|cidr| cidr.address == address)
    }

    /// Opens a service.
    ///
    /// # Errors
    /// Whatever `listen` of the stack answers.
    pub fn serve(&mut self, service: Service) -> Result<(), Error> {
        let socket = self.stack.listen(service.local, service.options.clone())?;
        self.listeners.push(Listener { socket, service, accepted: 0, accepts_at: None });
        Ok(())
    }

    /// Has an application open a connection.
    pub fn plan(&mut self, plan: Plan) {
        self.plans.push(plan);
    }

    /// Puts a packet into the device's input, as if it had come over a link. What hosts send is not judged from outside any
    /// more: who has not seen this cannot tell what it draws.
    pub fn inject(&mut self, packet: &[u8]) {
        self.injected = true;
        self.inbox.push(Chunk::copy_of(packet));
    }

    /// Whether every application has ended and every expected connection has come.
    pub fn is_finished(&self) -> bool {
        self.plans.is_empty()
            && self.endpoints.iter().all(|endpoint| endpoint.outcome().is_some())
            && self.listeners.iter().all(|listener| listener.accepted >= listener.service.expected)
    }

    pub(super) fn close_listeners(&mut self, now: Instant) -> Result<(), Error> {
        self.listeners.drain(..).try_for_each(|listener| self.stack.close(now, listener.socket))
    }

    /// When it has something to do although nothing arrives; a time in the past means at once.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let at_once = (!self.inbox.is_empty()).then_some(Instant::ZERO);
        let output = self.stack.wants_transmit().then_some(self.blocked_until);
        let plans = self.plans.iter().map(|plan| plan.at).min();
        let applications = self.endpoints.iter().filter_map(Endpoint::deadline).min();
        let accepts = self.listeners.iter().filter_map(|listener| listener.accepts_at).min();
        let due = [at_once, output, plans, applications, accepts, self.stack.poll_timeout()];
        due.into_iter().flatten().min().map(|due| due.max(self.stalled_until))
    }

    /// One turn of the loop: packets, timers, applications, output. What goes out is left in `out`.
    ///
    /// # Errors
    /// An invariant that does not hold, or a breach that an application noticed.
    pub(super) fn turn(
        &mut self,
        now: Instant,
        arrived: &mut Vec<Chunk>,
        out: &mut Vec<Vec<u8>>,
    ) -> Result<(), String> {
        let packets = arrived.drain(..).chain(std::mem::take(&mut self.inbox));
        let packets = match self.config.merges {
            true => merge(now, packets),
            false => packets.map(|packet| single(now, &packet)).collect(),
        };
        packets.iter().for_each(|arrival| self.receive(now, arrival));
        if self.stack.poll_timeout().is_some_and(|due| due <= now) {
            self.stack.handle_timeout(now);
        }
        self.open_planned(now)?;
        self.wake_by_time(now);
        for _ in 0..ROUNDS {
            // Output may bring a packet to ourselves in again, and so new events.
            let busy = self.run_applications(now)? | self.transmit(now, out)?;
            if !busy {
                return self.stack.check_invariants();
            }
        }
        Err("events and output follow each other without end".into())
    }

    fn receive(&mut self, now: Instant, Arrival { bytes, meta }: &Arrival) {
        if self.buffer.capacity() < bytes.len() || self.config.snug_buffers {
            let pool = self.stack.pool();
            self.buffer = if self.config.snug_buffers { pool.take(bytes.len()) } else { pool.take_largest() };
        }
        self.buffer.clear();
        self.buffer.append(bytes);
        self.stack.handle_packet(now, &mut self.buffer, meta);
    }

    fn open_planned(&mut self, now: Instant) -> Result<(), String> {
        let (due, later) = std::mem::take(&mut self.plans).into_iter().partition(|plan| plan.at <= now);
        self.plans = later;
        let due: Vec<Plan> = due;
        for plan in due {
            let seed = self.rng.u64(..);
            let socket = self.stack.connect(now, plan.remote, plan.local, plan.options);
            let socket = socket.map_err(|error| format!("connect answered {error:?}"))?;
            self.add(Endpoint::connecting(socket, plan.script, seed));
        }
        Ok(())
    }

    fn add(&mut self, endpoint: Endpoint) {
        self.by_socket.insert(endpoint.socket(), self.endpoints.len());
        self.awake.push(self.endpoints.len());
        self.endpoints.push(endpoint);
    }

    fn wake_by_time(&mut self, now: Instant) {
        let due = |endpoint: &Endpoint| endpoint.deadline().is_some_and(|due| due <= now);
        self.awake.extend((0..self.endpoints.len()).filter(|&index| due(&self.endpoints[index])));
    }

    /// Hands out the events and lets whoever is awake act; says whether anything happened.
    fn run_applications(&mut self, now: Instant) -> Result<bool, String> {
        let mut busy = false;
        while let Some(event) = self.stack.poll_event() {
            busy = true;
            if let Some(&index) = self.by_socket.get(&event.socket) {
                let mut turn = Turn { now, stack: &mut self.stack, scratch: &mut self.scratch };
                self.endpoints[index].wake(event.kinds, &mut turn);
                self.awake.push(index);
            } else if let Some(listener) = self.listeners.iter_mut().find(|l| l.socket == event.socket) {
                listener.accepts_at.get_or_insert(now + dawdle(&mut self.rng, &listener.service));
            }
        }
        for index in 0..self.listeners.len() {
            while self.listeners[index].accepts_at.is_some_and(|at| at <= now) {
                busy = true;
                self.accept(now, index)?;
            }
        }
        for index in std::mem::take(&mut self.awake) {
            busy = true;
            let endpoint = &mut self.endpoints[index];
            endpoint.act(&mut Turn { now, stack: &mut self.stack, scratch: &mut self.scratch });
            if let Some(fault) = endpoint.fault() {
                return Err(format!("application {index}: {fault}; {}", endpoint.progress()));
            }
            if endpoint.outcome().is_some() {
                self.by_socket.remove(&endpoint.socket());
            }
        }
        Ok(busy)
    }

    /// Takes one connection out of the accept queue, if there is one.
    fn accept(&mut self, now: Instant, index: usize) -> Result<(), String> {
        let listener = &mut self.listeners[index];
        let (socket, remote) = match self.stack.accept(listener.socket) {
            Ok(accepted) => accepted,
            Err(Error::WouldBlock) => {
                listener.accepts_at = None;
                return Ok(());
            }
            Err(error) => return Err(format!("accept answered {error:?}")),
        };
        if self.stack.remote_addr(socket) != Ok(remote) {
            return Err(format!("accept says {remote}, remote_addr something else"));
        }
        listener.accepted += 1;
        listener.accepts_at = Some(now + dawdle(&mut self.rng, &listener.service));
        let script = listener.service.script.clone();
        let seed = self.rng.u64(..);
        self.add(Endpoint::accepted(socket, script, seed, now));
        Ok(())
    }

    /// Sends what the device has room for; says whether to look again.
    fn transmit(&mut self, now: Instant, out: &mut Vec<Vec<u8>>) -> Result<bool, String> {
        if self.blocked_until > now {
            return Ok(false);
        }
        let before = out.len();
        let mut device = HostDevice {
            config: &self.config,
            rng: &mut self.rng,
            cutter: &mut self.cutter,
            out,
            full: false,
            error: None,
        };
        let flushed = self.stack.poll_transmit(now, &mut device);
        let (full, error) = (device.full, device.error);
        if let Some(error) = error {
            return Err(format!("a packet that cannot be cut: {error:?}"));
        }
        if full || flushed == Flushed::Full {
            self.blocked_until = now + Duration::from_micros(self.rng.u64(1..500));
            return Ok(false);
        }
        if flushed == Flushed::Done && self.stack.wants_transmit() {
            return Err("poll_transmit says that it is done, wants_transmit that it is not".into());
        }
        Ok(flushed == Flushed::More || out.len() > before)
    }
}

fn dawdle(rng: &mut Rng, service: &Service) -> Duration {
    Duration::from_micros(rng.u64(service.dawdles_micros.clone()))
}

/// The device as the stack sees it: cuts what is longer than a wire packet, and is sometimes full.
struct HostDevice<'a> {
    config: &'a HostConfig,
    rng: &'a mut Rng,
    cutter: &'a mut Cutter,
    out: &'a mut Vec<Vec<u8>>,
    full: bool,
    error: Option<CutError>,
}

impl Sink for HostDevice<'_> {
    fn send(&mut self, packet: &OutPacket<'_>) -> SendOutcome {
        if self.full || self.rng.f64() < self.config.full_chance {
            self.full = true;
            return SendOutcome::Full;
        }
        if self.rng.f64() < self.config.refuse_chance {
            return SendOutcome::Failed;
        }
        let cut = self.cutter.cut(packet, self.config.stack.mtu, |wire| {
            self.out.push(wire.to_vec());
            ControlFlow::Continue(())
        });
        match cut {
            Ok(()) => SendOutcome::Sent,
            Err(error) => {
                self.error = Some(error);
                SendOutcome::Failed
            }
        }
    }
}
