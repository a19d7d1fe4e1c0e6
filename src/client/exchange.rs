//! The client itself: requests in, answers out.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ::http::header::{ACCEPT, CONNECTION, HeaderName, HeaderValue, USER_AGENT};
use ::http::{HeaderMap, Method, Request, Response, Uri};

use super::connection::Connection;
use super::limits::Limits;
use super::pool::Pool;
use super::{Authority, Body, ClientConfig, Error, RequestBody, Trace, redirect};
use crate::http::message::list_items;
use crate::net::{Instant, Network};

/// Bytes of a redirect's body that are read to keep its connection, and how long that may take.
const DRAIN_LIMIT: usize = 64 * 1024;
const DRAIN_TIME: Duration = Duration::from_secs(1);

/// An HTTP client on a [`Network`]. Cloning it gives another handle on the same pool of connections.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

/// What a client, its clones and their bodies have in common.
pub(super) struct Shared {
    network: Network,
    config: ClientConfig,
    pub(super) pool: Pool,
}

impl Client {
    /// A client with the default settings.
    pub fn new(network: &Network) -> Client {
        Client::with_config(network, ClientConfig::default())
    }

    /// A client with these settings.
    pub fn with_config(network: &Network, config: ClientConfig) -> Client {
        let pool = Pool::new(&config);
        Client { shared: Arc::new(Shared { network: network.clone(), config, pool }) }
    }

    /// Asks for what is at `url`.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn get(&self, url: &str) -> Result<Response<Body>, Error> {
        self.request(Method::GET, url, RequestBody::Empty)
    }

    /// Asks for the head of what is at `url`.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn head(&self, url: &str) -> Result<Response<Body>, Error> {
        self.request(Method::HEAD, url, RequestBody::Empty)
    }

    /// Sends `body` to `url`.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn post(&self, url: &str, body: impl Into<RequestBody>) -> Result<Response<Body>, Error> {
        self.request(Method::POST, url, body.into())
    }

    /// Sends any request to an absolute `http` URL, and follows redirects. An answer of any status is a success.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn send(&self, mut request: Request<RequestBody>) -> Result<Response<Body>, Error> {
        self.shared.complete_headers(request.headers_mut());
        let ClientConfig { timeout, stall_timeout, max_redirects: limit, .. } = self.shared.config;
        let limits = Limits::begin(self.shared.now(), timeout, stall_timeout);
        let mut followed = 0;
        loop {
            let response = self.exchange(&mut request, limits)?;
            if limit == 0 || !redirect::follow(&mut request, &response)? {
                return Ok(response);
            }
            if followed == limit {
                return Err(Error::TooManyRedirects { limit });
            }
            followed += 1;
            self.shared.trace(&Trace::Redirect(request.uri()));
            response.into_body().drain(DRAIN_LIMIT, DRAIN_TIME);
        }
    }

    fn request(&self, method: Method, url: &str, body: RequestBody) -> Result<Response<Body>, Error> {
        let bad = || Error::Url { url: url.to_owned(), why: "not of the form http://HOST[:PORT]/PATH" };
        let url: Uri = url.parse().map_err(|_| bad())?;
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = url;
        self.send(request)
    }

    /// One request and its answer's head, on a pooled connection or a new one.
    fn exchange(&self, request: &mut Request<RequestBody>, limits: Limits) -> Result<Response<Body>, Error> {
        let shared = &self.shared;
        let authority = Authority::of(request.uri())?;
        loop {
            let pooled = shared.pool.take(&authority, shared.now());
            let is_reused = pooled.is_some();
            let mut connection = match pooled {
                Some(connection) => {
                    shared.trace(&Trace::Reused { authority: &authority });
                    connection
                }
                None => shared.connect(&authority, &limits)?,
            };
            let mut limits = limits;
            match shared.ask(&mut connection, request, &mut limits) {
                Ok(head) => {
                    let body = Body::new(connection, authority, limits, Arc::clone(shared))?;
                    return Ok(head.map(|()| body));
                }
                Err(error) if is_reused && is_lost(&connection, &error) => {
                    if !may_be_repeated(request) {
                        return Err(Error::ClosedWhileIdle { source: Box::new(error) });
                    }
                    shared.trace(&Trace::Retry(&error));
                }
                Err(error) => return Err(error),
            }
        }
    }

    #[cfg(test)]
    pub(super) fn idle_connections(&self) -> usize {
        self.shared.pool.len()
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("config", &self.shared.config).finish_non_exhaustive()
    }
}

