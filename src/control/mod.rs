//! What a running stack tells those who ask: its sockets and its counters.
//!
//! A [`Service`] lives in the stack's loop and answers at a [`ControlSocket`], a Unix socket that only its owner may
//! connect to. One connection carries one question and its answer, as lines of JSON ([`Question`], [`Line`]);
//! [`ask`] is the other end. A table of sockets is taken a few at a time, a few in each turn of the loop, and only as
//! fast as the asker reads it.
//!
//! ```
//! use longwire::control::{self, ControlSocket, Line, Question, Service, SocketQuestion};
//! use longwire::{device, net::Network};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = std::env::temp_dir().join(format!("longwire-doc-{}", std::process::id()));
//! # std::fs::create_dir_all(&directory)?;
//! let path = directory.join("example.sock");
//! let network = Network::builder(device::pair(1_500).0).address("10.9.0.1/24".parse()?).start()?;
//! let service = Service::new(ControlSocket::bind(&path)?, "example", network.wake_sources()?)?;
//! network.attach(Box::new(service));
//!
//! let _listener = network.listen("10.9.0.1:80")?;
//! for line in control::ask(&path, &Question::Sockets(SocketQuestion::default()))? {
//!     if let Line::Socket(socket) = line? {
//!         println!("{} {}", socket.state, socket.local);
//! #       assert_eq!((socket.state.as_str(), socket.local.as_str()), ("LISTEN", "10.9.0.1:80"));
//!     }
//! }
//! # network.shutdown(std::time::Duration::ZERO);
//! # assert!(!path.exists());
//! # std::fs::remove_dir(directory)?;
//! # Ok(())
//! # }
//! ```

mod asker;
mod client;
mod metrics;
mod protocol;
mod report;
mod service;
mod socket;
#[cfg(test)]
mod tests;

pub use client::{Answer, AskError, ask};
pub use metrics::{MetricSource, Metrics, stack_metrics};
pub use protocol::{Greeting, Line, Question, SocketQuestion};
pub use report::{SocketReport, TcpReport, TimerReport};
pub use service::{Service, Sources};
pub(crate) use socket::connect;
pub use socket::{BindError, ControlSocket};
