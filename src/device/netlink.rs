//! The few requests to the kernel's routing socket (rtnetlink(7)) that configuring an interface takes.
//!
//! Written here because the wrappers at hand do not wait for the kernel's answer, and an address that could not be
//! set has to be reported.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};

/// Length of `struct nlmsghdr`.
const HEADER: usize = 16;
/// `IFLA_INET6_ADDR_GEN_MODE` and its value for no link-local address (linux/if_link.h).
const INET6_ADDR_GEN_MODE: u16 = 8;
const ADDR_GEN_MODE_NONE: u8 = 1;

/// What an interface is set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LinkState {
    pub(super) is_up: bool,
    pub(super) mtu: u32,
    pub(super) queue: u32,
}

/// A routing socket in the namespace of the thread that opened it.
pub(super) struct Netlink {
    fd: OwnedFd,
    sequence: u32,
}

impl Netlink {
    pub(super) fn open() -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC;
        let fd = socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkRoute)?;
        Ok(Netlink { fd, sequence: 0 })
    }

    /// What the interface is set to now.
    pub(super) fn link(&mut self, index: u32) -> io::Result<LinkState> {
        let request = Message::new(libc::RTM_GETLINK, 0).bytes(&link_message(index, 0));
        let answer = self.ask(request)?;
        let fixed = answer.get(HEADER..HEADER + 16).ok_or(io::ErrorKind::InvalidData)?;
        let flags = u32::from_ne_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]);
        let mut state = LinkState { is_up: flags & libc::IFF_UP as u32 != 0, mtu: 0, queue: 0 };
        for (kind, value) in attributes(&answer[HEADER + 16..]) {
            let Ok(number) = value.try_into().map(u32::from_ne_bytes) else { continue };
            match kind {
                libc::IFLA_MTU => state.mtu = number,
                libc::IFLA_TXQLEN => state.queue = number,
                _ => {}
            }
        }
        Ok(state)
    }

    pub(super) fn set_mtu(&mut self, index: u32, mtu: u32) -> io::Result<()> {
        self.set_link(index, 0, libc::IFLA_MTU, &mtu.to_ne_bytes())
    }

    /// Packets that the kernel queues for the interface (`txqueuelen`).
    pub(super) fn set_queue(&mut self, index: u32, packets: u32) -> io::Result<()> {
        self.set_link(index, 0, libc::IFLA_TXQLEN, &packets.to_ne_bytes())
    }

    /// Has the kernel make no link-local address, so that it solicits no routers on the interface.
    pub(super) fn set_no_link_local(&mut self, index: u32) -> io::Result<()> {
        let mode = attribute(INET6_ADDR_GEN_MODE, &[ADDR_GEN_MODE_NONE]);
        let family = attribute(libc::AF_INET6 as u16, &mode);
        self.set_link(index, 0, libc::IFLA_AF_SPEC, &family)
    }

    pub(super) fn set_up(&mut self, index: u32) -> io::Result<()> {
        let request = Message::new(libc::RTM_NEWLINK, 0).bytes(&link_message(index, libc::IFF_UP as u32));
        self.ask(request).map(drop)
    }

    /// Adds an address that is usable at once. `AlreadyExists` if the interface has it.
    pub(super) fn add_address(&mut self, index: u32, address: IpAddr, prefix: u8) -> io::Result<()> {
        let fixed = [&[family(address), prefix, 0, 0][..], &index.to_ne_bytes()].concat();
        let request = Message::new(libc::RTM_NEWADDR, libc::NLM_F_CREATE | libc::NLM_F_EXCL)
            .bytes(&fixed)
            .bytes(&attribute(libc::IFA_LOCAL, &octets(address)))
            .bytes(&attribute(libc::IFA_ADDRESS, &octets(address)))
            .bytes(&attribute(libc::IFA_FLAGS, &libc::IFA_F_NODAD.to_ne_bytes()));
        self.ask(request).map(drop)
    }

    /// Routes a prefix to the interface. `AlreadyExists` if there is a route for it.
    pub(super) fn add_route(&mut self, index: u32, address: IpAddr, prefix: u8) -> io::Result<()> {
        let scope = if address.is_ipv4() { libc::RT_SCOPE_LINK } else { libc::RT_SCOPE_UNIVERSE };
        let table = libc::RT_TABLE_MAIN;
        // struct rtmsg: family, lengths of destination and source, TOS, table, protocol, scope, type, flags.
        let fixed =
            [family(address), prefix, 0, 0, table, libc::RTPROT_STATIC, scope, libc::RTN_UNICAST, 0, 0, 0, 0];
        let request = Message::new(libc::RTM_NEWROUTE, libc::NLM_F_CREATE | libc::NLM_F_EXCL)
            .bytes(&fixed)
            .bytes(&attribute(libc::RTA_DST, &octets(network(address, prefix))))
            .bytes(&attribute(libc::RTA_OIF, &index.to_ne_bytes()));
        self.ask(request).map(drop)
    }

    fn set_link(&mut self, index: u32, flags: u32, kind: u16, value: &[u8]) -> io::Result<()> {
        let request = Message::new(libc::RTM_NEWLINK, 0).bytes(&link_message(index, flags));
        self.ask(request.bytes(&attribute(kind, value))).map(drop)
    }

    /// Sends a request and waits for the answer to it; an error in the answer is the error of the call.
    fn ask(&mut self, request: Message) -> io::Result<Vec<u8>> {
        self.sequence += 1;
        send(self.fd.as_raw_fd(), &request.finish(self.sequence), MsgFlags::empty())?;
        let mut buffer = vec![0; 32 * 1024];
        loop {
            let len = recv(self.fd.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
            let answer = &buffer[..len];
            let header = answer.get(..HEADER + 4).ok_or(io::ErrorKind::InvalidData)?;
            if header[8..12] != self.sequence.to_ne_bytes() {
                continue;
            }
            if u16::from_ne_bytes([header[4], header[5]]) == libc::NLMSG_ERROR as u16 {
                let code = i32::from_ne_bytes([header[16], header[17], header[18], header[19]]);
                return if code == 0 { Ok(Vec::new()) } else { Err(Errno::from_raw(-code).into()) };
            }
            return Ok(answer.to_vec());
        }
    }
}

