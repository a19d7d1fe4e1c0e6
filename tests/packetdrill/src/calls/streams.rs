//! Reading and writing.

use std::ffi::{c_int, c_uint, c_void};

use libc::{iovec, loff_t, msghdr, size_t, sockaddr, socklen_t, ssize_t};

use super::sockets::is_nonblocking;
use crate::abi::UserData;
use crate::errno::{AGAIN, Errno, Result, answer};
use crate::host::host;
use crate::options::TCP_INQ;

/// Bytes that the ancillary data of `TCP_INQ` take.
// SAFETY: the C library's macro only computes.
const INQ_SPACE: size_t = unsafe { libc::CMSG_SPACE(size_of::<c_int>() as c_uint) } as size_t;
const BAD_ADDRESS: Errno = Errno(libc::EFAULT);

/// `read`. What is not ours is the kernel's.
///
/// # Safety
/// `buffer` is null or points to `len` writable bytes.
pub(crate) unsafe extern "C" fn read(_: UserData, fd: c_int, buffer: *mut c_void, len: size_t) -> ssize_t {
    if !is_ours(fd) {
        // SAFETY: the same contract.
        return unsafe { libc::read(fd, buffer, len) };
    }
    // SAFETY: the same contract.
    unsafe { recv(std::ptr::null_mut(), fd, buffer, len, 0) }
}

/// `readv`.
///
/// # Safety
/// `pieces` points to `count` pieces, each of which may be written.
pub(crate) unsafe extern "C" fn readv(_: UserData, fd: c_int, pieces: *const iovec, count: c_int) -> ssize_t {
    // SAFETY: by this function's contract.
    answer(unsafe { slices_mut(pieces, count) }.and_then(|mut slices| receive(fd, &mut slices, 0)))
}

/// `recv`.
///
/// # Safety
/// `buffer` is null or points to `len` writable bytes.
pub(crate) unsafe extern "C" fn recv(
    _: UserData,
    fd: c_int,
    buffer: *mut c_void,
    len: size_t,
    flags: c_int,
) -> ssize_t {
    if flags & libc::MSG_TRUNC != 0 {
        // Bytes are thrown away without being looked at.
        return answer(receive(fd, &mut [&mut vec![0; len]], flags));
    }
    let piece = iovec { iov_base: buffer, iov_len: len };
    // SAFETY: by this function's contract.
    answer(unsafe { slices_mut(&raw const piece, 1) }.and_then(|mut slices| receive(fd, &mut slices, flags)))
}

/// `recvfrom`. The peer of a connection is known: no address is written.
///
/// # Safety
/// `buffer` is null or points to `len` writable bytes.
pub(crate) unsafe extern "C" fn recvfrom(
    user_data: UserData,
    fd: c_int,
    buffer: *mut c_void,
    len: size_t,
    flags: c_int,
    _from: *mut sockaddr,
    _from_len: *mut socklen_t,
) -> ssize_t {
    // SAFETY: the same contract.
    unsafe { recv(user_data, fd, buffer, len, flags) }
}

/// `recvmsg`. The only ancillary data are those of `TCP_INQ`.
///
/// # Safety
/// `message` points to a message whose pieces may be written.
pub(crate) unsafe extern "C" fn recvmsg(
    _: UserData,
    fd: c_int,
    message: *mut msghdr,
    flags: c_int,
) -> ssize_t {
    if message.is_null() {
        return answer(Err::<ssize_t, _>(BAD_ADDRESS));
    }
    // SAFETY: by this function's contract.
    let header = unsafe { &mut *message };
    let room = std::mem::take(&mut header.msg_controllen);
    header.msg_flags = 0;
    let count = c_int::try_from(header.msg_iovlen).unwrap_or(c_int::MAX);
    // SAFETY: by this function's contract.
    let slices = unsafe { slices_mut(header.msg_iov, count) };
    let received = slices.and_then(|mut slices| receive(fd, &mut slices, flags));
    let hint = host().peek(|world| world.unread_hint(fd));
    if let (Ok(_), Ok(Some(hint))) = (received, hint)
        && !header.msg_control.is_null()
        && room >= INQ_SPACE
    {
        // SAFETY: the room for ancillary data has just been checked.
        unsafe { tell_unread(header, hint) };
    }
    answer(received)
}

