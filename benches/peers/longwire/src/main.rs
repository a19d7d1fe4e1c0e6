//! Bulk over longwire's library, in both forms that it has: by copying (`read`, `write`), and as owned buffers
//! (`read_chunk`, `write_chunk`).
//!
//! ```text
//! longwire-peer TUN MTU HOST/PREFIX ADDRESS/PREFIX CONTROL on|off
//! ```
//!
//! HOST is the kernel's address on the interface, ADDRESS the stack's, CONTROL the congestion control; `off` is the
//! device without super-packets. Ports 9 and 1009 discard, 19 and 1019 send; the higher ones are those of owned buffers.

mod bulk;

use std::env;
use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::thread;

use bulk::{Bulk, Form};
use longwire::device::{Cut, Device, InterfaceConfig, Offload, OpenTun, Plain, Prefix, TunDevice};
use longwire::driver::{Algorithm, Cidr};
use longwire::net::Network;

const PORTS: [(u16, Form); 4] =
    [(9, Form::Read), (1009, Form::ReadChunk), (19, Form::Write), (1019, Form::WriteChunk)];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let Some(arguments) = Arguments::parse(&arguments) else {
        eprintln!("usage: longwire-peer TUN MTU HOST/PREFIX ADDRESS/PREFIX CONTROL on|off");
        return ExitCode::from(2);
    };
    match serve(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("longwire-peer: {}: {error}", arguments.tun);
            ExitCode::FAILURE
        }
    }
}

struct Arguments {
    tun: String,
    mtu: u16,
    host: Cidr,
    address: Cidr,
    control: Algorithm,
    offload: bool,
}

impl Arguments {
    fn parse(words: &[String]) -> Option<Arguments> {
        let [tun, mtu, host, address, control, offload] = words else { return None };
        let controls = [Algorithm::Cubic, Algorithm::NewReno, Algorithm::Bbr];
        Some(Arguments {
            tun: tun.clone(),
            mtu: mtu.parse().ok()?,
            host: host.parse().ok()?,
            address: address.parse().ok()?,
            control: controls.into_iter().find(|known| known.name() == control)?,
            offload: ["off", "on"].iter().position(|word| word == offload)? == 1,
        })
    }

    fn open<D: TunDevice>(&self) -> Result<D, Box<dyn Error>> {
        let host = Prefix { address: self.host.address, len: self.host.prefix };
        let config = InterfaceConfig { addresses: vec![host], mtu: self.mtu, ..InterfaceConfig::default() };
        Ok(OpenTun::<D>::open(&self.tun.parse()?)?.configure(&config)?)
    }
}

/// Answers until the process is ended.
fn serve(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    match arguments.offload {
        true => run(arguments, arguments.open::<Offload>()?),
        false => run(arguments, Cut::new(arguments.open::<Plain>()?).merging()),
    }
}

fn run(arguments: &Arguments, device: impl Device + 'static) -> Result<(), Box<dyn Error>> {
    let network = Network::builder(device)
        .address(arguments.address)
        .configure(|config| config.tcp.congestion = arguments.control)
        .start()?;
    let mut bulk = Bulk::new();
    for (port, form) in PORTS {
        let end = SocketAddr::new(arguments.address.address, port);
        let listener = network.shared().with(|stack| stack.listen(end, Default::default()))?;
        bulk.listeners.push((listener, form));
    }
    network.attach(Box::new(bulk));
    println!("ready {} {}", arguments.tun, arguments.address);
    loop {
        thread::park();
    }
}
