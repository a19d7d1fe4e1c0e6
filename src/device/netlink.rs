//! The few requests to the kernel's routing socket (rtnetlink(7)) that configuring an interface takes.
//!
//! One request is under way at a time, and each waits for the kernel's answer, as an address that could not be set
//! has to be reported.

use std::io;
use std::net::IpAddr;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload, Nla,
};
use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressHeader, AddressMessage};
use netlink_packet_route::link::{
    AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InfoData, InfoTun, LinkAttribute, LinkFlags, LinkHeader,
    LinkInfo, LinkMessage,
};
use netlink_packet_route::route::{
    RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};

/// What an interface is set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LinkState {
    pub(super) is_up: bool,
    /// Somebody is at the other end; of a TUN interface: has it open.
    pub(super) has_carrier: bool,
    pub(super) mtu: u32,
    pub(super) queue: u32,
    /// Queues that somebody has open, of a TUN interface that can have several.
    pub(super) open_queues: Option<u32>,
}

/// `IFLA_TUN_NUM_QUEUES` (linux/if_link.h).
const OPEN_QUEUES: u16 = 8;

/// A routing socket in the namespace of the thread that opened it.
pub(super) struct Netlink {
    socket: Socket,
    sequence: u32,
}

impl Netlink {
    pub(super) fn open() -> io::Result<Self> {
        let socket = Socket::new(NETLINK_ROUTE)?;
        // Port 0 is the kernel. A connected socket takes messages from nobody else.
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Netlink { socket, sequence: 0 })
    }

    /// What the interface is set to now.
    pub(super) fn link(&mut self, index: u32) -> io::Result<LinkState> {
        // Answered by a message, and so not acknowledged as well.
        let answer = self.ask(0, RouteNetlinkMessage::GetLink(link_message(index, None)))?;
        let Some(RouteNetlinkMessage::NewLink(link)) = answer else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        let is_up = link.header.flags.contains(LinkFlags::Up);
        let mut state = LinkState { is_up, has_carrier: false, mtu: 0, queue: 0, open_queues: None };
        for attribute in link.attributes {
            match attribute {
                LinkAttribute::Mtu(mtu) => state.mtu = mtu,
                LinkAttribute::TxQueueLen(packets) => state.queue = packets,
                LinkAttribute::Carrier(carrier) => state.has_carrier = carrier != 0,
                LinkAttribute::LinkInfo(infos) => state.open_queues = infos.iter().find_map(open_queues),
                _ => {}
            }
        }
        Ok(state)
    }

    pub(super) fn set_mtu(&mut self, index: u32, mtu: u32) -> io::Result<()> {
        self.set_link(link_message(index, Some(LinkAttribute::Mtu(mtu))))
    }

    /// Packets that the kernel queues for the interface (`txqueuelen`).
    pub(super) fn set_queue(&mut self, index: u32, packets: u32) -> io::Result<()> {
        self.set_link(link_message(index, Some(LinkAttribute::TxQueueLen(packets))))
    }

    /// Has the kernel make no link-local address, so that it solicits no routers on the interface.
    pub(super) fn set_no_link_local(&mut self, index: u32) -> io::Result<()> {
        let mode = AfSpecInet6::AddrGenMode(In6AddrGenMode::None);
        let families = LinkAttribute::AfSpecUnspec(vec![AfSpecUnspec::Inet6(vec![mode])]);
        self.set_link(link_message(index, Some(families)))
    }

    pub(super) fn set_up(&mut self, index: u32) -> io::Result<()> {
        let mut message = link_message(index, None);
        message.header.flags = LinkFlags::Up;
        message.header.change_mask = LinkFlags::Up;
        self.set_link(message)
    }

    /// Adds an address that is usable at once. `AlreadyExists` if the interface has it.
    pub(super) fn add_address(&mut self, index: u32, address: IpAddr, prefix: u8) -> io::Result<()> {
        let mut message = AddressMessage::default();
        message.header =
            AddressHeader { family: family(address), prefix_len: prefix, index, ..Default::default() };
        message.attributes = vec![
            AddressAttribute::Local(address),
            AddressAttribute::Address(address),
            AddressAttribute::Flags(AddressFlags::Nodad),
        ];
        self.create(RouteNetlinkMessage::NewAddress(message))
    }

    /// Routes a prefix to the interface. `AlreadyExists` if there is a route for it.
    pub(super) fn add_route(&mut self, index: u32, address: IpAddr, prefix: u8) -> io::Result<()> {
        let mut message = RouteMessage::default();
        message.header = RouteHeader {
            address_family: family(address),
            destination_prefix_length: prefix,
            table: RouteHeader::RT_TABLE_MAIN,
            protocol: RouteProtocol::Static,
            scope: if address.is_ipv4() { RouteScope::Link } else { RouteScope::Universe },
            kind: RouteType::Unicast,
            ..Default::default()
        };
        message.attributes =
            vec![RouteAttribute::Destination(network(address, prefix).into()), RouteAttribute::Oif(index)];
        self.create(RouteNetlinkMessage::NewRoute(message))
    }

    /// Whether the kernel takes packets for `address` as its own. It routes an IPv6 address to itself only some time
    /// after it has been added, on a thread of its own.
    pub(super) fn is_local(&mut self, address: IpAddr) -> io::Result<bool> {
        let mut message = RouteMessage::default();
        message.header = RouteHeader {
            address_family: family(address),
            destination_prefix_length: if address.is_ipv4() { 32 } else { 128 },
            ..Default::default()
        };
        message.attributes = vec![RouteAttribute::Destination(address.into())];
        match self.ask(0, RouteNetlinkMessage::GetRoute(message))? {
            Some(RouteNetlinkMessage::NewRoute(route)) => Ok(route.header.kind == RouteType::Local),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    fn set_link(&mut self, message: LinkMessage) -> io::Result<()> {
        self.ask(NLM_F_ACK, RouteNetlinkMessage::SetLink(message)).map(drop)
    }

    fn create(&mut self, message: RouteNetlinkMessage) -> io::Result<()> {
        self.ask(NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, message).map(drop)
    }

    /// Sends a request and waits for the answer to it, which is a message or a mere acknowledgment; an error in the
    /// answer is the error of the call.
    fn ask(&mut self, flags: u16, message: RouteNetlinkMessage) -> io::Result<Option<RouteNetlinkMessage>> {
        self.sequence += 1;
        let mut header = NetlinkHeader::default();
        header.flags = flags | NLM_F_REQUEST;
        header.sequence_number = self.sequence;
        let mut request = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(message));
        request.finalize();
        let mut bytes = vec![0; request.buffer_len()];
        request.serialize(&mut bytes);
        self.socket.send(&bytes, 0)?;
        loop {
            let (bytes, _) = self.socket.recv_from_full()?;
            let answer = NetlinkMessage::deserialize(&bytes)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            if answer.header.sequence_number != self.sequence {
                continue;
            }
            return match answer.payload {
                NetlinkPayload::InnerMessage(message) => Ok(Some(message)),
                NetlinkPayload::Error(error) if error.code.is_some() => Err(error.to_io()),
                _ => Ok(None),
            };
        }
    }
}

