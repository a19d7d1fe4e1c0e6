//! ICMP errors: what others say about our packets, and what we say about theirs.

use std::net::{IpAddr, SocketAddr};

use etherparse::{Icmpv4Type, Icmpv6Type, Ipv4HeaderSlice, Ipv6HeaderSlice, icmpv4, icmpv6};
use fastrand::Rng;

use super::flow::{Flow, FourTuple};
use super::icmp::{HEADER_LEN, v4_header, v6_header};
use super::outbox::Datagram;
use super::socket::Socket;
use super::{Duration, Error, Instant, Stack};
use crate::wire::{IpHeader, IpPair, Protocol, SeqNumber};

/// An error quotes so much of an IPv4 packet that it stays within 576 bytes (RFC 1812 4.3.2.3).
const QUOTE_V4: usize = 576 - 20 - HEADER_LEN;
/// An error quotes so much of an IPv6 packet that it stays within the least MTU (RFC 4443 2.4).
const QUOTE_V6: usize = 1280 - 40 - HEADER_LEN;

/// What an error quotes of one of our TCP segments or UDP datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Quoted {
    pub(super) protocol: Protocol,
    pub(super) tuple: FourTuple,
    /// Of a segment; a datagram has none.
    seq: SeqNumber,
}

/// What others say about packets of ours.
#[derive(Clone, Copy, Debug)]
pub(super) enum Report {
    /// It went no further; the error that a connection would give.
    Unreachable(Error),
    /// It was too large for a router, which carries so many bytes; 0 if it does not say.
    TooBig(u32),
}

/// The segment size that goes with a router's MTU; inside, `None` for a router that does not say (RFC 1191 5). A link
/// with less than 1,280 bytes is none that IPv6 can have: the message is not to be believed (RFC 8201 4).
fn segment_size(ours: IpAddr, mtu: u32) -> Option<Option<u16>> {
    let headers = match ours {
        IpAddr::V4(_) if mtu == 0 => return Some(None),
        IpAddr::V4(_) => 40,
        IpAddr::V6(_) if mtu < 1_280 => return None,
        IpAddr::V6(_) => 60,
    };
    Some(Some(u16::try_from(mtu.saturating_sub(headers)).unwrap_or(u16::MAX)))
}

/// What we say about packets of others.
#[derive(Clone, Copy, Debug)]
pub(super) enum Complaint {
    /// Nobody is bound to the port (RFC 1122 4.1.3.1).
    PortUnreachable,
    /// Not all fragments came in time.
    ReassemblyTimeout,
}

impl Complaint {
    fn v4(self) -> Icmpv4Type {
        match self {
            Complaint::PortUnreachable => {
                Icmpv4Type::DestinationUnreachable(icmpv4::DestUnreachableHeader::Port)
            }
            Complaint::ReassemblyTimeout => {
                Icmpv4Type::TimeExceeded(icmpv4::TimeExceededCode::FragmentReassemblyTimeExceeded)
            }
        }
    }

    fn v6(self) -> Icmpv6Type {
        match self {
            Complaint::PortUnreachable => {
                Icmpv6Type::DestinationUnreachable(icmpv6::DestUnreachableCode::Port)
            }
            Complaint::ReassemblyTimeout => {
                Icmpv6Type::TimeExceeded(icmpv6::TimeExceededCode::FragmentReassemblyTimeExceeded)
            }
        }
    }
}

/// An error about an ICMP message might be one about an error (RFC 1122 3.2.2, RFC 4443 2.4 e).
fn is_icmp(protocol: Protocol) -> bool {
    [Protocol::ICMP, Protocol::ICMPV6].contains(&protocol)
}

