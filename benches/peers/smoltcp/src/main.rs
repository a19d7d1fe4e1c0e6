//! smoltcp as the peer of our measurements: its own TUN device, large buffers, CUBIC, a minimal HTTP on port 80, and
//! echo on port 7, discard on 9 and a stream without end on 19.
//!
//! The interface has to exist, with its address, and be up; `scripts/bench.sh` and `scripts/bench-plain.sh` see to that.
//!
//! ```text
//! smoltcp-peer TUN ADDRESS/PREFIX...
//! ```

mod exchange;
mod service;

use std::env;
use std::error::Error;
use std::os::fd::AsRawFd;
use std::process::ExitCode;

use service::Service;
use smoltcp::iface::{Config, Interface, PollIngressSingleResult, SocketHandle, SocketSet};
use smoltcp::phy::{Medium, TunTapInterface, wait};
use smoltcp::socket::tcp;
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{HardwareAddress, IpCidr};

/// Ports, and how many connections each may have at a time: there is no backlog, a socket is for one. What is not used
/// costs a look at each packet, as smoltcp offers it to all sockets in this order.
const PORTS: [(u16, usize); 4] = [(19, 8), (9, 8), (7, 1), (80, 128)];

/// Bytes of each socket's send and of its receive buffer.
const BUFFER: usize = 4 * 1024 * 1024;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let Some((tun, addresses)) = arguments.split_first().filter(|(_, addresses)| !addresses.is_empty())
    else {
        eprintln!("usage: smoltcp-peer TUN ADDRESS/PREFIX...");
        return ExitCode::from(2);
    };
    match serve(tun, addresses) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("smoltcp-peer: {tun}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Answers until the process is ended.
fn serve(tun: &str, addresses: &[String]) -> Result<(), Box<dyn Error>> {
    let mut device = TunTapInterface::new(tun, Medium::Ip)?;
    let fd = device.as_raw_fd();
    let mut interface = Interface::new(Config::new(HardwareAddress::Ip), &mut device, Instant::now());
    for address in addresses {
        let address: IpCidr = address.parse().map_err(|()| format!("{address} is no ADDRESS/PREFIX"))?;
        let mut room = Ok(());
        interface.update_ip_addrs(|list| room = list.push(address));
        room.map_err(|_| "more addresses than smoltcp is built for")?;
    }
    let mut sockets = SocketSet::new(Vec::new());
    let mut connections = Vec::new();
    for (port, count) in PORTS {
        for _ in 0..count {
            let service = Service::at(port);
            connections.push(Connection { handle: sockets.add(new_socket()), port, service });
        }
    }
    println!("ready {tun} {}", addresses.join(" "));

    loop {
        let now = Instant::now();
        let mut busy = false;
        // Until the device is empty, as `Interface::poll` does: bounds of 16 and 256 packets made downloads slower.
        while interface.poll_ingress_single(now, &mut device, &mut sockets) != PollIngressSingleResult::None {
            busy = true;
        }
        for connection in &mut connections {
            busy |= connection.turn(sockets.get_mut(connection.handle));
        }
        interface.poll_egress(now, &mut device, &mut sockets);
        interface.poll_maintenance(now);
        if !busy {
            match interface.poll_delay(now, &sockets) {
                Some(Duration::ZERO) => {}
                delay => wait(fd, delay)?,
            }
        }
    }
}

fn new_socket() -> tcp::Socket<'static> {
    let buffer = || tcp::SocketBuffer::new(vec![0; BUFFER]);
    let mut socket = tcp::Socket::new(buffer(), buffer());
    socket.set_congestion_control(tcp::CongestionControl::Cubic);
    socket
}

/// A socket, and what is said on it.
struct Connection {
    handle: SocketHandle,
    port: u16,
    service: Service,
}

impl Connection {
    /// Lets a connection move its bytes; whether it moved any.
    fn turn(&mut self, socket: &mut tcp::Socket<'_>) -> bool {
        // A socket in TIME-WAIT listens again at once: these must do for any number of connections.
        if !socket.is_open() || socket.state() == tcp::State::TimeWait {
            socket.abort();
            self.service = Service::at(self.port);
            return socket.listen(self.port).is_ok();
        }
        if !socket.is_active() {
            return false;
        }
        let moved = self.service.advance(socket);
        let half_closed = socket.state() == tcp::State::CloseWait && !socket.can_recv();
        if self.service.is_over(half_closed) {
            socket.close();
        }
        moved
    }
}
