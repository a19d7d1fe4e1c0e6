//! What a server says of its own TCP at `/metrics`, if it is `longwire serve`.

use std::io::{Read, Write};
use std::time::Duration;

use nix::libc::linger;
use nix::sys::socket::{setsockopt, sockopt};

use super::measure::Target;
use super::transport::{Kernel, Transport};

/// How long the server may take; it is another one if it does not know the question.
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest answer that is read.
const MOST: u64 = 256 * 1024;

/// Connections in TIME-WAIT on the server's own stack: those that came to it, less those that were put out of it.
/// Connections whose time is over are still among them.
///
/// The connection that asks ends with a reset, so that it is not in TIME-WAIT itself, on either side.
pub(super) fn time_wait(target: &Target) -> Option<u64> {
    let mut stream = Kernel.connect(&target.address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let reset = linger { l_onoff: 1, l_linger: 0 };
    setsockopt(&stream, sockopt::Linger, &reset).ok()?;
    let host = target.url.authority()?;
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = Vec::new();
    stream.take(MOST).read_to_end(&mut answer).ok()?;
    time_wait_in(&String::from_utf8(answer).ok()?)
}

fn time_wait_in(metrics: &str) -> Option<u64> {
    let value = |name: &str| {
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
        line.trim().parse::<u64>().ok()
    };
    let gone = value("longwire_tcp_time_wait_evicted_total")? + value("longwire_tcp_time_wait_reused_total")?;
    value("longwire_tcp_time_wait_total")?.checked_sub(gone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counters_are_found_in_the_answer() {
        let answer = "HTTP/1.1 200 OK\r\n\r\n# HELP longwire_tcp_time_wait_total Connections\n\
                      longwire_tcp_time_wait_total 10\nlongwire_tcp_time_wait_evicted_total 2\n\
                      longwire_tcp_time_wait_reused_total 1\n";
        assert_eq!(time_wait_in(answer), Some(7));
        assert_eq!(time_wait_in("HTTP/1.1 404 Not Found\r\n\r\n"), None);
    }
}
