//! The tables.

use std::fmt::Write;

use super::{Results, Spread};
use crate::figures::decimal;

/// A figure of a work, and what it is called at the head of a column.
type Column = (&'static str, &'static str, &'static str);

/// Whom the ratios are about.
const OURS: &str = "longwire";
/// The plain device has peers of its own.
const OURS_PLAIN: &str = "plain";

const TABLES: [(&str, &[Column]); 6] = [
    (
        "Bulk, Gbit/s",
        &[
            ("down", "gbit_per_s", "sending, 1 flow"),
            ("up", "gbit_per_s", "receiving, 1 flow"),
            ("down8", "gbit_per_s", "sending, 8 flows"),
            ("up8", "gbit_per_s", "receiving, 8 flows"),
        ],
    ),
    (
        "Bulk, the server's CPU seconds for a GB",
        &[
            ("down", "server_cpu_s_per_gb", "sending, 1 flow"),
            ("up", "server_cpu_s_per_gb", "receiving, 1 flow"),
            ("down8", "server_cpu_s_per_gb", "sending, 8 flows"),
            ("up8", "server_cpu_s_per_gb", "receiving, 8 flows"),
        ],
    ),
    (
        "Small HTTP requests, 1,000 a second",
        &[
            ("long", "requests_per_s", "50 long connections"),
            ("pipeline", "requests_per_s", "the same, 16 at once"),
            ("short", "requests_per_s", "50 at once, a connection each"),
        ],
    ),
    (
        "The server's CPU for a request, µs",
        &[
            ("long", "server_cpu_us_per_request", "50 long connections"),
            ("pipeline", "server_cpu_us_per_request", "the same, 16 at once"),
            ("short", "server_cpu_us_per_request", "50 at once, a connection each"),
        ],
    ),
    (
        "Echo of a byte, client and server on one processor, µs",
        &[("echo1", "p50_us", "p50"), ("echo1", "p99_us", "p99"), ("echo1", "p999_us", "p99.9")],
    ),
    (
        "Echo of a byte, client and server on two processors, µs",
        &[("echo2", "p50_us", "p50"), ("echo2", "p99_us", "p99"), ("echo2", "p999_us", "p99.9")],
    ),
];

/// Everything that was measured, in Markdown: medians, with the least and the most, and our share of the others'.
pub(crate) fn markdown(results: &Results) -> String {
    let mut out = String::new();
    for remark in &results.remarks {
        line(&mut out, &format!("- {remark}"));
    }
    for (title, columns) in TABLES {
        let rows: Vec<Vec<String>> =
            results.peers.iter().filter_map(|peer| row(results, peer, columns)).collect();
        let headings: Vec<&str> = columns.iter().map(|(.., heading)| *heading).collect();
        table(&mut out, title, &headings, &rows);
    }
    for ours in [OURS, OURS_PLAIN] {
        ratios(&mut out, results, ours);
    }
    out
}

fn row(results: &Results, peer: &str, columns: &[Column]) -> Option<Vec<String>> {
    let spreads: Vec<_> = columns.iter().map(|(work, name, _)| results.spread(peer, work, name)).collect();
    spreads.iter().any(Option::is_some).then(|| {
        let scale = |name: &str| if name == "requests_per_s" { 1e-3 } else { 1.0 };
        let cells = spreads.iter().zip(columns);
        let cells = cells
            .map(|(spread, (_, name, _))| spread.map_or(String::new(), |s| s.scaled(scale(name)).cell()));
        std::iter::once(peer.to_owned()).chain(cells).collect()
    })
}

/// Every figure of `ours` by that of each other peer.
fn ratios(out: &mut String, results: &Results, ours: &str) {
    let others: Vec<&str> = results.peers.iter().map(String::as_str).filter(|peer| *peer != ours).collect();
    let mut rows = Vec::new();
    for (title, columns) in TABLES {
        for (work, name, heading) in columns {
            let cells: Vec<String> = others
                .iter()
                .map(|other| results.ratio((ours, other), work, name).map_or(String::new(), Spread::cell))
                .collect();
            if cells.iter().any(|cell| !cell.is_empty()) {
                let what = format!("{title}: {heading}");
                rows.push(std::iter::once(what).chain(cells).collect());
            }
        }
    }
    let headings: Vec<String> = others.iter().map(|other| format!("{ours} / {other}")).collect();
    let headings: Vec<&str> = headings.iter().map(String::as_str).collect();
    table(out, &format!("{ours} beside the others"), &headings, &rows);
}

/// A table with a heading, unless it is empty.
fn table(out: &mut String, title: &str, headings: &[&str], rows: &[Vec<String>]) {
    if rows.is_empty() {
        return;
    }
    line(out, &format!("\n### {title}\n"));
    line(out, &format!("| | {} |", headings.join(" | ")));
    line(out, &format!("| --- |{}", " --- |".repeat(headings.len())));
    for row in rows {
        line(out, &format!("| {} |", row.join(" | ")));
    }
}

fn line(out: &mut String, text: &str) {
    writeln!(out, "{text}").expect("a String takes everything");
}

impl Spread {
    fn scaled(self, by: f64) -> Spread {
        Spread { least: self.least * by, median: self.median * by, most: self.most * by }
    }

    /// The median, and the least and the most if they differ.
    fn cell(self) -> String {
        let Spread { least, median, most } = self;
        match least < most {
            true => format!("{} ({} to {})", decimal(median), decimal(least), decimal(most)),
            false => decimal(median),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::results;
    use super::*;

    #[test]
    fn a_row_for_each_peer_that_has_done_the_work() {
        let text = markdown(&results());
        assert!(text.starts_with("- processor: test\n\n### Bulk, Gbit/s\n"), "{text}");
        assert!(text.contains("\n| longwire | 30.0 (10.0 to 36.0) |  |  |  |\n"), "{text}");
        assert!(text.contains("\n| floor | 40.0 (20.0 to 40.0) |  |  |  |\n"), "{text}");
        assert!(
            text.contains("\n| longwire | 30.0 (10.0 to 36.0) |  |  |\n"),
            "requests in thousands: {text}"
        );
        assert!(!text.contains("Echo"), "nothing was measured of it: {text}");
    }

    #[test]
    fn ratios_stand_beside_what_they_are_of() {
        let text = markdown(&results());
        assert!(text.contains("\n| | longwire / floor |\n"), "{text}");
        assert!(text.contains("\n| Bulk, Gbit/s: sending, 1 flow | 0.75 (0.50 to 0.90) |\n"), "{text}");
    }
}
