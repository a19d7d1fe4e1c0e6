//! The syntax of HTTP/1.x messages (RFC 9112): heads, framing, bodies.
//!
//! Everything is incremental: input arrives in pieces of any size, and a piece is looked at once. What has arrived
//! of a head is bounded by [`HeadLimits`]; body bytes are lent from the input and never stored here.

mod body;
mod chunked;
mod fields;
mod framing;
mod head;
mod request;
mod response;

pub use body::{BodyDecoder, Decoded};
pub use chunked::{ChunkedDecoder, LAST_CHUNK, write_chunk_size};
pub use fields::{ConnectionOptions, list_items};
pub use framing::{Framing, request_framing, response_framing};
pub(crate) use framing::{has_body_by_nature, is_bodyless};
pub use head::{HeadBuffer, HeadLimits, HeadProgress};
pub use request::{parse_request, write_request_line};
pub use response::{parse_response, write_status_line};

use std::io::Write as _;

/// Appends one field line with its CRLF, the name as `Content-Length`: names have no case, but people and old
/// clients are used to this one. Neither `name` nor `value` may contain CR or LF.
pub fn write_field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    if name.eq_ignore_ascii_case("etag") {
        out.extend_from_slice(b"ETag");
    } else {
        let mut begins_word = true;
        out.extend(name.bytes().map(|byte| {
            let written = if begins_word { byte.to_ascii_uppercase() } else { byte };
            begins_word = byte == b'-';
            written
        }));
    }
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Appends `Content-Length`.
pub fn write_length(out: &mut Vec<u8>, length: u64) {
    write!(out, "Content-Length: {length}\r\n").expect("writing to a Vec does not fail");
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
}
