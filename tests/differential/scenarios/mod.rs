//! The scenarios, each about one rule of RFC 9293 and its relatives.

mod closing;
mod opening;
mod options;
mod receiving;
mod sending;

use crate::scenario::{Call, Scenario, Segment, Step, segment, send};

/// Everything, in the order of the ports.
pub(crate) fn all() -> Vec<Scenario> {
    [
        opening::passive_opens(),
        opening::text_with_handshakes(),
        opening::active_opens(),
        opening::refusals(),
        closing::resets(),
        receiving::acknowledgments(),
        receiving::when_to_acknowledge(),
        receiving::duplicates_and_holes(),
        receiving::overlaps(),
        options::options(),
        options::timestamps(),
        closing::orders_of_fins(),
        closing::half_closed(),
        closing::after_a_close(),
        closing::interrupted(),
        closing::time_wait(),
        sending::segments(),
        sending::windows(),
        sending::fins_with_data(),
    ]
    .concat()
}

fn call(call: Call) -> Step {
    Step::Call(call)
}

/// What the peer's first SYN says unless a scenario is about that.
fn syn() -> Segment {
    segment("S", 0, 0).mss(1_460)
}

/// A connection that the peer opened: `syn` is its SYN.
fn opened_with(syn: Segment, ack: Segment) -> Vec<Step> {
    vec![call(Call::Listen), send(syn), send(ack), call(Call::Accept)]
}

fn opened() -> Vec<Step> {
    opened_with(syn(), segment("A", 1, 1))
}

fn opened_with_sack() -> Vec<Step> {
    opened_with(syn().sack_permitted(), segment("A", 1, 1))
}

fn opened_with_timestamps() -> Vec<Step> {
    opened_with(syn().timestamp(1_000), segment("A", 1, 1).timestamp(1_001))
}

fn data(seq: i64, len: usize) -> Segment {
    segment("PA", seq, 1).len(len)
}
