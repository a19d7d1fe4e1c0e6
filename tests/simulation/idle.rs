//! A burst on a long connection after a pause: what the restart after idle (RFC 5681 4.1) costs, beside congestion window
//! validation (RFC 7661). The figures are printed (`--nocapture`) and stand in docs/connections.md.

use longwire::sim::{HostConfig, World};
use longwire::tcp::{AfterIdle, Algorithm, Config, SocketOptions};
use longwire::time::Duration;

use crate::pair::{CLIENT, Pair, config, world_of};

const BURST: usize = 1024 * 1024;
const WARM_UP: usize = 16 * BURST;

fn world(tcp: &Config, rtt: u64) -> World {
    let queue = rtt * 100_000 / 8 / 1024; // one bandwidth-delay product at 100 Mbit/s, in KiB
    let link = format!("delay={}ms,rate=100mbit,queue={queue}KiB", rtt / 2);
    world_of(1, &link, |host| {
        let mut config = config(host);
        config.tcp = tcp.clone();
        HostConfig::new(config)
    })
}

/// How long a burst takes after `pause`, in milliseconds, and segments that were sent again for it.
fn burst_after(pause: Duration, tcp: &Config, rtt: u64) -> (u64, u64) {
    let mut pair = Pair::establish_in(world(tcp, rtt), false, &SocketOptions::default());
    pair.transfer(CLIENT, WARM_UP, Duration::from_secs(60));
    pair.run_for(pause);
    let (begun, resent) = (pair.world.now(), pair.client().counters().tcp.retransmissions);
    pair.transfer(CLIENT, BURST, Duration::from_secs(60));
    let again = pair.client().counters().tcp.retransmissions - resent;
    ((pair.world.now() - begun).as_millis() as u64, again)
}

#[test]
fn rfc_7661_a_burst_after_a_pause_finds_the_window_that_was() {
    println!("1 MiB after a pause of 10 s, 100 Mbit/s: milliseconds (segments sent again)");
    for congestion in [Algorithm::Cubic, Algorithm::NewReno] {
        for rtt in [20, 50, 100] {
            let pause = Duration::from_secs(10);
            let burst = |after_idle, pacing| {
                burst_after(pause, &Config { congestion, after_idle, pacing, ..Config::default() }, rtt)
            };
            let (restart, _) = burst(AfterIdle::Restart, false);
            let (validate, again) = burst(AfterIdle::Validate, false);
            let (paced, paced_again) = burst(AfterIdle::Validate, true);
            println!(
                "{:>8}, {rtt:>3} ms: restart {restart}, validated {validate} ({again}), and paced {paced} ({paced_again})",
                congestion.name()
            );
            assert!(validate + rtt <= restart, "{validate} and {restart} ms: at least a round trip less");
        }
    }
}
