//! TCP connections with the face of `std::net::TcpStream`.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::calls::{common_calls, tcp_option_calls, timeout_calls};
use super::socket::{Socket, refuse_zero};
use super::{Chunk, Network, SendFlags, TcpInfo};
use crate::driver::{Direction, SharedStack, Stack};
use crate::stack::{Error, SocketId};

/// A TCP connection: [`std::net::TcpStream`], on a [`Network`].
///
/// Reading and writing work through a shared reference, too, and from several threads at once. Dropping the last
/// clone closes the connection: what was written is still sent, in the background; what was received and not read
/// makes it a reset, since the peer would else believe that it was taken.
#[derive(Debug)]
pub struct TcpStream {
    pub(super) socket: Arc<Socket>,
}

impl TcpStream {
    pub(super) fn from_id(network: &Network, shard: &SharedStack, id: SocketId) -> io::Result<Self> {
        Ok(TcpStream { socket: Arc::new(Socket::new(network, shard, id)?) })
    }

    /// Begins a connection; nothing waits for its handshake.
    pub(super) fn start(network: &Network, remote: SocketAddr) -> io::Result<TcpStream> {
        network.check_open()?;
        let shard = network.any_shard();
        let now = shard.now();
        let id = shard.with(|stack| stack.connect(now, remote, None, None))?;
        TcpStream::from_id(network, shard, id)
    }

    /// As [`open`](TcpStream::open), with the first data: says how much of it was taken.
    pub(super) fn open_with_data(
        network: &Network,
        remote: SocketAddr,
        data: &[u8],
    ) -> io::Result<(TcpStream, usize)> {
        network.check_open()?;
        let shard = network.any_shard();
        let now = shard.now();
        let (id, count) = shard.with(|stack| stack.connect_with_data(now, remote, None, None, data))?;
        let stream = TcpStream::from_id(network, shard, id)?;
        stream.socket.blocking_for(Direction::Write, None, opened)?;
        Ok((stream, count))
    }

    pub(super) fn open(
        network: &Network,
        remote: SocketAddr,
        timeout: Option<Duration>,
    ) -> io::Result<TcpStream> {
        timeout.map_or(Ok(()), refuse_zero)?;
        let stream = TcpStream::start(network, remote)?;
        stream.socket.blocking_for(Direction::Write, timeout, opened)?;
        Ok(stream)
    }

    /// Whether the handshake is complete: `WouldBlock` before that, or why it failed.
    #[cfg(feature = "tokio")]
    pub(super) fn check_open(&self) -> io::Result<()> {
        self.socket.call(opened)
    }

