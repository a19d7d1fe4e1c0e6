//! What a call answers instead of success: the C library's error numbers.

use std::ffi::c_int;

use longwire::stack::Error;

/// An error number, as `errno` holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Errno(pub(crate) c_int);

/// The result of a call.
pub(crate) type Result<T> = std::result::Result<T, Errno>;

/// Nothing to read, no room, nobody to accept; a blocking call waits instead.
pub(crate) const AGAIN: Errno = Errno(libc::EAGAIN);
/// Not a descriptor of ours.
pub(crate) const BAD_DESCRIPTOR: Errno = Errno(libc::EBADF);
/// The call does not fit this descriptor or this state.
pub(crate) const INVALID: Errno = Errno(libc::EINVAL);

impl From<Error> for Errno {
    fn from(error: Error) -> Errno {
        Errno(match error {
            Error::WouldBlock => libc::EAGAIN,
            Error::StaleSocket => libc::EBADF,
            Error::InvalidInput => libc::EINVAL,
            Error::NotConnected => libc::ENOTCONN,
            Error::ConnectionRefused => libc::ECONNREFUSED,
            Error::ConnectionReset => libc::ECONNRESET,
            Error::ConnectionAborted => libc::ECONNABORTED,
            Error::TimedOut => libc::ETIMEDOUT,
            Error::HostUnreachable => libc::EHOSTUNREACH,
            Error::NetworkUnreachable => libc::ENETUNREACH,
            Error::BrokenPipe => libc::EPIPE,
            Error::AddrInUse => libc::EADDRINUSE,
            Error::AddrNotAvailable => libc::EADDRNOTAVAIL,
            Error::LimitReached => libc::ENOBUFS,
        })
    }
}

/// The result as C has it: the value, or −1 with `errno`.
pub(crate) fn answer<T: TryInto<R>, R: From<i8>>(result: Result<T>) -> R {
    match result.and_then(|value| value.try_into().map_err(|_| Errno(libc::EOVERFLOW))) {
        Ok(value) => value,
        Err(Errno(number)) => {
            // SAFETY: the C library gives each thread an `errno` of its own, which is always there.
            unsafe { *libc::__errno_location() = number };
            R::from(-1)
        }
    }
}

/// The result of a call that gives nothing: 0, or −1 with `errno`.
pub(crate) fn done(result: Result<()>) -> c_int {
    answer(result.map(|()| 0))
}
