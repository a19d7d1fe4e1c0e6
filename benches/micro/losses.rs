//! What a gap costs as there are more of them: reassembly on the receiving side, the scoreboard on the sending side.

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use longwire::tcp::SocketOptions;

use crate::peer::{Peer, Rig};

/// Gaps at a time.
const GAPS: [u32; 3] = [1, 16, 128];
/// Bytes of a segment: so few that all of them fit the first window.
const SEGMENT: u32 = 50;

pub(super) fn all(criterion: &mut Criterion) {
    reassembly(criterion);
    scoreboard(criterion);
}

/// Every second segment is missing, and comes after all the others.
fn reassembly(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("reassembly");
    for gaps in GAPS {
        group.throughput(Throughput::Elements(u64::from(gaps) * 2));
        group.bench_with_input(BenchmarkId::new("segments beside gaps", gaps), &gaps, |bencher, &gaps| {
            bencher.iter_batched(
                connection,
                |(mut rig, peer)| {
                    let late = (0..gaps).map(|index| index * 2);
                    for segment in (0..gaps).map(|index| index * 2 + 1).chain(late) {
                        rig.receive_data(&peer.ahead(segment * SEGMENT), &[b'x'; SEGMENT as usize]);
                        rig.transmit();
                    }
                    let received = rig.stack.read(peer.socket, &mut [0; 65_536]);
                    assert_eq!(received, Ok((gaps * 2 * SEGMENT) as usize));
                    rig
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

/// Every second segment is reported, one at a time, and the others are not.
fn scoreboard(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("scoreboard");
    for gaps in GAPS {
        group.throughput(Throughput::Elements(u64::from(gaps)));
        group.bench_with_input(BenchmarkId::new("SACKs beside gaps", gaps), &gaps, |bencher, &gaps| {
            bencher.iter_batched(
                || under_way(gaps * 2),
                |(mut rig, peer)| {
                    for segment in (0..gaps).map(|index| index * 2 + 1) {
                        rig.receive_sack(&peer, segment * SEGMENT, SEGMENT);
                    }
                    rig
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

fn connection() -> (Rig, Peer) {
    let mut rig = Rig::new();
    let peer = rig.connect(0);
    (rig, peer)
}

/// A connection with so many small segments under way.
fn under_way(segments: u32) -> (Rig, Peer) {
    let (mut rig, peer) = connection();
    let options = rig.stack.options(peer.socket).expect("an open socket");
    rig.stack.set_options(peer.socket, SocketOptions { nodelay: true, ..options }).expect("an open socket");
    for _ in 0..segments {
        assert_eq!(rig.stack.write(peer.socket, &[b'x'; SEGMENT as usize]), Ok(SEGMENT as usize));
        assert!(rig.transmit().is_some(), "the first window has room for all of it");
    }
    (rig, peer)
}
