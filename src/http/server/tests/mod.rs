//! Whole connections in virtual time: bytes in, bytes out.

mod life;
mod limits;
mod messages;
mod streams;

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ::http::{HeaderMap, Method, Request, Response};

use super::*;
use crate::http::message::Framing;
use crate::http::{BodySize, Clock, Now, Piece};

/// A client's view of one connection.
struct Client {
    session: Session,
    router: Router,
    at: Duration,
    /// What the server has not taken yet.
    unsent: Vec<u8>,
    reasons: Vec<Reason>,
}

impl Client {
    fn connect() -> Self {
        Self::connect_with(ServerConfig::default())
    }

    fn connect_with(config: ServerConfig) -> Self {
        let connection = ServerConnection::new(Arc::new(config), at(Duration::ZERO));
        Self {
            session: Session::new(connection),
            router: router(),
            at: Duration::ZERO,
            unsent: Vec::new(),
            reasons: Vec::new(),
        }
    }

    fn now(&self) -> Now {
        at(self.at)
    }

    /// Sends, and reads nothing.
    fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.unsent.extend_from_slice(bytes.as_ref());
        let now = self.now();
        let mut cx = Context::from_waker(Waker::noop());
        let used = self.session.receive(now, &self.router, &mut cx, &self.unsent);
        self.unsent.drain(..used);
    }

    /// Reads all there is, as it becomes available.
    fn read_bytes(&mut self) -> Vec<u8> {
        let mut answer = Vec::new();
        while let Some(piece) = {
            let now = self.now();
            self.session.connection_mut().take_output(now)
        } {
            answer.extend_from_slice(&piece);
            self.poll();
            self.send("");
        }
        answer
    }

    fn read(&mut self) -> String {
        String::from_utf8(self.read_bytes()).expect("an answer of text")
    }

    fn exchange(&mut self, bytes: impl AsRef<[u8]>) -> String {
        self.send(bytes);
        self.read()
    }

    fn poll(&mut self) {
        let now = self.now();
        self.session.poll(now, &mut Context::from_waker(Waker::noop()));
    }

    /// The client's FIN.
    fn finish(&mut self) {
        let now = self.now();
        self.session.connection_mut().receive_eof(now);
        self.poll();
    }

    /// Lets time pass, and every deadline on the way fire.
    fn wait(&mut self, duration: Duration) {
        let until = self.at + duration;
        while let Some(deadline) = self.session.connection().deadline().filter(|at| *at <= until) {
            self.at = self.at.max(deadline);
            let now = self.now();
            self.session.handle_timeout(now);
            assert_ne!(self.session.connection().deadline(), Some(deadline), "a deadline fires once");
        }
        self.at = until;
    }

    fn transport(&self) -> Transport {
        self.session.connection().transport()
    }

    fn reasons(&mut self) -> &[Reason] {
        let fired = self.session.connection_mut().take_reasons();
        self.reasons.extend(fired.iter());
        &self.reasons
    }
}

fn at(at: Duration) -> Now {
    Clock::default().now(at, 784_111_777)
}

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// The status codes of a series of answers.
fn statuses(answers: &str) -> Vec<&str> {
    answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect()
}

fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let head = answer.split("\r\n\r\n").next()?;
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

fn router() -> Router {
    Router::new()
        .body_limit(1000)
        .get("/", |_| Response::new(b"hello\n".as_slice().into()))
        .get("/close", |_| Response::builder().header("Connection", "close").body(Piece::default()).unwrap())
        .get("/panic", |_| panic!("as the test wants it"))
        .get("/empty", |_| Response::builder().status(204).body(b"not sent".as_slice().into()).unwrap())
        .route(Method::POST, "/echo", |request| Response::new(request.into_body().into()))
        .route(Method::PUT, "/echo", |request| Response::new(request.into_body().into()))
        .stream(Method::POST, "/count", |_| Count::default())
        .stream(Method::POST, "/pipe", |_| Pipe::default())
        .stream(Method::GET, "/bytes/*", |request| Bytes::parse(request, true))
        .stream(Method::GET, "/stream/*", |request| Bytes::parse(request, false))
        .stream(Method::GET, "/short", |_| Bytes { announced: Some(10), left: 5, begun: false })
        .stream(Method::GET, "/headless", |_| Bytes { announced: None, left: 5, begun: true })
        .stream(Method::POST, "/never", |_| Never)
        .stream(Method::GET, "/spin", |_| Spin::default())
        .stream(Method::GET, "/drop", |_| DropsBadly { answers: true })
        .stream(Method::GET, "/drop-late", |_| DropsBadly { answers: false })
}

