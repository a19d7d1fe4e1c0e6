//! What the examples share: a TUN interface, and an end on Ctrl-C.
//!
//!     cargo build --manifest-path examples/async/Cargo.toml
//!     sudo examples/async/target/debug/axum-server
//!     curl http://10.9.0.2/

use std::error::Error;
use std::net::Ipv4Addr;

use longwire::device::{Cut, InterfaceConfig, OpenTun, Plain, Prefix};
use longwire::net::{Builder, Network};

/// The stack's address behind the interface.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 2);
/// The kernel's.
pub const HOST: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);

/// Makes the TUN interface `lw0`, which takes root or an interface that was made for this user, and a stack behind it
/// that is yet to start.
///
/// # Errors
/// No rights, or no `/dev/net/tun`.
pub fn network() -> Result<Builder, Box<dyn Error>> {
    let addresses = vec![Prefix { address: HOST.into(), len: 24 }];
    let interface = InterfaceConfig { addresses, ..InterfaceConfig::default() };
    let device = Cut::new(OpenTun::<Plain>::open(&"lw0".parse()?)?.configure(&interface)?);
    Ok(Network::builder(device).address(format!("{ADDRESS}/24").parse()?))
}

/// Waits for Ctrl-C.
pub async fn interrupted() {
    // Without a handler the signal itself ends the process.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
