//! A body as it arrives, whatever delimits it.

use ::http::HeaderMap;

use super::{ChunkedDecoder, Framing, HeadLimits};
use crate::http::BadMessage;

/// What a decoder found at the start of its input.
#[derive(Debug, PartialEq, Eq)]
pub enum Decoded<'a> {
    /// All input is used; more is needed.
    More,
    /// Bytes of the body, lent from the input.
    Data(&'a [u8]),
    /// The body is complete, with the trailer fields if there were any.
    End(Option<HeaderMap>),
}

/// Takes a body out of a stream.
#[derive(Debug)]
pub enum BodyDecoder {
    /// So many bytes are still to come.
    Length(u64),
    /// Chunks.
    Chunked(ChunkedDecoder),
    /// Everything, until [`BodyDecoder::end_of_stream`].
    UntilClose,
}

impl BodyDecoder {
    /// The decoder for a body that is delimited by `framing`.
    pub fn new(framing: Framing) -> Self {
        match framing {
            Framing::Length(length) => BodyDecoder::Length(length),
            Framing::Chunked => BodyDecoder::Chunked(ChunkedDecoder::default()),
            Framing::UntilClose => BodyDecoder::UntilClose,
        }
    }

    /// Decodes from the start of `input`; says how many bytes were used. Call again with the rest until
    /// [`Decoded::More`] or [`Decoded::End`].
    ///
    /// # Errors
    /// See [`ChunkedDecoder::decode`].
    pub fn decode<'a>(
        &mut self,
        input: &'a [u8],
        limits: &HeadLimits,
    ) -> Result<(usize, Decoded<'a>), BadMessage> {
        match self {
            BodyDecoder::Chunked(decoder) => decoder.decode(input, limits),
            BodyDecoder::Length(0) => Ok((0, Decoded::End(None))),
            _ if input.is_empty() => Ok((0, Decoded::More)),
            BodyDecoder::Length(remaining) => {
                let take = usize::try_from(*remaining).map_or(input.len(), |n| n.min(input.len()));
                *remaining -= take as u64;
                Ok((take, Decoded::Data(&input[..take])))
            }
            BodyDecoder::UntilClose => Ok((input.len(), Decoded::Data(input))),
        }
    }

    /// Bytes still to come, where that is known.
    pub fn remaining(&self) -> Option<u64> {
        match self {
            BodyDecoder::Length(remaining) => Some(*remaining),
            BodyDecoder::Chunked(_) | BodyDecoder::UntilClose => None,
        }
    }

    /// The stream has ended: was that the end of the body?
    ///
    /// # Errors
    /// [`BadMessage::Truncated`] if bytes are missing (RFC 9112 8).
    pub fn end_of_stream(&self) -> Result<(), BadMessage> {
        match self {
            BodyDecoder::UntilClose | BodyDecoder::Length(0) => Ok(()),
            BodyDecoder::Length(_) | BodyDecoder::Chunked(_) => Err(BadMessage::Truncated),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_ends_where_it_says() {
        let limits = HeadLimits::default();
        let mut body = BodyDecoder::new(Framing::Length(5));
        assert_eq!(body.decode(b"", &limits), Ok((0, Decoded::More)));
        assert_eq!(body.decode(b"hel", &limits), Ok((3, Decoded::Data(b"hel"))));
        assert_eq!(body.end_of_stream(), Err(BadMessage::Truncated));
        assert_eq!(body.decode(b"loGET", &limits), Ok((2, Decoded::Data(b"lo"))));
        assert_eq!(body.decode(b"GET", &limits), Ok((0, Decoded::End(None))));
        assert_eq!(body.end_of_stream(), Ok(()));
    }

    #[test]
    fn until_close_ends_with_the_stream() {
        let mut body = BodyDecoder::new(Framing::UntilClose);
        assert_eq!(body.decode(b"all", &HeadLimits::default()), Ok((3, Decoded::Data(b"all"))));
        assert_eq!(body.end_of_stream(), Ok(()));
        assert_eq!(BodyDecoder::new(Framing::Chunked).end_of_stream(), Err(BadMessage::Truncated));
    }
}
