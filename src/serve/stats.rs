//! What a server counts.

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
}

impl Stats {
    /// How often `reason` limited, refused or ended a connection.
    pub fn count(&self, reason: Reason) -> u64 {
        self.reasons[reason as usize].load(Ordering::Relaxed)
    }

    /// Connections that are open now.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Those of them on which nothing is under way.
    pub fn idle(&self) -> usize {
        self.idle.load(Ordering::Relaxed)
    }

    /// All counters but the reasons, as (name, help, value).
    pub fn counters(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        let Stats { accepted, refused, requests, throttled, received, sent, .. } = self;
        [
            ("connections", "Connections accepted.", accepted),
            ("refused", "Connections reset at once: not even a 503 could be afforded.", refused),
            ("requests", "Requests whose head was read.", requests),
            ("throttled", "Requests answered 429: their client had sent too many.", throttled),
            ("received_bytes", "Bytes read from clients.", received),
            ("sent_bytes", "Bytes written to clients.", sent),
        ]
        .map(|(name, help, value)| (name, help, value.load(Ordering::Relaxed)))
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