/// Writes what `TCP_INQ` tells.
///
/// # Safety
/// `message` has room for [`INQ_SPACE`] bytes of ancillary data.
unsafe fn tell_unread(message: &mut msghdr, hint: c_int) {
    message.msg_controllen = INQ_SPACE;
    // SAFETY: by this function's contract there is room for one header with a number behind it.
    unsafe {
        let entry = libc::CMSG_FIRSTHDR(message);
        (*entry).cmsg_len = libc::CMSG_LEN(size_of::<c_int>() as c_uint) as size_t;
        (*entry).cmsg_level = libc::IPPROTO_TCP;
        (*entry).cmsg_type = TCP_INQ;
        libc::CMSG_DATA(entry).cast::<c_int>().write_unaligned(hint);
    }
}

/// `write`. What is not ours is the kernel's.
///
/// # Safety
/// `buffer` is null or points to `len` readable bytes.
pub(crate) unsafe extern "C" fn write(_: UserData, fd: c_int, buffer: *const c_void, len: size_t) -> ssize_t {
    if !is_ours(fd) {
        // SAFETY: the same contract.
        return unsafe { libc::write(fd, buffer, len) };
    }
    // SAFETY: the same contract.
    unsafe { send(std::ptr::null_mut(), fd, buffer, len, 0) }
}

/// `writev`.
///
/// # Safety
/// `pieces` points to `count` pieces, each of which may be read.
pub(crate) unsafe extern "C" fn writev(
    _: UserData,
    fd: c_int,
    pieces: *const iovec,
    count: c_int,
) -> ssize_t {
    // SAFETY: by this function's contract.
    answer(unsafe { gather(pieces, count) }.and_then(|bytes| transmit(fd, &bytes, 0)))
}

/// `send`.
///
/// # Safety
/// `buffer` is null or points to `len` readable bytes.
pub(crate) unsafe extern "C" fn send(
    _: UserData,
    fd: c_int,
    buffer: *const c_void,
    len: size_t,
    flags: c_int,
) -> ssize_t {
    let piece = iovec { iov_base: buffer.cast_mut(), iov_len: len };
    // SAFETY: by this function's contract; the piece is only read.
    answer(unsafe { gather(&raw const piece, 1) }.and_then(|bytes| transmit(fd, &bytes, flags)))
}

/// `sendto`. A connection has its peer: an address changes nothing.
///
/// # Safety
/// `buffer` is null or points to `len` readable bytes.
pub(crate) unsafe extern "C" fn sendto(
    user_data: UserData,
    fd: c_int,
    buffer: *const c_void,
    len: size_t,
    flags: c_int,
    _to: *const sockaddr,
    _to_len: socklen_t,
) -> ssize_t {
    // SAFETY: the same contract.
    unsafe { send(user_data, fd, buffer, len, flags) }
}

/// `sendmsg`.
///
/// # Safety
/// `message` points to a message whose pieces may be read.
pub(crate) unsafe extern "C" fn sendmsg(
    _: UserData,
    fd: c_int,
    message: *const msghdr,
    flags: c_int,
) -> ssize_t {
    if message.is_null() {
        return answer(Err::<ssize_t, _>(BAD_ADDRESS));
    }
    // SAFETY: by this function's contract.
    let header = unsafe { &*message };
    let count = c_int::try_from(header.msg_iovlen).unwrap_or(c_int::MAX);
    // SAFETY: by this function's contract.
    answer(unsafe { gather(header.msg_iov, count) }.and_then(|bytes| transmit(fd, &bytes, flags)))
}

/// `pipe`: the kernel's.
///
/// # Safety
/// `ends` points to room for two numbers.
pub(crate) unsafe extern "C" fn pipe(_: UserData, ends: *mut c_int) -> c_int {
    // SAFETY: the same contract.
    unsafe { libc::pipe(ends) }
}

