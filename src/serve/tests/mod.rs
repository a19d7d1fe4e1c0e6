//! The server as its clients see it: two stacks on one cable, real threads, short time limits.

mod basics;
mod files;
mod life;
mod limits;
mod queues;
mod requests;
mod services;
mod threads;
mod transfers;

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use crate::device;
use crate::net::{Network, TcpStream};
use crate::serve::{Config, Server, ServerHandle};

/// Longer than anything here takes unless it hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server on one network, and the network of its clients. Its port is 80.
struct World {
    clients: Network,
    server: ServerHandle,
    /// Last, so that the server's stack outlives what stands above.
    servers: Network,
}

impl World {
    /// The built-in routes, with a changed configuration.
    fn new(change: impl FnOnce(&mut Config)) -> World {
        World::with(change, |server| server)
    }

    /// A server that `build` has added to.
    fn with(change: impl FnOnce(&mut Config), build: impl FnOnce(Server) -> Server) -> World {
        let (near, far) = device::pair(1_500);
        let network = |device, address: &str| {
            let builder = Network::builder(device).address(address.parse().unwrap());
            builder.linger(Duration::from_millis(100)).start().unwrap()
        };
        let (clients, servers) = (network(near, "10.9.0.1/24"), network(far, "10.9.0.2/24"));
        let mut config = Config::default();
        change(&mut config);
        let server = build(Server::new(config).builtin(""));
        let server = server.start(servers.shared(), &[address(80)]).unwrap();
        World { clients, server, servers }
    }

    fn connect(&self) -> Client {
        let stream = self.clients.connect(address(80)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Client { stream, early: Vec::new() }
    }

    /// One request on a connection of its own.
    fn ask(&self, request: &str) -> Answer {
        let mut client = self.connect();
        client.send(request);
        client.answer()
    }
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([10, 9, 0, 2], port))
}

/// A client that shows every byte.
struct Client {
    stream: TcpStream,
    /// Read, and behind the answer that it was read with.
    early: Vec<u8>,
}

/// What came back.
#[derive(Debug)]
struct Answer {
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn status(&self) -> u16 {
        self.head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status line")
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (field, value) = line.split_once(": ")?;
            field.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }
}

impl Client {
    #[track_caller]
    fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("the server takes it");
    }

    /// The next answer to a request other than HEAD.
    #[track_caller]
    fn answer(&mut self) -> Answer {
        let head = self.head();
        let mut answer = Answer { head, body: Vec::new() };
        let chunked = answer.field("transfer-encoding") == Some("chunked");
        match answer.field("content-length").map(|length| length.parse().expect("a number")) {
            Some(length) => answer.body = self.exactly(length),
            None if chunked => answer.body = self.chunks(),
            None if [204, 304].contains(&answer.status()) => {}
            None => answer.body = self.rest(),
        }
        answer
    }

    /// The next head alone.
    #[track_caller]
    fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.extend(self.exactly(1));
        }
        String::from_utf8(head).expect("text")
    }

    #[track_caller]
    fn exactly(&mut self, count: usize) -> Vec<u8> {
        while self.early.len() < count {
            let mut buffer = vec![0; 64 * 1024];
            let got = self.stream.read(&mut buffer).expect("more of the answer");
            assert_ne!(got, 0, "the end, after {:?}", String::from_utf8_lossy(&self.early));
            self.early.extend_from_slice(&buffer[..got]);
        }
        let rest = self.early.split_off(count);
        std::mem::replace(&mut self.early, rest)
    }

    #[track_caller]
    fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let mut line = Vec::new();
            while !line.ends_with(b"\r\n") {
                line.extend(self.exactly(1));
            }
            let size = std::str::from_utf8(&line).unwrap().trim();
            let size = usize::from_str_radix(size, 16).expect("a chunk's size");
            body.extend(self.exactly(size));
            self.exactly(2);
            if size == 0 {
                return body;
            }
        }
    }

    /// Everything up to the server's FIN.
    #[track_caller]
    fn rest(&mut self) -> Vec<u8> {
        let mut rest = std::mem::take(&mut self.early);
        self.stream.read_to_end(&mut rest).expect("an orderly end");
        rest
    }
}

/// The first `length` bytes of what `/bytes` sends.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index % 251) as u8).collect()
}

/// Waits until `condition` holds.
#[track_caller]
fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    for _ in 0..PATIENCE.as_millis() / 5 {
        if condition() {
            return;
        }
        wait(Duration::from_millis(5));
    }
    panic!("never: {what}");
}

/// Lets time pass for the stacks' own threads.
#[allow(clippy::disallowed_methods, reason = "nothing tells that nothing happens")]
fn wait(time: Duration) {
    std::thread::sleep(time);
}
