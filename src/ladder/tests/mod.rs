//! Captures made by our own capture writer, and read back.

mod analysis;
mod drawing;
mod files;
mod hostile;
mod simulated;

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use etherparse::PacketBuilder;

use super::rows::Row;
use super::tracker::Arrow;
use super::*;
use crate::buffer::Pool;
use crate::device::{Capture, PairEnd, WireDevice};
use crate::time::{Duration, Instant};
use crate::wire::TcpFlags;

/// Where the two sides begin to count; the client's numbers wrap soon.
const CLIENT_ISN: u32 = u32::MAX - 20;
const SERVER_ISN: u32 = 5_000;
/// 2023, as the wall clock has it.
const EPOCH: Duration = Duration::from_secs(1_700_000_000);

const SYN: TcpFlags = TcpFlags::SYN;
const ACK: TcpFlags = TcpFlags::ACK;
const FIN: TcpFlags = TcpFlags::FIN;
const RST: TcpFlags = TcpFlags::RST;

/// A file that can be read after its writer is gone.
#[derive(Clone, Default)]
struct Disk(Arc<Mutex<Vec<u8>>>);

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A capture in the making, as `--pcap` writes it.
struct Recording {
    wire: Capture<PairEnd, Disk>,
    far: PairEnd,
    disk: Disk,
    now: Instant,
    /// The port of the client that speaks.
    port: u16,
}

impl Recording {
    fn new() -> Recording {
        let (near, far) = PairEnd::pair(65_535);
        let disk = Disk::default();
        let wire = Capture::new(near, disk.clone(), "test", "lw0", EPOCH).unwrap();
        Recording { wire, far, disk, now: Instant::from_millis(40), port: 41_001 }
    }

    /// Lets time pass.
    fn after(&mut self, time: Duration) -> &mut Recording {
        self.now += time;
        self
    }

    fn packet(&mut self, packet: &[u8]) -> &mut Recording {
        self.wire.transmit(self.now, packet);
        self.far.receive(self.now, &mut Pool::new().take_largest()).unwrap();
        self
    }

    /// A segment of the client, with numbers counted from the two beginnings; 10 µs after the one before.
    fn client(&mut self, flags: TcpFlags, seq: u32, ack: u32, window: u16, payload: &[u8]) -> &mut Recording {
        let (seq, ack) = (CLIENT_ISN.wrapping_add(seq), SERVER_ISN.wrapping_add(ack));
        let packet =
            segment(([10, 9, 0, 1], self.port), ([10, 9, 0, 2], 80), flags, (seq, ack), window, payload);
        self.after(Duration::from_micros(10)).packet(&packet)
    }

    fn server(&mut self, flags: TcpFlags, seq: u32, ack: u32, window: u16, payload: &[u8]) -> &mut Recording {
        let (seq, ack) = (SERVER_ISN.wrapping_add(seq), CLIENT_ISN.wrapping_add(ack));
        let packet =
            segment(([10, 9, 0, 2], 80), ([10, 9, 0, 1], self.port), flags, (seq, ack), window, payload);
        self.after(Duration::from_micros(10)).packet(&packet)
    }

    /// The three segments that every connection begins with.
    fn opened(&mut self) -> &mut Recording {
        self.client(SYN, 0, 0, 64_240, b"").server(SYN | ACK, 0, 1, 65_535, b"").client(ACK, 1, 1, 500, b"")
    }

    /// The file as it stands.
    fn file(&mut self) -> Vec<u8> {
        self.wire.flush(self.now + Duration::from_secs(1));
        self.disk.0.lock().unwrap().clone()
    }

    fn analysis(&mut self) -> Analysis {
        analyse(&self.file()[..], Selection::default(), Limits { connections: 10, rows: 100 }).unwrap()
    }

    /// The only connection.
    #[track_caller]
    fn connection(&mut self) -> Connection {
        let mut connections = self.analysis().connections;
        assert_eq!(connections.len(), 1);
        connections.remove(0)
    }
}

/// A TCP packet over IPv4. A SYN has an MSS and a window scale of 7.
fn segment(
    from: ([u8; 4], u16),
    to: ([u8; 4], u16),
    flags: TcpFlags,
    (seq, ack): (u32, u32),
    window: u16,
    payload: &[u8],
) -> Vec<u8> {
    use etherparse::TcpOptionElement::{MaximumSegmentSize, WindowScale};
    let mut builder = PacketBuilder::ipv4(from.0, to.0, 64).tcp(from.1, to.1, seq, window);
    if flags.contains(SYN) {
        builder = builder.syn().options(&[MaximumSegmentSize(1460), WindowScale(7)]).unwrap();
    }
    for (flag, set) in [(FIN, 0), (RST, 1), (TcpFlags::PSH, 2)] {
        builder = match set {
            _ if !flags.contains(flag) => builder,
            0 => builder.fin(),
            1 => builder.rst(),
            _ => builder.psh(),
        };
    }
    if flags.contains(ACK) {
        builder = builder.ack(ack);
    }
    let mut packet = Vec::new();
    builder.write(&mut packet, payload).unwrap();
    packet
}

/// The arrows among the rows.
fn arrows(connection: &Connection) -> Vec<&Arrow> {
    let rows = connection.rows.iter();
    rows.filter_map(|row| if let Row::Arrow(arrow) = row { Some(arrow) } else { None }).collect()
}
