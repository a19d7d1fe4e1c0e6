//! Whose TCP carries the requests: the kernel's, or longwire's own.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::net::{self, Network};

/// A connection that a load can be sent over.
pub(crate) trait Connection: Read + Write + Sized + Send + 'static {
    /// How long a read may block.
    fn set_read_timeout(&self, timeout: Duration) -> io::Result<()>;
}

/// Where connections come from.
pub(crate) trait Transport: Clone + Send + Sync + 'static {
    /// What they are.
    type Connection: Connection;

    /// Opens one, without delay for small writes.
    fn connect(&self, address: &SocketAddr, timeout: Duration) -> io::Result<Self::Connection>;
}

/// The sockets of the operating system.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kernel;

impl Transport for Kernel {
    type Connection = TcpStream;

    fn connect(&self, address: &SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
        let stream = TcpStream::connect_timeout(address, timeout)?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

impl Connection for TcpStream {
    fn set_read_timeout(&self, timeout: Duration) -> io::Result<()> {
        TcpStream::set_read_timeout(self, Some(timeout))
    }
}

/// A stack of longwire's own, and the interface that it is on.
#[derive(Clone)]
pub(crate) struct OwnStack {
    pub(crate) network: Network,
    pub(crate) interface: String,
}

impl Transport for OwnStack {
    type Connection = net::TcpStream;

    fn connect(&self, address: &SocketAddr, timeout: Duration) -> io::Result<net::TcpStream> {
        let stream = self.network.connect_timeout(address, timeout)?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

impl Connection for net::TcpStream {
    fn set_read_timeout(&self, timeout: Duration) -> io::Result<()> {
        net::TcpStream::set_read_timeout(self, Some(timeout))
    }
}
