//! Every packet into a pcapng file, for Wireshark and tshark.

use std::borrow::Cow;
use std::io::{self, BufWriter, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};
use pcap_file::{DataLink, PcapError};

use super::{CounterVisitor, WireDevice};
use crate::buffer::Chunk;
use crate::time::{Duration, Instant};
use crate::wire::{PacketMeta, SendOutcome};

/// How late the file may be: who follows it while it grows sees packets this soon.
const LATENESS: Duration = Duration::from_millis(100);
/// Bytes that are collected for one write.
const BUFFER: usize = 256 * 1024;
/// `if_tsresol` for nanoseconds: a negative power of ten.
const NANOSECONDS: u8 = 9;

/// Which way a packet went, as the option `epb_flags` has it.
#[derive(Clone, Copy)]
enum Direction {
    Inbound = 1,
    Outbound = 2,
}

/// A [`WireDevice`] that writes down what passes.
///
/// An error of writing, such as a full disk, ends the capture with one line in the log. The traffic is not disturbed.
pub struct Capture<W, S: Write> {
    wire: W,
    recorder: Arc<Mutex<Recorder<S>>>,
    captured: u64,
    missed: u64,
}

/// Where it is written, by one wire or by several, and when.
struct Recorder<S: Write> {
    /// `None` once writing has failed.
    writer: Option<PcapNgWriter<BufWriter<S>>>,
    /// What the file is called in the log.
    label: String,
    /// The wall clock at [`Instant::ZERO`], counted from 1970.
    epoch: Duration,
    /// When what the buffer holds is to be in the file.
    due: Option<Instant>,
}

impl<W: WireDevice, S: Write> Capture<W, S> {
    /// Begins a capture of `wire` into `sink`.
    ///
    /// `label` names the sink in the log, `interface` the wire in the capture; `epoch` is what the wall clock shows
    /// at [`Instant::ZERO`], counted from 1970.
    ///
    /// # Errors
    /// What writing the first bytes gives.
    pub fn new(wire: W, sink: S, label: &str, interface: &str, epoch: Duration) -> io::Result<Self> {
        let application = concat!("longwire ", env!("CARGO_PKG_VERSION"));
        let section = SectionHeaderBlock {
            options: vec![SectionHeaderOption::UserApplication(Cow::Borrowed(application))],
            ..SectionHeaderBlock::default()
        };
        let description = InterfaceDescriptionBlock {
            // Packets begin with the IP header, of either version.
            linktype: DataLink::RAW,
            snaplen: 0,
            options: vec![
                InterfaceDescriptionOption::IfName(Cow::Borrowed(interface)),
                InterfaceDescriptionOption::IfTsResol(NANOSECONDS),
            ],
        };
        let sink = BufWriter::with_capacity(BUFFER, sink);
        let mut writer = PcapNgWriter::with_section_header(sink, section).map_err(into_io)?;
        writer.write_pcapng_block(description).map_err(into_io)?;
        writer.get_mut().flush()?;
        let recorder = Recorder { writer: Some(writer), label: label.to_owned(), epoch, due: None };
        Ok(Capture { wire, recorder: Arc::new(Mutex::new(recorder)), captured: 0, missed: 0 })
    }

    /// The capture of another queue of the same interface into the same file.
    pub fn beside(&self, wire: W) -> Self {
        Capture { wire, recorder: Arc::clone(&self.recorder), captured: 0, missed: 0 }
    }

    fn record(&mut self, at: Instant, packet: &[u8], direction: Direction) {
        let written = self.recorder().record(at, packet, direction);
        *(if written { &mut self.captured } else { &mut self.missed }) += 1;
    }
}

