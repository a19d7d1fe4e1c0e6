//! Linux's own TCP, behind the smallest event loop that does the work of the other peers: echo on port 7, discard on 9,
//! a stream of zeros on 19 and HTTP on 80.
//!
//! ```text
//! epoll-peer ADDRESS CONTROL
//! ```
//!
//! CONTROL is the congestion control: set on each listener, from which connections inherit it, and read back from each
//! connection.

mod connection;

use std::env;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use connection::{Connection, Fate};
use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token};
use service::{PORTS, Service};
use socket2::{Domain, SockRef, Socket, Type};

const BACKLOG: i32 = 4_096;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let Some((address, control)) = parse(&arguments) else {
        eprintln!("usage: epoll-peer ADDRESS CONTROL");
        return ExitCode::from(2);
    };
    match Server::bind(address, control).and_then(|mut server| server.run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("epoll-peer: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(arguments: &[String]) -> Option<(IpAddr, &str)> {
    let [address, control] = arguments else { return None };
    Some((address.parse().ok()?, control))
}

struct Server {
    poll: Poll,
    listeners: Vec<(TcpListener, Service)>,
    /// By token, behind the listeners'.
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    /// Connections that could go on at once; their edges have been.
    unfinished: Vec<usize>,
    control: String,
    buffer: Vec<u8>,
}

impl Server {
    fn bind(address: IpAddr, control: &str) -> io::Result<Server> {
        let poll = Poll::new()?;
        let mut listeners = Vec::new();
        for (port, service) in PORTS {
            let end = SocketAddr::new(address, port);
            let socket = Socket::new(Domain::for_address(end), Type::STREAM, None)?;
            socket.set_reuse_address(true)?;
            socket.set_nonblocking(true)?;
            socket.set_tcp_congestion(control.as_bytes())?;
            socket.bind(&end.into())?;
            socket.listen(BACKLOG)?;
            let mut listener = TcpListener::from_std(socket.into());
            poll.registry().register(&mut listener, Token(listeners.len()), Interest::READABLE)?;
            listeners.push((listener, service));
        }
        println!("ready {address} {control}");
        Ok(Server {
            poll,
            listeners,
            connections: Vec::new(),
            free: Vec::new(),
            unfinished: Vec::new(),
            control: control.to_owned(),
            buffer: vec![0; connection::BUFFER],
        })
    }

    /// Answers until the process is ended.
    fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1_024);
        loop {
            let wait = (!self.unfinished.is_empty()).then_some(Duration::ZERO);
            match self.poll.poll(&mut events, wait) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            }
            for event in &events {
                match event.token().0.checked_sub(self.listeners.len()) {
                    None => self.accept(event.token().0)?,
                    Some(index) => self.turn(index),
                }
            }
            for index in std::mem::take(&mut self.unfinished) {
                self.turn(index);
            }
        }
    }

    fn accept(&mut self, listener: usize) -> io::Result<()> {
        loop {
            let (listener, service) = &self.listeners[listener];
            let mut stream = match listener.accept() {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                // The client has thought better of it.
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
                result => result?.0,
            };
            let real = SockRef::from(&stream).tcp_congestion()?;
            if real.split(|&byte| byte == 0).next() != Some(self.control.as_bytes()) {
                return Err(io::Error::other(
                    "a connection has another congestion control than its listener",
                ));
            }
            stream.set_nodelay(true)?;
            let index = self.free.pop().unwrap_or(self.connections.len());
            let token = Token(self.listeners.len() + index);
            self.poll.registry().register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
            if index == self.connections.len() {
                self.connections.push(None);
            }
            self.connections[index] = Some(Connection::new(stream, *service));
            self.turn(index);
        }
    }

    /// Lets a connection do what it can, and drops it where that was the end.
    fn turn(&mut self, index: usize) {
        let Some(connection) = self.connections.get_mut(index).and_then(Option::as_mut) else { return };
        // Whatever went wrong, it went wrong for this client alone.
        match connection.turn(&mut self.buffer).unwrap_or(Fate::Over) {
            Fate::Waits => {}
            Fate::More if self.unfinished.contains(&index) => {}
            Fate::More => self.unfinished.push(index),
            Fate::Over => {
                self.connections[index] = None;
                self.free.push(index);
            }
        }
    }
}
