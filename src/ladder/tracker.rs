//! What each segment means to its connection: numbers counted from the start, windows in octets, and what is special.

use std::time::Duration;

use super::http_line::HttpLine;
use super::segment::Segment;
use super::{Both, End};
use crate::wire::{SeqNumber, TcpFlags};

/// Holes that are remembered a direction; older ones are forgotten.
const MOST_HOLES: usize = 32;
/// What fills a hole sooner than this was overtaken on its way, and not sent again.
const REORDERED_WITHIN: Duration = Duration::from_millis(3);
/// The largest shift that is obeyed (RFC 7323 2.3).
const MOST_SHIFT: u8 = 14;

/// What is special about a segment, beyond its flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Octets (or a SYN, or a FIN) that have been seen before.
    Retransmission,
    /// Earlier octets that a later segment overtook.
    OutOfOrder,
    /// Octets before it are missing: lost on the way here, or not captured.
    Gap,
    /// An idle connection's probe (RFC 9293 3.8.4).
    KeepAlive,
    /// The acknowledgment that a probe asked for.
    KeepAliveAnswer,
    /// A probe of a closed window (RFC 9293 3.8.6.1).
    WindowProbe,
    /// No room left at the sender of this.
    ZeroWindow,
    /// Room again.
    WindowOpens,
    /// The acknowledgment of before, once more: something behind it is missing.
    DuplicateAck,
}

impl Mark {
    /// The word beside the arrow.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Mark::Retransmission => "retransmission",
            Mark::OutOfOrder => "out of order",
            Mark::Gap => "gap before this",
            Mark::KeepAlive => "keep-alive",
            Mark::KeepAliveAnswer => "still alive",
            Mark::WindowProbe => "window probe",
            Mark::ZeroWindow => "zero window",
            Mark::WindowOpens => "window opens",
            Mark::DuplicateAck => "duplicate ACK",
        }
    }
}

/// One segment as it is drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arrow {
    /// Since the connection's first segment.
    pub(crate) at: Duration,
    /// Who sent it.
    pub(crate) from: End,
    /// The control bits.
    pub(crate) flags: TcpFlags,
    /// Sequence number, counted from the sender's first.
    pub(crate) seq: i64,
    /// Acknowledgment number, counted from the receiver's first; only with ACK.
    pub(crate) ack: Option<i64>,
    /// Octets of payload.
    pub(crate) len: u32,
    /// The window in octets, as far as the scale is known.
    pub(crate) window: u32,
    /// Maximum segment size, if the segment names one.
    pub(crate) mss: Option<u16>,
    /// What is special.
    pub(crate) mark: Option<Mark>,
    /// The message that begins here.
    pub(crate) http: Option<HttpLine>,
}

impl Arrow {
    pub(crate) fn has(&self, flag: TcpFlags) -> bool {
        self.flags.contains(flag)
    }
}

/// Octets that nobody has seen yet, `[start, end)`, and since when that is known.
#[derive(Clone, Copy, Debug)]
struct Hole {
    start: i64,
    end: i64,
    since: Duration,
}

/// One direction.
#[derive(Clone, Debug, Default)]
struct Direction {
    /// Number 0.
    base: Option<SeqNumber>,
    /// One more than the highest number seen: SND.NXT as far as the capture knows.
    next: i64,
    holes: Vec<Hole>,
    /// The last acknowledgment number sent in this direction.
    acked: Option<i64>,
    /// The last window offered in this direction, in octets.
    window: Option<u32>,
    /// Window scale of its SYN; `None` until a SYN was seen or when that had none.
    shift: Option<u8>,
    syn_seen: bool,
    /// The number of the FIN.
    fin: Option<i64>,
    /// The last segment in this direction was a probe.
    probed: bool,
}

impl Direction {
    /// A number of the wire counted from the base: the one nearest to what comes next.
    fn relative(&self, number: SeqNumber) -> i64 {
        let base = self.base.unwrap_or(number);
        let next = base + self.next as u32;
        self.next + i64::from(number.distance(next))
    }
}

