//! `longwire ping`: echo requests from the stack.

mod statistics;

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clap::Args;

use super::error::Failure;
use super::open::{OpenStack, Role, RunningStack};
use super::options::StackOptions;
use super::resolve::resolve;
use super::signals::Signals;
use super::{Outcome, forwarding, output, units};
use crate::net::{IcmpSocket, Instant};
use statistics::Statistics;

/// Bytes of data in each request, as everybody's ping sends.
const PAYLOAD: usize = 56;
/// The header in front of them.
const ICMP_HEADER: usize = 8;
/// How long the last replies are waited for, when there has been none so far, and at the least.
const LAST_WAIT: Duration = Duration::from_secs(5);
const LEAST_LAST_WAIT: Duration = Duration::from_secs(1);

const EXAMPLES: &str = "\
Examples:
  sudo longwire ping -c 3 10.9.0.1        this host, as seen through the first free interface lwN
  sudo longwire ping fd09::1 --tun lw0

Exit status: 0 if there was a reply, else 1. Ctrl-C ends it with the statistics.";

/// Sends ICMP echo requests and shows the replies
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Ping {
    /// Whom to ask
    #[arg(value_name = "HOST")]
    whom: String,

    /// How many requests; without this until Ctrl-C
    #[arg(short, long, value_name = "N", value_parser = units::count)]
    count: Option<u32>,

    /// Time between requests
    #[arg(short, long, value_name = "D", default_value = "1s", value_parser = units::duration)]
    interval: Duration,

    #[command(flatten)]
    stack: StackOptions,
}

impl Ping {
    pub(super) fn run(&self) -> Outcome {
        let opening = OpenStack::open(&self.stack, Role::Client)?;
        let signals = Signals::install()?;
        let stack = opening.start()?;
        let target = resolve(&self.whom, 0, &stack.addresses)?[0].ip();
        let now = stack.network.shared().now();
        let statistics = Arc::new(Mutex::new(Statistics::new(now)));
        let (shown, network) = (Arc::clone(&statistics), stack.network.clone());
        let host = self.whom.clone();
        let watch = signals.end_with(move |_| {
            let statistics = lock(&shown);
            // The process ends here, whether anybody reads this or not.
            let _ = output::line(&statistics.summary(&host, network.shared().now()));
            // It is the end of the device, too, and a capture has all of it.
            network.shutdown(Duration::ZERO);
            u8::from(statistics.received == 0)
        })?;
        let mut pinging = Pinging::new(&stack, target, statistics)?;
        output::line(&format!("PING {} ({target}): {PAYLOAD} data bytes", self.whom))?;
        let result = pinging.run(self.count, self.interval);
        watch.leave_the_end_to_it();
        stack.network.shutdown(Duration::ZERO);
        // Held to the end: Ctrl-C now must not show the statistics a second time.
        let statistics = lock(&pinging.statistics);
        result?;
        output::line(&statistics.summary(&self.whom, stack.network.shared().now()))?;
        if statistics.received > 0 {
            return Ok(ExitCode::SUCCESS);
        }
        let hint = forwarding::hint(target, &stack.addresses);
        Err(Failure::new(format!("{target}: no reply")).with_hint(hint))
    }
}

fn lock(statistics: &Mutex<Statistics>) -> MutexGuard<'_, Statistics> {
    statistics.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Requests on their way.
struct Pinging<'a> {
    stack: &'a RunningStack,
    socket: IcmpSocket,
    target: IpAddr,
    /// When the unanswered requests went out.
    outstanding: HashMap<u16, Instant>,
    statistics: Arc<Mutex<Statistics>>,
}

impl<'a> Pinging<'a> {
    fn new(
        stack: &'a RunningStack,
        target: IpAddr,
        statistics: Arc<Mutex<Statistics>>,
    ) -> Result<Self, Failure> {
        let socket = stack.network.icmp().map_err(|error| Failure::new(format!("ping: {error}")))?;
        Ok(Pinging { stack, socket, target, outstanding: HashMap::new(), statistics })
    }