    /// The peer's address and port.
    ///
    /// # Errors
    /// `NotConnected` before the handshake is complete and once the connection has ended.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket.call(|stack, id| {
            let readiness = stack.readiness(id)?;
            if readiness.closed || !readiness.connected {
                return Err(Error::NotConnected);
            }
            stack.remote_addr(id)
        })
    }

    /// Closes one direction or both. The peer reads the end of the stream behind what was written; what it still
    /// sends can be read, but reading does not wait for it any more.
    ///
    /// # Errors
    /// `NotConnected` when the connection has ended already.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.socket.call(|stack, id| match stack.readiness(id)?.closed {
            true => Err(Error::NotConnected),
            false => stack.shutdown(id, how),
        })
    }

    /// As reading, but what was read stays there to be read again.
    ///
    /// # Errors
    /// As for reading.
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reading(|stack, id| stack.peek(id, buffer))
    }

    /// Takes out the next received bytes in the buffer that they lie in, without copying them: as many as came
    /// together. `None` at the end of the stream.
    ///
    /// # Errors
    /// As for reading.
    pub fn read_chunk(&self) -> io::Result<Option<Chunk>> {
        self.reading(Stack::read_chunk)
    }

    /// Gives a buffer to be sent without copying it, all of it: waits until there is room. Bytes that are sent more
    /// than once are given as `Chunk::from` an `Arc<[u8]>`.
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
        Ok(self.socket.options()?.nodelay)
    }

    /// Sets [`nodelay`](TcpStream::nodelay). Off for a new connection.
    ///
    /// # Errors
    /// `NotConnected` once the network is gone.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.socket.change_options(|options| options.nodelay = nodelay)
    }

    /// Writes as [`Write::write`] does, and says what kind of write it is: `send` of `socket2` with `MSG_MORE` or
    /// `MSG_EOR`. If not all bytes are taken, the flags have no effect.
    ///
    /// ```
    /// use longwire::net::{SendFlags, TcpStream};
    ///
    /// /// Both parts leave in one segment, if it holds them.
    /// fn answer(stream: &TcpStream, head: &[u8], body: &[u8]) -> std::io::Result<()> {
    ///     stream.send_with_flags(head, SendFlags::MORE)?;
    ///     stream.send_with_flags(body, SendFlags::default())?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// As for writing.
    pub fn send_with_flags(&self, bytes: &[u8], flags: SendFlags) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        self.socket.blocking(Direction::Write, |stack, id| stack.write_with(id, bytes, flags))
    }

    /// Whether only full segments leave: `TCP_CORK`.
    ///
    /// # Errors
    /// `NetworkDown` once the network is shut down.
    pub fn tcp_cork(&self) -> io::Result<bool> {
        Ok(self.socket.options()?.cork)
    }

    /// Sets [`tcp_cork`](TcpStream::tcp_cork). Off for a new connection. Several writes between `true` and `false` leave
    /// in as few segments as they can; what is not followed by `false` leaves when nothing has been under way for a
    /// retransmission time-out, 200 ms or more.
    ///
    /// # Errors
    /// `NetworkDown` once the network is shut down.
    pub fn set_tcp_cork(&self, cork: bool) -> io::Result<()> {
        self.socket.change_options(|options| options.cork = cork)
    }

    /// Sends what was written at once, as far as the windows allow, in spite of Nagle's algorithm, a cork, or
    /// [`SendFlags::more`].
    ///
    /// # Errors
    /// `NetworkDown` once the network is shut down.
    pub fn push(&self) -> io::Result<()> {
        self.socket.call(Stack::push)
    }

    /// Most bytes written that cannot be sent yet: `TCP_NOTSENT_LOWAT`.
    ///
    /// # Errors
    /// `NetworkDown` once the network is shut down.
    pub fn tcp_notsent_lowat(&self) -> io::Result<Option<usize>> {
        Ok(self.socket.options()?.notsent_lowat)
    }

    /// Sets [`tcp_notsent_lowat`](TcpStream::tcp_notsent_lowat): beyond it writing blocks, although there is room in the
    /// send buffer, and the stream is writable again when less than half of it waits. Who writes as late as possible
    /// can still decide what is most urgent. `None` for a new connection: only the send buffer counts.
    ///
    /// # Errors
    /// `NetworkDown` once the network is shut down.
    pub fn set_tcp_notsent_lowat(&self, bytes: Option<usize>) -> io::Result<()> {
        self.socket.change_options(|options| options.notsent_lowat = bytes)
    }

    /// How long dropping the last clone blocks.
    ///
    /// # Errors
    /// Never; the signature of `socket2`.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        Ok(self.socket.linger().get())
    }

    /// What dropping the last clone does. `None`, as for a new connection: returns at once, and what was written is
    /// sent in the background. A time: blocks until the peer has acknowledged everything or the time is over, after
    /// which the background it is. Zero: resets the connection and throws away what has not been sent.
    ///
    /// # Errors
    /// Never; the signature of `socket2`.
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        self.socket.linger().set(linger);
        Ok(())
    }

    /// With `true`, [`set_linger`](TcpStream::set_linger) to zero, and with `false` to `None`, for those who have no
    /// use for a result.
    pub fn set_reset_on_drop(&self, reset: bool) {
        self.socket.linger().set(reset.then_some(Duration::ZERO));
    }

    /// What the connection knows about itself: state, round-trip time, windows, queues.
    ///
    /// # Errors
    /// `NotConnected` once the network is gone.
    pub fn info(&self) -> io::Result<TcpInfo> {
        self.socket.call(|stack, id| stack.info(id))
    }

    /// Reads: once the error that ended the connection has been told, what follows is the end of the stream.
    fn reading<T: Default>(
        &self,
        attempt: impl FnMut(&mut Stack, SocketId) -> Result<T, Error>,
    ) -> io::Result<T> {
        match self.socket.blocking(Direction::Read, attempt) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(T::default()),
            done => done,
        }
    }

    /// All slices under one lock: they are filled as far as what has been received goes.
    fn read_slices(&self, slices: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.reading(|stack, id| {
            let mut total = 0;
            for slice in slices.iter_mut().filter(|slice| !slice.is_empty()) {
                match stack.read(id, slice) {
                    Ok(count) => total += count,
                    Err(_) if total > 0 => break,
                    Err(error) => return Err(error),
                }
                if total == 0 {
                    break;
                }
            }
            Ok(total)
        })
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

common_calls!(TcpStream);
timeout_calls!(TcpStream);
tcp_option_calls!(TcpStream);

impl Read for &TcpStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reading(|stack, id| stack.read(id, buffer))
    }

    fn read_vectored(&mut self, slices: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.read_slices(slices)
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

    fn read_vectored(&mut self, slices: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        (&*self).read_vectored(slices)
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

/// Whether the handshake is complete, or why it failed.
fn opened(stack: &mut Stack, id: SocketId) -> Result<(), Error> {
    let readiness = stack.readiness(id)?;
    match stack.error(id)? {
        Some(error) => Err(error),
        None if readiness.connected => Ok(()),
        None => Err(Error::WouldBlock),
    }
}