/// `splice`: we have no pages to move.
pub(crate) extern "C" fn splice(
    _: UserData,
    _from: c_int,
    _from_offset: *mut loff_t,
    _to: c_int,
    _to_offset: *mut loff_t,
    _len: size_t,
    _flags: c_uint,
) -> ssize_t {
    answer(Err::<ssize_t, _>(Errno(libc::ENOSYS)))
}

fn is_ours(fd: c_int) -> bool {
    host().peek(|world| world.descriptors.contains(fd))
}

/// Fills the pieces with what there is; waits only for the first byte.
fn receive(fd: c_int, pieces: &mut [&mut [u8]], flags: c_int) -> Result<usize> {
    let at_once = flags & (libc::MSG_DONTWAIT | libc::MSG_ERRQUEUE) != 0 || is_nonblocking(fd)?;
    let mut call = |world: &mut crate::world::World| {
        let mut total = 0;
        for piece in pieces.iter_mut().filter(|piece| !piece.is_empty()) {
            match world.read(fd, piece, flags) {
                Ok(count) => total += count,
                Err(_) if total > 0 => break,
                Err(error) => return Err(error),
            }
            if total % piece.len() != 0 {
                break;
            }
        }
        Ok(total)
    };
    if at_once { host().run(call) } else { host().wait(None, &mut call) }
}

/// Writes all bytes if it may wait, else what there is room for.
fn transmit(fd: c_int, bytes: &[u8], flags: c_int) -> Result<usize> {
    if flags & libc::MSG_DONTWAIT != 0 || is_nonblocking(fd)? {
        return host().run(|world| world.write(fd, bytes, flags));
    }
    let mut written = 0;
    let mut sleeps = false;
    let result = host().wait(None, |world| {
        if std::mem::replace(&mut sleeps, true) && !world.wakes_writer(fd)? {
            return Err(AGAIN);
        }
        written += world.write(fd, &bytes[written..], flags)?;
        if written < bytes.len() { Err(AGAIN) } else { Ok(()) }
    });
    match result {
        Err(error) if written == 0 => Err(error),
        _ => Ok(written),
    }
}

/// The pieces of an `iovec` array.
///
/// # Safety
/// `pieces` points to `count` pieces, each of which may be written for as long as the result lives.
unsafe fn slices_mut<'a>(pieces: *const iovec, count: c_int) -> Result<Vec<&'a mut [u8]>> {
    let count = usize::try_from(count).map_err(|_| Errno(libc::EINVAL))?;
    let mut slices = Vec::with_capacity(count);
    for index in 0..count {
        // SAFETY: within the array, by this function's contract.
        let iovec { iov_base, iov_len } = unsafe { *pieces.add(index) };
        check(iov_base, iov_len)?;
        if iov_len > 0 {
            // SAFETY: not null; writable by this function's contract.
            slices.push(unsafe { std::slice::from_raw_parts_mut(iov_base.cast::<u8>(), iov_len) });
        }
    }
    Ok(slices)
}

/// The bytes of an `iovec` array, one behind the other.
///
/// # Safety
/// `pieces` points to `count` pieces, each of which may be read.
unsafe fn gather(pieces: *const iovec, count: c_int) -> Result<Vec<u8>> {
    let count = usize::try_from(count).map_err(|_| Errno(libc::EINVAL))?;
    let mut bytes = Vec::new();
    for index in 0..count {
        // SAFETY: within the array, by this function's contract.
        let iovec { iov_base, iov_len } = unsafe { *pieces.add(index) };
        check(iov_base, iov_len)?;
        if iov_len > 0 {
            // SAFETY: not null; readable by this function's contract.
            bytes.extend_from_slice(unsafe { std::slice::from_raw_parts(iov_base.cast::<u8>(), iov_len) });
        }
    }
    Ok(bytes)
}

/// The kernel refuses a pointer to nowhere. Of those we know null and what no program has: the last page.
fn check(base: *const c_void, len: usize) -> Result<()> {
    let nowhere = base.is_null() || (base as usize).checked_add(len).is_none();
    if len > 0 && nowhere { Err(BAD_ADDRESS) } else { Ok(()) }
}