    /// `count` requests, or requests for ever, and their replies.
    fn run(&mut self, count: Option<u32>, interval: Duration) -> Result<(), Failure> {
        let mut sent = 0;
        while count.is_none_or(|count| sent < count) {
            sent += 1;
            // Sequence numbers wrap; the request that had this one 65,536 ago counts as lost.
            self.send(sent as u16)?;
            if count == Some(sent) {
                break;
            }
            self.receive_until(self.now() + interval, false)?;
        }
        let longest = lock(&self.statistics).longest();
        let wait = longest.map_or(LAST_WAIT, |longest| (2 * longest).max(LEAST_LAST_WAIT));
        self.receive_until(self.now() + wait, true)
    }

    fn now(&self) -> Instant {
        self.stack.network.shared().now()
    }

    fn send(&mut self, sequence: u16) -> Result<(), Failure> {
        let payload: [u8; PAYLOAD] = std::array::from_fn(|i| i as u8);
        self.outstanding.insert(sequence, self.now());
        lock(&self.statistics).sent += 1;
        self.socket
            .send_echo(self.target, sequence, &payload)
            .map_err(|error| Failure::new(format!("{}: cannot send: {error}", self.target)))
    }

    /// Shows the replies that come before `deadline`; with `until_all` no longer than any is outstanding.
    fn receive_until(&mut self, deadline: Instant, until_all: bool) -> Result<(), Failure> {
        let failed = |error: io::Error| Failure::new(format!("receiving replies: {error}"));
        let mut payload = [0; PAYLOAD + 1];
        while !(until_all && self.outstanding.is_empty()) {
            let left = deadline - self.now();
            if left.is_zero() {
                break;
            }
            self.socket.set_read_timeout(Some(left)).map_err(failed)?;
            match self.socket.recv_echo(&mut payload) {
                Ok((length, from, sequence)) => self.reply(length, from, sequence)?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(())
    }

    fn reply(&mut self, length: usize, from: IpAddr, sequence: u16) -> Result<(), Failure> {
        let bytes = length + ICMP_HEADER;
        let is_asked = from == self.target;
        // Somebody else's answer leaves the request outstanding.
        let Some(sent) = is_asked.then(|| self.outstanding.remove(&sequence)).flatten() else {
            lock(&self.statistics).unexpected += 1;
            let why = if is_asked { "duplicate" } else { "not asked" };
            return output::line(&format!("{bytes} bytes from {from}: icmp_seq={sequence} ({why})"));
        };
        let time = self.now() - sent;
        lock(&self.statistics).record(time);
        let millis = time.as_secs_f64() * 1e3;
        output::line(&format!("{bytes} bytes from {from}: icmp_seq={sequence} time={millis:.3} ms"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Sources;
    use crate::device;
    use crate::net::Network;

    #[test]
    fn a_reply_of_somebody_else_does_not_answer_the_request() {
        let (device, _other) = device::pair(1_500);
        let network = Network::builder(device).address("10.9.0.2/24".parse().unwrap()).start().unwrap();
        let stack = RunningStack {
            network,
            interface: "lw0".into(),
            addresses: Vec::new(),
            sources: Sources::default(),
        };
        let [target, stranger] = ["10.9.0.1", "10.9.0.3"].map(|address| address.parse().unwrap());
        let now = stack.network.shared().now();
        let statistics = Arc::new(Mutex::new(Statistics::new(now)));
        let mut pinging = Pinging::new(&stack, target, statistics).unwrap();
        pinging.outstanding.insert(7, now);
        let counts = |pinging: &Pinging<'_>| {
            let statistics = lock(&pinging.statistics);
            (statistics.received, statistics.unexpected)
        };
        pinging.reply(PAYLOAD, stranger, 7).unwrap();
        assert_eq!(counts(&pinging), (0, 1));
        pinging.reply(PAYLOAD, target, 7).unwrap();
        assert_eq!(counts(&pinging), (1, 1));
        pinging.reply(PAYLOAD, target, 7).unwrap();
        assert_eq!(counts(&pinging), (1, 2));
    }
}