impl Shared {
    pub(super) fn now(&self) -> Instant {
        self.network.shared().now()
    }

    pub(super) fn trace(&self, step: &Trace<'_>) {
        if let Some(tracer) = &self.config.tracer {
            tracer(step);
        }
    }

    /// Adds what every request of ours says, unless it says something else.
    fn complete_headers(&self, headers: &mut HeaderMap) {
        let agent = HeaderValue::from_static(concat!("longwire/", env!("CARGO_PKG_VERSION")));
        headers.entry(USER_AGENT).or_insert(agent);
        headers.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        if !self.config.persistent {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }

    /// Opens a connection: each address of the name gets its share of the time.
    fn connect(&self, authority: &Authority, limits: &Limits) -> Result<Connection, Error> {
        let begun = self.now();
        let timeout = self.config.connect_timeout;
        let addresses = match authority.resolve(timeout.into_iter().chain(limits.left(begun, begun)?).min()) {
            Err(error @ Error::LookUpTimeout { .. }) => {
                // It may have been the time of the whole exchange.
                limits.left(self.now(), self.now())?;
                return Err(error);
            }
            result => result?,
        };
        let mut last = None;
        for (index, &address) in addresses.iter().enumerate() {
            let whole = limits.left(self.now(), self.now())?;
            let elapsed = self.now() - begun;
            let left = timeout.map(|timeout| timeout.saturating_sub(elapsed));
            let share =
                left.into_iter().chain(whole).min().map(|left| left / (addresses.len() - index) as u32);
            match self.connect_to(address, share) {
                Ok(connection) => {
                    self.trace(&Trace::Connected { address, took: self.now() - begun });
                    return Ok(connection);
                }
                Err(error) => last = Some(more_telling(last, (address, error))),
            }
        }
        limits.left(self.now(), self.now())?;
        let Some((address, source)) = last else { unreachable!("a name has at least one address") };
        match timeout {
            Some(after) if source.kind() == io::ErrorKind::TimedOut => {
                Err(Error::ConnectTimeout { address, after })
            }
            _ => Err(Error::Connect { address, source }),
        }
    }

    fn connect_to(&self, address: SocketAddr, timeout: Option<Duration>) -> io::Result<Connection> {
        let stream = match timeout {
            // Zero would be refused; the shortest time that is one fails with the right error.
            Some(timeout) => self.network.connect_timeout(&address, timeout.max(Duration::from_nanos(1)))?,
            None => self.network.connect(address)?,
        };
        Connection::new(stream)
    }

    /// Sends the request and waits for the head of its answer.
    fn ask(
        &self,
        connection: &mut Connection,
        request: &mut Request<RequestBody>,
        limits: &mut Limits,
    ) -> Result<Response<()>, Error> {
        let mut head = Request::new(());
        *head.method_mut() = request.method().clone();
        *head.uri_mut() = request.uri().clone();
        *head.headers_mut() = request.headers().clone();
        self.trace(&Trace::Request(&head));
        connection.send(&head, request.body_mut(), limits)?;
        limits.expect_first_byte(self.now(), self.config.first_byte_timeout);
        let answer = connection.receive_head(limits)?;
        connection.announced_timeout = announced_timeout(answer.headers());
        self.trace(&Trace::Response(&answer));
        Ok(answer)
    }
}

/// Of two failed addresses the one whose error says more: that a family is not there at all says least.
fn more_telling(
    earlier: Option<(SocketAddr, io::Error)>,
    later: (SocketAddr, io::Error),
) -> (SocketAddr, io::Error) {
    match earlier {
        Some(earlier) if later.1.kind() == io::ErrorKind::NetworkUnreachable => earlier,
        _ => later,
    }
}

/// Whether a pooled connection has gone before it answered anything: its server may have closed it while it was idle.
fn is_lost(connection: &Connection, error: &Error) -> bool {
    matches!(error, Error::NoAnswer | Error::Send(_) | Error::Receive(_)) && !connection.answer_has_begun()
}

/// Whether doing it twice does what doing it once does (RFC 9110 9.2.2), and can be done.
fn may_be_repeated(request: &Request<RequestBody>) -> bool {
    request.method().is_idempotent() && request.body().is_replayable()
}

/// How long the server says that it keeps the connection: `Keep-Alive: timeout=5, max=100`.
fn announced_timeout(headers: &HeaderMap) -> Option<Duration> {
    list_items(headers, &HeaderName::from_static("keep-alive"))
        .find_map(|item| item.strip_prefix("timeout=")?.trim().parse().ok())
        .map(Duration::from_secs)
}
