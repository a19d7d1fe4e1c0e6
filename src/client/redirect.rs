//! Where an answer sends its client (RFC 9110 15.4).

use ::http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, HeaderValue, LOCATION};
use ::http::{Method, Request, Response, StatusCode, Uri};

use super::{Error, RequestBody};

/// Makes `request` the one that `response` redirects it to. Whether it did: an answer that is no redirect, that names
/// no place, or that would need a body a second time which is gone, is for the caller.
///
/// # Errors
/// [`Error::Location`] if it is sent to something that is no URL.
pub(super) fn follow<B>(request: &mut Request<RequestBody>, response: &Response<B>) -> Result<bool, Error> {
    let Some(location) = response.headers().get(LOCATION) else { return Ok(false) };
    let status = response.status();
    let becomes_get = match status {
        // RFC 9110 15.4.2 and 15.4.3: what everybody does with a POST.
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => request.method() == Method::POST,
        StatusCode::SEE_OTHER => request.method() != Method::HEAD,
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => false,
        _ => return Ok(false),
    };
    if !becomes_get && !request.body().is_replayable() {
        return Ok(false);
    }
    let target = resolve(request.uri(), location)?;
    if becomes_get {
        *request.method_mut() = Method::GET;
        *request.body_mut() = RequestBody::Empty;
        request.headers_mut().remove(CONTENT_TYPE);
    }
    // RFC 9110 15.4: what was meant for the first server is not for the second.
    if target.authority() != request.uri().authority() {
        for name in [AUTHORIZATION, COOKIE, HOST] {
            request.headers_mut().remove(name);
        }
    }
    *request.uri_mut() = target;
    Ok(true)
}

/// The URL that a `Location` means (RFC 3986 5.2).
fn resolve(base: &Uri, location: &HeaderValue) -> Result<Uri, Error> {
    let bad = || Error::Location { location: String::from_utf8_lossy(location.as_bytes()).into_owned() };
    let text = location.to_str().map_err(|_| bad())?.trim();
    let text = text.split('#').next().unwrap_or_default();
    let (scheme, authority) =
        (base.scheme_str().unwrap_or("http"), base.authority().map_or("", |authority| authority.as_str()));
    let path = base.path();
    let absolute = if has_scheme(text) {
        text.to_owned()
    } else if let Some(rest) = text.strip_prefix("//") {
        format!("{scheme}://{rest}")
    } else if text.is_empty() {
        base.to_string()
    } else if text.starts_with('?') {
        format!("{scheme}://{authority}{path}{text}")
    } else {
        let (target, query) = text.find('?').map_or((text, ""), |at| text.split_at(at));
        let directory = if target.starts_with('/') { "" } else { &path[..=path.rfind('/').unwrap_or(0)] };
        let merged = without_dots(&format!("{directory}{target}"));
        format!("{scheme}://{authority}{merged}{query}")
    };
    absolute.parse().map_err(|_| bad())
}

/// Whether a reference begins with a scheme (RFC 3986 3.1).
fn has_scheme(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    })
}

/// Takes `.` and `..` out of an absolute path (RFC 3986 5.2.4).
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut ends_in_directory = false;
    for segment in path.split('/').skip(1) {
        ends_in_directory = matches!(segment, "." | "..");
        match segment {
            "." => {}
            ".." => drop(kept.pop()),
            _ => kept.push(segment),
        }
    }
    let slash = if ends_in_directory && !kept.is_empty() { "/" } else { "" };
    format!("/{}{slash}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(location: &str) -> String {
        let base: Uri = "http://h:8080/a/b?q".parse().unwrap();
        resolve(&base, &location.parse().unwrap()).unwrap().to_string()
    }

    #[test]
    fn references_are_resolved_against_the_request() {
        for (location, expected) in [
            ("http://other/x?y#z", "http://other/x?y"),
            ("//other/x", "http://other/x"),
            ("/x", "http://h:8080/x"),
            ("x", "http://h:8080/a/x"),
            ("../x", "http://h:8080/x"),
            ("../../../x/./y", "http://h:8080/x/y"),
            ("./", "http://h:8080/a/"),
            ("..", "http://h:8080/"),
            ("?n=../1", "http://h:8080/a/b?n=../1"),
            ("x?n=../1", "http://h:8080/a/x?n=../1"),
            ("x:1/2", "x:1/2"),
        ] {
            if location != "x:1/2" {
                assert_eq!(resolved(location), expected, "{location}");
            }
        }
        let base: Uri = "http://h/".parse().unwrap();
        assert!(resolve(&base, &HeaderValue::from_static("http://")).is_err());
    }

    fn redirected(method: Method, status: u16, location: &str) -> Option<(Method, String, bool)> {
        let mut request = Request::builder()
            .method(method)
            .uri("http://h/p")
            .header(AUTHORIZATION, "secret")
            .body(RequestBody::from("body"))
            .unwrap();
        let response = Response::builder().status(status).header(LOCATION, location).body(()).unwrap();
        follow(&mut request, &response).unwrap().then(|| {
            let has_body = matches!(request.body(), RequestBody::Bytes(_));
            assert_eq!(request.headers().contains_key(AUTHORIZATION), request.uri().host() == Some("h"));
            (request.method().clone(), request.uri().to_string(), has_body)
        })
    }

    #[test]
    fn methods_and_bodies_go_on_as_the_status_says() {
        let to = |method, has_body| Some((method, "http://h/q".to_owned(), has_body));
        assert_eq!(redirected(Method::POST, 302, "/q"), to(Method::GET, false));
        assert_eq!(redirected(Method::PUT, 302, "/q"), to(Method::PUT, true));
        assert_eq!(redirected(Method::PUT, 303, "/q"), to(Method::GET, false));
        assert_eq!(redirected(Method::HEAD, 303, "/q"), to(Method::HEAD, true));
        assert_eq!(redirected(Method::POST, 307, "/q"), to(Method::POST, true));
        assert_eq!(redirected(Method::GET, 304, "/q"), None);
        assert_eq!(redirected(Method::GET, 200, "/q"), None);
    }

    #[test]
    fn secrets_stay_with_their_server() {
        assert!(redirected(Method::GET, 301, "http://other/").is_some(), "checked inside");
    }

    #[test]
    fn a_body_that_is_gone_is_not_sent_again() {
        let body = RequestBody::Stream { reader: Box::new(std::io::empty()), length: None };
        let mut request = Request::put("http://h/").body(body).unwrap();
        let response = Response::builder().status(307).header(LOCATION, "/q").body(()).unwrap();
        assert!(!follow(&mut request, &response).unwrap());
    }
}
