//! Heads of answers.

use ::http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderName, SERVER, TRANSFER_ENCODING};
use ::http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::ServerConfig;
use super::exchange::Asked;
use crate::http::encoder::{BodySize, Encoder};
use crate::http::message::{
    ConnectionOptions, is_bodyless, write_field, write_header, write_length, write_status_line,
};
use crate::http::{Date, Piece};

/// How the body of an answer is framed (RFC 9112 6).
pub(super) fn encoder(status: StatusCode, size: BodySize, asked: Asked) -> Encoder {
    match size {
        _ if asked.head_only || is_bodyless(status) => Encoder::Nothing,
        BodySize::Known(length) => Encoder::Length(length),
        BodySize::Unknown if asked.http_10 => Encoder::UntilClose,
        BodySize::Unknown => Encoder::Chunked,
    }
}

/// What an answer says about the connection.
#[derive(Clone, Copy, Debug)]
pub(super) enum Persistence {
    /// This is the last one.
    Close,
    /// It goes on; nothing needs to be said.
    Silent,
    /// It goes on, and the client asked by name: so many requests more.
    Announced { left: Option<u32> },
}

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");

/// Which fields a handler gave of those that an answer has anyway, noted in one walk over them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Given {
    date: bool,
    server: bool,
    /// Some belong to the connection, and are not the handler's to write.
    ours: bool,
    /// It said `Connection: close`, which it may.
    pub(super) close: bool,
}

impl Given {
    pub(super) fn by(headers: &HeaderMap) -> Self {
        let mut given = Given::default();
        for name in headers.keys() {
            given.date |= name == DATE;
            given.server |= name == SERVER;
            given.ours |= is_ours(name);
            given.close |= name == CONNECTION && ConnectionOptions::of(headers).close;
        }
        given
    }
}

fn is_ours(name: &HeaderName) -> bool {
    name == CONNECTION || name == KEEP_ALIVE || name == TRANSFER_ENCODING || name == CONTENT_LENGTH
}

/// Appends a head: the handler's fields, and what every answer has (RFC 9110 6.6.1, RFC 9112 6).
pub(super) fn write_head(
    out: &mut Vec<u8>,
    response: &Response<BodySize>,
    given: Given,
    asked: Asked,
    persistence: Persistence,
    config: &ServerConfig,
    date: &Date,
) {
    let (status, headers) = (response.status(), response.headers());
    write_status_line(out, status);
    if !given.date {
        out.extend_from_slice(date.line());
    }
    if !given.server {
        out.extend_from_slice(b"Server: ");
        out.extend_from_slice(config.server.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    for (name, value) in headers.iter().filter(|(name, _)| !given.ours || !is_ours(name)) {
        write_header(out, name, value);
    }
    // The framing is what GET would have, also for HEAD; RFC 9110 8.6 forbids a length with 204, and the length of
    // a 304 would be that of a body nobody made.
    match *response.body() {
        _ if is_bodyless(status) => {}
        BodySize::Known(length) => write_length(out, length),
        BodySize::Unknown if asked.http_10 => {}
        BodySize::Unknown => write_field(out, "transfer-encoding", b"chunked"),
    }
    match persistence {
        Persistence::Close => write_field(out, "connection", b"close"),
        Persistence::Silent => {}
        Persistence::Announced { left } => write_keep_alive(out, left, config),
    }
    out.extend_from_slice(b"\r\n");
}

fn write_keep_alive(out: &mut Vec<u8>, left: Option<u32>, config: &ServerConfig) {
    write_field(out, "connection", b"keep-alive");
    let timeout = config.idle_timeout.map(|timeout| format!("timeout={}", timeout.as_secs()));
    let max = left.map(|left| format!("max={left}"));
    let parameters: Vec<String> = [timeout, max].into_iter().flatten().collect();
    if !parameters.is_empty() {
        write_field(out, KEEP_ALIVE.as_str(), parameters.join(", ").as_bytes());
    }
}

/// An answer of plain text that says its status, and what was wrong if `detail` is not empty.
pub(in crate::http) fn plain_answer(status: StatusCode, detail: &str) -> Response<Piece> {
    let reason = status.canonical_reason().unwrap_or_default();
    let colon = if detail.is_empty() { "" } else { ": " };
    let text = format!("{} {reason}{colon}{detail}\n", status.as_str());
    let mut response = Response::new(Piece::Owned(text.into_bytes()));
    *response.status_mut() = status;
    let text_type = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, text_type);
    response
}
