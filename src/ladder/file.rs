//! Capture files: pcapng, and the older pcap that tcpdump writes.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::time::Duration;

use pcap_file::pcap::PcapReader;
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::pcapng::{Block, PcapNgReader};
use pcap_file::{PcapError, TsResolution};

use super::connections::{Analysis, Connections, Limits, Selection};
use super::segment::{self, LinkType, Skipped};

/// How a pcapng file begins, whatever its byte order.
const PCAPNG_MAGIC: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
/// How a pcap file may: in microseconds or nanoseconds, of either byte order.
const PCAP_MAGICS: [[u8; 4]; 4] =
    [[0xa1, 0xb2, 0xc3, 0xd4], [0xd4, 0xc3, 0xb2, 0xa1], [0xa1, 0xb2, 0x3c, 0x4d], [0x4d, 0x3c, 0xb2, 0xa1]];
/// `if_tsresol` where the file does not say: microseconds.
const DEFAULT_RESOLUTION: u8 = 6;

/// Why a file could not be read to its end.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// It is no capture.
    NotACapture,
    /// It is a capture without a packet, or with none of a link type that is understood.
    Empty { link_types: Vec<u32> },
    /// It ends in the middle of a packet, or goes on with something else. What came before stands.
    CutOff { packets: u64, why: String, so_far: Box<Analysis> },
    /// The system could not read it.
    Io(io::Error),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::NotACapture => f.write_str("neither a pcapng nor a pcap file"),
            ReadError::Empty { link_types } if link_types.is_empty() => f.write_str("no packet in it"),
            ReadError::Empty { link_types } => {
                let types: Vec<String> = link_types.iter().map(u32::to_string).collect();
                write!(f, "every packet has a link type that is not known here ({})", types.join(", "))
            }
            ReadError::CutOff { packets: 0, why, .. } => write!(f, "{why} before the first packet"),
            ReadError::CutOff { packets, why, .. } => {
                write!(f, "{why} after {packets} packets; only those before it are drawn")
            }
            ReadError::Io(error) => error.fmt(f),
        }
    }
}

/// Reads a capture and follows its connections.
///
/// # Errors
/// A [`ReadError`]; one that is [`CutOff`](ReadError::CutOff) brings along what was understood.
pub(crate) fn analyse(file: impl Read, selection: Selection, limits: Limits) -> Result<Analysis, ReadError> {
    let mut reader = BufReader::new(file);
    let mut taker = Taker { connections: Connections::new(selection, limits), foreign: Vec::new() };
    let begin = reader.fill_buf().map_err(ReadError::Io)?.get(..4).unwrap_or_default();
    let end = if begin == PCAPNG_MAGIC {
        read_pcapng(reader, &mut taker)
    } else if PCAP_MAGICS.iter().any(|magic| begin == magic) {
        read_pcap(reader, &mut taker)
    } else {
        return Err(ReadError::NotACapture);
    };
    taker.finish(end)
}

/// Takes packets out of a file of either kind.
struct Taker {
    connections: Connections,
    /// Link types that were met and are not understood.
    foreign: Vec<u32>,
}

impl Taker {
    fn packet(&mut self, link_type: u32, at: Duration, frame: &[u8]) {
        let counted = &mut self.connections.analysis;
        counted.packets += 1;
        let Some(link) = LinkType::from_number(link_type) else {
            counted.unreadable += 1;
            if !self.foreign.contains(&link_type) && self.foreign.len() < 8 {
                self.foreign.push(link_type);
            }
            return;
        };
        match segment::parse(link, frame) {
            Ok(segment) => self.connections.take(at, &segment),
            Err(Skipped::NotTcp) => {}
            Err(Skipped::Unreadable) => counted.unreadable += 1,
        }
    }

