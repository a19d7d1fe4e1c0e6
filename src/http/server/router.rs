//! From method and path to a handler.

use std::borrow::Cow;
use std::sync::Arc;

use ::http::header::{ALLOW, HeaderValue};
use ::http::{Method, Request, Response, StatusCode};

use super::answer::plain_answer;
use super::handler::{Buffered, Handler, Ready, Service};
use crate::http::Piece;

type Factory = Arc<dyn Fn(&Request<()>) -> Box<dyn Handler> + Send + Sync>;

/// Routes by method and path, and answers what no route does: 404, 405 with `Allow`, 501, `OPTIONS`.
///
/// A path is matched exactly, or, ending in `/*`, by what stands before the asterisk; the longest match wins. A
/// route for GET serves HEAD too.
///
/// ```
/// use http::{Method, Response};
/// use longwire::http::{Handler, Router};
/// # struct Upload; impl Upload { fn new() -> Self { Upload } }
/// # impl Handler for Upload { fn poll_response(&mut self, _: &mut std::task::Context<'_>, _: usize)
/// #     -> std::task::Poll<longwire::http::Step> { std::task::Poll::Pending } }
/// let router = Router::new()
///     .get("/healthz", |_request| Response::new(b"ok\n".as_slice().into()))
///     .route(Method::POST, "/echo", |request| Response::new(request.into_body().into()))
///     .stream(Method::POST, "/upload/*", |_request| Upload::new());
/// ```
pub struct Router {
    routes: Vec<Route>,
    fallback: Option<(Factory, bool)>,
    body_limit: usize,
    introduced: bool,
}

struct Route {
    method: Method,
    /// Without the asterisk.
    path: String,
    is_prefix: bool,
    introduced: bool,
    factory: Factory,
}

impl Route {
    /// How well `path` matches: an exact match beats every prefix, a longer prefix a shorter.
    fn rank(&self, path: &str) -> Option<usize> {
        if self.is_prefix {
            path.starts_with(&self.path).then_some(self.path.len())
        } else {
            (self.path == path).then_some(usize::MAX)
        }
    }

    fn serves(&self, method: &Method) -> bool {
        self.method == method || (self.method == Method::GET && method == Method::HEAD)
    }
}

impl Default for Router {
    fn default() -> Self {
        Self::new()
    }
}

impl Router {
    /// No routes, and a limit of 1 MiB for bodies that are not streamed.
    pub fn new() -> Self {
        Self { routes: Vec::new(), fallback: None, body_limit: 1024 * 1024, introduced: true }
    }

    /// The largest body, in bytes, for routes that are added after this.
    #[must_use]
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }

    /// Whether routes that are added after this find in a request's extensions what the server knows besides it: with
    /// longwire's own servers [`serve::About`](../serve/struct.About.html). So it is for all that do not say otherwise; it
    /// takes three allocations a request.
    #[must_use]
    pub fn introduced(mut self, introduced: bool) -> Self {
        self.introduced = introduced;
        self
    }

    /// A function over whole requests.
    #[must_use]
    pub fn route(
        self,
        method: Method,
        path: &str,
        function: impl Fn(Request<Vec<u8>>) -> Response<Piece> + Send + Sync + 'static,
    ) -> Self {
        let (limit, function) = (self.body_limit, Arc::new(function));
        self.stream(method, path, move |_| {
            let function = Arc::clone(&function);
            Buffered::new(limit, move |request| function(request))
        })
    }

    /// [`route`](Self::route) for GET, and so for HEAD.
    #[must_use]
    pub fn get(
        self,
        path: &str,
        function: impl Fn(Request<Vec<u8>>) -> Response<Piece> + Send + Sync + 'static,
    ) -> Self {
        self.route(Method::GET, path, function)
    }

    /// A machine of its own for each request; it sees the body as it comes, of whatever size.
    #[must_use]
    pub fn stream<H: Handler + 'static>(
        mut self,
        method: Method,
        path: &str,
        make: impl Fn(&Request<()>) -> H + Send + Sync + 'static,
    ) -> Self {
        let is_prefix = path.ends_with("/*");
        let path = if is_prefix { &path[..path.len() - 1] } else { path };
        let factory: Factory = Arc::new(move |request| Box::new(make(request)));
        let introduced = self.introduced;
        self.routes.push(Route { method, path: path.to_owned(), is_prefix, introduced, factory });
        self
    }

    /// Who answers, with any method, where no path matches; files, say. Without it that is 404.
    #[must_use]
    pub fn fallback<H: Handler + 'static>(
        mut self,
        make: impl Fn(&Request<()>) -> H + Send + Sync + 'static,
    ) -> Self {
        self.fallback = Some((Arc::new(move |request| Box::new(make(request))), self.introduced));
        self
    }

    /// The routes of the best-matching path.
    fn matching<'a, 'p>(&'a self, path: &'p str) -> impl Iterator<Item = &'a Route> + Clone + use<'a, 'p> {
        let best = self.routes.iter().filter_map(|route| route.rank(path)).max();
        self.routes.iter().filter(move |route| best.is_some() && route.rank(path) == best)
    }
}

