//! The figures of a measurement as people read them: the same in the terminal and in the report.

use super::measure::Measurement;
use super::report::Comparison;
use crate::figures::{bytes, decimal, grouped, time};

/// What is shown for a figure that could not be had.
const NONE: &str = "–";

/// A column: its head, and what stands in it.
pub(super) struct Column {
    pub(super) head: &'static str,
    pub(super) value: fn(&Measurement) -> String,
}

/// All columns behind the server's name.
pub(super) const COLUMNS: [Column; 14] = [
    Column { head: "connections", value: |m| m.life.name().to_owned() },
    Column { head: "requests/s", value: |m| grouped(m.rate().round() as u64) },
    Column { head: "p50", value: |m| time(m.tally.latency.quantile(0.5)) },
    Column { head: "p90", value: |m| time(m.tally.latency.quantile(0.9)) },
    Column { head: "p99", value: |m| time(m.tally.latency.quantile(0.99)) },
    Column { head: "p99.9", value: |m| time(m.tally.latency.quantile(0.999)) },
    Column { head: "packets/req", value: |m| per_request(m, m.wire.map(|wire| wire.segments)) },
    Column { head: "SYNs/req", value: |m| per_request(m, m.wire.map(|wire| wire.syns)) },
    Column { head: "bytes/req", value: |m| per_request(m, m.wire.map(|wire| wire.bytes)) },
    Column { head: "TIME-WAIT client", value: |m| m.time_wait.client.map_or(NONE.into(), grouped) },
    Column { head: "TIME-WAIT server", value: |m| m.time_wait.server.map_or(NONE.into(), grouped) },
    Column { head: "CPU/req", value: |m| m.server_cpu_per_request().map_or(NONE.into(), time) },
    Column { head: "memory", value: |m| m.server.map_or(NONE.into(), |cost| bytes(cost.memory_most)) },
    Column { head: "failed", value: |m| grouped(m.tally.failed() + m.tally.refused) },
];

fn per_request(measurement: &Measurement, count: Option<u64>) -> String {
    count.and_then(|count| measurement.per_request(count)).map_or(NONE.into(), decimal)
}

/// The table for a terminal.
pub(crate) fn terminal_table(comparisons: &[Comparison]) -> String {
    let head = std::iter::once("server").chain(COLUMNS.iter().map(|column| column.head));
    let mut lines: Vec<Vec<String>> = vec![head.map(str::to_owned).collect()];
    for comparison in comparisons {
        for measurement in &comparison.measurements {
            let values = COLUMNS.iter().map(|column| (column.value)(measurement));
            lines.push(std::iter::once(comparison.target.label.clone()).chain(values).collect());
        }
    }
    let widths: Vec<usize> = (0..=COLUMNS.len())
        .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for line in &lines {
        let cells = line.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
            0 | 1 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::tests::comparison;
    use super::*;

    #[test]
    fn the_table_has_a_line_for_each_measurement() {
        let table = terminal_table(&[comparison("nginx"), comparison("longwire")]);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 5);
        assert!(lines[0].starts_with("server    connections  requests/s"), "{table}");
        assert!(lines[1].starts_with("nginx     short "), "{table}");
        assert!(lines[4].starts_with("longwire  long  "), "{table}");
        let words: Vec<&str> = lines[1].split_whitespace().collect();
        assert!(words.contains(&"11.0") && words.contains(&"1.00"), "packets and SYNs: {table}");
    }
}
