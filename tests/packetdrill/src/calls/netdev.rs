//! The wire and the clock.

use std::ffi::{c_int, c_longlong, c_uint, c_void};

use libc::{size_t, timeval};
use longwire::stack::{Duration, Instant};

use crate::abi::UserData;
use crate::host::{fail, host};

/// Seconds that the stack's clock is behind the script's: a date that looks like one.
const EPOCH: i64 = 1_700_000_000;

/// A datagram goes into the stack; all its consequences have happened on return.
///
/// # Safety
/// `packet` points to `len` readable bytes.
pub(crate) unsafe extern "C" fn netdev_send(_: UserData, packet: *const c_void, len: size_t) -> c_int {
    // SAFETY: by this function's contract.
    let datagram = unsafe { std::slice::from_raw_parts(packet.cast::<u8>(), len) };
    host().run(|world| world.receive(datagram));
    0
}

/// The next datagram out of the stack, with the time at which it left.
///
/// # Safety
/// `len` points to the number of bytes that may be written behind `buffer`; `micros` may be written.
pub(crate) unsafe extern "C" fn netdev_receive(
    _: UserData,
    buffer: *mut c_void,
    len: *mut size_t,
    micros: *mut c_longlong,
) -> c_int {
    let (left_at, datagram) = host().next_packet();
    // SAFETY: by this function's contract; no more is written than there is room for.
    unsafe {
        if datagram.len() > *len {
            fail("packetdrill's buffer is too small for a packet");
        }
        std::ptr::copy_nonoverlapping(datagram.as_ptr(), buffer.cast::<u8>(), datagram.len());
        *len = datagram.len();
        *micros = EPOCH * 1_000_000 + micros_of(left_at);
    }
    0
}

/// Lets time pass, without taking any.
pub(crate) extern "C" fn usleep(_: UserData, micros: c_uint) -> c_int {
    host().pass(Duration::from_micros(u64::from(micros)));
    0
}

/// The time.
///
/// # Safety
/// `time` may be written.
pub(crate) unsafe extern "C" fn gettimeofday(_: UserData, time: *mut timeval, _zone: *mut c_void) -> c_int {
    let micros = micros_of(host().time());
    let value = timeval { tv_sec: EPOCH + micros / 1_000_000, tv_usec: micros % 1_000_000 };
    // SAFETY: by this function's contract.
    unsafe { time.write(value) };
    0
}

fn micros_of(instant: Instant) -> i64 {
    i64::try_from(instant.as_micros()).unwrap_or(i64::MAX)
}
