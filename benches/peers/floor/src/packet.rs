//! TCP over IPv4 behind a virtio-net header, as bytes: read without checks that a kernel next door makes needless, and
//! written with the checksum left to the kernel.

use std::net::Ipv4Addr;

pub const FIN: u8 = 0x01;
pub const SYN: u8 = 0x02;
pub const RST: u8 = 0x04;
pub const PSH: u8 = 0x08;
pub const ACK: u8 = 0x10;

/// The virtio-net header, as TUN has it unless asked for more.
const VIRTIO: usize = 10;
const IP: usize = 20;
const TCP: usize = 20;
/// Where the payload begins in a packet without options.
pub const PAYLOAD: usize = VIRTIO + IP + TCP;
/// The longest packet with its virtio-net header.
pub const LONGEST: usize = VIRTIO + 65_535;
/// Payload of the longest packet.
pub const MOST_PAYLOAD: usize = LONGEST - PAYLOAD;

/// The headers of a segment without options: what it has less than the MTU.
pub const HEADERS: u16 = 40;
/// Our window scale.
pub const SCALE: u8 = 10;
/// Bytes of a SYN's options.
const SYN_OPTIONS: usize = 8;

/// The ends of a connection, as the client's first packet has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ends {
    pub client: Ipv4Addr,
    pub client_port: u16,
    pub server: Ipv4Addr,
    pub port: u16,
}

/// What came.
#[derive(Debug)]
pub struct Segment<'a> {
    pub ends: Ends,
    pub seq: u32,
    pub ack: u32,
    pub flags: u8,
    /// As it is in the header, unscaled.
    pub window: u16,
    options: &'a [u8],
    pub payload: &'a [u8],
}

impl<'a> Segment<'a> {
    /// Reads a packet with its virtio-net header; `None` if it is not TCP over IPv4.
    pub fn parse(bytes: &'a [u8]) -> Option<Segment<'a>> {
        let packet = bytes.get(VIRTIO..)?;
        let word = |at: usize| Some(u16::from_be_bytes([*packet.get(at)?, *packet.get(at + 1)?]));
        let long = |at: usize| Some(u32::from_be_bytes(packet.get(at..at + 4)?.try_into().ok()?));
        if packet.first()? >> 4 != 4 || *packet.get(9)? != 6 {
            return None;
        }
        let tcp = usize::from(packet[0] & 15) * 4;
        let text = tcp + usize::from(packet.get(tcp + 12)? >> 4) * 4;
        Some(Segment {
            ends: Ends {
                client: Ipv4Addr::from(long(12)?),
                client_port: word(tcp)?,
                server: Ipv4Addr::from(long(16)?),
                port: word(tcp + 2)?,
            },
            seq: long(tcp + 4)?,
            ack: long(tcp + 8)?,
            flags: *packet.get(tcp + 13)?,
            window: word(tcp + 14)?,
            options: packet.get(tcp + TCP..text)?,
            payload: packet.get(text..)?,
        })
    }

    /// The shift of the window scale option; 0 without one (RFC 7323 2.2).
    pub fn scale(&self) -> u8 {
        let mut rest = self.options;
        loop {
            rest = match rest {
                [3, 3, shift, ..] => return (*shift).min(14),
                [0, ..] | [] | [_] => return 0,
                [1, rest @ ..] => rest,
                [_, len, ..] => match rest.get(usize::from(*len).max(2)..) {
                    Some(rest) => rest,
                    None => return 0,
                },
            }
        }
    }
}

/// A header to be written.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    pub ends: Ends,
    pub seq: u32,
    pub ack: u32,
    pub flags: u8,
    pub window: u16,
    /// Payload of a segment.
    pub mss: u16,
}

impl Header {
    /// Writes the headers of a packet with `payload` bytes in front of them; says how long all of it is. A SYN has our
    /// options where others have payload.
    pub fn write(&self, out: &mut [u8], payload: usize) -> usize {
        let options = if self.flags & SYN == 0 { 0 } else { SYN_OPTIONS };
        out[PAYLOAD..PAYLOAD + options].copy_from_slice(&self.syn_options()[..options]);
        let header = IP + TCP + options;
        let len = header + payload;
        self.virtio(out, header, payload);
        self.ip(&mut out[VIRTIO..], len);
        self.tcp(&mut out[VIRTIO + IP..], options, len - IP);
        VIRTIO + len
    }

