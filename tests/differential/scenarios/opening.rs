//! Handshakes, and what nobody waits for.

use super::{call, data, opened_with, syn};
use crate::scenario::{Call, Scenario, scenario, segment, send};

pub(super) fn passive_opens() -> Vec<Scenario> {
    vec![
        scenario("a SYN without options", [opened_with(segment("S", 0, 0), segment("A", 1, 1))]),
        scenario(
            "a SYN with all options",
            [opened_with(
                syn().sack_permitted().window_scale(7).timestamp(1_000),
                segment("A", 1, 1).timestamp(1_001),
            )],
        ),
        scenario(
            "a repeated SYN",
            [vec![call(Call::Listen), send(syn()), send(syn()), send(segment("A", 1, 1))]],
        ),
        scenario(
            "another SYN to a half-open connection",
            [vec![call(Call::Listen), send(syn()), send(segment("S", 5_000, 0)), send(segment("A", 1, 1))]],
        ),
        scenario(
            "a wrong acknowledgment to a SYN-ACK",
            [vec![call(Call::Listen), send(syn()), send(segment("A", 1, 100)), send(segment("A", 1, 1))]],
        ),
        scenario(
            "a reset to a SYN-ACK",
            [vec![call(Call::Listen), send(syn()), send(segment("R", 1, 0)), send(segment("A", 1, 1))]],
        ),
        scenario(
            "a reset outside the window to a SYN-ACK",
            [vec![
                call(Call::Listen),
                send(syn()),
                send(segment("R", -5, 0)),
                send(segment("A", 1, 1)),
                call(Call::Accept),
            ]],
        ),
    ]
}

pub(super) fn text_with_handshakes() -> Vec<Scenario> {
    vec![
        scenario(
            "data with the acknowledgment of a SYN-ACK",
            [opened_with(syn(), data(1, 100)), vec![call(Call::Read)]],
        ),
        scenario(
            "data and FIN with the acknowledgment of a SYN-ACK",
            [opened_with(syn(), segment("FPA", 1, 1).len(100)), vec![call(Call::Read)]],
        ),
        scenario(
            "data on a SYN",
            [opened_with(syn().len(50), segment("A", 1, 1)), vec![send(data(1, 50)), call(Call::Read)]],
        ),
        scenario(
            "SYN and FIN together",
            [vec![call(Call::Listen), send(segment("SF", 0, 0).mss(1_460)), send(segment("A", 1, 1))]],
        ),
        scenario("SYN and RST together", [vec![call(Call::Listen), send(segment("SR", 0, 0).mss(1_460))]]),
        scenario(
            "a SYN with ECE and CWR",
            [opened_with(segment("SEC", 0, 0).mss(1_460), segment("A", 1, 1))],
        ),
    ]
}

pub(super) fn active_opens() -> Vec<Scenario> {
    vec![
        scenario(
            "an active open",
            [vec![
                call(Call::Connect),
                send(segment("SA", 0, 1).mss(1_460)),
                send(data(1, 10)),
                call(Call::Read),
            ]],
        ),
        scenario(
            "a simultaneous open",
            [vec![
                call(Call::Connect),
                send(syn()),
                send(segment("SA", 0, 1).mss(1_460)),
                send(data(1, 10)),
                call(Call::Read),
            ]],
        ),
        scenario(
            "a wrong acknowledgment in SYN-SENT",
            [vec![
                call(Call::Connect),
                send(segment("SA", 0, 77).mss(1_460)),
                send(segment("SA", 0, 1).mss(1_460)),
            ]],
        ),
        scenario(
            "a lone acknowledgment in SYN-SENT",
            [vec![call(Call::Connect), send(segment("A", 1, 77)), send(segment("A", 1, 1))]],
        ),
        scenario(
            "resets in SYN-SENT",
            [vec![
                call(Call::Connect),
                send(segment("R", 0, 0)),
                send(segment("RA", 0, 77)),
                send(segment("RA", 0, 1)),
                call(Call::Read),
            ]],
        ),
    ]
}

pub(super) fn refusals() -> Vec<Scenario> {
    vec![
        scenario("a SYN to a closed port", [vec![send(syn())]]),
        scenario("a SYN with data to a closed port", [vec![send(syn().len(10))]]),
        scenario("an acknowledgment to a closed port", [vec![send(segment("A", 1, 500))]]),
        scenario("data to a closed port", [vec![send(segment("PA", 1, 500).len(20))]]),
        scenario("a FIN to a closed port", [vec![send(segment("FA", 1, 500))]]),
        scenario(
            "segments without SYN, ACK or RST to a closed port",
            [vec![send(segment("", 1, 0).len(5)), send(segment("F", 1, 0))]],
        ),
        scenario("a reset to a closed port", [vec![send(segment("R", 1, 0)), send(segment("RA", 1, 500))]]),
        scenario("an acknowledgment to a listener", [vec![call(Call::Listen), send(segment("A", 1, 500))]]),
        scenario("a SYN-ACK to a listener", [vec![call(Call::Listen), send(segment("SA", 0, 500))]]),
        scenario(
            "a reset to a listener",
            [vec![call(Call::Listen), send(segment("R", 1, 0)), send(segment("RA", 1, 500))]],
        ),
        scenario(
            "data without ACK to a listener",
            [vec![call(Call::Listen), send(segment("P", 1, 0).len(5))]],
        ),
    ]
}
