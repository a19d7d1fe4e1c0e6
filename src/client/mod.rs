//! An HTTP client whose connections are TCP connections of a [`Network`](crate::net::Network).
//!
//! [`Client`] keeps long connections in a pool, a heap of them for each [authority](Authority), follows redirects up to
//! a bound, and tries an idempotent request again when a pooled connection turns out to have been closed meanwhile.
//! Bodies are streams, both ways.
//!
//! ```
//! use std::io::{Read, Write};
//! use std::thread;
//! use longwire::client::Client;
//! use longwire::device;
//! use longwire::net::Network;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (here, there) = device::pair(1_500);
//! let here = Network::builder(here).address("10.9.0.1/24".parse()?).start()?;
//! let there = Network::builder(there).address("10.9.0.2/24".parse()?).start()?;
//! let listener = there.listen("10.9.0.2:80")?;
//! let server = thread::spawn(move || -> std::io::Result<()> {
//!     let (mut stream, _) = listener.accept()?;
//!     stream.read(&mut [0; 1024])?;
//!     stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n")
//! });
//!
//! let client = Client::new(&here);
//! let mut body = String::new();
//! client.get("http://10.9.0.2/")?.into_body().read_to_string(&mut body)?;
//! assert_eq!(body, "hello\n");
//! # server.join().unwrap()?;
//! # Ok(())
//! # }
//! ```

mod authority;
mod body;
mod config;
mod connection;
mod error;
mod exchange;
mod limits;
mod pool;
mod redirect;
mod request_body;
#[cfg(test)]
mod tests;
mod trace;
mod upload;

pub use authority::Authority;
pub use body::Body;
pub use config::ClientConfig;
pub use error::Error;
pub use exchange::Client;
pub use request_body::RequestBody;
pub use trace::{Trace, Tracer};
