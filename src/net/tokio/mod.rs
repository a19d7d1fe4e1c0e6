//! The sockets of a [`Network`](crate::net::Network) for asynchronous programs, with the names of `tokio::net`.
//! Feature `tokio`.
//!
//! What these are built on is only that whoever waits is told of events, so that they work on any runtime; the traits
//! are tokio's, as those are what hyper, axum and rustls are written for. The stack itself runs on the network's own
//! thread, or, started with [`Builder::spawn`](crate::net::Builder::spawn), as a task of your runtime.
//!
//! ```
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//! use longwire::net::{Network, tokio::{TcpListener, TcpStream}};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let (here, there) = longwire::device::pair(1_500);
//! # let here = Network::builder(here).address("10.9.0.1/24".parse()?).start()?;
//! # let there = Network::builder(there).address("10.9.0.2/24".parse()?).start()?;
//! let listener = TcpListener::bind_on(&there, "10.9.0.2:7").await?;
//! tokio::spawn(async move {
//!     while let Ok((mut stream, _peer)) = listener.accept().await {
//!         tokio::spawn(async move {
//!             let (mut reading, mut writing) = stream.split();
//!             tokio::io::copy(&mut reading, &mut writing).await
//!         });
//!     }
//! });
//!
//! let mut stream = TcpStream::connect_on(&here, "10.9.0.2:7").await?;
//! stream.write_all(b"all the way round").await?;
//! stream.shutdown().await?;
//! let mut answer = String::new();
//! stream.read_to_string(&mut answer).await?;
//! assert_eq!(answer, "all the way round");
//! # Ok(())
//! # }
//! ```
//!
//! **Cancellation.** Dropping a future of this module before it is ready loses nothing: `accept`, `recv_from`,
//! `readable` and a single `read` or `write` have done all of their work or none of it. `connect_on` gives the attempt
//! up. What tokio builds from several calls (`read_exact`, `write_all`, `copy`) is as safe as tokio says it is: what
//! was moved before stays moved.
//!
//! **Dropping.** A stream that is dropped closes in the background, and what was written is still sent; with
//! [`set_linger`](crate::net::TcpStream::set_linger) to a time, dropping blocks. So does dropping the last handle of a
//! network that has its own thread: keep one outside the runtime, or call
//! [`shutdown`](crate::net::Network::shutdown) where blocking is allowed.

mod calls;
mod listener;
mod notify;
mod runtime;
mod split;
mod stream;
mod udp;

pub use listener::TcpListener;
pub use split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
pub use stream::TcpStream;
pub use udp::UdpSocket;

pub(super) use runtime::{Task, stop};
