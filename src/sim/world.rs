//! A world: hosts, links between them, one seed, and a clock that jumps.
//!
//! Time is virtual. A step lets every host that has something due take one turn, packets before timers as in the
//! loop of the driver; then the clock jumps to the next deadline of any host or link. Nothing here waits, and
//! nothing depends on anything but the seed.

use std::panic::{self, AssertUnwindSafe};

use fastrand::Rng;

use super::audit::Audit;
use super::hop::{Hop, packet_too_big};
use super::host::{Host, HostConfig};
use super::middlebox::BoxAtWork;
use super::trace::{Step, Trace};
use super::{Failure, Middlebox};
use crate::device::{Link, LinkConfig};
use crate::stack::{Chunk, Duration, Instant};

/// Steps without progress of the clock after which a world counts as caught in a loop.
const STEPS_AT_ONE_INSTANT: u32 = 50_000;

/// Which host of its world; counted from 0 in the order in which they were added.
pub type HostId = usize;

/// What a [rule](World::set_rule) sees of a packet beside its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Crossing {
    /// Now.
    pub now: Instant,
    /// Who sent it.
    pub from: HostId,
    /// Whose address it carries.
    pub to: HostId,
}

/// Decides about each packet before it enters its link: `false` takes it away. It may change the bytes.
pub type Rule = dyn FnMut(Crossing, &mut Vec<u8>) -> bool;

/// One direction of a link between two hosts.
struct Path {
    from: HostId,
    to: HostId,
    link: Link,
    hop: Option<Hop>,
    middlebox: Option<BoxAtWork>,
}

/// Why [`World::run`] came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// What the caller waited for is there.
    Done,
    /// Nothing is due any more, ever.
    Quiet,
    /// The time that the caller set has come.
    Limit,
}

/// Hosts and links in virtual time.
///
/// Build it with [`add_host`](World::add_host) and [`link`](World::link), give the hosts work through
/// [`host_mut`](World::host_mut), then [`run`](World::run) it, or let it [`finish`](World::finish).
///
/// ```
/// use longwire::device::LinkConfig;
/// use longwire::sim::{
///     Crossing, Ending, Endpoint, Habit, Host, HostConfig, HostId, Outcome, Pace, Pattern, Pause, Plan, Rule, Script,
///     Seen, Service, Step, Stream, Trace, World,
/// };
/// use longwire::stack::{Config, Duration, Instant};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut world = World::new(1, Trace::with_lines());
/// let mut host = |address: &str| world.add_host(HostConfig::new(Config::new(vec![address.parse().unwrap()])));
/// let (client, server): (HostId, HostId) = (host("10.9.0.1/24"), host("10.9.0.2/24"));
/// let link: LinkConfig = "delay=20ms".parse()?;
/// world.link(client, server, &link, &link);
///
/// // The client sends 10,000 bytes, the server sends them back.
/// let stream = Stream { pattern: Pattern::new(7), len: 10_000 };
/// let (reading, writing) = (Habit::eager(), Habit::eager());
/// let sends = Script { tag: 0, sends: stream, expects: stream, pace: Pace::Free, ending: Ending::First, reading, writing };
/// let echoes = Script { pace: Pace::Echo, ending: Ending::Second, ..sends.clone() };
/// let address = "10.9.0.2:7".parse()?;
/// world.host_mut(server).serve(Service::new(address, echoes, 1))?;
/// let plan = Plan { at: Instant::from_millis(5), remote: address, local: None, options: None, script: sends };
/// world.host_mut(client).plan(plan);
///
/// // The first packet from the client is lost: what a rule gives `false` for does not arrive.
/// let mut lost = 0;
/// let rule: Box<Rule> = Box::new(move |crossing: Crossing, packet: &mut Vec<u8>| {
///     let is_first = crossing.from == client && Seen::of(packet).is_some() && lost == 0;
///     lost += usize::from(is_first);
///     !is_first
/// });
/// world.set_rule(rule);
///
/// let pause = world.run(Instant::from_secs(60), |world| world.hosts().iter().all(Host::is_finished))?;
/// assert_eq!(pause, Pause::Done);
/// let endpoint: &Endpoint = &world.host(client).endpoints()[0];
/// let ended: Outcome = endpoint.outcome().expect("it has ended");
/// assert!(ended.error.is_none() && ended.at > Instant::from_secs(1), "it began again after a second");
/// assert!(!world.trace().lines().is_empty(), "a line for each {:?}", Step::Sent);
/// # let _ = Duration::ZERO;
/// # Ok(())
/// # }
/// ```
pub struct World {
    seed: u64,
    rng: Rng,
    now: Instant,
    hosts: Vec<Host>,
    paths: Vec<Path>,
    rule: Option<Box<Rule>>,
    audit: Audit,
    trace: Trace,
    steps_at_now: u32,
    arrived: Vec<Chunk>,
    sent: Vec<Vec<u8>>,
}

