//! What a handler may know about the connection that its request came on.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};

use ::http::Request;

use super::engine::AccessLog;
use crate::driver::{SharedStack, SocketId};
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
pub(super) struct Introduction<'a> {
    service: &'a dyn Service,
    stack: &'a SharedStack,
    socket: SocketId,
    requests: AtomicU32,
}

impl<'a> Introduction<'a> {
    /// For the requests that come on `socket` after the first `requests`.
    pub(super) fn new(
        service: &'a dyn Service,
        stack: &'a SharedStack,
        socket: SocketId,
        requests: u32,
    ) -> Self {
        Introduction { service, stack, socket, requests: AtomicU32::new(requests) }
    }
}

impl Service for Introduction<'_> {
    fn handler(&self, request: &mut Request<()>) -> Box<dyn Handler> {
        let number = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        let peer = self.stack.with(|stack| stack.remote_addr(self.socket));
        let about = peer.ok().map(|peer| About { peer, request: number });
        if let Some(about) = about {
            request.extensions_mut().insert(about);
        }
        AccessLog::around(request, about, |request| self.service.handler(request))
    }
}
