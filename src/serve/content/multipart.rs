//! Several parts in one body (RFC 9110 14.6).

use std::collections::VecDeque;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::ops::Range;

use super::delivery::Part;

/// The body of an answer with several ranges.
pub(super) struct Multipart {
    pub(super) content_type: String,
    pub(super) parts: VecDeque<Part>,
    pub(super) length: u64,
}

impl Multipart {
    /// `ranges` of a representation of `total` bytes whose type is `kind`.
    pub(super) fn new(ranges: Vec<Range<u64>>, total: u64, kind: Option<&str>) -> Self {
        // Nobody can put into a file what nobody can foresee.
        let boundary = format!("longwire-{:016x}", RandomState::new().build_hasher().finish());
        let mut parts = VecDeque::new();
        let mut length = 0;
        let mut push = |part: Part| {
            length += part.len();
            parts.push_back(part);
        };
        for range in ranges {
            let kind = kind.map(|kind| format!("Content-Type: {kind}\r\n")).unwrap_or_default();
            let (first, last) = (range.start, range.end - 1);
            let head =
                format!("\r\n--{boundary}\r\n{kind}Content-Range: bytes {first}-{last}/{total}\r\n\r\n");
            push(Part::Text(head.into_bytes()));
            push(Part::Range(range));
        }
        push(Part::Text(format!("\r\n--{boundary}--\r\n").into_bytes()));
        Multipart { content_type: format!("multipart/byteranges; boundary={boundary}"), parts, length }
    }
}
