//! Drawing a world from a seed.

use std::num::NonZeroU64;

use super::*;
use crate::device::Limit;
use crate::stack::{Algorithm, EcnMode, TcpConfig};

/// Calls that an application needs at most for its bytes, and pauses that it makes at most: small writes and long
/// pauses are wanted, in numbers that leave the world short.
const MOST_CALLS: u64 = 400;
const MOST_PAUSES: f64 = 20.0;

pub(super) fn scenario(seed: u64) -> Scenario {
    let mut rng = Rng::with_seed(seed);
    let harshness = Harshness::draw(&mut rng);
    let links = [link(&mut rng, harshness), link(&mut rng, harshness)];
    let flows: Vec<Flow> = (0..rng.usize(1..=3)).map(|_| flow(&mut rng, harshness)).collect();
    let least_mtu = if flows.iter().any(|flow| flow.v6) { 1280 } else { 576 };
    let tcp = tcp_config(&mut rng, harshness);
    let hosts = [0, 1].map(|index| host(&mut rng, index, least_mtu, &tcp));
    // Some worlds begin late: clocks of 32 bits wrap after 50 days.
    let epoch = if rng.bool() { Instant::ZERO } else { Instant::from_secs(rng.u64(0..10_000_000)) };
    let disturbances = disturbances(&mut rng, harshness);
    let hops = [0, 1].map(|_| (rng.u8(0..5) == 0).then(|| rng.usize(least_mtu..=1500)));
    // From a generator of its own, so that a seed draws the rest as it did before there were these.
    let mut later = Rng::with_seed(!seed);
    let middleboxes = [0, 1].map(|_| middlebox(&mut later, harshness));
    Scenario { seed, hosts, links, hops, middleboxes, flows, epoch, disturbances }
}

/// None in half of the worlds, and seldom more than one vice.
fn middlebox(rng: &mut Rng, harshness: Harshness) -> Middlebox {
    let most_loss = if harshness == Harshness::Harsh { 0.5 } else { 0.05 };
    let mut vice = |one_in| rng.u8(0..one_in) == 0;
    let (loses, thins, clamps, shrinks) = (vice(8), vice(8), vice(6), vice(6));
    Middlebox {
        ack_loss: if loses { rng.f64() * most_loss } else { 0.0 },
        ack_spacing: if thins { Duration::from_micros(rng.u64(100..50_000)) } else { Duration::ZERO },
        max_mss: clamps.then(|| log_uniform(rng, 64, 1_460) as u16),
        window_changes_every: shrinks.then(|| Duration::from_micros(log_uniform(rng, 1_000, 3_000_000))),
    }
}

/// Stalls, spikes of delay and blackouts, none at all in half of the worlds.
fn disturbances(rng: &mut Rng, harshness: Harshness) -> Vec<(Duration, Disturbance)> {
    let mut all = Vec::new();
    let count = if rng.bool() { rng.usize(1..=4) } else { 0 };
    for _ in 0..count {
        let at = Duration::from_micros(rng.u64(0..6_000_000));
        let how_long = Duration::from_micros(log_uniform(rng, 1_000, 5_000_000));
        let host = rng.usize(0..2);
        if harshness == Harshness::Harsh && rng.bool() {
            all.push((at, Disturbance::Blackout { from: host }));
            all.push((at + how_long, Disturbance::Recovery { from: host }));
        } else if rng.bool() {
            let delay = Duration::from_micros(log_uniform(rng, 1_000, 3_000_000));
            all.push((at, Disturbance::Spike { from: host, delay }));
            all.push((at + how_long, Disturbance::Recovery { from: host }));
        } else {
            all.push((at, Disturbance::Stall { host, how_long }));
        }
    }
    all.sort_by_key(|(at, _)| *at);
    all
}

/// How bad the links may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Harshness {
    Perfect,
    Mild,
    Harsh,
}

impl Harshness {
    fn draw(rng: &mut Rng) -> Self {
        match rng.u8(0..8) {
            0 => Harshness::Perfect,
            1..=4 => Harshness::Mild,
            _ => Harshness::Harsh,
        }
    }

    /// A chance of at most `most` percent if harsh, less if mild.
    fn chance(self, rng: &mut Rng, most: u32) -> Chance {
        let most = match self {
            Harshness::Perfect => 0,
            Harshness::Mild => most / 8,
            Harshness::Harsh => most,
        };
        // Half of the faults stay away, so that each also shows itself alone.
        if rng.bool() { Chance::NEVER } else { Chance::per_million(rng.u32(0..=most * 10_000)) }
    }
}

