//! Finding the end of a head that arrives in pieces.

use crate::http::BadMessage;

/// How much of a head is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// Bytes of the request or status line, without its line end.
    pub line: usize,
    /// Bytes of all field lines, line ends included.
    pub headers: usize,
    /// Number of field lines.
    pub fields: usize,
}

impl Default for HeadLimits {
    fn default() -> Self {
        Self { line: 8 * 1024, headers: 64 * 1024, fields: 100 }
    }
}

/// What [`HeadBuffer::feed`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum HeadProgress<'a> {
    /// The input is consumed, and the end of the head has not come.
    Partial,
    /// The head with its final empty line, and how much of this input belongs to it.
    Complete {
        /// First line to empty line.
        head: &'a [u8],
        /// Bytes of the input that are used up.
        consumed: usize,
        /// Number of field lines.
        fields: usize,
    },
}

/// Holds a head while it arrives, and remembers how far it has searched.
///
/// A head that comes in one piece is lent from the input without a copy. Lines end with CRLF or LF (RFC 9112 2.2);
/// empty lines before the first line are skipped there, while in a trailer section the first empty line is the end.
#[derive(Debug, Default)]
pub struct HeadBuffer {
    /// What earlier calls have brought.
    bytes: Vec<u8>,
    /// Finished lines that were not empty.
    lines: usize,
    /// Bytes in the line under way.
    line_len: usize,
    /// Bytes in finished lines after the first, and all of them in a trailer section.
    headers_len: usize,
    /// The line under way begins with CR.
    line_begins_with_cr: bool,
    /// There is no first line: every line is a field.
    trailers: bool,
}

impl HeadBuffer {
    /// For a trailer section: fields only, ended by the first empty line.
    pub fn for_trailers() -> Self {
        Self { trailers: true, ..Self::default() }
    }

    /// Whether nothing of a head has arrived yet.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Field lines seen so far.
    fn fields(&self) -> usize {
        if self.trailers { self.lines } else { self.lines.saturating_sub(1) }
    }

    /// Looks at `input` for the head's end. After `Complete` or an error the buffer is spent.
    ///
    /// # Errors
    /// [`BadMessage::LineTooLong`], [`BadMessage::HeadersTooLarge`] or [`BadMessage::TooManyFields`] as soon as a
    /// limit is passed, whether or not the end has come, and [`BadMessage::Syntax`] for a first byte with which no
    /// message begins.
    pub fn feed<'a>(
        &'a mut self,
        input: &'a [u8],
        limits: &HeadLimits,
    ) -> Result<HeadProgress<'a>, BadMessage> {
        let mut begin = 0;
        let mut at = 0;
        while let Some(offset) = memchr::memchr(b'\n', &input[at..]) {
            let empty = self.end_line(&input[at..at + offset], limits)?;
            at += offset + 1;
            if !empty {
                continue;
            }
            if self.lines == 0 && !self.trailers {
                self.bytes.clear();
                begin = at;
                continue;
            }
            return Ok(self.complete(input, begin, at));
        }
        self.extend_line(&input[at..], limits)?;
        self.bytes.extend_from_slice(&input[begin..]);
        Ok(HeadProgress::Partial)
    }

    fn complete<'a>(&'a mut self, input: &'a [u8], begin: usize, end: usize) -> HeadProgress<'a> {
        let fields = self.fields();
        if self.bytes.is_empty() {
            return HeadProgress::Complete { head: &input[begin..end], consumed: end, fields };
        }
        self.bytes.extend_from_slice(&input[begin..end]);
        HeadProgress::Complete { head: &self.bytes, consumed: end, fields }
    }

    /// Adds the rest of a line, without its LF, and says whether the line was empty.
    fn end_line(&mut self, rest: &[u8], limits: &HeadLimits) -> Result<bool, BadMessage> {
        self.extend_line(rest, limits)?;
        let empty = self.line_len == 0 || (self.line_len == 1 && self.line_begins_with_cr);
        if !empty {
            if self.lines > 0 || self.trailers {
                self.headers_len += self.line_len + 1;
            }
            self.lines += 1;
        }
        self.line_len = 0;
        self.line_begins_with_cr = false;
        if self.fields() > limits.fields {
            return Err(BadMessage::TooManyFields);
        }
        Ok(empty)
    }

    fn extend_line(&mut self, part: &[u8], limits: &HeadLimits) -> Result<(), BadMessage> {
        let first_line = self.lines == 0 && !self.trailers;
        if self.line_len == 0
            && let Some(&first) = part.first()
        {
            self.line_begins_with_cr = first == b'\r';
            // Who speaks TLS to this port should hear of it now: an end of the line may never come.
            if first_line && first != b'\r' && !is_token_byte(first) {
                return Err(BadMessage::Syntax);
            }
        }
        self.line_len += part.len();
        // One byte of grace each: the CR of a CRLF is not part of the line, but arrives before its LF.
        if first_line && self.line_len > limits.line + 1 {
            return Err(BadMessage::LineTooLong);
        }
        if !first_line && self.headers_len + self.line_len > limits.headers + 1 {
            return Err(BadMessage::HeadersTooLarge);
        }
        Ok(())
    }
}