impl World {
    /// An empty world. Everything random in it follows from `seed`.
    pub fn new(seed: u64, trace: Trace) -> Self {
        World::beginning_at(Instant::ZERO, seed, trace)
    }

    /// An empty world whose clock does not begin at zero.
    pub fn beginning_at(now: Instant, seed: u64, trace: Trace) -> Self {
        World {
            seed,
            rng: Rng::with_seed(seed),
            now,
            hosts: Vec::new(),
            paths: Vec::new(),
            rule: None,
            audit: Audit::default(),
            trace,
            steps_at_now: 0,
            arrived: Vec::new(),
            sent: Vec::new(),
        }
    }

    /// Adds a host.
    pub fn add_host(&mut self, config: HostConfig) -> HostId {
        let seed = self.rng.u64(..);
        self.hosts.push(Host::new(config, seed, self.now));
        self.hosts.len() - 1
    }

    /// Joins two hosts: one link for each direction. Their seeds are drawn by the world.
    pub fn link(&mut self, a: HostId, b: HostId, there: &LinkConfig, back: &LinkConfig) {
        for (from, to, config) in [(a, b, there), (b, a, back)] {
            let link = Link::new(LinkConfig { seed: self.rng.u64(..), ..*config });
            self.paths.push(Path { from, to, link, hop: None, middlebox: None });
        }
    }

    /// Sets what decides about each packet from now on.
    pub fn set_rule(&mut self, rule: impl FnMut(Crossing, &mut Vec<u8>) -> bool + 'static) {
        self.rule = Some(Box::new(rule));
    }

    /// Lets every packet pass again.
    pub fn clear_rule(&mut self) {
        self.rule = None;
    }

    /// Changes the link from one host to another; what is on its way arrives as it would have.
    pub fn set_link(&mut self, from: HostId, to: HostId, config: &LinkConfig) {
        for path in self.paths.iter_mut().filter(|path| path.from == from && path.to == to) {
            path.link.reconfigure(*config);
        }
    }

    /// Puts a router on the way from one host to another that carries packets of up to `mtu` bytes. What is longer it
    /// drops, and says so if it `tells`.
    pub fn set_hop(&mut self, from: HostId, to: HostId, mtu: usize, tells: bool) {
        for path in self.paths.iter_mut().filter(|path| path.from == from && path.to == to) {
            path.hop = Some(Hop { mtu, tells });
        }
    }

    /// Puts a box on the way from one host to another that changes packets or takes some away. What is random in it
    /// follows from the world's seed.
    pub fn set_middlebox(&mut self, from: HostId, to: HostId, middlebox: Middlebox) {
        let at_work = BoxAtWork::new(middlebox, self.seed ^ (1 + from as u64), self.now);
        if let Some(path) = self.path_mut(from, to) {
            path.middlebox = Some(at_work);
        }
    }

    /// Does not let a host's loop run for that long: its packets wait in the device, its timers do not fire.
    pub fn stall(&mut self, host: HostId, how_long: Duration) {
        self.hosts[host].stalled_until = self.now + how_long;
    }

    /// Virtual time.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// One of the hosts.
    pub fn host(&self, id: HostId) -> &Host {
        &self.hosts[id]
    }

    /// One of the hosts, to give it work.
    pub fn host_mut(&mut self, id: HostId) -> &mut Host {
        &mut self.hosts[id]
    }

    /// All hosts.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// What has happened on the wires.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// Gives the trace out of the world.
    pub fn into_trace(self) -> Trace {
        self.trace
    }

