//! Request heads (RFC 9112 3), read and written.

use std::mem::MaybeUninit;
use std::net::Ipv6Addr;

use ::http::header::{EXPECT, HOST, HeaderName};
use ::http::uri::Authority;
use ::http::{HeaderMap, Method, Request, Uri, Version};
use bytes::Bytes;

use super::fields::header_map;
use super::{Marks, list_items};
use crate::http::BadMessage;

/// Field lines of a head for which nothing has to be allocated to parse them.
const FEW_FIELDS: usize = 32;
/// Field lines up to which each value is a copy of its own. More of them share one copy of the head: to share is two
/// allocations, however many they are.
const FEW_VALUES: usize = 2;

/// Parses a complete head, as [`HeadBuffer`](super::HeadBuffer) delivers it, with `fields` field lines.
///
/// The values of the fields may share a copy of the head: whoever keeps one of them for long should keep a copy of it.
///
/// # Errors
/// Everything that the head alone can be refused for; the framing of the body is looked at separately, by
/// [`request_framing`](super::request_framing).
pub fn parse_request(head: &[u8], fields: usize) -> Result<Request<()>, BadMessage> {
    Ok(parse_marked_request(head, fields)?.0)
}

/// [`parse_request`], and which of the fields it has that are to be understood here.
pub(crate) fn parse_marked_request(head: &[u8], fields: usize) -> Result<(Request<()>, Marks), BadMessage> {
    match parse_known_version(head, fields) {
        Err(BadMessage::Version) => {
            let head = with_known_version(head).ok_or(BadMessage::Version)?;
            parse_known_version(&head, fields)
        }
        parsed => parsed,
    }
}

/// RFC 9110 2.5: a minor version later than ours is read as the latest that we know.
fn with_known_version(head: &[u8]) -> Option<Vec<u8>> {
    let end = head.iter().position(|&byte| byte == b'\n')?;
    let line = head[..end].strip_suffix(b"\r").unwrap_or(&head[..end]);
    let (minor, before) = line.split_last()?;
    let is_later = before.ends_with(b" HTTP/1.") && matches!(minor, b'2'..=b'9');
    is_later.then(|| [before, &b"1"[..], &head[line.len()..]].concat())
}

fn parse_known_version(head: &[u8], fields: usize) -> Result<(Request<()>, Marks), BadMessage> {
    let (mut few, mut many) = ([MaybeUninit::uninit(); FEW_FIELDS], Vec::new());
    let storage = match few.get_mut(..fields) {
        Some(few) => few,
        None => {
            many.resize(fields, MaybeUninit::uninit());
            &mut many[..]
        }
    };
    let shared = (fields > FEW_VALUES).then(|| Bytes::copy_from_slice(head));
    let head = shared.as_deref().unwrap_or(head);
    let keep = |part: &[u8]| match &shared {
        Some(head) => head.slice_ref(part),
        None => Bytes::copy_from_slice(part),
    };
    let mut parsed = httparse::Request::new(&mut []);
    match parsed.parse_with_uninit_headers(head, storage) {
        Ok(httparse::Status::Complete(len)) if len == head.len() => {}
        Ok(_) => return Err(BadMessage::Syntax),
        Err(httparse::Error::Version) => return Err(version_error(head)),
        Err(httparse::Error::TooManyHeaders) => return Err(BadMessage::TooManyFields),
        Err(_) => return Err(BadMessage::Syntax),
    }
    let method = parsed.method.and_then(|method| Method::from_bytes(method.as_bytes()).ok());
    let method = method.ok_or(BadMessage::Syntax)?;
    let uri = parse_target(&method, parsed.path.unwrap_or_default())?;
    let version = if parsed.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 };
    let (mut marks, mut hosts) = (Marks::default(), Hosts::default());
    let note = |name: &HeaderName, value| {
        marks.note(name);
        if name == HOST {
            hosts.note(value);
        }
    };
    let headers = header_map(parsed.headers, keep, note)?;
    hosts.check_host(version)?;
    if marks.expect {
        check_expectation(&headers)?;
    }

    let mut request = Request::new(());
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.version_mut() = version;
    *request.headers_mut() = headers;
    Ok((request, marks))
}

