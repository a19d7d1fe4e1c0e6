//! Why a TUN interface cannot be opened or configured, in words for the person at the terminal.

use std::fmt;
use std::io;
use std::ops::RangeInclusive;

/// What failed, why, and what to do: `Display` says all three in one line.
#[derive(Debug)]
#[non_exhaustive]
pub enum DeviceError {
    /// `/dev/net/tun` does not exist.
    NoDeviceNode,
    /// `/dev/net/tun` exists, but the kernel has no driver for it.
    NoDriver,
    /// Opening or attaching to the interface is not permitted.
    NotPermitted {
        /// The interface.
        interface: String,
    },
    /// Another process has the interface open.
    Busy {
        /// The interface.
        interface: String,
    },
    /// The interface exists, and is no single-queue TUN interface.
    NotTun {
        /// The interface.
        interface: String,
    },
    /// The kernel does not pass super-packets through this interface.
    NoOffload {
        /// The interface.
        interface: String,
        /// What the system says.
        source: io::Error,
    },
    /// The interface cannot have several queues, or the kernel knows of none.
    NoQueues {
        /// The interface.
        interface: String,
        /// What the system says.
        source: io::Error,
    },
    /// The kernel would not take this as a name.
    BadName {
        /// The name.
        name: String,
    },
    /// Every interface from `lw0` to `lw255` exists.
    NoFreeName,
    /// The network namespace cannot be entered.
    Namespace {
        /// Its name.
        name: String,
        /// Why not.
        source: io::Error,
    },
    /// The MTU is not one that an interface with these addresses can have.
    Mtu {
        /// The MTU asked for.
        mtu: u16,
        /// What is possible.
        possible: RangeInclusive<u16>,
    },
    /// A prefix is already routed elsewhere.
    Routed {
        /// The prefix.
        prefix: String,
    },
    /// Something about the interface could not be set.
    Configure {
        /// The interface.
        interface: String,
        /// What could not be set.
        what: String,
        /// Why not.
        source: io::Error,
    },
    /// Anything else.
    Open {
        /// The interface.
        interface: String,
        /// What the system says.
        source: io::Error,
    },
}

impl DeviceError {
    /// The words for an error of opening `/dev/net/tun` or of attaching it to `interface`.
    pub(super) fn from_open(interface: &str, source: io::Error) -> Self {
        use nix::errno::Errno;
        let interface = interface.to_owned();
        // Opening gives the first three, attaching the rest; no code comes from both with different meanings.
        match source.raw_os_error().map(Errno::from_raw) {
            Some(Errno::ENOENT) => DeviceError::NoDeviceNode,
            Some(Errno::ENODEV | Errno::ENXIO) => DeviceError::NoDriver,
            Some(Errno::EACCES | Errno::EPERM) => DeviceError::NotPermitted { interface },
            Some(Errno::EBUSY) => DeviceError::Busy { interface },
            Some(Errno::EINVAL) => DeviceError::NotTun { interface },
            _ => DeviceError::Open { interface, source },
        }
    }

    /// The same for an interface that is to pass super-packets: what says that it does not comes as an error of its own,
    /// so that another device can be tried. Not every kernel has them, nor every sandbox that imitates one. An interface that
    /// cannot have several queues looks the same here, and the other device says so.
    pub(super) fn from_open_offload(interface: &str, source: io::Error) -> Self {
        use nix::errno::Errno;
        match source.raw_os_error().map(Errno::from_raw) {
            Some(Errno::EINVAL | Errno::EOPNOTSUPP | Errno::ENOTTY | Errno::ENOSYS) => {
                DeviceError::NoOffload { interface: interface.to_owned(), source }
            }
            Some(Errno::E2BIG) => DeviceError::NoQueues { interface: interface.to_owned(), source },
            _ => DeviceError::from_open(interface, source),
        }
    }

    /// The same for one of several queues.
    pub(super) fn from_open_queue(interface: &str, source: io::Error) -> Self {
        use nix::errno::Errno;
        match source.raw_os_error().map(Errno::from_raw) {
            Some(Errno::EINVAL | Errno::EOPNOTSUPP | Errno::ENOTTY | Errno::ENOSYS | Errno::E2BIG) => {
                DeviceError::NoQueues { interface: interface.to_owned(), source }
            }
            _ => DeviceError::from_open(interface, source),
        }
    }
}

