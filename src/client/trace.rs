//! What a client tells about its work.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ::http::{Request, Response, Uri};

use super::{Authority, Error};

/// A step of an exchange.
#[derive(Debug)]
#[non_exhaustive]
pub enum Trace<'a> {
    /// A new connection stands.
    Connected {
        /// The peer's address.
        address: SocketAddr,
        /// How long that took, without the look-up of the name.
        took: Duration,
    },
    /// A connection from the pool is used once more.
    Reused {
        /// Whom it leads to.
        authority: &'a Authority,
    },
    /// This head goes out.
    Request(&'a Request<()>),
    /// This head has come in.
    Response(&'a Response<()>),
    /// A pooled connection had been closed: the request is tried again on another one.
    Retry(&'a Error),
    /// The request goes on to another URL.
    Redirect(&'a Uri),
    /// The exchange is complete; whether its connection stays open for another one.
    Complete {
        /// It went back into the pool.
        kept: bool,
    },
}

/// Is told every step. It is called on the thread that uses the client, and should be quick.
pub type Tracer = Arc<dyn Fn(&Trace<'_>) + Send + Sync>;
