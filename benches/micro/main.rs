//! What the parts of the core cost, each for itself, and how that grows:
//!
//! ```text
//! cargo bench --bench micro
//! cargo bench --bench micro -- connections
//! ```
//!
//! The parts are reached through the core's public face, a `Stack` that is fed packets: what is measured is what a
//! packet pays for them, its parsing included.

mod connections;
mod losses;
mod peer;
mod wire;

use criterion::Criterion;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    wire::all(&mut criterion);
    connections::all(&mut criterion);
    losses::all(&mut criterion);
    criterion.final_summary();
}
