//! The client's end of a connection: requests into bytes, answers out of bytes.

use std::io::IoSlice;

use ::http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use ::http::{HeaderMap, Method, Request, Response, StatusCode, Version};

use super::encoder::Encoder;
use super::message::{
    BodyDecoder, ConnectionOptions, Decoded, HeadBuffer, HeadLimits, HeadProgress, has_body_by_nature,
    parse_response, response_framing, write_field, write_length, write_request_line,
};
use super::output::Output;
use super::{BadMessage, BodySize, Piece};

/// Something of an answer has arrived.
#[derive(Debug)]
pub enum ResponseEvent<'a> {
    /// The server wants the body that was announced with `Expect: 100-continue`.
    Continue,
    /// The final head.
    Head(Response<()>),
    /// Bytes of the body, lent from the input.
    Body(&'a [u8]),
    /// The answer is complete, with its trailer fields if there were any.
    End(Option<HeaderMap>),
}

/// Interim answers to one request: what anybody sends is one or two, and without a bound they could go on for ever.
const MAX_INTERIM: u8 = 32;

#[derive(Debug)]
enum Reading {
    /// No request is out.
    Nothing,
    Head(HeadBuffer),
    Body(BodyDecoder),
    /// What arrived was no answer; the error repeats.
    Failed(BadMessage),
}

/// One connection of a client, without transport and clock: time-outs are its driver's.
///
/// For each exchange: [`begin`](Self::begin), [`send`](Self::send) and [`finish`](Self::finish) for a body; write what
/// [`output`](Self::output) lends, [`advance`](Self::advance); give what arrives to [`receive`](Self::receive), with
/// the rest again until it returns no event; at the end of the stream [`receive_eof`](Self::receive_eof). After
/// [`ResponseEvent::End`], [`is_reusable`](Self::is_reusable) says whether another exchange may follow.
///
/// ```
/// use longwire::http::{BodySize, ClientConnection, ResponseEvent};
///
/// let mut connection = ClientConnection::default();
/// let request = http::Request::get("http://10.9.0.2/hello").body(()).unwrap();
/// connection.begin(&request, BodySize::Known(0));
/// assert_eq!(connection.take_output().unwrap(), &b"GET /hello HTTP/1.1\r\nHost: 10.9.0.2\r\n\r\n"[..]);
///
/// let mut input = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n".as_slice();
/// let mut body = Vec::new();
/// loop {
///     let (consumed, event) = connection.receive(input).unwrap();
///     input = &input[consumed..];
///     match event {
///         Some(ResponseEvent::Body(data)) => body.extend_from_slice(data),
///         Some(ResponseEvent::End(_)) => break,
///         Some(_) => {}
///         None => panic!("the rest is missing"),
///     }
/// }
/// assert_eq!(body, b"hello\n");
/// assert!(connection.is_reusable());
/// ```
#[derive(Debug)]
pub struct ClientConnection {
    limits: HeadLimits,
    method: Method,
    reading: Reading,
    /// `None`: the request is written to its end.
    encoder: Option<Encoder>,
    output: Output,
    /// Neither side has said that this exchange is the last, and nothing has gone wrong.
    persistent: bool,
    /// A byte of the present answer has come.
    answer_has_begun: bool,
    /// Interim answers to the present request.
    interim: u8,
}

impl Default for ClientConnection {
    fn default() -> Self {
        Self::new(HeadLimits::default())
    }
}

impl ClientConnection {
    /// A connection that accepts answers' heads within `limits`.
    pub fn new(limits: HeadLimits) -> Self {
        Self {
            limits,
            method: Method::GET,
            reading: Reading::Nothing,
            encoder: None,
            output: Output::default(),
            persistent: true,
            answer_has_begun: false,
            interim: 0,
        }
    }

    /// Writes the head of a request. `Host` comes from the URI unless the request has one; `Content-Length` and
    /// `Transfer-Encoding` come from `body`. Only on a new connection, or when [`is_reusable`](Self::is_reusable).
    pub fn begin(&mut self, request: &Request<()>, body: BodySize) {
        self.method = request.method().clone();
        self.persistent &= !ConnectionOptions::of(request.headers()).close;
        self.reading = Reading::Head(HeadBuffer::default());
        self.answer_has_begun = false;
        self.interim = 0;
        self.output.append(|out| write_head(out, request, body));
        self.encoder = match body {
            BodySize::Known(0) => None,
            BodySize::Known(length) => Some(Encoder::Length(length)),
            BodySize::Unknown => Some(Encoder::Chunked),
        };
    }

