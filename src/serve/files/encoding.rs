//! Which codings of a file a client takes (RFC 9110 12.5.3).

use ::http::HeaderMap;
use ::http::header::ACCEPT_ENCODING;

use crate::http::message::list_items;

/// A coding that a neighbour of a file may be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Coding {
    /// The name in the fields.
    pub(super) name: &'static str,
    /// What the neighbour's name has behind the file's.
    pub(super) extension: &'static str,
}

/// Those that there are, the smaller result first.
pub(super) const CODINGS: [Coding; 2] =
    [Coding { name: "br", extension: "br" }, Coding { name: "gzip", extension: "gz" }];

/// The codings that `Accept-Encoding` allows, the liked ones first.
pub(super) fn accepted(headers: &HeaderMap) -> Vec<Coding> {
    let mut liked: Vec<(Coding, f32)> = CODINGS.map(|coding| (coding, weight(headers, coding.name))).into();
    liked.retain(|(_, weight)| *weight > 0.0);
    // Stable: among equals the order of `CODINGS` stays.
    liked.sort_by(|one, other| other.1.total_cmp(&one.1));
    liked.into_iter().map(|(coding, _)| coding).collect()
}

/// How much a coding is wanted: by its name, else as one of `*`.
fn weight(headers: &HeaderMap, name: &str) -> f32 {
    let mut any = 0.0;
    for item in list_items(headers, &ACCEPT_ENCODING) {
        let (coding, parameter) = item.split_once(';').unwrap_or((item, ""));
        let coding = coding.trim();
        let is_named =
            coding.eq_ignore_ascii_case(name) || (name == "gzip" && coding.eq_ignore_ascii_case("x-gzip"));
        let weight = parameter.trim().strip_prefix(['q', 'Q']).and_then(|q| q.trim().strip_prefix('='));
        let weight = weight.map_or(1.0, |weight| weight.trim().parse().unwrap_or(0.0));
        match coding {
            _ if is_named => return weight,
            "*" => any = weight,
            _ => {}
        }
    }
    any
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(field: &str) -> Vec<&'static str> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, field.parse().unwrap());
        accepted(&headers).iter().map(|coding| coding.name).collect()
    }

    #[test]
    fn codings_by_weight() {
        assert_eq!(names("gzip, deflate, br"), ["br", "gzip"]);
        assert_eq!(names("br;q=0.5, gzip;q=0.8"), ["gzip", "br"]);
        assert_eq!(names("gzip;q=0, *"), ["br"]);
        assert_eq!(names("*;q=0.1"), ["br", "gzip"]);
        assert_eq!(names("X-GZIP"), ["gzip"]);
        assert_eq!(names("identity"), [""; 0]);
        assert_eq!(names("gzip;q=nonsense"), [""; 0]);
        assert_eq!(accepted(&HeaderMap::new()), []);
    }
}
