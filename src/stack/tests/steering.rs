//! Two stacks with one set of addresses, whose packets come to the wrong one as often as not, or always.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use etherparse::{Icmpv4Type, icmpv4};

use super::super::icmp::v4_header;
use super::super::{Error, ListenOptions, SocketId, Steering};
use super::fragments::{PORT, cut, datagram};
use super::*;

/// A process with several queues, and a client at the other end of the interface.
struct Several {
    members: Vec<Host>,
    client: Host,
}

impl Several {
    fn new(count: usize) -> Several {
        let member =
            |place| Host::with(1, |config| config.steering = Some(Steering::new([9; 16], place, count)));
        Several { members: (0..count).map(member).collect(), client: Host::with(2, |_| {}) }
    }

    fn listen(&mut self) -> Vec<SocketId> {
        let options = ListenOptions::default();
        self.members
            .iter_mut()
            .map(|host| host.stack.listen(at("10.0.0.1", 80), options.clone()).unwrap())
            .collect()
    }

    fn owner(&self, local: SocketAddr, remote: SocketAddr) -> usize {
        self.members[0].stack.steering().unwrap().of_flow(local, remote)
    }

    /// Hands on what has gone astray, until nothing is.
    fn hand_on(&mut self) {
        while let Some(stray) = self.members.iter_mut().find_map(|host| host.stack.poll_stray()) {
            let to = &mut self.members[stray.to];
            to.stack.handle_stray(to.now, stray);
        }
    }

    /// Carries everything to and fro, the `number`th packet to the stack that `queue` says.
    fn exchange(&mut self, mut queue: impl FnMut(&Packet) -> usize) {
        loop {
            self.hand_on();
            let inbound = self.client.output();
            let outbound: Vec<_> = self.members.iter_mut().flat_map(Host::output).collect();
            if inbound.is_empty()
                && outbound.is_empty()
                && !self.members.iter().any(|host| host.stack.has_strays())
            {
                return;
            }
            inbound.iter().for_each(|packet| self.members[queue(packet)].receive_packet(packet));
            outbound.iter().for_each(|packet| self.client.receive_packet(packet));
        }
    }

    fn sum(&self, counter: impl Fn(&crate::stack::Counters) -> u64) -> u64 {
        self.members.iter().map(|host| counter(host.stack.counters())).sum()
    }
}

/// The ends of a TCP packet that goes to the members.
fn ends(packet: &Packet) -> (SocketAddr, SocketAddr) {
    let header = IpHeader::parse(&packet.bytes).unwrap();
    let (segment, _) = segment(&packet.bytes);
    (SocketAddr::new(header.dst, segment.dst_port), SocketAddr::new(header.src, segment.src_port))
}

#[test]
fn connections_work_though_every_packet_comes_to_the_wrong_stack() {
    let mut several = Several::new(2);
    let listeners = several.listen();
    let steering = several.members[0].stack.steering().unwrap().clone();
    let wrong = move |packet: &Packet| {
        let (local, remote) = ends(packet);
        1 - steering.of_flow(local, remote)
    };
    for round in 0..20 {
        let stream =
            several.client.stack.connect(several.client.now, at("10.0.0.1", 80), None, None).unwrap();
        several.exchange(&wrong);
        several.client.stack.write(stream, b"question").unwrap();
        several.exchange(&wrong);
        let remote = several.client.stack.local_addr(stream).unwrap();
        let owner = several.owner(at("10.0.0.1", 80), remote);
        let member = &mut several.members[owner];
        let (accepted, from) = member.stack.accept(listeners[owner]).unwrap();
        assert_eq!(from, remote, "round {round}");
        assert_eq!(member.read_all(accepted), b"question");
        assert_eq!(several.members[1 - owner].stack.accept(listeners[1 - owner]), Err(Error::WouldBlock));
    }
    let (received, forwarded) = (several.sum(|all| all.ip.received), several.sum(|all| all.ip.forwarded));
    assert_eq!(received, forwarded, "each was counted once, where it came in, and went on");
    assert_eq!(several.sum(|all| all.ip.forward_dropped) + several.sum(|all| all.tcp.resets_sent), 0);
    let shares: Vec<_> = several.members.iter().map(|host| host.stack.live_connections()).collect();
    assert!(shares.iter().all(|&share| share > 0) && shares.iter().sum::<usize>() == 20, "{shares:?}");
}

#[test]
fn connections_of_ours_begin_where_their_answers_come() {
    let mut several = Several::new(3);
    let listener = several.client.stack.listen(at("10.0.0.2", 80), ListenOptions::default()).unwrap();
    for place in 0..3 {
        let host = &mut several.members[place];
        for _ in 0..10 {
            let stream = host.stack.connect(host.now, at("10.0.0.2", 80), None, None).unwrap();
            let local = host.stack.local_addr(stream).unwrap();
            assert_eq!(host.stack.steering().unwrap().of_flow(local, at("10.0.0.2", 80)), place);
        }
    }
    let steering = several.members[0].stack.steering().unwrap().clone();
    several.exchange(|packet| {
        let (local, remote) = ends(packet);
        steering.of_flow(local, remote)
    });
    let accepted = std::iter::from_fn(|| several.client.stack.accept(listener).ok()).count();
    assert_eq!((accepted, several.sum(|all| all.ip.forwarded)), (30, 0));
}

