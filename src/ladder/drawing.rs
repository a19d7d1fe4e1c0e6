//! From rows to SVG.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::End;
use super::connections::{Analysis, Connection};
use super::rows::Row;
use super::tracker::{Arrow, Ending, Mark};
use crate::figures::{exact_time, grouped};
use crate::svg::{Head, Svg};
use crate::wire::TcpFlags;

const WIDTH: f64 = 960.0;
/// The life-lines.
const CLIENT_X: f64 = 140.0;
const SERVER_X: f64 = 760.0;
/// Where times end, and where marks begin.
const TIME_X: f64 = 126.0;
const MARK_X: f64 = 776.0;
/// How far an arrow falls on its way.
const FALL: f64 = 8.0;
/// Characters that fit over an arrow.
const LABEL_LEN: usize = 84;

/// Colours as GitHub has them, light and dark; the words stand beside every colour.
const STYLE: &str = "\
.paper{fill:#ffffff}
text{font-family:ui-sans-serif,system-ui,'DejaVu Sans',Helvetica,Arial,sans-serif;font-size:12px;fill:#1f2328}
.big{font-size:16px;font-weight:600}.quiet{fill:#59636e}.box{fill:#f6f8fa;stroke:#d1d9e0}
.who{font-weight:600;text-anchor:middle}.where{fill:#59636e;text-anchor:middle;font-size:11px}
.time{text-anchor:end;font-size:11px;fill:#59636e}.middle{text-anchor:middle}
.label,.time{font-family:ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace}
.label{font-size:11px;text-anchor:middle}.http{font-weight:600;text-anchor:middle}
.life{stroke:#818b98;stroke-width:1.5}.pause{stroke:#818b98;stroke-width:1.5;stroke-dasharray:2 5}
.left-out{fill:#f6f8fa;stroke:#d1d9e0;stroke-dasharray:4 3}
.line{stroke-width:1.6;fill:none}.again{stroke-dasharray:6 4}
.ack{stroke:#818b98}.ack-head{fill:#818b98}.data{stroke:#1f2328}.data-head{fill:#1f2328}
.syn{stroke:#1a7f37}.syn-head,.syn-word{fill:#1a7f37}.fin{stroke:#8250df}.fin-head,.fin-word{fill:#8250df}
.rst{stroke:#cf222e}.rst-head,.rst-word{fill:#cf222e}.probe{stroke:#0969da}.probe-head,.probe-word{fill:#0969da}
.loss{stroke:#bc4c00}.loss-head,.loss-word{fill:#bc4c00}.zero{stroke:#bf3989}.zero-head,.zero-word{fill:#bf3989}
.word{font-weight:600;font-size:11px}
@media (prefers-color-scheme:dark){
.paper{fill:#0d1117}text{fill:#f0f6fc}.quiet,.where,.time{fill:#9198a1}.box,.left-out{fill:#151b23;stroke:#3d444d}
.life,.pause,.ack{stroke:#656c76}.ack-head{fill:#656c76}.data{stroke:#f0f6fc}.data-head{fill:#f0f6fc}
.syn{stroke:#3fb950}.syn-head,.syn-word{fill:#3fb950}.fin{stroke:#ab7df8}.fin-head,.fin-word{fill:#ab7df8}
.rst{stroke:#f85149}.rst-head,.rst-word{fill:#f85149}.probe{stroke:#4493f8}.probe-head,.probe-word{fill:#4493f8}
.loss{stroke:#db6d28}.loss-head,.loss-word{fill:#db6d28}.zero{stroke:#db61a2}.zero-head,.zero-word{fill:#db61a2}
}
";

/// Names for addresses, or for an address with a port, over the life-lines.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    addresses: HashMap<IpAddr, String>,
    ends: HashMap<SocketAddr, String>,
}

impl Names {
    /// Calls an address `name`, whatever the port.
    pub(crate) fn address(&mut self, address: IpAddr, name: &str) {
        self.addresses.insert(address, name.to_owned());
    }

    /// Calls one end `name`.
    pub(crate) fn end(&mut self, end: SocketAddr, name: &str) {
        self.ends.insert(end, name.to_owned());
    }

    fn of(&self, address: SocketAddr, end: End) -> String {
        let given = self.ends.get(&address).or_else(|| self.addresses.get(&address.ip()));
        given.cloned().unwrap_or_else(|| end.to_string())
    }
}

/// All connections of the analysis, one below the other. `remark` stands at the end, such as that the file is cut off.
pub(crate) fn draw(analysis: &Analysis, names: &Names, remark: Option<&str>) -> String {
    let mut ladder = Ladder { svg: Svg::new(), y: 28.0, names };
    for connection in &analysis.connections {
        ladder.connection(connection);
    }
    let left = analysis.over_limit;
    if left > 0 {
        let more =
            if left == 1 { "1 more connection" } else { &format!("{} more connections", grouped(left)) };
        ladder.remark(&format!("… and {more} in the capture"));
    }
    if analysis.untracked > 0 {
        let count = grouped(analysis.untracked);
        ladder.remark(&format!("… and {count} segments of connections too many to tell apart"));
    }
    if let Some(remark) = remark {
        ladder.remark(remark);
    }
    ladder.finish(analysis)
}

struct Ladder<'a> {
    svg: Svg,
    /// Where the next row begins.
    y: f64,
    names: &'a Names,
}

impl Ladder<'_> {
    fn finish(self, analysis: &Analysis) -> String {
        let mut paper = Svg::new();
        paper.rectangle((0.0, 0.0), (WIDTH, self.y), 0.0, "paper");
        let drawn = paper.followed_by(&self.svg);
        let count = analysis.connections.len();
        let title = format!("TCP time sequence of {count} connection{}", if count == 1 { "" } else { "s" });
        let description: Vec<String> = analysis.connections.iter().map(Connection::summary).collect();
        let description = description.join("; ");
        drawn.into_file(WIDTH, self.y, &Head { title: &title, description: &description, style: STYLE })
    }

    fn remark(&mut self, text: &str) {
        self.svg.text((24.0, self.y), "quiet", text);
        self.y += 24.0;
    }

    fn connection(&mut self, connection: &Connection) {
        self.heading(connection);
        let top = self.y;
        // The life-lines belong below what is drawn on them.
        let over = std::mem::take(&mut self.svg);
        let mut before = Duration::ZERO;
        let mut pauses = Vec::new();
        for row in &connection.rows {
            match row {
                Row::Arrow(arrow) => {
                    self.y += space(arrow.at.saturating_sub(before));
                    self.arrow(arrow);
                    before = arrow.at;
                }
                Row::Silence(pause) => {
                    pauses.push(self.pause(*pause));
                    // The pause has its own room.
                    before = Duration::MAX;
                }
                Row::Elided(elided) => {
                    self.left_out(&elided.text());
                    before = elided.to;
                }
            }
        }
        self.y += 10.0;
        let rows = std::mem::replace(&mut self.svg, over);
        self.life_lines(top, self.y, &pauses);
        self.svg = std::mem::take(&mut self.svg).followed_by(&rows);
        self.ending(connection.ending);
        self.y += 44.0;
    }

    fn heading(&mut self, connection: &Connection) {
        let Connection { number, ends, .. } = connection;
        let title = format!("Connection {number}: {} to {}", ends.client, ends.server);
        self.svg.text((24.0, self.y), "big", &title);
        self.y += 20.0;
        self.svg.text((24.0, self.y), "quiet", &connection.summary());
        self.y += 16.0;
        for (end, x) in [(End::Client, CLIENT_X), (End::Server, SERVER_X)] {
            let address = *ends.at(end);
            self.svg.rectangle((x - 105.0, self.y), (210.0, 38.0), 6.0, "box");
            self.svg.text((x, self.y + 16.0), "who", &shortened(&self.names.of(address, end), 28));
            self.svg.text((x, self.y + 31.0), "where", &address.to_string());
        }
        self.y += 38.0;
    }

    /// Both lines from `top` to `bottom`, dashed during the pauses.
    fn life_lines(&mut self, top: f64, bottom: f64, pauses: &[(f64, f64)]) {
        for x in [CLIENT_X, SERVER_X] {
            let mut y = top;
            for (begin, end) in pauses {
                self.svg.line((x, y), (x, *begin), "life");
                self.svg.line((x, *begin), (x, *end), "pause");
                y = *end;
            }
            self.svg.line((x, y), (x, bottom), "life");
        }
    }

    fn arrow(&mut self, arrow: &Arrow) {
        let kind = Kind::of(arrow);
        let middle = f64::midpoint(CLIENT_X, SERVER_X);
        self.y += 16.0;
        if let Some(http) = &arrow.http {
            self.svg.text((middle, self.y), "http", &shortened(http.text(), LABEL_LEN));
            self.y += 14.0;
        }
        self.svg.text((middle, self.y), "label", &shortened(&label(arrow), LABEL_LEN));
        self.y += 6.0;
        let (from, to) = match arrow.from {
            End::Client => ((CLIENT_X, self.y), (SERVER_X, self.y + FALL)),
            End::Server => ((SERVER_X, self.y), (CLIENT_X, self.y + FALL)),
        };
        let again = if arrow.mark == Some(Mark::Retransmission) { " again" } else { "" };
        self.svg.line(from, to, &format!("line {}{again}", kind.class));
        self.svg.path(&arrow_head(from, to), true, &format!("{}-head", kind.class));
        self.svg.text((TIME_X, self.y + 4.0), "time", &exact_time(arrow.at));
        if let Some(word) = kind.word {
            let y = self.y + if arrow.from == End::Client { FALL } else { 0.0 } + 4.0;
            self.svg.text((MARK_X, y), &format!("word {}-word", kind.class), word);
        }
        self.y += FALL;
    }

    fn pause(&mut self, pause: Duration) -> (f64, f64) {
        let begin = self.y + 8.0;
        self.y += 22.0;
        let text = format!("{} of silence", exact_time(pause));
        self.svg.text((f64::midpoint(CLIENT_X, SERVER_X), self.y + 4.0), "quiet middle", &text);
        self.y += 14.0;
        (begin, self.y)
    }

    fn left_out(&mut self, text: &str) {
        self.y += 12.0;
        self.svg.rectangle((CLIENT_X + 24.0, self.y), (SERVER_X - CLIENT_X - 48.0, 26.0), 6.0, "left-out");
        let middle = (f64::midpoint(CLIENT_X, SERVER_X), self.y + 17.0);
        self.svg.text(middle, "middle", &format!("… {text} …"));
        self.y += 28.0;
    }

    /// What is left at either end.
    fn ending(&mut self, ending: Ending) {
        let (client, server) = match ending {
            Ending::Open => ("open", "open"),
            Ending::HalfClosed(End::Client) => ("has closed", "may still send"),
            Ending::HalfClosed(End::Server) => ("may still send", "has closed"),
            Ending::Closed { first: End::Client } => ("TIME-WAIT", "closed"),
            Ending::Closed { first: End::Server } => ("closed", "TIME-WAIT"),
            Ending::ClosedTogether => ("TIME-WAIT", "TIME-WAIT"),
            Ending::Reset(_) => ("reset", "reset"),
        };
        for (x, text) in [(CLIENT_X, client), (SERVER_X, server)] {
            self.svg.rectangle((x - 55.0, self.y), (110.0, 22.0), 11.0, "box");
            self.svg.text((x, self.y + 15.0), "middle", text);
        }
        self.y += 22.0;
    }
}

/// Room above an arrow for the time since the one before: a little more for each power of ten.
fn space(since: Duration) -> f64 {
    let microseconds = since.as_secs_f64() * 1e6;
    (microseconds.max(1.0).log10() * 3.0).clamp(0.0, 18.0)
}

/// Colour and word of an arrow.
struct Kind {
    class: &'static str,
    word: Option<&'static str>,
}

impl Kind {
    fn of(arrow: &Arrow) -> Kind {
        let word = arrow.mark.map(Mark::word);
        let class = match arrow.mark {
            Some(Mark::Retransmission | Mark::OutOfOrder | Mark::Gap | Mark::DuplicateAck) => "loss",
            Some(Mark::KeepAlive | Mark::KeepAliveAnswer | Mark::WindowProbe) => "probe",
            Some(Mark::ZeroWindow | Mark::WindowOpens) => "zero",
            None if arrow.has(TcpFlags::RST) => return Kind { class: "rst", word: Some("reset") },
            None if arrow.has(TcpFlags::SYN) => return Kind { class: "syn", word: Some("opens") },
            None if arrow.has(TcpFlags::FIN) => return Kind { class: "fin", word: Some("closes") },
            None if arrow.len > 0 => "data",
            None => "ack",
        };
        Kind { class, word }
    }
}

/// `PSH ACK  seq 1  ack 1  len 78  win 64256`
fn label(arrow: &Arrow) -> String {
    let mut parts = vec![flags(arrow.flags), format!("seq {}", arrow.seq)];
    parts.extend(arrow.ack.map(|ack| format!("ack {ack}")));
    if arrow.len > 0 {
        parts.push(format!("len {}", arrow.len));
    }
    if !arrow.has(TcpFlags::RST) {
        parts.push(format!("win {}", arrow.window));
    }
    parts.extend(arrow.mss.filter(|_| arrow.has(TcpFlags::SYN)).map(|mss| format!("mss {mss}")));
    // Several spaces would be one in SVG.
    parts.join(" \u{a0}")
}

fn flags(flags: TcpFlags) -> String {
    let names = [
        (TcpFlags::SYN, "SYN"),
        (TcpFlags::FIN, "FIN"),
        (TcpFlags::RST, "RST"),
        (TcpFlags::PSH, "PSH"),
        (TcpFlags::URG, "URG"),
        (TcpFlags::ACK, "ACK"),
        (TcpFlags::ECE, "ECE"),
        (TcpFlags::CWR, "CWR"),
    ];
    let set: Vec<&str> =
        names.iter().filter(|(flag, _)| flags.contains(*flag)).map(|(_, name)| *name).collect();
    if set.is_empty() { "no flags".to_owned() } else { set.join(" ") }
}

fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

/// A triangle whose tip is at `to`.
fn arrow_head(from: (f64, f64), to: (f64, f64)) -> [(f64, f64); 3] {
    const LENGTH: f64 = 9.0;
    const HALF_WIDTH: f64 = 4.0;
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let distance = dx.hypot(dy);
    let (dx, dy) = (dx / distance, dy / distance);
    let base = (to.0 - dx * LENGTH, to.1 - dy * LENGTH);
    [
        to,
        (base.0 - dy * HALF_WIDTH, base.1 + dx * HALF_WIDTH),
        (base.0 + dy * HALF_WIDTH, base.1 - dx * HALF_WIDTH),
    ]
}
