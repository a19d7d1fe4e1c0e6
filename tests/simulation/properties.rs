//! Properties of worlds, with worlds that shrink when they fail.

use longwire::device::{Chance, LinkConfig};
use longwire::sim::{Ending, Flow, Habit, HostConfig, Pace, Pattern, Scenario, Script, Side, Stream};
use longwire::tcp::{self, SocketOptions};
use longwire::time::{Duration, Instant};
use proptest::prelude::*;

use crate::pair::config;

fn link() -> impl Strategy<Value = LinkConfig> {
    let chances = (0u32..250_000, 0u32..200_000, 0u32..150_000, 0u32..100_000);
    (0u64..100_000, chances).prop_map(|(delay, (loss, reorder, duplicate, corrupt))| LinkConfig {
        delay: Duration::from_micros(delay),
        loss: Chance::per_million(loss),
        reorder: Chance::per_million(reorder),
        duplicate: Chance::per_million(duplicate),
        corrupt: Chance::per_million(corrupt),
        ..LinkConfig::default()
    })
}

fn host(index: usize) -> impl Strategy<Value = HostConfig> {
    (1280usize..9000, any::<bool>()).prop_map(move |(mtu, snug_buffers)| {
        let mut stack = config(index);
        stack.mtu = mtu;
        stack.tcp = tcp::Config {
            retransmission_limit: 40,
            syn_retries: 14,
            syn_ack_retries: 14,
            max_rto: Duration::from_secs(10),
            ..stack.tcp
        };
        HostConfig { snug_buffers, ..HostConfig::new(stack) }
    })
}

fn side(sends: u64, expects: u64, up: bool, ending: Ending) -> impl Strategy<Value = Side> {
    (2_048usize..200_000, 4_096usize..200_000, 1usize..20_000, any::<bool>()).prop_map(
        move |(send_buffer, receive_buffer, most, nodelay)| Side {
            script: Script {
                tag: 0,
                sends: Stream { pattern: Pattern::new(u64::from(up)), len: sends },
                expects: Stream { pattern: Pattern::new(u64::from(!up)), len: expects },
                pace: Pace::Free,
                ending,
                writing: Habit { sizes: 1..=most.max(sends as usize / 200), ..Habit::eager() },
                reading: Habit::eager(),
            },
            options: SocketOptions { nodelay, send_buffer, receive_buffer, ..SocketOptions::default() },
        },
    )
}

prop_compose! {
    fn scenario()(up in 0u64..60_000, down in 0u64..60_000)(
        seed in any::<u64>(),
        hosts in (host(0), host(1)),
        links in (link(), link()),
        v6 in any::<bool>(),
        client in side(up, down, true, Ending::First),
        server in side(down, up, false, Ending::Second),
    ) -> Scenario {
        let flow = Flow {
            hosts: [0, 1],
            v6,
            starts: vec![Duration::ZERO],
            fixed_ports: false,
            backlog: 1,
            dawdles_micros: 0..=0,
            client,
            server,
        };
        Scenario {
            seed,
            hosts: hosts.into(),
            links: links.into(),
            hops: [None; 2],
            middleboxes: Default::default(),
            flows: vec![flow],
            epoch: Instant::ZERO,
            disturbances: Vec::new(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn impairment_changes_when_bytes_arrive_but_not_which(scenario in scenario()) {
        let impaired = scenario.run();
        let perfect = scenario.without_impairment().run();
        prop_assert!(impaired.is_ok(), "{}", impaired.unwrap_err());
        prop_assert!(perfect.is_ok(), "{}", perfect.unwrap_err());
        prop_assert_eq!(impaired.unwrap().delivered, perfect.unwrap().delivered);
    }
}
