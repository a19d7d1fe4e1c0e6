//! One established connection, fed segments that are right in form and near the window, while an application reads and
//! writes. The bytes of both streams are known, so that a wrong one shows wherever it comes up.
#![no_main]

#[allow(dead_code, reason = "shared with tests/packets, which uses all of it")]
#[path = "../../tests/packets/craft.rs"]
mod craft;
#[allow(dead_code, reason = "shared with tests/packets, which uses all of it")]
#[path = "../../tests/packets/victim.rs"]
mod victim;

use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use longwire::sim::Seen;
use longwire::stack::{Cidr, Config, ListenOptions, SocketId};
use longwire::tcp::{Algorithm, KeepAlive, SocketOptions};
use longwire::time::Duration;
use longwire::wire::{SackBlocks, SeqNumber, TcpFlags, TcpHeader, TcpOptions, Timestamps};
use victim::Victim;

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
const REMOTE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));
const PORT: u16 = 80;
/// What the two buffers, and what is out of order, may take.
const MEMORY: usize = 32 << 20;

#[derive(Arbitrary, Debug)]
struct Case {
    algorithm: u8,
    iss: u32,
    mss: Option<u16>,
    shift: Option<u8>,
    sack: bool,
    timestamps: bool,
    nodelay: bool,
    keep_alive: bool,
    steps: Vec<Step>,
}

#[derive(Arbitrary, Debug)]
enum Step {
    Segment {
        /// From RCV.NXT.
        offset: i16,
        /// From SND.NXT, backwards.
        behind: u16,
        flags: u8,
        window: u16,
        len: u16,
        /// From SND.UNA: where a block begins, and how long it is.
        blocks: [(u16, u16); 2],
        /// How long ago what is echoed was sent, in milliseconds.
        echo: u8,
    },
    Write(u16),
    Read(u16),
    /// Microseconds, as a power of two.
    Wait(u8),
    Shutdown,
    Close,
}

fuzz_target!(|case: Case| {
    let Some(mut run) = Run::open(&case) else { return };
    for step in case.steps.iter().take(400) {
        run.step(step);
    }
    run.wind_up();
});

/// The byte at a place of either stream.
fn pattern(at: u32) -> u8 {
    (at % 251) as u8
}

struct Run {
    victim: Victim,
    socket: SocketId,
    closed: bool,
    timestamps: bool,
    /// The first byte of the peer's stream, and of the victim's.
    peer_start: SeqNumber,
    start: SeqNumber,
    /// What the victim has acknowledged, and how far it has sent.
    rcv_nxt: SeqNumber,
    snd_nxt: SeqNumber,
    snd_una: SeqNumber,
    written: u32,
    read: u32,
}

