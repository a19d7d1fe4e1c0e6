//! Where a request is received: it is told whose it is, counted, and given to a handler or refused.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use ::http::header::RETRY_AFTER;
use ::http::{Request, StatusCode};

use super::content::{Deliver, Delivery, Nothing};
use super::engine::AccessLog;
use super::throttle::Throttle;
use super::{About, Config, Stats};
use crate::driver::{Duration, Instant};
use crate::http::{Handler, Service};

/// What all connections of a server are answered with.
pub(super) struct Reception {
    service: Arc<dyn Service>,
    throttle: Option<Arc<Throttle>>,
    stats: Arc<Stats>,
}

impl Reception {
    pub(super) fn new(service: Arc<dyn Service>, config: &Config, stats: Arc<Stats>) -> Self {
        Reception { service, throttle: config.request_rate.map(Throttle::new).map(Arc::new), stats }
    }

    /// Another one for the same requests, in another loop, which counts for itself. How many a client sends is counted
    /// for both together: of a client's few connections all may be in one.
    pub(super) fn beside(&self, stats: Arc<Stats>) -> Self {
        Reception { service: Arc::clone(&self.service), throttle: self.throttle.clone(), stats }
    }

    /// For the requests of a connection after its first `requests`; `peer` is asked for those where it matters.
    pub(super) fn introduce<P: Fn() -> Option<SocketAddr> + Send + Sync>(
        &self,
        now: Instant,
        requests: u32,
        peer: P,
    ) -> impl Service {
        Introduction { reception: self, now, requests: AtomicU32::new(requests), peer }
    }

    /// The handler of a request, or of the refusal that it gets.
    fn handler(
        &self,
        request: &mut Request<()>,
        about: impl Fn() -> Option<About>,
        now: Instant,
    ) -> Box<dyn Handler> {
        if let Some(throttle) = &self.throttle
            && let Some(about) = about()
            && let Err(wait) = throttle.count(about.peer.ip(), now)
        {
            self.stats.throttle();
            return Box::new(Deliver::new(move |_: &Request<()>| too_many(wait)));
        }
        self.service.introduced_handler(request, &|request| {
            if let Some(about) = about() {
                request.extensions_mut().insert(about);
            }
        })
    }
}

/// RFC 6585 4. The connection stays: whoever waits as long as this says needs no new one.
fn too_many(wait: Duration) -> Delivery<Nothing> {
    let mut answer = Delivery::status(StatusCode::TOO_MANY_REQUESTS);
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    answer.set(RETRY_AFTER, seconds.into());
    answer
}

/// The service of a server, which is told where the requests of one connection come from.
struct Introduction<'a, P> {
    reception: &'a Reception,
    now: Instant,
    requests: AtomicU32,
    peer: P,
}

impl<P: Fn() -> Option<SocketAddr> + Send + Sync> Service for Introduction<'_, P> {
    fn handler(&self, request: &mut Request<()>) -> Box<dyn Handler> {
        let number = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        let about = || (self.peer)().map(|peer| About { peer, request: number });
        AccessLog::around(request, about, |request| self.reception.handler(request, about, self.now))
    }
}
