//! What a server counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::control::{MetricSource, Metrics};
use crate::http::{Reason, Reasons};

/// Counters and gauges of a server; written by the loop, read by anyone.
#[derive(Debug, Default)]
pub struct Stats {
    accepted: AtomicU64,
    refused: AtomicU64,
    requests: AtomicU64,
    throttled: AtomicU64,
    received: AtomicU64,
    sent: AtomicU64,
    reasons: [AtomicU64; Reason::ALL.len()],
    connections: AtomicUsize,
    idle: AtomicUsize,
    /// Those of the server's other loops, which count for themselves: what is read here is the sum.
    others: Vec<Arc<Stats>>,
}

impl Stats {
    /// Of a server in several loops: for each of them its own, of which the first shows the sum of all.
    pub(super) fn of_loops(count: usize) -> Vec<Arc<Stats>> {
        let others: Vec<_> = (1..count).map(|_| Arc::new(Stats::default())).collect();
        let first = Arc::new(Stats { others: others.clone(), ..Stats::default() });
        std::iter::once(first).chain(others).collect()
    }

    fn all(&self) -> impl Iterator<Item = &Stats> {
        std::iter::once(self).chain(self.others.iter().map(|other| &**other))
    }

    /// How often `reason` limited, refused or ended a connection.
    pub fn count(&self, reason: Reason) -> u64 {
        self.all().map(|stats| stats.reasons[reason as usize].load(Ordering::Relaxed)).sum()
    }

    /// Connections that are open now.
    pub fn connections(&self) -> usize {
        self.all().map(|stats| stats.connections.load(Ordering::Relaxed)).sum()
    }

    /// Those of them on which nothing is under way.
    pub fn idle(&self) -> usize {
        self.all().map(|stats| stats.idle.load(Ordering::Relaxed)).sum()
    }

    /// All counters but the reasons, as (name, help, value).
    pub fn counters(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        let sum = |counter: fn(&Stats) -> &AtomicU64| -> u64 {
            self.all().map(|stats| counter(stats).load(Ordering::Relaxed)).sum()
        };
        [
            ("connections", "Connections accepted.", sum(|stats| &stats.accepted)),
            (
                "refused",
                "Connections reset at once: not even a 503 could be afforded.",
                sum(|stats| &stats.refused),
            ),
            ("requests", "Requests whose head was read.", sum(|stats| &stats.requests)),
            (
                "throttled",
                "Requests answered 429: their client had sent too many.",
                sum(|stats| &stats.throttled),
            ),
            ("received_bytes", "Bytes read from clients.", sum(|stats| &stats.received)),
            ("sent_bytes", "Bytes written to clients.", sum(|stats| &stats.sent)),
        ]
        .into_iter()
    }

    pub(super) fn accept(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn refuse(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn throttle(&self) {
        self.throttled.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn add_requests(&self, count: u32) {
        self.requests.fetch_add(count.into(), Ordering::Relaxed);
    }

    pub(super) fn add_received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn add_sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn add_reasons(&self, reasons: Reasons) {
        if reasons.is_empty() {
            return; // as after most requests
        }
        for reason in reasons.iter() {
            self.reasons[reason as usize].fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn set_open(&self, connections: usize, idle: usize) {
        self.connections.store(connections, Ordering::Relaxed);
        self.idle.store(idle, Ordering::Relaxed);
    }
}

impl MetricSource for Stats {
    fn write(&self, metrics: &mut Metrics) {
        for (name, help, value) in self.counters() {
            metrics.counter(&format!("http_{name}"), help, value);
        }
        let help = "How often a limit fired or a connection ended, by reason.";
        let reasons = Reason::ALL.into_iter().map(|reason| (reason.name(), self.count(reason)));
        metrics.counters("http_reasons", help, "reason", reasons);
        metrics.gauge("http_open_connections", "HTTP connections open now.", self.connections());
        metrics.gauge("http_idle_connections", "Those on which nothing is under way.", self.idle());
    }
}
