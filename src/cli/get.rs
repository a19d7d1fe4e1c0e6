//! `longwire get`: an HTTP client in the terminal.

mod progress;
mod trace;

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use ::http::header::CONTENT_LENGTH;
use ::http::{Method, Request, Response, StatusCode, Uri};
use clap::Args;

use super::error::Failure;
use super::open::{OpenStack, Role, RunningStack};
use super::options::StackOptions;
use super::signals::Signals;
use super::units::{self, OrOff};
use super::{Outcome, forwarding, output};
use crate::client::{Authority, Body, Client, ClientConfig, Error, RequestBody};
use progress::Progress;

/// How long the connections may take to close at the end.
const CLOSING: Duration = Duration::from_secs(1);

/// Bytes of a body that are written at a time.
const PIECE: usize = 128 * 1024;

const EXAMPLES: &str = "\
Examples:
  sudo longwire get http://10.9.0.1:8000/                     a server on this host, as the kernel sees it
  sudo longwire get --trace -n 3 http://10.9.0.1:8000/        three requests on one long connection
  sudo longwire get --trace -n 3 --short http://10.9.0.1:8000/    and on three short ones
  sudo longwire get -o file.iso http://10.9.0.1:8000/file.iso

Exit status: 0; 22 for an HTTP status from 400; else as curl: 1 not http, 3 bad URL, 6 name not found,
7 no connection, 8 not HTTP, 18 body cut off, 23 cannot write, 28 time-out, 47 too many redirects,
52 no answer, 55 sending failed, 56 receiving failed. 1 also for whatever happens before.";

/// Asks for URLs over HTTP: bodies to standard output, one behind the other
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Get {
    /// What to ask for: http://HOST[:PORT]/PATH; http:// may be left out
    #[arg(value_name = "URL", required = true)]
    urls: Vec<String>,

    /// Writes the bodies to FILE instead
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// A connection of its own for each request; without this one long connection serves them all
    #[arg(long)]
    short: bool,

    /// Asks for each URL COUNT times
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 1, value_parser = units::count)]
    count: u32,

    /// Asks for the heads only, and writes them
    #[arg(long)]
    head: bool,

    /// Shows the exchange on standard error
    #[arg(long)]
    trace: bool,

    /// How long connecting may take, looking the name up included
    #[arg(long, value_name = "D|off", default_value = "10s", value_parser = units::duration_or_off)]
    connect_timeout: OrOff<Duration>,

    /// How long the answer may take to begin
    #[arg(long, value_name = "D|off", default_value = "60s", value_parser = units::duration_or_off)]
    first_byte_timeout: OrOff<Duration>,

    /// How long nothing may come once it has begun
    #[arg(long, value_name = "D|off", default_value = "60s", value_parser = units::duration_or_off)]
    stall_timeout: OrOff<Duration>,

    /// How long a whole exchange may take
    #[arg(long, value_name = "D|off", default_value = "off", value_parser = units::duration_or_off)]
    timeout: OrOff<Duration>,

    #[command(flatten)]
    stack: StackOptions,
}

impl Get {
    pub(super) fn run(&self) -> Outcome {
        let urls = self.urls.iter().map(|url| parse_url(url)).collect::<Result<Vec<_>, _>>()?;
        let opening = OpenStack::open(&self.stack, Role::Client)?;
        let out = match &self.output {
            None => output::stdout()?,
            Some(path) => opening.target.create_file(path).map_err(|error| {
                let path = path.display();
                Failure::with_status(
                    23,
                    format!("{path}: cannot be written: {error}: choose another file with -o"),
                )
            })?,
        };
        let signals = Signals::install()?;
        let stack = opening.start()?;
        let network = stack.network.clone();
        let watch = signals.end_with(move |status| {
            network.shutdown(CLOSING);
            status
        })?;
        let result = self.fetch_all(&urls, &stack, out);
        watch.leave_the_end_to_it();
        stack.network.shutdown(CLOSING);
        result
    }

    /// All URLs in turn. A status from 400 is remembered, anything worse is the end.
    fn fetch_all(&self, urls: &[Uri], stack: &RunningStack, mut out: File) -> Outcome {
        let client = Client::with_config(&stack.network, self.client_config());
        let mut refused = None;
        for url in urls {
            for _ in 0..self.count {
                let response = self.ask(&client, url).map_err(|error| explain(url, &error, stack))?;
                let status = response.status();
                if status.as_u16() >= 400 {
                    refused = Some((url, status));
                }
                self.write(response, url, stack, &mut out)?;
            }
        }
        match refused {
            None => Ok(ExitCode::SUCCESS),
            Some((url, status)) => {
                Err(Failure::with_status(22, format!("{url}: the server answered {status}")))
            }
        }
    }

    fn ask(&self, client: &Client, url: &Uri) -> Result<Response<Body>, Error> {
        let mut request = Request::new(RequestBody::Empty);
        *request.method_mut() = if self.head { Method::HEAD } else { Method::GET };
        *request.uri_mut() = url.clone();
        client.send(request)
    }

