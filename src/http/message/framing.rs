//! Where a message's body ends (RFC 9112 6.3).

use ::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use ::http::{HeaderMap, Method, StatusCode, Version};

use super::{Marks, list_items};
use crate::http::BadMessage;

/// How a body is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// By its length in bytes; a message without a body has length 0.
    Length(u64),
    /// By the chunked coding.
    Chunked,
    /// By the end of the stream; only a response may be.
    UntilClose,
}

impl Framing {
    /// Whether there is no body at all.
    pub fn is_empty(self) -> bool {
        self == Framing::Length(0)
    }
}

/// The framing of a request.
///
/// # Errors
/// Whatever two readers could understand differently is refused, rather than resolved (RFC 9112 11.2).
pub fn request_framing(
    method: &Method,
    version: Version,
    headers: &HeaderMap,
) -> Result<Framing, BadMessage> {
    marked_framing(method, version, headers, Marks::of(headers))
}

/// [`request_framing`] where it is known already which fields there are.
pub(crate) fn marked_framing(
    method: &Method,
    version: Version,
    headers: &HeaderMap,
    marks: Marks,
) -> Result<Framing, BadMessage> {
    match declared_framing(headers, marks)? {
        // RFC 9112 6.1: HTTP/1.0 has no transfer codings; whoever is between us may not have seen one here either.
        Some(Framing::Chunked) if version == Version::HTTP_10 => Err(BadMessage::TransferEncoding),
        Some(framing) => Ok(framing),
        // RFC 1945 7.2.2: an HTTP/1.0 request with a body has to give its length. HTTP/1.1 without one has no body.
        None if version == Version::HTTP_10 && has_body_by_nature(method) => Err(BadMessage::LengthRequired),
        None => Ok(Framing::Length(0)),
    }
}

/// The framing of the response to a request with `method`.
///
/// # Errors
/// As for a request: contradictory framing is refused.
pub fn response_framing(
    method: &Method,
    status: StatusCode,
    headers: &HeaderMap,
) -> Result<Framing, BadMessage> {
    // RFC 9112 6.3, rule 1: these have no body, whatever their fields say.
    if method == Method::HEAD || is_bodyless(status) {
        return Ok(Framing::Length(0));
    }
    Ok(declared_framing(headers, Marks::of(headers))?.unwrap_or(Framing::UntilClose))
}

/// Whether a response with `status` never has a body (RFC 9110 6.4.1).
pub(crate) fn is_bodyless(status: StatusCode) -> bool {
    status.is_informational() || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED
}

/// Whether a request with `method` is expected to have a body.
pub(crate) fn has_body_by_nature(method: &Method) -> bool {
    method == Method::POST || method == Method::PUT || method == Method::PATCH
}

fn declared_framing(headers: &HeaderMap, marks: Marks) -> Result<Option<Framing>, BadMessage> {
    match (marks.content_length, marks.transfer_encoding) {
        (false, false) => Ok(None),
        (true, false) => content_length(headers).map(|length| Some(Framing::Length(length))),
        // RFC 9112 6.1: the favourite of request smuggling.
        (true, true) => Err(BadMessage::LengthAndCoding),
        (false, true) => check_codings(headers).map(|()| Some(Framing::Chunked)),
    }
}

/// Only `chunked`, alone and once, is understood (RFC 9112 6.1 and 7).
fn check_codings(headers: &HeaderMap) -> Result<(), BadMessage> {
    if headers.get_all(TRANSFER_ENCODING).iter().any(|value| value.to_str().is_err()) {
        return Err(BadMessage::TransferEncoding);
    }
    let codings: Vec<&str> = list_items(headers, &TRANSFER_ENCODING).collect();
    let is_chunked = |coding: &&str| coding.eq_ignore_ascii_case("chunked");
    let Some((last, others)) = codings.split_last() else { return Err(BadMessage::TransferEncoding) };
    if others.iter().any(is_chunked) {
        return Err(BadMessage::TransferEncoding);
    }
    if !others.is_empty() || !is_chunked(last) {
        return Err(BadMessage::UnknownCoding);
    }
    Ok(())
}

