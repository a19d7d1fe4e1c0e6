//! Which parts of a representation are asked for (RFC 9110 14).

use std::ops::Range;

use ::http::HeaderMap;
use ::http::header::RANGE;

/// Ranges of one request that are answered; who asks for more gets the whole.
const MOST: usize = 32;

/// What `Range` selects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::serve) enum Selection {
    /// There is no such field, or it is of no use.
    Whole,
    /// These parts, none of them empty, in the order in which they were asked for.
    Parts(Vec<Range<u64>>),
    /// Nothing of what is there.
    Unsatisfiable,
}

/// Reads `Range` for a representation of `length` bytes.
pub(in crate::serve) fn select(headers: &HeaderMap, length: u64) -> Selection {
    let mut fields = headers.get_all(RANGE).iter();
    let (Some(field), None) = (fields.next(), fields.next()) else { return Selection::Whole };
    // RFC 9110 14.2: a unit that is not known, and what does not parse, is ignored.
    field.to_str().ok().and_then(|text| parse(text, length)).unwrap_or(Selection::Whole)
}

fn parse(text: &str, length: u64) -> Option<Selection> {
    let (unit, set) = text.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let specs: Vec<&str> = set.split(',').map(str::trim).filter(|spec| !spec.is_empty()).collect();
    if specs.is_empty() || specs.len() > MOST {
        return None;
    }
    let mut parts = Vec::new();
    for spec in specs {
        let (first, last) = spec.split_once('-')?;
        let range = match (first.trim(), last.trim()) {
            ("", suffix) => length.saturating_sub(number(suffix)?)..length,
            (first, "") => number(first)?..length,
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                if first > last {
                    return None;
                }
                first..last.saturating_add(1).min(length)
            }
        };
        if range.start < range.end {
            parts.push(range);
        }
    }
    // RFC 9110 14.2: overlapping ranges multiply the work; what is more than the whole is answered with the whole.
    let total = parts.iter().fold(0_u64, |sum, part| sum.saturating_add(part.end - part.start));
    Some(match parts.len() {
        0 => Selection::Unsatisfiable,
        1 => Selection::Parts(parts),
        _ if total > length => Selection::Whole,
        _ => Selection::Parts(parts),
    })
}

/// Digits only; what is beyond 64 bits is beyond every end.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(range: &str, length: u64) -> Selection {
        let mut headers = HeaderMap::new();
        headers.insert(RANGE, range.parse().unwrap());
        select(&headers, length)
    }

    fn part(part: Range<u64>) -> Selection {
        Selection::Parts(Vec::from_iter([part]))
    }

    #[test]
    fn every_form_of_a_range() {
        assert_eq!(of("bytes=0-0", 10), part(0..1));
        assert_eq!(of("BYTES = 3-5", 10), part(3..6));
        assert_eq!(of("bytes=7-", 10), part(7..10));
        assert_eq!(of("bytes=-3", 10), part(7..10));
        assert_eq!(of("bytes=-30", 10), part(0..10));
        assert_eq!(of("bytes=5-99999999999999999999999", 10), part(5..10));
        assert_eq!(of("bytes=0-1, ,8-9", 10), Selection::Parts(vec![0..2, 8..10]));
        assert_eq!(of("bytes=20-,-2", 10), part(8..10), "what cannot be satisfied is left out");
    }

    #[test]
    fn nothing_of_what_is_there() {
        assert_eq!(of("bytes=10-", 10), Selection::Unsatisfiable);
        assert_eq!(of("bytes=-0", 10), Selection::Unsatisfiable);
        assert_eq!(of("bytes=0-", 0), Selection::Unsatisfiable);
    }

    #[test]
    fn what_is_no_range_is_ignored() {
        for text in
            ["bytes=", "bytes=a-b", "bytes=5-3", "bytes=1", "lines=1-2", "bytes", "bytes=+1-2", "bytes=-"]
        {
            assert_eq!(of(text, 10), Selection::Whole, "{text}");
        }
        let mut twice = HeaderMap::new();
        twice.append(RANGE, "bytes=0-1".parse().unwrap());
        twice.append(RANGE, "bytes=0-1".parse().unwrap());
        assert_eq!(select(&twice, 10), Selection::Whole);
    }

    #[test]
    fn many_and_overlapping_ranges_do_not_multiply_the_work() {
        assert_eq!(of("bytes=0-,0-,0-", 10), Selection::Whole);
        assert_eq!(of(&format!("bytes={}", "0-0,".repeat(33)), 1000), Selection::Whole);
    }
}