/// What methods, versions and names of fields are made of (RFC 9110 5.6.2).
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: HeadLimits = HeadLimits { line: 8, headers: 20, fields: 2 };

    fn whole(input: &[u8]) -> Result<Option<(Vec<u8>, usize)>, BadMessage> {
        match HeadBuffer::default().feed(input, &LIMITS)? {
            HeadProgress::Partial => Ok(None),
            HeadProgress::Complete { head, consumed, .. } => Ok(Some((head.to_vec(), consumed))),
        }
    }

    fn bytewise(input: &[u8]) -> Result<Option<(Vec<u8>, usize)>, BadMessage> {
        let mut buffer = HeadBuffer::default();
        for (index, byte) in input.iter().enumerate() {
            if let HeadProgress::Complete { head, consumed, .. } =
                buffer.feed(std::slice::from_ref(byte), &LIMITS)?
            {
                assert_eq!(consumed, 1);
                return Ok(Some((head.to_vec(), index + 1)));
            }
        }
        Ok(None)
    }

    #[test]
    fn ends_at_the_empty_line_however_it_is_cut() {
        type Expected = Result<Option<(&'static [u8], usize)>, BadMessage>;
        let cases: [(&[u8], Expected); 12] = [
            (b"GET\r\n\r\nrest", Ok(Some((b"GET\r\n\r\n", 7)))),
            (b"GET\n\nrest", Ok(Some((b"GET\n\n", 5)))),
            (b"GET\r\nA: b\r\n\r\n", Ok(Some((b"GET\r\nA: b\r\n\r\n", 13)))),
            (b"\r\n\r\n\nGET\r\n\r\n", Ok(Some((b"GET\r\n\r\n", 12)))),
            (b"GET\r\nA: b\r\n", Ok(None)),
            (b"GET\r\n\r", Ok(None)),
            (b"12345678\r\n\r\n", Ok(Some((b"12345678\r\n\r\n", 12)))),
            (b"1234567890", Err(BadMessage::LineTooLong)),
            (b"1234567890\r\n\r\n", Err(BadMessage::LineTooLong)),
            (b"GET\r\nA: 3456789012345678901\r\n\r\n", Err(BadMessage::HeadersTooLarge)),
            (b"GET\r\nA: 1\r\nB: 2\r\n\r\n", Ok(Some((b"GET\r\nA: 1\r\nB: 2\r\n\r\n", 19)))),
            (b"GET\r\nA:1\r\nB:2\r\nC:3\r\n\r\n", Err(BadMessage::TooManyFields)),
        ];
        for (input, expected) in cases {
            let expected = expected.map(|some| some.map(|(head, used)| (head.to_vec(), used)));
            let text = String::from_utf8_lossy(input);
            assert_eq!(whole(input), expected, "{text:?} whole");
            assert_eq!(bytewise(input), expected, "{text:?} byte by byte");
        }
    }

    #[test]
    fn what_begins_like_no_message_is_refused_at_its_first_byte() {
        for input in [&b"\x16\x03\x01"[..], b"\0", b" GET", b"\r\n\xffGET"] {
            assert_eq!(whole(input), Err(BadMessage::Syntax), "{input:?} whole");
            assert_eq!(bytewise(input), Err(BadMessage::Syntax), "{input:?} byte by byte");
        }
    }

    #[test]
    fn a_head_in_one_piece_is_not_copied() {
        let input = b"GET\r\n\r\n";
        let mut buffer = HeadBuffer::default();
        let HeadProgress::Complete { head, .. } = buffer.feed(input, &LIMITS).unwrap() else { panic!() };
        assert_eq!(head.as_ptr(), input.as_ptr());
    }

    #[test]
    fn trailers_end_at_the_first_empty_line() {
        let mut buffer = HeadBuffer::for_trailers();
        let progress = buffer.feed(b"\r\nGET", &LIMITS).unwrap();
        assert_eq!(progress, HeadProgress::Complete { head: b"\r\n", consumed: 2, fields: 0 });
        let mut buffer = HeadBuffer::for_trailers();
        assert_eq!(buffer.feed(b"A: b\r", &LIMITS), Ok(HeadProgress::Partial));
        let progress = buffer.feed(b"\n\r\nGET", &LIMITS).unwrap();
        assert_eq!(progress, HeadProgress::Complete { head: b"A: b\r\n\r\n", consumed: 3, fields: 1 });
    }
}
