//! Routes that every server can have: they show that it works, and how well.

mod bytes;
mod echo;
mod metrics;
mod sha256;
mod welcome;

use std::sync::Arc;

use ::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use ::http::{HeaderValue, Method, Response, StatusCode};

use self::bytes::Pattern;
use self::echo::Echo;
use self::sha256::Digest;
use super::Stats;
use super::content::{Deliver, Delivery, Representation};
use crate::driver::SharedStack;
use crate::http::{Piece, Router};

/// The built-in routes, behind a prefix.
pub(super) struct Builtins {
    prefix: String,
    stacks: Vec<SharedStack>,
    stats: Arc<Stats>,
}

impl Builtins {
    pub(super) fn new(prefix: &str, stacks: &[SharedStack], stats: &Arc<Stats>) -> Self {
        let prefix = prefix.trim_matches('/');
        let prefix = if prefix.is_empty() { String::new() } else { format!("/{prefix}") };
        Builtins { prefix, stacks: stacks.to_vec(), stats: Arc::clone(stats) }
    }

    pub(super) fn add_to(self, router: Router) -> Router {
        let Builtins { prefix, stacks, stats } = self;
        let at = |path: &str| format!("{prefix}{path}");
        let bytes = at("/bytes/");
        let base = prefix.clone();
        router
            .introduced(true)
            .get(&at("/"), move |request| welcome::page(&base, &request))
            .introduced(false)
            .get(&at("/healthz"), |_| text(b"ok\n".as_slice()))
            .get(&at("/metrics"), move |_| metrics::answer(&stacks, &stats))
            .stream(Method::POST, &at("/echo"), |_| Echo::default())
            .stream(Method::POST, &at("/sha256"), |_| Digest::default())
            .stream(Method::GET, &at("/bytes/*"), move |_| {
                let prefix = bytes.clone();
                Deliver::new(move |request| {
                    let number = request.uri().path().strip_prefix(&prefix);
                    match number.and_then(|number| number.parse().ok()) {
                        Some(length) => {
                            let kind = HeaderValue::from_static("application/octet-stream");
                            Delivery::of(request, &Representation::new(length, kind), Pattern)
                        }
                        None => Delivery::status(StatusCode::NOT_FOUND),
                    }
                })
            })
            .introduced(true)
    }
}

/// An answer of plain text, for this moment only.
fn text(text: impl Into<Piece>) -> Response<Piece> {
    let mut response = Response::new(text.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
