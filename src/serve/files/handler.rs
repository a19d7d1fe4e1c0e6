//! The answer to a request for a file.

use std::sync::Arc;
use std::task::{Context, Poll};

use ::http::header::{ALLOW, CACHE_CONTROL, CONTENT_ENCODING, LOCATION, RETRY_AFTER, VARY};
use ::http::{HeaderValue, Method, Request, Response, StatusCode};

use super::Site;
use super::encoding::accepted;
use super::lookup::{Found, Lookup, Opened};
use super::path::SafePath;
use super::source::FileSource;
use super::workers::Ticket;
use crate::http::message::Framing;
use crate::http::{Handler, Step};
use crate::serve::content::{Delivery, Representation};

type Answer = Delivery<FileSource>;

/// Looks a file up, and delivers what is found.
pub(super) struct FileHandler {
    site: Arc<Site>,
    state: State,
}

enum State {
    LookingUp(Box<Request<()>>, Ticket<Found>),
    Answering(Box<Answer>),
}

impl FileHandler {
    pub(super) fn new(site: Arc<Site>) -> Self {
        let nothing = Delivery::status(StatusCode::NOT_FOUND);
        FileHandler { site, state: State::Answering(Box::new(nothing)) }
    }

    fn begin(&self, request: Request<()>) -> State {
        if let Some(refusal) = refuse(request.method()) {
            return State::Answering(Box::new(refusal));
        }
        let Some(path) = SafePath::parse(request.uri().path()) else {
            return State::Answering(Box::new(Delivery::status(StatusCode::NOT_FOUND)));
        };
        let codings = accepted(request.headers());
        let (listing, now) = (self.site.files.listing, self.site.clock.unix_time());
        let lookup = Lookup { path, codings, listing, now };
        let site = Arc::clone(&self.site);
        match self.site.workers.begin(move || lookup.run(&site.files.root)) {
            Some(ticket) => State::LookingUp(Box::new(request), ticket),
            None => State::Answering(Box::new(unavailable())),
        }
    }

    fn answer(&self, request: &Request<()>, found: Found) -> Answer {
        match found {
            Found::File(opened) => self.file(request, opened),
            Found::Moved(mut target) => {
                if let Some(query) = request.uri().query() {
                    target = format!("{target}?{query}");
                }
                let mut response = Response::new(());
                *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
                if let Ok(target) = HeaderValue::try_from(target) {
                    response.headers_mut().insert(LOCATION, target);
                }
                Delivery::without_body(response)
            }
            Found::Listing(page) => {
                Delivery::text(StatusCode::OK, HeaderValue::from_static("text/html; charset=utf-8"), page)
            }
            Found::Nothing(StatusCode::SERVICE_UNAVAILABLE) => unavailable(),
            Found::Nothing(status) => Delivery::status(status),
        }
    }

    fn file(&self, request: &Request<()>, opened: Opened) -> Answer {
        let Opened { file, length, validators, kind, coding, varies } = opened;
        let mut representation = Representation::with_validators(length, kind, validators);
        let headers = representation.headers_mut();
        // A file may change at any moment, and asking whether it has costs little: no cache shall guess (RFC 9111 5.2.2.4).
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        if let Some(coding) = coding {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name));
        }
        if varies {
            headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
        }
        let source = FileSource::new(file, length, Arc::clone(&self.site.workers));
        Delivery::of(request, &representation, source)
    }
}

impl Handler for FileHandler {
    fn on_head(&mut self, request: Request<()>, _body: Framing) {
        self.state = self.begin(request);
    }

    fn poll_response(&mut self, cx: &mut Context<'_>, budget: usize) -> Poll<Step> {
        if let State::LookingUp(request, ticket) = &self.state {
            let Poll::Ready(found) = ticket.poll(cx) else { return Poll::Pending };
            let found = found.unwrap_or(Found::Nothing(StatusCode::INTERNAL_SERVER_ERROR));
            let answer = self.answer(request, found);
            self.state = State::Answering(Box::new(answer));
        }
        match &mut self.state {
            State::Answering(answer) => answer.poll(cx, budget),
            State::LookingUp(..) => Poll::Pending,
        }
    }
}

/// Files are there to be read (RFC 9110 9.1, 9.3.7, 15.5.6).
fn refuse(method: &Method) -> Option<Answer> {
    let mut answer = match *method {
        Method::GET | Method::HEAD => return None,
        Method::OPTIONS => {
            let mut response = Response::new(());
            *response.status_mut() = StatusCode::NO_CONTENT;
            Delivery::without_body(response)
        }
        Method::POST | Method::PUT | Method::DELETE | Method::PATCH | Method::TRACE => {
            Delivery::status(StatusCode::METHOD_NOT_ALLOWED)
        }
        _ => return Some(Delivery::status(StatusCode::NOT_IMPLEMENTED)),
    };
    answer.set(ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS"));
    Some(answer)
}

fn unavailable() -> Answer {
    let mut answer = Delivery::status(StatusCode::SERVICE_UNAVAILABLE);
    answer.set(RETRY_AFTER, HeaderValue::from_static("1"));
    answer
}
