//! TCP: one conversation at a time.

use std::io::{self, IsTerminal, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use super::broken;
use super::pump::Pump;
use crate::cli::error::Failure;
use crate::cli::open::RunningStack;
use crate::cli::resolve::resolve;
use crate::cli::{forwarding, output};
use crate::net::{Network, TcpListener, TcpStream};

/// Goes to a peer and talks with it.
pub(super) fn connect(
    stack: &RunningStack,
    host: &str,
    port: u16,
    timeout: Option<Duration>,
) -> Result<(), Failure> {
    let mut failure = None;
    for peer in resolve(host, port, &stack.addresses)? {
        match open(&stack.network, peer, timeout) {
            Ok(connection) => {
                let pump = Pump::start()?;
                return converse(&connection, peer, &pump, true);
            }
            Err(error) => {
                let timed_out = error.kind() == io::ErrorKind::TimedOut;
                let hint = timed_out.then(|| forwarding::hint(peer.ip(), &stack.addresses)).flatten();
                failure = Some(Failure::new(format!("{peer}: cannot connect: {error}")).with_hint(hint));
            }
        }
    }
    Err(failure.unwrap_or_else(|| Failure::new(format!("{host}: no address"))))
}

fn open(network: &Network, peer: SocketAddr, timeout: Option<Duration>) -> io::Result<TcpStream> {
    let connection = match timeout {
        Some(timeout) => network.connect_timeout(&peer, timeout)?,
        None => network.connect(peer)?,
    };
    // What somebody types is not to wait for what was typed before.
    connection.set_nodelay(true)?;
    Ok(connection)
}

/// Waits for a peer, or with `keep` for one after the other, on all addresses.
pub(super) fn listen(stack: &RunningStack, port: u16, keep: bool) -> Result<(), Failure> {
    let pump = Pump::start()?;
    let accepted = accept_on_all(stack, port, keep)?;
    loop {
        let (connection, peer) =
            accepted.recv().map_err(|_| Failure::new(format!("port {port}: listening has ended")))?;
        log::info!("connection from {peer}");
        connection.set_nodelay(true).map_err(|error| broken(&peer, &error))?;
        let result = converse(&connection, peer, &pump, !keep);
        match result {
            Err(failure) if keep => log::warn!("{}", failure.message().unwrap_or_default()),
            result if !keep => return result,
            _ => {}
        }
    }
}

/// A thread for the listener of each family that the stack has. Each takes the next connection only when the one
/// before has been handed over; without `keep` it stops listening then.
fn accept_on_all(
    stack: &RunningStack,
    port: u16,
    keep: bool,
) -> Result<Receiver<(TcpStream, SocketAddr)>, Failure> {
    let has = |v4: bool| stack.addresses.iter().any(|cidr| cidr.address.is_ipv4() == v4);
    let ends = [
        has(true).then_some(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))),
        has(false).then_some(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))),
    ];
    let (hand_over, accepted) = sync_channel(0);
    for end in ends.into_iter().flatten() {
        let listener = stack.network.listen(end).map_err(|error| broken(&format!("port {port}"), &error))?;
        let hand_over = hand_over.clone();
        thread::Builder::new()
            .name("accept".into())
            .spawn(move || accept_from(&listener, &hand_over, keep))
            .map_err(|error| broken(&format!("port {port}"), &error))?;
    }
    let addresses: Vec<_> =
        stack.addresses.iter().map(|cidr| SocketAddr::new(cidr.address, port).to_string()).collect();
    log::info!("{}: listening on {}", stack.interface, addresses.join(" and "));
    Ok(accepted)
}

fn accept_from(listener: &TcpListener, hand_over: &SyncSender<(TcpStream, SocketAddr)>, keep: bool) {
    while let Ok(accepted) = listener.accept() {
        // Nobody takes it any more: dropping it here tells its peer so.
        if hand_over.send(accepted).is_err() || !keep {
            break;
        }
    }
}

/// Both directions, until both have ended. `to_the_end`: standard input, too, is to be sent to its end, unless
/// somebody would have to type it.
fn converse(connection: &TcpStream, peer: SocketAddr, pump: &Pump, to_the_end: bool) -> Result<(), Failure> {
    pump.attach(connection).map_err(|error| broken(&peer, &error))?;
    let received = receive(connection, peer);
    if received.is_ok() && to_the_end && !io::stdin().is_terminal() {
        pump.wait_for_end()
            .map_err(|error| Failure::new(format!("{peer}: not all of the input was sent: {error}")))?;
    }
    pump.detach();
    received
}

fn receive(connection: &TcpStream, peer: SocketAddr) -> Result<(), Failure> {
    let mut out = output::stdout()?;
    while let Some(chunk) = connection.read_chunk().map_err(|error| broken(&peer, &error))? {
        out.write_all(&chunk).map_err(|error| Failure::from_output(&error))?;
    }
    Ok(())
}
