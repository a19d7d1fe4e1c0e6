//! A connection, from the application's side: bytes in and out.

use std::net::Shutdown;

use super::socket::{Socket, TcpSocket};
use super::{Chunk, Error, SendFlags, SocketId, Stack, State, TcpInfo};

impl Stack {
    /// Moves received bytes into `buffer` and says how many; `Ok(0)` is the end of the stream, or an empty buffer.
    ///
    /// # Errors
    /// `WouldBlock` with nothing to read; once everything is read, the error that ended the connection.
    pub fn read(&mut self, id: SocketId, buffer: &mut [u8]) -> Result<usize, Error> {
        let count = self.tcp_mut(id)?.connection.read(buffer)?;
        self.after_read(id);
        Ok(count)
    }

    /// Like [`read`](Stack::read), leaving the bytes where they are.
    ///
    /// # Errors
    /// As `read`.
    pub fn peek(&mut self, id: SocketId, buffer: &mut [u8]) -> Result<usize, Error> {
        self.tcp(id)?.connection.peek(buffer)
    }

    /// Takes the oldest received chunk without copying it; `Ok(None)` is the end of the stream.
    ///
    /// # Errors
    /// As [`read`](Stack::read).
    pub fn read_chunk(&mut self, id: SocketId) -> Result<Option<Chunk>, Error> {
        let chunk = self.tcp_mut(id)?.connection.read_chunk()?;
        self.after_read(id);
        Ok(chunk)
    }

    /// Takes as many of `bytes` as there is room for and says how many, at least one unless `bytes` is empty.
    ///
    /// # Errors
    /// `WouldBlock` without room or before the connection stands; `BrokenPipe` after the direction was shut down;
    /// the error that ended the connection.
    pub fn write(&mut self, id: SocketId, bytes: &[u8]) -> Result<usize, Error> {
        self.write_with(id, bytes, SendFlags::default())
    }

    /// Like [`write`](Stack::write), and says what kind of write it is. If not all bytes are taken, the flags have no
    /// effect.
    ///
    /// # Errors
    /// As `write`.
    pub fn write_with(&mut self, id: SocketId, bytes: &[u8], flags: SendFlags) -> Result<usize, Error> {
        self.check_memory_to_write(id)?;
        let Socket::Tcp(tcp) = &mut self.sockets.get_mut(id).ok_or(Error::StaleSocket)?.socket else {
            return Err(Error::InvalidInput);
        };
        let count = tcp.connection.write_with(&self.env.pool, bytes, flags)?;
        self.mark_output(id);
        Ok(count)
    }

    /// What was written goes out now, as far as the windows allow, whatever else would make it wait: Nagle's algorithm,
    /// [`SocketOptions::cork`](super::SocketOptions::cork), [`SendFlags::more`].
    ///
    /// # Errors
    /// `StaleSocket`; `InvalidInput` for a socket that is no connection.
    pub fn push(&mut self, id: SocketId) -> Result<(), Error> {
        self.tcp_mut(id)?.connection.push();
        self.touch(id.index);
        Ok(())
    }

    /// Takes an owned chunk without copying it, whole or not at all.
    ///
    /// # Errors
    /// As [`write`](Stack::write), with the chunk given back.
    pub fn write_chunk(&mut self, id: SocketId, chunk: Chunk) -> Result<(), (Error, Chunk)> {
        self.write_chunk_with(id, chunk, SendFlags::default())
    }

    /// Like [`write_chunk`](Stack::write_chunk), and says what kind of write it is.
    ///
    /// # Errors
    /// As `write_chunk`.
    pub fn write_chunk_with(
        &mut self,
        id: SocketId,
        chunk: Chunk,
        flags: SendFlags,
    ) -> Result<(), (Error, Chunk)> {
        if let Err(error) = self.check_memory_to_write(id) {
            return Err((error, chunk));
        }
        let tcp = match self.sockets.get_mut(id).map(|entry| &mut entry.socket) {
            Some(Socket::Tcp(tcp)) => tcp,
            Some(_) => return Err((Error::InvalidInput, chunk)),
            None => return Err((Error::StaleSocket, chunk)),
        };
        tcp.connection.write_chunk_with(&self.env.pool, chunk, flags)?;
        self.mark_output(id);
        Ok(())
    }

