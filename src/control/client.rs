//! The asking end of the control socket.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::{Line, Question, connect};

/// How long the other end may be silent.
const PATIENCE: Duration = Duration::from_secs(5);

/// The longest line that is believed: all metrics are one, and have some ten thousand bytes.
const MAX_LINE: u64 = 4 * 1024 * 1024;

/// Asks the stack behind the control socket at `path`; the answer comes as its lines are read.
///
/// # Errors
/// Nobody is there, or we may not ask.
pub fn ask(path: &Path, question: &Question) -> Result<Answer, AskError> {
    let mut stream = connect(path).map_err(AskError::of_connecting)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(AskError::Connection)?;
    stream.set_write_timeout(Some(PATIENCE)).map_err(AskError::Connection)?;
    let mut text = serde_json::to_vec(question).map_err(|error| AskError::Nonsense(error.to_string()))?;
    text.push(b'\n');
    match stream.write_all(&text) {
        // Turned away before it was asked: what it says to that is still to be read.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        result => result.map_err(AskError::of_waiting)?,
    }
    Ok(Answer {
        reader: BufReader::with_capacity(64 * 1024, stream),
        line: Vec::new(),
        lines: 0,
        is_over: false,
    })
}

/// The lines of an answer. It ends behind [`Line::End`], or with an error where that does not come.
///
/// ```
/// use std::path::Path;
/// use longwire::control::{
///     Answer, AskError, Greeting, Line, Question, SocketQuestion, SocketReport, TcpReport, TimerReport, ask,
/// };
///
/// /// Where the connections of a running stack stand.
/// fn show(path: &Path) -> Result<(), AskError> {
///     let answer: Answer = ask(path, &Question::Sockets(SocketQuestion::default()))?;
///     for line in answer {
///         match line? {
///             Line::Greeting(Greeting { name, pid, .. }) => println!("{name}, process {pid}"),
///             Line::Socket(socket) => {
///                 let SocketReport { local, remote, timer, tcp, .. } = *socket;
///                 let next = timer.map(|TimerReport { kind, .. }| kind);
///                 let cwnd = tcp.as_deref().map(|TcpReport { cwnd, .. }| cwnd);
///                 println!("{local} {remote:?} {next:?} {cwnd:?}");
///             }
///             _ => {}
///         }
///     }
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct Answer {
    reader: BufReader<UnixStream>,
    line: Vec<u8>,
    /// Lines that the end has to count.
    lines: u64,
    is_over: bool,
}

impl Answer {
    fn next_line(&mut self) -> Result<Line, AskError> {
        self.line.clear();
        let read = (&mut self.reader).take(MAX_LINE).read_until(b'\n', &mut self.line);
        read.map_err(AskError::of_waiting)?;
        if self.line.last() != Some(&b'\n') {
            return Err(AskError::CutOff);
        }
        let line =
            serde_json::from_slice(&self.line).map_err(|error| AskError::Nonsense(error.to_string()))?;
        match &line {
            Line::Socket(_) | Line::Metrics(_) => self.lines += 1,
            Line::End { lines } if *lines != self.lines => return Err(AskError::CutOff),
            Line::Error(why) => return Err(AskError::Refused(why.clone())),
            Line::Greeting(_) | Line::End { .. } => {}
        }
        Ok(line)
    }
}

impl Iterator for Answer {
    type Item = Result<Line, AskError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let line = self.next_line();
        self.is_over = matches!(line, Err(_) | Ok(Line::End { .. }));
        Some(line)
    }
}

/// Why there is no answer, or not all of it.
#[derive(Debug)]
pub enum AskError {
    /// Nobody listens at the socket, or there is none.
    NotRunning,
    /// We may not ask: the socket belongs to somebody else.
    Denied,
    /// Nothing came for too long.
    Silent,
    /// The connection ended in the middle of the answer.
    CutOff,
    /// The stack refuses to answer, and says why.
    Refused(String),
    /// What came is no answer.
    Nonsense(String),
    /// What the system says of the connection.
    Connection(io::Error),
}

impl AskError {
    fn of_connecting(error: io::Error) -> AskError {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => AskError::NotRunning,
            io::ErrorKind::PermissionDenied => AskError::Denied,
            _ => AskError::Connection(error),
        }
    }

    fn of_waiting(error: io::Error) -> AskError {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => AskError::Silent,
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => AskError::CutOff,
            _ => AskError::Connection(error),
        }
    }
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AskError::NotRunning => f.write_str("no longwire answers there"),
            AskError::Denied => f.write_str("permission denied"),
            AskError::Silent => write!(f, "no answer within {PATIENCE:?}"),
            AskError::CutOff => f.write_str("the answer ended in the middle"),
            AskError::Refused(why) => f.write_str(why),
            AskError::Nonsense(why) => write!(f, "not an answer that is understood here: {why}"),
            AskError::Connection(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for AskError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            AskError::Connection(error) => Some(error),
            _ => None,
        }
    }
}
