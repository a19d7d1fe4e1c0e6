//! One measurement: a load, and what the system says before and after it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use ::http::Uri;

use super::load::{self, Amount, Life, Tally};
use super::observe::{self, Cost, Namespace, Wire};
use super::own_metrics;
use super::transport::{Kernel, OwnStack, Transport};
use crate::driver::SharedStack;

/// One server to be measured.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// What it is called in the report.
    pub(crate) label: String,
    pub(crate) url: Uri,
    pub(crate) address: SocketAddr,
    /// The processes that it consists of, if they can be looked at.
    pub(crate) pids: Vec<u32>,
}

/// Whose counters say what was on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The kernel's, of this network namespace: whatever else it sends counts, too.
    Kernel,
    /// The kernel's, of a namespace that the server is in as well.
    KernelBothEnds,
    /// Those of the stack that carried the load; bytes are the interface's.
    OwnStack,
}

impl Source {
    /// A sentence for the report.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Source::Kernel => {
                "segments, SYNs and bytes: the kernel's counters of the client's network namespace \
                 (/proc/net/snmp, /proc/net/netstat); whatever else that namespace sends meanwhile counts, too"
            }
            Source::KernelBothEnds => {
                "segments, SYNs and bytes: the kernel's counters of the network namespace that client and server \
                 share (/proc/net/snmp, /proc/net/netstat), the senders' half; whatever else that namespace sends \
                 meanwhile counts, too"
            }
            Source::OwnStack => {
                "segments and SYNs: the counters of longwire's stack, which carried the load; bytes: those of its \
                 interface (/proc/net/dev)"
            }
        }
    }
}

/// Connections left in TIME-WAIT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TimeWait {
    pub(crate) client: Option<u64>,
    pub(crate) server: Option<u64>,
}

/// What the server's processes cost during a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ServerCost {
    pub(crate) cpu: Duration,
    /// Resident memory before, and the most that was seen.
    pub(crate) memory_before: u64,
    pub(crate) memory_most: u64,
}

/// The result of one load on one server.
#[derive(Clone, Debug)]
pub(crate) struct Measurement {
    pub(crate) life: Life,
    pub(crate) tally: Tally,
    pub(crate) wire: Option<Wire>,
    pub(crate) time_wait: TimeWait,
    pub(crate) server: Option<ServerCost>,
    /// Processor time of the client's own process.
    pub(crate) client_cpu: Option<Duration>,
}

impl Measurement {
    /// Requests answered in a second.
    pub(crate) fn rate(&self) -> f64 {
        let seconds = self.tally.elapsed.as_secs_f64();
        if seconds > 0.0 { self.tally.answered() as f64 / seconds } else { 0.0 }
    }

    /// A count by requests that were answered.
    pub(crate) fn per_request(&self, count: u64) -> Option<f64> {
        let answered = self.tally.answered();
        (answered > 0).then(|| count as f64 / answered as f64)
    }

    /// Processor time of the server by requests that were answered.
    pub(crate) fn server_cpu_per_request(&self) -> Option<Duration> {
        let answered = u32::try_from(self.tally.answered()).ok()?;
        self.server.as_ref()?.cpu.checked_div(answered)
    }
}

/// A way to the servers, with its counters.
pub(crate) trait Client: Transport {
    /// What was on the wire so far.
    fn wire(&self, source: Source) -> Option<Wire>;
    /// Where that comes from for this server.
    fn source(&self, target: &Target) -> Source;
    /// Its own connections to a server that are in TIME-WAIT.
    fn time_wait(&self, server: SocketAddr) -> Option<u64>;
}

impl Client for Kernel {
    fn wire(&self, source: Source) -> Option<Wire> {
        observe::kernel_wire(source == Source::KernelBothEnds)
    }

    fn source(&self, target: &Target) -> Source {
        if is_here(target.address) { Source::KernelBothEnds } else { Source::Kernel }
    }

    fn time_wait(&self, server: SocketAddr) -> Option<u64> {
        observe::time_wait(Namespace::Ours, server, false)
    }
}

/// Whether an address belongs to this network namespace: what goes there from here comes from the same address, or from
/// a loopback one. Connecting a datagram socket finds the route and sends nothing.
fn is_here(address: SocketAddr) -> bool {
    let any: IpAddr =
        if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let source = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect(address)?;
        socket.local_addr()
    });
    source.is_ok_and(|source| source.ip() == address.ip() || source.ip().is_loopback())
}

