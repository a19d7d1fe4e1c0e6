use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;

use nix::sys::timerfd::{ClockId, TimerFd, TimerFlags};

use super::super::cut::tests::{V4, V6, headers, tcp_headers, tcp_packet, verified};
use super::*;
use crate::buffer::Pool;
use crate::wire::{Checksum, ChecksumState, Protocol, TcpFlags, pseudo_header_sum};

const MTU: usize = 1_500;
const FLAGS: TcpFlags = TcpFlags(TcpFlags::ACK.0 | TcpFlags::PSH.0);

/// A device, and the kernel's end of what it reads and writes.
struct Rig {
    device: Offload,
    kernel: UnixDatagram,
}

fn rig() -> Rig {
    let (ours, kernel) = UnixDatagram::pair().unwrap();
    for socket in [&ours, &kernel] {
        socket.set_nonblocking(true).unwrap();
    }
    Rig { device: Offload::over(File::from(OwnedFd::from(ours)), "pair".to_owned(), MTU), kernel }
}

impl Rig {
    fn send(&mut self, packet: &OutPacket<'_>) -> SendOutcome {
        self.device.send(Instant::ZERO, packet)
    }

    /// What the device wrote next: the fields of the virtio-net header, and the packet.
    #[track_caller]
    fn written(&self) -> (Virtio, Vec<u8>) {
        let mut bytes = vec![0; 70_000];
        let len = self.kernel.recv(&mut bytes).expect("something was written");
        let header = VirtioHeader::parse(bytes.first_chunk().unwrap());
        let [_, _, a, b, c, d, e, f, g, h] = header.emit();
        let number = |low, high| u16::from_ne_bytes([low, high]);
        let virtio = Virtio {
            needs_sum: bytes[0] == 1,
            gso_type: bytes[1],
            hdr_len: number(a, b).into(),
            gso_size: number(c, d),
            start: number(e, f).into(),
            offset: number(g, h).into(),
        };
        (virtio, bytes[virtio::LEN..len].to_vec())
    }

    fn has_written_nothing(&self) -> bool {
        self.kernel.recv(&mut [0; 16]).is_err()
    }

    /// The kernel hands over a packet behind these ten bytes.
    fn arrives(&self, header: [u8; 10], packet: &[u8]) {
        self.kernel.send(&[&header[..], packet].concat()).unwrap();
    }

    fn receive(&mut self) -> io::Result<(PacketMeta, Vec<u8>)> {
        let mut packet = Pool::new().take_largest();
        let meta = self.device.receive(Instant::from_millis(7), &mut packet)?;
        Ok((meta, packet.to_vec()))
    }

    #[track_caller]
    fn counter(&self, wanted: &str) -> u64 {
        let mut found = None;
        self.device.counters(&mut |name, _, value| found = found.or((name == wanted).then_some(value)));
        found.expect("a counter of that name")
    }
}

/// A virtio-net header, read by these tests and not by the code that they test.
#[derive(Debug)]
struct Virtio {
    needs_sum: bool,
    gso_type: u8,
    hdr_len: usize,
    gso_size: u16,
    start: usize,
    offset: usize,
}

/// Does what the kernel does for NEEDS_CSUM.
fn summed(virtio: &Virtio, mut packet: Vec<u8>) -> Vec<u8> {
    assert!(virtio.needs_sum);
    let mut sum = Checksum::default();
    sum.add(&packet[virtio.start..]);
    packet[virtio.start + virtio.offset..][..2].copy_from_slice(&sum.finish().to_be_bytes());
    packet
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8).collect()
}

fn arrival(flags: u8, gso_type: u8, gso_size: u16) -> [u8; 10] {
    let [a, b] = gso_size.to_ne_bytes();
    [flags, gso_type, 40, 0, a, b, 20, 0, 16, 0]
}

#[test]
fn a_super_packet_is_one_write_of_all_its_slices() {
    for (addresses, gso_type, ip_len) in [(V4, 1, 20), (V6, 4, 40)] {
        for len in [1_461, 2_896, 20_001, 65_535 - ip_len - 20] {
            let payload = pattern(len);
            let (one, rest) = payload.split_at(1);
            let (two, three) = rest.split_at(rest.len() / 3);
            let header = tcp_headers(addresses, 77, FLAGS, len);
            let slices = [one, two, three];
            let mut rig = rig();
            assert_eq!(rig.send(&tcp_packet(&header, &slices, 1_400)), SendOutcome::Sent);

            let (virtio, packet) = rig.written();
            assert_eq!(packet, [&header[..], &payload].concat(), "{len} bytes");
            assert_eq!((virtio.gso_type, virtio.gso_size), (gso_type, 1_400));
            assert_eq!((virtio.hdr_len, virtio.start, virtio.offset), (ip_len + 20, ip_len, 16));
            assert_eq!(verified(&summed(&virtio, packet)).1, payload);
            assert!(rig.has_written_nothing());
            assert_eq!(
                (rig.counter("device_sent_packets"), rig.counter("device_sent_super_packets")),
                (1, 1)
            );
        }
    }
}

