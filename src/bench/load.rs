//! The load itself: a number of clients, each with one connection at a time, that ask as fast as they are answered.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use ::http::Uri;

use super::clock;
use super::exchange::{Answer, Line, NoAnswer, Patience, Question};
use super::histogram::Histogram;
use super::transport::Transport;

/// Failures in a row after which a client gives up: nobody is there.
const HOPELESS: u32 = 20;
/// Kinds of failure that are told apart.
const MOST_KINDS: usize = 16;
/// How often the observer is called.
const TICK: Duration = Duration::from_millis(100);

/// How long connections live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// One request each; the request says `Connection: close`.
    Short,
    /// As long as the server lets them.
    Long,
}

impl Life {
    /// Its name in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Life::Short => "short",
            Life::Long => "long",
        }
    }
}

/// How much is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Amount {
    /// Requests at most.
    pub(crate) requests: u64,
    /// Time at most.
    pub(crate) duration: Duration,
    /// Clients at once.
    pub(crate) concurrency: u32,
    /// How long connecting, and how long an answer, may take.
    pub(crate) timeout: Duration,
}

/// What came of it.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    /// From asking, and from opening the connection where that comes first, to the last byte of the answer.
    pub(crate) latency: Histogram,
    /// Connections that were opened.
    pub(crate) connections: u64,
    /// Bytes of bodies.
    pub(crate) body_bytes: u64,
    /// Answers with a status from 400.
    pub(crate) refused: u64,
    /// Failures by their words.
    pub(crate) failures: BTreeMap<String, u64>,
    /// From the first request to the last connection's end.
    pub(crate) elapsed: Duration,
}

impl Tally {
    fn new() -> Tally {
        Tally {
            latency: Histogram::new(),
            connections: 0,
            body_bytes: 0,
            refused: 0,
            failures: BTreeMap::new(),
            elapsed: Duration::ZERO,
        }
    }

    /// Requests that were answered.
    pub(crate) fn answered(&self) -> u64 {
        self.latency.count()
    }

    /// Requests that were not.
    pub(crate) fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    fn merge(&mut self, other: &Tally) {
        self.latency.merge(&other.latency);
        self.connections += other.connections;
        self.body_bytes += other.body_bytes;
        self.refused += other.refused;
        for (words, count) in &other.failures {
            self.fail(words, *count);
        }
    }

    fn answer(&mut self, answer: Answer, took: Duration) {
        self.latency.record(took);
        self.body_bytes += answer.body_len;
        self.refused += u64::from(answer.status >= 400);
    }

    fn fail(&mut self, words: &str, count: u64) {
        let known = self.failures.contains_key(words) || self.failures.len() < MOST_KINDS;
        *self.failures.entry(if known { words } else { "others" }.to_owned()).or_default() += count;
    }
}

/// What all clients share.
struct Common<T> {
    transport: T,
    address: SocketAddr,
    question: Question,
    life: Life,
    timeout: Duration,
    /// Requests that nobody has begun yet.
    left: AtomicU64,
    /// Requests that were answered or failed.
    done: AtomicU64,
    stop: Arc<AtomicBool>,
}

/// Sends the load. `observe` is called all the while with the number of requests that are done, and ends the load by
/// answering `false`.
pub(crate) fn run<T: Transport>(
    transport: &T,
    (url, address): (&Uri, SocketAddr),
    life: Life,
    amount: &Amount,
    mut observe: impl FnMut(u64) -> bool,
) -> Tally {
    let stop = Arc::new(AtomicBool::new(false));
    let common = Arc::new(Common {
        transport: transport.clone(),
        address,
        question: Question::get(url, life == Life::Short),
        life,
        timeout: amount.timeout,
        left: AtomicU64::new(amount.requests),
        done: AtomicU64::new(0),
        stop: Arc::clone(&stop),
    });
    let (report, reports) = mpsc::channel();
    let began = clock::now();
    let mut tally = Tally::new();
    let mut working = 0;
    for _ in 0..u64::from(amount.concurrency).min(amount.requests) {
        let (common, report) = (Arc::clone(&common), report.clone());
        let client = move || drop(report.send(Client::new(&common).work()));
        match thread::Builder::new().name("client".into()).spawn(client) {
            Ok(_) => working += 1,
            Err(error) => tally.fail(&format!("a client cannot be started: {error}"), 1),
        }
    }
    while working > 0 {
        match reports.recv_timeout(TICK) {
            Ok(part) => {
                tally.merge(&part);
                working -= 1;
            }
            Err(_) => {
                let over = clock::now().duration_since(began) >= amount.duration;
                if !observe(common.done.load(Ordering::Relaxed)) || over {
                    stop.store(true, Ordering::Relaxed);
                }
            }
        }
    }
    tally.elapsed = clock::now().duration_since(began);
    observe(common.done.load(Ordering::Relaxed));
    tally
}

/// One client.
struct Client<'a, T: Transport> {
    common: &'a Common<T>,
    line: Option<Line<T::Connection>>,
    tally: Tally,
}

impl<'a, T: Transport> Client<'a, T> {
    fn new(common: &'a Common<T>) -> Self {
        Client { common, line: None, tally: Tally::new() }
    }

    fn work(mut self) -> Tally {
        let mut in_vain = 0;
        while in_vain < HOPELESS && self.takes_another() {
            match self.request() {
                Ok(()) => in_vain = 0,
                Err(NoAnswer::Stopped) => break,
                Err(reason) => {
                    in_vain += 1;
                    self.line = None;
                    self.tally.fail(&reason.words(), 1);
                }
            }
            self.common.done.fetch_add(1, Ordering::Relaxed);
        }
        self.tally
    }

    fn takes_another(&self) -> bool {
        let one_less = |left: u64| left.checked_sub(1);
        !self.common.stop.load(Ordering::Relaxed)
            && self.common.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok()
    }

    fn request(&mut self) -> Result<(), NoAnswer> {
        let began = clock::now();
        let used = self.line.is_some();
        let result = match self.ask() {
            // The server may have ended the connection just as it was to be used again; once more, on a new one.
            Err(NoAnswer::Closed) if used => {
                self.line = None;
                self.ask()
            }
            result => result,
        };
        let answer = result?;
        self.tally.answer(answer, clock::now().duration_since(began));
        let over = self.common.life == Life::Short || !answer.goes_on;
        if let Some(line) = self.line.take_if(|_| over) {
            line.await_the_end(&self.common.stop);
        }
        Ok(())
    }

    fn ask(&mut self) -> Result<Answer, NoAnswer> {
        let Common { transport, address, question, timeout, stop, .. } = self.common;
        let line = match &mut self.line {
            Some(line) => line,
            none => {
                let line = transport.connect(address, *timeout).and_then(Line::new);
                let line = line.map_err(|error| NoAnswer::Failed(format!("cannot connect: {error}")))?;
                self.tally.connections += 1;
                none.insert(line)
            }
        };
        line.ask(question, Patience { stop, timeout: *timeout })
    }
}