    fn client_config(&self) -> ClientConfig {
        ClientConfig {
            persistent: !self.short,
            connect_timeout: self.connect_timeout.on(),
            first_byte_timeout: self.first_byte_timeout.on(),
            stall_timeout: self.stall_timeout.on(),
            timeout: self.timeout.on(),
            tracer: self.trace.then(|| Arc::new(trace::show) as _),
            ..ClientConfig::default()
        }
    }

    /// The body, or with `--head` the head, to `out`.
    fn write(
        &self,
        mut response: Response<Body>,
        url: &Uri,
        stack: &RunningStack,
        out: &mut File,
    ) -> Result<(), Failure> {
        if self.head {
            return out
                .write_all(trace::head_of(&response).as_bytes())
                .map_err(|error| self.cannot_write(&error));
        }
        let mut progress = Progress::new(expected_length(&response), self.output.is_some());
        let mut piece = vec![0; PIECE];
        loop {
            let count = match response.body_mut().read_some(&mut piece) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) => {
                    progress.end();
                    return Err(explain(url, &error, stack));
                }
            };
            out.write_all(&piece[..count]).map_err(|error| self.cannot_write(&error))?;
            progress.advance(count, stack.network.shared().now());
        }
        progress.end();
        Ok(())
    }

    fn cannot_write(&self, error: &io::Error) -> Failure {
        match &self.output {
            None if error.kind() == io::ErrorKind::BrokenPipe => Failure::from_output(error),
            None => Failure::with_status(23, format!("standard output: {error}")),
            Some(path) => Failure::with_status(23, format!("{}: cannot be written: {error}", path.display())),
        }
    }
}

/// A URL as it is typed, checked before anything is opened.
pub(super) fn parse_url(text: &str) -> Result<Uri, Failure> {
    let full = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let bad = |why: &dyn std::fmt::Display| {
        Failure::with_status(3, format!("'{text}': bad URL: {why}: write http://HOST[:PORT]/PATH"))
    };
    if full.ends_with("://") {
        return Err(bad(&"no host"));
    }
    let url: Uri = full.parse().map_err(|error| bad(&error))?;
    match Authority::of(&url) {
        Ok(_) => Ok(url),
        Err(Error::Scheme { scheme }) if scheme == "https" => Err(Failure::with_status(
            1,
            format!("'{text}': https is not supported: there is no TLS here; ask an http:// URL"),
        )),
        Err(Error::Scheme { scheme }) => {
            Err(Failure::with_status(1, format!("'{text}': {scheme} is not supported: ask an http:// URL")))
        }
        Err(Error::Url { why, .. }) => Err(bad(&why)),
        Err(error) => Err(bad(&error)),
    }
}

/// The body's length, where the head says it and there is a body at all.
fn expected_length(response: &Response<Body>) -> Option<u64> {
    let bodyless = response.status() == StatusCode::NO_CONTENT;
    response.headers().get(CONTENT_LENGTH).filter(|_| !bodyless)?.to_str().ok()?.parse().ok()
}

/// The words and the exit status for a failed exchange.
fn explain(url: &Uri, error: &Error, stack: &RunningStack) -> Failure {
    let hint = match error {
        Error::ConnectTimeout { address, .. } => forwarding::hint(address.ip(), &stack.addresses),
        _ => None,
    };
    Failure::with_status(curl_status(error), format!("{url}: {error}")).with_hint(hint)
}

/// curl's exit status for the same.
fn curl_status(error: &Error) -> u8 {
    match error {
        Error::Scheme { .. } => 1,
        Error::Url { .. } | Error::Location { .. } => 3,
        Error::NotFound { .. } => 6,
        Error::Connect { .. } => 7,
        Error::BadAnswer(_) => 8,
        Error::Truncated => 18,
        Error::RequestBody(_) => 26,
        Error::LookUpTimeout { .. }
        | Error::ConnectTimeout { .. }
        | Error::FirstByteTimeout { .. }
        | Error::Stalled { .. }
        | Error::Timeout { .. } => 28,
        Error::ClosedWhileIdle { source } => curl_status(source),
        Error::TooManyRedirects { .. } => 47,
        Error::NoAnswer => 52,
        Error::Send(_) => 55,
        Error::Receive(_) => 56,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_may_leave_the_scheme_out() {
        for (text, url) in [
            ("10.9.0.1:8000/a", "http://10.9.0.1:8000/a"),
            ("localhost", "http://localhost/"),
            ("http://[fd09::1]/?q", "http://[fd09::1]/?q"),
        ] {
            assert_eq!(parse_url(text).unwrap().to_string(), url);
        }
    }

    #[test]
    fn urls_that_cannot_be_asked_for_are_refused() {
        for (text, words) in [
            ("https://10.9.0.1/", "https is not supported"),
            ("ftp://10.9.0.1/", "ftp is not supported"),
            ("http://", "bad URL: no host"),
            ("http://a b/", "bad URL"),
            ("http://h:99999/", "bad URL"),
        ] {
            let failure = parse_url(text).unwrap_err();
            assert!(failure.message().unwrap().contains(words), "{failure:?}");
        }
    }
}
