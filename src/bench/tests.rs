//! Loads on real sockets: the kernel's over the loopback interface, and two stacks of ours on one cable.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use super::histogram::Histogram;
use super::load::{self, Tally};
use super::measure::{Measurement, Source, TimeWait};
use super::observe::Wire;
use super::*;
use crate::device;
use crate::net::Network;

/// A comparison with round figures: 11 packets over a short connection, 2 over a long one.
pub(super) fn comparison(label: &str) -> Comparison {
    let url: http::Uri = "http://10.9.0.2/healthz".parse().unwrap();
    let target =
        Target { label: label.to_owned(), url, address: "10.9.0.2:80".parse().unwrap(), pids: Vec::new() };
    let measurement = |life, millis, packets, syns| {
        let mut latency = Histogram::new();
        (0..1_000).for_each(|i| latency.record(Duration::from_micros(100 + i)));
        let failures = match life {
            Life::Short => BTreeMap::from([("no answer in time".to_owned(), 2)]),
            Life::Long => BTreeMap::new(),
        };
        let elapsed = Duration::from_millis(millis);
        Measurement {
            life,
            tally: Tally { latency, connections: syns, body_bytes: 3_000, refused: 0, failures, elapsed },
            wire: Some(Wire { segments: packets, syns, retransmissions: 0, bytes: packets * 80 }),
            time_wait: TimeWait { client: Some(syns), server: None },
            server: None,
            client_cpu: None,
        }
    };
    let measurements =
        vec![measurement(Life::Short, 1_000, 11_000, 1_000), measurement(Life::Long, 250, 2_000, 10)];
    Comparison { target, source: Source::Kernel, measurements }
}

/// A report of one comparison twice.
pub(super) fn report() -> Report {
    Report {
        machine: "a machine".to_owned(),
        client: ClientKind::Kernel,
        amount: amount(1_000, 10),
        comparisons: vec![comparison("nginx"), comparison("longwire")],
        interrupted: false,
    }
}

fn amount(requests: u64, concurrency: u32) -> Amount {
    let (duration, timeout) = (Duration::from_secs(20), Duration::from_secs(5));
    Amount { requests, duration, concurrency, timeout }
}

/// How a server treats its connections.
#[derive(Clone, Copy)]
enum Habit {
    /// As the request says.
    Obeys,
    /// Answers this many requests on a connection, and then closes it without a word.
    EndsAfter(u32),
    /// Never answers.
    Silent,
    /// Answers with something else.
    Garbles,
}

/// Serves one connection.
fn serve(mut stream: impl Read + Write, habit: Habit) -> io::Result<()> {
    let (mut buffer, mut asked) = (Vec::new(), 0);
    loop {
        let mut piece = [0; 1_024];
        let count = stream.read(&mut piece)?;
        if count == 0 {
            return Ok(());
        }
        buffer.extend_from_slice(&piece[..count]);
        while let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            let request = String::from_utf8_lossy(&buffer[..end]).to_lowercase();
            buffer.drain(..end + 4);
            asked += 1;
            match habit {
                Habit::Silent => continue,
                Habit::Garbles => stream.write_all(b"220 smtp.example ESMTP\r\n\r\n")?,
                Habit::Obeys | Habit::EndsAfter(_) => {
                    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n")?;
                }
            }
            if request.contains("connection: close")
                || matches!(habit, Habit::EndsAfter(most) if most == asked)
            {
                return Ok(());
            }
        }
    }
}

/// A server on the loopback interface, and how many connections it has accepted. It ends with the process.
fn kernel_server(habit: Habit) -> (SocketAddr, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let accepted = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&accepted);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            count.fetch_add(1, Ordering::Relaxed);
            thread::spawn(move || serve(stream, habit));
        }
    });
    (address, accepted)
}

fn run(address: SocketAddr, life: Life, amount: &Amount) -> Tally {
    let url = format!("http://{address}/").parse().unwrap();
    load::run(&Kernel, (&url, address), life, amount, |_| true)
}

#[test]
fn short_connections_carry_one_request_each_and_long_ones_all() {
    // A client that begins when the others have asked for everything needs no connection.
    for (life, connections) in [(Life::Short, 100..=100), (Life::Long, 1..=4)] {
        let (address, accepted) = kernel_server(Habit::Obeys);
        let tally = run(address, life, &amount(100, 4));
        assert_eq!((tally.answered(), tally.failed(), tally.body_bytes), (100, 0, 300), "{tally:?}");
        assert_eq!(tally.connections, accepted.load(Ordering::Relaxed));
        assert!(connections.contains(&tally.connections), "{tally:?}");
        assert!(tally.elapsed > Duration::ZERO && tally.latency.most() <= tally.elapsed);
    }
}

#[test]
fn a_connection_that_the_server_has_ended_is_no_failure() {
    let (address, _) = kernel_server(Habit::EndsAfter(7));
    let tally = run(address, Life::Long, &amount(70, 1));
    assert_eq!((tally.answered(), tally.failed(), tally.connections), (70, 0, 10), "{:?}", tally.failures);
}

