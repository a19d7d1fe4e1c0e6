//! `GET /`: a page that explains itself.

use std::fmt::Write;

use ::http::header::{CACHE_CONTROL, CONTENT_TYPE, HOST};
use ::http::uri::Authority;
use ::http::{HeaderValue, Request, Response, Version};

use crate::http::Piece;
use crate::http::message::ConnectionOptions;
use crate::serve::About;

const TEMPLATE: &str = include_str!("welcome.html");

/// What each route is for; a method only where a browser cannot just follow the link.
const ROUTES: [(&str, &str, &str); 5] = [
    ("", "/healthz", "says that the server is well"),
    ("", "/metrics", "all counters, for Prometheus"),
    ("", "/bytes/1000000", "a million bytes; byte <i>i</i> is <i>i</i> mod 251; ranges work"),
    ("POST ", "/echo", "sends the body back while it comes"),
    ("POST ", "/sha256", "length and hash of a body of any size"),
];

/// The page, for who asks.
pub(super) fn page(prefix: &str, request: &Request<Vec<u8>>) -> Response<Piece> {
    let about = request.extensions().get::<About>();
    let peer = about.map_or_else(|| "unknown".to_owned(), |about| about.peer.to_string());
    let count = about.map_or(1, |about| about.request);
    let html = TEMPLATE
        .replace("{peer}", &peer)
        .replace("{kind}", kind(request))
        .replace("{count}", &count.to_string())
        .replace("{times}", if count == 1 { "request" } else { "requests" })
        .replace("{version}", env!("CARGO_PKG_VERSION"))
        .replace("{routes}", &routes(prefix))
        .replace("{prefix}", &escaped(prefix))
        .replace("{host}", &host(request));
    let mut response = Response::new(Piece::Owned(html.into_bytes()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The server as the client calls it.
fn host(request: &Request<Vec<u8>>) -> String {
    // RFC 9112 3.2.2: what an absolute target names counts, and not the field.
    let target = request.uri().authority().map(Authority::as_str);
    let host = target.or_else(|| request.headers().get(HOST)?.to_str().ok());
    escaped(host.filter(|host| !host.is_empty()).unwrap_or("10.9.0.2"))
}

/// RFC 9112 9.3.
fn kind(request: &Request<Vec<u8>>) -> &'static str {
    let options = ConnectionOptions::of(request.headers());
    let long = !options.close && (request.version() != Version::HTTP_10 || options.keep_alive);
    if long { "long" } else { "short" }
}

fn routes(prefix: &str) -> String {
    let prefix = escaped(prefix);
    let mut rows = String::new();
    for (method, path, purpose) in ROUTES {
        let name = format!("{method}{prefix}{path}");
        let name = if method.is_empty() { format!("<a href=\"{prefix}{path}\">{name}</a>") } else { name };
        writeln!(rows, "<tr><td><code>{name}</code><td>{purpose}")
            .expect("writing to a String does not fail");
    }
    rows
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
