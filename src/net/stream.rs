//! TCP connections with the face of `std::net::TcpStream`.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::socket::{Socket, refuse_zero};
use super::{Chunk, KeepAlive, Network, TcpInfo};
use crate::driver::{Direction, SocketOptions, Stack};
use crate::stack::{Error, SocketId};

/// A TCP connection: [`std::net::TcpStream`], on a [`Network`].
///
/// Reading and writing work through a shared reference, too, and from several threads at once. Dropping the last
/// clone closes the connection: what was written is still sent, in the background; what was received and not read
/// makes it a reset, since the peer would else believe that it was taken.
#[derive(Debug)]
pub struct TcpStream {
    socket: Arc<Socket>,
}

impl TcpStream {
    pub(super) fn from_id(network: &Network, id: SocketId) -> io::Result<Self> {
        Ok(TcpStream { socket: Arc::new(Socket::new(network, id)?) })
    }

    pub(super) fn open(
        network: &Network,
        remote: SocketAddr,
        timeout: Option<Duration>,
    ) -> io::Result<TcpStream> {
        timeout.map_or(Ok(()), refuse_zero)?;
        network.check_open()?;
        let shared = network.shared();
        let now = shared.now();
        let id = shared.with(|stack| stack.connect(now, remote, None, None))?;
        let stream = TcpStream::from_id(network, id)?;
        stream.socket.blocking_for(Direction::Write, timeout, |stack, id| {
            let readiness = stack.readiness(id)?;
            match stack.error(id)? {
                Some(error) => Err(error),
                None if readiness.connected => Ok(()),
                None => Err(Error::WouldBlock),
            }
        })?;
        Ok(stream)
    }

    /// The network that it runs on.
    pub fn network(&self) -> &Network {
        self.socket.network()
    }

    /// The peer's address and port.
    ///
    /// # Errors
    /// `NotConnected` once the network is gone.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket.call(|stack, id| stack.remote_addr(id))
    }

    /// Our address and port.
    ///
    /// # Errors
    /// `NotConnected` once the network is gone.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.call(|stack, id| stack.local_addr(id))
    }

    /// Another handle on the same connection: its time-outs and options are the same, too.
    ///
    /// # Errors
    /// Never; the standard library's signature.
    pub fn try_clone(&self) -> io::Result<TcpStream> {
        Ok(TcpStream { socket: Arc::clone(&self.socket) })
    }

    /// Closes one direction or both. The peer reads the end of the stream behind what was written; what it sends into
    /// a closed direction is acknowledged and thrown away.
    ///
    /// # Errors
    /// `NotConnected` when the connection has ended already.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.socket.call(|stack, id| stack.shutdown(id, how))
    }

    /// As reading, but what was read stays there to be read again.
    ///
    /// # Errors
    /// As for reading.
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.blocking(Direction::Read, |stack, id| stack.peek(id, buffer))
    }

    /// Takes out the next received bytes in the buffer that they lie in, without copying them: as many as came
    /// together. `None` at the end of the stream.
    ///
    /// # Errors
    /// As for reading.
    pub fn read_chunk(&self) -> io::Result<Option<Chunk>> {
        self.socket.blocking(Direction::Read, Stack::read_chunk)
    }

    /// Gives a buffer to be sent without copying it, all of it: waits until there is room.
    ///
    /// # Errors
    /// As for writing; the chunk is lost with the connection. When the socket is nonblocking or its write time-out
    /// is over: `WouldBlock`, and the chunk is given back.
    pub fn write_chunk(&self, chunk: Chunk) -> Result<(), (io::Error, Option<Chunk>)> {
        let mut waiting = Some(chunk);
        let done = self.socket.blocking(Direction::Write, |stack, id| {
            let Some(chunk) = waiting.take() else { return Ok(()) };
            stack.write_chunk(id, chunk).map_err(|(error, chunk)| {
                waiting = Some(chunk);
                error
            })
        });
        done.map_err(|error| (error, waiting))
    }

    /// Whether small writes go out at once instead of waiting for the acknowledgment of earlier ones (Nagle).
    ///
    /// # Errors
    /// `NotConnected` once the network is gone.
    pub fn nodelay(&self) -> io::Result<bool> {
        Ok(self.socket.call(|stack, id| stack.options(id))?.nodelay)
    }

    /// Sets [`nodelay`](TcpStream::nodelay). Off for a new connection.
    ///
    /// # Errors
    /// `NotConnected` once the network is gone.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.change_options(|options| options.nodelay = nodelay)
    }

    /// Sets or ends the probing of an idle peer. Off for a new connection.
    ///
    /// # Errors
    /// `NotConnected` once the network is gone.
    pub fn set_keepalive(&self, keep_alive: Option<KeepAlive>) -> io::Result<()> {
        self.change_options(|options| options.keep_alive = keep_alive)
    }

    fn change_options(&self, change: impl FnOnce(&mut SocketOptions)) -> io::Result<()> {
        self.socket.call(|stack, id| {
            let mut options = stack.options(id)?;
            change(&mut options);
            stack.set_options(id, options)
        })
    }

    /// How long reading may block.
    ///
    /// # Errors
    /// Never; the standard library's signature.
    pub fn read_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.socket.timeout(Direction::Read).get())
    }

    /// How long reading may block before it gives `WouldBlock`; `None`: for ever.
    ///
    /// # Errors
    /// `InvalidInput` for a time of zero.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.socket.timeout(Direction::Read).set(timeout)
    }

    /// How long writing may block.
    ///
    /// # Errors
    /// Never; the standard library's signature.
    pub fn write_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.socket.timeout(Direction::Write).get())
    }

    /// How long writing may block before it gives `WouldBlock`; `None`: for ever.
    ///
    /// # Errors
    /// `InvalidInput` for a time of zero.
    pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.socket.timeout(Direction::Write).set(timeout)
    }

    /// Makes reading and writing give `WouldBlock` instead of blocking, for every clone.
    ///
    /// # Errors
    /// Never; the standard library's signature.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.socket.set_nonblocking(nonblocking);
        Ok(())
    }

    /// With `true`, dropping the connection resets it and throws away what has not been sent: what the standard
    /// socket option calls lingering for no time.
    pub fn set_reset_on_drop(&self, reset: bool) {
        self.socket.set_reset(reset);
    }

    /// The error that ended the connection, if one did and it has not been taken before.
    ///
    /// # Errors
    /// `NotConnected` once the network is gone.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.socket.take_error()
    }

    /// What the connection knows about itself: state, round-trip time, windows, queues.
    ///
    /// # Errors
    /// `NotConnected` once the network is gone.
    pub fn info(&self) -> io::Result<TcpInfo> {
        self.socket.call(|stack, id| stack.info(id))
    }

    /// All slices under one lock: they leave together.
    fn write_slices(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.socket.blocking(Direction::Write, |stack, id| {
            let mut total = 0;
            for slice in slices.iter().filter(|slice| !slice.is_empty()) {
                match stack.write(id, slice) {
                    Ok(count) => total += count,
                    // What was taken counts; the error comes again with the next call.
                    Err(_) if total > 0 => break,
                    Err(error) => return Err(error),
                }
            }
            Ok(total)
        })
    }
}

impl Read for &TcpStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.blocking(Direction::Read, |stack, id| stack.read(id, buffer))
    }
}

impl Write for &TcpStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        self.socket.blocking(Direction::Write, |stack, id| stack.write(id, bytes))
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.write_slices(slices)
    }

    /// Does nothing: what was written is on its way.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for TcpStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buffer)
    }
}

impl Write for TcpStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self).write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        (&*self).write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
