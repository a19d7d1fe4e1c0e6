//! The one place where the device touches the system without a safe wrapper.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};

use nix::errno::Errno;
use nix::libc::{IFF_MULTI_QUEUE, IFF_VNET_HDR, TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6, c_int, c_uint};
#[cfg(feature = "tokio")]
use tokio::io::unix::AsyncFd;
use tun_rs::DeviceBuilder;
use tun_tap::{Iface, Mode};

/// The ioctls, by the kernel's names for them (linux/if_tun.h).
mod ioctl {
    use nix::libc::c_uint;

    // TUNGETFEATURES: the flags that an interface can be opened with.
    nix::ioctl_read!(tun_get_features, b'T', 207, c_uint);
    // TUNSETOFFLOAD: the argument is the mask itself.
    nix::ioctl_write_int!(tun_set_offload, b'T', 208);
}

/// What the kernel may leave to us: sums, and cutting what is longer than a segment. Not ECN (a segment with CWR comes
/// alone then) and not UDP. Without the sums the rest is refused.
const OFFLOADS: c_uint = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;

/// Opens the TUN interface `name`, or creates it, for reading and writing bare IP packets without blocking.
pub(super) fn open_tun(name: &str) -> io::Result<File> {
    let interface = Iface::without_packet_info(name, Mode::Tun)?;
    interface.set_non_blocking()?;
    // SAFETY: `into_raw_fd` gives up the ownership of the open descriptor; nobody else holds it.
    let fd = unsafe { OwnedFd::from_raw_fd(interface.into_raw_fd()) };
    // A persistent interface keeps the offload mask of whoever had it before, and would hand us super-packets in
    // a framing that we have not asked for.
    withdraw_offloads(fd.as_fd())?;
    Ok(File::from(fd))
}

/// The same for one of several queues: the first call creates the interface, each further one adds a queue to it. EINVAL
/// where the kernel has no such thing, and for an interface with one queue.
pub(super) fn open_tun_queue(name: &str) -> io::Result<File> {
    require_flags(IFF_MULTI_QUEUE)?;
    let builder = DeviceBuilder::new().name(name).multi_queue(true);
    let interface = builder.inherit_enable_state().build_sync()?;
    interface.set_nonblocking(true)?;
    // SAFETY: `into_raw_fd` gives up the ownership of the open descriptor; nobody else holds it.
    let fd = unsafe { OwnedFd::from_raw_fd(interface.into_raw_fd()) };
    Ok(File::from(fd))
}

/// Opens the TUN interface `name`, or creates it, for super-packets behind a virtio-net header of ten bytes, without
/// blocking; or one of `several` queues of it. EINVAL where the kernel has no such thing, and for an interface with one
/// queue if several are wanted.
pub(super) fn open_offload_tun(name: &str, several: bool) -> io::Result<File> {
    require_flags(if several { IFF_VNET_HDR | IFF_MULTI_QUEUE } else { IFF_VNET_HDR })?;
    let builder = DeviceBuilder::new().name(name).offload(true).multi_queue(several);
    let interface = builder.inherit_enable_state().build_sync()?;
    interface.set_nonblocking(true)?;
    // tun-rs asks for merged UDP as well, where the kernel has it, and that is nothing that we could take apart.
    // SAFETY: the descriptor is open, as `interface` owns it, and the argument is a number, not a pointer.
    unsafe { ioctl::tun_set_offload(interface.as_raw_fd(), OFFLOADS.into()) }?;
    // SAFETY: `into_raw_fd` gives up the ownership of the open descriptor; nobody else holds it.
    let fd = unsafe { OwnedFd::from_raw_fd(interface.into_raw_fd()) };
    Ok(File::from(fd))
}

/// Has the kernel sum and cut again by itself what goes to the interface.
pub(super) fn withdraw_offloads(interface: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the descriptor is open, as it is borrowed, and the argument is a number, not a pointer.
    unsafe { ioctl::tun_set_offload(interface.as_raw_fd(), 0) }?;
    Ok(())
}

/// Fails where the driver is missing or does not know one of `flags`. tun-rs would make a missing device node itself, and
/// the kernel ignores flags that it does not know.
fn require_flags(flags: c_int) -> io::Result<()> {
    let driver = File::options().read(true).write(true).open("/dev/net/tun")?;
    let mut features: c_uint = 0;
    // SAFETY: the descriptor is open, as `driver` owns it, and the pointer is to a number of the size that the kernel
    // writes, which lives until the call returns.
    unsafe { ioctl::tun_get_features(driver.as_raw_fd(), &mut features) }?;
    if features & flags as c_uint != flags as c_uint {
        return Err(Errno::EINVAL.into());
    }
    Ok(())
}

/// Registers `fd` with the tokio runtime that this is called in.
#[cfg(feature = "tokio")]
pub(crate) fn watch_in_runtime(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is open, always the same descriptor, and closed by nobody else as long as it lives, which is
    // as long as the `AsyncFd`.
    Ok(unsafe { AsyncFd::register(fd) }?)
}
