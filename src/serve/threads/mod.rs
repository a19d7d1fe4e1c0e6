//! The other form of server: a blocking thread for each connection, on `net`'s listener.
//!
//! It drives the same [`Session`](crate::http::Session) with the same handlers as the event-driven form, and is what one
//! wants where a handler has to block. The limits of [`Config`] are kept, and counted in [`Stats`], but for the socket
//! options and the backlog, which are the listener's. Each connection costs a thread: `max_connections` should be lower
//! here.
//!
//! ```
//! use longwire::{device, http::Router, net::Network, serve::{Config, threads}};
//! use std::io::{Read, Write};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (here, there) = device::pair(1_500);
//! let here = Network::builder(here).address("10.9.0.1/24".parse()?).start()?;
//! let there = Network::builder(there).address("10.9.0.2/24".parse()?).start()?;
//! let listener = there.listen("10.9.0.2:80")?;
//! let router = Router::new().get("/", |_request| http::Response::new(b"hello\n".as_slice().into()));
//! let config = Config { max_connections: 100, ..Config::default() };
//! let server = threads::Server::new(config, router);
//! let stats = server.stats();
//! let serving = std::thread::spawn(move || server.serve(&listener));
//!
//! let mut client = here.connect("10.9.0.2:80")?;
//! client.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
//! let mut answer = String::new();
//! client.read_to_string(&mut answer)?;
//! assert!(answer.ends_with("\r\n\r\nhello\n"));
//! assert!(stats.counters().any(|(name, _, value)| name == "requests" && value == 1));
//!
//! there.shutdown(std::time::Duration::from_secs(1));
//! assert!(serving.join().unwrap().is_err(), "it ends with its network");
//! # Ok(())
//! # }
//! ```

mod connection;
mod crowd;

use std::io;
use std::sync::Arc;
use std::thread;

use self::connection::Connection;
use self::crowd::{Admission, Crowd};
use super::reception::Reception;
use super::{Config, Stats};
use crate::http::{ServerConfig, Service};
use crate::net::{TcpListener, TcpStream};

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
        let reception = Reception::new(Box::new(service), &config, Arc::clone(&stats));
        let http = Arc::new(config.http.clone());
        let house = Arc::new(House { http, reception, stats: Arc::clone(&stats) });
        Server { config, house, crowd: Crowd::new(Arc::clone(&stats)), stats }
    }

    /// Counters and gauges.
    pub fn stats(&self) -> Arc<Stats> {
        Arc::clone(&self.stats)
    }

    /// Serves what `listener` accepts, until its network is shut down. Several threads may do so, each with a listener
    /// of its own; the limits are for all of them together.
    ///
    /// # Errors
    /// What accepting ended with.
    pub fn serve(&self, listener: &TcpListener) -> io::Result<()> {
        loop {
            let (stream, peer) = listener.accept()?;
            let (guest, is_full) = match self.crowd.admit(&self.config, peer.ip()) {
                Admission::Served(guest) => (guest, false),
                Admission::Told(guest) => (guest, true),
                Admission::Refused => {
                    stream.set_reset_on_drop(true);
                    continue;
                }
            };
            let (house, retry_after) = (Arc::clone(&self.house), is_full.then_some(self.config.retry_after));
            let thread = thread::Builder::new().name("longwire-http".into());
            hand_over(stream, thread, move |stream| {
                Connection::new(stream, &house, retry_after).run(&guest.crowd);
            });
        }
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
