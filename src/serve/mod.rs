//! The HTTP server over a running stack.
//!
//! [`Server`] is the event-driven form: an [`Application`](crate::driver::Application) on the loop's own thread, for
//! any number of connections. Handlers are [`http::Handler`](crate::http::Handler)s found by a
//! [`Router`](crate::http::Router); they must not block.
//! [`Files`] is the static-file service. [`threads`] is the other form: a blocking thread for each connection.
//!
//! ```
//! use longwire::device;
//! use longwire::net::Network;
//! use longwire::serve::{Config, Server};
//! use std::io::{Read, Write};
//! use std::time::Duration;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (here, there) = device::pair(1_500);
//! let here = Network::builder(here).address("10.9.0.1/24".parse()?).start()?;
//! let there = Network::builder(there).address("10.9.0.2/24".parse()?).start()?;
//!
//! let server = Server::new(Config::default())
//!     .builtin("")
//!     .routes(|router| router.get("/hello", |_request| http::Response::new(b"hello\n".as_slice().into())))
//!     .start(there.shared(), &["10.9.0.2:80".parse()?])?;
//!
//! let mut client = here.connect("10.9.0.2:80")?;
//! client.write_all(b"GET /hello HTTP/1.0\r\n\r\n")?;
//! let mut answer = String::new();
//! client.read_to_string(&mut answer)?;
//! assert!(answer.ends_with("\r\n\r\nhello\n"));
//!
//! server.shutdown(Duration::from_secs(10));
//! assert_eq!(server.wait().cut, 0);
//! # Ok(())
//! # }
//! ```

mod about;
mod budget;
mod builtin;
mod config;
mod content;
mod engine;
mod files;
mod handle;
mod reception;
mod server;
mod services;
mod stats;
#[cfg(test)]
mod tests;
pub mod threads;
mod throttle;

pub use about::About;
pub use config::Config;
#[cfg(feature = "cli")]
pub(crate) use config::user_timeout;
pub use files::Files;
pub use handle::{Ended, ServerHandle};
pub use server::{Server, StartError};
pub use stats::Stats;
