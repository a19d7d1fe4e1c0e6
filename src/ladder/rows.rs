//! As much of a connection as can be looked at: silences are named, and long stretches of the same are left out.

use std::collections::VecDeque;
use std::time::Duration;

use super::http_line::HttpLine;
use super::tracker::{Arrow, Mark};
use super::{Both, End};
use crate::figures::{bytes, exact_time, grouped};
use crate::wire::TcpFlags;

/// A pause that is drawn as one.
const SILENCE: Duration = Duration::from_millis(500);
/// What is shown of a stretch of plain segments before something is left out, and after that.
const RUN_HEAD: usize = 4;
const RUN_TAIL: usize = 3;
/// Fewer than this are not left out: a line that says so would be no shorter.
const RUN_LEAST: usize = 4;

/// One line of the diagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Row {
    /// A segment.
    Arrow(Arrow),
    /// Nothing, for this long.
    Silence(Duration),
    /// What is left out here.
    Elided(Elided),
}

/// What was left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Elided {
    /// When the first and the last of it came.
    pub(crate) from: Duration,
    pub(crate) to: Duration,
    pub(crate) segments: Both<u64>,
    pub(crate) bytes: Both<u64>,
    pub(crate) requests: u64,
    pub(crate) retransmissions: u64,
    pub(crate) keep_alives: u64,
}

impl Elided {
    fn arrow(arrow: &Arrow) -> Elided {
        let mut elided = Elided { from: arrow.at, to: arrow.at, ..Elided::default() };
        *elided.segments.at_mut(arrow.from) = 1;
        *elided.bytes.at_mut(arrow.from) = u64::from(arrow.len);
        elided.retransmissions = u64::from(arrow.mark == Some(Mark::Retransmission));
        elided.keep_alives = u64::from(arrow.mark == Some(Mark::KeepAlive));
        elided.requests = u64::from(is_request(arrow));
        elided
    }

    fn add(&mut self, later: &Elided) {
        self.to = self.to.max(later.to);
        for end in [End::Client, End::Server] {
            *self.segments.at_mut(end) += later.segments.at(end);
            *self.bytes.at_mut(end) += later.bytes.at(end);
        }
        self.requests += later.requests;
        self.retransmissions += later.retransmissions;
        self.keep_alives += later.keep_alives;
    }

    /// `1,234 segments, 1.7 MB, 12 retransmissions, in 3.402 s`
    pub(crate) fn text(&self) -> String {
        let segments = self.segments.client + self.segments.server;
        let mut parts =
            vec![format!("{} segments", grouped(segments)), bytes(self.bytes.client + self.bytes.server)];
        for (count, one, many) in [
            (self.requests, "request", "requests"),
            (self.retransmissions, "retransmission", "retransmissions"),
            (self.keep_alives, "keep-alive", "keep-alives"),
        ] {
            if count > 0 {
                parts.push(format!("{} {}", grouped(count), if count == 1 { one } else { many }));
            }
        }
        parts.push(format!("in {}", exact_time(self.to.saturating_sub(self.from))));
        parts.join(", ")
    }
}

/// A request that is new: a retransmission asks for nothing more.
pub(super) fn is_request(arrow: &Arrow) -> bool {
    matches!(arrow.http, Some(HttpLine::Request(_))) && arrow.mark != Some(Mark::Retransmission)
}

/// Rows with a bound, as the segments come.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    window: Window,
    last: Option<Duration>,
    /// Plain segments since the last other row, of which some have been shown.
    run: usize,
    /// The latest of them, which are shown if the run ends soon.
    waiting: VecDeque<Arrow>,
    left_out: Option<Elided>,
}

impl Rows {
    /// At most about `most` rows, however much there is.
    pub(super) fn new(most: usize) -> Rows {
        Rows { window: Window::new(most), last: None, run: 0, waiting: VecDeque::new(), left_out: None }
    }

    /// The next segment.
    pub(super) fn push(&mut self, arrow: Arrow) {
        let pause = self.last.map_or(Duration::ZERO, |last| arrow.at.saturating_sub(last));
        self.last = Some(arrow.at);
        if pause >= SILENCE {
            self.end_run();
            self.window.push(Row::Silence(pause));
        }
        if !is_plain(&arrow) {
            self.end_run();
            self.window.push(Row::Arrow(arrow));
            return;
        }
        self.run += 1;
        if self.run <= RUN_HEAD {
            self.window.push(Row::Arrow(arrow));
            return;
        }
        self.waiting.push_back(arrow);
        if self.waiting.len() >= RUN_TAIL + RUN_LEAST {
            while self.waiting.len() > RUN_TAIL {
                self.leave_out_oldest();
            }
        } else if self.left_out.is_some() && self.waiting.len() > RUN_TAIL {
            self.leave_out_oldest();
        }
    }

    /// All rows.
    pub(super) fn finish(mut self) -> Vec<Row> {
        self.end_run();
        self.window.finish()
    }

    fn leave_out_oldest(&mut self) {
        if let Some(arrow) = self.waiting.pop_front() {
            let one = Elided::arrow(&arrow);
            self.left_out.get_or_insert(Elided { from: one.from, ..Elided::default() }).add(&one);
        }
    }

    fn end_run(&mut self) {
        self.run = 0;
        if let Some(elided) = self.left_out.take() {
            self.window.push(Row::Elided(elided));
        }
        for arrow in std::mem::take(&mut self.waiting) {
            self.window.push(Row::Arrow(arrow));
        }
    }
}

/// Data and acknowledgments as there are thousands of.
fn is_plain(arrow: &Arrow) -> bool {
    let special = arrow.flags.intersects(TcpFlags::SYN | TcpFlags::FIN | TcpFlags::RST);
    !special && arrow.http.is_none() && matches!(arrow.mark, None | Some(Mark::DuplicateAck))
}

/// The first and the last rows; what is in the middle becomes one.
#[derive(Clone, Debug)]
struct Window {
    head: Vec<Row>,
    tail: VecDeque<Row>,
    left_out: Option<Elided>,
    most_head: usize,
    most_tail: usize,
}

impl Window {
    fn new(most: usize) -> Window {
        let most_tail = most / 3;
        let most_head = most - most_tail;
        Window { head: Vec::new(), tail: VecDeque::new(), left_out: None, most_head, most_tail }
    }

    fn push(&mut self, row: Row) {
        if self.head.len() < self.most_head {
            self.head.push(row);
            return;
        }
        self.tail.push_back(row);
        if self.tail.len() > self.most_tail {
            let part = match self.tail.pop_front() {
                Some(Row::Arrow(arrow)) => Elided::arrow(&arrow),
                Some(Row::Elided(elided)) => elided,
                // The times around it tell.
                Some(Row::Silence(_)) | None => return,
            };
            self.left_out.get_or_insert(Elided { from: part.from, ..Elided::default() }).add(&part);
        }
    }

    fn finish(self) -> Vec<Row> {
        let mut rows = self.head;
        rows.extend(self.left_out.map(Row::Elided));
        rows.extend(self.tail);
        rows
    }
}
