//! Files of both kinds, whole and broken.

use std::borrow::Cow;

use pcap_file::pcap::{PcapHeader, PcapWriter, RawPcapPacket};
use pcap_file::{DataLink, TsResolution};

use super::*;

const LIMITS: Limits = Limits { connections: 10, rows: 50 };

fn read(file: &[u8]) -> Result<Analysis, ReadError> {
    analyse(file, Selection::default(), LIMITS)
}

/// A file as `tcpdump -w` writes it, with half of each packet cut off.
fn pcap(link_type: DataLink, resolution: TsResolution, packets: &[(u32, u32, Vec<u8>)]) -> Vec<u8> {
    let header =
        PcapHeader { datalink: link_type, ts_resolution: resolution, snaplen: 96, ..PcapHeader::default() };
    let mut writer = PcapWriter::with_header(Vec::new(), header).unwrap();
    for (seconds, fraction, packet) in packets {
        let kept = &packet[..packet.len().min(96)];
        let raw = RawPcapPacket {
            ts_sec: *seconds,
            ts_frac: *fraction,
            incl_len: kept.len() as u32,
            orig_len: packet.len() as u32,
            data: Cow::Borrowed(kept),
        };
        writer.write_raw_packet(&raw).unwrap();
    }
    writer.into_writer()
}

#[test]
fn pcap_files_are_read_in_both_resolutions() {
    let ends = (([10, 9, 0, 1], 41_001), ([10, 9, 0, 2], 80));
    let packet = segment(ends.0, ends.1, ACK, (1, 1), 500, &[b'x'; 1_000]);
    let frame = [&[0; 12][..], &[8, 0], &packet].concat();
    for (resolution, unit) in [(TsResolution::MicroSecond, 1), (TsResolution::NanoSecond, 1_000)] {
        let packets = [(7, 999_000 * unit, frame.clone()), (8, 1_000 * unit, frame.clone())];
        let analysis = read(&pcap(DataLink::ETHERNET, resolution, &packets)).unwrap();
        let connection = &analysis.connections[0];
        assert_eq!(connection.lasted, Duration::from_millis(2));
        assert_eq!(connection.bytes.client, 2_000, "what the snap length cut off counts");
    }
}

#[test]
fn what_is_no_capture_is_called_so() {
    for bytes in [&b""[..], b"abc", b"<svg></svg>", &[0; 100]] {
        assert!(matches!(read(bytes), Err(ReadError::NotACapture)), "{bytes:?}");
    }
}

#[test]
fn a_capture_without_packets_is_called_empty() {
    let error = read(&Recording::new().file()).unwrap_err();
    assert_eq!(error.to_string(), "no packet in it");
    let foreign = pcap(DataLink::BLUETOOTH_HCI_H4, TsResolution::MicroSecond, &[(1, 1, vec![0; 40])]);
    let error = read(&foreign).unwrap_err().to_string();
    assert!(error.contains("link type") && error.contains("187"), "{error}");
}

#[test]
fn a_file_that_is_cut_off_keeps_what_came_before() {
    let file = Recording::new().opened().file();
    for cut in [1, 3, 30] {
        let Err(ReadError::CutOff { packets, so_far, .. }) = read(&file[..file.len() - cut]) else {
            panic!()
        };
        assert_eq!((packets, so_far.connections[0].rows.len()), (2, 2), "{cut}");
    }
    let error = read(&file[..file.len() - 1]).unwrap_err().to_string();
    assert_eq!(error, "the file is cut off after 2 packets; only those before it are drawn");
    assert_eq!(read(&file[..20]).unwrap_err().to_string(), "the file is cut off before the first packet");
}

#[test]
fn a_file_that_goes_on_with_something_else_is_called_damaged() {
    let mut recording = Recording::new();
    let good = recording.opened().file();
    // The last block's two lengths are to be the same.
    let mut bad = good.clone();
    let last = bad.len() - 4;
    bad[last] ^= 4;
    let error = read(&bad).unwrap_err().to_string();
    assert!(error.starts_with("the file is damaged (") && error.contains("after 2 packets"), "{error}");
    let twice = [&good[..], &good[..]].concat();
    assert_eq!(read(&twice).unwrap().packets, 6, "a second section is no damage");
}

#[test]
fn other_packets_are_counted_and_left_out() {
    let mut recording = Recording::new();
    let mut udp = Vec::new();
    PacketBuilder::ipv4([1; 4], [2; 4], 64).udp(1, 2).write(&mut udp, b"x").unwrap();
    let analysis = recording.packet(&udp).packet(&[0x99; 30]).opened().analysis();
    assert_eq!((analysis.packets, analysis.unreadable, analysis.seen), (5, 1, 1));
}
