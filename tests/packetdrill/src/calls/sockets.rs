//! Sockets from `socket` to `close`.

use std::ffi::c_int;

use libc::{sockaddr, socklen_t};

use crate::abi::UserData;
use crate::address;
use crate::errno::{AGAIN, Errno, Result, answer, done};
use crate::host::host;

/// packetdrill is done with us. The world lives as long as the process.
pub(crate) extern "C" fn free(_: UserData) {}

/// `socket`.
pub(crate) extern "C" fn socket(_: UserData, domain: c_int, kind: c_int, _protocol: c_int) -> c_int {
    answer(host().run(|world| world.open(domain, kind)))
}

/// `bind`.
///
/// # Safety
/// `local` is null or points to `len` readable bytes.
pub(crate) unsafe extern "C" fn bind(
    _: UserData,
    fd: c_int,
    local: *const sockaddr,
    len: socklen_t,
) -> c_int {
    // SAFETY: by this function's contract.
    let local = unsafe { address::read(local, len) };
    done(local.and_then(|local| host().run(|world| world.bind(fd, local))))
}

/// `listen`.
pub(crate) extern "C" fn listen(_: UserData, fd: c_int, backlog: c_int) -> c_int {
    done(host().run(|world| world.listen(fd, backlog)))
}

/// `accept`.
///
/// # Safety
/// `remote` is null, or `len` points to the number of bytes that may be written behind it.
pub(crate) unsafe extern "C" fn accept(
    _: UserData,
    fd: c_int,
    remote: *mut sockaddr,
    len: *mut socklen_t,
) -> c_int {
    let accepted = is_nonblocking(fd).and_then(|nonblocking| {
        if nonblocking {
            host().run(|world| world.accept(fd, false))
        } else {
            host().wait(None, |world| world.accept(fd, false))
        }
    });
    answer(accepted.map(|(fd, peer)| {
        // SAFETY: by this function's contract.
        unsafe { address::write(peer, remote, len) };
        fd
    }))
}

/// `connect`.
///
/// # Safety
/// `remote` is null or points to `len` readable bytes.
pub(crate) unsafe extern "C" fn connect(
    _: UserData,
    fd: c_int,
    remote: *const sockaddr,
    len: socklen_t,
) -> c_int {
    // SAFETY: by this function's contract.
    let remote = unsafe { address::read(remote, len) };
    done(remote.and_then(|remote| {
        let begun = host().peek(|world| world.is_connecting(fd));
        host().run(|world| world.connect(fd, remote))?;
        if !is_nonblocking(fd)? {
            return host().wait(None, |world| world.connected(fd));
        }
        host().run(|world| world.connected(fd)).map_err(|error| match (error, begun) {
            (AGAIN, false) => Errno(libc::EINPROGRESS),
            (AGAIN, true) => Errno(libc::EALREADY),
            (other, _) => other,
        })
    }))
}

/// `close`. What is not ours is the kernel's.
pub(crate) extern "C" fn close(_: UserData, fd: c_int) -> c_int {
    if !host().peek(|world| world.descriptors.contains(fd)) {
        // SAFETY: the number is packetdrill's own, which lets it go.
        return unsafe { libc::close(fd) };
    }
    done(host().run(|world| world.close(fd)))
}

/// `shutdown`.
pub(crate) extern "C" fn shutdown(_: UserData, fd: c_int, how: c_int) -> c_int {
    done(host().run(|world| world.shutdown(fd, how)))
}

/// Whether calls on a socket answer at once.
pub(crate) fn is_nonblocking(fd: c_int) -> Result<bool> {
    host().peek(|world| world.descriptors.socket(fd).map(|socket| socket.nonblocking))
}
