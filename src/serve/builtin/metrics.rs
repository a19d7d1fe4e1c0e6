//! `GET /metrics`: everything counted, in the text format of Prometheus.

use std::fmt::{Display, Write};

use ::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use ::http::{HeaderValue, Response};

use crate::driver::SharedStack;
use crate::http::{Piece, Reason};
use crate::serve::Stats;

/// The counters of the stack, of its device and of the server, and what is open now.
pub(super) fn answer(stack: &SharedStack, stats: &Stats) -> Response<Piece> {
    let (counters, live, memory) =
        stack.with(|stack| (*stack.counters(), stack.live_connections(), stack.pool().in_use()));
    let mut text = Text::default();
    for (name, help, value) in counters.iter() {
        text.metric(&format!("{name}_total"), "counter", help, value);
    }
    let mut device = Vec::new();
    stack.device_counters(&mut |name, help, value| device.push((name, help, value)));
    for (name, help, value) in device {
        text.metric(&format!("{name}_total"), "counter", help, value);
    }
    for (name, help, value) in stats.counters() {
        text.metric(&format!("http_{name}_total"), "counter", help, value);
    }
    let help = "How often a limit fired or a connection ended, by reason.";
    text.begin("http_reasons_total", "counter", help);
    for reason in Reason::ALL {
        let name = format!("http_reasons_total{{reason=\"{}\"}}", reason.name());
        text.sample(&name, stats.count(reason));
    }
    text.metric("http_open_connections", "gauge", "HTTP connections open now.", stats.connections());
    text.metric("http_idle_connections", "gauge", "Those on which nothing is under way.", stats.idle());
    text.metric("tcp_live_connections", "gauge", "TCP connections not yet finished.", live);
    text.metric("buffer_bytes", "gauge", "Bytes of pooled memory in use.", memory);
    let mut response = Response::new(Piece::Owned(text.0.into_bytes()));
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[derive(Default)]
struct Text(String);

impl Text {
    fn metric(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.begin(name, kind, help);
        self.sample(name, value);
    }

    fn begin(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP longwire_{name} {help}"));
        self.line(format_args!("# TYPE longwire_{name} {kind}"));
    }

    fn sample(&mut self, name: &str, value: impl Display) {
        self.line(format_args!("longwire_{name} {value}"));
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        writeln!(self.0, "{line}").expect("writing to a String does not fail");
    }
}