fn link(rng: &mut Rng, harshness: Harshness) -> LinkConfig {
    let delay = match rng.u8(0..4) {
        0 => Duration::ZERO,
        1 => Duration::from_micros(rng.u64(1..2_000)),
        _ => Duration::from_micros(rng.u64(1_000..200_000)),
    };
    let loss = if rng.u8(0..3) == 0 { harshness.chance(rng, 30) } else { harshness.chance(rng, 10) };
    let rate = rng.bool().then(|| log_uniform(rng, 500_000, 1_000_000_000)).and_then(NonZeroU64::new);
    let queue = match rate {
        Some(_) if rng.bool() => Limit::Bytes(log_uniform(rng, 20_000, 1_000_000) as usize),
        Some(_) => Limit::Packets(rng.usize(4..1_000)),
        None => LinkConfig::default().queue,
    };
    LinkConfig {
        delay,
        jitter: if rng.bool() { delay.mul_f64(rng.f64()) } else { Duration::ZERO },
        loss,
        reorder: harshness.chance(rng, 20),
        hold: rng.bool().then(|| Duration::from_micros(rng.u64(100..50_000))),
        duplicate: harshness.chance(rng, 15),
        corrupt: harshness.chance(rng, 10),
        rate,
        queue,
        ecn: rate.filter(|_| rng.bool()).map(|_| Limit::Packets(rng.usize(1..50))),
        seed: 0,
    }
}

fn host(rng: &mut Rng, index: usize, least_mtu: usize, tcp: &TcpConfig) -> HostConfig {
    let mtu = match rng.u8(0..3) {
        0 => 1500,
        1 => rng.usize(least_mtu..=1500),
        _ => rng.usize(least_mtu..=9000),
    };
    let stack = stack::Config { mtu, tcp: tcp.clone(), ..stack::Config::new(addresses_of(index)) };
    HostConfig {
        full_chance: if rng.u8(0..4) == 0 { rng.f64() * 0.2 } else { 0.0 },
        refuse_chance: if rng.u8(0..8) == 0 { rng.f64() * 0.05 } else { 0.0 },
        snug_buffers: rng.bool(),
        merges: rng.u8(0..3) == 0,
        ..HostConfig::new(stack)
    }
}

/// Retries are raised with the loss: in a world where every third packet is lost, honest retries run out, and a
/// connection that gives up then is no bug.
fn tcp_config(rng: &mut Rng, harshness: Harshness) -> TcpConfig {
    let default = TcpConfig::default();
    let patient = harshness == Harshness::Harsh;
    TcpConfig {
        msl: Duration::from_secs(rng.u64(1..=30)),
        min_rto: Duration::from_millis(*pick(rng, &[10, 200, 200, 1_000])),
        max_rto: Duration::from_secs(*pick(rng, &[5, 60, 120])),
        delayed_ack: Duration::from_millis(*pick(rng, &[0, 40, 40, 200])),
        congestion: *pick(rng, &[Algorithm::Cubic, Algorithm::Cubic, Algorithm::NewReno, Algorithm::Bbr]),
        pacing: rng.u8(0..4) == 0,
        ecn: *pick(rng, &[EcnMode::Off, EcnMode::OnRequest, EcnMode::Always]),
        syn_retries: if patient { 14 } else { 8 },
        syn_ack_retries: if patient { 14 } else { 8 },
        retransmission_limit: if patient { 40 } else { default.retransmission_limit },
        ..default
    }
}

fn flow(rng: &mut Rng, harshness: Harshness) -> Flow {
    let patterns = [Pattern::new(rng.u64(..)), Pattern::new(rng.u64(..))];
    let (mut client, mut server) = applications(rng, patterns);
    let rude = client.ending.is_rude() || server.ending.is_rude();
    for script in [&mut client, &mut server] {
        script.writing = habit(rng, script.sends.len);
        script.reading = habit(rng, script.expects.len);
    }
    let connections = if rude { 1 } else { rng.usize(1..=3) };
    Flow {
        hosts: *pick(rng, &[[0, 1], [0, 1], [0, 1], [1, 0], [1, 0], [1, 0], [0, 0]]),
        v6: rng.bool(),
        starts: (0..connections).map(|_| Duration::from_micros(rng.u64(0..2_000_000))).collect(),
        fixed_ports: rng.bool(),
        backlog: rng.usize(1..=3),
        dawdles_micros: 0..=*pick(rng, &[0, 0, 0, 10_000, 3_000_000]),
        client: Side { script: client, options: socket_options(rng, harshness, rude) },
        server: Side { script: server, options: socket_options(rng, harshness, rude) },
    }
}