impl Service for Router {
    fn handler(&self, request: &mut Request<()>) -> Box<dyn Handler> {
        self.introduced_handler(request, &|_| ())
    }

    fn introduced_handler(
        &self,
        request: &mut Request<()>,
        introduce: &dyn Fn(&mut Request<()>),
    ) -> Box<dyn Handler> {
        let (factory, introduced) = match self.find(request.method(), request.uri().path()) {
            Ok(found) => found,
            Err(refusal) => return refusal,
        };
        if introduced {
            introduce(request);
        }
        factory(request)
    }
}

impl Router {
    /// Who answers, and whether they want an introduction; or what says that nobody does.
    fn find(&self, method: &Method, path: &str) -> Result<(&Factory, bool), Box<dyn Handler>> {
        match &self.fallback {
            // What it allows is its own to say; `Allow` may be left out (RFC 9110 9.3.7).
            Some(_) if path == "*" => return Err(ready(no_content())),
            None if path == "*" => return Err(ready(with_allow(no_content(), self.routes.iter()))),
            _ => {}
        }
        let path = without_needless_encoding(path);
        let routes = self.matching(&path);
        if let Some(route) = routes.clone().find(|route| route.serves(method)) {
            return Ok((&route.factory, route.introduced));
        }
        let is_nowhere = routes.clone().next().is_none();
        match &self.fallback {
            Some((factory, introduced)) if is_nowhere => Ok((factory, *introduced)),
            _ if !self.knows(method) => {
                Err(ready(plain_answer(StatusCode::NOT_IMPLEMENTED, "unknown method")))
            }
            _ if is_nowhere => Err(ready(plain_answer(StatusCode::NOT_FOUND, ""))),
            _ if method == Method::OPTIONS => Err(ready(with_allow(no_content(), routes))),
            _ => Err(ready(with_allow(plain_answer(StatusCode::METHOD_NOT_ALLOWED, ""), routes))),
        }
    }

    /// RFC 9110 9.1: a method nobody here has heard of is 501, one that only this path lacks is 405.
    fn knows(&self, method: &Method) -> bool {
        let standard = [
            Method::GET,
            Method::HEAD,
            Method::POST,
            Method::PUT,
            Method::DELETE,
            Method::OPTIONS,
            Method::TRACE,
            Method::PATCH,
        ];
        standard.contains(method) || self.routes.iter().any(|route| route.method == method)
    }
}

/// RFC 3986 6.2.2.2: an encoded unreserved character is that character; any other encoding stays.
fn without_needless_encoding(path: &str) -> Cow<'_, str> {
    if !path.as_bytes().contains(&b'%') {
        return Cow::Borrowed(path);
    }
    let mut pieces = path.split('%');
    let mut plain = Cow::Borrowed(pieces.next().unwrap_or_default());
    for piece in pieces {
        let byte = piece.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let unreserved = byte.filter(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(byte));
        let plain = plain.to_mut();
        plain.push(unreserved.map_or('%', char::from));
        plain.push_str(if unreserved.is_some() { &piece[2..] } else { piece });
    }
    plain
}

fn ready(response: Response<Piece>) -> Box<dyn Handler> {
    Box::new(Ready(Some(response)))
}

fn no_content() -> Response<Piece> {
    let mut response = Response::new(Piece::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// RFC 9110 10.2.1, and 15.5.6 for 405.
fn with_allow<'a>(mut response: Response<Piece>, routes: impl Iterator<Item = &'a Route>) -> Response<Piece> {
    let mut methods = vec!["OPTIONS"];
    for route in routes {
        methods.push(route.method.as_str());
        if route.method == Method::GET {
            methods.push("HEAD");
        }
    }
    methods.sort_unstable();
    methods.dedup();
    if let Ok(value) = HeaderValue::from_str(&methods.join(", ")) {
        response.headers_mut().insert(ALLOW, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn only_routes_that_want_it_are_introduced() {
        let answer = |_| no_content();
        let router = Router::new().get("/who", answer).introduced(false).get("/plain", answer);
        let router = router.introduced(true).fallback(move |_| Buffered::new(0, answer));
        let introductions = |method: Method, path: &str| {
            let count = Cell::new(0);
            let mut request = Request::builder().method(method).uri(path).body(()).unwrap();
            let _ = router.introduced_handler(&mut request, &|_| count.set(count.get() + 1));
            count.get()
        };
        assert_eq!(["/who", "/plain", "/other"].map(|path| introductions(Method::GET, path)), [1, 0, 1]);
        assert_eq!(introductions(Method::POST, "/who"), 0, "nobody's");
    }

    #[test]
    fn a_route_is_found_however_its_letters_are_encoded() {
        assert_eq!(without_needless_encoding("/%68ealth%7a/%7e"), "/healthz/~");
        assert_eq!(
            without_needless_encoding("/a%2fb%20%zz%4"),
            "/a%2fb%20%zz%4",
            "these mean something else"
        );
        assert_eq!(without_needless_encoding("/%2568"), "/%2568", "once and not twice");
        assert!(matches!(without_needless_encoding("/plain"), Cow::Borrowed("/plain")));
    }
}
