//! Asks a server the same question over and over, each time on a connection of its own, with TCP Fast Open (RFC 7413):
//! from the second on the question goes with the SYN, if the server takes part.
//!
//!     sudo cargo run --release --example fast_open -- lw0 10.9.0.1:7 'what time is it?' 3
//!
//! Prints for each connection whether the question was taken with the SYN, and the answer. The server has to end its
//! direction when it has answered. Linux takes part after `sysctl net.ipv4.tcp_fastopen=3` and with TCP_FASTOPEN set on
//! the listening socket.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use longwire::device::{Cut, InterfaceConfig, OpenTun, Plain, Prefix, TunName};
use longwire::net::Network;

type AnyError = Box<dyn std::error::Error>;

fn main() -> Result<(), AnyError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, server, question, count] = &arguments[..] else {
        return Err("usage: fast_open TUN ADDRESS:PORT QUESTION COUNT".into());
    };
    let (server, count): (SocketAddr, usize) = (server.parse()?, count.parse()?);
    let network = open(&name.parse()?)?;
    for _ in 0..count {
        let (mut stream, taken) = network.connect_with_data(server, question.as_bytes())?;
        stream.write_all(&question.as_bytes()[taken..])?;
        stream.shutdown(Shutdown::Write)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let when = if stream.info()?.fast_open { "with the SYN" } else { "behind the handshake" };
        println!("{when}: {}", answer.trim_end());
    }
    network.shutdown(Duration::from_secs(1));
    Ok(())
}

/// A stack behind a TUN interface.
fn open(name: &TunName) -> Result<Network, AnyError> {
    let prefix = |address: &str, len| Ok::<_, AnyError>(Prefix { address: address.parse()?, len });
    let config = InterfaceConfig {
        addresses: vec![prefix("10.9.0.1", 24)?, prefix("fd09::1", 64)?],
        ..InterfaceConfig::default()
    };
    let device = Cut::new(OpenTun::<Plain>::open(name)?.configure(&config)?).merging();
    let network = Network::builder(device).address("10.9.0.2/24".parse()?).address("fd09::2/64".parse()?);
    Ok(network.start()?)
}