/// Counts a body of any size.
#[derive(Default)]
struct Count {
    bytes: u64,
    complete: bool,
    trailer: Option<String>,
}

impl Handler for Count {
    fn on_body(&mut self, piece: &[u8]) {
        self.bytes += piece.len() as u64;
    }

    fn on_end(&mut self, trailers: Option<HeaderMap>) {
        self.complete = true;
        self.trailer = trailers.map(|trailers| format!("{trailers:?}"));
    }

    fn appetite(&self) -> Appetite {
        Appetite::Hungry
    }

    fn poll_response(&mut self, _cx: &mut Context<'_>, _budget: usize) -> Poll<Step> {
        if !self.complete {
            return Poll::Pending;
        }
        let trailer = self.trailer.as_deref().unwrap_or_default();
        Poll::Ready(Step::Whole(Response::new(format!("{} {trailer}", self.bytes).into_bytes().into())))
    }
}

/// Sends the body back while it comes, holding at most one piece.
#[derive(Default)]
struct Pipe {
    begun: bool,
    piece: Option<Vec<u8>>,
    complete: bool,
}

impl Handler for Pipe {
    fn on_body(&mut self, piece: &[u8]) {
        assert!(self.piece.is_none(), "asked for nothing");
        self.piece = Some(piece.to_vec());
    }

    fn on_end(&mut self, _trailers: Option<HeaderMap>) {
        self.complete = true;
    }

    fn appetite(&self) -> Appetite {
        if self.piece.is_some() { Appetite::Later } else { Appetite::Hungry }
    }

    fn poll_response(&mut self, _cx: &mut Context<'_>, _budget: usize) -> Poll<Step> {
        if !std::mem::replace(&mut self.begun, true) {
            return Poll::Ready(Step::Head(Response::new(BodySize::Unknown)));
        }
        match self.piece.take() {
            Some(piece) => Poll::Ready(Step::Body(piece.into())),
            None if self.complete => Poll::Ready(Step::End(None)),
            None => Poll::Pending,
        }
    }
}

/// So many bytes, in pieces of at most 64 KiB.
struct Bytes {
    announced: Option<u64>,
    left: u64,
    begun: bool,
}

impl Bytes {
    fn parse(request: &Request<()>, announce: bool) -> Self {
        let number = request.uri().path().rsplit('/').next().unwrap_or_default();
        let left = number.parse().unwrap_or(0);
        Self { announced: announce.then_some(left), left, begun: false }
    }
}

impl Handler for Bytes {
    fn poll_response(&mut self, _cx: &mut Context<'_>, budget: usize) -> Poll<Step> {
        if !std::mem::replace(&mut self.begun, true) {
            let size = self.announced.map_or(BodySize::Unknown, BodySize::Known);
            return Poll::Ready(Step::Head(Response::new(size)));
        }
        let len = self.left.min(64 * 1024).min(budget as u64);
        self.left -= len;
        Poll::Ready(if len == 0 { Step::End(None) } else { Step::Body(vec![b'x'; len as usize].into()) })
    }
}

/// Gives empty pieces for ever.
#[derive(Default)]
struct Spin {
    begun: bool,
}

impl Handler for Spin {
    fn poll_response(&mut self, _cx: &mut Context<'_>, _budget: usize) -> Poll<Step> {
        let begun = std::mem::replace(&mut self.begun, true);
        let head = || Step::Head(Response::new(BodySize::Unknown));
        Poll::Ready(if begun { Step::Body(Piece::default()) } else { head() })
    }
}

/// Panics when it is dropped.
struct DropsBadly {
    answers: bool,
}

impl Handler for DropsBadly {
    fn poll_response(&mut self, _cx: &mut Context<'_>, _budget: usize) -> Poll<Step> {
        let answer = || Step::Whole(Response::new(b"whole".as_slice().into()));
        if self.answers { Poll::Ready(answer()) } else { Poll::Pending }
    }
}

impl Drop for DropsBadly {
    fn drop(&mut self) {
        panic!("as the test wants it");
    }
}

/// Reads its body and never answers.
struct Never;

impl Handler for Never {
    fn on_head(&mut self, _request: Request<()>, _body: Framing) {}

    fn appetite(&self) -> Appetite {
        Appetite::Hungry
    }

    fn poll_response(&mut self, _cx: &mut Context<'_>, _budget: usize) -> Poll<Step> {
        Poll::Pending
    }
}
