//! A whole world drawn from a seed: links, hosts, connections, applications, and what has to hold at the end.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use fastrand::Rng;

use super::apps::Endpoint;
use super::host::{Host, HostConfig, Plan, Service};
use super::script::{Ending, Habit, Pace, Script, Stream};
use super::{Failure, HostId, Middlebox, Pattern, Pause, Trace, World};
use crate::device::{Chance, LinkConfig};
use crate::stack::{self, Cidr, Duration, Instant, KeepAlive, ListenOptions, SocketOptions};

mod draw;

/// Virtual time after which a world has to be over: a bad link with a backed-off timer needs minutes, an endless
/// exchange is found long before.
const LIMIT: Duration = Duration::from_secs(8 * 3600);

/// One end of the connections of a [`Flow`].
#[derive(Clone, Debug)]
pub struct Side {
    /// What the application does. Its tag is set when the world is built.
    pub script: Script,
    /// The options of its socket.
    pub options: SocketOptions,
}

/// Connections from one host to a listener on the other, all with the same scripts.
#[derive(Clone, Debug)]
pub struct Flow {
    /// The host that connects, and the one that listens. They may be the same.
    pub hosts: [HostId; 2],
    /// Whether it runs over IPv6.
    pub v6: bool,
    /// When each connection begins.
    pub starts: Vec<Duration>,
    /// Whether the clients choose their port themselves.
    pub fixed_ports: bool,
    /// Connections that may wait to be accepted.
    pub backlog: usize,
    /// How long the server lets each wait, in microseconds.
    pub dawdles_micros: RangeInclusive<u64>,
    /// The side that connects.
    pub client: Side,
    /// The side that listens.
    pub server: Side,
}

impl Flow {
    /// Whether bytes may be lost because a side goes away in the middle.
    fn is_rude(&self) -> bool {
        self.client.script.ending.is_rude() || self.server.script.ending.is_rude()
    }
}

/// Something that happens to a world while it runs.
#[derive(Clone, Debug)]
pub enum Disturbance {
    /// A host's loop does not run for a while.
    Stall {
        /// Which host.
        host: HostId,
        /// For how long.
        how_long: Duration,
    },
    /// The link from this host to the other loses everything.
    Blackout {
        /// Which host.
        from: HostId,
    },
    /// The link from this host to the other takes longer: what is sent after it is over overtakes what was before.
    Spike {
        /// Which host.
        from: HostId,
        /// How much longer.
        delay: Duration,
    },
    /// The link from this host to the other is as it was.
    Recovery {
        /// Which host.
        from: HostId,
    },
}

/// A world's description. Two hosts, a link each way, and what goes on between them.
///
/// ```
/// use std::time::Duration;
/// use longwire::sim::{Disturbance, Flow, Scenario, Side};
///
/// let mut scenario = Scenario::from_seed(3).without_impairment();
/// scenario.disturbances = vec![(Duration::from_millis(50), Disturbance::Stall { host: 0, how_long: Duration::from_secs(1) })];
/// let flows: &[Flow] = &scenario.flows;
/// let clients = flows.iter().map(|flow| -> &Side { &flow.client });
/// assert!(clients.count() > 0);
/// scenario.run().unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The seed that everything random in the world follows from.
    pub seed: u64,
    /// The two hosts.
    pub hosts: [HostConfig; 2],
    /// The link from host 0 to host 1, and the one back.
    pub links: [LinkConfig; 2],
    /// The largest packet, in bytes, that a router on either way carries, if there is one. It says what it drops.
    pub hops: [Option<usize>; 2],
    /// A box on the way from host 0 to host 1, and one on the way back.
    pub middleboxes: [Middlebox; 2],
    /// Connections.
    pub flows: Vec<Flow>,
    /// When the world begins.
    pub epoch: Instant,
    /// What happens when, counted from the beginning, in order.
    pub disturbances: Vec<(Duration, Disturbance)>,
}

/// What a world that went well tells about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The hash of its trace.
    pub hash: u64,
    /// Packets sent.
    pub packets: u64,
    /// Virtual time at its end.
    pub ended_at: Instant,
    /// Bytes read by the clients and by the servers, all connections of a flow together.
    pub delivered: Vec<(u64, u64)>,
}

impl Scenario {
    /// Draws a world.
    pub fn from_seed(seed: u64) -> Scenario {
        draw::scenario(seed)
    }

    /// The same world with links and devices that do nothing to a packet but carry it.
    #[must_use]
    pub fn without_impairment(mut self) -> Scenario {
        for link in &mut self.links {
            *link = LinkConfig { delay: link.delay, ..LinkConfig::default() };
        }
        for host in &mut self.hosts {
            host.full_chance = 0.0;
            host.refuse_chance = 0.0;
        }
        self.hops = [None; 2];
        self.middleboxes = Default::default();
        self.disturbances.clear();
        self
    }

    /// Lives through the world.
    ///
    /// # Errors
    /// The first thing that goes wrong: see [`World::finish`]; or a connection that did not end as its scripts say.
    pub fn run(&self) -> Result<Report, Failure> {
        self.run_traced(Trace::hash_only()).0
    }

    /// As [`run`](Scenario::run), and gives the trace back.
    pub fn run_traced(&self, trace: Trace) -> (Result<Report, Failure>, Trace) {
        let mut world = World::beginning_at(self.epoch, self.seed, trace);
        let report = self
            .populate(&mut world)
            .and_then(|()| self.disturb(&mut world))
            .and_then(|()| world.finish(self.epoch + LIMIT))
            .and_then(|()| self.report(&world));
        (report, world.into_trace())
    }

