//! Bytes, as many as go through.

use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::Figure;
use crate::arguments::{Arguments, Work};
use crate::socket;
use crate::usage::Usage;

/// Bytes that one call moves at most.
const BUFFER: usize = 256 * 1024;
/// Calls of a flow before the others have their turn.
const CALLS: usize = 4;
/// Until windows are open and buffers have grown nothing is counted.
const WARM_UP: Duration = Duration::from_millis(300);
/// Without a byte for so long, something is broken.
const PATIENCE: Duration = Duration::from_secs(2);

struct Flow {
    stream: TcpStream,
    /// The last call did not say that the next would block.
    ready: bool,
}

/// What is received, or handed to the kernel, in the time given. What is handed over and not sent yet counts: at most a
/// socket's buffer, and as much was under way when counting began.
pub fn measure(arguments: &Arguments) -> io::Result<Vec<Figure>> {
    let mut poll = Poll::new()?;
    let mut flows = Vec::new();
    for index in 0..arguments.connections {
        let mut stream = socket::connect(arguments, index)?;
        let interest = if arguments.work == Work::Up { Interest::WRITABLE } else { Interest::READABLE };
        poll.registry().register(&mut stream, Token(index), interest)?;
        flows.push(Flow { stream, ready: true });
    }
    let mut buffer = vec![0; BUFFER];
    run(&mut poll, &mut flows, &mut buffer, arguments.work, WARM_UP)?;
    let begin = Usage::now(&arguments.pids)?;
    let bytes = run(&mut poll, &mut flows, &mut buffer, arguments.work, arguments.duration)? as f64;
    let used = begin.since(&arguments.pids)?;
    let mut figures =
        vec![("gbit_per_s", bytes * 8e-9 / used.seconds), ("client_cpu_s_per_gb", used.client / bytes * 1e9)];
    if !arguments.pids.is_empty() {
        figures.push(("server_cpu_s_per_gb", used.server / bytes * 1e9));
    }
    Ok(figures)
}

/// Moves bytes for so long; says how many.
fn run(
    poll: &mut Poll,
    flows: &mut [Flow],
    buffer: &mut [u8],
    work: Work,
    duration: Duration,
) -> io::Result<u64> {
    let mut events = Events::with_capacity(flows.len());
    let end = Instant::now() + duration;
    let mut sum = 0;
    while Instant::now() < end {
        if flows.iter().any(|flow| !flow.ready) {
            let idle = flows.iter().all(|flow| !flow.ready);
            poll.poll(&mut events, Some(if idle { PATIENCE } else { Duration::ZERO }))?;
            if idle && events.is_empty() {
                return Err(ErrorKind::TimedOut.into());
            }
            events.iter().for_each(|event| flows[event.token().0].ready = true);
        }
        for flow in flows.iter_mut().filter(|flow| flow.ready) {
            sum += flow.turn(buffer, work)?;
        }
    }
    Ok(sum)
}

impl Flow {
    fn turn(&mut self, buffer: &mut [u8], work: Work) -> io::Result<u64> {
        let mut sum = 0;
        for _ in 0..CALLS {
            let moved = match work {
                Work::Up => self.stream.write(buffer),
                _ => self.stream.read(buffer),
            };
            match moved {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => sum += count as u64,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.ready = false;
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(sum)
    }
}
