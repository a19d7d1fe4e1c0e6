//! Several flows through one bottleneck: nobody starves, nobody gets more than there is.

use std::net::SocketAddr;

use fastrand::Rng;
use longwire::device::LinkConfig;
use longwire::sim::{
    Ending, Endpoint, Habit, HostConfig, Middlebox, Pace, Pattern, Plan, Script, Service, Stream, Trace,
    World,
};
use longwire::tcp::Algorithm;
use longwire::time::{Duration, Instant};

use crate::pair::{CLIENT, SERVER, address, config};

/// More than any flow gets done.
const ENDLESS: u64 = 1 << 40;

/// A bottleneck and who shares it.
#[derive(Clone, Debug)]
struct Bottleneck {
    algorithm: Algorithm,
    flows: usize,
    /// Mbit/s.
    rate: f64,
    rtt: Duration,
    /// In bandwidth-delay products.
    queue: f64,
    seed: u64,
    /// What stands on the way of the acknowledgments.
    back: Middlebox,
}

impl Bottleneck {
    /// Mbit/s of each flow, once all have had `warm_up`, for as long as `measured`.
    fn shares(&self, warm_up: Duration, measured: Duration) -> Vec<f64> {
        let mut world = World::new(self.seed, Trace::hash_only());
        for host in [CLIENT, SERVER] {
            let mut config = config(host);
            config.tcp.congestion = self.algorithm;
            world.add_host(HostConfig::new(config));
        }
        let queue = (self.rate * 1e6 / 8.0 * self.rtt.as_secs_f64() * self.queue) as u64;
        let (rate, delay) = (self.rate, self.rtt.as_micros() / 2);
        let link = |text: String| text.parse::<LinkConfig>().unwrap();
        let there = link(format!("delay={delay}us,rate={rate}mbit,queue={}B", queue.max(10_000)));
        world.link(CLIENT, SERVER, &there, &link(format!("delay={delay}us")));
        world.set_middlebox(SERVER, CLIENT, self.back.clone());
        let remote = SocketAddr::new(address(SERVER, false), 80);
        let stream = |len| Stream { pattern: Pattern::new(3), len };
        let script = |sends, expects| Script {
            tag: 0,
            sends: stream(sends),
            expects: stream(expects),
            pace: Pace::Free,
            ending: Ending::Second,
            writing: Habit { sizes: 65_536..=65_536, ..Habit::eager() },
            reading: Habit { sizes: 65_536..=65_536, ..Habit::eager() },
        };
        let service = Service::new(remote, script(0, ENDLESS), self.flows);
        world.host_mut(SERVER).serve(service).unwrap();
        let mut rng = Rng::with_seed(self.seed);
        for _ in 0..self.flows {
            // They begin within a second, at moments of their own.
            let at = Instant::from_micros(rng.u64(0..1_000_000));
            let script = script(ENDLESS, 0);
            world.host_mut(CLIENT).plan(Plan { at, remote, local: None, options: None, script });
        }
        let received = |world: &World| -> Vec<u64> {
            world.host(SERVER).endpoints().iter().map(Endpoint::received).collect()
        };
        world.run_for(warm_up).unwrap();
        let before = received(&world);
        world.run_for(measured).unwrap();
        assert_eq!(before.len(), self.flows, "all are there");
        let gained = received(&world).into_iter().zip(before).map(|(after, before)| after - before);
        gained.map(|bytes| bytes as f64 * 8e-6 / measured.as_secs_f64()).collect()
    }

    fn fair_share(&self) -> f64 {
        self.rate * 1_448.0 / 1_500.0 / self.flows as f64
    }
}

/// Jain's index: 1 for equal shares, 1/n where one has all.
fn jain(shares: &[f64]) -> f64 {
    let (sum, squares) = shares.iter().fold((0.0, 0.0), |(sum, squares), x| (sum + x, squares + x * x));
    sum * sum / shares.len() as f64 / squares
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

#[test]
fn eight_flows_share_alike() {
    for (algorithm, least) in [(Algorithm::Cubic, 0.95), (Algorithm::NewReno, 0.95), (Algorithm::Bbr, 0.9)] {
        let bottleneck = Bottleneck {
            algorithm,
            flows: 8,
            rate: 40.0,
            rtt: Duration::from_millis(20),
            queue: 1.0,
            seed: 1,
            back: Middlebox::default(),
        };
        let shares = bottleneck.shares(secs(10), secs(30));
        let (index, used) = (jain(&shares), shares.iter().sum::<f64>() / bottleneck.rate);
        println!("{algorithm:?}: Jain's index {index:.3}, {used:.3} of the link, {shares:.2?}");
        assert!(index >= least, "{algorithm:?}: {index:.3}, {shares:.2?}");
        assert!(used >= 0.85, "{algorithm:?}: {used:.3} of the link is used");
    }
}

/// Bottlenecks drawn from seeds: a fifth of a fair share for the least, over half a minute; no more in all than the link
/// carries, and not much less either.
#[test]
fn nobody_starves_at_any_bottleneck() {
    for seed in 0..9 {
        let mut rng = Rng::with_seed(seed);
        let algorithms = [Algorithm::Cubic, Algorithm::NewReno, Algorithm::Bbr];
        let bottleneck = Bottleneck {
            algorithm: algorithms[seed as usize % 3],
            flows: rng.usize(2..=8),
            rate: 5.0 + 20.0 * rng.f64(),
            rtt: Duration::from_millis(rng.u64(4..80)),
            queue: 0.5 + 2.0 * rng.f64(),
            seed,
            back: Middlebox {
                ack_loss: if rng.u8(0..3) == 0 { 0.1 * rng.f64() } else { 0.0 },
                ack_spacing: Duration::from_micros(if rng.u8(0..3) == 0 { rng.u64(0..5_000) } else { 0 }),
                ..Middlebox::default()
            },
        };
        let shares = bottleneck.shares(secs(10), secs(30));
        let (fair, all) = (bottleneck.fair_share(), shares.iter().sum::<f64>());
        println!("{bottleneck:?}: {:.2} of the link, fair {fair:.2}: {shares:.2?}", all / bottleneck.rate);
        assert!(all <= bottleneck.rate, "{bottleneck:?}: {shares:?} are more than there is");
        assert!(all >= 0.7 * bottleneck.rate, "{bottleneck:?}: {shares:?} leave much unused");
        assert!(
            shares.iter().all(|share| *share >= 0.2 * fair),
            "{bottleneck:?}: {shares:.2?}, fair {fair:.2}"
        );
    }
}
