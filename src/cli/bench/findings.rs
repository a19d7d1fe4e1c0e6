//! What `longwire bench idle` has found.

use std::time::Duration;

use crate::bench::{Cost, Histogram};

/// Connections at which the time of a request is the one to compare with.
pub(super) const FEW: u32 = 10;

/// What was found.
pub(super) struct Findings {
    pub(super) connections: u32,
    /// Connections with which the server's cost was looked at for the first time, and how long it took to open the rest.
    pub(super) base: u32,
    pub(super) opening: Duration,
    /// What requests took with a few open, and with all.
    pub(super) few: Histogram,
    pub(super) many: Histogram,
    /// Connections opened beside all of them, and how long that took.
    pub(super) more: (u32, Duration),
    /// The server's cost with `base` open, with all of them, and at the end of the time in which nothing was asked.
    pub(super) before: Option<Cost>,
    pub(super) opened: Option<Cost>,
    pub(super) held: Option<Cost>,
    pub(super) hold: Duration,
}

/// What connections cost the server on which nothing happens.
struct Idle {
    /// Bytes, of all there is.
    memory: u64,
    /// Bytes, of what came with the connections.
    each: f64,
    /// Of one processor.
    share: f64,
}

impl Findings {
    /// As a table in Markdown.
    pub(super) fn table(&self) -> String {
        let micros = |duration: Duration| format!("{:.1} µs", duration.as_secs_f64() * 1e6);
        let mut rows = vec![
            ("connections held".to_owned(), self.connections.to_string()),
            ("opened with a request each, a second".to_owned(), format!("{:.0}", self.opened_per_s())),
            (format!("a request with {FEW} open, p50"), micros(self.few.quantile(0.5))),
            ("a request on a random one of all, p50".to_owned(), micros(self.many.quantile(0.5))),
            ("the same, p99".to_owned(), micros(self.many.quantile(0.99))),
        ];
        if let Some(rate) = self.connects_per_s() {
            rows.push((format!("{} more, opened a second", self.more.0), format!("{rate:.0}")));
        }
        if let Some(idle) = self.idle() {
            let mebibytes = idle.memory as f64 / f64::from(1 << 20);
            let hold = self.hold.as_secs_f64();
            rows.extend([
                ("resident memory of the server".to_owned(), format!("{mebibytes:.1} MiB")),
                (format!("of that for each connection beyond {}", self.base), format!("{:.0} B", idle.each)),
                (format!("its processor time over {hold:.0} s"), format!("{:.1} %", 100.0 * idle.share)),
            ]);
        }
        let lines: Vec<_> = rows.iter().map(|(what, figure)| format!("| {what} | {figure} |")).collect();
        format!("| | |\n| --- | --- |\n{}", lines.join("\n"))
    }

    /// As lines of a name, in which the unit is, and a value.
    pub(super) fn lines(&self) -> String {
        let micros = |duration: Duration| duration.as_secs_f64() * 1e6;
        let mut figures = Vec::new();
        if let Some(idle) = self.idle() {
            figures.extend([("bytes_per_connection", idle.each), ("server_cpu_share", idle.share)]);
        }
        figures.extend([
            ("opened_per_s", self.opened_per_s()),
            ("p50_us_few", micros(self.few.quantile(0.5))),
            ("p50_us", micros(self.many.quantile(0.5))),
            ("p99_us", micros(self.many.quantile(0.99))),
        ]);
        figures.extend(self.connects_per_s().map(|rate| ("connects_per_s", rate)));
        let lines: Vec<_> = figures.iter().map(|(name, value)| format!("{name} {value:.4}")).collect();
        lines.join("\n")
    }

    fn opened_per_s(&self) -> f64 {
        rate(self.connections.saturating_sub(self.base), self.opening)
    }

    /// `None` if no more were opened.
    fn connects_per_s(&self) -> Option<f64> {
        let (count, time) = self.more;
        (count > 0).then(|| rate(count, time))
    }

    /// `None` if the server could not be looked at.
    fn idle(&self) -> Option<Idle> {
        let (before, opened, held) = (self.before?, self.opened?, self.held?);
        let grown = held.memory.saturating_sub(before.memory);
        Some(Idle {
            memory: held.memory,
            each: grown as f64 / f64::from(self.connections.saturating_sub(self.base).max(1)),
            share: (held.cpu - opened.cpu).as_secs_f64() / self.hold.as_secs_f64().max(0.001),
        })
    }
}

fn rate(count: u32, time: Duration) -> f64 {
    f64::from(count) / time.as_secs_f64().max(0.001)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings() -> Findings {
        let cost = |millis, memory| Some(Cost { cpu: Duration::from_millis(millis), memory });
        let mut times = Histogram::new();
        times.record(Duration::from_micros(20));
        Findings {
            connections: 1_010,
            base: 10,
            opening: Duration::from_secs(2),
            few: times.clone(),
            many: times,
            more: (1_000, Duration::from_millis(100)),
            before: cost(100, 5_000_000),
            opened: cost(1_000, 5_240_000),
            held: cost(1_500, 5_250_000),
            hold: Duration::from_secs(10),
        }
    }

    #[test]
    fn the_table_has_memory_for_each_connection_and_a_share_of_a_processor() {
        let table = findings().table();
        let rows = [
            "| connections held | 1010 |",
            "each, a second | 500 |",
            "| 1000 more, opened a second | 10000 |",
            "each connection beyond 10 | 250 B |",
            "10 s | 5.0 % |",
        ];
        for row in rows {
            assert!(table.contains(row), "{row} in\n{table}");
        }
        let less = Findings { held: None, more: (0, Duration::ZERO), ..findings() }.table();
        assert!(!less.contains("memory") && !less.contains("more"), "{less}");
    }

    #[test]
    fn the_lines_have_the_same_figures() {
        let lines = findings().lines();
        for line in ["bytes_per_connection 250.0000", "server_cpu_share 0.0500", "connects_per_s 10000.0000"]
        {
            assert!(lines.lines().any(|found| found == line), "{line} in\n{lines}");
        }
        assert!(!Findings { before: None, ..findings() }.lines().contains("bytes"));
    }
}
