//! Two networks on one cable, on real threads and real time.

mod closing;
mod datagrams;
mod queues;
mod readiness;
mod stream;
mod transfer;

use std::io::{self, Read};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use super::{Network, TcpListener, TcpStream};
use crate::device::{Cut, SocketEnd};
use crate::driver::Device;

/// Longer than anything here takes on the slowest machine: a thread that hangs is given up after this.
const PATIENCE: Duration = Duration::from_secs(60);

const SERVER: &str = "10.9.0.2";

/// Two networks over a cable that an event loop can wait on, 10.9.0.1 and 10.9.0.2.
fn networks() -> (Network, Network, End) {
    let (a, b) = SocketEnd::pair(1_500).unwrap();
    networks_over(Cut::new(a), Cut::new(b))
}

fn networks_over(a: impl Device + 'static, b: impl Device + 'static) -> (Network, Network, End) {
    let start = |device: Box<dyn Device>, addresses: [&str; 2]| {
        let builder = Network::builder(device).address(addresses[0].parse().unwrap());
        builder.address(addresses[1].parse().unwrap()).start().unwrap()
    };
    let client = start(Box::new(a), ["10.9.0.1/24", "fd09::1/64"]);
    let server = start(Box::new(b), ["10.9.0.2/24", "fd09::2/64"]);
    let end = End(vec![client.clone(), server.clone()]);
    (client, server, end)
}

/// A connection between two networks: (client, server).
fn connection() -> (TcpStream, TcpStream, End) {
    let (client, server, end) = networks();
    let (stream, accepted) = connect(&client, &listen(&server));
    (stream, accepted, end)
}

/// The end of a test: its networks stop at once. Dropped one after the other, the second would wait for the first.
struct End(Vec<Network>);

impl Drop for End {
    fn drop(&mut self) {
        for network in &self.0 {
            network.shutdown(Duration::ZERO);
        }
    }
}

fn listen(network: &Network) -> TcpListener {
    network.listen((SERVER, 0)).unwrap()
}

fn connect(client: &Network, listener: &TcpListener) -> (TcpStream, TcpStream) {
    let stream = client.connect(listener.local_addr().unwrap()).unwrap();
    let (accepted, peer) = listener.accept().unwrap();
    assert_eq!(peer, stream.local_addr().unwrap());
    (stream, accepted)
}

/// Runs `f` on a thread; the result comes through the channel, so that a test can lose its patience.
fn spawn<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> Receiver<T> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        // Nobody listens any more if the test has failed already.
        let _ = sender.send(f());
    });
    receiver
}

#[track_caller]
fn join<T>(result: &Receiver<T>) -> T {
    result.recv_timeout(PATIENCE).expect("the thread has panicked or hangs")
}

/// `len` bytes that look random, the same for the same `seed`.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    fastrand::Rng::with_seed(seed).fill(&mut bytes);
    bytes
}

fn read_all(mut stream: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    Ok(bytes)
}
