//! What a server allows.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::driver::{KeepAlive, SocketOptions};
use crate::http::ServerConfig;

/// Limits of a server and options of its connections.
///
/// ```
/// use longwire::serve::Config;
/// use std::time::Duration;
/// let mut config = Config::default();
/// config.http.idle_timeout = Some(Duration::from_secs(5));
/// config.max_per_client = 10;
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    /// The limits of each connection: time-outs, requests, sizes of heads.
    pub http: ServerConfig,
    /// Most connections. Over it a new one gets 503; and over a hundredth more its SYN is not answered.
    pub max_connections: usize,
    /// Most connections of one client address. Over it a new one gets 503, or a reset if many of those are open.
    pub max_per_client: usize,
    /// Requests a second of one client address, over all its connections; a second's worth may come at once. Over it a
    /// request gets 429. `None`: any number.
    pub request_rate: Option<NonZeroU32>,
    /// Largest request body, in bytes, for handlers that do not stream.
    pub body_limit: usize,
    /// What the `Retry-After` of a 503 says.
    pub retry_after: Duration,
    /// Options of accepted connections.
    pub socket: SocketOptions,
    /// Most connections that wait to be accepted.
    pub backlog: usize,
    /// Most connections whose request came with the SYN and whose peer has not shown yet that it is where it says (TCP
    /// Fast Open, RFC 7413). 0, as by default: requests come behind the handshake. A request may then be handled twice,
    /// so it is for servers on which this does no harm.
    pub fast_open: usize,
}

impl Config {
    /// What one of `count` loops is told that share a server: its part of each limit on connections. The rate of requests is
    /// counted for all of them together.
    pub(super) fn share(&self, count: usize) -> Config {
        Config {
            max_connections: self.max_connections.div_ceil(count),
            max_per_client: self.max_per_client.div_ceil(count),
            backlog: self.backlog.div_ceil(count),
            fast_open: self.fast_open.div_ceil(count),
            ..self.clone()
        }
    }

    /// The share of [`max_connections`](Self::max_connections) above which the longest idle make room.
    pub(super) fn crowded_above(&self) -> usize {
        self.max_connections - self.max_connections / 10
    }

    /// The maximum, and the connections above it that are kept for as long as it takes to say 503.
    pub(super) fn most_with_reserve(&self) -> usize {
        self.max_connections.saturating_add((self.max_connections / 100).max(16))
    }

    /// The same for one client.
    pub(super) fn most_of_client_with_reserve(&self) -> usize {
        self.max_per_client.saturating_add((self.max_per_client / 100).max(4))
    }
}

/// How long a peer may acknowledge nothing (RFC 9293 3.9.1). Keep-alive does not probe where data are under way, and the
/// limit of HTTP ends with the answer's last byte: this finds the client that vanishes then. A little longer than that
/// limit, which is to speak first where both are concerned.
pub(crate) fn user_timeout(send_timeout: Duration) -> Duration {
    send_timeout.saturating_add(Duration::from_secs(5))
}

impl Default for Config {
    fn default() -> Self {
        // Sooner than the HTTP idle time-out, so that a dead peer does not hold a connection until then.
        let keep_alive =
            KeepAlive { idle: Duration::from_secs(15), interval: Duration::from_secs(5), count: 3 };
        let http = ServerConfig::default();
        Config {
            max_connections: 100_000,
            max_per_client: 1_000,
            request_rate: None,
            body_limit: 1024 * 1024,
            retry_after: Duration::from_secs(5),
            socket: SocketOptions {
                // Answers are written whole: waiting for company would only delay their last segment.
                nodelay: true,
                keep_alive: Some(keep_alive),
                user_timeout: Some(user_timeout(http.send_timeout)),
                ..SocketOptions::default()
            },
            http,
            backlog: 1024,
            fast_open: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_loops_share_the_limits_on_connections_and_not_the_rate() {
        let config = Config {
            max_connections: 1_000,
            max_per_client: 5,
            backlog: 100,
            fast_open: 1,
            ..Config::default()
        };
        let share = Config { request_rate: NonZeroU32::new(8), ..config }.share(2);
        assert_eq!((share.max_connections, share.max_per_client), (500, 3));
        assert_eq!((share.backlog, share.fast_open), (50, 1));
        assert_eq!(share.request_rate.map(NonZeroU32::get), Some(8));
    }

    #[test]
    fn the_reserve_is_above_the_maximum_if_there_is_room_above_it() {
        let config = Config { max_connections: 1_000, max_per_client: 1_000, ..Config::default() };
        assert_eq!((config.most_with_reserve(), config.most_of_client_with_reserve()), (1_016, 1_010));
        let config = Config { max_connections: usize::MAX, max_per_client: usize::MAX, ..config };
        assert_eq!(config.most_with_reserve(), usize::MAX);
        assert_eq!(config.most_of_client_with_reserve(), usize::MAX);
    }
}
