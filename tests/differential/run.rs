//! Lives through scenarios with a host, and writes down what a peer and an application can see.
//!
//! All scenarios run side by side on ports of their own, a step of each in every tick: what a real kernel does takes real
//! time, once for all.

use std::fmt::Write;
use std::time::Duration;

use longwire::sim::Seen;
use longwire::wire::{SeqNumber, TcpFlags};

use crate::scenario::{Blocks, Call, Scenario, Step, relative_to_peer};

/// How long a host has for the answer to a step: more than Linux ever delays an acknowledgment, less than any time-out of the
/// handshake.
pub(crate) const TICK: Duration = Duration::from_millis(220);

/// Where the ports of the first scenario are.
pub(crate) const HOST_PORTS: u16 = 1_000;
pub(crate) const PEER_PORTS: u16 = 20_000;

/// A TCP with an application on it and a wire under it.
pub(crate) trait Host {
    /// The application of a scenario does something; what came of it.
    fn call(&mut self, scenario: u16, call: Call) -> String;
    /// A packet comes in.
    fn deliver(&mut self, packet: &[u8]);
    /// Lets time pass, and gives what came out meanwhile.
    fn pass(&mut self, time: Duration) -> Vec<Vec<u8>>;
}

/// What is known of a scenario's connection while it runs.
#[derive(Default)]
struct Progress {
    log: Vec<String>,
    host_isn: Option<SeqNumber>,
    /// The clock that the host showed last.
    host_clock: u32,
    /// How far the host has sent.
    sent: i32,
}

/// The log of each scenario.
pub(crate) fn run(host: &mut dyn Host, scenarios: &[Scenario]) -> Vec<Vec<String>> {
    let mut all: Vec<Progress> = scenarios.iter().map(|_| Progress::default()).collect();
    let ticks = scenarios.iter().map(|scenario| scenario.steps.len()).max().unwrap_or_default();
    for tick in 0..ticks {
        for (index, scenario) in scenarios.iter().enumerate() {
            if let Some(step) = scenario.steps.get(tick) {
                all[index].step(host, index as u16, step);
            }
        }
        for packet in host.pass(TICK) {
            let Some(seen) = Seen::of(&packet) else { continue };
            let index = usize::from(seen.tcp.dst_port.wrapping_sub(PEER_PORTS));
            // What comes after the end of a scenario belongs to none of its steps.
            if scenarios.get(index).is_some_and(|scenario| tick < scenario.steps.len()) {
                all[index].saw(&seen, scenarios[index].blocks);
            }
        }
    }
    all.into_iter().map(|progress| progress.log).collect()
}

impl Progress {
    fn step(&mut self, host: &mut dyn Host, index: u16, step: &Step) {
        match step {
            Step::Wait => self.log.push("wait".to_owned()),
            Step::Call(call) => {
                let answer = host.call(index, *call);
                self.log.push(format!("{call:?}: {answer}"));
            }
            Step::Send(segments) => {
                for segment in segments {
                    let ports = [PEER_PORTS + index, HOST_PORTS + index];
                    let isn = self.host_isn.map_or(0, |isn| isn.0);
                    host.deliver(&segment.packet(ports, isn, self.host_clock));
                    let mut line = format!("> {:?} {} ack {}", segment.flags, segment.seq, segment.ack);
                    let _ = write!(line, " len {}", segment.len);
                    self.log.push(line);
                }
            }
        }
    }

    /// Writes down a segment of the host's, unless its timer has sent it: when that is, is not compared.
    fn saw(&mut self, seen: &Seen<'_>, blocks: Blocks) {
        let tcp = &seen.tcp;
        if tcp.has(TcpFlags::SYN) {
            self.host_isn = Some(tcp.seq);
        }
        // A reset that answers no acknowledgment counts from 0, and from no connection.
        let foreign = tcp.flags == (TcpFlags::RST | TcpFlags::ACK) && tcp.seq == SeqNumber(0);
        let isn = self.host_isn.filter(|_| !foreign).unwrap_or_default();
        let seq = tcp.seq.0.wrapping_sub(isn.0) as i32;
        let end = seq + tcp.segment_len(seen.payload.len()) as i32;
        self.host_clock = tcp.options.timestamps.map_or(self.host_clock, |stamps| stamps.value);
        let again = end > seq && end <= self.sent && !tcp.has(TcpFlags::SYN);
        if !tcp.has(TcpFlags::RST) {
            self.sent = self.sent.max(end);
        }
        if !again {
            self.log.push(shown(seen, seq, blocks));
        }
    }
}

fn shown(seen: &Seen<'_>, seq: i32, blocks: Blocks) -> String {
    let tcp = &seen.tcp;
    let mut line = format!("    < {:?} {seq}", tcp.flags);
    if tcp.has(TcpFlags::ACK) {
        let _ = write!(line, " ack {}", relative_to_peer(tcp.ack));
    }
    if !seen.payload.is_empty() {
        let _ = write!(line, " len {}", seen.payload.len());
    }
    if tcp.window == 0 && !tcp.has(TcpFlags::RST) {
        line.push_str(" win 0");
    }
    let options = &tcp.options;
    if let Some(mss) = options.mss {
        let _ = write!(line, " mss {mss}");
    }
    if options.window_scale.is_some() {
        line.push_str(" wscale");
    }
    if options.sack_permitted {
        line.push_str(" sackOK");
    }
    if let Some(stamps) = options.timestamps {
        let _ = write!(line, " ecr {}", stamps.echo);
    }
    let all = options.sack.as_slice();
    for (index, (left, right)) in all.iter().enumerate() {
        if blocks == Blocks::WithoutDuplicates && is_duplicate(index, tcp.ack, all) {
            continue;
        }
        let _ = write!(line, " sack {}-{}", relative_to_peer(*left), relative_to_peer(*right));
    }
    line
}

/// RFC 2883 4: the first block reports a duplicate if it lies below the acknowledgment or within the second.
fn is_duplicate(index: usize, ack: SeqNumber, blocks: &[(SeqNumber, SeqNumber)]) -> bool {
    let (left, right) = blocks[index];
    let within = |other: &(SeqNumber, SeqNumber)| other.0.le(left) && right.le(other.1);
    index == 0 && (left.lt(ack) || blocks.get(1).is_some_and(within))
}
