//! Response heads (RFC 9112 4), read and written.

use std::mem::MaybeUninit;

use ::http::{Response, StatusCode, Version};
use bytes::Bytes;

use super::fields::header_map;
use crate::http::BadMessage;

/// Parses a complete head, as [`HeadBuffer`](super::HeadBuffer) delivers it, with `fields` field lines.
///
/// # Errors
/// [`BadMessage::Syntax`], [`BadMessage::Version`] or [`BadMessage::TooManyFields`].
pub fn parse_response(head: &[u8], fields: usize) -> Result<Response<()>, BadMessage> {
    let mut storage = vec![MaybeUninit::uninit(); fields];
    let mut parsed = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    match config.parse_response_with_uninit_headers(&mut parsed, head, &mut storage) {
        Ok(httparse::Status::Complete(len)) if len == head.len() => {}
        Ok(_) => return Err(BadMessage::Syntax),
        Err(httparse::Error::Version) => return Err(BadMessage::Version),
        Err(httparse::Error::TooManyHeaders) => return Err(BadMessage::TooManyFields),
        Err(_) => return Err(BadMessage::Syntax),
    }
    let status = parsed.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or(BadMessage::Syntax)?;
    let mut response = Response::new(());
    *response.status_mut() = status;
    *response.version_mut() = if parsed.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 };
    *response.headers_mut() = header_map(parsed.headers, Bytes::copy_from_slice, |_, _| ())?;
    Ok(response)
}

/// Appends the status line with its CRLF. It says HTTP/1.1 to every client: the version is the server's, not the
/// exchange's (RFC 9110 6.2).
pub fn write_status_line(out: &mut Vec<u8>, status: StatusCode) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_becomes_a_response() {
        let response = parse_response(b"HTTP/1.0 404 Not here\r\nA: b\r\n\r\n", 1).unwrap();
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert_eq!(response.version(), Version::HTTP_10);
        assert_eq!(response.headers()["a"], "b");
        assert_eq!(parse_response(b"HTTP/1.1 200\r\n\r\n", 0).unwrap().status(), StatusCode::OK);
    }

    #[test]
    fn what_is_no_response_is_refused() {
        let error = |head: &[u8], fields| parse_response(head, fields).err();
        assert_eq!(error(b"HTTP/2 200 OK\r\n\r\n", 0), Some(BadMessage::Version));
        assert_eq!(error(b"HTTP/1.1 99 x\r\n\r\n", 0), Some(BadMessage::Syntax));
        assert_eq!(error(b"HTTP/1.1 2000 x\r\n\r\n", 0), Some(BadMessage::Syntax));
        assert_eq!(error(b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", 2), Some(BadMessage::Syntax));
        assert_eq!(error(b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n", 1), Some(BadMessage::Syntax));
        assert_eq!(error(b"\x16\x03\x01 200\r\n\r\n", 0), Some(BadMessage::Version));
    }

    #[test]
    fn what_is_written_can_be_read() {
        let mut out = Vec::new();
        write_status_line(&mut out, StatusCode::IM_A_TEAPOT);
        out.extend_from_slice(b"\r\n");
        assert_eq!(parse_response(&out, 0).unwrap().status(), StatusCode::IM_A_TEAPOT);
    }
}
