//! Echo requests.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use super::Network;
use super::socket::{Socket, refuse_zero};
use crate::driver::Direction;

/// A socket for ICMP and ICMPv6 echo requests and their replies: what `ping` needs.
///
/// ```
/// use std::time::Duration;
/// use longwire::net::{IcmpSocket, Network};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (here, there) = longwire::device::pair(1_500);
/// # let here = Network::builder(here).address("10.9.0.1/24".parse()?).start()?;
/// # let there = Network::builder(there).address("10.9.0.2/24".parse()?).start()?;
/// let socket: IcmpSocket = here.icmp()?;
/// socket.send_echo("10.9.0.2".parse()?, 1, b"ping")?;
/// let mut buffer = [0; 64];
/// let (len, from, sequence) = socket.recv_echo(&mut buffer)?;
/// assert_eq!((&buffer[..len], from, sequence), (&b"ping"[..], "10.9.0.2".parse()?, 1));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct IcmpSocket {
    socket: Socket,
}

impl IcmpSocket {
    pub(super) fn on(network: &Network) -> io::Result<IcmpSocket> {
        network.check_open()?;
        let shard = network.any_shard();
        let id = shard.with(|stack| stack.icmp_bind(None))?;
        Ok(IcmpSocket { socket: Socket::new(network, shard, id)? })
    }

    /// Sends an echo request.
    ///
    /// # Errors
    /// `InvalidInput` when the payload is too long, `NetworkUnreachable` without an address of ours in that family.
    pub fn send_echo(&self, to: IpAddr, sequence: u16, payload: &[u8]) -> io::Result<()> {
        self.socket.blocking(Direction::Write, |stack, id| stack.icmp_send_echo(id, to, sequence, payload))
    }

    /// Waits for a reply: how much of its payload fitted into `buffer`, who sent it, its sequence number.
    ///
    /// # Errors
    /// `WouldBlock` when the read time-out is over, `NetworkDown` once the network is shut down.
    pub fn recv_echo(&self, buffer: &mut [u8]) -> io::Result<(usize, IpAddr, u16)> {
        self.socket.blocking(Direction::Read, |stack, id| stack.icmp_recv_echo(id, buffer))
    }

    /// Sends one request with `sequence` and waits for its reply, throwing others away: the round-trip time.
    ///
    /// # Errors
    /// `TimedOut` without a reply in time, `InvalidInput` for a time of zero; else as for
    /// [`send_echo`](IcmpSocket::send_echo).
    pub fn ping(&self, to: IpAddr, sequence: u16, timeout: Duration) -> io::Result<Duration> {
        refuse_zero(timeout)?;
        let shared = self.socket.network().shared();
        let sent = shared.now();
        self.send_echo(to, sequence, b"longwire")?;
        self.socket.blocking_for(Direction::Read, Some(timeout), |stack, id| {
            loop {
                let (_, from, number) = stack.icmp_recv_echo(id, &mut [0; 16])?;
                if (from, number) == (to, sequence) {
                    return Ok(());
                }
            }
        })?;
        Ok(shared.now() - sent)
    }

    /// How long [`recv_echo`](IcmpSocket::recv_echo) may block before it gives `WouldBlock`; `None`: for ever.
    ///
    /// # Errors
    /// `InvalidInput` for a time of zero.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.socket.timeout(Direction::Read).set(timeout)
    }
}
