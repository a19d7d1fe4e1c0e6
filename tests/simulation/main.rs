//! Whole worlds in virtual time: stacks on bad links, each drawn from a seed.
//!
//! | variable | meaning |
//! | --- | --- |
//! | `LONGWIRE_SIM_SEEDS=from..to` | lives through these seeds instead of the usual thousand |
//!
//! A failing world leaves its trace in the target directory, and the message says where.
#![cfg(feature = "device")]

mod idle;
mod middleboxes;
mod named;
mod pair;
mod properties;
mod sharing;
mod throughput;

use std::collections::BTreeSet;
use std::num::NonZero;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use longwire::sim::{Failure, Scenario, Trace};
use longwire::time::Duration;

/// Worlds in an ordinary run.
const SEEDS: Range<u64> = 0..1_000;
/// How often a long run says that it is still alive, in worlds.
const PROGRESS: u64 = 1_000;

fn seeds() -> Range<u64> {
    let Ok(text) = std::env::var("LONGWIRE_SIM_SEEDS") else { return SEEDS };
    let parsed = text.split_once("..").and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
    parsed.unwrap_or_else(|| panic!("LONGWIRE_SIM_SEEDS={text}: not of the form from..to"))
}

/// Lives through the seeds on all cores and gives the failures, in order of their seeds.
fn failures(seeds: Range<u64>, world: impl Fn(u64) -> Result<(), Failure> + Sync) -> Vec<Failure> {
    let next = AtomicU64::new(seeds.start);
    let failures = Mutex::new(Vec::new());
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while let Some(seed) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|s| *s < seeds.end) {
                    if let Err(failure) = world(seed) {
                        failures.lock().unwrap().push(failure);
                    }
                    let done = seed + 1 - seeds.start;
                    if done.is_multiple_of(PROGRESS) {
                        let failed = failures.lock().unwrap().len();
                        println!("{done} of {} worlds, {failed} failed", seeds.end - seeds.start);
                    }
                }
            });
        }
    });
    let mut failures = failures.into_inner().unwrap();
    failures.sort_by_key(|failure| failure.seed);
    failures
}

/// Lives through the world again and leaves its trace in a file.
fn write_trace(seed: u64) -> PathBuf {
    let scenario = Scenario::from_seed(seed);
    let (_, trace) = scenario.run_traced(Trace::with_lines());
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("sim-{seed}.trace"));
    std::fs::write(&path, format!("{scenario:#?}\n{}\n", trace.lines().join("\n"))).unwrap();
    path
}

#[test]
fn seeded_worlds() {
    let seeds = seeds();
    let totals = Mutex::new((0, Duration::ZERO, 0));
    let failures = failures(seeds.clone(), |seed| {
        let scenario = Scenario::from_seed(seed);
        let report = scenario.run()?;
        let mut totals = totals.lock().unwrap();
        totals.0 += report.packets;
        totals.1 += report.ended_at - scenario.epoch;
        totals.2 += report.delivered.iter().map(|(clients, servers)| clients + servers).sum::<u64>();
        Ok(())
    });
    let (packets, time, bytes) = totals.into_inner().unwrap();
    println!("{packets} packets, {bytes} bytes delivered, {} hours of virtual time", time.as_secs() / 3600);
    for failure in failures.iter().take(10) {
        println!("{failure}");
    }
    if let Some(Failure { seed, .. }) = failures.first() {
        let (count, all, trace) = (failures.len(), seeds.end - seeds.start, write_trace(*seed));
        panic!(
            "{count} of {all} worlds failed; the trace of the first is {}; to see it again:\n  \
             LONGWIRE_SIM_SEEDS={seed}..{} cargo test --test simulation seeded_worlds",
            trace.display(),
            seed + 1
        );
    }
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let different = failures(0..60, |seed| {
        let [first, second] = [(); 2].map(|()| Scenario::from_seed(seed).run());
        match (first, second) {
            (Ok(first), Ok(second)) if first == second => Ok(()),
            (Ok(first), Ok(second)) => Err(Failure {
                seed,
                at: first.ended_at.min(second.ended_at),
                what: format!("{first:?} and then {second:?}"),
            }),
            (Err(failure), _) | (_, Err(failure)) => Err(failure),
        }
    });
    assert_eq!(different, []);
}

#[test]
fn different_seeds_give_different_traces() {
    let reports = (0..20).map(|seed| Scenario::from_seed(seed).run().unwrap());
    // A host that talks to itself puts nothing on the wire.
    let hashes: Vec<u64> = reports.filter(|report| report.packets > 0).map(|report| report.hash).collect();
    assert!(hashes.len() > 10);
    assert_eq!(hashes.iter().collect::<BTreeSet<_>>().len(), hashes.len());
}
