//! Whatever arrives: no panic, no loop, nothing that grows without a bound, and the invariants hold.

use fastrand::Rng;
use proptest::prelude::*;

use super::*;
use crate::stack::ListenOptions;

/// Hosts in the middle of things: a listener, connections in several states, UDP and ICMP sockets.
fn busy_pair() -> Pair {
    let mut pair = Pair::new();
    for (server, _) in FAMILIES {
        let listener = pair.server.stack.listen(at(server, 80), ListenOptions::default()).unwrap();
        pair.server.stack.udp_bind(at(server, 80)).unwrap();
        let (c, _) = pair.connect(listener);
        let (closing, s) = pair.connect(listener);
        pair.client.stack.write(c, &[7; 3_000]).unwrap();
        pair.client.stack.close(pair.client.now, closing).unwrap();
        pair.server.stack.write(s, b"half closed").unwrap();
        pair.client.stack.connect(pair.client.now, at(server, 80), None, None).unwrap();
    }
    pair.server.stack.icmp_bind(Some(1)).unwrap();
    pair
}

/// Real packets of all kinds, in both directions.
fn captured() -> Vec<Vec<u8>> {
    let mut pair = busy_pair();
    let mut packets = Vec::new();
    for _ in 0..20 {
        let to_server = pair.client.output();
        to_server.iter().for_each(|packet| pair.server.receive_packet(packet));
        let to_client = pair.server.output();
        to_client.iter().for_each(|packet| pair.client.receive_packet(packet));
        packets.extend(to_server.into_iter().chain(to_client).map(|packet| packet.bytes));
    }
    for (ours, theirs) in FAMILIES {
        let protocol = if ours.contains(':') { Protocol::ICMPV6 } else { Protocol::ICMP };
        let quoted: Vec<_> = packets.iter().take(5).cloned().collect();
        for quote in quoted {
            let error = [&[3, 1, 0, 0, 0, 0, 0, 0], &quote[..quote.len().min(80)]].concat();
            packets.push(packet(theirs, ours, protocol, &error, 2));
        }
        packets.push(packet(theirs, ours, protocol, &[8, 0, 0, 0, 0, 1, 0, 1, 9, 9], 2));
        packets.push(packet(theirs, ours, Protocol::UDP, &[0, 9, 0, 80, 0, 9, 0, 0, 1], 6));
    }
    packets
}

/// Makes both checksums right, so that what is wrong with a packet is found behind them.
fn mend(bytes: &mut [u8]) {
    if bytes.len() >= 20 && bytes[0] == 0x45 {
        bytes[10..12].fill(0);
        let mut sum = Checksum::default();
        sum.add(&bytes[..20]);
        bytes[10..12].copy_from_slice(&sum.finish().to_be_bytes());
    }
    let Ok(ip) = IpHeader::parse(bytes) else { return };
    let field = match ip.protocol {
        Protocol::TCP => 16,
        Protocol::UDP => 6,
        _ => 2,
    };
    let Some(place) = bytes[..ip.end].get_mut(ip.payload + field..ip.payload + field + 2) else { return };
    place.fill(0);
    let segment = &bytes[ip.payload..ip.end];
    let mut sum = match ip.protocol {
        Protocol::ICMP => Checksum::default(),
        protocol => pseudo_header_sum(ip.src, ip.dst, protocol, segment.len()),
    };
    sum.add(segment);
    bytes[ip.payload + field..ip.payload + field + 2].copy_from_slice(&sum.finish().to_be_bytes());
}

fn mutate(rng: &mut Rng, bytes: &mut Vec<u8>) {
    for _ in 0..rng.usize(1..4) {
        if bytes.is_empty() {
            return;
        }
        let place = rng.usize(..bytes.len().min(80));
        match rng.u8(..4) {
            0 => bytes.truncate(rng.usize(..=bytes.len())),
            1 => bytes[place] ^= 1 << rng.u8(..8),
            2 => bytes[place] = rng.u8(..),
            _ => bytes.insert(place, rng.u8(..)),
        }
    }
    if rng.u8(..4) > 0 {
        mend(bytes);
    }
}

fn counted(host: &Host) -> u64 {
    host.stack.counters().iter().map(|(.., value)| value).sum()
}

#[test]
fn mutated_packets_of_real_connections() {
    let packets = captured();
    assert!(packets.len() > 20, "{} packets", packets.len());
    let mut rng = Rng::with_seed(4);
    for round in 0..20 {
        let mut pair = busy_pair();
        for _ in 0..500 {
            let mut bytes = packets[rng.usize(..packets.len())].clone();
            mutate(&mut rng, &mut bytes);
            let gso_size = if rng.bool() { 0 } else { rng.u16(..) };
            for host in [&mut pair.client, &mut pair.server] {
                host.receive_packet(&Packet { bytes: bytes.clone(), gso_size });
                host.output();
                host.wait(Duration::from_millis(rng.u64(..20)));
                host.events();
            }
        }
        assert!(pair.server.stack.sockets.len() < 600, "round {round}");
    }
}

