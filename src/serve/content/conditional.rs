//! Whether an answer is wanted at all, and whether a range of it fits what the client has (RFC 9110 13).

use std::time::{Duration, SystemTime};

use ::http::header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE};
use ::http::{HeaderMap, HeaderName, Method, Request};

/// What tells one version of a representation from another.
#[derive(Clone, Debug, Default)]
pub(in crate::serve) struct Validators {
    /// A strong entity tag, with its quotes.
    pub(in crate::serve) etag: Option<String>,
    /// When it last changed, in whole seconds.
    pub(in crate::serve) modified: Option<SystemTime>,
    /// It cannot have changed twice in that second (RFC 9110 8.8.2.2).
    pub(in crate::serve) modified_is_strong: bool,
}

/// What follows from the conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::serve) enum Verdict {
    /// Answer as if there were none.
    Proceed,
    /// As before, but the whole: `If-Range` does not fit.
    Whole,
    /// 304.
    NotModified,
    /// 412.
    Failed,
}

/// Evaluates the conditions in the order of RFC 9110 13.2.2.
pub(in crate::serve) fn evaluate(request: &Request<()>, validators: &Validators) -> Verdict {
    let headers = request.headers();
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let modified = validators.modified;
    if headers.contains_key(IF_MATCH) {
        if !matches_any(headers, &IF_MATCH, validators, Comparison::Strong) {
            return Verdict::Failed;
        }
    } else if let (Some(since), Some(modified)) = (date(headers, &IF_UNMODIFIED_SINCE), modified)
        && modified > since
    {
        return Verdict::Failed;
    }
    if headers.contains_key(IF_NONE_MATCH) {
        if matches_any(headers, &IF_NONE_MATCH, validators, Comparison::Weak) {
            return if reads { Verdict::NotModified } else { Verdict::Failed };
        }
    } else if let (true, Some(since), Some(modified)) = (reads, date(headers, &IF_MODIFIED_SINCE), modified)
        && modified <= since
    {
        return Verdict::NotModified;
    }
    let ranged = headers.contains_key(RANGE) && headers.contains_key(IF_RANGE);
    if ranged && !range_fits(headers, validators) { Verdict::Whole } else { Verdict::Proceed }
}

/// RFC 9110 13.1.5: both kinds of validators are compared strongly here.
fn range_fits(headers: &HeaderMap, validators: &Validators) -> bool {
    let Some(field) = headers.get(IF_RANGE).and_then(|field| field.to_str().ok()) else { return false };
    if field.contains('"') {
        return validators.etag.as_deref() == Some(field.trim());
    }
    let date = httpdate::parse_http_date(field).ok();
    date.is_some() && date == validators.modified && validators.modified_is_strong
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Strong,
    /// `W/` makes no difference.
    Weak,
}

/// Whether `*` or one of the tags of a field is ours (RFC 9110 8.8.3.2).
fn matches_any(headers: &HeaderMap, name: &HeaderName, validators: &Validators, how: Comparison) -> bool {
    headers.get_all(name).iter().filter_map(|field| field.to_str().ok()).any(|field| {
        field.trim() == "*"
            || tags(field).any(|(weak, tag)| {
                validators.etag.as_deref() == Some(tag) && (how == Comparison::Weak || !weak)
            })
    })
}

/// The tags of a list, each with whether it is weak. A comma inside a tag does not end it.
fn tags(mut list: &str) -> impl Iterator<Item = (bool, &str)> {
    std::iter::from_fn(move || {
        list = list.trim_start_matches([' ', '\t', ',']);
        let weak = list.starts_with("W/");
        let tag = if weak { &list[2..] } else { list };
        let end = tag.strip_prefix('"')?.find('"')? + 2;
        list = &tag[end..];
        Some((weak, &tag[..end]))
    })
}

fn date(headers: &HeaderMap, name: &HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok()
}

