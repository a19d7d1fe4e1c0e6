//! An echo server for many clients on one thread, with a [`Poller`](longwire::net::Poller) as mio has it.
//!
//!     cargo run --example readiness
//!
//! Both sides are in this process: two stacks on a cable in memory, so that nothing needs rights.

use std::collections::{HashMap, VecDeque};
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::thread;

use longwire::device;
use longwire::net::{Event, Events, Interest, Network, Poller, TcpListener, TcpStream, Token};

const CLIENTS: usize = 100;
const LISTENER: Token = Token(0);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (here, there) = device::pair(1_500);
    let here = Network::builder(here).address("10.9.0.1/24".parse()?).start()?;
    let there = Network::builder(there).address("10.9.0.2/24".parse()?).start()?;

    let mut server = Server::new(there.listen("10.9.0.2:7")?)?;
    let clients = thread::spawn(move || run_clients(&here));
    server.run(CLIENTS)?;
    let bytes = clients.join().expect("the clients do not panic")?;
    println!("{CLIENTS} clients had {bytes} bytes echoed by one thread");
    Ok(())
}

struct Server {
    poller: Poller,
    listener: TcpListener,
    sessions: HashMap<Token, Session>,
    accepted: usize,
}

impl Server {
    fn new(listener: TcpListener) -> io::Result<Server> {
        let poller = Poller::new()?;
        listener.set_nonblocking(true)?;
        poller.register(&listener, LISTENER, Interest::READABLE)?;
        Ok(Server { poller, listener, sessions: HashMap::new(), accepted: 0 })
    }

    /// Serves until so many clients have come and gone.
    fn run(&mut self, clients: usize) -> io::Result<()> {
        let mut events = Events::with_capacity(64);
        while self.accepted < clients || !self.sessions.is_empty() {
            self.poller.poll(&mut events, None)?;
            for event in &events {
                self.handle(event)?;
            }
        }
        Ok(())
    }

    fn handle(&mut self, event: &Event) -> io::Result<()> {
        if event.token() == LISTENER {
            return self.accept_all();
        }
        if let Some(session) = self.sessions.get_mut(&event.token()) {
            match session.turn() {
                Ok(true) => {}
                // Dropping its socket takes it out of the poller, too.
                Ok(false) | Err(_) => drop(self.sessions.remove(&event.token())),
            }
        }
        Ok(())
    }

    /// One event may stand for several connections.
    fn accept_all(&mut self) -> io::Result<()> {
        loop {
            match self.listener.accept() {
                Ok((stream, _peer)) => {
                    stream.set_nonblocking(true)?;
                    self.accepted += 1;
                    let token = Token(self.accepted);
                    self.poller.register(&stream, token, Interest::READABLE | Interest::WRITABLE)?;
                    self.sessions.insert(token, Session { stream, owed: VecDeque::new() });
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }
}

struct Session {
    stream: TcpStream,
    /// Read and not yet written back.
    owed: VecDeque<u8>,
}

impl Session {
    /// Reads and writes until both would block. Whether it goes on.
    fn turn(&mut self) -> io::Result<bool> {
        loop {
            // Nothing is read while something is owed, so that a client that does not read is not served either.
            if !self.owed.is_empty() {
                match self.stream.write(self.owed.as_slices().0) {
                    Ok(count) => drop(self.owed.drain(..count)),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                    Err(error) => return Err(error),
                }
                continue;
            }
            let mut buffer = [0; 16 * 1024];
            match self.stream.read(&mut buffer) {
                Ok(0) => return Ok(false),
                Ok(count) => self.owed.extend(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(error),
            }
        }
    }
}

/// All of them at once, each on a thread, as blocking sockets are. How much came back.
fn run_clients(network: &Network) -> io::Result<usize> {
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let network = network.clone();
            thread::spawn(move || -> io::Result<usize> {
                let sent = vec![number as u8; 10_000 + number];
                let mut stream = network.connect("10.9.0.2:7")?;
                let mut writer = stream.try_clone()?;
                let echoed = thread::spawn(move || {
                    let mut received = Vec::new();
                    stream.read_to_end(&mut received).map(|_| received)
                });
                writer.write_all(&sent)?;
                writer.shutdown(Shutdown::Write)?;
                let received = echoed.join().expect("the reader does not panic")?;
                assert!(received == sent, "client {number} got something else back");
                Ok(received.len())
            })
        })
        .collect();
    clients.into_iter().map(|client| client.join().expect("a client does not panic")).sum()
}
