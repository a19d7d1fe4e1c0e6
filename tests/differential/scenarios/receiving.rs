//! What the host takes, and how it acknowledges.

use super::{call, data, opened, opened_with_sack};
use crate::scenario::{Call, Scenario, Step, scenario, segment, send};

pub(super) fn acknowledgments() -> Vec<Scenario> {
    vec![
        scenario("an acknowledgment of the unsent", [opened(), vec![send(segment("A", 1, 1_000))]]),
        scenario(
            "an old acknowledgment",
            [opened(), vec![call(Call::Write(100)), send(segment("A", 1, 101)), send(segment("A", 1, 50))]],
        ),
        scenario("an acknowledgment from long ago", [opened(), vec![send(segment("A", 1, -100_000))]]),
        scenario(
            "data with an acknowledgment of the unsent",
            [opened(), vec![send(segment("PA", 1, 500).len(10)), call(Call::Read)]],
        ),
        scenario(
            "data with an old acknowledgment",
            [
                opened(),
                vec![
                    call(Call::Write(100)),
                    send(segment("PA", 1, 101).len(10)),
                    send(segment("PA", 11, 60).len(10)),
                    call(Call::Read),
                ],
            ],
        ),
        scenario("data without ACK", [opened(), vec![send(segment("P", 1, 0).len(10)), call(Call::Read)]]),
        scenario("no flags at all", [opened(), vec![send(segment("", 1, 0).len(10)), call(Call::Read)]]),
    ]
}

pub(super) fn when_to_acknowledge() -> Vec<Scenario> {
    vec![
        scenario("a keep-alive probe", [opened(), vec![send(segment("A", 0, 1))]]),
        scenario(
            "a keep-alive probe with a byte",
            [opened(), vec![send(data(1, 20)), send(segment("A", 20, 1).len(1)), call(Call::Read)]],
        ),
        scenario("a pure acknowledgment beyond RCV.NXT", [opened(), vec![send(segment("A", 10, 1))]]),
        scenario(
            "a pure acknowledgment beyond the window",
            [opened(), vec![send(segment("A", 2_000_000, 1))]],
        ),
        scenario(
            "data beyond the window",
            [opened(), vec![send(data(2_000_000, 10)), send(data(1, 10)), call(Call::Read)]],
        ),
        scenario(
            "a small segment, and time",
            [opened(), vec![send(data(1, 10)), Step::Wait, send(data(11, 10)), Step::Wait, call(Call::Read)]],
        ),
        scenario(
            "small segments",
            [
                opened(),
                vec![
                    send(data(1, 10)),
                    send(data(11, 10)),
                    Step::Send(vec![data(21, 10), data(31, 10), data(41, 10)]),
                ],
            ],
        ),
        scenario(
            "full segments",
            [opened(), vec![Step::Send((0..4).map(|n| segment("A", 1 + 1_460 * n, 1).len(1_460)).collect())]],
        ),
        scenario(
            "urgent data",
            [
                opened(),
                vec![
                    send(segment("PAU", 1, 1).len(10).urgent(5)),
                    call(Call::Read),
                    send(data(11, 10)),
                    call(Call::Read),
                ],
            ],
        ),
        scenario(
            "an urgent pointer beyond the data",
            [
                opened(),
                vec![
                    send(segment("PAU", 1, 1).len(10).urgent(2_000)),
                    call(Call::Read),
                    send(data(11, 10)),
                    call(Call::Read),
                ],
            ],
        ),
    ]
}

pub(super) fn duplicates_and_holes() -> Vec<Scenario> {
    let read = || vec![call(Call::Read)];
    vec![
        scenario("a duplicate", [opened(), vec![send(data(1, 100)), send(data(1, 100))], read()]),
        scenario(
            "a duplicate with SACK",
            [opened_with_sack(), vec![send(data(1, 100)), send(data(1, 100))], read()],
        ),
        scenario(
            "an overlap behind",
            [opened_with_sack(), vec![send(data(1, 100)), send(data(51, 100))], read()],
        ),
        scenario("out of order", [opened(), vec![send(data(101, 100)), send(data(1, 100))], read()]),
        scenario(
            "out of order with SACK",
            [opened_with_sack(), vec![send(data(101, 100)), send(data(1, 100))], read()],
        ),
        scenario(
            "two holes",
            [
                opened_with_sack(),
                vec![send(data(101, 100)), send(data(301, 100)), send(data(201, 100)), send(data(1, 100))],
                read(),
            ],
        ),
        scenario(
            "five holes",
            [
                opened_with_sack(),
                (1..=5).map(|n| send(data(1 + 200 * n, 100))).collect(),
                vec![send(data(1, 1_200))],
                read(),
            ],
        ),
        scenario(
            "a range twice out of order",
            [
                opened_with_sack(),
                vec![send(data(101, 100)), send(data(101, 100)), send(data(1, 100))],
                read(),
            ],
        ),
    ]
}

pub(super) fn overlaps() -> Vec<Scenario> {
    let read = || vec![call(Call::Read)];
    vec![
        scenario(
            "ranges that overlap out of order",
            [
                opened_with_sack(),
                vec![send(data(101, 100)), send(data(151, 100)), send(data(51, 100)), send(data(1, 50))],
                read(),
            ],
        ),
        scenario(
            "a range that covers two",
            [
                opened_with_sack(),
                vec![send(data(101, 50)), send(data(201, 50)), send(data(91, 300)), send(data(1, 90))],
                read(),
            ],
        ),
        scenario(
            "other bytes for what was read",
            [
                opened_with_sack(),
                vec![send(data(1, 100)), call(Call::Read), send(data(51, 100).altered())],
                read(),
            ],
        ),
        scenario(
            "other bytes for what waits out of order",
            [opened_with_sack(), vec![send(data(51, 50)), send(data(1, 100).altered())], read()],
        ),
        scenario(
            "a FIN out of order",
            [opened_with_sack(), vec![send(segment("FA", 101, 1)), send(data(1, 100))], read()],
        ),
        scenario(
            "data beyond a FIN",
            [opened_with_sack(), vec![send(segment("FPA", 1, 1).len(100)), send(data(102, 100))], read()],
        ),
        scenario(
            "segments that fill a hole exactly",
            [opened_with_sack(), vec![send(data(101, 100)), send(data(1, 50)), send(data(51, 50))], read()],
        ),
    ]
}
