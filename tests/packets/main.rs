//! Whatever arrives: noise, damaged captures, hostile peers. No panic, bounded memory, and a legitimate connection
//! works meanwhile.
//!
//! | variable | meaning |
//! | --- | --- |
//! | `LONGWIRE_PACKETS=n` | so many packets in each of the floods, instead of 60,000 |
#![cfg(feature = "device")]

mod calls;
mod craft;
mod peers;
mod victim;

use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use fastrand::Rng;
use longwire::sim::{
    Ending, Habit, Host, HostConfig, Pace, Pattern, Pause, Plan, Script, Service, Stream, Trace, World,
};
use longwire::stack::{Cidr, Config};
use longwire::time::{Duration, Instant};

use craft::Hostile;

const VICTIM: usize = 0;
const FRIEND: usize = 1;
const ECHO: u16 = 7;
const FRIEND_PORT: u16 = 40_000;
/// Packets that arrive between two looks at the world.
const BATCH: usize = 50;
/// What the victim may hold in chunks at any time: a few connections' buffers, fragments, and not more with more
/// packets.
const MEMORY: usize = 8 * 1024 * 1024;

fn packets() -> usize {
    std::env::var("LONGWIRE_PACKETS").map_or(60_000, |text| text.parse().expect("a number of packets"))
}

pub(crate) fn address(host: usize, v6: bool) -> IpAddr {
    let last = host as u8 + 1;
    if v6 {
        IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, u16::from(last)])
    } else {
        IpAddr::from([10, 0, 0, last])
    }
}

pub(crate) fn config(host: usize) -> Config {
    Config::new(vec![
        Cidr { address: address(host, false), prefix: 24 },
        Cidr { address: address(host, true), prefix: 64 },
    ])
}

fn script(len: u64, pace: Pace, ending: Ending) -> Script {
    let stream = Stream { pattern: Pattern::new(5), len };
    // Long enough to last through the flood: small writes, a pause after each.
    let writing = Habit { sizes: 1..=2_000, pause_chance: 0.5, pause_micros: 0..=20_000 };
    Script { tag: 0, sends: stream, expects: stream, pace, ending, writing, reading: Habit::eager() }
}

/// A victim with an echo service that a friend uses all the time, over both families.
fn besieged(seed: u64, len: u64) -> World {
    let mut world = World::new(seed, Trace::hash_only());
    for host in [VICTIM, FRIEND] {
        world.add_host(HostConfig::new(config(host)));
    }
    let link = "delay=2ms".parse().unwrap();
    world.link(VICTIM, FRIEND, &link, &link);
    for v6 in [false, true] {
        let remote = SocketAddr::new(address(VICTIM, v6), ECHO);
        let echo = script(len, Pace::Echo, Ending::Second);
        world.host_mut(VICTIM).serve(Service::new(remote, echo, 1)).unwrap();
        world.host_mut(FRIEND).plan(Plan {
            at: Instant::ZERO,
            remote,
            local: Some(SocketAddr::new(address(FRIEND, v6), FRIEND_PORT)),
            options: None,
            script: script(len, Pace::Free, Ending::First),
        });
    }
    world
}

/// Lets packets rain on the victim, and sees that its friend is served and that it holds no more than it may.
fn flood(seed: u64, mut next: impl FnMut(&mut Rng) -> Vec<u8>) {
    let mut world = besieged(seed, 600_000);
    let mut rng = Rng::with_seed(seed);
    for _ in 0..packets() / BATCH {
        for _ in 0..BATCH {
            let packet = next(&mut rng);
            world.host_mut(VICTIM).inject(&packet);
        }
        world.run_for(Duration::from_millis(1)).unwrap();
        let held = world.host(VICTIM).stack().pool().in_use();
        assert!(held < MEMORY, "{held} bytes held at {}", world.now());
    }
    let limit = world.now() + Duration::from_secs(600);
    let served = |world: &World| world.hosts().iter().all(Host::is_finished);
    assert_eq!(world.run(limit, served), Ok(Pause::Done));
    // What is half open gives up, fragments expire, TIME-WAIT ends: nothing of the flood is left.
    let limit = world.now() + Duration::from_secs(600);
    world.finish(limit).unwrap();
    for endpoint in world.hosts().iter().flat_map(Host::endpoints) {
        endpoint.verdict().unwrap();
    }
}

#[test]
fn random_packets() {
    for v6 in [false, true] {
        let sources = [address(FRIEND, v6), address(50, v6), address(VICTIM, v6)];
        let hostile = Hostile {
            victim: address(VICTIM, v6),
            sources: &sources,
            ports: &[ECHO, ECHO, 81, FRIEND_PORT],
            source_ports: &[FRIEND_PORT, ECHO, 1, 65_535],
        };
        flood(11 + u64::from(v6), |rng| hostile.packet(rng));
    }
}

/// Everything that a friend sends in one connection, as the victim would see it.
fn capture(seed: u64) -> Vec<Vec<u8>> {
    let mut world = besieged(seed, 60_000);
    let packets = Rc::new(RefCell::new(Vec::new()));
    let into = packets.clone();
    world.set_rule(move |crossing, packet| {
        if crossing.to == VICTIM {
            into.borrow_mut().push(packet.clone());
        }
        true
    });
    world.finish(Instant::from_secs(600)).unwrap();
    packets.take()
}

#[test]
fn truncated_captures() {
    let capture = capture(21);
    let mut which = 0;
    flood(22, |rng| {
        which = (which + 1) % capture.len();
        let packet = &capture[which];
        packet[..rng.usize(0..packet.len())].to_vec()
    });
}

/// Bits flipped, bytes inserted, removed and repeated; every other packet with its checksums made right again.
#[test]
fn mutated_captures() {
    let capture = capture(31);
    let mut which = 0;
    flood(32, |rng| {
        which = (which + 1) % capture.len();
        let mut packet = capture[which].clone();
        for _ in 0..rng.usize(1..4) {
            mutate(&mut packet, rng);
        }
        if rng.bool() {
            craft::repair(&mut packet);
        }
        packet
    });
}

fn mutate(packet: &mut Vec<u8>, rng: &mut Rng) {
    if packet.is_empty() {
        return packet.push(rng.u8(..));
    }
    // Mostly in the headers, where the meaning is.
    let within = if rng.u8(0..4) > 0 { packet.len().min(80) } else { packet.len() };
    let at = rng.usize(..within);
    match rng.u8(0..5) {
        0..=1 => packet[at] ^= 1 << rng.u8(0..8),
        2 => packet[at] = rng.u8(..),
        3 => packet.insert(at, rng.u8(..)),
        _ => drop(packet.remove(at)),
    }
}

#[test]
fn the_flood_makes_a_difference() {
    // So that the tests above can fail: the same world without its rule against wrong bytes notices them.
    let mut world = besieged(41, 10_000);
    world.set_rule(|crossing, packet| {
        if crossing.from == FRIEND
            && let Some(last) = packet.len().checked_sub(1).filter(|&last| last > 80)
        {
            packet[last] ^= 1;
            craft::repair(packet);
        }
        true
    });
    let failure = world.finish(Instant::from_secs(600)).unwrap_err();
    assert!(failure.what.contains("wrong byte"), "{failure}");
}