/// The scripts of both sides, without their habits.
fn applications(rng: &mut Rng, [up, down]: [Pattern; 2]) -> (Script, Script) {
    let script = |sends, expects, pace, ending| {
        let (writing, reading) = (Habit::eager(), Habit::eager());
        Script { tag: 0, sends, expects, pace, ending, writing, reading }
    };
    let request = Stream { pattern: up, len: size(rng) };
    let response = Stream { pattern: down, len: size(rng) };
    let both = |pace: [Pace; 2], ending: [Ending; 2], request, response| {
        (script(request, response, pace[0], ending[0]), script(response, request, pace[1], ending[1]))
    };
    let free = [Pace::Free; 2];
    match rng.u8(0..12) {
        0..=2 => both(free, [Ending::First, Ending::Second], request, response),
        3..=4 => both(free, [Ending::Second, Ending::First], request, response),
        5 => both(free, [Ending::First, Ending::First], request, response),
        6 => both([Pace::Free, Pace::Echo], [Ending::First, Ending::Second], request, request),
        7..=8 => exchanges(rng, [up, down], both),
        9 => {
            let nothing = Stream { len: 0, ..response };
            both(free, [Ending::Leave, Ending::Second], request, nothing)
        }
        10 => both(free, [rude(rng), Ending::Second], request, response),
        _ => both(free, [Ending::First, rude(rng)], request, response),
    }
}

/// Requests and responses on one connection; either side closes first.
fn exchanges(
    rng: &mut Rng,
    [up, down]: [Pattern; 2],
    both: impl Fn([Pace; 2], [Ending; 2], Stream, Stream) -> (Script, Script),
) -> (Script, Script) {
    let (request, response, count) = (rng.u64(1..5_000), rng.u64(1..20_000), rng.u64(1..30));
    let paces = [Pace::Requests { request, response }, Pace::Responses { request, response }];
    let endings = if rng.bool() { [Ending::First, Ending::Second] } else { [Ending::Second, Ending::First] };
    let sends = Stream { pattern: up, len: request * count };
    let expects = Stream { pattern: down, len: response * count };
    both(paces, endings, sends, expects)
}

fn rude(rng: &mut Rng) -> Ending {
    let after = Duration::from_micros(log_uniform(rng, 1, 20_000_000));
    if rng.bool() { Ending::LeaveAfter(after) } else { Ending::AbortAfter(after) }
}

fn habit(rng: &mut Rng, bytes: u64) -> Habit {
    let most = log_uniform(rng, 1, 64 * 1024).max(bytes / MOST_CALLS * 2).max(1);
    let calls = 2 * bytes / most + 1;
    let longest = *pick(rng, &[1_000, 50_000, 50_000, 2_000_000]);
    let pauses = rng.bool();
    Habit {
        sizes: 1..=most as usize,
        pause_chance: if pauses { rng.f64().min(MOST_PAUSES / calls as f64) } else { 0.0 },
        pause_micros: 0..=longest,
    }
}

fn socket_options(rng: &mut Rng, harshness: Harshness, rude: bool) -> SocketOptions {
    // A reset that is lost leaves a reader waiting for ever, unless it asks from time to time.
    let keep_alive = (rude || rng.u8(0..4) == 0).then(|| KeepAlive {
        idle: Duration::from_millis(rng.u64(500..20_000)),
        interval: Duration::from_millis(rng.u64(500..5_000)),
        count: if harshness == Harshness::Harsh { 60 } else { 20 },
    });
    let nodelay = rng.bool();
    let send_buffer = log_uniform(rng, 1_000, 1_048_576);
    // From a generator of its own, so that a seed draws the rest as it did before there were these.
    let mut later = Rng::with_seed(send_buffer);
    SocketOptions {
        nodelay,
        cork: later.u8(0..8) == 0,
        notsent_lowat: (later.u8(0..4) == 0).then(|| log_uniform(&mut later, 1, 65_536) as usize),
        keep_alive,
        send_buffer: send_buffer as usize,
        receive_buffer: log_uniform(rng, 1_000, 1_048_576) as usize,
        ..SocketOptions::default()
    }
}

/// Mostly little, sometimes a lot, sometimes nothing.
fn size(rng: &mut Rng) -> u64 {
    match rng.u8(0..10) {
        0 => 0,
        1 => 1,
        2..=4 => rng.u64(2..2_000),
        5..=7 => rng.u64(2_000..30_000),
        _ => rng.u64(30_000..=300_000),
    }
}

fn log_uniform(rng: &mut Rng, least: u64, most: u64) -> u64 {
    let (least, most) = (least as f64, most as f64);
    (least * (most / least).powf(rng.f64())) as u64
}

fn pick<'a, T>(rng: &mut Rng, from: &'a [T]) -> &'a T {
    &from[rng.usize(..from.len())]
}
