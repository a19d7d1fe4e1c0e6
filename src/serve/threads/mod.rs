//! The other form of server: a blocking thread for each connection, on `net`'s listener.
//!
//! It drives the same [`Session`](crate::http::Session) with the same handlers as the event-driven form, and is what one
//! wants where a handler has to block. The limits of [`Config`] are kept, and counted in [`Stats`]; buffers and backlog are
//! the listener's. Each connection costs a thread: `max_connections` should be lower here.
//!
//! ```
//! use longwire::{device, http::Router, net::Network, serve::{Config, threads}};
//! use std::io::{Read, Write};
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (here, there) = device::pair(1_500);
//! let here = Network::builder(here).address("10.9.0.1/24".parse()?).start()?;
//! let there = Network::builder(there).address("10.9.0.2/24".parse()?).start()?;
//! let listener = there.listen("10.9.0.2:80")?;
//! let router = Router::new().get("/", |_request| http::Response::new(b"hello\n".as_slice().into()));
//! let config = Config { max_connections: 100, ..Config::default() };
//! let server = Arc::new(threads::Server::new(config, router));
//! let acceptor = Arc::clone(&server);
//! let serving = std::thread::spawn(move || acceptor.serve(&listener));
//!
//! let mut client = here.connect("10.9.0.2:80")?;
//! client.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
//! let mut answer = String::new();
//! client.read_to_string(&mut answer)?;
//! assert!(answer.ends_with("\r\n\r\nhello\n"));
//! assert!(server.stats().counters().any(|(name, _, value)| name == "requests" && value == 1));
//!
//! drop(client);
//! assert_eq!(server.shutdown(Duration::from_secs(10)).cut, 0);
//! serving.join().unwrap()?;
//! # Ok(())
//! # }
//! ```

mod connection;
mod crowd;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use self::connection::Connection;
use self::crowd::{Admission, Crowd};
use super::reception::Reception;
use super::{Config, Ended, Stats};
use crate::http::{ServerConfig, Service};
use crate::net::{Events, Interest, Poller, TcpListener, TcpStream, Token, Waker};

/// A server with a thread for each connection. See the [module](self).
pub struct Server {
    config: Config,
    house: Arc<House>,
    crowd: Arc<Crowd>,
    stats: Arc<Stats>,
}

/// What all connections share.
struct House {
    http: Arc<ServerConfig>,
    reception: Reception,
    stats: Arc<Stats>,
}

impl Server {
    /// A server whose requests are answered by what `service` finds.
    pub fn new(config: Config, service: impl Service + 'static) -> Self {
        let stats = Arc::new(Stats::default());
        let reception = Reception::new(Arc::new(service), &config, Arc::clone(&stats));
        let http = Arc::new(config.http.clone());
        let house = Arc::new(House { http, reception, stats: Arc::clone(&stats) });
        Server { config, house, crowd: Crowd::new(Arc::clone(&stats)), stats }
    }

    /// Counters and gauges.
    pub fn stats(&self) -> Arc<Stats> {
        Arc::clone(&self.stats)
    }

    /// Serves what `listener` accepts, which becomes nonblocking, until [`shutdown`](Self::shutdown). Several threads may
    /// do so, each with a listener of its own; the limits are for all of them together.
    ///
    /// # Errors
    /// What accepting ended with, such as the shutdown of its network; or the listener is in a poller.
    pub fn serve(&self, listener: &TcpListener) -> io::Result<()> {
        let (poller, mut events) = (Poller::new()?, Events::with_capacity(2));
        listener.set_nonblocking(true)?;
        poller.register(listener, Token(0), Interest::READABLE)?;
        self.crowd.watch(Waker::new(&poller, Token(1))?);
        loop {
            match listener.accept() {
                // Whoever has shaken hands is served, also at the end.
                Ok((stream, peer)) => self.receive(stream, peer),
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                Err(_) if self.crowd.is_ending() => return Ok(()),
                Err(_) => poller.poll(&mut events, None)?,
            }
        }
    }

    /// Ends the server in order, and waits for that: nothing more is accepted, what is in flight is finished, every
    /// connection gets its FIN. What is not done after `limit` is reset; only a handler that does not return keeps its
    /// thread. A second call, from another thread, may shorten the limit.
    pub fn shutdown(&self, limit: Duration) -> Ended {
        self.crowd.end(limit)
    }

    fn receive(&self, stream: TcpStream, peer: SocketAddr) {
        let (guest, is_full) = match self.crowd.admit(&self.config, &stream, peer.ip()) {
            Admission::Served(guest) => (guest, false),
            Admission::Told(guest) => (guest, true),
            Admission::Refused => return stream.set_reset_on_drop(true),
        };
        let options = &self.config.socket;
        // These fail for a connection that has ended, and its thread finds that by itself.
        let _ = stream.set_nodelay(options.nodelay);
        let _ = stream.set_keepalive(options.keep_alive);
        let _ = stream.set_tcp_user_timeout(options.user_timeout);
        let (house, retry_after) = (Arc::clone(&self.house), is_full.then_some(self.config.retry_after));
        let thread = thread::Builder::new().name("longwire-http".into());
        hand_over(stream, thread, move |stream| {
            Connection::new(stream, &house, retry_after).run(&guest.crowd);
        });
    }
}

/// Runs `serve` on a thread of its own; without one the connection is reset.
fn hand_over(stream: TcpStream, thread: thread::Builder, serve: impl FnOnce(TcpStream) + Send + 'static) {
    // A spawn that fails drops the stream, and an orderly end would look like an empty answer.
    stream.set_reset_on_drop(true);
    let spawned = thread.spawn(move || {
        stream.set_reset_on_drop(false);
        serve(stream);
    });
    if let Err(error) = spawned {
        log::warn!("no thread for a connection, it is reset: {error}");
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::time::Duration;

    use super::*;
    use crate::device;
    use crate::net::Network;

    #[test]
    fn a_connection_that_gets_no_thread_is_reset() {
        let (near, far) = device::pair(1_500);
        let network = |device, address: &str| {
            let builder = Network::builder(device).address(address.parse().unwrap());
            builder.linger(Duration::from_millis(100)).start().unwrap()
        };
        let (clients, servers) = (network(near, "10.9.0.1/24"), network(far, "10.9.0.2/24"));
        let listener = servers.listen("10.9.0.2:80").unwrap();
        let mut client = clients.connect("10.9.0.2:80").unwrap();
        client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let (stream, _) = listener.accept().unwrap();
        // No address space holds such a stack.
        let thread = thread::Builder::new().stack_size(1 << 60);
        hand_over(stream, thread, |_| unreachable!("there is no such thread"));
        let end = client.read(&mut [0]).expect_err("not an orderly end");
        assert_eq!(end.kind(), io::ErrorKind::ConnectionReset);
    }
}
