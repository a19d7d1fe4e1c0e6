//! Options, right and wrong.

use super::{call, data, opened, opened_with_timestamps, syn};
use crate::scenario::{Call, Scenario, scenario, segment, send};

pub(super) fn options() -> Vec<Scenario> {
    vec![
        scenario(
            "an option of length 0",
            [vec![call(Call::Listen), send(segment("S", 0, 0).option(&[2, 0, 5, 180]))]],
        ),
        scenario(
            "an option of length 1",
            [vec![call(Call::Listen), send(segment("S", 0, 0).option(&[2, 1, 5, 180]))]],
        ),
        scenario(
            "an option beyond the header",
            [vec![call(Call::Listen), send(segment("S", 0, 0).option(&[2, 9, 5, 180]))]],
        ),
        scenario(
            "an unknown option",
            [vec![call(Call::Listen), send(syn().option(&[99, 4, 1, 2]).sack_permitted())]],
        ),
        scenario(
            "an end of the options",
            [vec![call(Call::Listen), send(segment("S", 0, 0).option(&[0, 4, 2, 1]))]],
        ),
        scenario("a shift of 15", [vec![call(Call::Listen), send(syn().window_scale(15))]]),
        scenario(
            "an MSS option of length 3",
            [vec![call(Call::Listen), send(segment("S", 0, 0).option(&[2, 3, 5, 1]))]],
        ),
        scenario(
            "options of a SYN later on",
            [opened(), vec![send(data(1, 10).mss(100).sack_permitted().window_scale(3)), call(Call::Read)]],
        ),
        scenario(
            "a bad option later on",
            [opened(), vec![send(data(1, 10).option(&[77, 0, 1, 1])), call(Call::Read)]],
        ),
    ]
}

pub(super) fn timestamps() -> Vec<Scenario> {
    let stamped = |seq, value| data(seq, 10).timestamp(value);
    vec![
        scenario(
            "timestamps",
            [
                opened_with_timestamps(),
                vec![send(stamped(1, 1_010)), send(stamped(11, 1_020)), call(Call::Read)],
            ],
        ),
        scenario(
            "a timestamp from the past",
            [
                opened_with_timestamps(),
                vec![
                    send(stamped(1, 1_010)),
                    send(stamped(11, 900)),
                    send(stamped(11, 1_020)),
                    call(Call::Read),
                ],
            ],
        ),
        scenario(
            "a timestamp from the past with old data",
            [
                opened_with_timestamps(),
                vec![send(stamped(1, 1_010)), send(stamped(1, 900)), call(Call::Read)],
            ],
        ),
        scenario(
            "timestamps missing",
            [opened_with_timestamps(), vec![send(stamped(1, 1_010)), send(data(11, 10)), call(Call::Read)]],
        ),
        scenario(
            "timestamps of out-of-order data",
            [
                opened_with_timestamps(),
                vec![
                    send(stamped(11, 1_010)),
                    send(stamped(21, 1_020)),
                    send(stamped(1, 1_030)),
                    call(Call::Read),
                ],
            ],
        ),
        scenario(
            "a timestamp of a reset from the past",
            [opened_with_timestamps(), vec![send(segment("R", 1, 0).timestamp(900)), call(Call::Read)]],
        ),
        scenario("timestamps that nobody asked for", [opened(), vec![send(stamped(1, 5)), call(Call::Read)]]),
    ]
}
