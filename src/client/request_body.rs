//! What a request carries.

use std::fmt;
use std::io::{self, Read};

use super::Error;
use crate::http::{BodySize, Piece};

/// Bytes of a stream that are read at a time.
const PIECE: usize = 64 * 1024;

/// The body of a request.
#[derive(Default)]
pub enum RequestBody {
    /// None.
    #[default]
    Empty,
    /// These bytes: the request can be sent again if it has to be.
    Bytes(Vec<u8>),
    /// What a reader gives, once: with `length` exactly so much, without it in chunks until its end.
    Stream {
        /// Where it comes from.
        reader: Box<dyn Read + Send>,
        /// How much it will be, if that is known.
        length: Option<u64>,
    },
}

impl RequestBody {
    pub(super) fn size(&self) -> BodySize {
        match self {
            RequestBody::Empty => BodySize::Known(0),
            RequestBody::Bytes(bytes) => BodySize::Known(bytes.len() as u64),
            RequestBody::Stream { length, .. } => length.map_or(BodySize::Unknown, BodySize::Known),
        }
    }

    /// Whether it can be sent a second time.
    pub(super) fn is_replayable(&self) -> bool {
        !matches!(self, RequestBody::Stream { .. })
    }

    /// Begins to hand it out.
    pub(super) fn pieces(&mut self) -> Pieces<'_> {
        match self {
            RequestBody::Empty => Pieces::Bytes(&[]),
            RequestBody::Bytes(bytes) => Pieces::Bytes(bytes),
            RequestBody::Stream { reader, length } => Pieces::Stream { reader, left: *length },
        }
    }
}

impl From<Vec<u8>> for RequestBody {
    fn from(bytes: Vec<u8>) -> Self {
        RequestBody::Bytes(bytes)
    }
}

impl From<&str> for RequestBody {
    fn from(text: &str) -> Self {
        RequestBody::Bytes(text.into())
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RequestBody::Empty => f.write_str("Empty"),
            RequestBody::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            RequestBody::Stream { length, .. } => write!(f, "Stream({length:?})"),
        }
    }
}

/// A body on its way out.
pub(super) enum Pieces<'a> {
    /// What is left of it.
    Bytes(&'a [u8]),
    Stream {
        reader: &'a mut (dyn Read + Send),
        left: Option<u64>,
    },
}

impl Pieces<'_> {
    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// [`Error::RequestBody`], also for a stream that is shorter than announced.
    pub(super) fn next(&mut self) -> Result<Option<Piece>, Error> {
        match self {
            Pieces::Bytes([]) | Pieces::Stream { left: Some(0), .. } => Ok(None),
            Pieces::Bytes(bytes) => {
                let (piece, rest) = bytes.split_at(bytes.len().min(PIECE));
                *bytes = rest;
                Ok(Some(piece.to_vec().into()))
            }
            Pieces::Stream { reader, left } => {
                let most = left.map_or(PIECE, |left| usize::try_from(left).map_or(PIECE, |n| n.min(PIECE)));
                let mut piece = vec![0; most];
                let count = read_some(*reader, &mut piece).map_err(Error::RequestBody)?;
                if let Some(left) = left {
                    if count == 0 {
                        return Err(Error::RequestBody(io::ErrorKind::UnexpectedEof.into()));
                    }
                    *left -= count as u64;
                }
                piece.truncate(count);
                Ok((count > 0).then(|| piece.into()))
            }
        }
    }
}

fn read_some(reader: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match reader.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(bytes: &'static [u8], length: Option<u64>) -> RequestBody {
        RequestBody::Stream { reader: Box::new(bytes), length }
    }

    fn collect(mut body: RequestBody) -> Result<Vec<u8>, Error> {
        let mut pieces = body.pieces();
        let mut all = Vec::new();
        while let Some(piece) = pieces.next()? {
            all.extend_from_slice(&piece);
        }
        Ok(all)
    }

    #[test]
    fn everything_comes_out_and_nothing_beyond_the_length() {
        let long = vec![7; PIECE * 2 + 1];
        assert_eq!(collect(long.clone().into()).unwrap(), long);
        assert_eq!(collect(RequestBody::Empty).unwrap(), b"");
        assert_eq!(collect(stream(b"abcdef", None)).unwrap(), b"abcdef");
        assert_eq!(collect(stream(b"abcdef", Some(4))).unwrap(), b"abcd");
    }

    #[test]
    fn a_stream_shorter_than_announced_is_an_error() {
        assert!(matches!(collect(stream(b"abc", Some(4))), Err(Error::RequestBody(_))));
    }
}
