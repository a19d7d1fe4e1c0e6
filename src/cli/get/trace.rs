//! The exchange as people read it, on standard error: `>` what goes out, `<` what comes in, `*` what happens.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use ::http::{HeaderMap, Request, Response};

use crate::client::Trace;
use crate::http::message::write_field;

/// Shows one step.
pub(super) fn show(step: &Trace<'_>) {
    // Without standard error the exchange itself goes on.
    let _ = io::stderr().write_all(text_of(step).as_bytes());
}

/// The head of an answer as it was on the wire.
pub(super) fn head_of<B>(response: &Response<B>) -> String {
    let mut text = format!("{:?} {}\r\n", response.version(), response.status());
    text += &fields_of(response.headers());
    text += "\r\n";
    text
}

fn text_of(step: &Trace<'_>) -> String {
    match step {
        Trace::Connected { address, took } => format!("* connected to {address} in {took:.1?}\n"),
        Trace::Reused { authority } => format!("* the connection to {authority} is used once more\n"),
        Trace::Request(request) => marked('>', &request_head(request)),
        Trace::Response(response) => marked('<', &head_of(response)),
        Trace::Retry(error) => format!("* {error}: trying again on another connection\n"),
        Trace::Redirect(url) => format!("* redirected to {url}\n"),
        Trace::Complete { kept: true } => "* complete; the connection is kept\n".to_owned(),
        Trace::Complete { kept: false } => "* complete; the connection is closed\n".to_owned(),
    }
}

fn request_head(request: &Request<()>) -> String {
    let url = request.uri();
    let target = url.path_and_query().map_or("/", |target| target.as_str());
    let mut text = format!("{} {target} HTTP/1.1\r\n", request.method());
    if let Some(authority) = url.authority() {
        let _ = write!(text, "Host: {authority}\r\n");
    }
    text += &fields_of(request.headers());
    text += "\r\n";
    text
}

fn fields_of(headers: &HeaderMap) -> String {
    let mut bytes = Vec::new();
    for (name, value) in headers {
        write_field(&mut bytes, name.as_str(), value.as_bytes());
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Each line with a mark before it, and without control characters: a peer shall not write to the terminal.
fn marked(mark: char, head: &str) -> String {
    let mut text = String::new();
    for line in head.lines() {
        let line: String = line.chars().filter(|c| !c.is_control() || *c == '\t').collect();
        text += format!("{mark} {line}").trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_shown_line_by_line() {
        let request = Request::get("http://h:81/p?q").header("accept", "*/*").body(()).unwrap();
        assert_eq!(
            text_of(&Trace::Request(&request)),
            "> GET /p?q HTTP/1.1\n> Host: h:81\n> Accept: */*\n>\n"
        );
        let response = Response::builder().status(404).header("content-length", "0").body(()).unwrap();
        assert_eq!(
            text_of(&Trace::Response(&response)),
            "< HTTP/1.1 404 Not Found\n< Content-Length: 0\n<\n"
        );
    }

    #[test]
    fn a_peer_does_not_write_to_the_terminal() {
        assert_eq!(marked('<', "X: a\u{1b}[2Jb\r\n"), "< X: a[2Jb\n");
    }
}
