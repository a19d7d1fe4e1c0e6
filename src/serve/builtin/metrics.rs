//! `GET /metrics`: everything counted, in the text format of Prometheus.

use ::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use ::http::{HeaderValue, Response};

use crate::control::{MetricSource, Metrics, stack_metrics};
use crate::driver::SharedStack;
use crate::http::Piece;
use crate::serve::Stats;

/// The counters of the stacks, of their devices and of the server, and what is open now.
pub(super) fn answer(stacks: &[SharedStack], stats: &Stats) -> Response<Piece> {
    let mut metrics = Metrics::default();
    stack_metrics(stacks, &mut metrics);
    stats.write(&mut metrics);
    let mut response = Response::new(Piece::Owned(metrics.into_text().into_bytes()));
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