#[test]
fn a_single_segment_leaves_its_checksum_to_the_kernel() {
    for addresses in [V4, V6] {
        for len in [0, 1, 7, 1_400] {
            let payload = pattern(len);
            let header = tcp_headers(addresses, 1, FLAGS, len);
            let mut rig = rig();
            assert_eq!(rig.send(&tcp_packet(&header, &[&payload], 1_400)), SendOutcome::Sent);
            let (virtio, packet) = rig.written();
            assert_eq!((virtio.gso_type, virtio.gso_size), (0, 0), "no longer than a segment: not to be cut");
            assert_eq!(verified(&summed(&virtio, packet)).1, payload);
            assert_eq!(rig.counter("device_sent_super_packets"), 0);
        }
    }
}

#[test]
fn udp_is_left_to_the_kernel_and_icmp_finished_here() {
    let mut rig = rig();
    let udp = headers(V6, Protocol::UDP, UDP_CHECKSUM, &[0, 53, 1, 0, 0, 11, 0, 0], 3);
    let packet =
        OutPacket { header: &udp, payload: &[b"abc"], transport: 40, checksum: UDP_CHECKSUM, gso_size: 0 };
    assert_eq!(rig.send(&packet), SendOutcome::Sent);
    let (virtio, written) = rig.written();
    assert_eq!(verified(&summed(&virtio, written)).1, b"abc");

    let (src, dst): (IpAddr, IpAddr) = (V6.0.parse().unwrap(), V6.1.parse().unwrap());
    let icmp = headers(V6, Protocol::ICMPV6, 2, &[129, 0, 0, 0, 0, 5, 0, 1], 3);
    let packet = OutPacket { header: &icmp, payload: &[b"abc"], transport: 40, checksum: 2, gso_size: 0 };
    assert_eq!(rig.send(&packet), SendOutcome::Sent);
    let (virtio, written) = rig.written();
    assert!(!virtio.needs_sum, "a raw socket would see the bare sum");
    let mut sum = pseudo_header_sum(src, dst, Protocol::ICMPV6, 11);
    sum.add(&written[40..]);
    assert_eq!(sum.finish(), 0);
}

#[test]
fn what_no_wire_could_carry_is_refused_here_as_the_kernel_would_not() {
    let payload = pattern(9_000);
    let slices = [&payload[..]];
    let header = tcp_headers(V4, 1, FLAGS, payload.len());
    let mut rig = rig();
    for packet in [
        tcp_packet(&header, &slices, 0),
        tcp_packet(&header, &slices, 1_461),
        tcp_packet(&header[..30], &slices, 1_400),
        OutPacket { checksum: UDP_CHECKSUM, ..tcp_packet(&header, &slices, 1_400) },
    ] {
        assert_eq!(rig.send(&packet), SendOutcome::Failed, "{packet:?}");
    }
    assert!(rig.has_written_nothing());
    assert_eq!(rig.counter("device_uncuttable_packets"), 4);
    assert_eq!(rig.send(&tcp_packet(&header, &slices, 1_460)), SendOutcome::Sent, "exactly the MTU");
}

#[test]
fn a_payload_in_more_slices_than_one_call_takes_is_cut_here() {
    let payload = pattern(6_300);
    let slices: Vec<_> = payload.chunks(100).collect();
    assert_eq!(slices.len(), MAX_SLICES - 1, "one too many, with the two headers");
    let header = tcp_headers(V4, 1, FLAGS, payload.len());
    let mut rig = rig();
    assert_eq!(rig.send(&tcp_packet(&header, &slices, 1_400)), SendOutcome::Sent);
    let mut received = Vec::new();
    for _ in 0..5 {
        let (virtio, packet) = rig.written();
        assert!(!virtio.needs_sum && virtio.gso_type == 0);
        received.extend(verified(&packet).1);
    }
    assert_eq!(received, payload);

    let header = tcp_headers(V4, 1, FLAGS, 6_200);
    assert_eq!(rig.send(&tcp_packet(&header, &slices[..62], 1_400)), SendOutcome::Sent);
    assert_eq!(rig.written().1.len(), 6_240, "as many as it takes");
}

#[test]
fn a_kernel_that_refuses_super_packets_gets_single_ones_from_then_on() {
    let payload = pattern(4_000);
    let slices = [&payload[..]];
    let header = tcp_headers(V6, 1, FLAGS, payload.len());
    let packet = tcp_packet(&header, &slices, 1_400);
    let mut rig = rig();
    // Writing to a timer is EINVAL, whatever is written.
    let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::empty()).unwrap();
    let refusing = Descriptor::new(File::from(OwnedFd::from(timer)), "timer".to_owned(), MTU);
    let willing = std::mem::replace(&mut rig.device.cut.wire_mut().descriptor, refusing);
    assert_eq!(rig.send(&tcp_packet(&header, &[b"x"], 0)), SendOutcome::Failed);
    assert!(rig.device.whole, "a refused single packet says nothing of larger ones");
    assert_eq!(rig.send(&packet), SendOutcome::Failed);

    rig.device.cut.wire_mut().descriptor = willing;
    assert_eq!(rig.send(&packet), SendOutcome::Sent);
    let lengths: Vec<_> = (0..3).map(|_| verified(&rig.written().1).1.len()).collect();
    assert_eq!(lengths, [1_400, 1_400, 1_200]);
    assert_eq!(rig.counter("device_sent_super_packets"), 0);
}

