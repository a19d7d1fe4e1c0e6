//! The report: one HTML file with everything in it.

use std::fmt::Display;
use std::time::Duration;

use super::columns::COLUMNS;
use super::load::{Amount, Life};
use super::measure::{Measurement, Source, Target};
use super::plots::{self, Bars, Percentiles};
use crate::figures::{bytes, decimal, grouped, time};
use crate::svg::Escaped;

/// Whose TCP carried the load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientKind {
    Kernel,
    OwnStack,
}

impl ClientKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            ClientKind::Kernel => "kernel",
            ClientKind::OwnStack => "longwire",
        }
    }
}

/// One server over both kinds of connection.
#[derive(Clone, Debug)]
pub(crate) struct Comparison {
    pub(crate) target: Target,
    pub(crate) source: Source,
    pub(crate) measurements: Vec<Measurement>,
}

impl Comparison {
    fn of(&self, life: Life) -> Option<&Measurement> {
        self.measurements.iter().find(|measurement| measurement.life == life)
    }
}

/// All that was measured.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) machine: String,
    pub(crate) client: ClientKind,
    pub(crate) amount: Amount,
    pub(crate) comparisons: Vec<Comparison>,
    /// Ctrl-C came before the end.
    pub(crate) interrupted: bool,
}

const STYLE: &str = "\
:root{color-scheme:light dark}
body{font:15px/1.5 ui-sans-serif,system-ui,sans-serif;max-width:1080px;margin:2rem auto;padding:0 1rem;
background:#ffffff;color:#1f2328}
h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2rem}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-size:12.5px}
th,td{padding:.3rem .45rem;text-align:right;border-bottom:1px solid #d1d9e0}td{white-space:nowrap}th{vertical-align:bottom}
th:first-child,td:first-child,th:nth-child(2),td:nth-child(2){text-align:left}
.plots{display:flex;flex-wrap:wrap;align-items:flex-start;gap:1.5rem 2.5rem}.plots svg{max-width:100%;height:auto}
.note{color:#59636e;font-size:13px}
";
const DARK_STYLE: &str = "\
body{background:#0d1117;color:#f0f6fc}th,td{border-color:#3d444d}.note{color:#9198a1}
";

/// The report as a page.
pub(crate) fn html(report: &Report) -> String {
    let mut page = Page(String::new());
    page.raw("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    page.raw("<meta name=\"viewport\" content=\"width=device-width\">\n");
    page.element("title", "", "Short and long connections");
    let (plots, dark) = (plots::STYLE, plots::DARK_STYLE);
    page.raw(&format!(
        "<style>\n{STYLE}{plots}@media (prefers-color-scheme:dark){{\n{DARK_STYLE}{dark}}}\n</style>\n</head>\n<body>\n"
    ));
    page.element("h1", "", "Short and long connections");
    introduction(&mut page, report);
    for sentence in report.comparisons.iter().filter_map(conclusion) {
        page.element("p", "", &sentence);
    }
    table(&mut page, report);
    page.element("h2", "", "Plots");
    page.raw("<div class=\"plots\">\n");
    for picture in pictures(report) {
        page.raw(&picture);
    }
    page.raw("</div>\n");
    failures(&mut page, report);
    notes(&mut page, report);
    page.raw("</body>\n</html>\n");
    page.0
}

/// HTML that grows.
struct Page(String);

impl Page {
    /// Markup of our own.
    fn raw(&mut self, markup: &str) {
        self.0.push_str(markup);
    }

    /// An element with text of anybody's.
    fn element(&mut self, name: &str, class: &str, text: &str) {
        let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
        self.raw(&format!("<{name}{class}>{}</{name}>\n", Escaped(text)));
    }
}

fn introduction(page: &mut Page, report: &Report) {
    let Report { machine, client, amount, interrupted, .. } = report;
    let tcp = match client {
        ClientKind::Kernel => "the kernel's TCP",
        ClientKind::OwnStack => "longwire's own TCP",
    };
    let Amount { requests, concurrency, duration, .. } = amount;
    page.element(
        "p",
        "",
        &format!(
            "The same requests twice: once with a connection for each (short, Connection: close), and once with \
             connections that stay (long). {concurrency} clients at once over {tcp}, each asking again as soon as it \
             is answered; up to {} requests or {} a run. Machine: {machine}.",
            grouped(*requests),
            time(*duration),
        ),
    );
    if *interrupted {
        page.element("p", "", "The measurement was interrupted: what follows is what there was until then.");
    }
}

/// What the two kinds of connection come to for one server, in a sentence.
fn conclusion(comparison: &Comparison) -> Option<String> {
    let (short, long) = (comparison.of(Life::Short)?, comparison.of(Life::Long)?);
    if short.tally.answered() == 0 || long.tally.answered() == 0 {
        return None;
    }
    let mut parts = vec![format!(
        "{}: long connections answered {} times as many requests a second ({} against {})",
        comparison.target.label,
        decimal(long.rate() / short.rate()),
        grouped(long.rate().round() as u64),
        grouped(short.rate().round() as u64),
    )];
    if let (Some(a), Some(b)) = (long.wire, short.wire) {
        let (a, b) = (long.per_request(a.segments)?, short.per_request(b.segments)?);
        parts.push(format!("with {} packets for each instead of {}", decimal(a), decimal(b)));
    }
    let left = |m: &Measurement| Some(m.time_wait.client? + m.time_wait.server?);
    if let (Some(a), Some(b)) = (left(long), left(short)) {
        parts.push(format!("and left {} connections in TIME-WAIT instead of {}", grouped(a), grouped(b)));
    }
    Some(format!("{}.", parts.join(", ")))
}

fn table(page: &mut Page, report: &Report) {
    page.raw("<div class=\"scroll\"><table>\n<thead><tr>");
    page.element("th", "", "server");
    for column in &COLUMNS {
        page.element("th", "", column.head);
    }
    page.raw("</tr></thead>\n<tbody>\n");
    for comparison in &report.comparisons {
        for measurement in &comparison.measurements {
            page.raw("<tr>");
            page.element("td", "", &comparison.target.label);
            for column in &COLUMNS {
                page.element("td", "", &(column.value)(measurement));
            }
            page.raw("</tr>\n");
        }
    }
    page.raw("</tbody></table></div>\n");
}

/// All plots for which there are figures.
fn pictures(report: &Report) -> Vec<String> {
    let mut pictures: Vec<String> = Vec::new();
    let bars = |title, shown, value: fn(&Measurement) -> Option<f64>| {
        let bars = all(report).filter_map(|(label, m)| Some((label, m.life, value(m)?))).collect();
        Bars { title, bars, shown }.draw()
    };
    let rate = |value: f64| grouped(value.round() as u64);
    pictures.extend(percentiles(report));
    pictures.extend(bars("Requests a second", rate, |m| Some(m.rate())));
    pictures.extend(bars("Packets per request", decimal, |m| m.per_request(m.wire?.segments)));
    pictures.extend(bars("SYNs per request", decimal, |m| m.per_request(m.wire?.syns)));
    pictures.extend(bars("Bytes on the wire per request", decimal, |m| m.per_request(m.wire?.bytes)));
    let count = |value: f64| grouped(value as u64);
    pictures.extend(bars("Left in TIME-WAIT, client and server", count, |m| {
        Some((m.time_wait.client? + m.time_wait.server?) as f64)
    }));
    let cpu = |value: f64| time(Duration::from_secs_f64(value));
    pictures.extend(bars("Processor time of the server per request", cpu, |m| {
        Some(m.server_cpu_per_request()?.as_secs_f64())
    }));
    let memory = |value: f64| bytes(value as u64);
    pictures.extend(bars("Memory of the server (resident, most)", memory, |m| {
        Some(m.server?.memory_most as f64)
    }));
    pictures
}

fn all(report: &Report) -> impl Iterator<Item = (&str, &Measurement)> {
    let of = |comparison: &'_ Comparison| comparison.measurements.len();
    debug_assert!(report.comparisons.iter().map(of).all(|count| count <= 2));
    report.comparisons.iter().flat_map(|comparison| {
        comparison.measurements.iter().map(|measurement| (comparison.target.label.as_str(), measurement))
    })
}

/// Latency by percentile for each server, all on the same scale.
fn percentiles(report: &Report) -> Vec<String> {
    let answered = || all(report).filter(|(_, m)| m.tally.answered() > 0).map(|(_, m)| &m.tally.latency);
    let Some(least) = answered().map(|latency| latency.quantile(0.0)).min() else { return Vec::new() };
    let most = answered().map(|latency| latency.quantile(1.0)).max().unwrap_or(least);
    let draw = |comparison: &Comparison| {
        let answered = comparison.measurements.iter().filter(|m| m.tally.answered() > 0);
        let curves: Vec<_> = answered.map(|m| (m.life, &m.tally.latency)).collect();
        let title = format!("Latency, {}", comparison.target.label);
        (!curves.is_empty()).then(|| Percentiles { title: &title, curves, range: (least, most) }.draw())
    };
    report.comparisons.iter().filter_map(draw).collect()
}

fn failures(page: &mut Page, report: &Report) {
    let failed: Vec<String> = all(report)
        .flat_map(|(label, m)| {
            let line = |words: &dyn Display, count: u64| {
                format!("{label}, {} connections: {} × {words}", m.life.name(), grouped(count))
            };
            let refused = (m.tally.refused > 0).then(|| line(&"a status from 400", m.tally.refused));
            let failures = m.tally.failures.iter().map(|(words, count)| line(words, *count));
            failures.chain(refused).collect::<Vec<_>>()
        })
        .collect();
    if failed.is_empty() {
        return;
    }
    page.element("h2", "", "What went wrong");
    page.raw("<ul>\n");
    for line in failed {
        page.element("li", "", &line);
    }
    page.raw("</ul>\n");
}

/// What the figures are, and what they are not.
fn notes(page: &mut Page, report: &Report) {
    page.element("h2", "", "Where the figures come from");
    page.raw("<ul class=\"note\">\n");
    for comparison in &report.comparisons {
        let Comparison { target, source, .. } = comparison;
        page.element(
            "li",
            "",
            &format!("{} is {} ({}); {}.", target.label, target.url, target.address, source.words()),
        );
    }
    for note in [
        "Latency is from asking, and from opening the connection where that comes first, to the last byte of the \
         answer, as a client sees it. A client asks only once it has been answered, so a server that stalls is asked \
         less in the meantime; latencies under a fixed rate of requests would be longer.",
        "The load and the server share a machine, and its processors.",
        "Packets are segments as they are on the wire; a super-packet counts as what it is cut into wherever the \
         kernel counts. Bytes are those of IP packets, with the headers of a super-packet counted once.",
        "TIME-WAIT is what a run has added: on the kernel's sockets from /proc/net/tcp, on a stack of longwire's own \
         from its counters (the server's at /metrics). The kernel forgets after 60 s, and an entry is taken over by a SYN \
         from the same port, which clients choose at random.",
        "Processor time and memory are those of the server's processes as /proc has them (--server-pid). What the \
         kernel does for its own TCP in interrupts, or in the client's system calls, is in nobody's account, and \
         neither is the memory of its sockets.",
    ] {
        page.element("li", "", note);
    }
    page.raw("</ul>\n");
}

#[cfg(test)]
mod tests {
    use super::super::tests::{comparison, report};
    use super::*;

    #[test]
    fn the_report_says_it_in_a_sentence() {
        let page = html(&report());
        let sentence = "nginx: long connections answered 4.00 times as many requests a second (4,000 against 1,000), \
                        with 2.00 packets for each instead of 11.0.";
        assert!(page.contains(sentence), "{page}");
    }

    #[test]
    fn every_figure_has_its_plot_and_what_is_not_there_has_none() {
        let page = html(&report());
        for title in ["Requests a second", "Latency, nginx", "Packets per request", "SYNs per request"] {
            assert!(page.contains(&format!("<title>{title}</title>")), "{title}");
        }
        assert!(!page.contains("Left in TIME-WAIT"), "nobody could say for the server");
        assert!(!page.contains("Memory of the server"));
    }

    #[test]
    fn the_page_is_whole_in_itself_and_escapes_what_others_wrote() {
        let mut report = report();
        report.comparisons[0] = comparison("<script>alert(1)</script>");
        let page = html(&report);
        assert!(!page.contains("<script") && page.contains("&lt;script&gt;"));
        for outside in ["src=", "href=", "@import", "url("] {
            assert!(!page.contains(outside), "{outside}");
        }
        for tag in ["div", "table", "tr", "svg", "ul", "li", "p", "h2"] {
            let opened =
                page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
            assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{tag}");
        }
    }

    #[test]
    fn failures_and_interruptions_are_told() {
        let mut report = report();
        report.interrupted = true;
        let page = html(&report);
        assert!(page.contains("was interrupted"));
        assert!(page.contains("nginx, short connections: 2 × no answer in time"), "{page}");
        report.comparisons.clear();
        assert!(!html(&report).contains("What went wrong"));
    }
}