    /// A piece of the request's body; what exceeds an announced length is dropped.
    pub fn send(&mut self, piece: Piece) {
        if let Some(encoder) = &mut self.encoder {
            encoder.push(piece, &mut self.output);
            if encoder.owes_nothing() {
                self.encoder = None;
            }
        }
    }

    /// Ends the request's body. One that is shorter than announced leaves the connection unusable.
    pub fn finish(&mut self, trailers: Option<&HeaderMap>) {
        if let Some(encoder) = self.encoder.take() {
            self.persistent &= encoder.finish(trailers, &mut self.output);
        }
    }

    /// Lends the output for a vectored write; returns how many slices were filled.
    pub fn output<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        self.output.slices(slices)
    }

    /// Bytes of output that wait.
    pub fn output_len(&self) -> usize {
        self.output.len()
    }

    /// The transport has taken `n` bytes of what [`output`](Self::output) lent.
    pub fn advance(&mut self, n: usize) {
        self.output.advance(n);
    }

    /// Gives the next piece of output away.
    pub fn take_output(&mut self) -> Option<Piece> {
        self.output.take()
    }

    /// Looks at what has arrived; says how much of it is used up, and what came of it. After the end of the answer
    /// nothing is used: bytes that nobody asked for make the connection unusable.
    ///
    /// # Errors
    /// What arrived is no answer, or a contradictory one. The connection is unusable then, and the error repeats.
    pub fn receive<'a>(&mut self, input: &'a [u8]) -> Result<(usize, Option<ResponseEvent<'a>>), BadMessage> {
        let result = match &mut self.reading {
            Reading::Nothing => {
                self.persistent &= input.is_empty();
                Ok((0, None))
            }
            Reading::Failed(bad) => Err(*bad),
            Reading::Head(_) => {
                self.answer_has_begun |= !input.is_empty();
                self.receive_head(input)
            }
            Reading::Body(decoder) => match decoder.decode(input, &self.limits) {
                Ok((consumed, Decoded::More)) => Ok((consumed, None)),
                Ok((consumed, Decoded::Data(data))) => Ok((consumed, Some(ResponseEvent::Body(data)))),
                Ok((consumed, Decoded::End(trailers))) => {
                    self.end_answer();
                    Ok((consumed, Some(ResponseEvent::End(trailers))))
                }
                Err(bad) => Err(bad),
            },
        };
        result.inspect_err(|bad| self.fail(*bad))
    }

    /// The stream has ended, and everything before was received. `Some` if that was the end of the answer too.
    ///
    /// # Errors
    /// [`BadMessage::Truncated`]: in the middle of an answer, or before it
    /// ([`answer_has_begun`](Self::answer_has_begun) tells).
    pub fn receive_eof(&mut self) -> Result<Option<ResponseEvent<'static>>, BadMessage> {
        self.persistent = false;
        let result = match &self.reading {
            Reading::Nothing => return Ok(None),
            Reading::Failed(bad) => Err(*bad),
            Reading::Head(_) => Err(BadMessage::Truncated),
            Reading::Body(decoder) => decoder.end_of_stream(),
        };
        match result {
            Ok(()) => {
                self.end_answer();
                Ok(Some(ResponseEvent::End(None)))
            }
            Err(bad) => {
                self.fail(bad);
                Err(bad)
            }
        }
    }

    /// Whether a byte of the present answer has come. If not, and the connection failed, the server may have closed
    /// it before it saw the request: an idempotent one may be tried again elsewhere (RFC 9110 9.2.2).
    pub fn answer_has_begun(&self) -> bool {
        self.answer_has_begun
    }

    /// Whether another exchange may follow on this connection: this one is complete both ways, and neither side
    /// has closed (RFC 9112 9.3).
    pub fn is_reusable(&self) -> bool {
        let is_between = matches!(self.reading, Reading::Nothing);
        self.persistent && is_between && self.encoder.is_none() && self.output.is_empty()
    }

    fn receive_head<'a>(
        &mut self,
        input: &'a [u8],
    ) -> Result<(usize, Option<ResponseEvent<'a>>), BadMessage> {
        let mut used = 0;
        loop {
            let Reading::Head(buffer) = &mut self.reading else { return Ok((used, None)) };
            let (response, consumed) = match buffer.feed(&input[used..], &self.limits)? {
                HeadProgress::Partial => return Ok((input.len(), None)),
                HeadProgress::Complete { head, consumed, fields } => {
                    (parse_response(head, fields)?, consumed)
                }
            };
            used += consumed;
            *buffer = HeadBuffer::default();
            self.interim += u8::from(response.status().is_informational());
            if self.interim > MAX_INTERIM {
                return Err(BadMessage::Interim);
            }
            match response.status() {
                StatusCode::CONTINUE => return Ok((used, Some(ResponseEvent::Continue))),
                // Nobody asks for another protocol here, so nobody may switch to one (RFC 9110 15.2.2).
                StatusCode::SWITCHING_PROTOCOLS => return Err(BadMessage::Syntax),
                status if status.is_informational() => {}
                _ => return self.begin_body(response).map(|event| (used, Some(event))),
            }
        }
    }

    fn begin_body(&mut self, response: Response<()>) -> Result<ResponseEvent<'static>, BadMessage> {
        let framing = response_framing(&self.method, response.status(), response.headers())?;
        let options = ConnectionOptions::of(response.headers());
        let http_10 = response.version() == Version::HTTP_10;
        // RFC 9112 6.1: a transfer coding in HTTP/1.0 is faulty framing, and what follows is not to be trusted.
        let faulty = http_10 && response.headers().contains_key(TRANSFER_ENCODING);
        self.persistent &= !options.close && !faulty && (!http_10 || options.keep_alive);
        self.reading = Reading::Body(BodyDecoder::new(framing));
        Ok(ResponseEvent::Head(response))
    }

    /// A request that is not all out when its answer is complete would go on into the next one's place.
    fn end_answer(&mut self) {
        self.persistent &= self.encoder.is_none();
        self.reading = Reading::Nothing;
    }

    fn fail(&mut self, bad: BadMessage) {
        self.persistent = false;
        self.reading = Reading::Failed(bad);
    }
}

