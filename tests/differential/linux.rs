//! Linux as a host, behind a TUN interface in the network namespace that this process runs in.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use longwire::buffer::Chunk;
use longwire::device::{DeviceError, InterfaceConfig, OpenTun, Plain, Prefix, WireDevice};
use longwire::wire::SendOutcome;
use socket2::{Domain, Socket, Type};

use crate::run::{HOST_PORTS, Host, PEER_PORTS};
use crate::scenario::Call;
use crate::{HOST, MTU, PEER, answer_to_read};

/// What a connect that does not wait answers.
const EINPROGRESS: i32 = 115;

pub(crate) struct Linux {
    tun: Plain,
    packet: Chunk,
    listeners: HashMap<u16, TcpListener>,
    streams: HashMap<u16, TcpStream>,
}

impl Linux {
    /// Makes the interface `tun0` with the host's address on it.
    pub(crate) fn new() -> Result<Linux, DeviceError> {
        let addresses = vec![Prefix { address: HOST, len: 24 }];
        let config = InterfaceConfig { addresses, mtu: MTU as u16, ..InterfaceConfig::default() };
        let tun = OpenTun::<Plain>::open(&"tun0".parse()?)?.configure(&config)?;
        no_retransmissions();
        let packet = longwire::buffer::Pool::new().take_largest();
        Ok(Linux { tun, packet, listeners: HashMap::new(), streams: HashMap::new() })
    }

    fn stream(&mut self, scenario: u16) -> io::Result<&mut TcpStream> {
        self.streams.get_mut(&scenario).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    fn add(&mut self, scenario: u16, socket: Socket) -> io::Result<()> {
        socket.set_nonblocking(true)?;
        // Urgent data in line, as RFC 6093 6 advises and our stack has it.
        socket.set_out_of_band_inline(true)?;
        self.streams.insert(scenario, socket.into());
        Ok(())
    }

    fn try_call(&mut self, scenario: u16, call: Call) -> io::Result<String> {
        let local = SocketAddr::new(HOST, HOST_PORTS + scenario);
        match call {
            Call::Listen => {
                let listener = TcpListener::bind(local)?;
                listener.set_nonblocking(true)?;
                self.listeners.insert(scenario, listener);
            }
            Call::Connect => {
                let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
                socket.set_nonblocking(true)?;
                socket.bind(&local.into())?;
                let remote = SocketAddr::new(PEER, PEER_PORTS + scenario);
                match socket.connect(&remote.into()) {
                    Err(error) if error.raw_os_error() == Some(EINPROGRESS) => {}
                    result => result?,
                }
                self.add(scenario, socket)?;
            }
            Call::Accept => {
                let (stream, _) = self.listeners[&scenario].accept()?;
                self.add(scenario, stream.into())?;
            }
            Call::Read => {
                let stream = self.stream(scenario)?;
                return Ok(answer_to_read(|buffer| stream.read(buffer)));
            }
            Call::Write(len) => {
                let count = self.stream(scenario)?.write(&vec![7; len])?;
                return Ok(format!("{count} bytes"));
            }
            Call::ShutdownWrite => self.stream(scenario)?.shutdown(Shutdown::Write)?,
            Call::Close => drop(self.streams.remove(&scenario)),
            Call::Abort => {
                let stream = self.streams.remove(&scenario).ok_or(io::ErrorKind::NotConnected)?;
                Socket::from(stream).set_linger(Some(Duration::ZERO))?;
            }
        }
        Ok("done".to_owned())
    }
}

/// The timer of a segment that nobody acknowledges stays quiet for a scenario's length: a retransmission that comes due just
/// when an acknowledgment waits carries it, and then the acknowledgment is not to be seen for itself.
fn no_retransmissions() {
    let route = format!("route change 10.9.0.0/24 dev tun0 proto kernel scope link src {HOST} rto_min 60s");
    let status = Command::new("ip").args(route.split(' ')).status();
    assert!(status.is_ok_and(|status| status.success()), "ip {route}: failed");
}

impl Host for Linux {
    fn call(&mut self, scenario: u16, call: Call) -> String {
        self.try_call(scenario, call).unwrap_or_else(|error| format!("{:?}", error.kind()))
    }

    fn deliver(&mut self, packet: &[u8]) {
        let sent = self.tun.transmit(longwire::time::Instant::ZERO, packet);
        assert_eq!(sent, SendOutcome::Sent, "the interface takes every packet");
    }

    #[allow(clippy::disallowed_methods, reason = "the kernel lives in real time")]
    fn pass(&mut self, time: Duration) -> Vec<Vec<u8>> {
        let (end, mut out) = (Instant::now() + time, Vec::new());
        while Instant::now() < end {
            match self.tun.receive(longwire::time::Instant::ZERO, &mut self.packet) {
                Ok(_) => out.push(self.packet.to_vec()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    thread::sleep(Duration::from_millis(1));
                }
                Err(error) => panic!("tun0: {error}"),
            }
        }
        out
    }
}
