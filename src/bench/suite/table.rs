//! The tables.

use std::fmt::Write;

use super::{Results, Spread};
use crate::figures::decimal;

/// A figure of a work, and what it is called at the head of a column.
type Column = (&'static str, &'static str, &'static str);

/// Whom the ratios are about.
const OURS: &str = "longwire";
/// The plain device has peers of its own: those without super-packets.
const OURS_PLAIN: &str = "plain";
const PLAIN_PEERS: [&str; 3] = ["smoltcp", "lwip", "gvisor"];

/// What the columns have in common, and they.
type Table = (&'static str, &'static [Column]);

const TABLES: [Table; 13] = [
    (
        "Bulk, MTU 1500, Gbit/s",
        &[
            ("down", "gbit_per_s", "sending, 1 flow"),
            ("up", "gbit_per_s", "receiving, 1 flow"),
            ("down8", "gbit_per_s", "sending, 8 flows"),
            ("up8", "gbit_per_s", "receiving, 8 flows"),
        ],
    ),
    (
        "Bulk, MTU 1500, the server's CPU seconds for a GB",
        &[
            ("down", "server_cpu_s_per_gb", "sending, 1 flow"),
            ("up", "server_cpu_s_per_gb", "receiving, 1 flow"),
            ("down8", "server_cpu_s_per_gb", "sending, 8 flows"),
            ("up8", "server_cpu_s_per_gb", "receiving, 8 flows"),
        ],
    ),
    (
        "Bulk, MTU 1500, owned buffers beside a floor that copies, Gbit/s",
        &[("down-owned", "gbit_per_s", "sending, 1 flow"), ("up-owned", "gbit_per_s", "receiving, 1 flow")],
    ),
    (
        "Bulk, MTU 1500, owned buffers beside a floor that copies, the server's CPU seconds for a GB",
        &[
            ("down-owned", "server_cpu_s_per_gb", "sending, 1 flow"),
            ("up-owned", "server_cpu_s_per_gb", "receiving, 1 flow"),
        ],
    ),
    (
        "Bulk, MTU 65535, Gbit/s",
        &[
            ("down-64k", "gbit_per_s", "sending, 1 flow"),
            ("up-64k", "gbit_per_s", "receiving, 1 flow"),
            ("down8-64k", "gbit_per_s", "sending, 8 flows"),
            ("up8-64k", "gbit_per_s", "receiving, 8 flows"),
        ],
    ),
    (
        "Bulk, MTU 65535, the server's CPU seconds for a GB",
        &[
            ("down-64k", "server_cpu_s_per_gb", "sending, 1 flow"),
            ("up-64k", "server_cpu_s_per_gb", "receiving, 1 flow"),
            ("down8-64k", "server_cpu_s_per_gb", "sending, 8 flows"),
            ("up8-64k", "server_cpu_s_per_gb", "receiving, 8 flows"),
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
    ("Idle connections, 10,000", &idle("idle10k")),
    ("Idle connections, 100,000", &idle("idle100k")),
    ("Idle connections, 1,000,000", &idle("idle1m")),
];

const fn idle(work: &'static str) -> [Column; 5] {
    [
        (work, "bytes_per_connection", "memory for each, bytes"),
        (work, "p50_us_few", "a request with 10 open, p50, µs"),
        (work, "p50_us", "with all open, p50, µs"),
        (work, "p99_us", "the same, p99"),
        (work, "connects_per_s", "1,000 connects a second, with all open"),
    ]
}

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
    ratios(&mut out, results, OURS, |other| other != OURS && other != OURS_PLAIN);
    ratios(&mut out, results, OURS_PLAIN, |other| PLAIN_PEERS.contains(&other));
    out
}

fn row(results: &Results, peer: &str, columns: &[Column]) -> Option<Vec<String>> {
    let spreads: Vec<_> = columns.iter().map(|(work, name, _)| results.spread(peer, work, name)).collect();
    spreads.iter().any(Option::is_some).then(|| {
        let scale = |name: &str| if matches!(name, "requests_per_s" | "connects_per_s") { 1e-3 } else { 1.0 };
        let cells = spreads.iter().zip(columns);
        let cells = cells
            .map(|(spread, (_, name, _))| spread.map_or(String::new(), |s| s.scaled(scale(name)).cell()));
        std::iter::once(peer.to_owned()).chain(cells).collect()
    })
}

/// Every figure of `ours` by that of each of the others.
fn ratios(out: &mut String, results: &Results, ours: &str, is_other: impl Fn(&str) -> bool) {
    let others: Vec<&str> = results.peers.iter().map(String::as_str).filter(|peer| is_other(peer)).collect();
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
        assert!(text.starts_with("- processor: test\n\n### Bulk, MTU 1500, Gbit/s\n"), "{text}");
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
        assert!(
            text.contains("\n| Bulk, MTU 1500, Gbit/s: sending, 1 flow | 0.75 (0.50 to 0.90) |\n"),
            "{text}"
        );
    }
}
