//! The first line of an HTTP/1.x message at the start of a payload.

/// Characters of a line that are kept.
const LONGEST: usize = 100;

/// Whether a line is a request's or an answer's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HttpLine {
    /// `GET /healthz HTTP/1.1`
    Request(String),
    /// `HTTP/1.1 200 OK`
    Answer(String),
}

impl HttpLine {
    /// Recognises the line that `payload` begins with. Without its end, because the capture or the segment ends
    /// before, what is there of it counts if it is clear what it is.
    pub(super) fn at_start_of(payload: &[u8]) -> Option<HttpLine> {
        let line = payload.split(|byte| matches!(byte, b'\r' | b'\n')).next()?;
        if line.starts_with(b"HTTP/1.") {
            return Some(HttpLine::Answer(readable(line)));
        }
        let (method, rest) = line.split_at(line.iter().position(|byte| *byte == b' ')?);
        let is_method = (3..=10).contains(&method.len()) && method.iter().all(u8::is_ascii_uppercase);
        let has_version = rest.windows(8).any(|word| word.starts_with(b" HTTP/1."));
        (is_method && has_version).then(|| HttpLine::Request(readable(line)))
    }

    /// The line, with an ellipsis where it is long, and a dot for whatever cannot be shown.
    pub(super) fn text(&self) -> &str {
        match self {
            HttpLine::Request(text) | HttpLine::Answer(text) => text,
        }
    }
}

fn readable(line: &[u8]) -> String {
    let visible = |byte: &u8| if matches!(byte, b' '..=b'~') { char::from(*byte) } else { '·' };
    let mut text: String = line.iter().take(LONGEST).map(visible).collect();
    if line.len() > LONGEST {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_lines_are_recognised() {
        let request = HttpLine::at_start_of(b"GET /a?b HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        assert_eq!(request, HttpLine::Request("GET /a?b HTTP/1.1".into()));
        let answer = HttpLine::at_start_of(b"HTTP/1.1 404 Not Found\r\n").unwrap();
        assert_eq!(answer.text(), "HTTP/1.1 404 Not Found");
    }

    #[test]
    fn other_payloads_are_not() {
        for payload in [
            &b""[..],
            b"\r\n",
            b"hello world\r\n",
            b"GET /no/version\r\n",
            b"get / HTTP/1.1\r\n",
            b"\x16\x03\x01",
        ] {
            assert_eq!(HttpLine::at_start_of(payload), None, "{payload:?}");
        }
    }

    #[test]
    fn long_and_strange_lines_stay_short_and_readable() {
        let payload = [b"GET /\xff\x00<&", &[b'a'; 300][..], b" HTTP/1.1\r\n"].concat();
        let line = HttpLine::at_start_of(&payload).unwrap();
        assert!(line.text().starts_with("GET /··<&aaa") && line.text().ends_with('…'), "{line:?}");
        assert_eq!(line.text().chars().count(), LONGEST + 1);
    }
}
