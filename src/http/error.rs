//! What can be wrong with a peer's message.

use std::fmt;

use ::http::StatusCode;

/// Why a message was refused. The peer is to blame for all of them, and none leaves the connection usable: where the
/// message ended is no longer certain, which is what request smuggling lives on (RFC 9112 11.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BadMessage {
    /// Not the grammar of a head: obs-fold, bare CR, NUL, whitespace before a colon, no token where one belongs.
    Syntax,
    /// A request target of no known form, or of one that the method does not allow (RFC 9112 3.2).
    Target,
    /// `Host` missing in HTTP/1.1, repeated, or not an authority (RFC 9112 3.2).
    Host,
    /// `Content-Length` is not a number, or two of them differ (RFC 9110 8.6).
    ContentLength,
    /// `Content-Length` together with `Transfer-Encoding` (RFC 9112 6.1).
    LengthAndCoding,
    /// `chunked` is not the last coding, is repeated, or the field is malformed, or this is HTTP/1.0, which has none
    /// (RFC 9112 6.1).
    TransferEncoding,
    /// A transfer coding nobody here decodes.
    UnknownCoding,
    /// A body in HTTP/1.0 whose length is not given (RFC 1945 7.2.2).
    LengthRequired,
    /// A chunk's size, extension or line end is malformed or too long (RFC 9112 7.1).
    Chunk,
    /// The stream ended before the message did.
    Truncated,
    /// The request or status line is longer than the limit.
    LineTooLong,
    /// The header section is longer than the limit.
    HeadersTooLarge,
    /// More fields than the limit.
    TooManyFields,
    /// An expectation other than `100-continue` (RFC 9110 10.1.1).
    Expectation,
    /// `CONNECT`: this is no proxy.
    Connect,
    /// A version other than HTTP/1.0 and HTTP/1.1.
    Version,
    /// A server that sends interim answers (1xx) without end.
    Interim,
}

impl BadMessage {
    /// The status that a server answers it with.
    pub fn status(self) -> StatusCode {
        match self {
            BadMessage::LineTooLong => StatusCode::URI_TOO_LONG,
            BadMessage::HeadersTooLarge | BadMessage::TooManyFields => {
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
            }
            BadMessage::LengthRequired => StatusCode::LENGTH_REQUIRED,
            BadMessage::Expectation => StatusCode::EXPECTATION_FAILED,
            BadMessage::UnknownCoding | BadMessage::Connect => StatusCode::NOT_IMPLEMENTED,
            BadMessage::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            BadMessage::Syntax
            | BadMessage::Target
            | BadMessage::Host
            | BadMessage::ContentLength
            | BadMessage::LengthAndCoding
            | BadMessage::TransferEncoding
            | BadMessage::Chunk
            | BadMessage::Interim
            | BadMessage::Truncated => StatusCode::BAD_REQUEST,
        }
    }
}

impl fmt::Display for BadMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BadMessage::Syntax => "malformed head",
            BadMessage::Target => "malformed request target",
            BadMessage::Host => "Host missing, repeated or malformed",
            BadMessage::ContentLength => "malformed or contradictory Content-Length",
            BadMessage::LengthAndCoding => "both Content-Length and Transfer-Encoding",
            BadMessage::TransferEncoding => "malformed Transfer-Encoding",
            BadMessage::UnknownCoding => "unknown transfer coding",
            BadMessage::LengthRequired => "length of the body not given",
            BadMessage::Chunk => "malformed chunk",
            BadMessage::Truncated => "stream ended inside the message",
            BadMessage::LineTooLong => "first line too long",
            BadMessage::HeadersTooLarge => "header section too large",
            BadMessage::TooManyFields => "too many header fields",
            BadMessage::Expectation => "unknown expectation",
            BadMessage::Connect => "CONNECT is not supported",
            BadMessage::Version => "HTTP version not supported",
            BadMessage::Interim => "too many interim answers",
        })
    }
}

impl std::error::Error for BadMessage {}