/// A request being put together. `RTM_GETLINK` is answered by a message, everything else by an acknowledgment.
struct Message {
    bytes: Vec<u8>,
}

impl Message {
    fn new(kind: u16, flags: libc::c_int) -> Self {
        let acknowledged = if kind == libc::RTM_GETLINK { 0 } else { libc::NLM_F_ACK };
        let flags = (flags | libc::NLM_F_REQUEST | acknowledged) as u16;
        let mut bytes = vec![0; HEADER];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
        Message { bytes }
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    fn finish(mut self, sequence: u32) -> Vec<u8> {
        let len = self.bytes.len() as u32;
        self.bytes[..4].copy_from_slice(&len.to_ne_bytes());
        self.bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
        self.bytes
    }
}

/// `struct ifinfomsg` that sets `flags`.
fn link_message(index: u32, flags: u32) -> [u8; 16] {
    let mut message = [0; 16];
    message[4..8].copy_from_slice(&index.to_ne_bytes());
    message[8..12].copy_from_slice(&flags.to_ne_bytes());
    message[12..16].copy_from_slice(&flags.to_ne_bytes());
    message
}

/// `struct rtattr` with its value, padded to four bytes.
fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let len = (4 + value.len()) as u16;
    let mut bytes = [&len.to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// Walks attributes; ends at the first that does not fit.
fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let header = bytes.get(..4)?;
        let len = usize::from(u16::from_ne_bytes([header[0], header[1]]));
        let kind = u16::from_ne_bytes([header[2], header[3]]);
        let value = bytes.get(4..len)?;
        bytes = bytes.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

fn family(address: IpAddr) -> u8 {
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    family as u8
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

/// The address with the bits behind the prefix cleared, as the kernel refuses a route with any of them set.
fn network(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0);
            IpAddr::V4((v4.to_bits() & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix.min(128))).unwrap_or(0);
            IpAddr::V6((v6.to_bits() & mask).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_have_no_host_bits() {
        for (address, prefix, expected) in [
            ("10.9.0.1", 24, "10.9.0.0"),
            ("10.9.0.1", 32, "10.9.0.1"),
            ("10.9.0.1", 0, "0.0.0.0"),
            ("fd09::1", 64, "fd09::"),
            ("fd09::1", 128, "fd09::1"),
            ("fd09::1", 0, "::"),
        ] {
            let network = network(address.parse().unwrap(), prefix);
            assert_eq!(network, expected.parse::<IpAddr>().unwrap(), "{address}/{prefix}");
        }
    }

    #[test]
    fn attributes_are_padded_and_walked() {
        let bytes = [attribute(1, b"abcde"), attribute(2, b""), attribute(3, b"wxyz")].concat();
        assert_eq!(bytes.len(), 12 + 4 + 8);
        let walked: Vec<_> = attributes(&bytes).collect();
        assert_eq!(walked, [(1, &b"abcde"[..]), (2, b""), (3, b"wxyz")]);
        assert_eq!(attributes(&bytes[..bytes.len() - 1]).count(), 2, "cut off");
        assert_eq!(attributes(&[3, 0, 0, 0]).count(), 0, "shorter than its own header");
    }

    #[test]
    fn the_loopback_interface_is_read_without_any_rights() {
        let state = Netlink::open().unwrap().link(1).unwrap();
        assert!(state.mtu > 0, "{state:?}");
    }

    #[test]
    fn an_error_of_the_kernel_is_the_error_of_the_call() {
        let error = Netlink::open().unwrap().link(u32::MAX >> 1).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(Errno::ENODEV as i32));
    }
}