impl<W, S: Write> Capture<W, S> {
    /// Packets are written whole under this lock, which only the queues of one capture have in common.
    fn recorder(&self) -> MutexGuard<'_, Recorder<S>> {
        self.recorder.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Write> Recorder<S> {
    /// Writes a packet down; `false`: it could not be.
    fn record(&mut self, at: Instant, packet: &[u8], direction: Direction) -> bool {
        let Some(writer) = &mut self.writer else { return false };
        let block = EnhancedPacketBlock {
            interface_id: 0,
            timestamp: self.epoch + Duration::from_nanos(at.as_nanos()),
            original_len: packet.len() as u32,
            data: Cow::Borrowed(packet),
            options: vec![EnhancedPacketOption::Flags(direction as u32)],
        };
        match writer.write_pcapng_block(block) {
            Ok(_) => {
                self.due.get_or_insert(at + LATENESS);
                true
            }
            Err(error) => {
                self.give_up(&into_io(error));
                false
            }
        }
    }

    /// Empties the buffer into the file; `false`: that failed.
    fn write_out(&mut self) -> bool {
        self.due = None;
        match self.writer.as_mut().map(|writer| writer.get_mut().flush()) {
            Some(Err(error)) => {
                self.give_up(&error);
                false
            }
            _ => true,
        }
    }

    fn give_up(&mut self, error: &io::Error) {
        let advice = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room and start again",
            _ => "choose another file with --pcap",
        };
        log::error!("{}: the capture ends here, the traffic goes on: {error}: {advice}", self.label);
        self.writer = None;
        self.due = None;
    }
}

impl<W, S: Write> Drop for Capture<W, S> {
    /// Writes what is left; the buffer would do so, too, but keep an error to itself.
    fn drop(&mut self) {
        self.recorder().write_out();
    }
}

impl<W: WireDevice, S: Write + Send> WireDevice for Capture<W, S> {
    fn mtu(&self) -> usize {
        self.wire.mtu()
    }

    fn receive(&mut self, now: Instant, packet: &mut Chunk) -> io::Result<PacketMeta> {
        let meta = self.wire.receive(now, packet)?;
        self.record(meta.received_at, packet, Direction::Inbound);
        Ok(meta)
    }

    fn transmit(&mut self, now: Instant, packet: &[u8]) -> SendOutcome {
        let outcome = self.wire.transmit(now, packet);
        if outcome == SendOutcome::Sent {
            self.record(now, packet, Direction::Outbound);
        }
        outcome
    }

    fn flush(&mut self, now: Instant) {
        let failed = {
            let mut recorder = self.recorder();
            recorder.due.is_some_and(|due| due <= now) && !recorder.write_out()
        };
        // One packet at least.
        self.missed += u64::from(failed);
        self.wire.flush(now);
    }

    fn holds_back(&self) -> bool {
        self.wire.holds_back()
    }

    fn deadline(&self) -> Option<Instant> {
        let due = self.recorder().due;
        due.into_iter().chain(self.wire.deadline()).min()
    }

    fn counters(&self, visit: &mut CounterVisitor<'_>) {
        visit("capture_packets", "Packets written to the capture", self.captured);
        visit("capture_missed_packets", "Packets not captured, as writing failed", self.missed);
        self.wire.counters(visit);
    }

    #[cfg(unix)]
    fn fd(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        self.wire.fd()
    }
}

