//! Everything counted, in the text format of Prometheus: the one place that knows it, for `GET /metrics` too.

use std::fmt::{Arguments, Display, Write};

use crate::driver::SharedStack;

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
///     stack_metrics(network.shared(), &mut metrics);
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

/// The counters of a stack and of its device, and what is open now.
pub fn stack_metrics(stack: &SharedStack, metrics: &mut Metrics) {
    let (counters, gauges) = stack.with(|stack| {
        let gauges = [
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
        (*stack.counters(), gauges)
    });
    for (name, help, value) in counters.iter() {
        metrics.counter(name, help, value);
    }
    let mut device = Vec::new();
    stack.device_counters(&mut |name, help, value| device.push((name, help, value)));
    for (name, help, value) in device {
        metrics.counter(name, help, value);
    }
    for (name, help, value) in gauges {
        metrics.gauge(name, help, value);
    }
}
