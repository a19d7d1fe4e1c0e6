//! Captures by strangers: whatever is in them, there is a picture or an error, and never a panic.

use proptest::prelude::*;

use super::drawing::well_formed;
use super::*;

fn digest(file: &[u8]) {
    let analysis = match analyse(file, Selection::default(), Limits { connections: 5, rows: 20 }) {
        Ok(analysis) => analysis,
        Err(ReadError::CutOff { so_far, .. }) => *so_far,
        Err(_) => return,
    };
    assert!(analysis.connections.len() <= 5);
    assert!(analysis.connections.iter().all(|connection| connection.rows.len() <= 21));
    well_formed(&draw(&analysis, &Names::default(), None));
}

/// Any segment between the two ends: numbers that jump, flags that contradict each other, text that is markup.
fn any_segment() -> impl Strategy<Value = (bool, u8, u32, u32, u16, Vec<u8>, u64)> {
    let number = prop_oneof![0..50u32, any::<u32>()];
    let text = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        Just(b"GET /<b>&\"\x07 HTTP/1.1\r\n".to_vec()),
        Just(b"HTTP/1.1 \xff\xfe\r\n".to_vec()),
    ];
    (any::<bool>(), any::<u8>(), number.clone(), number, any::<u16>(), text, 0..2_000_000u64)
}

proptest! {
    #[test]
    fn any_sequence_of_segments(segments in prop::collection::vec(any_segment(), 0..60)) {
        let mut recording = Recording::new();
        for (from_client, flags, seq, ack, window, payload, wait) in segments {
            let flags = TcpFlags(flags);
            recording.after(Duration::from_micros(wait));
            if from_client {
                recording.client(flags, seq, ack, window, &payload);
            } else {
                recording.server(flags, seq, ack, window, &payload);
            }
        }
        digest(&recording.file());
    }

    #[test]
    fn any_packets(packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..20)) {
        let mut recording = Recording::new();
        for mut packet in packets {
            // Mostly something that begins like IP.
            if let [first, .., last] = &mut packet[..] && *last < 200 {
                *first = if *last % 2 == 0 { 0x45 } else { 0x60 };
            }
            recording.packet(&packet);
        }
        digest(&recording.file());
    }

    #[test]
    fn damaged_files(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        end in any::<prop::sample::Index>(),
    ) {
        let mut recording = Recording::new();
        recording.opened().client(ACK, 1, 1, 500, b"GET / HTTP/1.1\r\n\r\n").server(ACK | FIN, 1, 19, 512, b"x");
        let mut file = recording.file();
        for (at, value) in damage {
            let at = at.index(file.len());
            file[at] = value;
        }
        file.truncate(end.index(file.len() * 2).min(file.len()));
        digest(&file);
    }

    #[test]
    fn any_bytes(magic in 0..5usize, mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let begin = [&[][..], &[0x0a, 0x0d, 0x0d, 0x0a], &[0xd4, 0xc3, 0xb2, 0xa1], &[0xa1, 0xb2, 0xc3, 0xd4]];
        let mut file = begin.get(magic).copied().unwrap_or(&[0x4d, 0x3c, 0xb2, 0xa1]).to_vec();
        file.append(&mut bytes);
        digest(&file);
    }
}
