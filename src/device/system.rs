//! The one place where the device touches the system without a safe wrapper.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};

use tun_tap::{Iface, Mode};

/// The ioctl, by the kernel's names for it.
mod ioctl {
    // TUNSETOFFLOAD of linux/if_tun.h: the argument is the mask itself.
    nix::ioctl_write_int!(tun_set_offload, b'T', 208);
}

/// Opens the TUN interface `name`, or creates it, for reading and writing bare IP packets without blocking.
pub(super) fn open_tun(name: &str) -> io::Result<File> {
    let interface = Iface::without_packet_info(name, Mode::Tun)?;
    interface.set_non_blocking()?;
    // A persistent interface keeps the offload mask of whoever had it before, and would hand us super-packets in
    // a framing that we have not asked for.
    // SAFETY: the descriptor is open, as `interface` owns it, and the argument is a number, not a pointer.
    unsafe { ioctl::tun_set_offload(interface.as_raw_fd(), 0) }?;
    // SAFETY: `into_raw_fd` gives up the ownership of the open descriptor; nobody else holds it.
    let fd = unsafe { OwnedFd::from_raw_fd(interface.into_raw_fd()) };
    Ok(File::from(fd))
}
