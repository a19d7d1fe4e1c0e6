//! The life of a socket: made, bound, listening, connected, shut down, closed.

use std::ffi::c_int;
use std::net::{Shutdown, SocketAddr};

use longwire::stack::{Error, ListenOptions, SocketId, SocketOptions, State};

use crate::descriptors::{Descriptor, Role, Socket};
use crate::errno::{AGAIN, Errno, INVALID, Result};
use crate::world::World;

impl World {
    /// `socket`.
    pub(crate) fn open(&mut self, domain: c_int, kind: c_int) -> Result<c_int> {
        if !matches!(domain, libc::AF_INET | libc::AF_INET6) {
            return Err(Errno(libc::EAFNOSUPPORT));
        }
        if kind & !(libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC) != libc::SOCK_STREAM {
            return Err(Errno(libc::ESOCKTNOSUPPORT));
        }
        let nonblocking = kind & libc::SOCK_NONBLOCK != 0;
        let socket = Socket::new(Role::Fresh(None), nonblocking, self.default_options());
        self.descriptors.insert(Descriptor::Socket(Box::new(socket)))
    }

    /// `bind`.
    pub(crate) fn bind(&mut self, fd: c_int, local: SocketAddr) -> Result<()> {
        let ours = self.stack.addresses().iter().any(|cidr| cidr.address == local.ip());
        if !ours && !local.ip().is_unspecified() {
            return Err(Errno(libc::EADDRNOTAVAIL));
        }
        let socket = self.descriptors.socket_mut(fd)?;
        if socket.role != Role::Fresh(None) {
            return Err(INVALID);
        }
        socket.role = Role::Fresh(Some(local));
        Ok(())
    }

    /// `listen`.
    pub(crate) fn listen(&mut self, fd: c_int, backlog: c_int) -> Result<()> {
        let socket = self.descriptors.socket_mut(fd)?;
        match socket.role {
            Role::Fresh(Some(local)) => {
                let options = ListenOptions {
                    // As Linux counts: one more than asked for.
                    backlog: usize::try_from(backlog).unwrap_or(0) + 1,
                    socket: Some(socket.options.clone()),
                    ..ListenOptions::default()
                };
                socket.role = Role::Listener(self.stack.listen(local, options)?);
                Ok(())
            }
            Role::Listener(_) => Ok(()),
            Role::Fresh(None) | Role::Connection(_) => Err(INVALID),
        }
    }

    /// `accept`.
    pub(crate) fn accept(&mut self, fd: c_int, nonblocking: bool) -> Result<(c_int, SocketAddr)> {
        let socket = self.descriptors.socket(fd)?;
        let Role::Listener(listener) = socket.role else { return Err(INVALID) };
        let local = socket.local;
        let (id, remote) = self.stack.accept(listener)?;
        let mut socket = Socket::new(Role::Connection(id), nonblocking, self.stack.options(id)?);
        socket.connect_reported = true;
        socket.local = local;
        let fd = self.descriptors.insert(Descriptor::Socket(Box::new(socket)))?;
        Ok((fd, remote))
    }

    /// The first half of `connect`: sends the SYN.
    pub(crate) fn connect(&mut self, fd: c_int, remote: SocketAddr) -> Result<()> {
        let now = self.now();
        let socket = self.descriptors.socket_mut(fd)?;
        match socket.role {
            Role::Fresh(local) => {
                let id = self.stack.connect(now, remote, local, Some(socket.options.clone()))?;
                socket.role = Role::Connection(id);
                Ok(())
            }
            Role::Connection(_) if socket.connect_reported => Err(Errno(libc::EISCONN)),
            Role::Connection(_) => Ok(()),
            Role::Listener(_) => Err(INVALID),
        }
    }

    /// Whether `connect` has been called and its outcome not been told.
    pub(crate) fn is_connecting(&self, fd: c_int) -> bool {
        self.descriptors
            .socket(fd)
            .is_ok_and(|socket| matches!(socket.role, Role::Connection(_)) && !socket.connect_reported)
    }

    /// The second half: how it went; `EAGAIN` while the handshake goes on.
    pub(crate) fn connected(&mut self, fd: c_int) -> Result<()> {
        let id = self.descriptors.socket(fd)?.connection()?;
        let state = self.stack.info(id)?.state;
        if let Some(error) = self.take_error(fd)? {
            return Err(error.into());
        }
        match state {
            State::SynSent | State::SynReceived => Err(AGAIN),
            State::Closed => Err(Errno(libc::ECONNABORTED)),
            _ => {
                self.descriptors.socket_mut(fd)?.connect_reported = true;
                Ok(())
            }
        }
    }

    /// `shutdown`.
    pub(crate) fn shutdown(&mut self, fd: c_int, how: c_int) -> Result<()> {
        let how = match how {
            libc::SHUT_RD => Shutdown::Read,
            libc::SHUT_WR => Shutdown::Write,
            libc::SHUT_RDWR => Shutdown::Both,
            _ => return Err(INVALID),
        };
        let id = self.descriptors.socket(fd)?.connection()?;
        // Whatever ended the connection, there is nothing left to shut down.
        self.stack.shutdown(id, how).map_err(|_| Errno(libc::ENOTCONN))
    }

    /// `close`.
    pub(crate) fn close(&mut self, fd: c_int) -> Result<()> {
        let Descriptor::Socket(socket) = self.descriptors.remove(fd)? else { return Ok(()) };
        let Some(id) = socket.id() else { return Ok(()) };
        if socket.local.linger == Some(0) && matches!(socket.role, Role::Connection(_)) {
            self.stack.abort(id)?;
        }
        Ok(self.stack.close(self.now(), id)?)
    }

    /// The error that ended a connection, the first time that it is asked for.
    pub(crate) fn take_error(&mut self, fd: c_int) -> Result<Option<Error>> {
        let socket = self.descriptors.socket_mut(fd)?;
        let Role::Connection(id) = socket.role else { return Ok(None) };
        if socket.error_reported {
            return Ok(None);
        }
        let error = self.stack.error(id)?;
        socket.error_reported = error.is_some();
        Ok(error)
    }

    /// The options of a socket of the stack's, or of one that has none yet.
    pub(crate) fn options_of(&self, fd: c_int) -> Result<SocketOptions> {
        let socket = self.descriptors.socket(fd)?;
        Ok(match socket.id() {
            Some(id) => self.stack.options(id)?,
            None => socket.options.clone(),
        })
    }

    /// Changes them.
    pub(crate) fn set_options_of(&mut self, fd: c_int, options: SocketOptions) -> Result<()> {
        let id: Option<SocketId> = self.descriptors.socket(fd)?.id();
        if let Some(id) = id {
            self.stack.set_options(id, options.clone())?;
        }
        self.descriptors.socket_mut(fd)?.options = options;
        Ok(())
    }
}
