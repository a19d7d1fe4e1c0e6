//! The framing of bodies that go out, whichever side sends them.

use ::http::HeaderMap;
use ::http::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderName, TRAILER, TRANSFER_ENCODING};

use super::message::{LAST_CHUNK, write_chunk_size, write_field};
use super::output::{Output, Piece};

/// How long a body will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodySize {
    /// Exactly so many bytes, announced as `Content-Length`.
    Known(u64),
    /// Not known yet: chunked, or in an answer to HTTP/1.0 delimited by the close.
    Unknown,
}

const NO_TRAILERS: [HeaderName; 5] = [CONNECTION, CONTENT_LENGTH, HOST, TRAILER, TRANSFER_ENCODING];

/// Frames the body of one message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Encoder {
    /// There is no body (HEAD, 204, 304): whatever comes is dropped.
    Nothing,
    /// So many bytes are still owed.
    Length(u64),
    Chunked,
    /// The end of the connection is the end of the body.
    UntilClose,
}

impl Encoder {
    /// Whether nothing can follow any more.
    pub(crate) fn owes_nothing(&self) -> bool {
        matches!(self, Encoder::Nothing | Encoder::Length(0))
    }

    /// Adds a piece of the body; what exceeds an announced length is cut off.
    pub(crate) fn push(&mut self, mut piece: Piece, output: &mut Output) {
        match self {
            _ if piece.is_empty() => {}
            Encoder::Nothing => {}
            Encoder::UntilClose => output.push(piece),
            Encoder::Length(owed) => {
                let len = usize::try_from(*owed).map_or(piece.len(), |owed| owed.min(piece.len()));
                match &mut piece {
                    Piece::Owned(bytes) => bytes.truncate(len),
                    Piece::Borrowed(bytes) => *bytes = &bytes[..len],
                }
                *owed -= len as u64;
                output.push(piece);
            }
            Encoder::Chunked => {
                output.append(|out| write_chunk_size(out, piece.len()));
                output.push(piece);
                output.append(|out| out.extend_from_slice(b"\r\n"));
            }
        }
    }

    /// Ends the body. `false`: less came than was announced, and only cutting the connection can say so.
    pub(crate) fn finish(&self, trailers: Option<&HeaderMap>, output: &mut Output) -> bool {
        match (self, trailers) {
            (Encoder::Chunked, None) => output.append(|out| out.extend_from_slice(LAST_CHUNK)),
            (Encoder::Chunked, Some(trailers)) => output.append(|out| {
                out.extend_from_slice(b"0\r\n");
                // RFC 9110 6.5.1: fields that frame or route a message have no business in its trailers.
                for (name, value) in trailers.iter().filter(|(name, _)| !NO_TRAILERS.contains(name)) {
                    write_field(out, name.as_str(), value.as_bytes());
                }
                out.extend_from_slice(b"\r\n");
            }),
            (Encoder::Length(owed), _) => return *owed == 0,
            (Encoder::Nothing | Encoder::UntilClose, _) => {}
        }
        true
    }
}
