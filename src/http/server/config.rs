//! A server's limits.

use std::time::Duration;

use ::http::HeaderValue;

use crate::http::message::HeadLimits;

/// What every connection of a server keeps to. Shared by all of them.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// The `Server` field.
    pub server: HeaderValue,
    /// Sizes of request heads and trailers.
    pub head: HeadLimits,
    /// How long a long connection may be idle between requests; `None`: for ever.
    pub idle_timeout: Option<Duration>,
    /// Requests on one connection; `None`: any number.
    pub max_requests: Option<u32>,
    /// For a head, from its first byte (the first one of a connection: from the connection's start) to its end.
    pub header_timeout: Duration,
    /// For each [`body_stretch`](Self::body_stretch) of a request body. The time in which this side does not read
    /// does not count.
    pub body_timeout: Duration,
    /// Bytes after which the body's clocks start anew, so that a large upload is not cut off for being large while
    /// a body of ordinary size has [`body_timeout`](Self::body_timeout) in all.
    pub body_stretch: u64,
    /// Least bytes a second of a request body; 0: any rate.
    pub body_rate: u32,
    /// How long a body may be slower than that at its start.
    pub body_rate_grace: Duration,
    /// How long the transport may take nothing of a waiting answer.
    pub send_timeout: Duration,
    /// How long to read on after the last answer, so that the client gets it before any reset.
    pub linger_timeout: Duration,
    /// Bytes of an unwanted request body that are read and dropped to keep a connection; a longer rest closes it.
    pub drain_limit: u64,
    /// Bytes of waiting output above which neither a handler is asked for more nor input is read.
    pub output_limit: usize,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            server: HeaderValue::from_static(concat!("longwire/", env!("CARGO_PKG_VERSION"))),
            head: HeadLimits::default(),
            idle_timeout: Some(Duration::from_secs(60)),
            max_requests: Some(1000),
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(60),
            body_stretch: 1024 * 1024,
            body_rate: 1024,
            body_rate_grace: Duration::from_secs(5),
            send_timeout: Duration::from_secs(30),
            linger_timeout: Duration::from_secs(2),
            drain_limit: 64 * 1024,
            output_limit: 128 * 1024,
        }
    }
}