fn into_io(error: PcapError) -> io::Error {
    match error {
        PcapError::IoError(error) => error,
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};

    use pcap_file::pcapng::{Block, PcapNgReader};

    use super::*;
    use crate::buffer::Pool;
    use crate::device::PairEnd;

    /// A disk with room for a number of bytes, which outlives the capture.
    #[derive(Clone)]
    struct Disk {
        content: Arc<Mutex<Vec<u8>>>,
        flushes: Arc<AtomicUsize>,
        room: usize,
    }

    impl Disk {
        fn new(room: usize) -> Self {
            Disk { content: Arc::default(), flushes: Arc::default(), room }
        }

        fn bytes(&self) -> Vec<u8> {
            self.content.lock().unwrap().clone()
        }
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut content = self.content.lock().unwrap();
            if content.len() + bytes.len() > self.room {
                return Err(io::ErrorKind::StorageFull.into());
            }
            content.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            self.flushes.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }
    }

    const EPOCH: Duration = Duration::from_secs(1_700_000_000);

    fn capture(room: usize) -> (Capture<PairEnd, Disk>, PairEnd, Disk) {
        let (near, far) = PairEnd::pair(1_500);
        let disk = Disk::new(room);
        (Capture::new(near, disk.clone(), "test.pcapng", "lw0", EPOCH).unwrap(), far, disk)
    }

    /// Time since the epoch, direction flags and bytes of each packet.
    fn packets(bytes: &[u8]) -> Vec<(Duration, u32, Vec<u8>)> {
        let mut reader = PcapNgReader::new(bytes).unwrap();
        let mut packets = Vec::new();
        while let Some(block) = reader.next_block() {
            if let Block::EnhancedPacket(packet) = block.unwrap() {
                let Some(EnhancedPacketOption::Flags(flags)) = packet.options.first() else {
                    panic!("no flags")
                };
                packets.push((packet.timestamp - EPOCH, *flags, packet.data.to_vec()));
            }
        }
        packets
    }

    #[test]
    fn both_directions_are_written_with_time_and_direction() {
        let (mut near, mut far, disk) = capture(10_000);
        let now = Instant::from_micros(1_500);
        near.transmit(now, b"out");
        far.transmit(now, b"in!!");
        near.receive(Instant::from_micros(2_500), &mut Pool::new().take_largest()).unwrap();
        drop(near);
        assert_eq!(
            packets(&disk.bytes()),
            [
                (Duration::from_micros(1_500), 2, b"out".to_vec()),
                (Duration::from_micros(2_500), 1, b"in!!".to_vec()),
            ]
        );
        let bytes = disk.bytes();
        let mut reader = PcapNgReader::new(&bytes[..]).unwrap();
        let Some(Ok(Block::InterfaceDescription(interface))) = reader.next_block() else {
            panic!("no interface")
        };
        assert_eq!(interface.linktype, DataLink::RAW);
        assert!(interface.options.contains(&InterfaceDescriptionOption::IfTsResol(9)));
    }

    #[test]
    fn the_file_grows_while_the_capture_runs() {
        let (mut near, _far, disk) = capture(10_000);
        assert!(packets(&disk.bytes()).is_empty(), "readable from the start");
        near.transmit(Instant::from_millis(5), b"out");
        assert_eq!(near.deadline(), Some(Instant::from_millis(105)));
        near.flush(Instant::from_millis(104));
        assert!(packets(&disk.bytes()).is_empty());
        near.flush(Instant::from_millis(105));
        assert_eq!((packets(&disk.bytes()).len(), near.deadline()), (1, None));
    }

    #[test]
    fn a_full_disk_ends_the_capture_and_not_the_traffic() {
        let (mut near, far, _disk) = capture(300);
        for turn in 0..10 {
            let now = Instant::from_secs(turn);
            assert_eq!(near.transmit(now, &[7; 100]), SendOutcome::Sent);
            near.flush(now + LATENESS);
        }
        assert_eq!(far.waiting(), 10);
        assert!(near.recorder().writer.is_none());
        assert_eq!(near.deadline(), None);
        let mut seen = Vec::new();
        near.counters(&mut |name, _, value| seen.push((name, value)));
        assert_eq!(seen, [("capture_packets", 2), ("capture_missed_packets", 9)]);
    }

    #[test]
    fn the_end_writes_what_is_left_and_hears_whether_it_worked() {
        let (mut near, _far, disk) = capture(10_000);
        near.transmit(Instant::ZERO, b"out");
        let flushes = disk.flushes.load(Ordering::Relaxed);
        drop(near);
        assert_eq!(packets(&disk.bytes()).len(), 1);
        assert_eq!(
            disk.flushes.load(Ordering::Relaxed),
            flushes + 1,
            "only an explicit flush reports errors"
        );
    }

    #[test]
    fn several_queues_write_whole_packets_into_one_file() {
        let (mut first, _far, disk) = capture(100_000);
        let (near, _other) = PairEnd::pair(1_500);
        let mut second = first.beside(near);
        std::thread::scope(|scope| {
            for (queue, byte) in [(&mut first, 1), (&mut second, 2)] {
                scope.spawn(move || {
                    for at in 0..200 {
                        queue.transmit(Instant::from_millis(at), &[byte; 100]);
                        queue.flush(Instant::from_millis(at));
                    }
                });
            }
        });
        drop(first);
        drop(second);
        let packets = packets(&disk.bytes());
        let of = |byte| packets.iter().filter(|(_, _, bytes)| bytes[..] == [byte; 100]).count();
        assert_eq!((of(1), of(2)), (200, 200));
    }

    #[test]
    fn what_the_wire_did_not_take_is_not_captured() {
        let (mut near, far, disk) = capture(10_000);
        drop(far);
        assert_eq!(near.transmit(Instant::ZERO, b"out"), SendOutcome::Failed);
        drop(near);
        assert!(packets(&disk.bytes()).is_empty());
    }
}