    /// Over the limit on memory a connection sends what it has first. Its acknowledgment says when to try again.
    fn check_memory_to_write(&mut self, id: SocketId) -> Result<(), Error> {
        if self.exceeds_memory() && self.tcp_mut(id)?.connection.block_write() {
            self.env.counters.stack.memory_limit_write += 1;
            return Err(Error::WouldBlock);
        }
        Ok(())
    }

    /// Closes one direction or both, as [`std::net::TcpStream::shutdown`] does.
    ///
    /// # Errors
    /// `NotConnected` before the handshake is complete, or once the connection has ended.
    pub fn shutdown(&mut self, id: SocketId, how: Shutdown) -> Result<(), Error> {
        let connection = &mut self.tcp_mut(id)?.connection;
        if matches!(how, Shutdown::Read | Shutdown::Both) {
            connection.shutdown_read()?;
        }
        if matches!(how, Shutdown::Write | Shutdown::Both) {
            connection.shutdown_write()?;
        }
        self.touch(id.index);
        Ok(())
    }

    /// Ends a connection at once: the peer gets a reset, and reads and writes give `ConnectionAborted` from now on.
    /// The id stays valid until [`close`](Stack::close).
    ///
    /// # Errors
    /// `StaleSocket`; `InvalidInput` for a socket that is no connection.
    pub fn abort(&mut self, id: SocketId) -> Result<(), Error> {
        self.tcp_mut(id)?.connection.abort(Error::ConnectionAborted);
        self.touch(id.index);
        Ok(())
    }

    /// Whether nothing of what was written is left to be delivered, and our direction is closed and the peer knows; or
    /// whether the connection has ended. An event (`writable` or `closed`) says when it becomes so.
    ///
    /// # Errors
    /// `StaleSocket`; `InvalidInput` for a socket that is no connection.
    pub fn is_delivered(&self, id: SocketId) -> Result<bool, Error> {
        let state = self.tcp(id)?.connection.state();
        Ok(matches!(state, State::FinWait2 | State::TimeWait | State::Closed))
    }

    /// A snapshot of a connection, with what `ss -i` shows.
    ///
    /// # Errors
    /// `StaleSocket`; `InvalidInput` for a socket that is no connection.
    pub fn info(&self, id: SocketId) -> Result<TcpInfo, Error> {
        Ok(self.tcp(id)?.connection.info(self.env.now, &self.env.config.tcp))
    }

    /// The connection of an id.
    pub(super) fn tcp(&self, id: SocketId) -> Result<&TcpSocket, Error> {
        match &self.sockets.get(id).ok_or(Error::StaleSocket)?.socket {
            Socket::Tcp(tcp) => Ok(tcp),
            _ => Err(Error::InvalidInput),
        }
    }

    /// The connection of an id.
    pub(super) fn tcp_mut(&mut self, id: SocketId) -> Result<&mut TcpSocket, Error> {
        match &mut self.sockets.get_mut(id).ok_or(Error::StaleSocket)?.socket {
            Socket::Tcp(tcp) => Ok(tcp),
            _ => Err(Error::InvalidInput),
        }
    }

    /// Reading may have made a window update due. It causes nothing else to send.
    fn after_read(&mut self, id: SocketId) {
        if self.tcp(id).is_ok_and(|tcp| tcp.connection.owes_acknowledgment()) {
            self.mark_output(id);
        }
    }

    /// The socket may have something to send.
    pub(super) fn mark_output(&mut self, id: SocketId) {
        if let Some(entry) = self.sockets.get_mut(id) {
            self.output.mark(id.index, &mut entry.output);
        }
    }
}
