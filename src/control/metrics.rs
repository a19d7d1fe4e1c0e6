//! Everything counted, in the text format of Prometheus: the one place that knows it, for `GET /metrics` too.

use std::fmt::{Arguments, Display, Write};

use crate::driver::{SharedStack, Stack};

/// What all names begin with.
const PREFIX: &str = "longwire";

/// Something that has metrics of its own.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use longwire::control::{MetricSource, Metrics, Service, Sources, stack_metrics};
/// use longwire::net::Network;
///
/// /// What a program counts itself.
/// struct Orders(AtomicU64);
///
/// impl MetricSource for Orders {
///     fn write(&self, metrics: &mut Metrics) {
///         metrics.counter("orders", "Orders taken.", self.0.load(Ordering::Relaxed));
///     }
/// }
///
/// /// `longwire metrics` shows them beside the stack's.
/// fn add_to(service: &Service) {
///     let sources: Sources = service.sources();
///     sources.add(Arc::new(Orders(AtomicU64::new(0))));
/// }
///
/// /// All of it as text, for whoever has a server for it already.
/// fn text(network: &Network, orders: &Orders) -> String {
///     let mut metrics = Metrics::default();
///     stack_metrics(network.shards(), &mut metrics);
///     orders.write(&mut metrics);
///     metrics.into_text()
/// }
/// ```
pub trait MetricSource: Send + Sync {
    /// Adds them.
    fn write(&self, metrics: &mut Metrics);
}

/// The text while it is written.
///
/// ```
/// let mut metrics = longwire::control::Metrics::default();
/// metrics.counter("pings", "Pings answered.", 3);
/// let text = metrics.into_text();
/// assert!(text.ends_with("# TYPE longwire_pings_total counter\nlongwire_pings_total 3\n"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    text: String,
}

impl Metrics {
    /// A counter: it gets the suffix `_total`.
    pub fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.begin(&format!("{name}_total"), "counter", help);
        self.line(format_args!("{PREFIX}_{name}_total {value}"));
    }

    /// Counters of one name, told apart by the value of a label, which may have letters, digits and dashes.
    pub fn counters<'a>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = (&'a str, u64)>,
    ) {
        self.begin(&format!("{name}_total"), "counter", help);
        for (which, value) in values {
            self.line(format_args!("{PREFIX}_{name}_total{{{label}=\"{which}\"}} {value}"));
        }
    }

    /// A value that goes up and down.
    pub fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.begin(name, "gauge", help);
        self.line(format_args!("{PREFIX}_{name} {value}"));
    }

    /// Values of one name that go up and down, told apart by the value of a label.
    pub fn gauges<'a>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = (&'a str, u64)>,
    ) {
        self.begin(name, "gauge", help);
        for (which, value) in values {
            self.line(format_args!("{PREFIX}_{name}{{{label}=\"{which}\"}} {value}"));
        }
    }

    /// The text, to be served as `text/plain; version=0.0.4`.
    pub fn into_text(self) -> String {
        self.text
    }

    fn begin(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {PREFIX}_{name} {help}"));
        self.line(format_args!("# TYPE {PREFIX}_{name} {kind}"));
    }

    fn line(&mut self, line: Arguments<'_>) {
        writeln!(self.text, "{line}").expect("writing to a String does not fail");
    }
}

/// The counters of a network's stacks and of their devices, and what is open now: of several, which are queues of one
/// interface, the sums, and how the queues share the work.
pub fn stack_metrics(stacks: &[SharedStack], metrics: &mut Metrics) {
    let (mut counters, mut gauges) = (Sums::default(), Sums::default());
    let mut device = Sums::default();
    let mut queues = Vec::new();
    for stack in stacks {
        stack.with(|stack| {
            stack.counters().iter().for_each(|counter| counters.add(counter));
            let now = [
                ("tcp_live_connections", "TCP connections not yet finished.", stack.live_connections()),
                (
                    "tcp_half_open_connections",
                    "Handshakes under way that peers began.",
                    stack.half_open_connections(),
                ),
                ("tcp_time_wait_connections", "TCP connections in TIME-WAIT.", stack.time_wait_connections()),
                ("open_sockets", "Sockets of all kinds, listeners included.", stack.open_sockets()),
                ("buffer_bytes", "Bytes of pooled memory in use.", stack.pool().in_use()),
                ("memory_bytes", "The same with control blocks: what --memory limits.", stack.memory()),
            ];
            now.into_iter().for_each(|(name, help, value)| gauges.add((name, help, value as u64)));
            queues.push(Queue::of(stack));
        });
        stack.device_counters(&mut |name, help, value| device.add((name, help, value)));
    }
    for (name, help, value) in counters.list.into_iter().chain(device.list) {
        metrics.counter(name, help, value);
    }
    for (name, help, value) in gauges.list {
        metrics.gauge(name, help, value);
    }
    if let [_, _, ..] = &queues[..] {
        queue_metrics(&queues, metrics);
    }
}

/// What one of several queues does, read together with what goes into the sums: they agree.
struct Queue {
    received: u64,
    passive_opens: u64,
    live: u64,
}

impl Queue {
    fn of(stack: &Stack) -> Queue {
        let counters = stack.counters();
        let live = stack.live_connections() as u64;
        Queue { received: counters.ip.received, passive_opens: counters.tcp.passive_opens, live }
    }
}

fn queue_metrics(queues: &[Queue], metrics: &mut Metrics) {
    let names: Vec<_> = (0..queues.len()).map(|number| number.to_string()).collect();
    let each = |value: fn(&Queue) -> u64| names.iter().map(String::as_str).zip(queues.iter().map(value));
    let help = "Packets that the stack of each queue read.";
    metrics.counters("queue_received_packets", help, "queue", each(|queue| queue.received));
    let help = "Connections that each queue's stack accepted.";
    metrics.counters("queue_passive_opens", help, "queue", each(|queue| queue.passive_opens));
    let help = "TCP connections of each queue's stack not yet finished.";
    metrics.gauges("queue_live_connections", help, "queue", each(|queue| queue.live));
}

/// Values of one name, added up.
#[derive(Default)]
struct Sums {
    list: Vec<(&'static str, &'static str, u64)>,
}

impl Sums {
    fn add(&mut self, (name, help, value): (&'static str, &'static str, u64)) {
        match self.list.iter_mut().find(|(known, ..)| *known == name) {
            Some((_, _, sum)) => *sum += value,
            None => self.list.push((name, help, value)),
        }
    }
}