impl Validators {
    /// Of a file of `length` bytes that was changed at `modified`, found at `now`; `mark` tells it from its
    /// neighbours.
    pub(in crate::serve) fn of_file(length: u64, modified: Duration, now: Duration, mark: &str) -> Self {
        let etag = format!("\"{:x}-{length:x}{mark}\"", modified.as_nanos());
        // RFC 9110 8.8.2.1: not later than the message itself.
        let seconds = Duration::from_secs(modified.min(now).as_secs());
        Validators {
            etag: Some(etag),
            modified: Some(SystemTime::UNIX_EPOCH + seconds),
            modified_is_strong: now > seconds + Duration::from_secs(2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANGED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const AFTER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

    fn verdict(method: Method, fields: &[(&str, &str)]) -> Verdict {
        let mut request = Request::builder().method(method);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let modified = httpdate::parse_http_date(CHANGED).ok();
        let validators = Validators { etag: Some("\"a,b\"".into()), modified, modified_is_strong: true };
        evaluate(&request.body(()).unwrap(), &validators)
    }

    fn get(fields: &[(&str, &str)]) -> Verdict {
        verdict(Method::GET, fields)
    }

    #[test]
    fn if_none_match_compares_weakly_and_beats_the_date() {
        assert_eq!(get(&[("if-none-match", "\"x\", W/\"a,b\"")]), Verdict::NotModified);
        assert_eq!(get(&[("if-none-match", "*")]), Verdict::NotModified);
        assert_eq!(get(&[("if-none-match", "\"a\"")]), Verdict::Proceed);
        assert_eq!(get(&[("if-none-match", "\"x\""), ("if-modified-since", AFTER)]), Verdict::Proceed);
        assert_eq!(verdict(Method::HEAD, &[("if-none-match", "\"a,b\"")]), Verdict::NotModified);
        assert_eq!(verdict(Method::PUT, &[("if-none-match", "*")]), Verdict::Failed);
    }

    #[test]
    fn if_match_compares_strongly_and_beats_the_date() {
        assert_eq!(get(&[("if-match", "\"a,b\"")]), Verdict::Proceed);
        assert_eq!(get(&[("if-match", "W/\"a,b\"")]), Verdict::Failed);
        assert_eq!(get(&[("if-match", "*"), ("if-unmodified-since", BEFORE)]), Verdict::Proceed);
        assert_eq!(get(&[("if-match", "\"x\"")]), Verdict::Failed);
    }

    #[test]
    fn dates() {
        assert_eq!(get(&[("if-modified-since", BEFORE)]), Verdict::Proceed);
        assert_eq!(get(&[("if-modified-since", CHANGED)]), Verdict::NotModified);
        assert_eq!(get(&[("if-modified-since", "yesterday")]), Verdict::Proceed);
        assert_eq!(verdict(Method::POST, &[("if-modified-since", CHANGED)]), Verdict::Proceed);
        assert_eq!(get(&[("if-unmodified-since", BEFORE)]), Verdict::Failed);
        assert_eq!(get(&[("if-unmodified-since", CHANGED)]), Verdict::Proceed);
    }

    #[test]
    fn if_range_lets_the_range_through_or_the_whole() {
        let ranged = |value: &str| get(&[("range", "bytes=0-1"), ("if-range", value)]);
        assert_eq!(ranged("\"a,b\""), Verdict::Proceed);
        assert_eq!(ranged("W/\"a,b\""), Verdict::Whole);
        assert_eq!(ranged("\"x\""), Verdict::Whole);
        assert_eq!(ranged(CHANGED), Verdict::Proceed);
        assert_eq!(ranged(AFTER), Verdict::Whole, "a date is compared for equality");
        assert_eq!(get(&[("if-range", "\"x\"")]), Verdict::Proceed, "without a range it says nothing");
    }

    #[test]
    fn a_file_that_has_just_changed_may_change_again() {
        let (now, just) = (Duration::from_secs(1_000), Duration::from_millis(999_500));
        assert!(!Validators::of_file(1, just, now, "").modified_is_strong);
        let old = Validators::of_file(1, Duration::from_secs(1), now, "-gz");
        assert!(old.modified_is_strong && old.etag.unwrap().ends_with("-1-gz\""));
        let future = Validators::of_file(1, Duration::from_secs(2_000), now, "");
        assert_eq!(future.modified, Some(SystemTime::UNIX_EPOCH + now));
    }
}