impl Run {
    fn open(case: &Case) -> Option<Run> {
        let mut config = Config::new(vec![Cidr { address: LOCAL, prefix: 24 }]);
        config.tcp.congestion =
            [Algorithm::Cubic, Algorithm::NewReno, Algorithm::Bbr][usize::from(case.algorithm) % 3];
        let mut victim = Victim::new(config);
        let options = SocketOptions {
            nodelay: case.nodelay,
            keep_alive: case.keep_alive.then(KeepAlive::default),
            ..SocketOptions::default()
        };
        let listen = ListenOptions { socket: Some(options), ..ListenOptions::default() };
        let listener = victim.stack.listen(SocketAddr::new(LOCAL, PORT), listen).ok()?;
        let peer_start = SeqNumber(case.iss) + 1;
        let syn = TcpHeader {
            src_port: 5_000,
            dst_port: PORT,
            seq: SeqNumber(case.iss),
            flags: TcpFlags::SYN,
            window: 65_535,
            options: TcpOptions {
                mss: case.mss,
                window_scale: case.shift,
                sack_permitted: case.sack,
                timestamps: case.timestamps.then_some(Timestamps { value: 1, echo: 0 }),
                ..TcpOptions::default()
            },
            ..TcpHeader::default()
        };
        let mut answer = None;
        victim.exchange(&craft::tcp(REMOTE, LOCAL, &syn, &[]), |seen| answer = Some(seen.tcp));
        let start = answer?.seq + 1;
        let timestamps = case.timestamps.then_some(Timestamps { value: 2, echo: 0 });
        let options = TcpOptions { timestamps, ..TcpOptions::default() };
        let ack = TcpHeader { seq: peer_start, ack: start, flags: TcpFlags::ACK, options, ..syn };
        victim.exchange(&craft::tcp(REMOTE, LOCAL, &ack, &[]), |_| ());
        let (socket, _) = victim.stack.accept(listener).ok()?;
        Some(Run {
            victim,
            socket,
            closed: false,
            timestamps: case.timestamps,
            peer_start,
            start,
            rcv_nxt: peer_start,
            snd_nxt: start,
            snd_una: start,
            written: 0,
            read: 0,
        })
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Segment { .. } => self.segment(step),
            Step::Write(len) => self.write(len),
            Step::Read(len) => self.read(len),
            Step::Wait(exponent) => self.victim.advance(Duration::from_micros(1 << (exponent % 28))),
            Step::Shutdown if !self.closed => drop(self.victim.stack.shutdown(self.socket, Shutdown::Write)),
            Step::Close if !self.closed => {
                self.victim.stack.close(self.victim.now, self.socket).expect("the first close of a socket");
                self.closed = true;
            }
            Step::Shutdown | Step::Close => {}
        }
        self.take_output();
        self.victim.check();
        assert!(self.victim.held() < MEMORY, "{} bytes held", self.victim.held());
    }

    fn segment(&mut self, step: &Step) {
        let Step::Segment { offset, behind, flags, window, len, blocks, echo } = *step else { return };
        let offset = u32::from(offset.unsigned_abs()).min(i16::MAX as u32);
        let seq = match *step {
            Step::Segment { offset: ..0, .. } => self.rcv_nxt - offset,
            _ => self.rcv_nxt + offset,
        };
        let from = seq - self.peer_start;
        let payload: Vec<u8> = (0..u32::from(len % 3_000)).map(|i| pattern(from.wrapping_add(i))).collect();
        let mut sack = SackBlocks::default();
        for (left, len) in blocks.iter().filter(|(_, len)| *len > 0) {
            let left = self.snd_una + u32::from(*left);
            sack.push(left, left + u32::from(*len));
        }
        let millis = self.victim.now.as_millis() as u32;
        let timestamps = self.timestamps.then(|| Timestamps {
            value: 3_u32.wrapping_add(millis),
            echo: millis.wrapping_sub(echo.into()),
        });
        let header = TcpHeader {
            src_port: 5_000,
            dst_port: PORT,
            seq,
            ack: self.snd_nxt - u32::from(behind),
            // Mostly plain acknowledgments: a reset or a SYN ends it all.
            flags: TcpFlags::ACK | TcpFlags(if flags < 200 { flags & 0b1100_1001 } else { flags }),
            window,
            options: TcpOptions { sack, timestamps, ..TcpOptions::default() },
            ..TcpHeader::default()
        };
        self.victim.deliver(&craft::tcp(REMOTE, LOCAL, &header, &payload));
    }

    fn write(&mut self, len: u16) {
        let bytes: Vec<u8> = (0..u32::from(len)).map(|i| pattern(self.written.wrapping_add(i))).collect();
        if let Ok(count) = self.victim.stack.write(self.socket, &bytes) {
            self.written = self.written.wrapping_add(count as u32);
        }
    }

    fn read(&mut self, len: u16) {
        let mut bytes = vec![0; usize::from(len)];
        let Ok(count) = self.victim.stack.read(self.socket, &mut bytes) else { return };
        for &byte in &bytes[..count] {
            assert_eq!(byte, pattern(self.read), "byte {} of what was received", self.read);
            self.read = self.read.wrapping_add(1);
        }
    }

    fn take_output(&mut self) {
        for packet in self.victim.output() {
            let Some(seen) = Seen::of(&packet) else { continue };
            if seen.tcp.has(TcpFlags::RST) || seen.tcp.has(TcpFlags::SYN) {
                continue;
            }
            let mut at = seen.tcp.seq - self.start;
            for &byte in seen.payload {
                assert_eq!(byte, pattern(at), "byte {at} of what is sent");
                at = at.wrapping_add(1);
            }
            let end = seen.tcp.seq + seen.payload.len() as u32;
            if end.gt(self.snd_nxt) {
                self.snd_nxt = end;
            }
            if seen.tcp.ack.gt(self.rcv_nxt) {
                self.rcv_nxt = seen.tcp.ack;
            }
        }
        if let Ok(info) = self.victim.stack.info(self.socket) {
            self.snd_una = self.snd_nxt - info.in_flight.min(self.snd_nxt - self.start);
        }
    }

    /// A peer that has gone silent: in the end nothing is left of the connection.
    fn wind_up(mut self) {
        if !self.closed {
            self.victim.stack.close(self.victim.now, self.socket).expect("the only close");
        }
        for _ in 0..2_500 {
            self.take_output();
            let Some(due) = self.victim.stack.poll_timeout() else { break };
            self.victim.advance(due - self.victim.now);
        }
        self.victim.check();
        assert_eq!(self.victim.stack.live_connections(), 0, "a connection without a peer");
        assert_eq!(self.victim.held(), 0);
    }
}