#[test]
fn a_small_super_packet_is_a_super_packet() {
    let payload = pattern(400);
    let slices = [&payload[..]];
    let header = tcp_headers(V4, 1, FLAGS, payload.len());
    let packet = tcp_packet(&header, &slices, 100);
    let mut rig = rig();
    assert_eq!(rig.send(&packet), SendOutcome::Sent);
    assert_eq!((rig.written().0.gso_size, rig.counter("device_sent_super_packets")), (100, 1));

    let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::empty()).unwrap();
    let refusing = Descriptor::new(File::from(OwnedFd::from(timer)), "timer".to_owned(), MTU);
    let willing = std::mem::replace(&mut rig.device.cut.wire_mut().descriptor, refusing);
    rig.send(&packet);
    assert!(!rig.device.whole, "the refusal is understood");
    rig.device.cut.wire_mut().descriptor = willing;
    assert_eq!(rig.send(&packet), SendOutcome::Sent);
    let lengths: Vec<_> = (0..4).map(|_| verified(&rig.written().1).1.len()).collect();
    assert_eq!(lengths, [100; 4]);
    assert!(rig.has_written_nothing());
}

#[test]
fn a_full_device_takes_nothing_of_a_super_packet() {
    let payload = pattern(60_000);
    let slices = [&payload[..]];
    let header = tcp_headers(V4, 1, FLAGS, payload.len());
    let packet = tcp_packet(&header, &slices, 1_400);
    let mut rig = rig();
    let sent = (0..10_000).take_while(|_| rig.send(&packet) == SendOutcome::Sent).count();
    assert!(sent > 0 && sent < 10_000, "{sent}");
    assert!(!rig.device.holds_back());
    for _ in 0..sent {
        assert_eq!(rig.written().1.len(), 60_040);
    }
    assert!(rig.has_written_nothing());
    assert_eq!(rig.counter("device_full"), 1);
    assert_eq!(rig.counter("device_sent_super_packets"), sent as u64);
    assert_eq!(rig.send(&packet), SendOutcome::Sent);
}

#[test]
fn what_the_header_says_goes_up_with_the_packet() {
    let mut rig = rig();
    for (header, checksum, gso_size) in [
        (arrival(0, 0, 0), ChecksumState::Unverified, 0),
        (arrival(1, 0, 0), ChecksumState::Trusted, 0),
        (arrival(2, 0, 0), ChecksumState::Trusted, 0),
        (arrival(1, 1, 1_448), ChecksumState::Trusted, 1_448),
        (arrival(1, 4, 1_428), ChecksumState::Trusted, 1_428),
        (arrival(1, 0x81, 1_448), ChecksumState::Trusted, 1_448),
    ] {
        rig.arrives(header, b"packet");
        let (meta, packet) = rig.receive().unwrap();
        assert_eq!(packet, b"packet");
        assert_eq!((meta.checksum, meta.gso_size), (checksum, gso_size), "{header:?}");
        assert_eq!(meta.received_at, Instant::from_millis(7));
    }
    assert_eq!(rig.receive().unwrap_err().kind(), io::ErrorKind::WouldBlock);
    assert_eq!(rig.counter("device_received_packets"), 6);
    assert_eq!(rig.counter("device_received_bytes"), 36);
    assert_eq!(rig.counter("device_received_super_packets"), 3);
}

#[test]
fn the_longest_packet_arrives_whole() {
    let mut rig = rig();
    let longest = pattern(65_535);
    rig.arrives(arrival(1, 1, 1_448), &longest);
    let mut packet = Chunk::from(vec![0; 65_535]);
    rig.device.receive(Instant::ZERO, &mut packet).unwrap();
    assert_eq!(&packet[..], longest, "in a buffer for the longest packet, with no room for the header");
}

#[test]
fn what_cannot_be_taken_apart_is_counted_and_passed_over() {
    let mut rig = rig();
    rig.kernel.send(b"short").unwrap();
    rig.arrives(arrival(1, 5, 1_448), b"merged UDP");
    rig.arrives(arrival(1, 1, 0), b"segments of no size");
    rig.arrives(arrival(0, 0, 0), b"packet");
    assert_eq!(rig.receive().unwrap().1, b"packet");
    assert_eq!(rig.receive().unwrap_err().kind(), io::ErrorKind::WouldBlock);
    assert_eq!(rig.counter("device_unusable_packets"), 3);
}

#[test]
fn only_the_last_queue_takes_back_what_the_interface_was_told() {
    let files = (0..3).map(|_| File::from(OwnedFd::from(UnixDatagram::unbound().unwrap()))).collect();
    let mut queues = Offload::over_queues(files, "queues", MTU);
    let last: Vec<_> = queues.iter_mut().map(Offload::leave).collect();
    assert_eq!(last, [false, false, true]);
    assert!(rig().device.leave(), "the only one is the last");
}
