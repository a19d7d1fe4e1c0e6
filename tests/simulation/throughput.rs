//! What the sender reaches on links that lose, beside what theory says.
//!
//! Every cell is some seeds of bulk data in one direction, on virtual time; the figures are printed (`--nocapture`).

mod table;

use longwire::device::LinkConfig;
use longwire::sim::{HostConfig, Trace, World};
use longwire::stack::Error;
use longwire::tcp::{Algorithm, Config, EcnMode, SocketOptions};
use longwire::time::Duration;

use crate::pair::{CLIENT, Pair, SERVER, config};

/// Payload of a segment: 1,500 bytes less the headers and timestamps.
const MSS: f64 = 1_448.0;
const SEEDS: u64 = 2;
const SECONDS: u64 = 10;

/// Mbit/s from the client to the server over a link, mean of some seeds; and all that was sent again.
fn goodput(config: &Config, there: &str, back: &str) -> (f64, u64) {
    let runs = (0..SEEDS).map(|seed| goodput_of(seed, config, there, back, SECONDS));
    let (rates, again) = runs.fold((0.0, 0), |sum, run| (sum.0 + run.0, sum.1 + run.1));
    (rates / SEEDS as f64, again)
}

fn goodput_of(seed: u64, tcp: &Config, there: &str, back: &str, seconds: u64) -> (f64, u64) {
    let mut world = World::new(seed, Trace::hash_only());
    for host in [CLIENT, SERVER] {
        let mut config = config(host);
        config.tcp = Config { ecn: EcnMode::Always, ..tcp.clone() };
        world.add_host(HostConfig::new(config));
    }
    let [there, back]: [LinkConfig; 2] = [there, back].map(|link| link.parse().unwrap());
    world.link(CLIENT, SERVER, &there, &back);
    let buffer = 4 * 1024 * 1024;
    let options = SocketOptions { send_buffer: buffer, receive_buffer: buffer, ..SocketOptions::default() };
    let mut pair = Pair::establish_in(world, false, &options);
    let (client, server, data) = (pair.client, pair.server, vec![7; 256 * 1024]);
    let mut scratch = vec![0; 256 * 1024];
    let mut received = 0;
    for _ in 0..seconds * 1_000 {
        loop {
            match pair.client().write(client, &data) {
                Ok(_) => {}
                Err(Error::WouldBlock) => break,
                Err(error) => panic!("write: {error:?}"),
            }
        }
        pair.run_for(Duration::from_millis(1));
        while let Ok(count) = pair.server().read(server, &mut scratch) {
            received += count;
        }
    }
    let info = pair.client().counters().tcp;
    println!(
        "    seed {seed}: {:.2} Mbit/s, {} retransmissions, {} recoveries, {} time-outs",
        received as f64 * 8e-6 / seconds as f64,
        info.retransmissions,
        info.fast_recoveries,
        info.rto
    );
    (received as f64 * 8e-6 / seconds as f64, info.retransmissions)
}

/// Mathis and others, "The macroscopic behavior of the TCP congestion avoidance algorithm": MSS/RTT · sqrt(3/2p).
fn mathis(rtt: f64, loss: f64) -> f64 {
    MSS * 8e-6 / rtt * (1.5 / loss).sqrt()
}

/// RFC 9438 5.1, equation 5, with C = 0.4 and beta = 0.7; below Reno's rate the Reno-friendly region holds.
fn cubic(rtt: f64, loss: f64) -> f64 {
    let segments = 1.054 * rtt.powf(0.75) / loss.powf(0.75);
    (segments * MSS * 8e-6 / rtt).max(mathis(rtt, loss))
}

#[track_caller]
fn at_least(least: f64, algorithm: Algorithm, there: &str, back: &str) -> u64 {
    at_least_with(least, &Config { congestion: algorithm, ..Config::default() }, there, back)
}

#[track_caller]
fn at_least_with(least: f64, config: &Config, there: &str, back: &str) -> u64 {
    let (reached, again) = goodput(config, there, back);
    println!(
        "{:?}, {there}, back {back}: {reached:.2} Mbit/s, at least {least:.2} wanted",
        config.congestion
    );
    assert!(reached >= least, "{reached:.2} of {least:.2} Mbit/s");
    again
}

#[test]
fn one_percent_of_loss_leaves_what_theory_says() {
    let there = "delay=10ms,loss=1%,rate=100mbit";
    at_least(0.85 * cubic(0.02, 0.01), Algorithm::Cubic, there, "delay=10ms");
    at_least(0.85 * mathis(0.02, 0.01), Algorithm::NewReno, there, "delay=10ms");
}

#[test]
fn lost_acknowledgments_cost_little() {
    let (there, back) = ("delay=10ms,loss=1%,rate=100mbit", "delay=10ms,loss=10%");
    at_least(0.8 * cubic(0.02, 0.01), Algorithm::Cubic, there, back);
}

/// RFC 8985: without a reordering window this is 9 Mbit/s.
#[test]
fn reordering_is_not_loss() {
    let there = "delay=10ms,reorder=1%,reorder-by=3ms,rate=100mbit";
    at_least(75.0, Algorithm::Cubic, there, "delay=10ms");
}

#[test]
fn a_queue_of_one_bandwidth_delay_product_is_kept_busy() {
    let there = "delay=10ms,rate=100mbit,queue=256KiB";
    at_least(90.0, Algorithm::Cubic, there, "delay=10ms");
}

/// RFC 3168: the queue stays short, and nothing is lost.
#[test]
fn marks_take_the_place_of_losses() {
    let there = "delay=10ms,rate=100mbit,queue=1MiB,ecn=128KiB";
    assert_eq!(at_least(90.0, Algorithm::Cubic, there, "delay=10ms"), 0, "sent again");
}

/// A queue of a tenth of the bandwidth-delay product: bursts overflow it sooner than paced data.
#[test]
fn pacing_gets_by_with_a_short_queue() {
    let there = "delay=10ms,rate=100mbit,queue=24KiB";
    let (bursts, _) = goodput(&Config::default(), there, "delay=10ms");
    let paced = Config { pacing: true, ..Config::default() };
    at_least_with(1.05 * bursts, &paced, there, "delay=10ms");
}

/// What BBR leaves unused of a path between two probes is the share of losses in each round trip (draft-ietf-ccwg-bbr-06
/// 5.3.3.8.3).
#[test]
fn bbr_fills_a_link_that_loses_at_random() {
    for (loss, least) in [("0%", 85.0), ("0.1%", 82.0), ("1%", 78.0)] {
        let there = format!("delay=10ms,loss={loss},rate=100mbit,queue=256KiB");
        at_least(least, Algorithm::Bbr, &there, "delay=10ms");
    }
}

/// With one bandwidth-delay product of queue, and with a tenth of one.
#[test]
fn bbr_keeps_queues_short() {
    for (queue, most) in [("256KiB", 400), ("32KiB", 400)] {
        let there = format!("delay=10ms,rate=100mbit,queue={queue}");
        let again = at_least(80.0, Algorithm::Bbr, &there, "delay=10ms");
        assert!(again <= most, "{again} sent again with {queue}");
    }
}
