//! The table of functions that packetdrill fills its calls from.
//!
//! Its layout is part of the interface: a pointer of ours that comes back with each call, and 32 functions in this
//! order. None may be missing, or packetdrill jumps to address zero.

use std::ffi::{CStr, c_char, c_int, c_long, c_longlong, c_uint, c_ulong, c_void};

use libc::{
    epoll_event, iovec, loff_t, msghdr, nfds_t, pollfd, size_t, sockaddr, socklen_t, ssize_t, timeval,
};

use crate::calls::{netdev, options, polling, sockets, streams};
use crate::{flags, host};

/// Ours to use; we have only one world, and need none.
pub(crate) type UserData = *mut c_void;

/// The table.
#[repr(C)]
pub(crate) struct Interface {
    user_data: UserData,
    free: unsafe extern "C" fn(UserData),
    socket: unsafe extern "C" fn(UserData, c_int, c_int, c_int) -> c_int,
    bind: unsafe extern "C" fn(UserData, c_int, *const sockaddr, socklen_t) -> c_int,
    listen: unsafe extern "C" fn(UserData, c_int, c_int) -> c_int,
    accept: unsafe extern "C" fn(UserData, c_int, *mut sockaddr, *mut socklen_t) -> c_int,
    connect: unsafe extern "C" fn(UserData, c_int, *const sockaddr, socklen_t) -> c_int,
    read: unsafe extern "C" fn(UserData, c_int, *mut c_void, size_t) -> ssize_t,
    readv: unsafe extern "C" fn(UserData, c_int, *const iovec, c_int) -> ssize_t,
    recv: unsafe extern "C" fn(UserData, c_int, *mut c_void, size_t, c_int) -> ssize_t,
    recvfrom: unsafe extern "C" fn(
        UserData,
        c_int,
        *mut c_void,
        size_t,
        c_int,
        *mut sockaddr,
        *mut socklen_t,
    ) -> ssize_t,
    recvmsg: unsafe extern "C" fn(UserData, c_int, *mut msghdr, c_int) -> ssize_t,
    write: unsafe extern "C" fn(UserData, c_int, *const c_void, size_t) -> ssize_t,
    writev: unsafe extern "C" fn(UserData, c_int, *const iovec, c_int) -> ssize_t,
    send: unsafe extern "C" fn(UserData, c_int, *const c_void, size_t, c_int) -> ssize_t,
    sendto: unsafe extern "C" fn(
        UserData,
        c_int,
        *const c_void,
        size_t,
        c_int,
        *const sockaddr,
        socklen_t,
    ) -> ssize_t,
    sendmsg: unsafe extern "C" fn(UserData, c_int, *const msghdr, c_int) -> ssize_t,
    // Variadic in C. On x86-64 and aarch64 a variadic argument of these types lies where a named one does.
    fcntl: unsafe extern "C" fn(UserData, c_int, c_int, c_long) -> c_int,
    ioctl: unsafe extern "C" fn(UserData, c_int, c_ulong, *mut c_int) -> c_int,
    close: unsafe extern "C" fn(UserData, c_int) -> c_int,
    shutdown: unsafe extern "C" fn(UserData, c_int, c_int) -> c_int,
    getsockopt: unsafe extern "C" fn(UserData, c_int, c_int, c_int, *mut c_void, *mut socklen_t) -> c_int,
    setsockopt: unsafe extern "C" fn(UserData, c_int, c_int, c_int, *const c_void, socklen_t) -> c_int,
    poll: unsafe extern "C" fn(UserData, *mut pollfd, nfds_t, c_int) -> c_int,
    netdev_send: unsafe extern "C" fn(UserData, *const c_void, size_t) -> c_int,
    netdev_receive: unsafe extern "C" fn(UserData, *mut c_void, *mut size_t, *mut c_longlong) -> c_int,
    usleep: unsafe extern "C" fn(UserData, c_uint) -> c_int,
    gettimeofday: unsafe extern "C" fn(UserData, *mut timeval, *mut c_void) -> c_int,
    epoll_create: unsafe extern "C" fn(UserData, c_int) -> c_int,
    epoll_ctl: unsafe extern "C" fn(UserData, c_int, c_int, c_int, *mut epoll_event) -> c_int,
    epoll_wait: unsafe extern "C" fn(UserData, c_int, *mut epoll_event, c_int, c_int) -> c_int,
    pipe: unsafe extern "C" fn(UserData, *mut c_int) -> c_int,
    splice: unsafe extern "C" fn(UserData, c_int, *mut loff_t, c_int, *mut loff_t, size_t, c_uint) -> ssize_t,
}

const _: () = assert!(size_of::<Interface>() == 33 * size_of::<usize>());

/// What packetdrill calls first.
///
/// # Safety
/// `flags` is null or a C string; `interface` points to room for the table.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn packetdrill_interface_init(flags: *const c_char, interface: *mut Interface) {
    let flags = match flags.is_null() {
        true => "",
        // SAFETY: not null, so a C string by this function's contract.
        false => unsafe { CStr::from_ptr(flags) }.to_str().unwrap_or_else(|_| host::fail("flags: not UTF-8")),
    };
    match flags::configuration(flags) {
        Ok(config) => host::start(config),
        Err(why) => host::fail(&format!("flags: {why}")),
    }
    // SAFETY: room for it is there by this function's contract.
    unsafe { interface.write(table()) };
}

fn table() -> Interface {
    Interface {
        user_data: std::ptr::null_mut(),
        free: sockets::free,
        socket: sockets::socket,
        bind: sockets::bind,
        listen: sockets::listen,
        accept: sockets::accept,
        connect: sockets::connect,
        read: streams::read,
        readv: streams::readv,
        recv: streams::recv,
        recvfrom: streams::recvfrom,
        recvmsg: streams::recvmsg,
        write: streams::write,
        writev: streams::writev,
        send: streams::send,
        sendto: streams::sendto,
        sendmsg: streams::sendmsg,
        fcntl: options::fcntl,
        ioctl: options::ioctl,
        close: sockets::close,
        shutdown: sockets::shutdown,
        getsockopt: options::getsockopt,
        setsockopt: options::setsockopt,
        poll: polling::poll,
        netdev_send: netdev::netdev_send,
        netdev_receive: netdev::netdev_receive,
        usleep: netdev::usleep,
        gettimeofday: netdev::gettimeofday,
        epoll_create: polling::epoll_create,
        epoll_ctl: polling::epoll_ctl,
        epoll_wait: polling::epoll_wait,
        pipe: streams::pipe,
        splice: streams::splice,
    }
}