/// Appends the request line with its CRLF. The target is `uri` in origin-form (RFC 9112 3.2.1), or the asterisk.
pub fn write_request_line(out: &mut Vec<u8>, method: &Method, uri: &Uri) {
    out.extend_from_slice(method.as_str().as_bytes());
    out.push(b' ');
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    // An absolute URI may have a query right after its authority; a target's path is never empty.
    if target.starts_with('?') {
        out.push(b'/');
    }
    out.extend_from_slice(target.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
}

/// A version that is well formed and not ours is 505, anything else where a version belongs is 400.
fn version_error(head: &[u8]) -> BadMessage {
    let line = head.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let words: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
    match words[..] {
        [_, _, [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9']] => BadMessage::Version,
        _ => BadMessage::Syntax,
    }
}

/// RFC 9112 3.2: the four forms.
fn parse_target(method: &Method, target: &str) -> Result<Uri, BadMessage> {
    if method == Method::CONNECT {
        return Err(BadMessage::Connect);
    }
    // A fragment never belongs into a target; the URI parser would drop it silently.
    if target.as_bytes().contains(&b'#') {
        return Err(BadMessage::Target);
    }
    let uri: Uri = target.parse().map_err(|_| BadMessage::Target)?;
    if !is_well_encoded(uri.path()) {
        return Err(BadMessage::Target);
    }
    let allowed = if target == "*" {
        method == Method::OPTIONS
    } else if target.starts_with('/') {
        uri.authority().is_none()
    } else {
        let known_scheme = matches!(uri.scheme_str(), Some("http" | "https"));
        known_scheme && uri.authority().is_some_and(is_plain_host)
    };
    if allowed { Ok(uri) } else { Err(BadMessage::Target) }
}

/// RFC 3986 2.1: two hexadecimal digits behind each percent sign. In a query browsers send one alone, too.
fn is_well_encoded(path: &str) -> bool {
    if !path.as_bytes().contains(&b'%') {
        return true;
    }
    let mut encoded = path.split('%').skip(1).map(str::as_bytes);
    encoded.all(|rest| rest.len() >= 2 && rest[..2].iter().all(u8::is_ascii_hexdigit))
}

/// RFC 9110 10.1.1: this one, and no other, is known.
fn check_expectation(headers: &HeaderMap) -> Result<(), BadMessage> {
    let is_known = |item: &str| item.eq_ignore_ascii_case("100-continue");
    if list_items(headers, &EXPECT).all(is_known) { Ok(()) } else { Err(BadMessage::Expectation) }
}

/// The `Host` fields of a head.
#[derive(Default)]
struct Hosts {
    count: usize,
    malformed: bool,
}

impl Hosts {
    fn note(&mut self, host: &[u8]) {
        self.count += 1;
        self.malformed |= !is_good_host(host);
    }

    /// RFC 9112 3.2: exactly one in HTTP/1.1, at most one in HTTP/1.0.
    fn check_host(&self, version: Version) -> Result<(), BadMessage> {
        let is_enough = self.count == 1 || (self.count == 0 && version == Version::HTTP_10);
        if is_enough && !self.malformed { Ok(()) } else { Err(BadMessage::Host) }
    }
}

/// An authority without user information. It may be empty.
fn is_good_host(host: &[u8]) -> bool {
    host.is_empty()
        || is_common_host(host)
        || Authority::try_from(host).is_ok_and(|authority| is_plain_host(&authority))
}

/// A name or an IPv4 address, and a port or none, of nothing but the usual characters: what needs no parser. The rest
/// is for [`is_plain_host`] to look at.
fn is_common_host(bytes: &[u8]) -> bool {
    let name =
        bytes.iter().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-')).count();
    name > 0
        && match &bytes[name..] {
            [] => true,
            [b':', port @ ..] => !port.is_empty() && port.len() <= 5 && port.iter().all(u8::is_ascii_digit),
            _ => false,
        }
}

/// A host, and a port if there is a colon (RFC 3986 3.2.3: of digits, or of none). RFC 9110 4.2.4: user information is
/// a trap for whoever reads it, and has no place here.
fn is_plain_host(authority: &Authority) -> bool {
    let (all, host) = (authority.as_str(), authority.host());
    let Some(rest) = all.strip_prefix(host) else { return false };
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    is_host(host) && (rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port))
}

/// RFC 3986 3.2.2: brackets stand around an IPv6 address, and nowhere else. The address of a version to come
/// (`IPvFuture`) is refused: there is none.
fn is_host(host: &str) -> bool {
    match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').is_some_and(|inside| inside.parse::<Ipv6Addr>().is_ok()),
        None => !host.is_empty() && !host.contains(['[', ']']),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::message::{HeadBuffer, HeadLimits, HeadProgress};

    fn parse(head: &str) -> Result<Request<()>, BadMessage> {
        parse_bytes(head.as_bytes())
    }

    fn parse_bytes(head: &[u8]) -> Result<Request<()>, BadMessage> {
        let mut buffer = HeadBuffer::default();
        let HeadProgress::Complete { head, fields, .. } = buffer.feed(head, &HeadLimits::default())? else {
            panic!("the head is not complete")
        };
        parse_request(head, fields)
    }

    #[test]
    fn a_head_becomes_a_request() {
        let request = parse("GET /a/b?c=d HTTP/1.1\r\nHost: x:80\r\nA:  1 \r\nA: 2\r\n\r\n").unwrap();
        assert_eq!(request.method(), Method::GET);
        assert_eq!(request.uri().path(), "/a/b");
        assert_eq!(request.uri().query(), Some("c=d"));
        assert_eq!(request.version(), Version::HTTP_11);
        let values: Vec<_> = request.headers().get_all("a").iter().collect();
        assert_eq!(values, ["1", "2"]);
        // RFC 9112 2.2: a single LF may end a line, so that a person can type a request into nc.
        assert_eq!(parse("GET / HTTP/1.1\nHost: x\n\n").unwrap().headers()[HOST], "x");
    }

    #[test]
    fn forms_of_target() {
        let uri =
            |line: &str| parse(&format!("{line} HTTP/1.1\r\nHost: h\r\n\r\n")).map(|r| r.uri().to_string());
        assert_eq!(uri("GET /"), Ok("/".into()));
        assert_eq!(uri("GET //two"), Ok("//two".into()));
        assert_eq!(uri("GET http://h:8080/x?y"), Ok("http://h:8080/x?y".into()));
        assert_eq!(uri("OPTIONS *"), Ok("*".into()));
        assert_eq!(uri("CONNECT h:443"), Err(BadMessage::Connect));
        for bad in [
            "GET *",
            "GET h:80",
            "GET x",
            "GET http://",
            "GET http://u@h/",
            "GET ftp://h/",
            "GET /a#b",
            "GET /%",
            "GET /%2",
            "GET /%zz",
            "GET http://h:x/",
            "GET http://[::1]80/",
            "GET http://[zz]/",
        ] {
            assert_eq!(uri(bad), Err(BadMessage::Target), "{bad}");
        }
    }

    #[test]
    fn grammar_that_smuggles_is_refused() {
        let cases: [&[u8]; 14] = [
            b"GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: h\r\nA : b\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: h\r\nA: b\rc\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: h\r\nA: b\0c\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: h\r\nA\0: b\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: h\r\nA: \x0bchunked\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: h\r\n: b\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n",
            b"GET / HTTP/1.1\r\n Host: h\r\n\r\n",
            b"GET / HTTP/1.1\rHost: h\r\n\r\n",
            b"GET /\r\n\r\n",
            b"GE(T / HTTP/1.1\r\nHost: h\r\n\r\n",
            b"GET / HTTQ/1.1\r\nHost: h\r\n\r\n",
            b"GET /a b HTTP/1.1\r\nHost: h\r\n\r\n",
        ];
        for input in cases {
            let text = String::from_utf8_lossy(input);
            assert_eq!(parse_bytes(input).err(), Some(BadMessage::Syntax), "{text:?}");
        }
    }

    #[test]
    fn host_versions_and_expectations() {
        let error = |head: &str| parse(head).err();
        assert_eq!(error("GET / HTTP/1.1\r\n\r\n"), Some(BadMessage::Host));
        assert_eq!(error("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"), Some(BadMessage::Host));
        assert_eq!(error("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"), Some(BadMessage::Host));
        assert_eq!(error("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), Some(BadMessage::Host));
        assert_eq!(error("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"), Some(BadMessage::Host));
        assert_eq!(error("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"), Some(BadMessage::Host));
        assert_eq!(error("GET / HTTP/1.1\r\nHost: a:b\r\n\r\n"), Some(BadMessage::Host));
        for host in ["[::1]80", "a[b]", "[zz]", "[]", "[::1", "[v1.a]"] {
            let head = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
            assert_eq!(error(&head), Some(BadMessage::Host), "{host}");
        }
        for host in ["", "a", "a:80", "a:", "10.9.0.2", "[fd09::2]", "[fd09::2]:80"] {
            assert_eq!(error(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")), None, "{host}");
        }
        assert_eq!(error("GET / HTTP/1.0\r\n\r\n"), None);
        assert_eq!(error("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), Some(BadMessage::Version));
        assert_eq!(error("GET / HTTP/1.2\r\n\r\n"), Some(BadMessage::Host), "it has the rules of HTTP/1.1");
        assert_eq!(error("GET / HTTP/1.10\r\nHost: a\r\n\r\n"), Some(BadMessage::Syntax));
        assert_eq!(error("PRI * HTTP/2.0\r\n\r\n"), Some(BadMessage::Version));
        assert_eq!(error("GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n\r\n"), None);
        let other = "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue, more\r\n\r\n";
        assert_eq!(error(other), Some(BadMessage::Expectation));
    }

    #[test]
    fn a_later_minor_version_is_read_as_the_latest_that_we_know() {
        for head in ["GET /a HTTP/1.2\r\nHost: a\r\nB: c\r\n\r\n", "GET /a HTTP/1.9\nHost: a\nB: c\n\n"] {
            let request = parse(head).unwrap();
            assert_eq!((request.version(), request.uri().path()), (Version::HTTP_11, "/a"));
            assert_eq!(
                (&request.headers()["host"], &request.headers()["b"]),
                (&"a".parse().unwrap(), &"c".parse().unwrap())
            );
        }
    }

    #[test]
    fn the_request_line_has_the_origin_form() {
        let line = |uri: &str| {
            let mut out = Vec::new();
            write_request_line(&mut out, &Method::GET, &uri.parse().unwrap());
            String::from_utf8(out).unwrap()
        };
        assert_eq!(line("http://h:8080/x?y"), "GET /x?y HTTP/1.1\r\n");
        assert_eq!(line("http://h"), "GET / HTTP/1.1\r\n");
        assert_eq!(line("http://h?q=1"), "GET /?q=1 HTTP/1.1\r\n");
        assert_eq!(line("*"), "GET * HTTP/1.1\r\n");
    }
}
