//! `poll` and epoll.

use std::ffi::{c_int, c_short};

use libc::{epoll_event, nfds_t, pollfd};
use longwire::stack::{Duration, Instant};

use crate::abi::UserData;
use crate::errno::{AGAIN, Errno, INVALID, Result, answer, done};
use crate::host::host;
use crate::world::World;

/// `poll`.
///
/// # Safety
/// `fds` points to `count` entries that may be read and written.
pub(crate) unsafe extern "C" fn poll(_: UserData, fds: *mut pollfd, count: nfds_t, timeout: c_int) -> c_int {
    if count == 0 {
        return 0;
    }
    // SAFETY: by this function's contract.
    let fds = unsafe { std::slice::from_raw_parts_mut(fds, count as usize) };
    let always = libc::POLLERR | libc::POLLHUP;
    let ready = host().wait(deadline(timeout), |world| {
        let mut ready = 0;
        for entry in fds.iter_mut() {
            entry.revents = match world.events(entry.fd) {
                Ok(events) => events as c_short & (entry.events | always),
                Err(_) => libc::POLLNVAL,
            };
            ready += c_int::from(entry.revents != 0);
        }
        if ready > 0 { Ok(ready) } else { Err(AGAIN) }
    });
    answer(or_none(ready))
}

/// `epoll_create`.
pub(crate) extern "C" fn epoll_create(_: UserData, _size: c_int) -> c_int {
    answer(host().run(World::epoll_create))
}

/// `epoll_ctl`.
///
/// # Safety
/// `event` is null or may be read.
pub(crate) unsafe extern "C" fn epoll_ctl(
    _: UserData,
    epoll: c_int,
    op: c_int,
    fd: c_int,
    event: *mut epoll_event,
) -> c_int {
    let (mask, data) = if event.is_null() {
        (0, 0)
    } else {
        // SAFETY: by this function's contract.
        let event = unsafe { event.read_unaligned() };
        (event.events, event.u64)
    };
    if event.is_null() && op != libc::EPOLL_CTL_DEL {
        return done(Err(Errno(libc::EFAULT)));
    }
    done(host().run(|world| world.epoll_ctl(epoll, op, fd, mask, data)))
}

/// `epoll_wait`.
///
/// # Safety
/// `events` points to room for `most` entries.
pub(crate) unsafe extern "C" fn epoll_wait(
    _: UserData,
    epoll: c_int,
    events: *mut epoll_event,
    most: c_int,
    timeout: c_int,
) -> c_int {
    let Ok(most) = usize::try_from(most) else { return done(Err(INVALID)) };
    let told = host().wait(deadline(timeout), |world| world.epoll_wait(epoll, most));
    answer(or_none(told.map(|told| {
        for (index, (mask, data)) in told.iter().enumerate() {
            // SAFETY: `epoll_wait` of the world gives no more than there is room for.
            unsafe { events.add(index).write_unaligned(epoll_event { events: *mask, u64: *data }) };
        }
        told.len() as c_int
    })))
}

/// When to give up waiting: milliseconds from now, or never if they are negative.
fn deadline(timeout: c_int) -> Option<Instant> {
    let millis = u64::try_from(timeout).ok()?;
    Some(host().peek(World::now) + Duration::from_millis(millis))
}

/// Nothing to tell is not an error here.
fn or_none(ready: Result<c_int>) -> Result<c_int> {
    match ready {
        Err(AGAIN) => Ok(0),
        other => other,
    }
}
