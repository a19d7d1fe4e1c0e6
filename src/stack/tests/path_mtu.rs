//! A hop between two stacks that carries less than their devices do.

use super::*;
use crate::stack::{ListenOptions, TcpInfo};

const ROUTERS: [&str; 2] = ["10.0.0.9", "fd00::9"];

/// Bytes of IP header, TCP header and timestamps.
fn headers(address: &str) -> usize {
    if address.contains(':') { 72 } else { 52 }
}

/// Two stacks, a connection, and the hop between them.
struct Hop {
    pair: Pair,
    mtu: usize,
    /// Whether the hop says what it drops.
    tells: bool,
    dropped: usize,
    client: SocketId,
    server: SocketId,
}

impl Hop {
    fn new((ours, _): (&str, &str), mtu: usize) -> Hop {
        let mut pair = Pair::new();
        let listener = pair.server.stack.listen(at(ours, 80), ListenOptions::default()).unwrap();
        let (client, server) = pair.connect(listener);
        pair.client
            .stack
            .set_options(client, crate::tcp::SocketOptions { nodelay: true, ..Default::default() })
            .unwrap();
        Hop { pair, mtu, tells: true, dropped: 0, client, server }
    }

    /// Carries what is small enough to the server, and the answers back, until both are quiet.
    #[track_caller]
    fn exchange(&mut self) {
        for _ in 0..10_000 {
            let (up, down) = (self.pair.client.output(), self.pair.server.output());
            if up.is_empty() && down.is_empty() {
                return;
            }
            for packet in &up {
                if wire_size(packet) <= self.mtu {
                    self.pair.server.receive_packet(packet);
                } else {
                    self.dropped += 1;
                    if self.tells {
                        self.pair.client.receive(&too_big(&packet.bytes, self.mtu as u32));
                    }
                }
            }
            down.iter().for_each(|packet| self.pair.client.receive_packet(packet));
        }
        panic!("the two do not come to rest");
    }

    /// Writes all of it and lets time pass until it is there, or so many seconds are over; how many those were.
    #[track_caller]
    fn transfer(&mut self, bytes: &[u8], seconds: u64) -> u64 {
        let (start, mut written, mut received) = (self.pair.client.now, 0, Vec::new());
        loop {
            written += self.pair.client.stack.write(self.client, &bytes[written..]).unwrap_or(0);
            self.exchange();
            received.extend(self.pair.server.read_all(self.server));
            self.exchange();
            if received.len() == bytes.len() {
                assert!(received == bytes);
                return (self.pair.client.now - start).as_secs();
            }
            assert!((self.pair.client.now - start).as_secs() < seconds, "{} bytes arrived", received.len());
            self.wait(Duration::from_millis(50));
        }
    }

    fn wait(&mut self, span: Duration) {
        let now = self.pair.client.now + span;
        for host in [&mut self.pair.client, &mut self.pair.server] {
            host.now = now;
            host.stack.handle_timeout(now);
        }
        self.exchange();
    }

    /// Sends while nothing at all arrives for so long, and until all is there.
    #[track_caller]
    fn outage(&mut self, millis: u64) {
        let (bytes, mtu) = (pattern(30_000), std::mem::take(&mut self.mtu));
        assert_eq!(self.pair.client.stack.write(self.client, &bytes), Ok(bytes.len()));
        self.exchange();
        (0..millis / 50).for_each(|_| self.wait(Duration::from_millis(50)));
        self.mtu = mtu;
        let mut received = Vec::new();
        for _ in 0..2_000 {
            self.wait(Duration::from_millis(50));
            received.extend(self.pair.server.read_all(self.server));
        }
        assert!(received == bytes, "{} bytes arrived", received.len());
    }

    fn info(&self) -> TcpInfo {
        self.pair.client.stack.info(self.client).unwrap()
    }

    /// The client's counters: reductions by a router's word, by silence, and time-outs.
    fn counters(&self) -> (u64, u64, u64) {
        let tcp = &self.pair.client.stack.counters().tcp;
        (tcp.path_mtu_reductions, tcp.path_mtu_black_holes, tcp.rto)
    }
}

/// Bytes of the largest packet that a super-packet becomes.
fn wire_size(packet: &Packet) -> usize {
    let (_, payload) = segment(&packet.bytes);
    let headers = packet.bytes.len() - payload.len();
    let longest = if packet.gso_size > 0 { payload.len().min(packet.gso_size.into()) } else { payload.len() };
    headers + longest
}