    fn finish(self, end: Result<(), PcapError>) -> Result<Analysis, ReadError> {
        let analysis = self.connections.finish();
        let packets = analysis.packets;
        let why = match end {
            Err(PcapError::IoError(error)) if error.kind() != io::ErrorKind::UnexpectedEof => {
                return Err(ReadError::Io(error));
            }
            Err(PcapError::IoError(_) | PcapError::IncompleteBuffer) => "the file is cut off".to_owned(),
            Err(error) => format!("the file is damaged ({error})"),
            Ok(()) if packets == 0 => return Err(ReadError::Empty { link_types: Vec::new() }),
            Ok(()) if analysis.seen == 0 && !self.foreign.is_empty() => {
                return Err(ReadError::Empty { link_types: self.foreign });
            }
            Ok(()) => return Ok(analysis),
        };
        Err(ReadError::CutOff { packets, why, so_far: Box::new(analysis) })
    }
}

fn read_pcapng(reader: impl Read, taker: &mut Taker) -> Result<(), PcapError> {
    let mut reader = PcapNgReader::new(reader)?;
    let mut interfaces = Vec::new();
    while let Some(block) = reader.next_block() {
        match block? {
            // Interfaces are numbered anew in each section.
            Block::SectionHeader(_) => interfaces.clear(),
            Block::InterfaceDescription(interface) => {
                interfaces.push((u32::from(interface.linktype), resolution(&interface)));
            }
            Block::EnhancedPacket(packet) => {
                let id = packet.interface_id;
                let interface = interfaces.get(id as usize).ok_or(PcapError::InvalidInterfaceId(id))?;
                // The crate takes every unit for a nanosecond.
                let units = packet.timestamp.as_nanos() as u64;
                taker.packet(interface.0, since_epoch(units, interface.1), &packet.data);
            }
            // Simple packets have no time, and the obsolete kind is no longer written by anybody.
            _ => {}
        }
    }
    Ok(())
}

fn read_pcap(reader: impl Read, taker: &mut Taker) -> Result<(), PcapError> {
    let mut reader = PcapReader::new(reader)?;
    let header = reader.header();
    let link_type = u32::from(header.datalink);
    let unit = match header.ts_resolution {
        TsResolution::MicroSecond => 1_000,
        TsResolution::NanoSecond => 1,
    };
    // Raw, as the crate refuses packets of which a snap length has cut something off.
    while let Some(packet) = reader.next_raw_packet() {
        let packet = packet?;
        let fraction = Duration::from_nanos(u64::from(packet.ts_frac) * unit);
        taker.packet(link_type, Duration::from_secs(packet.ts_sec.into()) + fraction, &packet.data);
    }
    Ok(())
}

/// `if_tsresol`: a negative power of ten or, with the highest bit, of two.
fn resolution(interface: &InterfaceDescriptionBlock<'_>) -> u8 {
    let given = interface.options.iter().find_map(|option| match option {
        InterfaceDescriptionOption::IfTsResol(resolution) => Some(*resolution),
        _ => None,
    });
    given.unwrap_or(DEFAULT_RESOLUTION)
}

/// Units of a resolution as a time; what has no room ends at the longest.
fn since_epoch(units: u64, resolution: u8) -> Duration {
    let exponent = u32::from(resolution & 0x7f);
    let base: u128 = if resolution & 0x80 == 0 { 10 } else { 2 };
    let nanoseconds = match base.checked_pow(exponent) {
        Some(units_a_second) => u128::from(units) * 1_000_000_000 / units_a_second,
        None => 0,
    };
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_time_follow_the_interface() {
        assert_eq!(since_epoch(1_500_000, 6), Duration::from_millis(1_500));
        assert_eq!(since_epoch(1_500_000_000, 9), Duration::from_millis(1_500));
        assert_eq!(since_epoch(3, 0), Duration::from_secs(3));
        assert_eq!(since_epoch(1 << 19, 0x80 | 20), Duration::from_millis(500));
        assert_eq!(since_epoch(u64::MAX, 0), Duration::from_nanos(u64::MAX), "beyond what there is room for");
        assert_eq!(since_epoch(u64::MAX, 127), Duration::ZERO);
    }
}
