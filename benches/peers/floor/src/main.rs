//! The floor: what a TUN device with super-packets allows whoever does as little as possible. It answers handshakes,
//! acknowledges whatever comes and sends as the client's window allows; one copy of each payload, as a socket's `read`
//! and `write` would have it, and the system calls. No retransmission, no timers, no checks: fit for a kernel next
//! door and for nothing else.
//!
//! ```text
//! floor-peer TUN MTU
//! ```
//!
//! The interface has to exist, with its address, and be up. Every other address of its network is answered for: echo
//! on port 7, discard on 9, a stream of zeros on 19 and HTTP on 80, all over IPv4.

mod connection;
mod packet;

use std::collections::HashMap;
use std::env;
use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::process::ExitCode;

use connection::Connection;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use packet::{ACK, Ends, HEADERS, Header, LONGEST, PAYLOAD, RST, SYN, Segment};
use service::{ANSWER, Service, is_last};
use tun_rs::{DeviceBuilder, SyncDevice};

/// Packets that are read before anything is sent.
const READS: usize = 64;
/// Super-packets that are sent before the device is read again.
const WRITES: usize = 8;
/// Bytes that are acknowledged at once while the device has more.
const STRETCH: u32 = 1024 * 1024;
/// Where the application's memory begins in its allocation: half a page from where a packet's begins. Copies between
/// places that lie alike in their pages take four times as long, as the processor takes what it reads for what it has
/// just written.
const APART: usize = 2_048;
/// Milliseconds without any packet after which something must have been lost.
const STALL: u16 = 200;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let Some((tun, mtu)) = parse(&arguments) else {
        eprintln!("usage: floor-peer TUN MTU");
        return ExitCode::from(2);
    };
    match Floor::open(tun, mtu).and_then(|mut floor| floor.run(tun)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("floor-peer: {tun}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(arguments: &[String]) -> Option<(&str, u16)> {
    let [tun, mtu] = arguments else { return None };
    Some((tun, mtu.parse().ok().filter(|mtu| *mtu > HEADERS)?))
}

struct Floor {
    device: SyncDevice,
    /// Payload of a segment.
    mss: u16,
    connections: HashMap<Ends, Connection>,
    /// Those that wait for an acknowledgment, some of them perhaps no longer.
    unacknowledged: Vec<Ends>,
    /// Those that send without being asked.
    senders: Vec<Ends>,
    received: Vec<u8>,
    sent: Vec<u8>,
    /// Where payload is copied to and from: the application's memory.
    application: Vec<u8>,
}

impl Floor {
    fn open(tun: &str, mtu: u16) -> io::Result<Floor> {
        let device = DeviceBuilder::new().name(tun).offload(true).inherit_enable_state().build_sync()?;
        device.set_nonblocking(true)?;
        Ok(Floor {
            device,
            mss: mtu - HEADERS,
            connections: HashMap::new(),
            unacknowledged: Vec::new(),
            senders: Vec::new(),
            received: vec![0; LONGEST],
            sent: vec![0; LONGEST],
            application: vec![0; APART + LONGEST],
        })
    }

    /// Answers until the process is ended.
    fn run(&mut self, tun: &str) -> io::Result<()> {
        println!("ready {tun}");
        loop {
            let is_empty = self.read()?;
            let has_sent = self.stream()?;
            if is_empty {
                self.acknowledge()?;
                if !has_sent {
                    self.wait()?;
                }
            }
        }
    }

    /// Until a packet comes.
    fn wait(&mut self) -> io::Result<()> {
        let mut waiting = [PollFd::new(self.device.as_fd(), PollFlags::POLLIN)];
        if poll(&mut waiting, PollTimeout::from(STALL))? > 0 {
            return Ok(());
        }
        for sender in &self.senders {
            let Some(connection) = self.connections.get_mut(sender) else { continue };
            if connection.under_way() > 0 {
                eprintln!("floor-peer: nothing acknowledged for {STALL} ms: sent again");
                connection.go_back();
            }
        }
        Ok(())
    }

    /// Takes what the device has; whether it is empty now.
    fn read(&mut self) -> io::Result<bool> {
        for _ in 0..READS {
            let mut bytes = std::mem::take(&mut self.received);
            let result = self.device.recv(&mut bytes);
            let taken = match &result {
                Ok(len) => Segment::parse(&bytes[..*len]).map_or(Ok(()), |segment| self.take(&segment)),
                Err(_) => Ok(()),
            };
            self.received = bytes;
            taken?;
            match result {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                result => drop(result?),
            }
        }
        Ok(false)
    }

    fn take(&mut self, segment: &Segment<'_>) -> io::Result<()> {
        let ends = segment.ends;
        if segment.flags & SYN != 0 {
            let Some(service) = Service::at(ends.port) else { return Ok(()) };
            let mut connection = Connection::new(segment, service, self.mss);
            let header = connection.syn_ack();
            self.connections.insert(ends, connection);
            return self.send(header, 0);
        }
        let Some(connection) = self.connections.get_mut(&ends) else { return Ok(()) };
        if segment.flags & RST != 0 {
            self.forget(ends);
            return Ok(());
        }
        let is_first = connection.under_way() == 1 && connection.service == Service::Chargen;
        if segment.flags & ACK != 0 {
            connection.acknowledged(segment);
        }
        if is_first && connection.under_way() == 0 && !self.senders.contains(&ends) {
            self.senders.push(ends);
        }
        self.answer(segment)
    }

    /// What the payload, or the end of the client's stream, calls for.
    fn answer(&mut self, segment: &Segment<'_>) -> io::Result<()> {
        let ends = segment.ends;
        let Some(connection) = self.connections.get_mut(&ends) else { return Ok(()) };
        let payload = segment.payload;
        if !connection.receive(segment) {
            let header = connection.acknowledge();
            return self.send(header, 0);
        }
        let (mut count, mut last) = (0, connection.is_half_closed());
        match connection.service {
            Service::Echo => {
                self.sent[PAYLOAD..PAYLOAD + payload.len()].copy_from_slice(payload);
                count = payload.len();
            }
            Service::Http => {
                let requests = payload.windows(4).filter(|window| *window == b"\r\n\r\n").count();
                for place in self.sent[PAYLOAD..].chunks_exact_mut(ANSWER.len()).take(requests) {
                    place.copy_from_slice(ANSWER);
                    count += ANSWER.len();
                }
                last |= is_last(payload);
            }
            Service::Discard | Service::Chargen => {
                self.application[APART..APART + payload.len()].copy_from_slice(payload);
                if connection.unacknowledged == payload.len() as u32 && !payload.is_empty() {
                    self.unacknowledged.push(ends);
                }
            }
        }
        if count > 0 || last {
            let header = connection.send(count, last);
            self.send(header, count)?;
        } else if connection.unacknowledged >= STRETCH {
            let header = connection.acknowledge();
            self.send(header, 0)?;
        }
        if self.connections.get(&ends).is_some_and(Connection::is_over) {
            self.forget(ends);
        }
        Ok(())
    }

    /// Acknowledges what has not been yet.
    fn acknowledge(&mut self) -> io::Result<()> {
        while let Some(ends) = self.unacknowledged.pop() {
            let Some(connection) = self.connections.get_mut(&ends) else { continue };
            if connection.unacknowledged > 0 {
                let header = connection.acknowledge();
                self.send(header, 0)?;
            }
        }
        Ok(())
    }

    /// A few super-packets for each who has room; whether there was anybody.
    fn stream(&mut self) -> io::Result<bool> {
        let mut has_sent = false;
        for index in 0..self.senders.len() {
            for _ in 0..WRITES {
                let Some(connection) = self.connections.get_mut(&self.senders[index]) else { break };
                let count = connection.room();
                if count == 0 {
                    break;
                }
                let header = connection.send(count, false);
                self.sent[PAYLOAD..PAYLOAD + count].copy_from_slice(&self.application[APART..APART + count]);
                self.send(header, count)?;
                has_sent = true;
            }
        }
        Ok(has_sent)
    }

    /// Writes a packet whose payload is in its place already.
    fn send(&mut self, header: Header, payload: usize) -> io::Result<()> {
        let len = header.write(&mut self.sent, payload);
        self.device.send(&self.sent[..len]).map(drop)
    }

    fn forget(&mut self, ends: Ends) {
        self.connections.remove(&ends);
        self.senders.retain(|sender| *sender != ends);
    }
}