#[test]
fn an_end_whose_answers_would_come_to_another_stack_is_refused() {
    let mut several = Several::new(2);
    let remote = at("10.0.0.2", 80);
    for port in 50_000..50_010 {
        let owner = several.owner(at("10.0.0.1", port), remote);
        for (place, host) in several.members.iter_mut().enumerate() {
            let connected = host.stack.connect(host.now, remote, Some(at("10.0.0.1", port)), None);
            assert_eq!(connected.err(), (place != owner).then_some(Error::AddrNotAvailable));
        }
    }
}

#[test]
fn a_udp_socket_has_one_stack_to_which_all_datagrams_come() {
    let mut several = Several::new(2);
    let owner = several.members[0].stack.steering().unwrap().of_port(53);
    let bound: Vec<_> =
        several.members.iter_mut().map(|host| host.stack.udp_bind(at("10.0.0.1", 53))).collect();
    assert_eq!(bound[1 - owner], Err(Error::AddrNotAvailable));
    let server = bound[owner].unwrap();
    for port in 40_000..40_008 {
        let socket = several.client.stack.udp_bind(at("10.0.0.2", port)).unwrap();
        several.client.stack.udp_send_to(socket, b"who?", at("10.0.0.1", 53)).unwrap();
    }
    let mut number = 0;
    several.exchange(|_| {
        number += 1;
        number % 2
    });
    let host = &mut several.members[owner];
    let mut buffer = [0; 16];
    let from: BTreeSet<_> = std::iter::from_fn(|| host.stack.udp_recv_from(server, &mut buffer).ok())
        .map(|(_, from)| from)
        .collect();
    assert_eq!((from.len(), several.sum(|all| all.ip.forwarded)), (8, 4));
    assert_eq!(several.sum(|all| all.icmp.errors_sent), 0, "nobody said that there is no such port");
}

#[test]
fn ports_and_identifiers_of_our_choice_are_our_own() {
    let mut several = Several::new(4);
    for (place, host) in several.members.iter_mut().enumerate() {
        let socket = host.stack.udp_bind(at("10.0.0.1", 0)).unwrap();
        let port = host.stack.local_addr(socket).unwrap().port();
        assert_eq!(host.stack.steering().unwrap().of_port(port), place);
    }
}

#[test]
fn a_ping_is_answered_where_it_comes_and_a_reply_goes_to_who_asked() {
    let mut several = Several::new(2);
    for queue in 0..2 {
        let ping = several.client.stack.icmp_bind(Some(7)).unwrap();
        several.client.stack.icmp_send_echo(ping, ip("10.0.0.1"), 1, b"x").unwrap();
        several.exchange(|_| queue);
        assert!(several.client.stack.icmp_recv_echo(ping, &mut [0; 8]).is_ok());
        several.client.stack.close(several.client.now, ping).unwrap();
    }
    assert_eq!((several.sum(|all| all.icmp.echo_answered), several.sum(|all| all.ip.forwarded)), (2, 0));
    for place in 0..2 {
        let host = &mut several.members[place];
        let ping = host.stack.icmp_bind(None).unwrap();
        host.stack.icmp_send_echo(ping, ip("10.0.0.2"), 1, b"x").unwrap();
        several.exchange(|_| 1 - place);
        assert!(several.members[place].stack.icmp_recv_echo(ping, &mut [0; 8]).is_ok(), "{place}");
    }
    assert_eq!(several.sum(|all| all.ip.forwarded), 2);
}

#[test]
fn an_icmp_error_goes_to_the_connection_that_it_quotes() {
    let mut several = Several::new(2);
    let listeners = several.listen();
    let steering = several.members[0].stack.steering().unwrap().clone();
    let right = |packet: &Packet| steering.of_flow(ends(packet).0, ends(packet).1);
    let stream = several.client.stack.connect(several.client.now, at("10.0.0.1", 80), None, None).unwrap();
    several.exchange(right);
    let owner = several.owner(at("10.0.0.1", 80), several.client.stack.local_addr(stream).unwrap());
    let member = &mut several.members[owner];
    let (accepted, _) = member.stack.accept(listeners[owner]).unwrap();
    let before = member.stack.info(accepted).unwrap().snd_mss;
    member.stack.write(accepted, &[7; 1_400]).unwrap();
    let sent = member.output();
    let too_big =
        v4_header(Icmpv4Type::DestinationUnreachable(icmpv4::DestUnreachableHeader::FragmentationNeeded {
            next_hop_mtu: 1_000,
        }));
    let message = [&too_big[..], &sent[0].bytes[..28]].concat();
    let error = packet("10.9.9.9", "10.0.0.1", Protocol::ICMP, &message, 2);
    several.members[1 - owner].receive(&error);
    several.hand_on();
    let member = &several.members[owner];
    assert_eq!(member.stack.counters().icmp.errors_matched, 1);
    let after = member.stack.info(accepted).unwrap().snd_mss;
    assert!(after < before && after <= 960, "{before}, then {after}");
}

