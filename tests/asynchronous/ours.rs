//! The stack's sockets, over its own loopback.

pub(crate) use longwire::net::tokio::{TcpListener, TcpStream, UdpSocket};

pub(crate) const HOST: &str = "10.9.0.2";

#[path = "programs.rs"]
pub(crate) mod programs;