    /// A failure of this world at this moment.
    pub fn failure(&self, what: impl Into<String>) -> Failure {
        Failure { seed: self.seed, at: self.now, what: what.into() }
    }

    /// Runs until `done`, or until nothing is due any more, or until `limit`.
    ///
    /// # Errors
    /// An invariant that does not hold, a breach of contract that an application noticed, or a world that goes on
    /// without its clock.
    pub fn run(&mut self, limit: Instant, mut done: impl FnMut(&World) -> bool) -> Result<Pause, Failure> {
        // Whoever called may have changed any host.
        (0..self.hosts.len()).try_for_each(|host| self.turn(host))?;
        loop {
            if done(self) {
                return Ok(Pause::Done);
            }
            let Some(next) = self.next_instant() else { return Ok(Pause::Quiet) };
            if next > limit {
                self.now = self.now.max(limit);
                return Ok(Pause::Limit);
            }
            self.advance_to(next)?;
            for host in 0..self.hosts.len() {
                if self.is_due(host) {
                    self.turn(host)?;
                }
            }
        }
    }

    /// Runs for a stretch of time, whatever happens.
    ///
    /// # Errors
    /// As [`run`](World::run).
    pub fn run_for(&mut self, how_long: Duration) -> Result<(), Failure> {
        let limit = self.now + how_long;
        self.run(limit, |_| false)?;
        self.now = limit;
        Ok(())
    }

    /// Runs until every application has ended, then until every connection is gone and every timer has run out.
    ///
    /// # Errors
    /// As [`run`](World::run); and a deadlock, work that is not done at `limit`, or anything that is left over.
    pub fn finish(&mut self, limit: Instant) -> Result<(), Failure> {
        let applications = |world: &World| world.hosts.iter().all(Host::is_finished);
        match self.run(limit, applications)? {
            Pause::Done => {}
            Pause::Quiet => return Err(self.unfinished("deadlock: nothing is due")),
            Pause::Limit => return Err(self.unfinished("not finished in time")),
        }
        // The connections of applications that have left still close in the background, and some of them may yet
        // reach their acceptor for the first time.
        let connections = |world: &World| {
            applications(world) && world.hosts.iter().all(|h| h.stack().live_connections() == 0)
        };
        if self.run(limit, connections)? == Pause::Limit {
            return Err(self.unfinished("connections do not go away"));
        }
        for host in &mut self.hosts {
            let closed = host.close_listeners(self.now);
            closed.map_err(|error| Failure {
                seed: self.seed,
                at: self.now,
                what: format!("close of a listener answered {error:?}"),
            })?;
        }
        match self.run(limit, |_| false)? {
            Pause::Quiet => self.check_empty(),
            _ => Err(self.unfinished("timers do not end")),
        }
    }

    fn check_empty(&self) -> Result<(), Failure> {
        for (id, host) in self.hosts.iter().enumerate() {
            let live = host.stack().live_connections();
            if live != 0 || !host.is_finished() {
                return Err(self.unfinished(&format!("host {id} has {live} connections left")));
            }
        }
        Ok(())
    }

    fn unfinished(&self, what: &str) -> Failure {
        let mut text = String::from(what);
        for (id, host) in self.hosts.iter().enumerate() {
            let live = host.stack().live_connections();
            text += &format!(
                "\n  host {id}: {live} live connections, next timer {:?}",
                host.stack().poll_timeout()
            );
            for (index, endpoint) in host.endpoints().iter().enumerate() {
                let info = host.stack().info(endpoint.socket()).ok();
                text += &format!("\n    application {index}: {}", endpoint.progress());
                if let Some(info) = info.filter(|_| endpoint.outcome().is_none()) {
                    text += &format!("\n      {info:?}");
                }
            }
        }
        self.failure(text)
    }

    fn advance_to(&mut self, next: Instant) -> Result<(), Failure> {
        if next > self.now {
            self.now = next;
            self.steps_at_now = 0;
            return Ok(());
        }
        self.steps_at_now += 1;
        if self.steps_at_now > STEPS_AT_ONE_INSTANT {
            return Err(self.unfinished("livelock: the clock does not advance"));
        }
        Ok(())
    }