impl Stack {
    /// An error about a packet that `quote` begins with, sent to our address `to`.
    pub(super) fn icmp_error_input(&mut self, to: IpAddr, report: Report, quote: &[u8]) {
        let Some(Quoted { protocol, tuple, seq }) =
            quoted_packet(quote).filter(|quoted| quoted.tuple.local().ip() == to)
        else {
            self.env.counters.icmp.errors_unmatched += 1;
            return;
        };
        if protocol == Protocol::UDP {
            return self.icmp_udp_error_input(&tuple, report);
        }
        let Some(Flow::Connection(index)) = self.find_flow(self.demux.tag(&tuple), &tuple) else {
            self.env.counters.icmp.errors_unmatched += 1;
            return;
        };
        let Some(entry) = self.sockets.at_mut(index) else { return };
        let Socket::Tcp(tcp) = &mut entry.socket else { return };
        // RFC 5927 4.1: whoever cannot see our segments cannot guess what is in flight.
        let in_flight = seq.ge(tcp.connection.snd_una()) && seq.lt(tcp.connection.snd_nxt());
        if !in_flight {
            self.env.counters.icmp.errors_out_of_window += 1;
            return;
        }
        self.env.counters.icmp.errors_matched += 1;
        let mut cx = self.env.context();
        match report {
            Report::Unreachable(error) => tcp.connection.handle_unreachable(&mut cx, error),
            Report::TooBig(mtu) => {
                let mss = segment_size(to, mtu);
                if !mss.is_some_and(|mss| tcp.connection.handle_packet_too_big(&mut cx, mss)) {
                    self.env.counters.icmp.errors_ignored += 1;
                }
            }
        }
        self.output.mark(index, &mut entry.output);
        self.settle(index);
    }

    /// Only that nobody is there ends anything for a UDP socket; what routers say may pass.
    fn icmp_udp_error_input(&mut self, tuple: &FourTuple, report: Report) {
        let refused = matches!(report, Report::Unreachable(Error::ConnectionRefused));
        let matched = refused && self.udp_refused(tuple.local(), tuple.remote());
        let counters = &mut self.env.counters.icmp;
        *(if matched { &mut counters.errors_matched } else { &mut counters.errors_unmatched }) += 1;
    }

    /// Tells the sender of a packet what became of it, as seldom as anybody (RFC 1122 3.2.2). Its source is unicast, or
    /// it would not have come here. About other addresses than ours we keep silent.
    pub(super) fn send_error(&mut self, complaint: Complaint, ip: &IpHeader, packet: &[u8]) {
        if !self.env.addresses.is_ours(ip.dst) || is_icmp(ip.protocol) {
            return;
        }
        if !self.icmp_limit.allows(self.env.now, &mut self.rng) {
            self.env.counters.icmp.errors_limited += 1;
            return;
        }
        let Some(addresses) = IpPair::new(ip.dst, ip.src) else { return };
        let (protocol, header, quote) = match addresses {
            IpPair::V4 { .. } => (Protocol::ICMP, v4_header(complaint.v4()), QUOTE_V4),
            IpPair::V6 { .. } => (Protocol::ICMPV6, v6_header(complaint.v6()), QUOTE_V6),
        };
        let quote = &packet[..ip.end.min(quote)];
        let mut payload = self.env.pool.take(quote.len());
        payload.append(quote);
        self.env.counters.icmp.errors_sent += 1;
        let message = Datagram { addresses, protocol, header, payload };
        self.outbox.push_datagram(&mut self.env.counters.ip, message);
    }
}

/// Reads the quoted beginning of a packet of ours. It is cut off, and routers have changed it on the way, so neither
/// lengths nor checksums mean anything; our packets have neither options nor extension headers.
pub(super) fn quoted_packet(quote: &[u8]) -> Option<Quoted> {
    let (src, dst, protocol, transport) = match quote.first()? >> 4 {
        4 => {
            let ip = Ipv4HeaderSlice::from_slice(quote).ok()?;
            let (src, dst) = (IpAddr::V4(ip.source_addr()), IpAddr::V4(ip.destination_addr()));
            (src, dst, ip.protocol(), quote.get(ip.slice().len()..)?)
        }
        6 => {
            let ip = Ipv6HeaderSlice::from_slice(quote).ok()?;
            let (src, dst) = (IpAddr::V6(ip.source_addr()), IpAddr::V6(ip.destination_addr()));
            (src, dst, ip.next_header(), quote.get(ip.slice().len()..)?)
        }
        _ => return None,
    };
    let protocol = [Protocol::TCP, Protocol::UDP].into_iter().find(|known| known.0 == protocol.0)?;
    let &[a, b, c, d, s0, s1, s2, s3] = transport.first_chunk::<8>()?;
    let (local, remote) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    let tuple = FourTuple::new(SocketAddr::new(src, local), SocketAddr::new(dst, remote))?;
    Some(Quoted { protocol, tuple, seq: SeqNumber(u32::from_be_bytes([s0, s1, s2, s3])) })
}

