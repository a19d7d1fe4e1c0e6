//! Scenarios drawn from a seed: one connection, and a peer that is mostly right.

use fastrand::Rng;

use crate::scenario::{Blocks, Call, Scenario, Segment, Step, segment, send};

/// Steps after the handshake.
const STEPS: usize = 10;

/// What a scenario may have. Where the two are known to differ, and a hand-written scenario says so, nothing is drawn.
struct Kind {
    /// A FIN, as the last segment, without SACK, and behind all data: a FIN that waits is reported by SACK on Linux, and
    /// what comes behind one resets.
    fin: bool,
    /// Resets, no SYNs that would begin anew, and a single call: an error that was told once is not told again by Linux.
    resets: bool,
    /// One write, and nothing to send behind it: when that leaves is a matter of Nagle's rule and of time-outs.
    write: Option<usize>,
}

pub(crate) fn scenario(seed: u64) -> Scenario {
    let mut rng = Rng::with_seed(seed);
    let sack = rng.bool();
    let mut syn = segment("S", 0, 0).mss(1_460);
    if sack {
        syn = syn.sack_permitted();
    }
    let resets = rng.bool();
    let write = (!resets && rng.bool()).then(|| rng.usize(..STEPS));
    let kind = Kind { fin: !sack && rng.bool(), resets, write };
    let mut steps =
        vec![Step::Call(Call::Listen), send(syn), send(segment("A", 1, 1)), Step::Call(Call::Accept)];
    steps.extend((0..STEPS).map(|number| step(&mut rng, &kind, number)));
    if kind.fin {
        steps.push(send(segment("FA", 1 + rng.i64(0..2) * 1_200, 1).len(1_200)));
    }
    steps.push(Step::Call(Call::Read));
    Scenario { name: format!("seed {seed}"), steps, blocks: Blocks::WithoutDuplicates }
}

fn step(rng: &mut Rng, kind: &Kind, number: usize) -> Step {
    if kind.write == Some(number) {
        return Step::Call(Call::Write(rng.usize(1..300)));
    }
    match rng.u8(0..20) {
        0..=2 if !kind.resets => Step::Call(Call::Read),
        3 if !kind.resets && kind.write.is_none() => Step::Call(Call::ShutdownWrite),
        _ => send(draw(rng, kind)),
    }
}

/// Sequence numbers from a small range, so that ranges touch, overlap and repeat.
fn draw(rng: &mut Rng, kind: &Kind) -> Segment {
    let seq = 1 + 100 * rng.i64(0..8) + if rng.u8(0..4) == 0 { rng.i64(-120..120) } else { 0 };
    let ack = match rng.u8(0..12) {
        0 => rng.i64(2_000..4_000),
        1 => rng.i64(-3_000..0),
        _ => 1,
    };
    match rng.u8(0..24) {
        // Linux also takes a reset where the last SACK block ends: listed, and kept away from here.
        0 if kind.resets => segment("R", seq - seq.rem_euclid(100) + 50, ack),
        1 if kind.resets => segment("RA", 1, ack),
        2 if !kind.resets => segment("S", seq, ack),
        3..=4 => segment("A", seq, ack),
        5 => segment("PAU", seq, ack).len(100).urgent(rng.u16(..200)),
        _ => segment("PA", seq, ack).len(100 * rng.usize(1..4)),
    }
}
