//! One connection to the control socket: a question comes in, an answer goes out as fast as it is read.

use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;

use super::metrics::{Metrics, stack_metrics};
use super::protocol::MAX_QUESTION;
use super::report::protocol_name;
use super::{Greeting, Line, Question, SocketQuestion, SocketReport, Sources};
use crate::driver::{Duration, Instant, SharedStack, SocketInfo, SurveyPlace};

/// Sockets looked at in one step: some twenty microseconds under the stack's lock.
const BATCH: usize = 128;

/// No further batch is taken while more than this waits to be read.
const HIGH_WATER: usize = 64 * 1024;

/// How long an asker may ask nothing, or read nothing.
const PATIENCE: Duration = Duration::from_secs(10);

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// There is more to do at once.
    More,
    /// For the other end, until [`Asker::deadline`].
    Waiting,
    /// The connection can be closed.
    Done,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Asker {
    stream: UnixStream,
    phase: Phase,
    /// What has come of the question.
    input: Vec<u8>,
    output: Vec<u8>,
    /// Bytes of `output` that are written.
    written: usize,
    /// Lines of the answer, greeting and end not counted.
    lines: u64,
    deadline: Instant,
}

#[derive(Debug)]
enum Phase {
    Asking,
    Walking {
        question: SocketQuestion,
        /// Which of the stacks is being looked at.
        queue: usize,
        place: SurveyPlace,
    },
    /// All of the answer is in `output`.
    Answered,
}

impl Asker {
    /// Serves a connection that was just accepted.
    pub(super) fn new(stream: UnixStream, now: Instant) -> io::Result<Asker> {
        stream.set_nonblocking(true)?;
        let (input, output) = (Vec::new(), Vec::new());
        Ok(Asker {
            stream,
            phase: Phase::Asking,
            input,
            output,
            written: 0,
            lines: 0,
            deadline: now + PATIENCE,
        })
    }

    pub(super) fn descriptor(&self) -> RawFd {
        self.stream.as_raw_fd()
    }

    /// When its patience ends.
    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Bytes kept for it.
    #[cfg(test)]
    pub(super) fn pinned(&self) -> usize {
        self.output.capacity() + self.input.capacity()
    }

    /// Answers whatever it asks with an error.
    pub(super) fn refuse(&mut self, why: &str) {
        self.say(&Line::Error(why.to_owned()));
        self.phase = Phase::Answered;
    }

    /// Goes on as far as it can without blocking, but over no more than one batch.
    pub(super) fn step(
        &mut self,
        stacks: &[SharedStack],
        greeting: &Greeting,
        sources: &Sources,
        now: Instant,
    ) -> Progress {
        if now >= self.deadline {
            return Progress::Done;
        }
        if matches!(self.phase, Phase::Asking) {
            match self.read() {
                Ok(Some(question)) => self.begin(&question, stacks, greeting, sources),
                Ok(None) if self.input.len() > MAX_QUESTION => self.refuse("the question is too long"),
                Ok(None) => return Progress::Waiting,
                Err(_) => return Progress::Done,
            }
        }
        if self.output.len() - self.written < HIGH_WATER {
            self.walk(stacks, now);
        }
        match self.write() {
            Ok(0) => {}
            Ok(_) => self.deadline = now + PATIENCE,
            Err(_) => return Progress::Done,
        }
        let waits = self.output.len() - self.written;
        match &self.phase {
            Phase::Answered if waits == 0 => Progress::Done,
            Phase::Walking { .. } if waits < HIGH_WATER => Progress::More,
            _ => Progress::Waiting,
        }
    }

    /// The question, once it is there; `None` as long as more of it may come.
    fn read(&mut self) -> io::Result<Option<String>> {
        let mut buffer = [0; 512];
        while self.input.len() <= MAX_QUESTION {
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.input.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if let Some(end) = self.input.iter().position(|&byte| byte == b'\n') {
                return Ok(Some(String::from_utf8_lossy(&self.input[..end]).into_owned()));
            }
        }
        Ok(None)
    }

    fn begin(&mut self, question: &str, stacks: &[SharedStack], greeting: &Greeting, sources: &Sources) {
        self.input = Vec::new();
        match serde_json::from_str(question) {
            Ok(Question::Sockets(question)) => {
                self.say(&Line::Greeting(greeting.clone()));
                self.phase = Phase::Walking { question, queue: 0, place: SurveyPlace::default() };
            }
            Ok(Question::Metrics) => {
                self.say(&Line::Greeting(greeting.clone()));
                let mut metrics = Metrics::default();
                stack_metrics(stacks, &mut metrics);
                sources.all().iter().for_each(|source| source.write(&mut metrics));
                self.say(&Line::Metrics(metrics.into_text()));
                self.lines += 1;
                self.end();
            }
            Err(error) => self.refuse(&format!("not a question that is understood here: {error}")),
        }
    }

    /// One batch of the table. The lock is held only for taking the snapshots.
    fn walk(&mut self, stacks: &[SharedStack], now: Instant) {
        let Phase::Walking { question, queue, place } = &mut self.phase else { return };
        let mut found = Vec::new();
        let more = stacks[*queue].with(|stack| {
            stack.survey(place, BATCH, &mut |info| {
                if wanted(info, question, now) {
                    found.push(info.clone());
                }
            })
        });
        let (details, of_several) = (question.details, (stacks.len() > 1).then_some(*queue as u32));
        let is_last = !more && *queue + 1 == stacks.len();
        if !more && !is_last {
            (*queue, *place) = (*queue + 1, SurveyPlace::default());
        }
        for info in &found {
            let report = SocketReport::new(info, details, now);
            self.say(&Line::Socket(Box::new(SocketReport { queue: of_several, ..report })));
        }
        self.lines += found.len() as u64;
        if is_last {
            self.end();
        }
    }

    fn end(&mut self) {
        self.say(&Line::End { lines: self.lines });
        self.phase = Phase::Answered;
    }

    fn say(&mut self, line: &Line) {
        serde_json::to_writer(&mut self.output, line).expect("our own types have a JSON form");
        self.output.push(b'\n');
    }

    /// Writes until the other end has enough: how much that was.
    fn write(&mut self) -> io::Result<usize> {
        let before = self.written;
        while self.written < self.output.len() {
            match self.stream.write(&self.output[self.written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let count = self.written - before;
        // What is written takes up room, and moving the rest down costs time: both stay small.
        if self.written >= HIGH_WATER || self.written == self.output.len() {
            self.output.drain(..self.written);
            self.written = 0;
        }
        Ok(count)
    }
}

/// Whether a socket is one of those that were asked for.
fn wanted(info: &SocketInfo, question: &SocketQuestion, now: Instant) -> bool {
    let SocketQuestion { details: _, states, protocol, port, active_within_ms } = question;
    let is_active = |within: u64| {
        let last = info.tcp.as_ref().map(|tcp| tcp.last_sent.max(tcp.last_received));
        last.is_some_and(|last| now - last <= Duration::from_millis(within))
    };
    let has_port =
        |port: u16| info.local.port() == port || info.remote.is_some_and(|remote| remote.port() == port);
    (states.is_empty() || states.iter().any(|state| state == info.state.name()))
        && protocol.as_ref().is_none_or(|protocol| protocol == protocol_name(info.transport))
        && port.is_none_or(has_port)
        && active_within_ms.is_none_or(is_active)
}