    fn populate(&self, world: &mut World) -> Result<(), Failure> {
        for host in &self.hosts {
            world.add_host(host.clone());
        }
        world.link(0, 1, &self.links[0], &self.links[1]);
        for (from, hop) in self.hops.iter().enumerate() {
            if let Some(mtu) = *hop {
                world.set_hop(from, 1 - from, mtu, true);
            }
        }
        for (from, middlebox) in self.middleboxes.iter().enumerate() {
            world.set_middlebox(from, 1 - from, middlebox.clone());
        }
        for (index, flow) in self.flows.iter().enumerate() {
            self.add_flow(world, index, flow)?;
        }
        Ok(())
    }

    /// Runs the world until the last disturbance is over, or until there is nothing left to disturb.
    fn disturb(&self, world: &mut World) -> Result<(), Failure> {
        for (at, disturbance) in &self.disturbances {
            if world.run(self.epoch + *at, |_| false)? == Pause::Quiet {
                return Ok(());
            }
            match *disturbance {
                Disturbance::Stall { host, how_long } => world.stall(host, how_long),
                Disturbance::Recovery { from } => world.set_link(from, 1 - from, &self.links[from]),
                Disturbance::Spike { from, delay } => {
                    let slow = LinkConfig { delay: self.links[from].delay + delay, ..self.links[from] };
                    world.set_link(from, 1 - from, &slow);
                }
                Disturbance::Blackout { from } => {
                    let dark = LinkConfig { loss: Chance::percent(100), ..self.links[from] };
                    world.set_link(from, 1 - from, &dark);
                }
            }
        }
        Ok(())
    }

    fn add_flow(&self, world: &mut World, index: usize, flow: &Flow) -> Result<(), Failure> {
        let [client, server] = flow.hosts;
        let port = 1000 + index as u16;
        let remote = SocketAddr::new(address_of(server, flow.v6), port);
        // A client that goes away early may never have been seen by its server.
        let expected = if flow.is_rude() { 0 } else { flow.starts.len() };
        let options = ListenOptions {
            backlog: flow.backlog,
            socket: Some(flow.server.options.clone()),
            ..ListenOptions::default()
        };
        let script = Script { tag: tag(index, true), ..flow.server.script.clone() };
        let dawdles_micros = flow.dawdles_micros.clone();
        let service = Service { options, dawdles_micros, ..Service::new(remote, script, expected) };
        let listening = world.host_mut(server).serve(service);
        listening.map_err(|error| world.failure(format!("listen on {remote} answered {error:?}")))?;
        for (number, start) in flow.starts.iter().enumerate() {
            let local = SocketAddr::new(address_of(client, flow.v6), 20_000 + port + 100 * number as u16);
            world.host_mut(client).plan(Plan {
                at: self.epoch + *start,
                remote,
                local: flow.fixed_ports.then_some(local),
                options: Some(flow.client.options.clone()),
                script: Script { tag: tag(index, false), ..flow.client.script.clone() },
            });
        }
        Ok(())
    }

    fn report(&self, world: &World) -> Result<Report, Failure> {
        let mut delivered = Vec::new();
        for (index, flow) in self.flows.iter().enumerate() {
            let [clients, servers] = [false, true].map(|server| endpoints(world, tag(index, server)));
            let judged = if flow.is_rude() {
                after_rudeness(&clients, &servers)
            } else {
                orderly(flow, &clients, &servers)
            };
            judged.map_err(|what| world.failure(format!("flow {index}: {what}")))?;
            let sum = |side: &[&Endpoint]| side.iter().map(|endpoint| endpoint.received()).sum();
            delivered.push((sum(&clients), sum(&servers)));
        }
        let trace = world.trace();
        Ok(Report { hash: trace.hash(), packets: trace.packets(), ended_at: world.now(), delivered })
    }
}

const fn tag(flow: usize, server: bool) -> usize {
    2 * flow + server as usize
}

fn endpoints(world: &World, tag: usize) -> Vec<&Endpoint> {
    let all = world.hosts().iter().flat_map(Host::endpoints);
    all.filter(|endpoint| endpoint.script().tag == tag).collect()
}

fn orderly(flow: &Flow, clients: &[&Endpoint], servers: &[&Endpoint]) -> Result<(), String> {
    if clients.len() != flow.starts.len() || servers.len() != flow.starts.len() {
        return Err(format!("{} clients, {} servers", clients.len(), servers.len()));
    }
    clients.iter().chain(servers).try_for_each(|endpoint| endpoint.verdict())
}

/// One connection, at most: an end of stream that was seen has everything before it that the other side wrote.
fn after_rudeness(clients: &[&Endpoint], servers: &[&Endpoint]) -> Result<(), String> {
    for (reader, writer) in clients.iter().zip(servers).flat_map(|(c, s)| [(c, s), (s, c)]) {
        if reader.peer_finished() && reader.received() != writer.sent() {
            return Err(format!("end of stream after {} of {} bytes", reader.received(), writer.sent()));
        }
    }
    Ok(())
}

/// The address of a host of a scenario.
fn address_of(host: usize, v6: bool) -> IpAddr {
    let last = host as u8 + 1;
    if v6 {
        IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, u16::from(last)])
    } else {
        IpAddr::from([10, 0, 0, last])
    }
}

/// The addresses of a host of a scenario, one of each family.
fn addresses_of(host: usize) -> Vec<Cidr> {
    vec![
        Cidr { address: address_of(host, false), prefix: 24 },
        Cidr { address: address_of(host, true), prefix: 64 },
    ]
}