#[test]
fn nobody_there_ends_soon_and_says_why() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let tally = run(address, Life::Short, &amount(1_000_000, 2));
    assert_eq!((tally.answered(), tally.failed()), (0, 40), "each client gives up after twenty");
    assert!(tally.failures.keys().all(|words| words.starts_with("cannot connect: ")), "{:?}", tally.failures);
}

#[test]
fn a_silent_server_is_late_and_a_garbled_answer_none() {
    let (address, _) = kernel_server(Habit::Silent);
    let patient = Amount { timeout: Duration::from_millis(50), ..amount(1, 1) };
    assert_eq!(
        run(address, Life::Long, &patient).failures,
        BTreeMap::from([("no answer in time".into(), 1)])
    );
    let (address, _) = kernel_server(Habit::Garbles);
    let tally = run(address, Life::Long, &amount(1, 1));
    assert!(
        tally.failures.keys().all(|words| words.starts_with("not an HTTP answer")),
        "{:?}",
        tally.failures
    );
    assert_eq!(tally.failed(), 1);
}

#[test]
fn the_observer_ends_a_load_and_so_does_time() {
    let (address, _) = kernel_server(Habit::Obeys);
    let url = format!("http://{address}/").parse().unwrap();
    let endless = amount(u64::MAX, 2);
    let tally = load::run(&Kernel, (&url, address), Life::Long, &endless, |done| done < 10);
    assert!(tally.answered() >= 10 && tally.failed() == 0, "{:?}", tally.failures);
    let brief = Amount { duration: Duration::from_millis(300), ..endless };
    let tally = run(address, Life::Short, &brief);
    assert!(tally.elapsed < Duration::from_secs(5), "{:?}", tally.elapsed);
}

#[test]
fn a_stack_of_our_own_carries_the_load_too_and_all_of_its_queues_are_counted() {
    let (there, here) = device::fan(2, device::Habit::Learning);
    let here = Network::over_queues(here).address("10.9.0.1/24".parse().unwrap()).start().unwrap();
    let there = Network::builder(there).address("10.9.0.2/24".parse().unwrap()).start().unwrap();
    let listener = there.listen("10.9.0.2:80").unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let ending = Arc::clone(&over);
    let server = thread::spawn(move || {
        for stream in listener.incoming() {
            if ending.load(Ordering::Relaxed) {
                return;
            }
            thread::spawn(move || serve(stream?, Habit::Obeys));
        }
    });
    let client = OwnStack { network: here.clone(), interface: "none".into() };
    let url: http::Uri = "http://10.9.0.2/".parse().unwrap();
    let address: SocketAddr = "10.9.0.2:80".parse().unwrap();
    let target = Target { label: "ours".into(), url, address, pids: vec![std::process::id()] };
    for (life, connections) in [(Life::Short, 30), (Life::Long, 3)] {
        let source = client.source(&target);
        let before = client.wire(source).unwrap();
        let tally = load::run(&client, (&target.url, address), life, &amount(30, 3), |_| true);
        let wire = client.wire(source).unwrap().since(&before);
        assert_eq!((tally.answered(), tally.failed()), (30, 0), "{:?}", tally.failures);
        assert_eq!((wire.syns, tally.connections), (connections, connections));
        assert!(wire.segments >= 60 + connections * 3, "{wire:?}");
    }
    over.store(true, Ordering::Relaxed);
    drop(here.connect("10.9.0.2:80"));
    server.join().unwrap();
}

#[test]
fn a_crowd_that_stands_already_says_so_and_one_failure_is_told_once() {
    let (here, there) = device::pair(1_500);
    let here = Network::builder(here).address("10.9.0.1/24".parse().unwrap()).start().unwrap();
    let there = Network::builder(there).address("10.9.0.2/24".parse().unwrap()).start().unwrap();
    let server: SocketAddr = "10.9.0.2:80".parse().unwrap();
    let serving = crate::serve::Server::new(crate::serve::Config::default()).builtin("");
    let serving = serving.start(there.shared(), &[server]).unwrap();
    let url: http::Uri = "http://10.9.0.2/healthz".parse().unwrap();
    let crowd = Crowd::new(&here, server, vec!["10.9.0.1".parse().unwrap()], &url);
    assert_eq!(crowd.open(5, |_| true), Ok(5));
    assert_eq!(crowd.ask(3).map(|times| times.count()), Ok(3));
    assert_eq!(crowd.open(5, |_| true), Ok(5), "there is nothing to open");
    assert_eq!(crowd.open(2, |_| true), Ok(5));
    assert_eq!(crowd.open(7, |_| true), Ok(7));

    let closed = Crowd::new(&here, "10.9.0.2:81".parse().unwrap(), vec!["10.9.0.1".parse().unwrap()], &url);
    let why = closed.open(1, |_| true).unwrap_err();
    assert!(why.contains("failed"), "{why}");
    let why = closed.open(1, |_| true).unwrap_err();
    assert!(why.contains("given up"), "{why}");
    drop(serving);
}
