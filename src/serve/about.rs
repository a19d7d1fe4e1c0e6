//! What a handler may know about the connection that its request came on.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};

use ::http::Request;

use super::engine::AccessLog;
use crate::http::{Handler, Service};

/// About the connection of a request; in the request's extensions.
///
/// ```
/// use longwire::{http::Router, serve::About};
/// let router = Router::new().get("/whoami", |request| {
///     let peer = request.extensions().get::<About>().map(|about| about.peer.to_string());
///     http::Response::new(peer.unwrap_or_default().into_bytes().into())
/// });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// The client's address and port.
    pub peer: SocketAddr,
    /// Which request of its connection this is, counted from 1.
    pub request: u32,
}

/// A service that tells another one where the requests of one connection come from.
pub(super) struct Introduction<'a, P> {
    service: &'a dyn Service,
    requests: AtomicU32,
    peer: P,
}

impl<'a, P: Fn() -> Option<SocketAddr> + Send + Sync> Introduction<'a, P> {
    /// For the requests of a connection after its first `requests`; `peer` is asked once for each.
    pub(super) fn new(service: &'a dyn Service, requests: u32, peer: P) -> Self {
        Introduction { service, requests: AtomicU32::new(requests), peer }
    }
}

impl<P: Fn() -> Option<SocketAddr> + Send + Sync> Service for Introduction<'_, P> {
    fn handler(&self, request: &mut Request<()>) -> Box<dyn Handler> {
        let number = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        let about = (self.peer)().map(|peer| About { peer, request: number });
        if let Some(about) = about {
            request.extensions_mut().insert(about);
        }
        AccessLog::around(request, about, |request| self.service.handler(request))
    }
}