    /// The earliest deadline of any host or link. What arrives at a host that is stalled waits.
    fn next_instant(&self) -> Option<Instant> {
        let hosts = self.hosts.iter().filter_map(Host::deadline);
        let paths = self
            .paths
            .iter()
            .filter_map(|path| path.link.deadline().map(|due| due.max(self.hosts[path.to].stalled_until)));
        hosts.chain(paths).min()
    }

    fn is_due(&self, host: HostId) -> bool {
        let due = |deadline: Option<Instant>| deadline.is_some_and(|due| due <= self.now);
        self.hosts[host].stalled_until <= self.now
            && (due(self.hosts[host].deadline())
                || self.paths.iter().any(|path| path.to == host && due(path.link.deadline())))
    }

    /// One turn of one host, with what its links have for it.
    fn turn(&mut self, host: HostId) -> Result<(), Failure> {
        if self.hosts[host].stalled_until > self.now {
            return Ok(());
        }
        for path in self.paths.iter_mut().filter(|path| path.to == host) {
            while let Some((_, packet)) = path.link.pop(self.now) {
                self.trace.packet(self.now, Step::Arrived, path.from, host, &packet);
                self.arrived.push(packet);
            }
        }
        let (now, arrived, sent) = (self.now, &mut self.arrived, &mut self.sent);
        let turning = &mut self.hosts[host];
        // A panic fails this world only, and its trace can still be read: nothing of the host is used after it.
        let turned = panic::catch_unwind(AssertUnwindSafe(|| turning.turn(now, arrived, sent)))
            .unwrap_or_else(|_| Err("panicked".into()));
        let mut sent = std::mem::take(&mut self.sent);
        let mut judged = Ok(());
        let is_judged = !self.hosts.iter().any(Host::was_injected_into);
        for packet in sent.drain(..) {
            if is_judged {
                judged = judged.and(self.audit.sent(&packet, self.hosts[host].loses_packets()));
            }
            self.forward(host, packet);
        }
        self.sent = sent;
        turned.and(judged).map_err(|what| self.failure(format!("host {host}: {what}")))
    }

    /// Puts a packet on the link to whoever has its destination; without one it is lost.
    fn forward(&mut self, from: HostId, mut packet: Vec<u8>) {
        let Some(to) = self.destination(&packet) else { return };
        let crossing = Crossing { now: self.now, from, to };
        if self.rule.as_mut().is_some_and(|rule| !rule(crossing, &mut packet)) {
            return self.trace.packet(self.now, Step::Removed, from, to, &packet);
        }
        let now = self.now;
        let middlebox = self.path_mut(from, to).and_then(|path| path.middlebox.as_mut());
        if middlebox.is_some_and(|middlebox| !middlebox.pass(now, &mut packet)) {
            return self.trace.packet(now, Step::Removed, from, to, &packet);
        }
        self.audit.shown(&packet);
        if let Some(hop) = self.too_small_hop(from, to, packet.len()) {
            self.trace.packet(self.now, Step::Removed, from, to, &packet);
            if let Some(answer) = packet_too_big(&packet, hop.mtu).filter(|_| hop.tells) {
                self.send(to, from, &answer);
            }
            return;
        }
        self.send(from, to, &packet);
    }

    /// A router on the way that does not carry packets of this length.
    fn too_small_hop(&self, from: HostId, to: HostId, len: usize) -> Option<Hop> {
        let path = self.paths.iter().find(|path| path.from == from && path.to == to)?;
        path.hop.filter(|hop| len > hop.mtu)
    }

    fn send(&mut self, from: HostId, to: HostId, packet: &[u8]) {
        self.trace.packet(self.now, Step::Sent, from, to, packet);
        let now = self.now;
        if let Some(path) = self.path_mut(from, to) {
            path.link.push(now, packet);
        }
    }

    fn path_mut(&mut self, from: HostId, to: HostId) -> Option<&mut Path> {
        self.paths.iter_mut().find(|path| path.from == from && path.to == to)
    }

    fn destination(&self, packet: &[u8]) -> Option<HostId> {
        let ip = crate::wire::IpHeader::parse(packet).ok()?;
        self.hosts.iter().position(|host| host.owns(ip.dst))
    }
}
