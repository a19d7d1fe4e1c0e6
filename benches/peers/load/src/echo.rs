//! One byte there and back.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use crate::Figure;
use crate::arguments::Arguments;
use crate::latency::Latencies;
use crate::socket;
use crate::usage::Usage;

const WARM_UP: Duration = Duration::from_millis(200);
/// Without an answer for so long, something is broken.
const PATIENCE: Duration = Duration::from_secs(2);

/// The calls block: what a poller costs is not what is measured.
pub fn measure(arguments: &Arguments) -> io::Result<Vec<Figure>> {
    let mut stream = TcpStream::from(OwnedFd::from(socket::connect(arguments, 0)?));
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut latencies = Latencies::default();
    run(&mut stream, WARM_UP, &mut latencies)?;
    latencies.clear();
    let begin = Usage::now(&arguments.pids)?;
    run(&mut stream, arguments.duration, &mut latencies)?;
    let used = begin.since(&arguments.pids)?;
    Ok(crate::http::figures(arguments, latencies, used))
}

fn run(stream: &mut TcpStream, duration: Duration, latencies: &mut Latencies) -> io::Result<()> {
    let end = Instant::now() + duration;
    let mut byte = [0];
    loop {
        let begin = Instant::now();
        if begin >= end {
            return Ok(());
        }
        stream.write_all(b"x")?;
        stream.read_exact(&mut byte)?;
        if byte != *b"x" {
            return Err(io::Error::other("another byte came back"));
        }
        latencies.record(begin.elapsed());
    }
}