#[test]
fn fragments_meet_wherever_each_comes_in_and_the_whole_goes_to_its_owner() {
    let mut several = Several::new(3);
    let owner = several.members[0].stack.steering().unwrap().of_port(PORT);
    let server = several.members[owner].stack.udp_bind(at("10.0.0.1", PORT)).unwrap();
    for identification in 0..12 {
        let whole = datagram(FAMILIES[0], &[0xab; 40]);
        let pieces = cut(&whole, identification, &[0, 16, 32, 48]);
        pieces.iter().zip(&mut several.members).for_each(|(piece, host)| host.receive(piece));
        several.hand_on();
        let mut buffer = [0; 64];
        let host = &mut several.members[owner];
        assert_eq!(host.stack.udp_recv_from(server, &mut buffer), Ok((40, at("10.0.0.2", 5_000))));
        assert!(buffer[..40].iter().all(|&byte| byte == 0xab));
    }
    assert_eq!(several.sum(|all| all.ip.reassembled), 12);
}

#[test]
fn datagrams_to_ourselves_find_the_stack_whose_they_are() {
    let mut several = Several::new(2);
    let owner = several.members[0].stack.steering().unwrap().of_port(53);
    let server = several.members[owner].stack.udp_bind(at("10.0.0.1", 53)).unwrap();
    let other = &mut several.members[1 - owner];
    let socket = other.stack.udp_bind(at("10.0.0.1", 0)).unwrap();
    other.stack.udp_send_to(socket, b"hello", at("10.0.0.1", 53)).unwrap();
    several.exchange(|_| unreachable!("nothing leaves the process"));
    let host = &mut several.members[owner];
    assert_eq!(host.stack.udp_recv_from(server, &mut [0; 8]).unwrap().0, 5);
}

#[test]
fn a_connection_to_ourselves_stays_in_its_stack() {
    let mut several = Several::new(2);
    let listeners = several.listen();
    for (place, listener) in listeners.into_iter().enumerate() {
        let host = &mut several.members[place];
        let _stream = host.stack.connect(host.now, at("10.0.0.1", 80), None, None).unwrap();
        several.exchange(|_| unreachable!("nothing leaves the process"));
        assert!(several.members[place].stack.accept(listener).is_ok());
    }
}

#[test]
fn what_nobody_takes_is_bounded_and_counted() {
    let mut several = Several::new(2);
    several.listen();
    let syn = |port| tcp(at("10.0.0.2", port), at("10.0.0.1", 80), header(1, 0, TcpFlags::SYN), b"");
    for port in 1..=5_000 {
        several.members[0].receive(&syn(port));
    }
    let counters = several.members[0].stack.counters().ip;
    assert_eq!(counters.forwarded, 0, "not yet");
    assert!(counters.forward_dropped > 1_000, "{}", counters.forward_dropped);
    let taken = std::iter::from_fn(|| several.members[0].stack.poll_stray()).count();
    assert_eq!((taken, several.members[0].stack.has_strays()), (1_024, false));
    several.members[0].stack.count_lost_stray();
    let after = several.members[0].stack.counters().ip;
    assert_eq!((after.forwarded, after.forward_dropped), (1_023, counters.forward_dropped + 1));
}

#[test]
fn what_crosses_is_memory_of_the_stack_that_keeps_it() {
    let mut several = Several::new(2);
    let owner = several.members[0].stack.steering().unwrap().of_port(53);
    let server = several.members[owner].stack.udp_bind(at("10.0.0.1", 53)).unwrap();
    let socket = several.client.stack.udp_bind(at("10.0.0.2", 40_000)).unwrap();
    // Large enough for the packet's own chunk to cross instead of a copy.
    several.client.stack.udp_send_to(socket, &[7; 1_400], at("10.0.0.1", 53)).unwrap();
    let in_use =
        |several: &Several| [owner, 1 - owner].map(|place| several.members[place].stack.pool().in_use());
    let before = in_use(&several);
    several.exchange(|_| 1 - owner);
    let kept = in_use(&several);
    assert!(kept[0] >= before[0] + 1_400 && kept[1] <= before[1], "{before:?}, then {kept:?}");
    assert_eq!(several.members[owner].stack.udp_recv_from(server, &mut [0; 2_000]).unwrap().0, 1_400);
}

#[test]
fn what_nobody_can_read_stays_where_it_is() {
    let mut several = Several::new(2);
    for protocol in [Protocol::TCP, Protocol::UDP, Protocol::ICMP, Protocol(99)] {
        let short = packet("10.0.0.2", "10.0.0.1", protocol, &[0; 3], 0);
        several.members[0].receive(&short);
        several.members[1].receive(&short);
    }
    assert_eq!(several.sum(|all| all.ip.forwarded), 0);
    assert_eq!(several.sum(|all| all.ip.received), 8);
}
