//! What a peer does to a host, step by step, and what its application does meanwhile.

use longwire::wire::{Checksum, Ecn, IpOut, IpPair, Protocol, SeqNumber, TcpFlags, pseudo_header_sum};

use crate::{HOST, PEER};

/// Where the peer's sequence numbers begin: far enough up that what lies before them does not wrap.
const PEER_ISN: u32 = 1_000_000;

/// A story with a name.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    pub(crate) steps: Vec<Step>,
    pub(crate) blocks: Blocks,
}

/// Which SACK blocks are compared. Linux leaves out one or the other duplicate (RFC 2883 makes none a must).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blocks {
    All,
    WithoutDuplicates,
}

/// What happens in one tick.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// The peer sends, one after another.
    Send(Vec<Segment>),
    /// The host's application calls.
    Call(Call),
    /// Nothing.
    Wait,
}

/// A call of the host's application. Sockets do not block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Listen,
    Connect,
    Accept,
    /// Reads all there is.
    Read,
    Write(usize),
    ShutdownWrite,
    Close,
    /// Close with a linger time of 0.
    Abort,
}

/// A segment of the peer's. Sequence numbers count from the two SYNs.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) flags: TcpFlags,
    pub(crate) seq: i64,
    pub(crate) ack: i64,
    pub(crate) len: usize,
    pub(crate) window: u16,
    pub(crate) urgent: u16,
    /// Other bytes than those that belong to these sequence numbers.
    pub(crate) altered: bool,
    pub(crate) timestamp: Option<u32>,
    pub(crate) options: Vec<u8>,
}

/// A segment with flags as a capture shows them: `SA`, `PA`.
pub(crate) fn segment(flags: &str, seq: i64, ack: i64) -> Segment {
    let bit = |letter| "FSRPAUEC".find(letter).expect("a flag");
    let flags = TcpFlags(flags.chars().map(|letter| 1 << bit(letter)).sum());
    Segment {
        flags,
        seq,
        ack,
        len: 0,
        window: 65_000,
        urgent: 0,
        altered: false,
        timestamp: None,
        options: Vec::new(),
    }
}

impl Segment {
    pub(crate) fn len(self, len: usize) -> Segment {
        Segment { len, ..self }
    }

    pub(crate) fn window(self, window: u16) -> Segment {
        Segment { window, ..self }
    }

    pub(crate) fn urgent(self, urgent: u16) -> Segment {
        Segment { urgent, ..self }
    }

    pub(crate) fn altered(self) -> Segment {
        Segment { altered: true, ..self }
    }

    pub(crate) fn timestamp(self, value: u32) -> Segment {
        Segment { timestamp: Some(value), ..self }
    }

    /// Adds an option, byte by byte.
    pub(crate) fn option(mut self, bytes: &[u8]) -> Segment {
        self.options.extend_from_slice(bytes);
        self
    }

    pub(crate) fn mss(self, mss: u16) -> Segment {
        let [high, low] = mss.to_be_bytes();
        self.option(&[2, 4, high, low])
    }

    pub(crate) fn sack_permitted(self) -> Segment {
        self.option(&[4, 2])
    }

    pub(crate) fn window_scale(self, shift: u8) -> Segment {
        self.option(&[3, 3, shift])
    }

    /// The whole packet, from the peer's port to the host's.
    pub(crate) fn packet(&self, ports: [u16; 2], host_isn: u32, echo: u32) -> Vec<u8> {
        let mut options = self.options.clone();
        if let Some(value) = self.timestamp {
            options.extend_from_slice(&[8, 10]);
            options.extend_from_slice(&value.to_be_bytes());
            options.extend_from_slice(&echo.to_be_bytes());
        }
        // Filled up with no-operations: an end of the list would hide nothing, but say less.
        options.resize(options.len().next_multiple_of(4), 1);
        let relative = |isn: u32, number: i64| isn.wrapping_add(number as u32).to_be_bytes();
        let mut tcp = Vec::new();
        tcp.extend_from_slice(&ports[0].to_be_bytes());
        tcp.extend_from_slice(&ports[1].to_be_bytes());
        tcp.extend_from_slice(&relative(PEER_ISN, self.seq));
        let has_ack = self.flags.contains(TcpFlags::ACK);
        tcp.extend_from_slice(&if has_ack { relative(host_isn, self.ack) } else { [0; 4] });
        tcp.push(((20 + options.len()) as u8 / 4) << 4);
        tcp.push(self.flags.0);
        tcp.extend_from_slice(&self.window.to_be_bytes());
        tcp.extend_from_slice(&[0, 0]);
        tcp.extend_from_slice(&self.urgent.to_be_bytes());
        tcp.extend_from_slice(&options);
        tcp.extend((0..self.len).map(|offset| byte_at(self.seq + offset as i64) ^ u8::from(self.altered)));
        let mut sum = pseudo_header_sum(PEER, HOST, Protocol::TCP, tcp.len());
        sum.add(&tcp);
        tcp[16..18].copy_from_slice(&Checksum::finish(sum).to_be_bytes());
        let addresses = IpPair::new(PEER, HOST).expect("one family");
        let out = IpOut { addresses, protocol: Protocol::TCP, ecn: Ecn::NotCapable, payload_len: tcp.len() };
        let mut header = [0; IpOut::MAX_LEN];
        let len = out.emit(&mut header);
        [&header[..len], &tcp].concat()
    }
}

/// The byte that the peer has at a sequence number. Even, so that an altered one can be told.
pub(crate) fn byte_at(seq: i64) -> u8 {
    (seq as u8).wrapping_mul(2)
}

/// A sequence number of the peer's, as the scenario counts.
pub(crate) fn relative_to_peer(number: SeqNumber) -> i32 {
    number.0.wrapping_sub(PEER_ISN) as i32
}

pub(crate) fn send(segment: Segment) -> Step {
    Step::Send(vec![segment])
}

pub(crate) fn scenario(name: &str, steps: impl IntoIterator<Item = Vec<Step>>) -> Scenario {
    Scenario { name: name.to_owned(), steps: steps.into_iter().flatten().collect(), blocks: Blocks::All }
}
