//! A line in the log for each packet, in the words that tcpdump uses.

use std::fmt;
use std::io;

use super::{CounterVisitor, WireDevice};
use crate::buffer::Chunk;
use crate::time::Instant;
use crate::wire::{Ecn, IpHeader, PacketMeta, Protocol, SendOutcome, TcpFlags, TcpHeader, TcpOptions};

/// A [`WireDevice`] that logs every packet at trace level.
pub struct Trace<W> {
    wire: W,
    name: String,
}

impl<W: WireDevice> Trace<W> {
    /// Traces `wire`, called `name` in the log.
    pub fn new(wire: W, name: &str) -> Self {
        Trace { wire, name: name.to_owned() }
    }
}

impl<W: WireDevice> WireDevice for Trace<W> {
    fn mtu(&self) -> usize {
        self.wire.mtu()
    }

    fn receive(&mut self, now: Instant, packet: &mut Chunk) -> io::Result<PacketMeta> {
        let meta = self.wire.receive(now, packet)?;
        log::trace!("{} {} <- {}", meta.received_at, self.name, Summary(packet));
        Ok(meta)
    }

    fn transmit(&mut self, now: Instant, packet: &[u8]) -> SendOutcome {
        let outcome = self.wire.transmit(now, packet);
        match outcome {
            SendOutcome::Sent => log::trace!("{now} {} -> {}", self.name, Summary(packet)),
            refused => log::trace!("{now} {} -> {} ({refused:?})", self.name, Summary(packet)),
        }
        outcome
    }

    fn flush(&mut self, now: Instant) {
        self.wire.flush(now);
    }

    fn holds_back(&self) -> bool {
        self.wire.holds_back()
    }

    fn deadline(&self) -> Option<Instant> {
        self.wire.deadline()
    }

    fn counters(&self, visit: &mut CounterVisitor<'_>) {
        self.wire.counters(visit);
    }

    #[cfg(unix)]
    fn fd(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        self.wire.fd()
    }
}

/// Displays a packet in one line.
///
/// ```
/// use longwire::device::Summary;
/// assert_eq!(Summary(&[0x45, 0]).to_string(), "2 bytes, not a packet: shorter than its headers say");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Summary<'a>(pub &'a [u8]);

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ip = match IpHeader::parse(self.0) {
            Ok(ip) => ip,
            Err(error) => return write!(f, "{} bytes, not a packet: {error}", self.0.len()),
        };
        let body = &self.0[ip.payload..ip.end];
        f.write_str(if ip.src.is_ipv4() { "IP" } else { "IP6" })?;
        if let Some(fragment) = ip.fragment {
            let more = if fragment.more { ", more follow" } else { "" };
            return write!(
                f,
                " {} > {}: fragment at {}{more}, length {}",
                ip.src,
                ip.dst,
                fragment.offset,
                body.len()
            );
        }
        match (ip.protocol, body) {
            (Protocol::TCP, _) => write_tcp(f, &ip, body)?,
            (Protocol::UDP, &[a, b, c, d, _, _, _, _, ref data @ ..]) => {
                let (src, dst) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
                write!(f, " {}.{src} > {}.{dst}: UDP, length {}", ip.src, ip.dst, data.len())?;
            }
            (Protocol::ICMP | Protocol::ICMPV6, &[kind, code, ..]) => write_icmp(f, &ip, kind, code, body)?,
            (Protocol(number), _) => {
                write!(f, " {} > {}: protocol {number}, length {}", ip.src, ip.dst, body.len())?;
            }
        }
        if ip.ecn == Ecn::CongestionExperienced { f.write_str(", CE") } else { Ok(()) }
    }
}

fn write_tcp(f: &mut fmt::Formatter<'_>, ip: &IpHeader, segment: &[u8]) -> fmt::Result {
    let (tcp, header) = match TcpHeader::parse(segment) {
        Ok(parsed) => parsed,
        Err(error) => return write!(f, " {} > {}: bad TCP header: {error}", ip.src, ip.dst),
    };
    let len = segment.len() - header;
    write!(f, " {}.{} > {}.{}: Flags [", ip.src, tcp.src_port, ip.dst, tcp.dst_port)?;
    for (flag, letter) in [
        (TcpFlags::FIN, 'F'),
        (TcpFlags::SYN, 'S'),
        (TcpFlags::RST, 'R'),
        (TcpFlags::PSH, 'P'),
        (TcpFlags::URG, 'U'),
        (TcpFlags::ECE, 'E'),
        (TcpFlags::CWR, 'W'),
        (TcpFlags::ACK, '.'),
    ] {
        if tcp.has(flag) {
            write!(f, "{letter}")?;
        }
    }
    write!(f, "], seq {}", tcp.seq.0)?;
    if len > 0 {
        write!(f, ":{}", (tcp.seq + tcp.segment_len(len)).0)?;
    }
    if tcp.has(TcpFlags::ACK) {
        write!(f, ", ack {}", tcp.ack.0)?;
    }
    write!(f, ", win {}", tcp.window)?;
    write_options(f, &tcp.options)?;
    write!(f, ", length {len}")
}

