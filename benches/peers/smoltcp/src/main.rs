//! smoltcp as the peer of our measurements: its own TUN device, large buffers, CUBIC, and a minimal HTTP on port 80.
//!
//! The interface has to exist, with its address, and be up; `scripts/bench-plain.sh` sees to that.
//!
//! ```text
//! smoltcp-peer TUN ADDRESS/PREFIX...
//! ```

mod exchange;

use std::env;
use std::error::Error;
use std::os::fd::AsRawFd;
use std::process::ExitCode;

use exchange::Exchange;
use smoltcp::iface::{Config, Interface, PollIngressSingleResult, SocketHandle, SocketSet};
use smoltcp::phy::{Medium, TunTapInterface, wait};
use smoltcp::socket::tcp;
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{HardwareAddress, IpCidr};

const PORT: u16 = 80;

/// Bytes of each socket's send and of its receive buffer.
const BUFFER: usize = 4 * 1024 * 1024;

/// Connections at a time.
const SOCKETS: usize = 8;

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
    let mut connections: Vec<(SocketHandle, Exchange)> =
        (0..SOCKETS).map(|_| (sockets.add(new_socket()), Exchange::default())).collect();
    println!("ready {tun} {}", addresses.join(" "));

    loop {
        let now = Instant::now();
        let mut busy = false;
        // Until the device is empty, as `Interface::poll` does: bounds of 16 and 256 packets made downloads slower.
        while interface.poll_ingress_single(now, &mut device, &mut sockets) != PollIngressSingleResult::None {
            busy = true;
        }
        for (handle, exchange) in &mut connections {
            busy |= turn(sockets.get_mut(*handle), exchange);
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

/// Lets a connection move its bytes; whether it moved any.
fn turn(socket: &mut tcp::Socket<'_>, exchange: &mut Exchange) -> bool {
    // A socket in TIME-WAIT listens again at once: eight must do for any number of connections.
    if !socket.is_open() || socket.state() == tcp::State::TimeWait {
        socket.abort();
        *exchange = Exchange::default();
        return socket.listen(PORT).is_ok();
    }
    if !socket.is_active() {
        return false;
    }
    let moved = exchange.advance(socket);
    let peer_is_done = socket.state() == tcp::State::CloseWait && !socket.can_recv();
    if exchange.is_over() || peer_is_done && exchange.is_between_requests() {
        socket.close();
    }
    moved
}