/// What a router says that has dropped `packet`, which carries packets of `mtu` bytes.
fn too_big(packet: &[u8], mtu: u32) -> Vec<u8> {
    let sender = IpHeader::parse(packet).unwrap().src.to_string();
    let quote = &packet[..packet.len().min(100)];
    let mtu = mtu.to_be_bytes();
    match sender.contains(':') {
        false => {
            let message = [&[3, 4, 0, 0, 0, 0, mtu[2], mtu[3]], quote].concat();
            super::packet(ROUTERS[0], &sender, Protocol::ICMP, &message, 2)
        }
        true => {
            let message = [&[2, 0, 0, 0, mtu[0], mtu[1], mtu[2], mtu[3]], quote].concat();
            super::packet(ROUTERS[1], &sender, Protocol::ICMPV6, &message, 2)
        }
    }
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8).collect()
}

#[test]
fn rfc_1191_3_and_rfc_8201_4_a_routers_word_cuts_segments_to_what_the_path_carries() {
    for (family, mtu) in FAMILIES.into_iter().zip([1_400, 1_320]) {
        let mut hop = Hop::new(family, mtu);
        assert_eq!(hop.transfer(&pattern(500_000), 1), 0, "nothing waits for a timer");
        assert_eq!(usize::from(hop.info().snd_mss), mtu - headers(family.0));
        assert_eq!(hop.counters(), (1, 0, 0));
    }
}

/// RFC 1191 6.5: the drop is no sign of congestion; super-packets go out again in smaller segments, at once.
#[test]
fn rfc_1191_6_5_what_was_too_large_goes_out_again_cut_anew_and_the_window_stays() {
    let mut hop = Hop::new(FAMILIES[0], 1_400);
    let cwnd = hop.info().cwnd;
    hop.pair.client.stack.write(hop.client, &pattern(14_000)).unwrap();
    let first = hop.pair.client.output();
    assert!(first.iter().any(|packet| packet.gso_size == 1_448), "{first:?}");
    hop.pair.client.receive(&too_big(&first[0].bytes, 1_400));
    let again = hop.pair.client.output();
    assert!(again.iter().any(|packet| packet.gso_size == 1_348));
    assert!(again.iter().all(|packet| wire_size(packet) <= 1_400));
    assert_eq!(segment(&again[0].bytes).0.seq, segment(&first[0].bytes).0.seq);
    again.iter().for_each(|packet| hop.pair.server.receive_packet(packet));
    hop.exchange();
    assert_eq!(hop.pair.server.read_all(hop.server), pattern(14_000));
    assert!(hop.info().cwnd >= cwnd);
    assert_eq!(hop.info().lost, 0);
}

/// Tells a client with a segment under way of an MTU; what its segments carry then, headers included.
#[track_caller]
fn told(family: (&str, &str), mtus: &[u32], change: impl Fn(&mut Vec<u8>)) -> usize {
    let mut hop = Hop::new(family, usize::MAX);
    hop.pair.client.stack.write(hop.client, &pattern(1_400)).unwrap();
    let mut sent = hop.pair.client.output().remove(0).bytes;
    change(&mut sent);
    mtus.iter().for_each(|&mtu| hop.pair.client.receive(&too_big(&sent, mtu)));
    usize::from(hop.info().snd_mss) + headers(family.0)
}

#[test]
fn rfc_5927_4_1_a_word_about_what_is_not_under_way_is_not_believed() {
    for (family, seq) in FAMILIES.into_iter().zip([24, 44]) {
        assert_eq!(told(family, &[1_300], |_| {}), 1_300);
        assert_eq!(told(family, &[1_300], |packet| packet[seq] ^= 0x40), 1_500);
        assert_eq!(told(family, &[1_300], |packet| packet[seq - 3] ^= 1), 1_500, "another port");
    }
}

#[test]
fn rfc_1191_3_and_rfc_8201_4_what_no_path_has_is_not_believed() {
    let [v4, v6] = FAMILIES;
    assert_eq!(told(v4, &[1_500], |_| {}), 1_500);
    assert_eq!(told(v4, &[9_000], |_| {}), 1_500);
    assert_eq!(told(v4, &[1_300, 1_400], |_| {}), 1_300, "it never grows by a message");
    assert_eq!(told(v4, &[68], |_| {}), 576);
    assert_eq!(told(v6, &[1_280], |_| {}), 1_280);
    assert_eq!(told(v6, &[1_279], |_| {}), 1_500);
    assert_eq!(told(v6, &[0], |_| {}), 1_500);
    assert_eq!(told(v6, &[u32::MAX], |_| {}), 1_500);
}

