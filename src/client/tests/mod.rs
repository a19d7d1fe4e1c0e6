//! A client and a scripted server on two networks with a cable between them.

mod bodies;
mod failures;
mod pooling;
mod redirects;

use std::io::{Read, Write};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use ::http::Response;

use super::{Body, Client, ClientConfig, Error, Trace};
use crate::net::{Network, TcpListener, TcpStream};

const URL: &str = "http://10.9.0.2/";

/// Both ends: the client's network first.
fn networks() -> (Network, Network) {
    let (here, there) = crate::device::pair(1_500);
    let start =
        |device, address: &str| Network::builder(device).address(address.parse().unwrap()).start().unwrap();
    (start(here, "10.9.0.1/24"), start(there, "10.9.0.2/24"))
}

/// A client, and what it told about its work.
struct Setup {
    client: Client,
    listener: TcpListener,
    steps: Arc<Mutex<Vec<String>>>,
    // Kept so that dropping it does not end the server's side early.
    _there: Network,
}

impl Setup {
    fn new(change: impl FnOnce(&mut ClientConfig)) -> Setup {
        let (here, there) = networks();
        let steps = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&steps);
        let tracer = move |step: &Trace<'_>| noted.lock().unwrap().push(name_of(step));
        let mut config = ClientConfig { tracer: Some(Arc::new(tracer)), ..ClientConfig::default() };
        change(&mut config);
        let listener = there.listen("10.9.0.2:80").unwrap();
        Setup { client: Client::with_config(&here, config), listener, steps, _there: there }
    }

    /// Serves the connections in turn, each with its script; gives the heads that were asked.
    fn serve(&self, scripts: &[&[&'static str]]) -> JoinHandle<Vec<String>> {
        let listener = self.listener.try_clone().unwrap();
        let scripts: Vec<Vec<&'static str>> = scripts.iter().map(|script| script.to_vec()).collect();
        thread::spawn(move || {
            let mut heads = Vec::new();
            for script in scripts {
                let (mut stream, _) = listener.accept().unwrap();
                for answer in script {
                    heads.push(read_head(&mut stream));
                    stream.write_all(answer.as_bytes()).unwrap();
                }
            }
            heads
        })
    }

    fn steps(&self) -> Vec<String> {
        self.steps.lock().unwrap().clone()
    }
}

fn name_of(step: &Trace<'_>) -> String {
    let name = match step {
        Trace::Connected { .. } => "connected",
        Trace::Reused { .. } => "reused",
        Trace::Request(_) => "request",
        Trace::Response(_) => "response",
        Trace::Retry(_) => "retry",
        Trace::Redirect(_) => "redirect",
        Trace::Complete { kept: true } => "kept",
        Trace::Complete { kept: false } => "closed",
    };
    name.to_owned()
}

/// Reads up to the empty line.
fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        assert_eq!(stream.read(&mut byte).unwrap(), 1, "the client closed after {head:?}");
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

/// Status and body.
fn taken(response: Result<Response<Body>, Error>) -> Result<(u16, String), Error> {
    let mut response = response?;
    let mut body = Vec::new();
    let mut piece = [0; 7];
    loop {
        match response.body_mut().read_some(&mut piece)? {
            0 => break,
            count => body.extend_from_slice(&piece[..count]),
        }
    }
    Ok((response.status().as_u16(), String::from_utf8(body).unwrap()))
}

const HELLO: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