/// RFC 9110 8.6: digits only. Repeated equal values are one value; different ones cannot be recovered from.
fn content_length(headers: &HeaderMap) -> Result<u64, BadMessage> {
    let mut length = None;
    for value in headers.get_all(CONTENT_LENGTH) {
        let text = value.to_str().map_err(|_| BadMessage::ContentLength)?;
        for item in text.split(',') {
            let item = item.trim_matches([' ', '\t']);
            if item.is_empty() || !item.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(BadMessage::ContentLength);
            }
            let number: u64 = item.parse().map_err(|_| BadMessage::ContentLength)?;
            if length.is_some_and(|earlier| earlier != number) {
                return Err(BadMessage::ContentLength);
            }
            length = Some(number);
        }
    }
    length.ok_or(BadMessage::ContentLength)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in fields {
            map.append(*name, value.parse().unwrap());
        }
        map
    }

    fn post(fields: &[(&'static str, &str)]) -> Result<Framing, BadMessage> {
        request_framing(&Method::POST, Version::HTTP_11, &headers(fields))
    }

    #[test]
    fn a_request_body_has_a_length_or_is_chunked() {
        const CL: &str = "content-length";
        const TE: &str = "transfer-encoding";
        assert_eq!(post(&[]), Ok(Framing::Length(0)));
        assert_eq!(post(&[(CL, "42")]), Ok(Framing::Length(42)));
        assert_eq!(post(&[(CL, "18446744073709551615")]), Ok(Framing::Length(u64::MAX)));
        assert_eq!(post(&[(CL, "5"), (CL, "5")]), Ok(Framing::Length(5)));
        assert_eq!(post(&[(CL, "5, 5")]), Ok(Framing::Length(5)));
        for bad in ["", "+5", "-1", "0x10", "5 5", "5,", "5,6", "1e3", "18446744073709551616", "5\u{e9}"] {
            assert_eq!(post(&[(CL, bad)]), Err(BadMessage::ContentLength), "{bad:?}");
        }
        assert_eq!(post(&[(CL, "5"), (CL, "6")]), Err(BadMessage::ContentLength));
        assert_eq!(post(&[(TE, "chunked")]), Ok(Framing::Chunked));
        assert_eq!(post(&[(TE, " , Chunked")]), Ok(Framing::Chunked));
        assert_eq!(post(&[(TE, "chunked"), (CL, "5")]), Err(BadMessage::LengthAndCoding));
        assert_eq!(post(&[(TE, "gzip"), (CL, "5")]), Err(BadMessage::LengthAndCoding));
        for bad in ["", ",", "chunked, gzip", "chunked, chunked", "chunked, identity"] {
            assert_eq!(post(&[(TE, bad)]), Err(BadMessage::TransferEncoding), "{bad:?}");
        }
        assert_eq!(post(&[(TE, "chunked"), (TE, "chunked")]), Err(BadMessage::TransferEncoding));
        for unknown in ["gzip", "gzip, chunked", "xchunked", "identity", "chunked;q=1"] {
            assert_eq!(post(&[(TE, unknown)]), Err(BadMessage::UnknownCoding), "{unknown:?}");
        }
    }

    #[test]
    fn http_1_0_has_to_give_the_length_of_a_body() {
        let framing = |method| request_framing(&method, Version::HTTP_10, &HeaderMap::new());
        assert_eq!(framing(Method::POST), Err(BadMessage::LengthRequired));
        assert_eq!(framing(Method::GET), Ok(Framing::Length(0)));
        let chunked = headers(&[("transfer-encoding", "chunked")]);
        let refused = request_framing(&Method::POST, Version::HTTP_10, &chunked);
        assert_eq!(refused, Err(BadMessage::TransferEncoding));
    }

    #[test]
    fn a_response_may_also_end_with_the_stream() {
        let length = headers(&[("content-length", "7")]);
        let of = |method, status, map| response_framing(&method, status, map);
        assert_eq!(of(Method::GET, StatusCode::OK, &length), Ok(Framing::Length(7)));
        assert_eq!(of(Method::HEAD, StatusCode::OK, &length), Ok(Framing::Length(0)));
        assert_eq!(of(Method::GET, StatusCode::NOT_MODIFIED, &length), Ok(Framing::Length(0)));
        assert_eq!(of(Method::GET, StatusCode::NO_CONTENT, &length), Ok(Framing::Length(0)));
        assert_eq!(of(Method::GET, StatusCode::OK, &HeaderMap::new()), Ok(Framing::UntilClose));
    }
}
