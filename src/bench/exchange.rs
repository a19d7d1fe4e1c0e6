//! One request and its answer.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ::http::header::{CONNECTION, HeaderValue, USER_AGENT};
use ::http::{Request, Uri};

use super::clock;
use super::transport::Connection;
use crate::http::{BadMessage, BodySize, ClientConnection, ResponseEvent};

/// How long a read blocks before the exchange looks whether it is to go on.
const LOOK: Duration = Duration::from_millis(200);
/// How long a connection that is over is given to be closed by the server, which was asked to.
const FAREWELL: Duration = Duration::from_secs(1);

/// What is asked, again and again.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    request: Request<()>,
}

impl Question {
    /// A GET. With `last` it says that the connection ends with it.
    pub(crate) fn get(url: &Uri, last: bool) -> Question {
        let mut request = Request::new(());
        *request.uri_mut() = url.clone();
        let agent = HeaderValue::from_static(concat!("longwire-bench/", env!("CARGO_PKG_VERSION")));
        request.headers_mut().insert(USER_AGENT, agent);
        if last {
            request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Question { request }
    }
}

/// An answer that came whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body_len: u64,
    /// Another request may follow on the same connection.
    pub(crate) goes_on: bool,
}

/// Why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// The load is to end now.
    Stopped,
    /// It did not come in time.
    Late,
    /// The connection was closed or reset before the first byte of it. On a connection that has been in use that
    /// happens to anybody: the server may have ended it at this very moment.
    Closed,
    /// Something else, in words.
    Failed(String),
}

impl NoAnswer {
    /// The words under which it is counted.
    pub(crate) fn words(&self) -> String {
        match self {
            NoAnswer::Stopped => "stopped".to_owned(),
            NoAnswer::Late => "no answer in time".to_owned(),
            NoAnswer::Closed => "closed before the answer".to_owned(),
            NoAnswer::Failed(words) => words.clone(),
        }
    }
}

/// When to give up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience<'a> {
    /// The load is to end now.
    pub(crate) stop: &'a AtomicBool,
    /// How long an answer may take.
    pub(crate) timeout: Duration,
}

/// A connection with the HTTP state on it.
pub(crate) struct Line<C> {
    stream: C,
    http: ClientConnection,
    input: Vec<u8>,
}

impl<C: Connection> Line<C> {
    pub(crate) fn new(stream: C) -> io::Result<Line<C>> {
        stream.set_read_timeout(LOOK)?;
        Ok(Line { stream, http: ClientConnection::default(), input: vec![0; 64 * 1024] })
    }

    /// Asks, and waits for the whole answer.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub(crate) fn ask(&mut self, question: &Question, patience: Patience<'_>) -> Result<Answer, NoAnswer> {
        let deadline = clock::now() + patience.timeout;
        self.http.begin(&question.request, BodySize::Known(0));
        while let Some(piece) = self.http.take_output() {
            self.stream.write_all(&piece).map_err(|error| self.lost(&error))?;
        }
        let mut answer = Answer { status: 0, body_len: 0, goes_on: false };
        loop {
            let Some(count) = self.read(deadline, patience.stop)? else { continue };
            if self.take(count, &mut answer)? {
                answer.goes_on = self.http.is_reusable();
                return Ok(answer);
            }
        }
    }

    /// Bytes that have come, 0 at the end of the stream; `None`: nothing yet, but time is left.
    fn read(&mut self, deadline: Instant, stop: &AtomicBool) -> Result<Option<usize>, NoAnswer> {
        if stop.load(Ordering::Relaxed) {
            return Err(NoAnswer::Stopped);
        }
        if clock::now() >= deadline {
            return Err(NoAnswer::Late);
        }
        match self.stream.read(&mut self.input) {
            Ok(count) => Ok(Some(count)),
            Err(error) if is_pause(&error) => Ok(None),
            Err(error) => Err(self.lost(&error)),
        }
    }

    /// Looks at `count` new bytes; whether the answer is complete.
    fn take(&mut self, count: usize, answer: &mut Answer) -> Result<bool, NoAnswer> {
        if count == 0 {
            return match self.http.receive_eof() {
                Ok(Some(ResponseEvent::End(_))) => Ok(true),
                _ if self.http.answer_has_begun() => {
                    Err(NoAnswer::Failed("the answer was cut off".to_owned()))
                }
                _ => Err(NoAnswer::Closed),
            };
        }
        let mut input = &self.input[..count];
        loop {
            let (used, event) = self.http.receive(input).map_err(|bad| bad_answer(&bad))?;
            input = &input[used..];
            match event {
                Some(ResponseEvent::Head(head)) => answer.status = head.status().as_u16(),
                Some(ResponseEvent::Body(data)) => answer.body_len += data.len() as u64,
                Some(ResponseEvent::Continue) => {}
                Some(ResponseEvent::End(_)) => return Ok(true),
                None => return Ok(false),
            }
        }
    }

    /// What an error of the stream means for the exchange.
    fn lost(&self, error: &io::Error) -> NoAnswer {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
        let closed = matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset);
        if closed && !self.http.answer_has_begun() {
            return NoAnswer::Closed;
        }
        NoAnswer::Failed(error.to_string())
    }

    /// Lets the server close first, as it was asked to, so that both servers and both transports leave TIME-WAIT on
    /// the same side.
    pub(crate) fn await_the_end(mut self, stop: &AtomicBool) {
        let deadline = clock::now() + FAREWELL;
        while let Ok(None | Some(1..)) = self.read(deadline, stop) {}
    }
}

fn is_pause(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

fn bad_answer(bad: &BadMessage) -> NoAnswer {
    NoAnswer::Failed(format!("not an HTTP answer: {bad}"))
}