impl OwnStack {
    /// The sum over all queues.
    fn counter(&self, wanted: &str) -> Option<u64> {
        let of = |shard: &SharedStack| {
            let counters = shard.with(|stack| *stack.counters());
            counters.iter().find(|(name, ..)| *name == wanted).map(|(.., value)| value)
        };
        self.network.shards().iter().map(of).sum()
    }
}

impl Client for OwnStack {
    fn wire(&self, _: Source) -> Option<Wire> {
        Some(Wire {
            segments: self.counter("tcp_segments_sent")? + self.counter("tcp_segments_received")?,
            syns: self.counter("tcp_active_opens")?,
            retransmissions: self.counter("tcp_retransmissions")?,
            // The interface is in the network namespace of this process, unless --tun has put it elsewhere.
            bytes: observe::interface_bytes(&self.interface).unwrap_or(0),
        })
    }

    fn source(&self, _: &Target) -> Source {
        Source::OwnStack
    }

    fn time_wait(&self, _: SocketAddr) -> Option<u64> {
        let gone = self.counter("tcp_time_wait_evicted")? + self.counter("tcp_time_wait_reused")?;
        self.counter("tcp_time_wait")?.checked_sub(gone)
    }
}

/// Everything that is looked at before and after a load.
struct Look {
    wire: Option<Wire>,
    time_wait: TimeWait,
    server: Option<Cost>,
    client: Option<Cost>,
}

impl Look {
    /// The counters of the wire are read last before a load, and first after it: looking costs segments, too.
    fn before<C: Client>(client: &C, target: &Target, source: Source) -> Look {
        let (time_wait, server) = (time_wait(client, target), server_cost(target));
        Look { wire: client.wire(source), time_wait, server, client: observe::cost(&[std::process::id()]) }
    }

    fn after<C: Client>(client: &C, target: &Target, source: Source) -> Look {
        let (wire, own) = (client.wire(source), observe::cost(&[std::process::id()]));
        Look { wire, time_wait: time_wait(client, target), server: server_cost(target), client: own }
    }
}

fn time_wait<C: Client>(client: &C, target: &Target) -> TimeWait {
    // A server on a stack of ours tells it among its metrics; the kernel tells it of one on its sockets.
    let by_kernel = |pid: &u32| observe::time_wait(Namespace::Of(*pid), target.address, true);
    TimeWait {
        client: client.time_wait(target.address),
        server: own_metrics::time_wait(target).or_else(|| target.pids.first().and_then(by_kernel)),
    }
}

fn server_cost(target: &Target) -> Option<Cost> {
    if target.pids.is_empty() { None } else { observe::cost(&target.pids) }
}

/// Sends a load to a server and says what it cost. `progress` hears how many requests are done, and ends the load by
/// answering `false`.
pub(crate) fn measure<C: Client>(
    client: &C,
    target: &Target,
    life: Life,
    amount: &Amount,
    mut progress: impl FnMut(u64) -> bool,
) -> Measurement {
    let source = client.source(target);
    let before = Look::before(client, target, source);
    let mut memory_most = before.server.map_or(0, |cost| cost.memory);
    let tally = load::run(client, (&target.url, target.address), life, amount, |done| {
        memory_most = memory_most.max(server_cost(target).map_or(0, |cost| cost.memory));
        progress(done)
    });
    let after = Look::after(client, target, source);
    let difference = |after: Option<u64>, before: Option<u64>| Some(after?.saturating_sub(before?));
    Measurement {
        life,
        tally,
        wire: after.wire.zip(before.wire).map(|(after, before)| after.since(&before)),
        time_wait: TimeWait {
            client: difference(after.time_wait.client, before.time_wait.client),
            server: difference(after.time_wait.server, before.time_wait.server),
        },
        server: after.server.zip(before.server).map(|(after, before)| ServerCost {
            cpu: after.cpu.saturating_sub(before.cpu),
            memory_before: before.memory,
            memory_most,
        }),
        client_cpu: after
            .client
            .zip(before.client)
            .map(|(after, before)| after.cpu.saturating_sub(before.cpu)),
    }
}