/// How often we send ICMP errors (RFC 1812 4.3.2.8, RFC 4443 2.4 f): a hundred a second, fifty at once; all stacks with our
/// addresses together, but for each of more than fifty one at once.
#[derive(Debug)]
pub(super) struct RateLimit {
    /// How many stacks share it.
    stacks: u32,
    /// Credit earned but not spent, as a time.
    credit: Duration,
    updated: Instant,
}

impl RateLimit {
    const COST: Duration = Duration::from_millis(10);
    const MOST: Duration = Duration::from_millis(500);

    /// A limit with all of its credit.
    pub(super) fn new(stacks: u32, now: Instant) -> RateLimit {
        let mut limit = RateLimit { stacks, credit: Duration::ZERO, updated: now };
        limit.credit = limit.most();
        limit
    }

    /// The most credit there can be: enough for one error at least, however many share the limit.
    fn most(&self) -> Duration {
        RateLimit::MOST.max(RateLimit::COST * self.stacks)
    }

    /// Whether an error may be sent, and pays for it. The price varies, so that whoever counts our errors does not
    /// learn how many others have drawn (the side channel of CVE-2020-25705).
    fn allows(&mut self, now: Instant, rng: &mut Rng) -> bool {
        self.credit = (self.credit + (now - self.updated)).min(self.most());
        self.updated = now;
        if self.credit < RateLimit::COST * self.stacks {
            return false;
        }
        let price = Duration::from_micros(rng.u64(5_000..=15_000)) * self.stacks;
        self.credit = self.credit.saturating_sub(price);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_limited_and_the_limit_recovers() {
        let mut limit = RateLimit::new(1, Instant::ZERO);
        let mut rng = Rng::with_seed(5);
        let burst = (0..1_000).filter(|_| limit.allows(Instant::ZERO, &mut rng)).count();
        assert!((35..80).contains(&burst), "{burst} at once");
        let a_second_later = Instant::from_secs(1);
        assert!(limit.allows(a_second_later, &mut rng));
        let sustained =
            (1_000..11_000).filter(|&ms| limit.allows(Instant::from_millis(ms), &mut rng)).count();
        assert!((900..1_200).contains(&sustained), "{sustained} in ten seconds");
    }

    #[test]
    fn several_stacks_have_a_share_each() {
        let mut rng = Rng::with_seed(5);
        let mut shares = [RateLimit::new(2, Instant::ZERO), RateLimit::new(2, Instant::ZERO)];
        let mut sent = 0;
        for at in (0..10_000).map(Instant::from_millis) {
            sent += shares.iter_mut().filter_map(|share| share.allows(at, &mut rng).then_some(())).count();
        }
        assert!((900..1_200).contains(&sent), "{sent} in ten seconds");
    }

    #[test]
    fn each_of_very_many_stacks_can_send_one_now_and_then() {
        let mut rng = Rng::with_seed(5);
        let mut shares: Vec<_> = (0..256).map(|_| RateLimit::new(256, Instant::ZERO)).collect();
        let mut sent = vec![0; 256];
        for at in (0..60_000).step_by(10).map(Instant::from_millis) {
            for (share, sent) in shares.iter_mut().zip(&mut sent) {
                *sent += usize::from(share.allows(at, &mut rng));
            }
        }
        assert!(sent.iter().all(|&sent| sent > 10), "{sent:?}");
        let all: usize = sent.iter().sum();
        assert!((5_000..8_000).contains(&all), "{all} in a minute");
    }

    #[test]
    fn what_is_cut_off_or_neither_tcp_nor_udp_matches_nothing() {
        assert_eq!(quoted_packet(&[]), None);
        assert_eq!(quoted_packet(&[0x45; 27]), None, "seven bytes of transport header");
        assert_eq!(quoted_packet(&[0x60; 48]), None, "neither TCP nor UDP");
        let mut quote = [0; 28];
        quote[0] = 0x45;
        quote[9] = 6;
        quote[20..].copy_from_slice(&[0, 80, 1, 0, 0, 0, 0, 9]);
        let quoted = quoted_packet(&quote).unwrap();
        assert_eq!((quoted.tuple.local_port, quoted.tuple.remote_port, quoted.seq), (80, 256, SeqNumber(9)));
    }
}
