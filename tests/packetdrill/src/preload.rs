//! What packetdrill asks the C library about our sockets, although they are ours.
//!
//! The assertions of a script read a socket's state with the C library's own `getsockopt`. With this library in
//! `LD_PRELOAD`, the tool's calls of that name come here: those for our descriptors are answered, all others go on to
//! the kernel.

use std::ffi::{c_int, c_void};

use libc::socklen_t;

use crate::calls::options;
use crate::host::started;

/// Linux's option for the state of a congestion controller; ours has nothing to tell.
const TCP_CC_INFO: c_int = 26;
/// Linux's option for the memory of a socket: nine numbers.
const SO_MEMINFO: c_int = 55;
const MEMINFO_LEN: usize = 36;

/// `getsockopt` of the C library.
///
/// # Safety
/// As for the C library's: `value` points to as many writable bytes as `len` points to.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn getsockopt(
    fd: c_int,
    level: c_int,
    name: c_int,
    value: *mut c_void,
    len: *mut socklen_t,
) -> c_int {
    let ours = started().is_some_and(|host| host.peek(|world| world.descriptors.contains(fd)));
    if !ours {
        // SAFETY: the arguments are those of the system call, as the caller vouches.
        return unsafe { libc::syscall(libc::SYS_getsockopt, fd, level, name, value, len) as c_int };
    }
    let zeros = match (level, name) {
        (libc::IPPROTO_TCP, TCP_CC_INFO) => Some(0),
        (libc::SOL_SOCKET, SO_MEMINFO) => Some(MEMINFO_LEN),
        _ => None,
    };
    match zeros {
        Some(count) => {
            // SAFETY: passed on to the caller.
            unsafe { options::store(&[0; MEMINFO_LEN][..count], value, len) };
            0
        }
        // SAFETY: passed on to the caller.
        None => unsafe { options::getsockopt(std::ptr::null_mut(), fd, level, name, value, len) },
    }
}
