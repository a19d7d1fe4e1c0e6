//! What a handler may know about the connection that its request came on.

use std::net::SocketAddr;

/// About the connection of a request; in the request's extensions, unless its route was added to a
/// [`Router`](crate::http::Router) that was told to spare it that ([`introduced`](crate::http::Router::introduced)).
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