    /// MSS and window scale (RFC 9293 3.2, RFC 7323 2.2), padded.
    fn syn_options(&self) -> [u8; SYN_OPTIONS] {
        let [high, low] = self.mss.to_be_bytes();
        [2, 4, high, low, 3, 3, SCALE, 1]
    }

    fn virtio(&self, out: &mut [u8], header: usize, payload: usize) {
        let gso_size = if payload > usize::from(self.mss) { self.mss } else { 0 };
        out[0] = 1; // NEEDS_CSUM
        out[1] = u8::from(gso_size > 0); // GSO_TCPV4
        let numbers = [header as u16, gso_size, IP as u16, 16];
        for (field, number) in out[2..VIRTIO].chunks_exact_mut(2).zip(numbers) {
            field.copy_from_slice(&number.to_ne_bytes());
        }
    }

    fn ip(&self, out: &mut [u8], len: usize) {
        out[..IP].copy_from_slice(&[0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        out[2..4].copy_from_slice(&(len as u16).to_be_bytes());
        out[12..16].copy_from_slice(&self.ends.server.octets());
        out[16..20].copy_from_slice(&self.ends.client.octets());
        let sum = !fold(sum(&out[..IP]));
        out[10..12].copy_from_slice(&sum.to_be_bytes());
    }

    fn tcp(&self, out: &mut [u8], options: usize, len: usize) {
        out[0..2].copy_from_slice(&self.ends.port.to_be_bytes());
        out[2..4].copy_from_slice(&self.ends.client_port.to_be_bytes());
        out[4..8].copy_from_slice(&self.seq.to_be_bytes());
        out[8..12].copy_from_slice(&self.ack.to_be_bytes());
        out[12] = ((TCP + options) as u8 / 4) << 4;
        out[13] = self.flags;
        out[14..16].copy_from_slice(&self.window.to_be_bytes());
        // What is left for the kernel to complete: the sum over the pseudo-header alone, not inverted.
        let pseudo = sum(&self.ends.server.octets()) + sum(&self.ends.client.octets()) + 6 + len as u32;
        out[16..18].copy_from_slice(&fold(pseudo).to_be_bytes());
        out[18..20].fill(0);
    }
}

fn sum(bytes: &[u8]) -> u32 {
    bytes.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum()
}

fn fold(sum: u32) -> u16 {
    let sum = (sum & 0xffff) + (sum >> 16);
    ((sum & 0xffff) + (sum >> 16)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    const MSS: u16 = 1_460;
    const ENDS: Ends = Ends {
        client: Ipv4Addr::new(10, 0, 0, 1),
        client_port: 40_000,
        server: Ipv4Addr::new(10, 0, 0, 2),
        port: 19,
    };

    #[test]
    fn what_is_written_reads_the_same_from_the_other_side() {
        let mut out = [0; PAYLOAD + 8];
        let header = Header { ends: ENDS, seq: 7, ack: 8, flags: ACK | PSH, window: 9, mss: MSS };
        out[PAYLOAD..PAYLOAD + 3].copy_from_slice(b"abc");
        let len = header.write(&mut out, 3);
        let segment = Segment::parse(&out[..len]).expect("TCP over IPv4");
        assert_eq!((segment.seq, segment.ack, segment.flags, segment.window), (7, 8, ACK | PSH, 9));
        assert_eq!((segment.payload, segment.scale()), (&b"abc"[..], 0));
        let Ends { client, client_port, server, port } = segment.ends;
        assert_eq!(
            (client, client_port, server, port),
            (ENDS.server, ENDS.port, ENDS.client, ENDS.client_port)
        );
    }

    #[test]
    fn a_syn_has_the_options_and_a_super_packet_its_size() {
        let mut out = vec![0; LONGEST];
        let header = Header { ends: ENDS, seq: 0, ack: 0, flags: SYN | ACK, window: 0, mss: MSS };
        let len = header.write(&mut out, 0);
        assert_eq!(Segment::parse(&out[..len]).expect("TCP").scale(), SCALE);
        let header = Header { flags: ACK, ..header };
        assert_eq!(header.write(&mut out, MOST_PAYLOAD), LONGEST);
        assert_eq!((out[1], u16::from_ne_bytes([out[4], out[5]])), (1, MSS));
    }

    #[test]
    fn what_is_cut_off_is_nothing() {
        let mut out = [0; PAYLOAD];
        Header { ends: ENDS, seq: 0, ack: 0, flags: ACK, window: 0, mss: MSS }.write(&mut out, 0);
        assert!((0..PAYLOAD).all(|len| Segment::parse(&out[..len]).is_none()));
        assert!(Segment::parse(&out).is_some());
    }
}
