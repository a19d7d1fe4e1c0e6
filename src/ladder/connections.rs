//! Segments sorted by connection: which is whose, and which are wanted.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use super::rows::{Row, Rows, is_request};
use super::segment::Segment;
use super::tracker::{Ending, Mark, Tracker};
use super::{Both, End};
use crate::figures::{self, exact_time, grouped};
use crate::wire::TcpFlags;

/// Addresses of connections that are told apart; what comes after so many is only counted.
const MOST_TRACKED: usize = 200_000;

/// How much of a capture is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Connections with rows: those that can be drawn.
    pub(crate) connections: usize,
    /// Rows of each, more or less.
    pub(crate) rows: usize,
}

/// Which connections are wanted. Nothing given: all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    /// By number, counted from 1 in the order of their first segments.
    pub(crate) numbers: Vec<u64>,
    /// By an end.
    pub(crate) filters: Vec<Filter>,
}

impl Selection {
    fn takes(&self, number: u64, client: SocketAddr, server: SocketAddr) -> bool {
        let by_number = self.numbers.is_empty() || self.numbers.contains(&number);
        let fits = |filter: &Filter| filter.fits(client) || filter.fits(server);
        by_number && (self.filters.is_empty() || self.filters.iter().any(fits))
    }
}

/// An address, a port, or both, which one end of a connection has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    address: Option<IpAddr>,
    port: Option<u16>,
}

impl Filter {
    pub(crate) fn fits(self, end: SocketAddr) -> bool {
        self.address.is_none_or(|address| address == end.ip())
            && self.port.is_none_or(|port| port == end.port())
    }
}

impl FromStr for Filter {
    type Err = String;

    fn from_str(text: &str) -> Result<Filter, String> {
        // First, because "::1" is an address, and not a port behind colons.
        if let Ok(address) = text.parse() {
            return Ok(Filter { address: Some(address), port: None });
        }
        if let Ok(port) = text.strip_prefix(':').unwrap_or(text).parse() {
            return Ok(Filter { address: None, port: Some(port) });
        }
        match text.parse::<SocketAddr>() {
            Ok(end) => Ok(Filter { address: Some(end.ip()), port: Some(end.port()) }),
            Err(_) => Err("not an address such as 10.9.0.2, a port such as 80, nor 10.9.0.2:80".to_owned()),
        }
    }
}

/// One connection of the capture.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    /// Counted from 1 in the order of the first segments.
    pub(crate) number: u64,
    pub(crate) ends: Both<SocketAddr>,
    /// Since the capture's first packet.
    pub(crate) began: Duration,
    /// From its first to its last segment.
    pub(crate) lasted: Duration,
    pub(crate) segments: Both<u64>,
    /// Octets of payload, those sent again included.
    pub(crate) bytes: Both<u64>,
    pub(crate) requests: u64,
    pub(crate) retransmissions: u64,
    pub(crate) ending: Ending,
    /// The capture has both SYNs.
    pub(crate) whole: bool,
    pub(crate) rows: Vec<Row>,
}

/// What a capture holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Analysis {
    /// Those that are wanted, up to the limit.
    pub(crate) connections: Vec<Connection>,
    /// All connections, wanted or not.
    pub(crate) seen: u64,
    /// Those that are wanted, and are over the limit.
    pub(crate) over_limit: u64,
    /// Packets of all kinds.
    pub(crate) packets: u64,
    /// TCP segments of connections that are no longer told apart.
    pub(crate) untracked: u64,
    /// Packets that could not be read: fragments, captured too short, link types that are not known here.
    pub(crate) unreadable: u64,
}

/// Both ends, the lower first, so that both directions find the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key(SocketAddr, SocketAddr);

impl Key {
    fn of(segment: &Segment<'_>) -> Key {
        Key(segment.src.min(segment.dst), segment.src.max(segment.dst))
    }
}

/// A connection under way.
struct Live {
    client: SocketAddr,
    tracker: Tracker,
    /// Where its record is, if it is wanted.
    wanted: Option<usize>,
}

/// A connection's record while it grows.
struct Growing {
    connection: Connection,
    rows: Rows,
}

/// Takes segments in the order of the capture.
pub(super) struct Connections {
    selection: Selection,
    limits: Limits,
    live: HashMap<Key, Live>,
    growing: Vec<Growing>,
    first: Option<Duration>,
    /// What has been counted so far.
    pub(super) analysis: Analysis,
}

impl Connections {
    pub(super) fn new(selection: Selection, limits: Limits) -> Connections {
        let (live, growing) = (HashMap::new(), Vec::new());
        Connections { selection, limits, live, growing, first: None, analysis: Analysis::default() }
    }

    /// A segment that was captured at `at`, counted from any fixed point.
    pub(super) fn take(&mut self, at: Duration, segment: &Segment<'_>) {
        let at = at.saturating_sub(*self.first.get_or_insert(at));
        let key = Key::of(segment);
        let begins = self.live.get(&key).is_none_or(|live| begins_anew(live, segment));
        if begins {
            if self.live.len() >= MOST_TRACKED && !self.live.contains_key(&key) {
                self.analysis.untracked += 1;
                return;
            }
            let live = self.open(at, segment);
            self.live.insert(key, live);
        }
        let Some(live) = self.live.get_mut(&key) else { return };
        let from = if segment.src == live.client { End::Client } else { End::Server };
        let Some(growing) = live.wanted.and_then(|index| self.growing.get_mut(index)) else {
            // Only its end matters, to know the next connection of the same ends.
            live.tracker.step(at, from, segment);
            return;
        };
        growing.add(at, from, &mut live.tracker, segment);
    }