/// How a connection stood when the capture ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Neither side has closed.
    Open,
    /// One side has, and the other has not yet.
    HalfClosed(End),
    /// Both have; who was first keeps the connection in TIME-WAIT.
    Closed { first: End },
    /// Both closed at the same time, and both are in TIME-WAIT.
    ClosedTogether,
    /// Reset by this side.
    Reset(End),
}

/// Follows one connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Tracker {
    directions: Both<Direction>,
    first_fin: Option<End>,
    /// The second FIN came before its sender had acknowledged the first.
    fins_crossed: bool,
    reset: Option<End>,
}

impl Tracker {
    /// The next segment, `at` after the connection's first.
    pub(super) fn step(&mut self, at: Duration, from: End, segment: &Segment<'_>) -> Arrow {
        self.settle_bases(from, segment);
        let has_ack = segment.has(TcpFlags::ACK);
        let seq = self.directions.at(from).relative(segment.seq);
        let ack = has_ack.then(|| self.directions.at(from.other()).relative(segment.ack));
        let window = self.window(from, segment);
        let mark = self.judge(at, from, segment, seq, ack, window);
        self.note_closing(from, segment, seq, ack);
        let me = self.directions.at_mut(from);
        me.next = me.next.max(seq.saturating_add(i64::from(segment.sequence_len())));
        me.acked = ack.or(me.acked);
        me.probed = matches!(mark, Some(Mark::KeepAlive | Mark::WindowProbe));
        if !segment.has(TcpFlags::RST) {
            me.window = Some(window);
        }
        let http = HttpLine::at_start_of(segment.payload);
        let flags = segment.flags;
        Arrow { at, from, flags, seq, ack, len: segment.len, window, mss: segment.options.mss, mark, http }
    }

    /// How it ended, as far as it was seen.
    pub(super) fn ending(&self) -> Ending {
        if let Some(end) = self.reset {
            return Ending::Reset(end);
        }
        let Some(first) = self.first_fin else { return Ending::Open };
        match self.directions.at(first.other()).fin {
            None => Ending::HalfClosed(first),
            Some(_) if self.fins_crossed => Ending::ClosedTogether,
            Some(_) => Ending::Closed { first },
        }
    }

