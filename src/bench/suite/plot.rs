//! The plot: a panel for each work, a bar for each peer, and a line from its least to its most.

use super::{Results, Spread};
use crate::figures::decimal;
use crate::svg::{Head, Svg};

/// Work, figure, title, and what a value is multiplied by.
type Panels = [(&'static str, &'static str, &'static str, f64)];

const PANELS: &Panels = &[
    ("down", "gbit_per_s", "Sending, one flow, Gbit/s", 1.0),
    ("up", "gbit_per_s", "Receiving, one flow, Gbit/s", 1.0),
    ("down8", "gbit_per_s", "Sending, eight flows, Gbit/s", 1.0),
    ("up8", "gbit_per_s", "Receiving, eight flows, Gbit/s", 1.0),
    ("down-owned", "gbit_per_s", "Sending, owned buffers, Gbit/s", 1.0),
    ("up-owned", "gbit_per_s", "Receiving, owned buffers, Gbit/s", 1.0),
    ("down-64k", "gbit_per_s", "Sending, MTU 65535, Gbit/s", 1.0),
    ("up-64k", "gbit_per_s", "Receiving, MTU 65535, Gbit/s", 1.0),
    ("down8-64k", "gbit_per_s", "Sending, 8 flows, MTU 65535, Gbit/s", 1.0),
    ("up8-64k", "gbit_per_s", "Receiving, 8 flows, MTU 65535, Gbit/s", 1.0),
    ("down", "server_cpu_s_per_gb", "Sending, server's CPU s/GB, less is better", 1.0),
    ("up", "server_cpu_s_per_gb", "Receiving, server's CPU s/GB, less is better", 1.0),
    ("long", "requests_per_s", "Requests, 50 long connections, 1,000/s", 1e-3),
    ("pipeline", "requests_per_s", "Requests, 16 pipelined, 1,000/s", 1e-3),
    ("short", "requests_per_s", "Requests, short connections, 1,000/s", 1e-3),
    ("echo1", "p50_us", "Echo, one CPU, p50, µs, less is better", 1.0),
    ("echo1", "p99_us", "Echo, one CPU, p99, µs, less is better", 1.0),
    ("echo2", "p50_us", "Echo, two CPUs, p50, µs, less is better", 1.0),
    ("idle10k", "bytes_per_connection", "10,000 idle, bytes each, less is better", 1.0),
    ("idle100k", "bytes_per_connection", "100,000 idle, bytes each, less is better", 1.0),
    ("idle1m", "bytes_per_connection", "1,000,000 idle, bytes each, less is better", 1.0),
];

const COLUMNS: usize = 3;
const PANEL_WIDTH: f64 = 310.0;
const BAR: f64 = 13.0;
const GAP: f64 = 3.0;
/// Where bars begin within a panel, and how long the longest is: behind it is room for its value.
const BARS_X: f64 = 62.0;
const BARS_LENGTH: f64 = 190.0;
const TITLE: f64 = 20.0;

const STYLE: &str = "\
text{font:11px ui-sans-serif,system-ui,'DejaVu Sans',sans-serif;fill:#1f2328}
.end{text-anchor:end}.title{font-weight:600;font-size:12px}
.ours{fill:#0969da}.other{fill:#8c959f}.spread{stroke:#1f2328;stroke-width:1.5}.back{fill:#ffffff}
@media (prefers-color-scheme:dark){text{fill:#f0f6fc}.ours{fill:#4493f8}.other{fill:#656c76}
.spread{stroke:#f0f6fc}.back{fill:#0d1117}}
";

/// A picture of everything that was measured and has a panel.
pub(crate) fn plot(results: &Results) -> String {
    let panels: Vec<_> = PANELS.iter().filter_map(|panel| Panel::of(results, *panel)).collect();
    let (mut svg, mut description, mut y) = (Svg::new(), Vec::new(), 10.0);
    for row in panels.chunks(COLUMNS) {
        let mut height = 0.0_f64;
        for (column, panel) in row.iter().enumerate() {
            height = height.max(panel.draw(&mut svg, (10.0 + PANEL_WIDTH * column as f64, y)));
            description.push(panel.words());
        }
        y += height;
    }
    let (width, description) = (20.0 + PANEL_WIDTH * COLUMNS as f64, description.join("; "));
    let mut picture = Svg::new();
    picture.rectangle((0.0, 0.0), (width, y), 0.0, "back");
    let head = Head { title: "longwire beside its peers", description: &description, style: STYLE };
    picture.followed_by(&svg).into_file(width, y, &head)
}

struct Panel<'a> {
    title: &'static str,
    bars: Vec<(&'a str, Spread)>,
}

impl Panel<'_> {
    /// `None` if nobody has done this work.
    fn of<'a>(
        results: &'a Results,
        (work, name, title, scale): (&str, &str, &'static str, f64),
    ) -> Option<Panel<'a>> {
        let spread = |peer: &'a String| {
            let Spread { least, median, most } = results.spread(peer, work, name)?;
            Some((peer.as_str(), Spread { least: least * scale, median: median * scale, most: most * scale }))
        };
        let bars: Vec<_> = results.peers.iter().filter_map(spread).collect();
        (!bars.is_empty()).then_some(Panel { title, bars })
    }

    /// Draws it with its corner there; says how high it is.
    fn draw(&self, svg: &mut Svg, (x, top): (f64, f64)) -> f64 {
        let longest = self.bars.iter().map(|(_, spread)| spread.most).fold(f64::MIN_POSITIVE, f64::max);
        let at = |value: f64| x + BARS_X + value / longest * BARS_LENGTH;
        svg.text((x, top + 12.0), "title", self.title);
        let mut y = top + TITLE;
        for (peer, Spread { least, median, most }) in &self.bars {
            let class = if matches!(*peer, "longwire" | "plain") { "ours" } else { "other" };
            svg.text((x + BARS_X - 6.0, y + 10.0), "end", peer);
            svg.rectangle((at(0.0), y), ((at(*median) - at(0.0)).max(1.0), BAR), 2.0, class);
            svg.line((at(*least), y + BAR / 2.0), (at(*most), y + BAR / 2.0), "spread");
            svg.text((at(*most) + 6.0, y + 10.0), "value", &decimal(*median));
            y += BAR + GAP;
        }
        y - top + 16.0
    }

    fn words(&self) -> String {
        let bars: Vec<_> =
            self.bars.iter().map(|(peer, s)| format!("{peer} {}", decimal(s.median))).collect();
        format!("{}: {}", self.title, bars.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::results;
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_medians() {
        let picture = plot(&results());
        // The most of all, 40, is at the full length; the medians are 30 and 40.
        assert!(picture.contains("width=\"142.5\" height=\"13\" rx=\"2\" class=\"ours\""), "{picture}");
        assert!(picture.contains("width=\"190\" height=\"13\" rx=\"2\" class=\"other\""), "{picture}");
        assert!(picture.contains("Sending, one flow, Gbit/s: longwire 30.0, floor 40.0;"), "{picture}");
    }

    #[test]
    fn nothing_is_a_picture_of_nothing() {
        assert!(plot(&Results::default()).contains("<desc></desc>"));
    }
}
