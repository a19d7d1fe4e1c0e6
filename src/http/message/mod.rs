//! The syntax of HTTP/1.x messages (RFC 9112): heads, framing, bodies.
//!
//! Everything is incremental: input arrives in pieces of any size, and a piece is looked at once. What has arrived
//! of a head is bounded by [`HeadLimits`]; body bytes are lent from the input and never stored here.
//!
//! ```
//! use http::header::ACCEPT_ENCODING;
//! use http::{HeaderMap, Method, StatusCode, Uri};
//! use longwire::http::BadMessage;
//! use longwire::http::message::{
//!     BodyDecoder, ChunkedDecoder, ConnectionOptions, Decoded, Framing, HeadBuffer, HeadLimits, HeadProgress,
//!     LAST_CHUNK, list_items, parse_request, parse_response, request_framing, response_framing, write_chunk_size,
//!     write_field, write_length, write_request_line, write_status_line,
//! };
//!
//! // A request, written ...
//! let mut wire = Vec::new();
//! write_request_line(&mut wire, &Method::POST, &Uri::from_static("/upload"));
//! write_field(&mut wire, "host", b"10.9.0.2");
//! write_field(&mut wire, "accept-encoding", b"gzip, br");
//! write_field(&mut wire, "transfer-encoding", b"chunked");
//! wire.extend_from_slice(b"\r\n");
//! write_chunk_size(&mut wire, 5);
//! wire.extend_from_slice(b"hello\r\n");
//! wire.extend_from_slice(LAST_CHUNK);
//! wire.extend_from_slice(b"\r\n");
//!
//! // ... and read again.
//! let limits = HeadLimits::default();
//! let mut buffer = HeadBuffer::default();
//! let HeadProgress::Complete { head, consumed, fields } = buffer.feed(&wire, &limits)? else {
//!     panic!("it is all there");
//! };
//! let request = parse_request(head, fields)?;
//! assert_eq!(list_items(request.headers(), &ACCEPT_ENCODING).collect::<Vec<_>>(), ["gzip", "br"]);
//! assert!(!ConnectionOptions::of(request.headers()).close);
//! let framing = request_framing(request.method(), request.version(), request.headers())?;
//! assert_eq!(framing, Framing::Chunked);
//! let mut decoder = BodyDecoder::new(framing);
//! assert!(matches!(decoder, BodyDecoder::Chunked(ChunkedDecoder { .. })));
//! let (_, decoded) = decoder.decode(&wire[consumed..], &limits)?;
//! assert!(matches!(decoded, Decoded::Data(b"hello")));
//!
//! // A response has a framing of its own.
//! let mut wire = Vec::new();
//! write_status_line(&mut wire, StatusCode::OK);
//! write_length(&mut wire, 5);
//! wire.extend_from_slice(b"\r\n");
//! let answer = parse_response(&wire, 1)?;
//! assert_eq!(response_framing(&Method::GET, answer.status(), answer.headers())?, Framing::Length(5));
//! assert_eq!(response_framing(&Method::GET, StatusCode::OK, &HeaderMap::new())?, Framing::UntilClose);
//! # Ok::<(), BadMessage>(())
//! ```

mod body;
mod chunked;
mod fields;
mod framing;
mod head;
mod request;
mod response;

use ::http::HeaderValue;
use ::http::header::{ACCEPT_RANGES, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName, LAST_MODIFIED, VARY};

pub use body::{BodyDecoder, Decoded};
pub use chunked::{ChunkedDecoder, LAST_CHUNK, write_chunk_size};
pub(crate) use fields::Marks;
pub use fields::{ConnectionOptions, list_items};
pub use framing::{Framing, request_framing, response_framing};
pub(crate) use framing::{has_body_by_nature, is_bodyless, marked_framing};
pub use head::{HeadBuffer, HeadLimits, HeadProgress};
pub(crate) use request::parse_marked_request;
pub use request::{parse_request, write_request_line};
pub use response::{parse_response, write_status_line};

/// Appends one field line with its CRLF, the name as `Content-Length`: names have no case, but people and old
/// clients are used to this one. Neither `name` nor `value` may contain CR or LF.
pub fn write_field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    if name.eq_ignore_ascii_case("etag") {
        out.extend_from_slice(b"ETag");
    } else {
        let begin = out.len();
        out.extend_from_slice(name.as_bytes());
        let mut begins_word = true;
        for byte in &mut out[begin..] {
            if begins_word {
                byte.make_ascii_uppercase();
            }
            begins_word = *byte == b'-';
        }
    }
    write_value(out, value);
}

/// Names that many answers have, as [`write_field`] writes them: what is written each time need not be found each time.
static COMMON: [(HeaderName, &str); 6] = [
    (CONTENT_TYPE, "Content-Type"),
    (CACHE_CONTROL, "Cache-Control"),
    (ETAG, "ETag"),
    (LAST_MODIFIED, "Last-Modified"),
    (ACCEPT_RANGES, "Accept-Ranges"),
    (VARY, "Vary"),
];

/// [`write_field`] for fields of a map.
pub(crate) fn write_header(out: &mut Vec<u8>, name: &HeaderName, value: &HeaderValue) {
    match COMMON.iter().find(|(common, _)| common == name) {
        Some((_, written)) => {
            out.extend_from_slice(written.as_bytes());
            write_value(out, value.as_bytes());
        }
        None => write_field(out, name.as_str(), value.as_bytes()),
    }
}

fn write_value(out: &mut Vec<u8>, value: &[u8]) {
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Appends `Content-Length`.
pub fn write_length(out: &mut Vec<u8>, length: u64) {
    out.extend_from_slice(b"Content-Length: ");
    write_decimal(out, length);
    out.extend_from_slice(b"\r\n");
}

/// Appends a number, without the detour through a formatter: each answer has one.
fn write_decimal(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [b'0'; 20];
    let mut begin = digits.len();
    loop {
        begin -= 1;
        digits[begin] += (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return out.extend_from_slice(&digits[begin..]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_names_are_written_as_people_write_them() {
        let mut out = Vec::new();
        write_field(&mut out, "x-frame-options", b"a-b");
        write_field(&mut out, "etag", b"\"c\"");
        assert_eq!(out, b"X-Frame-Options: a-b\r\nETag: \"c\"\r\n");
    }

    #[test]
    fn names_that_are_common_are_written_like_the_others() {
        for (name, _) in &COMMON {
            let (mut known, mut found) = (Vec::new(), Vec::new());
            write_header(&mut known, name, &HeaderValue::from_static("x"));
            write_field(&mut found, name.as_str(), b"x");
            assert_eq!(String::from_utf8(known), String::from_utf8(found));
        }
    }

    #[test]
    fn numbers_are_written_to_their_last_digit() {
        for number in [0, 9, 10, 1_234_567_890, u64::MAX] {
            let mut out = Vec::new();
            write_decimal(&mut out, number);
            assert_eq!(String::from_utf8(out).unwrap(), number.to_string());
        }
    }
}
