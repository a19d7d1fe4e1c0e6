//! What the host sends.

use super::{call, opened, opened_with, syn};
use crate::scenario::{Call, Scenario, scenario, segment, send};

pub(super) fn segments() -> Vec<Scenario> {
    vec![
        scenario("a write", [opened(), vec![call(Call::Write(100)), send(segment("A", 1, 101))]]),
        scenario(
            "a write of several segments",
            [opened(), vec![call(Call::Write(4_000)), send(segment("A", 1, 4_001))]],
        ),
        scenario(
            "a peer without an MSS",
            [
                opened_with(segment("S", 0, 0), segment("A", 1, 1)),
                vec![call(Call::Write(1_000)), send(segment("A", 1, 1_001))],
            ],
        ),
        scenario(
            "a peer with an odd MSS",
            [
                opened_with(segment("S", 0, 0).mss(777), segment("A", 1, 1)),
                vec![call(Call::Write(2_000)), send(segment("A", 1, 2_001))],
            ],
        ),
        scenario(
            "a peer with an odd MSS and timestamps",
            [
                opened_with(
                    segment("S", 0, 0).mss(777).timestamp(1_000),
                    segment("A", 1, 1).timestamp(1_001),
                ),
                vec![call(Call::Write(2_000)), send(segment("A", 1, 2_001).timestamp(1_002))],
            ],
        ),
        scenario(
            "a small write behind one that waits",
            [
                opened(),
                vec![
                    call(Call::Write(10)),
                    call(Call::Write(10)),
                    send(segment("A", 1, 11)),
                    send(segment("A", 1, 21)),
                ],
            ],
        ),
    ]
}

pub(super) fn windows() -> Vec<Scenario> {
    vec![
        scenario(
            "a window of 1,000",
            [
                opened_with(syn(), segment("A", 1, 1).window(1_000)),
                vec![
                    call(Call::Write(3_000)),
                    send(segment("A", 1, 1_001).window(1_000)),
                    send(segment("A", 1, 2_001).window(5_000)),
                    send(segment("A", 1, 3_001)),
                ],
            ],
        ),
        scenario(
            "a window that closes and opens",
            [
                opened(),
                vec![
                    send(segment("A", 1, 1).window(0)),
                    call(Call::Write(500)),
                    send(segment("A", 1, 1).window(5_000)),
                    send(segment("A", 1, 501)),
                ],
            ],
        ),
        scenario(
            "a window that shrinks",
            [
                opened(),
                vec![
                    call(Call::Write(500)),
                    send(segment("A", 1, 501).window(100)),
                    call(Call::Write(1_000)),
                    send(segment("A", 1, 501).window(5_000)),
                    send(segment("A", 1, 1_501)),
                ],
            ],
        ),
        scenario(
            "a scaled window",
            [
                opened_with(syn().window_scale(4), segment("A", 1, 1).window(100)),
                vec![
                    call(Call::Write(3_000)),
                    send(segment("A", 1, 1_601).window(1_000)),
                    send(segment("A", 1, 3_001)),
                ],
            ],
        ),
    ]
}

pub(super) fn fins_with_data() -> Vec<Scenario> {
    vec![
        scenario(
            "a write with a FIN",
            [
                opened(),
                vec![
                    call(Call::Write(100)),
                    call(Call::ShutdownWrite),
                    send(segment("A", 1, 102)),
                    send(segment("FA", 1, 102)),
                    call(Call::Read),
                ],
            ],
        ),
        scenario(
            "a FIN behind data that waits for a window",
            [
                opened_with(syn(), segment("A", 1, 1).window(50)),
                vec![
                    call(Call::Write(100)),
                    call(Call::ShutdownWrite),
                    send(segment("A", 1, 51).window(5_000)),
                    send(segment("A", 1, 102)),
                ],
            ],
        ),
        scenario(
            "data both ways",
            [
                opened(),
                vec![
                    call(Call::Write(100)),
                    send(segment("PA", 1, 101).len(50)),
                    call(Call::Read),
                    call(Call::Write(10)),
                    send(segment("A", 51, 111)),
                ],
            ],
        ),
    ]
}
