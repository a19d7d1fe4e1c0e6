//! How a client behaves.

use std::fmt;
use std::time::Duration;

use super::Tracer;

/// Settings of a [`Client`](super::Client).
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use std::time::Duration;
/// use longwire::client::{Authority, Body, Client, ClientConfig, RequestBody, Trace, Tracer};
/// use longwire::net::Network;
///
/// /// Posts over a connection of its own, and says what happens.
/// fn post(network: &Network, url: &str) -> Result<http::Response<Body>, longwire::client::Error> {
///     let tracer: Tracer = Arc::new(|step| match step {
///         Trace::Connected { address, took } => eprintln!("{address} after {took:?}"),
///         Trace::Reused { authority } => eprintln!("again: {}", Authority::host(authority)),
///         _ => {}
///     });
///     let config = ClientConfig {
///         timeout: Some(Duration::from_secs(10)),
///         persistent: false,
///         tracer: Some(tracer),
///         ..ClientConfig::default()
///     };
///     Client::with_config(network, config).post(url, RequestBody::Bytes(b"hello".to_vec()))
/// }
/// ```
#[derive(Clone)]
pub struct ClientConfig {
    /// Whether connections are kept for further requests; if not, each request says `Connection: close` on a
    /// connection of its own.
    pub persistent: bool,
    /// Most idle connections that are kept for one authority.
    pub max_idle_per_authority: usize,
    /// Most idle connections that are kept in all; over it the one that has been idle longest goes.
    pub max_idle: usize,
    /// How long an idle connection is kept, if its server has not announced less.
    pub idle_timeout: Duration,
    /// How long opening a connection may take, the look-up of the name included, over all its addresses; `None`: as
    /// long as the resolver and TCP try.
    pub connect_timeout: Option<Duration>,
    /// How long the first byte of an answer may take, once the request is written; `None`: for ever.
    pub first_byte_timeout: Option<Duration>,
    /// How long nothing may move in either direction while the request is sent or the answer comes, or how long the
    /// head may pause once it has begun; `None`: for ever.
    pub stall_timeout: Option<Duration>,
    /// How long everything may take, from the call to the last byte of the body; `None`: for ever.
    pub timeout: Option<Duration>,
    /// Redirects that are followed; 0: they are handed out as they are.
    pub max_redirects: u32,
    /// Is told what happens.
    pub tracer: Option<Tracer>,
}

impl Default for ClientConfig {
    fn default() -> Self {
        ClientConfig {
            persistent: true,
            max_idle_per_authority: 8,
            max_idle: 100,
            // Shorter than the 60 s of many servers, ours among them: who closes first is not left to chance.
            idle_timeout: Duration::from_secs(55),
            connect_timeout: Some(Duration::from_secs(10)),
            first_byte_timeout: Some(Duration::from_secs(60)),
            stall_timeout: Some(Duration::from_secs(60)),
            timeout: None,
            max_redirects: 10,
            tracer: None,
        }
    }
}

impl fmt::Debug for ClientConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ClientConfig {
            persistent,
            max_idle_per_authority,
            max_idle,
            idle_timeout,
            connect_timeout,
            first_byte_timeout,
            stall_timeout,
            timeout,
            max_redirects,
            tracer,
        } = self;
        f.debug_struct("ClientConfig")
            .field("persistent", persistent)
            .field("max_idle_per_authority", max_idle_per_authority)
            .field("max_idle", max_idle)
            .field("idle_timeout", idle_timeout)
            .field("connect_timeout", connect_timeout)
            .field("first_byte_timeout", first_byte_timeout)
            .field("stall_timeout", stall_timeout)
            .field("timeout", timeout)
            .field("max_redirects", max_redirects)
            .field("tracer", &tracer.is_some())
            .finish()
    }
}
