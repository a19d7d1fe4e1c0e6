//! What the parts of the core cost, each for itself, and how that grows:
//!
//! ```text
//! cargo bench --bench micro
//! cargo bench --bench micro -- connections
//! cargo bench --bench micro -- packets exchanges 100000 20000     once, for a tool that counts instructions
//! ```
//!
//! The parts are reached through the core's public face, a `Stack` that is fed packets: what is measured is what a
//! packet pays for them, its parsing included.

mod connections;
mod losses;
mod packets;
mod peer;
mod wire;

use std::env;

use criterion::Criterion;

fn main() {
    let words: Vec<String> = env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == "packets") {
        packets::run(&words[1..]);
        return;
    }
    let mut criterion = Criterion::default().configure_from_args();
    wire::all(&mut criterion);
    connections::all(&mut criterion);
    losses::all(&mut criterion);
    criterion.final_summary();
}
