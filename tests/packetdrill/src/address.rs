//! Socket addresses in C's layout.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use libc::{sockaddr, sockaddr_in, sockaddr_in6, socklen_t};

use crate::errno::{Errno, INVALID, Result};

/// Reads an address.
///
/// # Safety
/// `address` is null or points to `len` readable bytes.
pub(crate) unsafe fn read(address: *const sockaddr, len: socklen_t) -> Result<SocketAddr> {
    let len = len as usize;
    if address.is_null() || len < size_of::<sockaddr>() {
        return Err(INVALID);
    }
    // SAFETY: at least a `sockaddr` is readable; nothing is said of its alignment.
    let family = unsafe { address.read_unaligned() }.sa_family;
    match i32::from(family) {
        libc::AF_INET if len >= size_of::<sockaddr_in>() => {
            // SAFETY: the length has just been checked.
            let v4 = unsafe { address.cast::<sockaddr_in>().read_unaligned() };
            let ip = Ipv4Addr::from_bits(u32::from_be(v4.sin_addr.s_addr));
            Ok(SocketAddr::from((ip, u16::from_be(v4.sin_port))))
        }
        libc::AF_INET6 if len >= size_of::<sockaddr_in6>() => {
            // SAFETY: the length has just been checked.
            let v6 = unsafe { address.cast::<sockaddr_in6>().read_unaligned() };
            let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
            Ok(SocketAddr::V6(SocketAddrV6::new(ip, u16::from_be(v6.sin6_port), 0, 0)))
        }
        libc::AF_INET | libc::AF_INET6 => Err(INVALID),
        _ => Err(Errno(libc::EAFNOSUPPORT)),
    }
}

/// Writes an address, as much of it as there is room for, and its length; nothing if `target` is null.
///
/// # Safety
/// `target` is null, or `len` points to the number of bytes that may be written behind `target`.
pub(crate) unsafe fn write(address: SocketAddr, target: *mut sockaddr, len: *mut socklen_t) {
    match address {
        // SAFETY: passed on to the caller.
        SocketAddr::V4(v4) => unsafe {
            let value = sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: v4.port().to_be(),
                sin_addr: libc::in_addr { s_addr: v4.ip().to_bits().to_be() },
                sin_zero: [0; 8],
            };
            store(&value, target, len);
        },
        // SAFETY: passed on to the caller.
        SocketAddr::V6(v6) => unsafe {
            let value = sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: v6.port().to_be(),
                sin6_flowinfo: 0,
                sin6_addr: libc::in6_addr { s6_addr: v6.ip().octets() },
                sin6_scope_id: 0,
            };
            store(&value, target, len);
        },
    }
}

/// # Safety
/// As for [`write`].
unsafe fn store<T>(value: &T, target: *mut sockaddr, len: *mut socklen_t) {
    if target.is_null() || len.is_null() {
        return;
    }
    // SAFETY: `len` is not null, and by the contract of `write` holds the room behind `target`.
    unsafe {
        let room = (*len as usize).min(size_of::<T>());
        std::ptr::copy_nonoverlapping(std::ptr::from_ref(value).cast::<u8>(), target.cast::<u8>(), room);
        *len = size_of::<T>() as socklen_t;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_survive_the_way_there_and_back() {
        for text in ["192.168.0.1:8080", "[fd3d::1]:8080"] {
            let address: SocketAddr = text.parse().unwrap();
            let mut storage = [0u64; 16];
            let mut len = size_of_val(&storage) as socklen_t;
            // SAFETY: `len` is the size of `storage`.
            let back = unsafe {
                write(address, storage.as_mut_ptr().cast(), &raw mut len);
                read(storage.as_ptr().cast(), len)
            };
            assert_eq!(back, Ok(address));
        }
    }

    #[test]
    fn what_is_too_short_is_refused() {
        let bytes = [2u8, 0, 0, 0];
        // SAFETY: four bytes are readable.
        assert_eq!(unsafe { read(bytes.as_ptr().cast(), 4) }, Err(INVALID));
        // SAFETY: null is allowed.
        assert_eq!(unsafe { read(std::ptr::null(), 16) }, Err(INVALID));
    }
}
