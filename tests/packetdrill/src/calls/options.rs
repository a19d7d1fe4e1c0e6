//! `getsockopt`, `setsockopt`, `fcntl`, `ioctl`.

use std::ffi::{c_int, c_long, c_ulong, c_void};

use libc::{linger, socklen_t};

use crate::abi::UserData;
use crate::errno::{BAD_DESCRIPTOR, Errno, INVALID, Result, answer, done};
use crate::host::host;
use crate::options::Value;

/// Bytes of a number.
const INT: usize = size_of::<c_int>();
/// Bytes written and never sent; the C library's bindings do not name it.
const SIOCOUTQNSD: c_ulong = 0x894b;

/// `getsockopt`.
///
/// # Safety
/// `value` points to as many writable bytes as `len` points to.
pub(crate) unsafe extern "C" fn getsockopt(
    _: UserData,
    fd: c_int,
    level: c_int,
    name: c_int,
    value: *mut c_void,
    len: *mut socklen_t,
) -> c_int {
    done(host().run(|world| world.option(fd, level, name)).map(|option| {
        // SAFETY: by this function's contract.
        let store = |bytes: &[u8]| unsafe { store(bytes, value, len) };
        match option {
            Value::Int(number) => store(&number.to_ne_bytes()),
            Value::Linger(seconds) => {
                let (on, seconds) = (c_int::from(seconds.is_some()), seconds.unwrap_or(0));
                store(&[on.to_ne_bytes(), seconds.to_ne_bytes()].concat());
            }
            Value::Bytes(bytes) => store(&bytes),
        }
    }))
}

/// Writes an option's value, as much of it as there is room for.
///
/// # Safety
/// `value` points to as many writable bytes as `len` points to.
pub(crate) unsafe fn store(bytes: &[u8], value: *mut c_void, len: *mut socklen_t) {
    // SAFETY: by this function's contract.
    unsafe {
        let room = (*len as usize).min(bytes.len());
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), value.cast::<u8>(), room);
        *len = room as socklen_t;
    }
}

/// `setsockopt`.
///
/// # Safety
/// `value` is null or points to `len` readable bytes.
pub(crate) unsafe extern "C" fn setsockopt(
    _: UserData,
    fd: c_int,
    level: c_int,
    name: c_int,
    value: *const c_void,
    len: socklen_t,
) -> c_int {
    let len = len as usize;
    if value.is_null() {
        return done(Err(Errno(libc::EFAULT)));
    }
    if (level, name) == (libc::SOL_SOCKET, libc::SO_LINGER) {
        if len < size_of::<linger>() {
            return done(Err(INVALID));
        }
        // SAFETY: the length has just been checked.
        let linger { l_onoff, l_linger } = unsafe { value.cast::<linger>().read_unaligned() };
        return done(host().run(|world| world.set_linger(fd, (l_onoff != 0).then_some(l_linger))));
    }
    if (level, name) == (libc::IPPROTO_TCP, libc::TCP_CONGESTION) {
        // SAFETY: by this function's contract.
        let bytes = unsafe { std::slice::from_raw_parts(value.cast::<u8>(), len) };
        let name = String::from_utf8_lossy(bytes);
        return done(host().run(|world| world.set_congestion(fd, name.trim_end_matches('\0'))));
    }
    if level == libc::IPPROTO_IP && matches!(name, libc::IP_TOS | libc::IP_MTU_DISCOVER) {
        // Nothing here depends on a route that they would have looked up anew.
        return done(host().run(|world| world.descriptors.socket(fd).map(drop)));
    }
    if len < INT {
        return done(Err(INVALID));
    }
    // SAFETY: the length has just been checked.
    let number = unsafe { value.cast::<c_int>().read_unaligned() };
    done(host().run(|world| world.set_option(fd, level, name, number)))
}

/// `fcntl`: whether calls wait.
pub(crate) extern "C" fn fcntl(_: UserData, fd: c_int, command: c_int, argument: c_long) -> c_int {
    answer(host().run(|world| {
        let socket = world.descriptors.socket_mut(fd)?;
        match command {
            libc::F_GETFL => Ok(libc::O_RDWR | if socket.nonblocking { libc::O_NONBLOCK } else { 0 }),
            libc::F_SETFL => {
                socket.nonblocking = argument & c_long::from(libc::O_NONBLOCK) != 0;
                Ok(0)
            }
            _ => Err(INVALID),
        }
    }))
}

/// `ioctl`: how much waits, on either side.
///
/// # Safety
/// `value` may be written.
pub(crate) unsafe extern "C" fn ioctl(_: UserData, fd: c_int, request: c_ulong, value: *mut c_int) -> c_int {
    let count: Result<usize> = host().run(|world| match request {
        libc::FIONREAD => world.unread(fd),
        libc::TIOCOUTQ => world.unsent(fd, false),
        SIOCOUTQNSD => world.unsent(fd, true),
        _ if world.descriptors.contains(fd) => Err(Errno(libc::ENOTTY)),
        _ => Err(BAD_DESCRIPTOR),
    });
    done(count.map(|count| {
        // SAFETY: by this function's contract.
        unsafe { value.write(c_int::try_from(count).unwrap_or(c_int::MAX)) };
    }))
}
