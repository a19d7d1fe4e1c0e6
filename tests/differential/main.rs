//! The same events for our stack and for Linux, and the same visible behaviour, but for listed differences.
//!
//! Linux's half was recorded (`linux.txt`), so that this needs neither root nor a network. What differs is a table with
//! reasons, `docs/differential.md`, written from here.
//!
//! | `LONGWIRE_DIFFERENTIAL` | meaning |
//! | --- | --- |
//! | not set | our stack beside what was recorded |
//! | `update` | the same, and writes `docs/differential.md` anew |
//! | `live` | our stack beside the kernel of this machine, as root in a network namespace of its own |
//! | `record` | writes `linux.txt` anew, likewise |
//!
//! `LONGWIRE_DIFFERENTIAL_SEEDS=from..to` are the seeds of the random scenarios of a live run.

mod differences;
mod linux;
mod ours;
mod random;
mod record;
mod run;
mod scenario;
mod scenarios;

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::process::ExitCode;

use run::Host;
use scenario::Scenario;

/// The host's address and the peer's.
const HOST: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 9, 0, 1));
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 9, 0, 2));
const MTU: usize = 1_500;

/// Seeds of the random scenarios that were recorded.
const SEEDS: std::ops::Range<u64> = 0..40;

fn main() -> ExitCode {
    // Called by the test runner with arguments that are of no meaning here; it asks for a list only in passing.
    if std::env::args().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS;
    }
    let mode = std::env::var("LONGWIRE_DIFFERENTIAL").unwrap_or_default();
    let failures = match mode.as_str() {
        "" | "update" => {
            record::compare(&recorded_scenarios(), &ours_of(&recorded_scenarios()), mode == "update")
        }
        "record" => {
            record::write(&recorded_scenarios(), &linux_of(&recorded_scenarios()));
            Vec::new()
        }
        "live" => live(),
        other => vec![format!("LONGWIRE_DIFFERENTIAL={other}: not update, live or record")],
    };
    let count = if mode == "live" { live_scenarios().len() } else { recorded_scenarios().len() };
    failures.iter().for_each(|failure| println!("{failure}\n"));
    let (verdict, failed) = (if failures.is_empty() { "ok" } else { "FAILED" }, failures.len());
    println!("test result: {verdict}. {} passed; {failed} failed", count - failed.min(count));
    println!("{} passed, {failed} failed", count - failed.min(count));
    ExitCode::from(u8::from(failed > 0))
}

fn recorded_scenarios() -> Vec<Scenario> {
    scenarios::all().into_iter().chain(SEEDS.map(random::scenario)).collect()
}

/// With seeds that nobody has recorded.
fn live_scenarios() -> Vec<Scenario> {
    let text = std::env::var("LONGWIRE_DIFFERENTIAL_SEEDS").unwrap_or_else(|_| "0..400".to_owned());
    let range = text.split_once("..").and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
    let seeds: std::ops::Range<u64> = range.unwrap_or_else(|| panic!("{text}: not of the form from..to"));
    scenarios::all().into_iter().chain(seeds.map(random::scenario)).collect()
}

fn ours_of(scenarios: &[Scenario]) -> Vec<Vec<String>> {
    run::run(&mut ours::Ours::new() as &mut dyn Host, scenarios)
}

fn linux_of(scenarios: &[Scenario]) -> Vec<Vec<String>> {
    let mut linux = linux::Linux::new().unwrap_or_else(|error| panic!("a TUN interface is needed: {error}"));
    run::run(&mut linux as &mut dyn Host, scenarios)
}

/// What is not listed has to be alike; what is, may be.
fn live() -> Vec<String> {
    let scenarios = live_scenarios();
    let (linux, ours) = (linux_of(&scenarios), ours_of(&scenarios));
    let pairs = scenarios.iter().zip(linux.iter().zip(&ours));
    let different = pairs
        .filter(|(scenario, (linux, ours))| linux != ours && differences::reason(&scenario.name).is_none());
    different.map(|(scenario, (linux, ours))| record::side_by_side(&scenario.name, linux, ours)).collect()
}

/// What an application sees that reads until there is no more.
fn answer_to_read(mut read: impl FnMut(&mut [u8]) -> io::Result<usize>) -> String {
    let (mut total, mut altered, mut buffer) = (0, 0, [0; 4_096]);
    let ending = loop {
        match read(&mut buffer) {
            Ok(0) => break "end".to_owned(),
            Ok(count) => {
                total += count;
                altered += buffer[..count].iter().filter(|byte| **byte % 2 == 1).count();
            }
            Err(error) => break format!("{:?}", error.kind()),
        }
    };
    format!("{total} bytes ({altered} altered), {ending}")
}
