//! Descriptors: real ones of the kernel, so that packetdrill may close what a script left open, each standing for a
//! socket of ours.

use std::collections::BTreeMap;
use std::ffi::c_int;
use std::net::SocketAddr;

use longwire::stack::{KeepAlive, Readiness, SocketId, SocketOptions};

use crate::epoll::Epoll;
use crate::errno::{BAD_DESCRIPTOR, Errno, INVALID, Result};

/// What a descriptor stands for.
pub(crate) enum Descriptor {
    /// A TCP socket.
    Socket(Box<Socket>),
    /// An epoll instance.
    Epoll(Epoll),
}

/// A TCP socket as C programs know it: one object from `socket` to `close`.
pub(crate) struct Socket {
    pub(crate) role: Role,
    /// Whether calls answer `EAGAIN` instead of waiting.
    pub(crate) nonblocking: bool,
    /// Options as the stack has them. Before the socket has a role they are only here.
    pub(crate) options: SocketOptions,
    /// Options that only this library knows.
    pub(crate) local: LocalOptions,
    /// The outcome of `connect` has been told.
    pub(crate) connect_reported: bool,
    /// The error that ended the connection has been told: Linux tells it once.
    pub(crate) error_reported: bool,
    /// Grows with each event of the socket, for edge-triggered epoll.
    pub(crate) events: u64,
}

/// What has become of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Neither listening nor connected; perhaps bound.
    Fresh(Option<SocketAddr>),
    /// Listening.
    Listener(SocketId),
    /// A connection, in whatever state.
    Connection(SocketId),
}

/// Options that the stack has no use for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LocalOptions {
    pub(crate) reuse_address: bool,
    /// `SO_LINGER`: seconds, if on.
    pub(crate) linger: Option<c_int>,
    /// `TCP_INQ`: each message read tells how much is still unread.
    pub(crate) tell_unread: bool,
    /// `SO_SNDBUF`, if it was set.
    pub(crate) send_memory: Option<usize>,
    /// How keep-alive goes once it is switched on.
    pub(crate) keep_alive: KeepAlive,
}

impl Socket {
    /// A socket as `socket` or `accept` makes it.
    pub(crate) fn new(role: Role, nonblocking: bool, options: SocketOptions) -> Socket {
        Socket {
            role,
            nonblocking,
            options,
            local: LocalOptions::default(),
            connect_reported: false,
            error_reported: false,
            events: 1,
        }
    }

    /// The stack's id, if it has one.
    pub(crate) fn id(&self) -> Option<SocketId> {
        match self.role {
            Role::Fresh(_) => None,
            Role::Listener(id) | Role::Connection(id) => Some(id),
        }
    }

    /// The connection's id.
    ///
    /// # Errors
    /// `ENOTCONN`.
    pub(crate) fn connection(&self) -> Result<SocketId> {
        match self.role {
            Role::Connection(id) => Ok(id),
            Role::Fresh(_) | Role::Listener(_) => Err(Errno(libc::ENOTCONN)),
        }
    }
}

/// All descriptors, by number.
#[derive(Default)]
pub(crate) struct Descriptors {
    open: BTreeMap<c_int, Descriptor>,
}

impl Descriptors {
    /// Gives a descriptor a number of the kernel's.
    ///
    /// # Errors
    /// What the kernel says.
    pub(crate) fn insert(&mut self, descriptor: Descriptor) -> Result<c_int> {
        // SAFETY: no pointers are passed.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
        if fd < 0 {
            return Err(Errno(std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EMFILE)));
        }
        self.open.insert(fd, descriptor);
        Ok(fd)
    }

    /// Takes a descriptor out and gives its number back to the kernel.
    ///
    /// # Errors
    /// `EBADF`.
    pub(crate) fn remove(&mut self, fd: c_int) -> Result<Descriptor> {
        let descriptor = self.open.remove(&fd).ok_or(BAD_DESCRIPTOR)?;
        // SAFETY: the number was made by `insert`, and is in the table no more.
        unsafe { libc::close(fd) };
        for other in self.open.values_mut() {
            if let Descriptor::Epoll(epoll) = other {
                epoll.forget(fd);
            }
        }
        Ok(descriptor)
    }

    /// Whether the number is one of ours.
    pub(crate) fn contains(&self, fd: c_int) -> bool {
        self.open.contains_key(&fd)
    }

    /// The socket behind a number.
    ///
    /// # Errors
    /// `EBADF`; `ENOTSOCK`.
    pub(crate) fn socket(&self, fd: c_int) -> Result<&Socket> {
        match self.open.get(&fd).ok_or(BAD_DESCRIPTOR)? {
            Descriptor::Socket(socket) => Ok(socket),
            Descriptor::Epoll(_) => Err(Errno(libc::ENOTSOCK)),
        }
    }

    /// The socket behind a number.
    ///
    /// # Errors
    /// As for [`socket`](Self::socket).
    pub(crate) fn socket_mut(&mut self, fd: c_int) -> Result<&mut Socket> {
        match self.open.get_mut(&fd).ok_or(BAD_DESCRIPTOR)? {
            Descriptor::Socket(socket) => Ok(socket),
            Descriptor::Epoll(_) => Err(Errno(libc::ENOTSOCK)),
        }
    }

    /// The epoll instance behind a number.
    ///
    /// # Errors
    /// `EBADF`; `EINVAL` for a socket.
    pub(crate) fn epoll_mut(&mut self, fd: c_int) -> Result<&mut Epoll> {
        match self.open.get_mut(&fd).ok_or(BAD_DESCRIPTOR)? {
            Descriptor::Epoll(epoll) => Ok(epoll),
            Descriptor::Socket(_) => Err(INVALID),
        }
    }

    /// Notes that something happened to a socket of the stack's.
    pub(crate) fn note_event(&mut self, id: SocketId, kinds: Readiness) {
        for descriptor in self.open.values_mut() {
            if let Descriptor::Socket(socket) = descriptor
                && socket.id() == Some(id)
                && !kinds.is_empty()
            {
                socket.events += 1;
            }
        }
    }
}
