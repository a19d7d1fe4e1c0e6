//! What can go wrong with a request, said so that the caller knows which step it was.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::http::BadMessage;

/// Why there is no answer, or only a part of one.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The URL is none, or none that can be asked for.
    Url {
        /// The URL.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The URL's scheme is not `http`.
    Scheme {
        /// The scheme.
        scheme: String,
    },
    /// The resolver knows no address of the host.
    NotFound {
        /// The host's name.
        host: String,
        /// What the resolver says.
        source: io::Error,
    },
    /// The resolver did not answer in time.
    LookUpTimeout {
        /// The host's name.
        host: String,
        /// After how long.
        after: Duration,
    },
    /// The connection was refused, or the host cannot be reached.
    Connect {
        /// The last address tried.
        address: SocketAddr,
        /// What the stack says.
        source: io::Error,
    },
    /// No connection came about in time.
    ConnectTimeout {
        /// The last address tried.
        address: SocketAddr,
        /// After how long.
        after: Duration,
    },
    /// The request was written, and no byte of an answer came in time.
    FirstByteTimeout {
        /// The time-out.
        after: Duration,
    },
    /// The connection stands, and nothing moved on it for too long, in the middle of the request or of the answer.
    Stalled {
        /// The time-out.
        after: Duration,
    },
    /// The whole exchange took too long.
    Timeout {
        /// The time-out.
        after: Duration,
    },
    /// The body to be sent could not be read.
    RequestBody(io::Error),
    /// The connection failed while the request was sent.
    Send(io::Error),
    /// The connection failed while the answer was received.
    Receive(io::Error),
    /// The peer closed the connection before it answered anything.
    NoAnswer,
    /// A connection from the pool turned out to be closed, and the request was not sent again on another one: it may have
    /// been carried out, and doing it twice is not the same as doing it once; or its body cannot be had a second time.
    ClosedWhileIdle {
        /// How it was noticed: [`NoAnswer`](Error::NoAnswer), [`Send`](Error::Send) or [`Receive`](Error::Receive).
        source: Box<Error>,
    },
    /// The peer closed the connection in the middle of its answer.
    Truncated,
    /// What the peer sent is no answer.
    BadAnswer(BadMessage),
    /// An answer redirects to something that is no URL.
    Location {
        /// Where to.
        location: String,
    },
    /// More redirects than are followed.
    TooManyRedirects {
        /// How many are.
        limit: u32,
    },
}

impl Error {
    /// The kind for those who want an [`io::Error`].
    fn kind(&self) -> io::ErrorKind {
        match self {
            Error::Url { .. } | Error::Scheme { .. } => io::ErrorKind::InvalidInput,
            Error::NotFound { .. } => io::ErrorKind::NotFound,
            Error::LookUpTimeout { .. }
            | Error::ConnectTimeout { .. }
            | Error::FirstByteTimeout { .. }
            | Error::Stalled { .. }
            | Error::Timeout { .. } => io::ErrorKind::TimedOut,
            Error::ClosedWhileIdle { source } => source.kind(),
            Error::Connect { source, .. } => source.kind(),
            Error::RequestBody(source) | Error::Send(source) | Error::Receive(source) => source.kind(),
            Error::NoAnswer | Error::Truncated => io::ErrorKind::UnexpectedEof,
            Error::BadAnswer(_) | Error::Location { .. } | Error::TooManyRedirects { .. } => {
                io::ErrorKind::InvalidData
            }
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Url { url, why } => write!(f, "'{url}': not a URL to ask for: {why}"),
            Error::Scheme { scheme } => write!(f, "{scheme}: not supported: there is only http"),
            Error::NotFound { host, source } => write!(f, "{host}: name not found: {source}"),
            Error::Connect { address, source } => write!(f, "{address}: cannot connect: {source}"),
            Error::ConnectTimeout { address, after } => {
                write!(f, "{address}: cannot connect: no answer within {after:?}")
            }
            Error::FirstByteTimeout { after } => {
                write!(f, "the request is sent, and no byte of an answer came within {after:?}")
            }
            Error::LookUpTimeout { host, after } => {
                write!(f, "{host}: the resolver did not answer within {after:?}")
            }
            Error::Stalled { after } => write!(f, "nothing was sent or received for {after:?}"),
            Error::ClosedWhileIdle { source } => write!(
                f,
                "{source}: it was a connection of an earlier request, and this one is not repeated: it may have been carried out"
            ),
            Error::Timeout { after } => write!(f, "the exchange was not complete within {after:?}"),
            Error::RequestBody(source) => write!(f, "the body to be sent cannot be read: {source}"),
            Error::Send(source) => write!(f, "the connection failed while sending: {source}"),
            Error::Receive(source) => write!(f, "the connection failed while receiving: {source}"),
            Error::NoAnswer => f.write_str("the server closed the connection without an answer"),
            Error::Truncated => f.write_str("the server closed the connection in the middle of its answer"),
            Error::BadAnswer(bad) => write!(f, "the server does not answer with HTTP/1.x: {bad}"),
            Error::Location { location } => write!(f, "redirected to '{location}', which is no URL"),
            Error::TooManyRedirects { limit } => write!(f, "redirected more than {limit} times"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::NotFound { source, .. }
            | Error::Connect { source, .. }
            | Error::RequestBody(source)
            | Error::Send(source)
            | Error::Receive(source) => Some(source),
            Error::BadAnswer(bad) => Some(bad),
            Error::ClosedWhileIdle { source } => Some(&**source),
            _ => None,
        }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        io::Error::new(error.kind(), error)
    }
}
