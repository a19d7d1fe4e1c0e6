//! Requests on many connections at once: their events in turns, and what is measured of them.

use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use mio::{Events, Poll};

use crate::Figure;
use crate::arguments::Arguments;
use crate::http::figures;
use crate::latency::Latencies;
use crate::usage::Usage;

const WARM_UP: Duration = Duration::from_millis(200);
/// Without an event for so long, something is broken.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// Connections that are under way, each with its index as token.
pub trait Crowd {
    fn poll(&mut self) -> &mut Poll;

    /// Something has happened on one of them.
    fn turn(&mut self, index: usize) -> io::Result<()>;

    fn latencies(&mut self) -> &mut Latencies;
}

/// Warms up, and measures for as long as was asked for.
pub fn measure(arguments: &Arguments, crowd: &mut impl Crowd) -> io::Result<Vec<Figure>> {
    run(arguments, crowd, WARM_UP)?;
    crowd.latencies().clear();
    let begin = Usage::now(&arguments.pids)?;
    run(arguments, crowd, arguments.duration)?;
    let used = begin.since(&arguments.pids)?;
    Ok(figures(arguments, std::mem::take(crowd.latencies()), used))
}

fn run(arguments: &Arguments, crowd: &mut impl Crowd, duration: Duration) -> io::Result<()> {
    let mut events = Events::with_capacity(arguments.connections);
    let end = Instant::now() + duration;
    while Instant::now() < end {
        crowd.poll().poll(&mut events, Some(PATIENCE))?;
        if events.is_empty() {
            return Err(ErrorKind::TimedOut.into());
        }
        for event in &events {
            crowd.turn(event.token().0)?;
        }
    }
    Ok(())
}