/// The number of open queues, where this says it.
fn open_queues(info: &LinkInfo) -> Option<u32> {
    let LinkInfo::Data(InfoData::Tun(attributes)) = info else { return None };
    attributes.iter().find_map(|attribute| match attribute {
        InfoTun::Other(value) if value.kind() == OPEN_QUEUES => {
            let mut number = [0; 4];
            (value.value_len() == number.len()).then(|| value.emit_value(&mut number))?;
            Some(u32::from_ne_bytes(number))
        }
        _ => None,
    })
}

fn link_message(index: u32, attribute: Option<LinkAttribute>) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header = LinkHeader { index, ..Default::default() };
    message.attributes = attribute.into_iter().collect();
    message
}

fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
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
    use netlink_packet_core::DefaultNla;
    use nix::errno::Errno;

    use super::*;

    /// An index that no interface has.
    const NOWHERE: u32 = u32::MAX >> 1;

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
    fn the_loopback_interface_is_read_without_any_rights() {
        let state = Netlink::open().unwrap().link(1).unwrap();
        assert!(state.mtu > 0 && state.open_queues.is_none(), "{state:?}");
    }

    #[test]
    fn the_loopback_address_is_local_and_others_are_not() {
        let mut netlink = Netlink::open().unwrap();
        assert!(netlink.is_local("127.0.0.1".parse().unwrap()).unwrap());
        // Documentation's: there is no route to it, or one that leads away.
        assert!(!netlink.is_local("192.0.2.1".parse().unwrap()).unwrap_or(false));
    }

    #[test]
    fn the_number_of_open_queues_is_found_among_what_the_kernel_says_of_a_tun_interface() {
        let attribute = |kind, value: &[u8]| InfoTun::Other(DefaultNla::new(kind, value.to_vec()));
        let said = |attributes| open_queues(&LinkInfo::Data(InfoData::Tun(attributes)));
        let (has_several, two) = (attribute(7, &[1]), attribute(OPEN_QUEUES, &2_u32.to_ne_bytes()));
        assert_eq!(said(vec![has_several.clone(), two]), Some(2));
        assert_eq!(said(vec![has_several]), None);
        assert_eq!(said(vec![attribute(OPEN_QUEUES, &[2])]), None, "no number that we know");
    }

    #[test]
    fn an_error_of_the_kernel_is_the_error_of_the_call() {
        let error = Netlink::open().unwrap().link(NOWHERE).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(Errno::ENODEV as i32));
    }

    #[test]
    fn every_change_waits_for_what_the_kernel_says() {
        let mut netlink = Netlink::open().unwrap();
        let [v4, v6]: [IpAddr; 2] = ["192.0.2.1", "2001:db8::1"].map(|address| address.parse().unwrap());
        for (what, result) in [
            ("MTU", netlink.set_mtu(NOWHERE, 1_500)),
            ("queue", netlink.set_queue(NOWHERE, 4_000)),
            ("link-local", netlink.set_no_link_local(NOWHERE)),
            ("up", netlink.set_up(NOWHERE)),
            ("IPv4 address", netlink.add_address(NOWHERE, v4, 24)),
            ("IPv6 address", netlink.add_address(NOWHERE, v6, 64)),
            ("IPv4 route", netlink.add_route(NOWHERE, v4, 24)),
            ("IPv6 route", netlink.add_route(NOWHERE, v6, 64)),
        ] {
            // Without the right to configure interfaces, the kernel does not even look for this one.
            let code = result.unwrap_err().raw_os_error();
            let expected = [Errno::ENODEV, Errno::EPERM].map(|errno| Some(errno as i32));
            assert!(expected.contains(&code), "{what}: {code:?}");
        }
    }
}