#[test]
fn random_bytes_with_the_look_of_ip() {
    let mut rng = Rng::with_seed(9);
    let mut pair = busy_pair();
    let host = &mut pair.server;
    for _ in 0..20_000 {
        let mut bytes: Vec<u8> = (0..rng.usize(..120)).map(|_| rng.u8(..)).collect();
        match (rng.u8(..3), bytes.len()) {
            (0, 20..) => {
                bytes[0] = 0x45;
                let len = bytes.len() as u16;
                bytes[2..4].copy_from_slice(&len.to_be_bytes());
                bytes[6..8].fill(0);
                bytes[9] = [1, 6, 17][rng.usize(..3)];
                bytes[12..20].copy_from_slice(&[10, 0, 0, 2, 10, 0, 0, 1]);
                mend(&mut bytes);
            }
            (1, 40..) => {
                let len = bytes.len() as u16 - 40;
                bytes[..8].copy_from_slice(&[0x60, 0, 0, 0, (len >> 8) as u8, len as u8, 6, 64]);
                bytes[6] = [58, 6, 17, 0, 43, 44, 60][rng.usize(..7)];
                bytes[8..40].copy_from_slice(
                    &[ip("fd00::2"), ip("fd00::1")]
                        .map(|ip| match ip {
                            IpAddr::V6(v6) => v6.octets(),
                            IpAddr::V4(_) => unreachable!(),
                        })
                        .concat(),
                );
                mend(&mut bytes);
            }
            _ => {}
        }
        host.receive(&bytes);
        host.output();
    }
    assert_eq!(host.stack.sockets.iter().count(), host.stack.sockets.len());
}

#[test]
fn thousands_of_connections_come_and_go_and_leave_nothing_behind() {
    let mut host = Host::new();
    let local = at("10.0.0.1", 80);
    let listener =
        host.stack.listen(local, ListenOptions { backlog: 4, ..ListenOptions::default() }).unwrap();
    for n in 0..5_000u32 {
        let peer = SocketAddr::new(IpAddr::from(0x0a01_0000_u32.wrapping_add(n).to_be_bytes()), 9);
        let (theirs, _) = shake_hands(&mut host, peer, local);
        let (id, _) = host.stack.accept(listener).unwrap();
        host.receive(&tcp(peer, local, header(theirs, 0, TcpFlags::RST), b""));
        host.stack.close(host.now, id).unwrap();
        host.stack.poll_event();
    }
    host.output_nothing();
    assert_eq!((host.stack.sockets.len(), host.stack.demux.len(), host.stack.live_connections()), (1, 0, 0));
    assert_eq!(host.events(), []);
    host.wait(Duration::from_secs(60));
    assert_eq!(host.stack.poll_timeout(), None);
}

proptest! {
    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut host = Host::new();
        host.receive(&bytes);
        host.output();
        prop_assert_eq!(counted(&host), 2, "received, and why it was dropped");
    }

    #[test]
    fn any_segment_in_any_state(
        seq in any::<u32>(), ack in any::<u32>(), near in any::<bool>(), flags in any::<u8>(),
        window in any::<u16>(), len in 0..100usize,
    ) {
        let (local, peer) = (at("10.0.0.1", 80), at("10.0.0.2", 5_000));
        let mut host = Host::new();
        let listener = host.stack.listen(local, ListenOptions::default()).unwrap();
        let (theirs, ours) = shake_hands(&mut host, peer, local);
        let (id, _) = host.stack.accept(listener).unwrap();
        let (seq, ack) = if near {
            (theirs.wrapping_add(seq % 40).wrapping_sub(20), ours.wrapping_add(ack % 40).wrapping_sub(20))
        } else {
            (seq, ack)
        };
        let header = TcpHeader { window, ..header(seq, ack, TcpFlags(flags)) };
        for step in 0..4 {
            host.receive(&tcp(peer, local, header, &[1; 100][..len]));
            host.output();
            match step {
                0 => drop(host.stack.write(id, b"twenty bytes of data")),
                1 => drop(host.stack.shutdown(id, std::net::Shutdown::Write)),
                _ => drop(host.stack.close(host.now, id)),
            }
            host.output();
        }
        host.wait(Duration::from_secs(5_000));
        prop_assert_eq!(host.stack.live_connections(), 0, "nothing lives for ever");
    }
}
