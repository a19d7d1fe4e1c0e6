//! UDP: what is read at once is one datagram.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::broken;
use crate::cli::error::Failure;
use crate::cli::open::RunningStack;
use crate::cli::output;
use crate::cli::resolve::resolve;
use crate::net::UdpSocket;

/// UDP has no end of its own: after the end of the input, this long without an answer is one.
const SILENCE: Duration = Duration::from_secs(1);

/// The headers in front of a datagram's bytes, with IPv4 and with IPv6.
const HEADERS: (u16, u16) = (20 + 8, 40 + 8);

/// Room for any datagram.
const LARGEST: usize = 65_535;

/// Whom we talk with, once somebody is known.
type Peer = Arc<Mutex<Option<SocketAddr>>>;

/// Exchanges datagrams with a peer, and only with it.
pub(super) fn connect(stack: &RunningStack, host: &str, port: u16, mtu: u16) -> Result<(), Failure> {
    let peer = resolve(host, port, &stack.addresses)?[0];
    let socket = stack.network.udp(any(peer.ip(), 0)).map_err(|error| broken(&peer, &error))?;
    let ended = Arc::new(AtomicBool::new(false));
    send_input(&socket, Arc::new(Mutex::new(Some(peer))), most(peer.ip(), mtu), Arc::clone(&ended))?;
    let mut out = output::stdout()?;
    receive(&socket, &mut out, |sender| sender == peer, || ended.load(Ordering::Acquire))
}

/// Waits for datagrams; the first one's sender is whom the input goes to, and the only one heard unless `keep`.
pub(super) fn listen(stack: &RunningStack, port: u16, keep: bool, mtu: u16) -> Result<(), Failure> {
    let families = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
    let has = |ip: &IpAddr| stack.addresses.iter().any(|cidr| cidr.address.is_ipv4() == ip.is_ipv4());
    let peer = Peer::default();
    let (has_ended, ends) = channel();
    for family in families.into_iter().filter(has) {
        let failed = |error| broken(&format!("port {port}"), &error);
        let socket = stack.network.udp(any(family, port)).map_err(failed)?;
        let mut out = output::stdout()?;
        let (peer, most, has_ended) = (Arc::clone(&peer), most(family, mtu), has_ended.clone());
        let receive_all = move || {
            let mut is_sending = false;
            let choose = |sender| {
                let known = *peer.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(sender);
                if known == sender && !is_sending {
                    is_sending = true;
                    let ended = Arc::new(AtomicBool::new(false));
                    if let Err(failure) = send_input(&socket, Arc::clone(&peer), most, ended) {
                        log::error!("{}", failure.message().unwrap_or_default());
                    }
                }
                keep || known == sender
            };
            // Nobody listens to the second one that ends.
            let _ = has_ended.send(receive(&socket, &mut out, choose, || false));
        };
        thread::Builder::new().name("receive".into()).spawn(receive_all).map_err(failed)?;
    }
    log::info!("{}: listening on UDP port {port}", stack.interface);
    drop(has_ended);
    // When nobody reads what one of them writes, there is nothing left to do for the other.
    ends.recv().unwrap_or_else(|_| Err(Failure::new(format!("port {port}: listening has ended"))))
}

/// A thread that sends standard input to the peer and notes its end.
fn send_input(socket: &UdpSocket, peer: Peer, most: usize, ended: Arc<AtomicBool>) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::new(format!("standard input: {error}"));
    let socket = socket.try_clone().map_err(failed)?;
    let mut input = output::stdin()?;
    let send = move || {
        let mut datagram = vec![0; most];
        while let Ok(count @ 1..) = input.read(&mut datagram) {
            let Some(peer) = *peer.lock().unwrap_or_else(PoisonError::into_inner) else { continue };
            if let Err(error) = socket.send_to(&datagram[..count], peer) {
                log::warn!("{peer}: datagram not sent: {error}");
            }
        }
        ended.store(true, Ordering::Release);
    };
    thread::Builder::new().name("standard input".into()).spawn(send).map(drop).map_err(failed)
}

/// Writes what accepted senders send to `out`, until there is silence after the end.
fn receive(
    socket: &UdpSocket,
    out: &mut impl Write,
    mut accepts: impl FnMut(SocketAddr) -> bool,
    has_ended: impl Fn() -> bool,
) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::new(format!("receiving datagrams: {error}"));
    socket.set_read_timeout(Some(SILENCE)).map_err(failed)?;
    let mut datagram = vec![0; LARGEST];
    let mut ended_before = false;
    loop {
        match socket.recv_from(&mut datagram) {
            Ok((count, sender)) if accepts(sender) => {
                out.write_all(&datagram[..count]).map_err(|error| Failure::from_output(&error))?;
            }
            Ok(_) => {}
            // A whole time of silence must lie behind the end.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && ended_before => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => ended_before = has_ended(),
            Err(error) => return Err(failed(error)),
        }
    }
}

/// The unspecified address of the same family.
fn any(ip: IpAddr, port: u16) -> SocketAddr {
    match ip {
        IpAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, port).into(),
        IpAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, port).into(),
    }
}

/// The most bytes of a datagram that needs no fragments.
fn most(ip: IpAddr, mtu: u16) -> usize {
    usize::from(mtu - if ip.is_ipv4() { HEADERS.0 } else { HEADERS.1 })
}
