//! The chunked transfer coding (RFC 9112 7.1), read and written.

use std::io::Write as _;

use ::http::HeaderMap;
use bytes::Bytes;

use super::fields::header_map;
use super::{Decoded, HeadBuffer, HeadLimits, HeadProgress};
use crate::http::BadMessage;

/// What ends a chunked body without trailers.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Bytes of chunk extensions that a whole body may spend: they mean nothing to us, and cost the peer nothing.
const EXTENSION_LIMIT: u32 = 16 * 1024;

/// Appends the size line of a chunk with `len` bytes; the data and a CRLF follow. `len` must not be 0.
pub fn write_chunk_size(out: &mut Vec<u8>, len: usize) {
    write!(out, "{len:x}\r\n").expect("writing to a Vec does not fail");
}

/// Takes the chunked coding off. Line ends are CRLF and nothing else: readers that differ here are how a request is
/// smuggled past one of them.
#[derive(Debug)]
pub struct ChunkedDecoder {
    state: State,
    extension_bytes: u32,
}

#[derive(Debug)]
enum State {
    /// Hexadecimal digits of the size, and how many there were.
    Size {
        size: u64,
        digits: u8,
    },
    /// Whitespace before a semicolon (RFC 9112 7.1.1: BWS).
    BeforeExtension {
        size: u64,
    },
    Extension {
        size: u64,
    },
    SizeLf {
        size: u64,
    },
    Data {
        remaining: u64,
    },
    DataCr,
    DataLf,
    Trailers(Box<HeadBuffer>),
    Done,
}

const NEXT_SIZE: State = State::Size { size: 0, digits: 0 };

impl Default for ChunkedDecoder {
    fn default() -> Self {
        Self { state: NEXT_SIZE, extension_bytes: 0 }
    }
}

impl ChunkedDecoder {
    /// Decodes from the start of `input`; says how many bytes were used. At most one piece of data is returned a
    /// call, so call again with the rest until [`Decoded::More`] or [`Decoded::End`].
    ///
    /// # Errors
    /// [`BadMessage::Chunk`] for the coding itself; what a head may be refused for, in the trailers.
    pub fn decode<'a>(
        &mut self,
        input: &'a [u8],
        limits: &HeadLimits,
    ) -> Result<(usize, Decoded<'a>), BadMessage> {
        let mut used = 0;
        loop {
            let rest = &input[used..];
            if let State::Trailers(buffer) = &mut self.state {
                let (consumed, trailers) = feed_trailers(buffer, rest, limits)?;
                let Some(trailers) = trailers else { return Ok((used + consumed, Decoded::More)) };
                self.state = State::Done;
                return Ok((used + consumed, Decoded::End(trailers)));
            }
            let Some(&byte) = rest.first() else { return Ok((used, Decoded::More)) };
            match &mut self.state {
                State::Data { remaining } => {
                    let take = usize::try_from(*remaining).map_or(rest.len(), |n| n.min(rest.len()));
                    *remaining -= take as u64;
                    if *remaining == 0 {
                        self.state = State::DataCr;
                    }
                    return Ok((used + take, Decoded::Data(&rest[..take])));
                }
                State::Done => return Ok((used, Decoded::End(None))),
                _ => self.step(byte)?,
            }
            used += 1;
        }
    }

    /// One byte of framing.
    fn step(&mut self, byte: u8) -> Result<(), BadMessage> {
        self.state = match (&self.state, byte) {
            (&State::Size { size, digits }, _) if byte.is_ascii_hexdigit() => {
                // Sixteen digits fill a u64: nothing can overflow below.
                if digits == 16 {
                    return Err(BadMessage::Chunk);
                }
                let digit = (byte as char).to_digit(16).map_or(0, u64::from);
                State::Size { size: size << 4 | digit, digits: digits + 1 }
            }
            (State::Size { digits: 0, .. }, _) => return Err(BadMessage::Chunk),
            (&State::Size { size, .. } | &State::BeforeExtension { size }, b' ' | b'\t') => {
                self.count_extension()?;
                State::BeforeExtension { size }
            }
            (&State::Size { size, .. } | &State::BeforeExtension { size }, b';') => State::Extension { size },
            (&State::Size { size, .. } | &State::Extension { size }, b'\r') => State::SizeLf { size },
            (&State::Extension { size }, b'\t' | b' '..=b'~' | 0x80..) => {
                self.count_extension()?;
                State::Extension { size }
            }
            (State::SizeLf { size: 0 }, b'\n') => State::Trailers(Box::new(HeadBuffer::for_trailers())),
            (&State::SizeLf { size }, b'\n') => State::Data { remaining: size },
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => NEXT_SIZE,
            _ => return Err(BadMessage::Chunk),
        };
        Ok(())
    }

    fn count_extension(&mut self) -> Result<(), BadMessage> {
        self.extension_bytes += 1;
        if self.extension_bytes > EXTENSION_LIMIT { Err(BadMessage::Chunk) } else { Ok(()) }
    }
}

/// `None` while the section goes on; inside, `None` if it had no fields.
type Trailers = Option<Option<HeaderMap>>;

fn feed_trailers(
    buffer: &mut HeadBuffer,
    input: &[u8],
    limits: &HeadLimits,
) -> Result<(usize, Trailers), BadMessage> {
    match buffer.feed(input, limits)? {
        HeadProgress::Partial => Ok((input.len(), None)),
        HeadProgress::Complete { head, consumed, fields } => {
            Ok((consumed, Some(parse_trailers(head, fields)?)))
        }
    }
}