    /// Whether nothing more is expected, so that a SYN begins another connection.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.ending(), Ending::Closed { .. } | Ending::ClosedTogether | Ending::Reset(_))
    }

    /// Whether the sequence number of a SYN is the one that this connection began with.
    pub(super) fn began_with(&self, from: End, seq: SeqNumber) -> bool {
        self.directions.at(from).base == Some(seq)
    }

    /// Whether both SYNs were seen: only then are windows known.
    pub(super) fn knows_windows(&self) -> bool {
        self.directions.client.syn_seen && self.directions.server.syn_seen
    }

    /// A SYN has number 0. In a connection that was captured from its middle the first octet seen has number 1, as if
    /// the SYN had been just before it.
    fn settle_bases(&mut self, from: End, segment: &Segment<'_>) {
        let syn = segment.has(TcpFlags::SYN);
        let me = self.directions.at_mut(from);
        if me.base.is_none() {
            me.base = Some(if syn { segment.seq } else { SeqNumber(segment.seq.0.wrapping_sub(1)) });
            me.next = i64::from(!syn);
        }
        if syn {
            me.syn_seen = true;
            me.shift = segment.options.window_scale.map(|shift| shift.min(MOST_SHIFT));
        }
        let other = self.directions.at_mut(from.other());
        if other.base.is_none() && segment.has(TcpFlags::ACK) {
            other.base = Some(SeqNumber(segment.ack.0.wrapping_sub(1)));
            other.next = 1;
        }
    }

    /// The window in octets. A SYN's is never scaled, and scaling takes both sides (RFC 7323 2.2).
    fn window(&self, from: End, segment: &Segment<'_>) -> u32 {
        let both_scale = self.directions.client.shift.is_some() && self.directions.server.shift.is_some();
        let shift = self.directions.at(from).shift.filter(|_| both_scale && !segment.has(TcpFlags::SYN));
        u32::from(segment.window) << shift.unwrap_or(0)
    }

    fn judge(
        &mut self,
        at: Duration,
        from: End,
        segment: &Segment<'_>,
        seq: i64,
        ack: Option<i64>,
        window: u32,
    ) -> Option<Mark> {
        let len = i64::from(segment.sequence_len());
        let opening_or_closing = segment.flags.intersects(TcpFlags::SYN | TcpFlags::FIN);
        if segment.has(TcpFlags::RST) {
            return None;
        }
        if !opening_or_closing && self.is_probe(from, seq, len) {
            let closed = self.directions.at(from.other()).window == Some(0);
            return Some(if closed { Mark::WindowProbe } else { Mark::KeepAlive });
        }
        if len > 0 {
            let order = self.place(at, from, seq, len);
            return order.or((window == 0).then_some(Mark::ZeroWindow));
        }
        self.judge_ack(from, ack?, window, segment)
    }

    /// A keep-alive has a number that is acknowledged already; so has Linux's probe of a closed window. Others probe
    /// with the next octet.
    fn is_probe(&self, from: End, seq: i64, len: i64) -> bool {
        let (me, other) = (self.directions.at(from), self.directions.at(from.other()));
        let acknowledged = other.acked.is_none_or(|acked| acked >= me.next);
        let before_next = len <= 1 && seq == me.next - 1 && (len == 0 || acknowledged);
        let into_closed_window = len == 1 && seq == me.next && other.window == Some(0);
        before_next || into_closed_window
    }

    /// Whether octets come in order. Holes are noted and filled.
    fn place(&mut self, at: Duration, from: End, seq: i64, len: i64) -> Option<Mark> {
        let end = seq.saturating_add(len);
        let me = self.directions.at_mut(from);
        if seq > me.next {
            if me.holes.len() == MOST_HOLES {
                me.holes.remove(0);
            }
            me.holes.push(Hole { start: me.next, end: seq, since: at });
            return Some(Mark::Gap);
        }
        if seq == me.next {
            return None;
        }
        let Some(index) = me.holes.iter().position(|hole| hole.start < end && seq < hole.end) else {
            return Some(Mark::Retransmission);
        };
        let hole = me.holes.remove(index);
        let rest = [(hole.start, seq), (end, hole.end)];
        let left = rest.into_iter().filter(|(start, end)| start < end);
        me.holes.extend(left.map(|(start, end)| Hole { start, end, ..hole }));
        me.holes.truncate(MOST_HOLES);
        let soon = at.saturating_sub(hole.since) < REORDERED_WITHIN;
        Some(if soon { Mark::OutOfOrder } else { Mark::Retransmission })
    }

    fn judge_ack(&self, from: End, ack: i64, window: u32, segment: &Segment<'_>) -> Option<Mark> {
        let (me, other) = (self.directions.at(from), self.directions.at(from.other()));
        let before = me.window;
        if window == 0 {
            return Some(Mark::ZeroWindow);
        }
        if before == Some(0) {
            return Some(Mark::WindowOpens);
        }
        if other.probed && ack == other.next {
            return Some(Mark::KeepAliveAnswer);
        }
        // With SACK a receiver says what it has instead of nothing new, and may move its window meanwhile.
        let same = before == Some(window) || !segment.options.sack.is_empty();
        let repeated = me.acked == Some(ack) && same && ack < other.next;
        repeated.then_some(Mark::DuplicateAck)
    }

    fn note_closing(&mut self, from: End, segment: &Segment<'_>, seq: i64, ack: Option<i64>) {
        if segment.has(TcpFlags::RST) {
            self.reset.get_or_insert(from);
        }
        if !segment.has(TcpFlags::FIN) || self.directions.at(from).fin.is_some() {
            return;
        }
        self.directions.at_mut(from).fin = Some(seq.saturating_add(i64::from(segment.len)));
        match self.first_fin {
            None => self.first_fin = Some(from),
            Some(first) => {
                let theirs = self.directions.at(first).fin;
                self.fins_crossed = ack.zip(theirs).is_some_and(|(ack, fin)| ack <= fin);
            }
        }
    }
}
