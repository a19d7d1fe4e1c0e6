//! A request's body on its way out.

use std::io::{self, Read};

use super::{Error, RequestBody};
use crate::http::Piece;

/// Bytes of a stream that are read at a time.
const PIECE: usize = 64 * 1024;

/// A body that is being sent. It owns it, so that sending can go on while the answer is read already.
#[derive(Debug)]
pub(super) struct Upload {
    body: RequestBody,
    /// Bytes handed out.
    sent: u64,
}

impl Upload {
    /// Begins at the beginning.
    pub(super) fn new(body: RequestBody) -> Upload {
        Upload { body, sent: 0 }
    }

    /// The body, to be sent from its beginning another time if it [can be](RequestBody::is_replayable).
    pub(super) fn into_body(self) -> RequestBody {
        self.body
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// [`Error::RequestBody`], also for a stream that is shorter than announced.
    pub(super) fn next(&mut self) -> Result<Option<Piece>, Error> {
        let piece = match &mut self.body {
            RequestBody::Empty => Vec::new(),
            RequestBody::Bytes(bytes) => {
                let rest = &bytes[self.sent as usize..];
                rest[..rest.len().min(PIECE)].to_vec()
            }
            RequestBody::Stream { reader, length } => {
                let left = length.map(|length| length - self.sent);
                let most = left.map_or(PIECE, |left| left.min(PIECE as u64) as usize);
                let mut piece = vec![0; most];
                let count = read_some(&mut **reader, &mut piece).map_err(Error::RequestBody)?;
                if count == 0 && left.is_some_and(|left| left > 0) {
                    return Err(Error::RequestBody(io::ErrorKind::UnexpectedEof.into()));
                }
                piece.truncate(count);
                piece
            }
        };
        self.sent += piece.len() as u64;
        Ok((!piece.is_empty()).then(|| piece.into()))
    }
}

/// Reads what there is; nothing into an empty buffer.
fn read_some(reader: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    if buffer.is_empty() {
        return Ok(0);
    }
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

    fn collect(body: RequestBody) -> Result<Vec<u8>, Error> {
        let mut upload = Upload::new(body);
        let mut all = Vec::new();
        while let Some(piece) = upload.next()? {
            all.extend_from_slice(&piece);
        }
        assert!(upload.next()?.is_none(), "the end stays the end");
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

    #[test]
    fn bytes_begin_anew_the_second_time() {
        let mut upload = Upload::new("twice".into());
        upload.next().unwrap();
        assert_eq!(collect(upload.into_body()).unwrap(), b"twice");
    }
}