impl fmt::Display for DeviceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeviceError::NoDeviceNode => f.write_str(
                "/dev/net/tun: not found: load the driver with 'sudo modprobe tun' \
                 (in a container: start it with --device /dev/net/tun)",
            ),
            DeviceError::NoDriver => f.write_str(
                "/dev/net/tun: the kernel has no TUN driver: load it with 'sudo modprobe tun', or use a kernel with \
                 CONFIG_TUN",
            ),
            DeviceError::NotPermitted { interface } => write!(
                f,
                "/dev/net/tun: permission denied: run with sudo, or once: sudo ip tuntap add dev {interface} mode tun \
                 user $USER, and set its addresses and 'up' with sudo ip"
            ),
            DeviceError::Busy { interface } => write!(
                f,
                "{interface}: in use by another process: stop that one, or choose another name with --tun"
            ),
            DeviceError::NotTun { interface } => write!(
                f,
                "{interface}: exists, but is no TUN interface with one queue: give --queues if it has several, or choose \
                 another name with --tun"
            ),
            DeviceError::BadName { name } => write!(
                f,
                "'{name}': no name for an interface: 1 to 15 characters without '/', ':', '%' and spaces"
            ),
            DeviceError::NoFreeName => {
                f.write_str("lw0 to lw255 all exist: delete one with 'sudo ip link del', or name one with --tun")
            }
            DeviceError::Namespace { name, source } if source.kind() == io::ErrorKind::NotFound => {
                write!(f, "network namespace {name}: not found: make it with 'sudo ip netns add {name}'")
            }
            DeviceError::Namespace { name, source } => {
                write!(f, "network namespace {name}: cannot be entered: {source}: run with sudo")
            }
            DeviceError::Mtu { mtu, possible } => write!(
                f,
                "MTU {mtu}: not possible: from {} (1280 with IPv6) to {}",
                possible.start(),
                possible.end()
            ),
            DeviceError::Routed { prefix } => {
                write!(f, "{prefix}: already routed elsewhere: see 'ip route', and choose another prefix")
            }
            DeviceError::Configure { interface, what, source } if is_permission(source) => {
                write!(f, "{interface}: {what}: permission denied: run with sudo, or set it once with sudo ip")
            }
            DeviceError::Configure { interface, what, source } => write!(f, "{interface}: {what}: {source}"),
            DeviceError::NoOffload { interface, source } => {
                write!(f, "{interface}: no super-packets through it here: {source}: choose --offload auto or off")
            }
            DeviceError::NoQueues { interface, source } => write!(
                f,
                "{interface}: cannot have so many queues: {source}: leave --queues out; an interface that exists has to be \
                 made with 'ip tuntap add dev {interface} mode tun multi_queue'"
            ),
            DeviceError::Open { interface, source } => {
                write!(f, "{interface}: cannot be opened as a TUN interface: {source}")
            }
        }
    }
}

impl std::error::Error for DeviceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            DeviceError::Namespace { source, .. }
            | DeviceError::Configure { source, .. }
            | DeviceError::NoOffload { source, .. }
            | DeviceError::NoQueues { source, .. }
            | DeviceError::Open { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// Whether the process lacks the right to do something.
pub(super) fn is_permission(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::errno::Errno;

    #[test]
    fn each_failure_to_open_says_what_to_do() {
        for (errno, words) in [
            (Errno::ENOENT, "modprobe tun"),
            (Errno::ENODEV, "CONFIG_TUN"),
            (Errno::EACCES, "run with sudo, or once: sudo ip tuntap add dev lw7 mode tun"),
            (Errno::EPERM, "run with sudo"),
            (Errno::EBUSY, "lw7: in use by another process"),
            (Errno::EINVAL, "lw7: exists, but is no TUN interface with one queue: give --queues if"),
            (Errno::EMFILE, "cannot be opened as a TUN interface: Too many open files"),
        ] {
            let error = DeviceError::from_open("lw7", io::Error::from_raw_os_error(errno as i32)).to_string();
            assert!(error.contains(words), "{errno}: {error}");
            assert!(!error.contains('\n'), "one line");
        }
    }

    #[test]
    fn a_kernel_without_super_packets_is_told_from_other_failures() {
        let opened =
            |errno| DeviceError::from_open_offload("lw7", io::Error::from_raw_os_error(errno as i32));
        for errno in [Errno::EINVAL, Errno::EOPNOTSUPP, Errno::ENOTTY] {
            let error = opened(errno);
            assert!(matches!(error, DeviceError::NoOffload { .. }), "{error}");
            assert!(error.to_string().contains("--offload auto or off"), "{error}");
        }
        assert!(matches!(opened(Errno::E2BIG), DeviceError::NoQueues { .. }), "no more of its queues");
        assert!(matches!(opened(Errno::EBUSY), DeviceError::Busy { .. }));
        assert!(matches!(opened(Errno::EPERM), DeviceError::NotPermitted { .. }));
        assert!(matches!(opened(Errno::ENOENT), DeviceError::NoDeviceNode));
    }

    #[test]
    fn an_interface_without_several_queues_is_told_from_other_failures() {
        let opened = |errno| DeviceError::from_open_queue("lw7", io::Error::from_raw_os_error(errno as i32));
        for errno in [Errno::EINVAL, Errno::E2BIG] {
            let words = opened(errno).to_string();
            assert!(words.contains("leave --queues out"), "{words}");
            assert!(words.contains("ip tuntap add dev lw7 mode tun multi_queue"), "{words}");
        }
        assert!(matches!(opened(Errno::EBUSY), DeviceError::Busy { .. }));
        assert!(matches!(opened(Errno::EPERM), DeviceError::NotPermitted { .. }));
    }

    #[test]
    fn a_refused_setting_names_itself() {
        let source = io::Error::from_raw_os_error(Errno::EPERM as i32);
        let error =
            DeviceError::Configure { interface: "lw0".into(), what: "address 10.0.0.1/8".into(), source };
        assert_eq!(
            error.to_string(),
            "lw0: address 10.0.0.1/8: permission denied: run with sudo, or set it once with sudo ip"
        );
    }
}