fn write_options(f: &mut fmt::Formatter<'_>, options: &TcpOptions) -> fmt::Result {
    if *options == TcpOptions::default() {
        return Ok(());
    }
    let mut separator = ", options [";
    let mut item = |text: fmt::Arguments<'_>| {
        write!(f, "{separator}{text}")?;
        separator = ",";
        Ok(())
    };
    if let Some(mss) = options.mss {
        item(format_args!("mss {mss}"))?;
    }
    if options.sack_permitted {
        item(format_args!("sackOK"))?;
    }
    if let Some(stamps) = options.timestamps {
        item(format_args!("TS val {} ecr {}", stamps.value, stamps.echo))?;
    }
    if let Some(shift) = options.window_scale {
        item(format_args!("wscale {shift}"))?;
    }
    for (left, right) in options.sack.as_slice() {
        item(format_args!("sack {}:{}", left.0, right.0))?;
    }
    f.write_str("]")
}

fn write_icmp(f: &mut fmt::Formatter<'_>, ip: &IpHeader, kind: u8, code: u8, body: &[u8]) -> fmt::Result {
    let name = if ip.protocol == Protocol::ICMP { "ICMP" } else { "ICMP6" };
    write!(f, " {} > {}: {name} ", ip.src, ip.dst)?;
    match (ip.protocol, kind) {
        (Protocol::ICMP, 8) | (Protocol::ICMPV6, 128) => f.write_str("echo request")?,
        (Protocol::ICMP, 0) | (Protocol::ICMPV6, 129) => f.write_str("echo reply")?,
        _ => write!(f, "type {kind} code {code}")?,
    }
    if let &[_, _, _, _, a, b, c, d, ..] = body
        && matches!((ip.protocol, kind), (Protocol::ICMP, 0 | 8) | (Protocol::ICMPV6, 128 | 129))
    {
        write!(f, ", id {}, seq {}", u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))?;
    }
    write!(f, ", length {}", body.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{IpOut, IpPair, SeqNumber, Timestamps};

    fn packet(src: &str, dst: &str, protocol: Protocol, body: &[u8]) -> Vec<u8> {
        let addresses = IpPair::new(src.parse().unwrap(), dst.parse().unwrap()).unwrap();
        let ip = IpOut { addresses, protocol, ecn: Ecn::NotCapable, payload_len: body.len() };
        let mut out = [0; IpOut::MAX_LEN];
        let len = ip.emit(&mut out);
        [&out[..len], body].concat()
    }

    fn tcp(header: TcpHeader, payload: &[u8]) -> Vec<u8> {
        let mut out = [0; TcpHeader::MAX_LEN];
        let len = header.emit(0, &mut out);
        packet("10.9.0.1", "10.9.0.2", Protocol::TCP, &[&out[..len], payload].concat())
    }

    #[test]
    fn tcp_reads_as_in_tcpdump() {
        let syn = TcpHeader {
            src_port: 4_000,
            dst_port: 80,
            seq: SeqNumber(7),
            flags: TcpFlags::SYN,
            window: 64_240,
            options: TcpOptions {
                mss: Some(1_460),
                sack_permitted: true,
                timestamps: Some(Timestamps { value: 1, echo: 0 }),
                window_scale: Some(7),
                ..TcpOptions::default()
            },
            ..TcpHeader::default()
        };
        assert_eq!(
            Summary(&tcp(syn, b"")).to_string(),
            "IP 10.9.0.1.4000 > 10.9.0.2.80: Flags [S], seq 7, win 64240, \
             options [mss 1460,sackOK,TS val 1 ecr 0,wscale 7], length 0"
        );
        let mut data =
            TcpHeader { flags: TcpFlags::ACK | TcpFlags::PSH, options: TcpOptions::default(), ..syn };
        data.ack = SeqNumber(9);
        assert_eq!(
            Summary(&tcp(data, b"hello")).to_string(),
            "IP 10.9.0.1.4000 > 10.9.0.2.80: Flags [P.], seq 7:12, ack 9, win 64240, length 5"
        );
    }

    #[test]
    fn the_other_protocols_are_named() {
        for (packet, line) in [
            (
                packet("fd09::1", "fd09::2", Protocol::UDP, &[0, 53, 1, 0, 0, 11, 0, 0, 1, 2, 3]),
                "IP6 fd09::1.53 > fd09::2.256: UDP, length 3",
            ),
            (
                packet("10.0.0.1", "10.0.0.2", Protocol::ICMP, &[8, 0, 0, 0, 0, 5, 0, 1]),
                "IP 10.0.0.1 > 10.0.0.2: ICMP echo request, id 5, seq 1, length 8",
            ),
            (
                packet("fd09::1", "fd09::2", Protocol::ICMPV6, &[2, 0, 0, 0, 0, 0, 5, 0]),
                "IP6 fd09::1 > fd09::2: ICMP6 type 2 code 0, length 8",
            ),
            (
                packet("10.0.0.1", "10.0.0.2", Protocol(47), b"abc"),
                "IP 10.0.0.1 > 10.0.0.2: protocol 47, length 3",
            ),
        ] {
            assert_eq!(Summary(&packet).to_string(), line);
        }
    }

    #[test]
    fn damaged_packets_are_described_whatever_their_length() {
        let whole = tcp(TcpHeader { flags: TcpFlags::ACK, ..TcpHeader::default() }, b"payload");
        for len in 0..whole.len() {
            assert!(Summary(&whole[..len]).to_string().contains("not a packet"), "{len}");
        }
        for protocol in [Protocol::TCP, Protocol::UDP, Protocol::ICMP] {
            for len in 0..20 {
                let line = Summary(&packet("10.0.0.1", "10.0.0.2", protocol, &[0xff; 20][..len])).to_string();
                assert!(line.starts_with("IP 10.0.0.1"), "{line}");
            }
        }
    }
}