#[test]
fn rfc_1191_5_a_router_that_does_not_say_how_much_gets_the_next_lower_plateau() {
    let [v4, _] = FAMILIES;
    assert_eq!(told(v4, &[0], |_| {}), 1_492);
    assert_eq!(told(v4, &[0, 0], |_| {}), 1_006);
    assert_eq!(told(v4, &[0, 0, 0, 0], |_| {}), 576);
}

/// RFC 5927 7: no message has an effect beyond the connection that it is about.
#[test]
fn another_connection_on_the_same_path_is_left_alone() {
    let mut hop = Hop::new(FAMILIES[0], 1_400);
    let listener = hop.pair.server.stack.listen(at("10.0.0.1", 81), ListenOptions::default()).unwrap();
    let (other, _) = hop.pair.connect(listener);
    hop.transfer(&pattern(50_000), 1);
    assert_eq!(hop.pair.client.stack.info(other).unwrap().snd_mss, 1_448);
}

#[test]
fn rfc_1191_6_3_after_ten_minutes_larger_segments_are_tried_again() {
    let mut hop = Hop::new(FAMILIES[0], 1_400);
    hop.transfer(&pattern(50_000), 1);
    let dropped = hop.dropped;
    hop.wait(Duration::from_secs(599));
    hop.transfer(&pattern(50_000), 1);
    assert_eq!((hop.info().snd_mss, hop.dropped), (1_348, dropped));
    hop.wait(Duration::from_secs(2));
    hop.mtu = 1_500;
    hop.transfer(&pattern(50_000), 1);
    assert_eq!((hop.info().snd_mss, hop.dropped), (1_448, dropped));
}

#[test]
fn rfc_4821_7_7_a_path_that_says_nothing_is_found_out_by_time_outs() {
    for family in FAMILIES {
        let mut hop = Hop::new(family, 1_300);
        hop.tells = false;
        let seconds = hop.transfer(&pattern(200_000), 10);
        assert!(seconds <= 4, "{seconds} s");
        let (reductions, black_holes, _) = hop.counters();
        assert_eq!((reductions, black_holes, hop.info().snd_mss), (0, 1, 1_220 - 12));
    }
}

#[test]
fn rfc_4821_7_7_and_for_ipv4_once_more_down_to_what_every_path_carries() {
    let mut hop = Hop::new(FAMILIES[0], 576);
    hop.tells = false;
    hop.transfer(&pattern(20_000), 60);
    assert_eq!((hop.counters().1, hop.info().snd_mss), (1, 536 - 12));
}

/// One full segment each time: what is left of it when a smaller one has gone ahead is small as well, and says nothing.
#[test]
fn rfc_4821_7_7_single_segments_into_a_black_hole_find_it_out_at_the_second_one() {
    let mut hop = Hop::new(FAMILIES[0], 1_300);
    hop.tells = false;
    hop.transfer(&pattern(1_448), 5);
    assert_eq!(hop.counters().1, 0);
    hop.transfer(&pattern(1_448), 2);
    assert_eq!((hop.counters().1, hop.info().snd_mss), (1, 1_220 - 12));
}

#[test]
fn rfc_4821_7_7_an_outage_is_no_black_hole() {
    for (family, mss) in FAMILIES.into_iter().zip([1_448, 1_428]) {
        for millis in [300, 700, 1_400, 1_500, 3_000, 7_000, 20_000] {
            let mut hop = Hop::new(family, 1_500);
            hop.tells = false;
            hop.transfer(&pattern(50_000), 1);
            hop.outage(millis);
            assert_eq!((hop.counters().1, hop.info().snd_mss), (0, mss), "{millis} ms");
            // Nor is a second one that follows after more data.
            hop.transfer(&pattern(50_000), 1);
            hop.outage(millis);
            assert_eq!((hop.counters().1, hop.info().snd_mss), (0, mss), "{millis} ms, twice");
        }
    }
}

#[test]
fn rfc_4821_7_7_a_black_hole_after_an_outage_is_found_out_as_well() {
    let mut hop = Hop::new(FAMILIES[0], 1_500);
    hop.tells = false;
    hop.outage(1_500);
    hop.mtu = 1_300;
    hop.transfer(&pattern(50_000), 5);
    assert_eq!((hop.counters().1, hop.info().snd_mss), (1, 1_220 - 12));
}

#[test]
fn small_segments_that_go_unanswered_say_nothing_of_the_paths_mtu() {
    let mut hop = Hop::new(FAMILIES[0], 0);
    hop.tells = false;
    hop.pair.client.stack.write(hop.client, b"anyone?").unwrap();
    (0..200).for_each(|_| hop.wait(Duration::from_millis(100)));
    let (_, black_holes, rto) = hop.counters();
    assert!(rto > 3);
    assert_eq!((black_holes, hop.info().snd_mss), (0, 1_448));
}