    /// All that was learnt.
    pub(super) fn finish(mut self) -> Analysis {
        self.analysis.connections = self.growing.into_iter().map(Growing::finish).collect();
        self.analysis
    }

    fn open(&mut self, at: Duration, segment: &Segment<'_>) -> Live {
        self.analysis.seen += 1;
        let number = self.analysis.seen;
        let (client, server) = client_and_server(segment);
        let mut wanted = None;
        if self.selection.takes(number, client, server) {
            if self.growing.len() < self.limits.connections {
                wanted = Some(self.growing.len());
                let ends = Both { client, server };
                self.growing.push(Growing::new(number, ends, at, self.limits.rows));
            } else {
                self.analysis.over_limit += 1;
            }
        }
        Live { client, tracker: Tracker::default(), wanted }
    }
}

/// A SYN that is not the one of before: the ends have the next connection.
fn begins_anew(live: &Live, segment: &Segment<'_>) -> bool {
    let opening = segment.has(TcpFlags::SYN) && !segment.has(TcpFlags::ACK);
    let from = if segment.src == live.client { End::Client } else { End::Server };
    let other_number = !live.tracker.began_with(from, segment.seq);
    opening && other_number && (live.tracker.is_over() || from == End::Client)
}

/// Who sends a SYN is the client, and who sends a SYN-ACK the server. In the middle of a connection the lower port is
/// taken for the server's.
fn client_and_server(segment: &Segment<'_>) -> (SocketAddr, SocketAddr) {
    let from_client = match (segment.has(TcpFlags::SYN), segment.has(TcpFlags::ACK)) {
        (true, with_ack) => !with_ack,
        (false, _) => segment.src.port() >= segment.dst.port(),
    };
    if from_client { (segment.src, segment.dst) } else { (segment.dst, segment.src) }
}

impl Growing {
    fn new(number: u64, ends: Both<SocketAddr>, began: Duration, rows: usize) -> Growing {
        let connection = Connection {
            number,
            ends,
            began,
            lasted: Duration::ZERO,
            segments: Both::default(),
            bytes: Both::default(),
            requests: 0,
            retransmissions: 0,
            ending: Ending::Open,
            whole: false,
            rows: Vec::new(),
        };
        Growing { connection, rows: Rows::new(rows) }
    }

    fn add(&mut self, at: Duration, from: End, tracker: &mut Tracker, segment: &Segment<'_>) {
        let connection = &mut self.connection;
        let arrow = tracker.step(at.saturating_sub(connection.began), from, segment);
        connection.lasted = connection.lasted.max(arrow.at);
        *connection.segments.at_mut(from) += 1;
        *connection.bytes.at_mut(from) += u64::from(arrow.len);
        connection.requests += u64::from(is_request(&arrow));
        connection.retransmissions += u64::from(arrow.mark == Some(Mark::Retransmission));
        connection.ending = tracker.ending();
        connection.whole = tracker.knows_windows();
        self.rows.push(arrow);
    }

    fn finish(self) -> Connection {
        Connection { rows: self.rows.finish(), ..self.connection }
    }
}

impl fmt::Display for Connection {
    /// A line about it: `3 10.9.0.1:41003 to 10.9.0.2:80, 9 segments, …`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} to {}: {}", self.number, self.ends.client, self.ends.server, self.summary())
    }
}

impl Connection {
    /// `11 segments, 1.2 kB of payload, 2 requests, in 0.450 ms; closed by the client first`
    pub(crate) fn summary(&self) -> String {
        let Connection { segments, bytes, requests, retransmissions, .. } = self;
        let mut parts = vec![
            format!("{} segments", grouped(segments.client + segments.server)),
            format!("{} of payload", figures::bytes(bytes.client + bytes.server)),
        ];
        for (count, word) in [(requests, "request"), (retransmissions, "retransmission")] {
            match count {
                0 => {}
                1 => parts.push(format!("1 {word}")),
                _ => parts.push(format!("{} {word}s", grouped(*count))),
            }
        }
        parts.push(format!("in {}", exact_time(self.lasted)));
        let began = match self.began {
            Duration::ZERO => String::new(),
            began => format!("; began at {}", exact_time(began)),
        };
        let unscaled = if self.whole { "" } else { "; captured without its beginning, windows unscaled" };
        format!("{}; {}{began}{unscaled}", parts.join(", "), self.ending)
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ending::Open => f.write_str("open when the capture ended"),
            Ending::HalfClosed(end) => write!(f, "closed by the {end} alone"),
            Ending::Closed { first } => write!(f, "closed by the {first} first"),
            Ending::ClosedTogether => f.write_str("closed by both at once"),
            Ending::Reset(end) => write!(f, "reset by the {end}"),
        }
    }
}