fn parse_trailers(section: &[u8], fields: usize) -> Result<Option<HeaderMap>, BadMessage> {
    let mut fields = vec![httparse::EMPTY_HEADER; fields];
    match httparse::parse_headers(section, &mut fields) {
        Ok(httparse::Status::Complete((_, []))) => Ok(None),
        Ok(httparse::Status::Complete((_, fields))) => {
            header_map(fields, Bytes::copy_from_slice, |_, _| ()).map(Some)
        }
        Ok(httparse::Status::Partial) | Err(_) => Err(BadMessage::Syntax),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The body, the trailers and how much was left over.
    type Whole = (Vec<u8>, Option<HeaderMap>, usize);

    /// Feeds `input` in pieces of `step` bytes.
    fn decode(input: &[u8], step: usize) -> Result<Option<Whole>, BadMessage> {
        let mut decoder = ChunkedDecoder::default();
        let mut body = Vec::new();
        let mut at = 0;
        while at < input.len() {
            let end = (at + step).min(input.len());
            let (used, decoded) = decoder.decode(&input[at..end], &HeadLimits::default())?;
            at += used;
            match decoded {
                Decoded::Data(data) => body.extend_from_slice(data),
                Decoded::End(trailers) => return Ok(Some((body, trailers, input.len() - at))),
                Decoded::More => assert_eq!(at, end, "More means that all was used"),
            }
        }
        Ok(None)
    }

    #[test]
    fn decodes_however_it_is_cut() {
        let input = b"4;a=b\r\nWiki\r\n5 ;c\r\npedia\r\n0000a\r\n0123456789\r\n0\r\nX-Sum: 7\r\n\r\nGET /";
        for step in 1..=input.len() {
            let (body, trailers, left) = decode(input, step).unwrap().unwrap();
            assert_eq!(body, b"Wikipedia0123456789", "step {step}");
            assert_eq!(trailers.unwrap()["x-sum"], "7");
            assert_eq!(left, 5, "step {step}: the next request is not touched");
        }
        assert_eq!(decode(b"0\r\n\r\n", 1), Ok(Some((vec![], None, 0))));
        assert_eq!(decode(b"3\r\nab", 1), Ok(None));
    }

    #[test]
    fn data_is_lent_in_pieces_as_large_as_the_input_allows() {
        let mut input = b"10000\r\n".to_vec();
        input.resize(7 + 0x10000, 7);
        let mut decoder = ChunkedDecoder::default();
        let (used, decoded) = decoder.decode(&input, &HeadLimits::default()).unwrap();
        assert_eq!(used, input.len());
        assert_eq!(decoded, Decoded::Data(&input[7..]));
    }

    #[test]
    fn malformed_framing_is_refused() {
        let cases: [&[u8]; 17] = [
            b"\r\n",
            b"g\r\n",
            b"0x5\r\nhello\r\n",
            b"-5\r\n",
            b"+5\r\n",
            b" 5\r\nhello\r\n",
            b"5\nhello\r\n",
            b"5\r\nhello\n",
            b"5\r\nhelloX\r\n",
            b"5\r\nhello0\r\n\r\n",
            b"5 \r\nhello\r\n",
            b"5\rhello\r\n",
            b"5;a\nhello\r\n",
            b"5;a\rb\r\nhello\r\n",
            b"5;a\0\r\nhello\r\n",
            b"00000000000000005\r\nhello\r\n",
            b"5_\r\nhello\r\n",
        ];
        for input in cases {
            for step in [1, input.len()] {
                let text = String::from_utf8_lossy(input);
                assert_eq!(decode(input, step), Err(BadMessage::Chunk), "{text:?} by {step}");
            }
        }
        for trailers in ["A : b\r\n\r\n", "A: b\r\n c\r\n\r\n", "A: b\rc\r\n\r\n", "A: \0\r\n\r\n"] {
            let input = format!("0\r\n{trailers}");
            assert_eq!(decode(input.as_bytes(), 1), Err(BadMessage::Syntax), "{trailers:?}");
        }
    }

    #[test]
    fn extensions_and_trailers_are_bounded() {
        let mut long = b"5;".to_vec();
        long.resize(20_000, b'x');
        assert_eq!(decode(&long, 1000), Err(BadMessage::Chunk));
        let mut many = b"1;xxxxxxxxxxxxxxx\r\na\r\n".repeat(2000);
        many.extend_from_slice(LAST_CHUNK);
        assert_eq!(decode(&many, 4096), Err(BadMessage::Chunk));
        let trailers = format!("0\r\n{}\r\n", "A: b\r\n".repeat(101));
        assert_eq!(decode(trailers.as_bytes(), 4096), Err(BadMessage::TooManyFields));
        let mut trailer = b"0\r\nA: ".to_vec();
        trailer.resize(70_000, b'x');
        assert_eq!(decode(&trailer, 4096), Err(BadMessage::HeadersTooLarge));
    }

    #[test]
    fn what_is_written_can_be_read() {
        let mut out = Vec::new();
        write_chunk_size(&mut out, 26);
        out.extend_from_slice(&[b'z'; 26]);
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(LAST_CHUNK);
        assert_eq!(decode(&out, 3), Ok(Some((vec![b'z'; 26], None, 0))));
    }
}
