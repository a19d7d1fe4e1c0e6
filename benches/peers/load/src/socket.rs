//! Connections as all measurements want them.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use mio::net::TcpStream;
use socket2::{Domain, Socket, Type};

use crate::arguments::Arguments;

/// How long connecting may take where it is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// A connection that is there.
///
/// # Errors
/// The socket's; or the congestion control is another one than was set.
pub fn connect(arguments: &Arguments, index: usize) -> io::Result<TcpStream> {
    let socket = prepare(arguments, index)?;
    socket.connect_timeout(&arguments.server.into(), PATIENCE)?;
    socket.set_nonblocking(true)?;
    Ok(TcpStream::from_std(socket.into()))
}

/// A connection that is under way; writable once it is there.
///
/// # Errors
/// As for [`connect`].
pub fn begin(arguments: &Arguments, index: usize) -> io::Result<TcpStream> {
    let socket = prepare(arguments, index)?;
    socket.set_nonblocking(true)?;
    match socket.connect(&arguments.server.into()) {
        Err(error) if error.raw_os_error() == Some(EINPROGRESS) => {}
        result => result?,
    }
    Ok(TcpStream::from_std(socket.into()))
}

/// Linux's number for a connection that has begun.
const EINPROGRESS: i32 = 115;

fn prepare(arguments: &Arguments, index: usize) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(arguments.server), Type::STREAM, None)?;
    socket.set_tcp_nodelay(true)?;
    let wanted = arguments.control.as_bytes();
    socket.set_tcp_congestion(wanted)?;
    if socket.tcp_congestion()?.split(|&byte| byte == 0).next() != Some(wanted) {
        return Err(io::Error::other(format!("congestion control is not {}", arguments.control)));
    }
    if let Some(source) = arguments.source(index) {
        bind(&socket, source)?;
    }
    Ok(socket)
}

fn bind(socket: &Socket, source: Ipv4Addr) -> io::Result<()> {
    socket.bind(&SocketAddr::from((source, 0)).into())
}
