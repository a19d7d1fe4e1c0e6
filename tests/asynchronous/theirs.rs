//! tokio's own sockets.

pub(crate) use tokio::net::{TcpListener, TcpStream, UdpSocket};

pub(crate) const HOST: &str = "127.0.0.1";

#[path = "programs.rs"]
pub(crate) mod programs;
