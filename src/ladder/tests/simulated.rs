//! A connection of two stacks of ours over a lossy link in virtual time, captured as it leaves its sender.

use super::super::tracker::{Ending, Mark};
use super::*;
use crate::sim::{self, Habit, HostConfig, Pace, Pattern, Plan, Script, Service, Stream, Trace, World};
use crate::stack::{Cidr, Config};

const DOWNLOAD: u64 = 300_000;

fn script(sends: Stream, expects: Stream, ending: sim::Ending) -> Script {
    let (writing, reading) = (Habit::eager(), Habit::eager());
    Script { tag: 0, sends, expects, pace: Pace::Free, ending, writing, reading }
}

/// A download of [`DOWNLOAD`] bytes; the 20th segment of the server that carries data is lost.
fn lossy_download() -> Recording {
    let recording = Arc::new(Mutex::new(Recording::new()));
    let mut world = World::new(7, Trace::hash_only());
    for host in 1..=2u8 {
        let address = Cidr { address: [10, 9, 0, host].into(), prefix: 24 };
        world.add_host(HostConfig::new(Config::new(vec![address])));
    }
    let link = "delay=20ms".parse().unwrap();
    world.link(0, 1, &link, &link);
    let (nothing, body) =
        (Stream { pattern: Pattern::new(1), len: 10 }, Stream { pattern: Pattern::new(2), len: DOWNLOAD });
    let local = "10.9.0.2:80".parse().unwrap();
    world.host_mut(1).serve(Service::new(local, script(body, nothing, sim::Ending::First), 1)).unwrap();
    let client = script(nothing, body, sim::Ending::Second);
    world.host_mut(0).plan(Plan {
        at: Instant::ZERO,
        remote: local,
        local: None,
        options: None,
        script: client,
    });
    let seen = Arc::clone(&recording);
    let mut data = 0;
    world.set_rule(move |crossing, packet| {
        let mut recording = seen.lock().unwrap();
        recording.now = crossing.now;
        recording.packet(packet);
        data += usize::from(crossing.from == 1 && packet.len() > 1_000);
        !(data == 20 && crossing.from == 1 && packet.len() > 1_000)
    });
    // TIME-WAIT included.
    world.finish(Instant::from_secs(120)).unwrap();
    drop(world);
    Arc::into_inner(recording).expect("the world is gone").into_inner().unwrap()
}

#[test]
fn a_loss_is_seen_with_its_duplicates_and_its_repair() {
    let mut recording = lossy_download();
    let connection = recording.connection();
    assert_eq!(connection.retransmissions, 1);
    assert!(connection.bytes.server > DOWNLOAD && connection.bytes.server < DOWNLOAD + 3_000);
    assert_eq!(connection.ending, Ending::Closed { first: End::Server });
    assert!(connection.whole);
    let drawn = arrows(&connection);
    let again: Vec<_> = drawn.iter().filter(|arrow| arrow.mark == Some(Mark::Retransmission)).collect();
    assert_eq!(again.len(), 1);
    assert_eq!((again[0].from, again[0].seq), (End::Server, 1 + 19 * i64::from(again[0].len)));
    super::drawing::well_formed(&draw(&recording.analysis(), &Names::default(), None));
}
