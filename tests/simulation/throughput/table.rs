//! Goodput by loss, round-trip time, queue and congestion control, as a document that every change of them has to show.
//!
//! `UPDATE_THROUGHPUT=1 cargo test --test simulation throughput_table` writes `docs/throughput.md` anew.

use std::fmt::Write;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use longwire::tcp::{Algorithm, Config};

use super::{MSS, cubic, goodput_of, mathis};

/// Mbit/s of the link.
const RATE: f64 = 20.0;
const SECONDS: u64 = 20;
const ALGORITHMS: [Algorithm; 3] = [Algorithm::Cubic, Algorithm::NewReno, Algorithm::Bbr];
/// In percent, from sender to receiver.
const LOSSES: [f64; 5] = [0.0, 0.01, 0.1, 1.0, 3.0];
/// In milliseconds.
const RTTS: [u64; 3] = [2, 20, 100];
/// In bandwidth-delay products.
const QUEUES: [f64; 2] = [0.25, 1.0];

#[derive(Clone, Copy)]
struct Cell {
    algorithm: Algorithm,
    loss: f64,
    rtt: u64,
    queue: f64,
}

impl Cell {
    fn all() -> Vec<Cell> {
        let mut cells = Vec::new();
        for algorithm in ALGORITHMS {
            for loss in LOSSES {
                for rtt in RTTS {
                    cells.extend(QUEUES.map(|queue| Cell { algorithm, loss, rtt, queue }));
                }
            }
        }
        cells
    }

    /// Bytes that the queue holds, and never less than three packets.
    fn queue_bytes(self) -> u64 {
        ((RATE * 1e6 / 8.0 * self.rtt as f64 / 1e3 * self.queue) as u64).max(4_500)
    }

    fn goodput(self) -> f64 {
        let (delay, loss, queue) = (self.rtt * 500, self.loss, self.queue_bytes());
        let there = format!("delay={delay}us,loss={loss}%,rate={RATE}mbit,queue={queue}B");
        let config = Config { congestion: self.algorithm, ..Config::default() };
        goodput_of(1, &config, &there, &format!("delay={delay}us"), SECONDS).0
    }

    /// What the link carries of payload.
    fn link() -> f64 {
        RATE * MSS / 1_500.0
    }

    /// What theory gives: the response function of the algorithm, or the link. BBR follows what is delivered.
    fn bound(self) -> f64 {
        let (rtt, loss) = (self.rtt as f64 / 1e3, self.loss / 100.0);
        let response = match self.algorithm {
            _ if loss == 0.0 => f64::INFINITY,
            Algorithm::Cubic => cubic(rtt, loss),
            Algorithm::NewReno => mathis(rtt, loss),
            Algorithm::Bbr => Cell::link() * (1.0 - loss),
        };
        response.min(Cell::link())
    }
}

/// All cells, on all cores; each is a world of its own.
fn measured(cells: &[Cell]) -> Vec<f64> {
    let (next, rates) = (AtomicUsize::new(0), Mutex::new(vec![0.0; cells.len()]));
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while let Some((index, cell)) = Some(next.fetch_add(1, Ordering::Relaxed))
                    .and_then(|index| Some((index, cells.get(index)?)))
                {
                    let rate = cell.goodput();
                    rates.lock().unwrap()[index] = rate;
                }
            });
        }
    });
    rates.into_inner().unwrap()
}

fn document(cells: &[Cell], rates: &[f64]) -> String {
    let mut text = format!(
        "# Throughput in simulation\n\n\
         Bulk data in one direction for {SECONDS} s of virtual time over a link of {RATE} Mbit/s, slow start included: Mbit/s of\n\
         payload, and as a share of what theory gives. That is the link ({:.2} Mbit/s of payload), or where losses come first\n\
         the response function: Mathis and others' for NewReno, RFC 9438 5.1 for CUBIC, with Reno's where that is more; for\n\
         BBR what the link delivers of what it is sent. The queue is in bandwidth-delay products, three packets at least. Losses\n\
         are at random, each packet by itself, and one seed is one throw of the dice: a cell with few losses may be far from\n\
         the mean that theory speaks of.\n\n\
         Written by a test, which fails when a change of the code changes a figure:\n\
         `UPDATE_THROUGHPUT=1 cargo test --test simulation throughput_table` writes it anew.\n",
        Cell::link()
    );
    for algorithm in ALGORITHMS {
        let _ = write!(text, "\n## {}\n\n| loss | RTT | theory |", algorithm.name());
        QUEUES.iter().for_each(|queue| {
            let _ = write!(text, " queue {queue} | share |");
        });
        let _ = writeln!(text, "\n| --- | --- | --- |{}", " --- | --- |".repeat(QUEUES.len()));
        let own = cells.iter().zip(rates).filter(|(cell, _)| cell.algorithm.name() == algorithm.name());
        for row in own.collect::<Vec<_>>().chunks(QUEUES.len()) {
            let Cell { loss, rtt, .. } = *row[0].0;
            let _ = write!(text, "| {loss} % | {rtt} ms | {:.2} |", row[0].0.bound());
            for (cell, rate) in row {
                let _ = write!(text, " {rate:.2} | {:.2} |", *rate / cell.bound());
            }
            text.push('\n');
        }
    }
    text
}

#[test]
fn throughput_table() {
    let cells = Cell::all();
    let rates = measured(&cells);
    for (cell, rate) in cells.iter().zip(&rates) {
        let Cell { loss, rtt, queue, .. } = *cell;
        let name = format!("{}, {loss} %, {rtt} ms, queue {queue}", cell.algorithm.name());
        assert!(*rate <= Cell::link(), "{name}: {rate} is more than the link carries");
        // Far below theory is broken, whatever the document says.
        assert!(*rate >= 0.4 * cell.bound(), "{name}: {rate:.2} of {:.2}", cell.bound());
    }
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/throughput.md");
    let text = document(&cells, &rates);
    if std::env::var_os("UPDATE_THROUGHPUT").is_some() {
        std::fs::write(&path, text).unwrap();
        return;
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    for (line, (is, was)) in text.lines().zip(committed.lines()).enumerate() {
        assert_eq!(is, was, "docs/throughput.md, line {}: UPDATE_THROUGHPUT=1 writes it anew", line + 1);
    }
    assert_eq!(text.lines().count(), committed.lines().count());
}
