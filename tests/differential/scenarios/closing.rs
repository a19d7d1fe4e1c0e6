//! Resets, and the ways to close.

use super::{call, data, opened, opened_with_sack, syn};
use crate::scenario::{Call, Scenario, scenario, segment, send};

pub(super) fn resets() -> Vec<Scenario> {
    let reading = || vec![call(Call::Read)];
    vec![
        scenario("a reset at RCV.NXT", [opened(), vec![send(segment("R", 1, 0))], reading()]),
        scenario("a reset in the window", [opened(), vec![send(segment("R", 100, 0))], reading()]),
        scenario(
            "a reset at the end of what waits",
            [opened_with_sack(), vec![send(data(101, 100)), send(segment("R", 201, 0))], reading()],
        ),
        scenario("a reset before the window", [opened(), vec![send(segment("R", -10, 0))], reading()]),
        scenario("a reset beyond the window", [opened(), vec![send(segment("R", 1_000_000, 0))], reading()]),
        scenario(
            "a reset with an acknowledgment of the unsent",
            [opened(), vec![send(segment("RA", 1, 500))], reading()],
        ),
        scenario(
            "a reset behind unread data",
            [opened(), vec![send(data(1, 100)), send(segment("R", 101, 0))], reading()],
        ),
        scenario("a SYN in the window", [opened(), vec![send(segment("S", 50, 0))], reading()]),
        scenario("a SYN at RCV.NXT", [opened(), vec![send(segment("S", 1, 0))], reading()]),
        scenario("a SYN before the window", [opened(), vec![send(segment("S", -500, 0))], reading()]),
        scenario("the first SYN once more", [opened(), vec![send(syn())], reading()]),
        scenario(
            "the SYN-ACK of a peer that has begun anew",
            [opened(), vec![send(segment("SA", 0, 1))], reading()],
        ),
        scenario(
            "a write after a reset was told",
            [
                opened(),
                vec![send(segment("R", 1, 0)), call(Call::Read), call(Call::Write(10)), call(Call::Read)],
            ],
        ),
        scenario("aborting", [opened(), vec![send(data(1, 100)), call(Call::Abort), send(data(101, 10))]]),
    ]
}

pub(super) fn orders_of_fins() -> Vec<Scenario> {
    vec![
        scenario(
            "the peer closes first",
            [
                opened(),
                vec![
                    send(segment("FA", 1, 1)),
                    call(Call::Read),
                    call(Call::Close),
                    send(segment("A", 2, 2)),
                    send(segment("A", 2, 2)),
                ],
            ],
        ),
        scenario(
            "the host closes first",
            [
                opened(),
                vec![
                    call(Call::Close),
                    send(segment("A", 1, 2)),
                    send(segment("FA", 1, 2)),
                    send(segment("FA", 1, 2)),
                    send(segment("A", 2, 2)),
                ],
            ],
        ),
        scenario(
            "both close at once",
            [
                opened(),
                vec![
                    call(Call::Close),
                    send(segment("FA", 1, 1)),
                    send(segment("A", 2, 2)),
                    send(segment("FA", 1, 1)),
                ],
            ],
        ),
        scenario(
            "a FIN with the acknowledgment of the FIN",
            [opened(), vec![call(Call::Close), send(segment("FA", 1, 2)), send(segment("FA", 1, 2))]],
        ),
    ]
}

pub(super) fn half_closed() -> Vec<Scenario> {
    vec![
        scenario(
            "half-closed by the host",
            [
                opened(),
                vec![
                    call(Call::ShutdownWrite),
                    send(segment("A", 1, 2)),
                    send(segment("PA", 1, 2).len(100)),
                    call(Call::Read),
                    call(Call::Write(1)),
                    send(segment("FA", 101, 2)),
                    call(Call::Read),
                ],
            ],
        ),
        scenario(
            "half-closed by the peer",
            [
                opened(),
                vec![
                    send(segment("FA", 1, 1)),
                    call(Call::Write(100)),
                    send(segment("A", 2, 101)),
                    call(Call::ShutdownWrite),
                    send(segment("A", 2, 102)),
                ],
            ],
        ),
    ]
}

pub(super) fn after_a_close() -> Vec<Scenario> {
    vec![
        scenario(
            "data after a close",
            [opened(), vec![call(Call::Close), send(segment("A", 1, 2)), send(segment("PA", 1, 2).len(10))]],
        ),
        scenario(
            "data with FIN after a close",
            [opened(), vec![call(Call::Close), send(segment("A", 1, 2)), send(segment("FPA", 1, 2).len(10))]],
        ),
        scenario(
            "a close with unread data",
            [opened(), vec![send(data(1, 100)), call(Call::Close), send(data(101, 10))]],
        ),
        scenario(
            "data across a FIN",
            [
                opened(),
                vec![
                    send(segment("FPA", 1, 1).len(50)),
                    send(data(31, 100)),
                    call(Call::Read),
                    call(Call::Write(10)),
                ],
            ],
        ),
    ]
}

pub(super) fn interrupted() -> Vec<Scenario> {
    vec![
        scenario(
            "a SYN in CLOSE-WAIT",
            [opened(), vec![send(segment("FA", 1, 1)), send(segment("S", 2, 0)), call(Call::Read)]],
        ),
        scenario(
            "a reset in FIN-WAIT-2",
            [
                opened(),
                vec![
                    call(Call::ShutdownWrite),
                    send(segment("A", 1, 2)),
                    send(segment("R", 1, 0)),
                    call(Call::Read),
                ],
            ],
        ),
        scenario(
            "a reset in CLOSE-WAIT",
            [
                opened(),
                vec![
                    send(segment("FA", 1, 1)),
                    send(segment("R", 2, 0)),
                    call(Call::Read),
                    call(Call::Write(1)),
                ],
            ],
        ),
    ]
}

pub(super) fn time_wait() -> Vec<Scenario> {
    vec![
        scenario(
            "a reset in TIME-WAIT",
            [
                opened(),
                vec![
                    call(Call::Close),
                    send(segment("FA", 1, 2)),
                    send(segment("R", 2, 0)),
                    send(segment("FA", 1, 2)),
                ],
            ],
        ),
        scenario(
            "an old acknowledgment in TIME-WAIT",
            [
                opened(),
                vec![
                    call(Call::Close),
                    send(segment("FA", 1, 2)),
                    send(segment("A", 1, 1)),
                    send(segment("A", 2, 2)),
                ],
            ],
        ),
        scenario(
            "a new SYN in TIME-WAIT",
            [
                opened(),
                vec![
                    call(Call::Close),
                    send(segment("FA", 1, 2)),
                    send(segment("S", 50_000, 0).mss(1_460)),
                    send(segment("A", 50_001, 1)),
                    call(Call::Accept),
                ],
            ],
        ),
        scenario(
            "an old SYN in TIME-WAIT",
            [
                opened(),
                vec![call(Call::Close), send(segment("FA", 1, 2)), send(segment("S", -50_000, 0).mss(1_460))],
            ],
        ),
        scenario(
            "a FIN once more",
            [opened(), vec![send(segment("FA", 1, 1)), send(segment("FA", 1, 1)), call(Call::Read)]],
        ),
    ]
}
