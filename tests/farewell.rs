//! A program that writes and returns from `main` loses nothing: real processes with a `main` of their own.
//!
//! This file is both sides. Called as a test it starts itself again as the program, with one end of a cable as standard
//! input, and is the peer at the other end.

use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio, exit};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use longwire::device::{Cut, SocketEnd};
use longwire::net::{Network, TcpStream};

/// More than send buffer, receive window and device hold together, so that most of it is unsent when `main` returns.
const LEN: usize = 700_000;

/// Silence after which nothing more is expected.
const PATIENCE: Duration = Duration::from_secs(20);

/// What it does with its connection, and the doing.
type Program = (&'static str, fn(Network));

/// The ways to leave: how each program ends with its connection still open.
const PROGRAMS: [Program; 5] = [
    ("drops it", |network| drop(written(&network))),
    ("holds it in a static", |network| {
        static STREAM: OnceLock<TcpStream> = OnceLock::new();
        STREAM.get_or_init(|| written(&network));
    }),
    ("leaves it to a thread that still runs", |network| {
        let stream = written(&network);
        thread::spawn(move || (&stream).read(&mut [0; 1]));
    }),
    ("has it from the default network", |network| {
        Network::set_default(network);
        let mut stream = TcpStream::connect("10.9.0.1:7").expect("a listener");
        stream.write_all(&bytes()).expect("room");
    }),
    ("exits in the middle", |network| {
        let _stream = written(&network);
        exit(0);
    }),
];

fn bytes() -> Vec<u8> {
    (0..LEN).map(|i| (i % 251) as u8).collect()
}

fn written(network: &Network) -> TcpStream {
    let mut stream = network.connect("10.9.0.1:7").expect("a listener");
    stream.write_all(&bytes()).expect("room");
    stream
}

fn start(cable: UnixDatagram, address: &str) -> Network {
    let device = Cut::new(SocketEnd::new(cable, 1_500).expect("a nonblocking socket"));
    Network::builder(device).address(address.parse().expect("an address")).start().expect("a network")
}

/// What the peer gets from a program, until the end of the stream.
fn received_from(program: &str) -> std::io::Result<Vec<u8>> {
    let (near, far) = UnixDatagram::pair()?;
    let network = start(near, "10.9.0.1/24");
    let listener = network.listen("10.9.0.1:7")?;
    let mut command = Command::new(std::env::current_exe()?);
    let mut child = command.args(["--as", program]).stdin(Stdio::from(OwnedFd::from(far))).spawn()?;
    drop(command);
    let (mut stream, _) = listener.accept()?;
    // A program that has gone without a word would leave us waiting for minutes.
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut received = Vec::new();
    stream.read_to_end(&mut received)?;
    drop(stream);
    let status = child.wait()?;
    assert!(status.success(), "{program}: {status}");
    Ok(received)
}

fn run_as(program: &str) {
    let cable = std::io::stdin().as_fd().try_clone_to_owned().expect("a descriptor");
    let network = start(UnixDatagram::from(cable), "10.9.0.2/24");
    let (_, run) = PROGRAMS.iter().find(|(name, _)| *name == program).expect("a program of this name");
    run(network);
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, flag, program] = &arguments[..]
        && flag == "--as"
    {
        return run_as(program);
    }
    let failed = PROGRAMS.iter().filter(|(program, _)| match received_from(program) {
        Ok(received) if received == bytes() => {
            println!("test a program that {program} loses nothing ... ok");
            false
        }
        Ok(received) => {
            println!(
                "test a program that {program} loses nothing ... FAILED: {} of {LEN} bytes",
                received.len()
            );
            true
        }
        Err(error) => {
            println!("test a program that {program} loses nothing ... FAILED: {error}");
            true
        }
    });
    let (failed, all) = (failed.count(), PROGRAMS.len());
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    println!("\ntest result: {verdict}. {} passed; {failed} failed; 0 ignored; 0 measured", all - failed);
    exit(i32::from(failed > 0));
}
