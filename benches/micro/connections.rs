//! What a packet costs as there are more connections that it could be for: the demultiplexer, the wheel of timers, and
//! the memory that a processor has not at hand.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion};
use longwire::stack::SocketId;
use longwire::tcp::{KeepAlive, SocketOptions};
use longwire::wire::{TcpFlags, TcpOptions};

use crate::peer::{Peer, Rig};

const COUNTS: [usize; 4] = [10, 1_000, 10_000, 100_000];

pub(super) fn all(criterion: &mut Criterion) {
    for count in COUNTS {
        let (mut rig, mut peers) = Rig::with_connections(count);
        demultiplexer(criterion, &mut rig, &peers);
        exchange(criterion, &mut rig, &mut peers);
        wheel(criterion, &mut rig, &peers);
    }
}

/// A step through all indices that no cache foresees.
pub(super) fn next(index: &mut usize, count: usize) -> usize {
    // The step and a power of ten have no common divisor, so everyone has a turn.
    *index = (*index + 7_368_787) % count;
    *index
}

/// An acknowledgment that says nothing new: it is parsed, its connection found, and that is all.
fn demultiplexer(criterion: &mut Criterion, rig: &mut Rig, peers: &[Peer]) {
    let mut index = 0;
    let mut group = criterion.benchmark_group("connections");
    group.bench_function(BenchmarkId::new("an empty acknowledgment", peers.len()), |bencher| {
        bencher.iter(|| {
            let peer = &peers[next(&mut index, peers.len())];
            rig.receive(peer, TcpFlags::ACK, TcpOptions::default(), b"");
        });
    });
    group.finish();
}

/// A byte comes, is read, and another goes out with its acknowledgment; a timer is armed and stopped for it.
fn exchange(criterion: &mut Criterion, rig: &mut Rig, peers: &mut [Peer]) {
    let (mut index, count) = (0, peers.len());
    let mut group = criterion.benchmark_group("connections");
    group.bench_function(BenchmarkId::new("a byte there and back", count), |bencher| {
        bencher.iter(|| rig.exchange(&mut peers[next(&mut index, count)]));
    });
    group.finish();
    // The last byte of each is acknowledged, so that nothing of this is left.
    for peer in peers.iter() {
        rig.receive(peer, TcpFlags::ACK, TcpOptions::default(), b"");
    }
    rig.transmit();
}

/// A millisecond passes, with a timer armed for each connection and none of them due.
fn wheel(criterion: &mut Criterion, rig: &mut Rig, peers: &[Peer]) {
    for peer in peers {
        keep_alive(rig, peer.socket);
    }
    rig.transmit();
    let mut group = criterion.benchmark_group("connections");
    group.bench_function(BenchmarkId::new("a millisecond without a timer due", peers.len()), |bencher| {
        bencher.iter(|| {
            rig.wait(Duration::from_millis(1));
            rig.stack.poll_timeout()
        });
    });
    group.finish();
}

fn keep_alive(rig: &mut Rig, socket: SocketId) {
    // So late that no run gets there.
    let late = Duration::from_secs(1_000_000);
    let keep_alive = Some(KeepAlive { idle: late, interval: late, count: 9 });
    let options = rig.stack.options(socket).expect("an open socket");
    rig.stack.set_options(socket, SocketOptions { keep_alive, ..options }).expect("an open socket");
}
