//! Headers and checksums.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use longwire::wire::{Checksum, IpHeader, SackBlocks, SeqNumber, TcpHeader, TcpOptions, Timestamps};

pub(super) fn all(criterion: &mut Criterion) {
    parsing(criterion);
    checksums(criterion);
}

fn parsing(criterion: &mut Criterion) {
    let timestamps = Some(Timestamps { value: 1, echo: 2 });
    let mut sack = SackBlocks::default();
    (0..3).for_each(|block| sack.push(SeqNumber(block * 3_000), SeqNumber(block * 3_000 + 1_448)));
    let kinds = [
        ("bare", TcpOptions::default()),
        ("timestamps", TcpOptions { timestamps, ..TcpOptions::default() }),
        ("timestamps and three SACK blocks", TcpOptions { timestamps, sack, ..TcpOptions::default() }),
    ];
    let mut group = criterion.benchmark_group("parsing");
    for (name, options) in kinds {
        let mut bytes = [0; TcpHeader::MAX_LEN];
        let len = TcpHeader { options, ..TcpHeader::default() }.emit(0, &mut bytes);
        group.bench_function(BenchmarkId::new("TCP header", name), |bencher| {
            bencher.iter(|| TcpHeader::parse(black_box(&bytes[..len])));
        });
    }
    let mut packet = [0; 40];
    packet[..20].copy_from_slice(&[0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 2, 10, 0, 0, 1]);
    let mut sum = Checksum::default();
    sum.add(&packet[..20]);
    packet[10..12].copy_from_slice(&sum.finish().to_be_bytes());
    IpHeader::parse(&packet).expect("a good header");
    group.bench_function("IPv4 header", |bencher| bencher.iter(|| IpHeader::parse(black_box(&packet))));
    group.finish();
}

fn checksums(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("checksum");
    let bytes: Vec<u8> = (0..65_483).map(|index| index as u8).collect();
    for len in [20, 1_460, 65_483] {
        group.throughput(Throughput::Bytes(len as u64));
        group.bench_with_input(BenchmarkId::from_parameter(len), &bytes[..len], |bencher, bytes| {
            bencher.iter(|| {
                let mut sum = Checksum::default();
                sum.add(black_box(bytes));
                sum.finish()
            });
        });
    }
    group.finish();
}