fn write_head(out: &mut Vec<u8>, request: &Request<()>, body: BodySize) {
    let (method, uri, headers) = (request.method(), request.uri(), request.headers());
    write_request_line(out, method, uri);
    // RFC 9110 7.2: first, and without user information.
    if !headers.contains_key(HOST) {
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let host = authority.rsplit('@').next().unwrap_or_default();
        write_field(out, HOST.as_str(), host.as_bytes());
    }
    for (name, value) in
        headers.iter().filter(|(name, _)| **name != CONTENT_LENGTH && **name != TRANSFER_ENCODING)
    {
        write_field(out, name.as_str(), value.as_bytes());
    }
    // RFC 9110 8.6: a length of 0 is said where a body would be expected.
    match body {
        BodySize::Known(0) if !has_body_by_nature(method) => {}
        BodySize::Known(length) => write_length(out, length),
        BodySize::Unknown => write_field(out, TRANSFER_ENCODING.as_str(), b"chunked"),
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: Method) -> Request<()> {
        Request::builder().method(method).uri("http://h:8080/p?q").body(()).unwrap()
    }

    fn asked(method: Method) -> ClientConnection {
        let mut connection = ClientConnection::default();
        connection.begin(&request(method), BodySize::Known(0));
        connection.take_output();
        connection
    }

    /// Status, body, whether the end has come, and whether the connection may be used again.
    type Outcome = Result<(u16, Vec<u8>, bool, bool), BadMessage>;

    /// Feeds `answer` in pieces of `step` bytes, and then, if `eof`, the end of the stream.
    fn outcome(method: Method, answer: &[u8], step: usize, eof: bool) -> Outcome {
        let mut connection = asked(method);
        let (mut status, mut body, mut ended) = (0, Vec::new(), false);
        let mut take = |event| match event {
            ResponseEvent::Head(response) => status = Response::status(&response).as_u16(),
            ResponseEvent::Body(data) => body.extend_from_slice(data),
            ResponseEvent::End(_) => ended = true,
            ResponseEvent::Continue => {}
        };
        for mut piece in answer.chunks(step) {
            loop {
                let (consumed, event) = connection.receive(piece)?;
                piece = &piece[consumed..];
                match event {
                    Some(event) => take(event),
                    None => break,
                }
            }
        }
        if eof && let Some(event) = connection.receive_eof()? {
            take(event);
        }
        Ok((status, body, ended, connection.is_reusable()))
    }

    #[test]
    fn answers_end_where_their_framing_says() {
        let ok =
            |status, body: &str, ended, reusable| Ok((status, body.as_bytes().to_vec(), ended, reusable));
        let truncated = Err(BadMessage::Truncated);
        let cases: [(Method, &str, bool, Outcome); 18] = [
            (
                Method::GET,
                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
                false,
                ok(200, "abc", true, true),
            ),
            (Method::GET, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, ok(200, "", true, true)),
            (
                Method::GET,
                "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc",
                false,
                ok(200, "abc", false, false),
            ),
            (Method::GET, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc", true, truncated.clone()),
            (
                Method::GET,
                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcd",
                false,
                ok(200, "abc", true, false),
            ),
            (Method::GET, "HTTP/1.1 200 OK\r\n\r\nabc", true, ok(200, "abc", true, false)),
            (Method::GET, "HTTP/1.1 200 OK\r\n\r\nabc", false, ok(200, "abc", false, false)),
            (Method::HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", false, ok(200, "", true, true)),
            (
                Method::GET,
                "HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n",
                false,
                ok(304, "", true, true),
            ),
            (Method::GET, "HTTP/1.1 204 No Content\r\n\r\n", false, ok(204, "", true, true)),
            (
                Method::GET,
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.1 204 x\r\n\r\n",
                false,
                ok(204, "", true, true),
            ),
            (
                Method::GET,
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nA: b\r\n\r\n",
                false,
                ok(200, "abc", true, true),
            ),
            (
                Method::GET,
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
                true,
                truncated.clone(),
            ),
            (
                Method::GET,
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\na",
                false,
                ok(200, "a", true, false),
            ),
            (Method::GET, "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", false, ok(200, "a", true, false)),
            (
                Method::GET,
                "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\na",
                false,
                ok(200, "a", true, true),
            ),
            (Method::GET, "HTTP/1.1 101 Switching\r\n\r\n", false, Err(BadMessage::Syntax)),
            (Method::GET, "HTTP/1.1 200 OK\r\nCont", true, truncated.clone()),
        ];
        for (method, answer, eof, expected) in cases {
            for step in [1, 7, answer.len()] {
                let outcome = outcome(method.clone(), answer.as_bytes(), step, eof);
                assert_eq!(outcome, expected, "{method} {answer:?} by {step}, end of stream: {eof}");
            }
        }
    }

    #[test]
    fn contradictory_answers_are_refused_for_good() {
        let both = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n";
        let mut connection = asked(Method::GET);
        for _ in 0..2 {
            assert_eq!(connection.receive(both).err(), Some(BadMessage::LengthAndCoding));
        }
        assert!(!connection.is_reusable());
    }

    #[test]
    fn a_pooled_connection_that_was_closed_tells_that_nothing_came() {
        let mut connection = asked(Method::GET);
        assert_eq!(connection.receive_eof().err(), Some(BadMessage::Truncated));
        assert!(!connection.answer_has_begun());
        let mut connection = asked(Method::GET);
        connection.receive(b"H").unwrap();
        assert!(connection.answer_has_begun());
    }

    #[test]
    fn bodies_are_sent_with_a_length_or_in_chunks() {
        let mut connection = ClientConnection::default();
        connection.begin(&request(Method::POST), BodySize::Known(3));
        connection.send(b"abcd".as_slice().into());
        connection.finish(None);
        let sent = connection.take_output().unwrap();
        assert_eq!(sent, &b"POST /p?q HTTP/1.1\r\nHost: h:8080\r\nContent-Length: 3\r\n\r\nabc"[..]);

        connection.begin(&request(Method::POST), BodySize::Unknown);
        connection.send(b"abc".as_slice().into());
        connection.finish(None);
        let sent = connection.take_output().unwrap();
        assert!(sent.ends_with(b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"));

        connection.begin(&request(Method::POST), BodySize::Known(0));
        assert!(connection.take_output().unwrap().ends_with(b"Content-Length: 0\r\n\r\n"));
    }

    #[test]
    fn an_answer_before_the_requests_end_makes_the_connection_the_last() {
        let mut connection = ClientConnection::default();
        connection.begin(&request(Method::POST), BodySize::Known(3));
        connection.take_output();
        let answer = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n";
        let (consumed, _) = connection.receive(answer).unwrap();
        let (_, end) = connection.receive(&answer[consumed..]).unwrap();
        assert!(matches!(end, Some(ResponseEvent::End(None))));
        connection.send(b"abc".as_slice().into());
        connection.take_output();
        assert!(!connection.is_reusable());
    }

    #[test]
    fn the_requests_own_close_counts() {
        let mut closing = request(Method::GET);
        closing.headers_mut().insert("connection", "close".parse().unwrap());
        let mut connection = ClientConnection::default();
        connection.begin(&closing, BodySize::Known(0));
        connection.take_output();
        connection.receive(b"HTTP/1.1 204 x\r\n\r\n").unwrap();
        connection.receive(b"").unwrap();
        assert!(!connection.is_reusable());
    }

    #[test]
    fn credentials_of_a_uri_do_not_reach_the_host_field() {
        let mut connection = ClientConnection::default();
        let request = Request::get("http://user:secret@h/").body(()).unwrap();
        connection.begin(&request, BodySize::Known(0));
        assert_eq!(connection.take_output().unwrap(), &b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"[..]);
    }
}
