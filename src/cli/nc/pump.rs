//! Standard input on its way to a connection.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::cli::error::Failure;
use crate::cli::output;
use crate::net::TcpStream;

/// Bytes read at a time.
const PIECE: usize = 64 * 1024;

/// A thread that reads standard input and writes it to the connection of the moment. There is one for all
/// connections: reading cannot be broken off, so it must not belong to one of them.
#[derive(Clone)]
pub(super) struct Pump {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    connection: Option<TcpStream>,
    /// Connections so far: tells the present one from one that has ended.
    generation: u64,
    /// Standard input has ended.
    ended: bool,
    /// Writing to the present connection failed.
    failed: Option<io::Error>,
}

impl Pump {
    /// Begins to read.
    ///
    /// # Errors
    /// Standard input is closed, or there is no thread to be had.
    pub(super) fn start() -> Result<Pump, Failure> {
        let input = output::stdin()?;
        let pump = Pump { shared: Arc::default() };
        let worker = pump.clone();
        thread::Builder::new()
            .name("standard input".into())
            .spawn(move || worker.run(input))
            .map_err(|error| Failure::new(format!("standard input: {error}")))?;
        Ok(pump)
    }

    /// What comes from now on is for this connection; if the end has come already, so has that of its direction.
    pub(super) fn attach(&self, connection: &TcpStream) -> io::Result<()> {
        let mut state = self.lock();
        if state.ended {
            connection.shutdown(Shutdown::Write)?;
        }
        state.connection = Some(connection.try_clone()?);
        state.generation += 1;
        state.failed = None;
        self.shared.changed.notify_all();
        Ok(())
    }

    /// That connection has ended; what comes waits for the next one. What it has not taken yet is lost.
    pub(super) fn detach(&self) {
        let connection = self.lock().connection.take();
        // Writing to a peer that takes nothing any more would hold the input up for ever. An error says that the
        // connection has ended already, and with it the writing.
        let _ = connection.map(|connection| connection.shutdown(Shutdown::Write));
    }

    /// Waits until everything has been written.
    ///
    /// # Errors
    /// Writing failed.
    pub(super) fn wait_for_end(&self) -> io::Result<()> {
        let mut state = self.lock();
        loop {
            if let Some(error) = state.failed.take() {
                return Err(error);
            }
            if state.ended {
                return Ok(());
            }
            state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn run(&self, mut input: impl Read) {
        let mut piece = vec![0; PIECE];
        loop {
            match input.read(&mut piece) {
                Ok(0) => break,
                Ok(count) => self.pass_on(&piece[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    log::error!("standard input: {error}");
                    break;
                }
            }
        }
        let mut state = self.lock();
        state.ended = true;
        // One that has ended meanwhile has no direction left to close.
        if let Some(connection) = &state.connection {
            let _ = connection.shutdown(Shutdown::Write);
        }
        self.shared.changed.notify_all();
    }

    fn pass_on(&self, bytes: &[u8]) {
        let mut state = self.lock();
        let (mut connection, generation) = loop {
            let connection = state.connection.as_ref().filter(|_| state.failed.is_none());
            if let Some(Ok(connection)) = connection.map(TcpStream::try_clone) {
                break (connection, state.generation);
            }
            state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        };
        drop(state);
        if let Err(error) = connection.write_all(bytes) {
            let mut state = self.lock();
            // The next connection has nothing to do with it.
            if state.generation == generation {
                state.failed = Some(error);
                self.shared.changed.notify_all();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Duration;

    use super::*;
    use crate::device;
    use crate::net::Network;

    const PATIENCE: Duration = Duration::from_secs(10);

    /// Two connections, each with its peer.
    fn connections() -> [(TcpStream, TcpStream); 2] {
        let (near, far) = device::pair(1_500);
        let network = |device, address: &str| {
            let builder = Network::builder(device).address(address.parse().unwrap());
            builder.linger(Duration::ZERO).start().unwrap()
        };
        let (here, there) = (network(near, "10.9.0.1/24"), network(far, "10.9.0.2/24"));
        let end: SocketAddr = "10.9.0.2:7000".parse().unwrap();
        let listener = there.listen(end).unwrap();
        [(); 2].map(|()| {
            let ours = here.connect(end).unwrap();
            let (peer, _) = listener.accept().unwrap();
            peer.set_read_timeout(Some(PATIENCE)).unwrap();
            (ours, peer)
        })
    }

    /// Passes on more than a peer takes that reads nothing; says when that is over.
    fn pass_on_too_much(pump: &Pump) -> Receiver<()> {
        let (done, is_done) = channel();
        let worker = pump.clone();
        thread::spawn(move || {
            worker.pass_on(&vec![7; 64 << 20]);
            let _ = done.send(());
        });
        is_done
    }

    #[test]
    fn a_connection_that_has_ended_holds_nothing_up() {
        let [(first, mut stuck), (second, mut peer)] = connections();
        let pump = Pump { shared: Arc::default() };
        pump.attach(&first).unwrap();
        let is_done = pass_on_too_much(&pump);
        stuck.read_exact(&mut [0]).expect("it is being written");
        pump.detach();
        is_done.recv_timeout(PATIENCE).expect("released");
        pump.attach(&second).unwrap();
        pump.pass_on(b"next");
        let mut received = [0; 4];
        peer.read_exact(&mut received).unwrap();
        assert_eq!(&received, b"next");
    }

    #[test]
    fn the_error_of_one_connection_is_not_that_of_the_next() {
        let [(first, mut stuck), (second, _peer)] = connections();
        let pump = Pump { shared: Arc::default() };
        pump.attach(&first).unwrap();
        let is_done = pass_on_too_much(&pump);
        stuck.read_exact(&mut [0]).expect("it is being written");
        pump.attach(&second).unwrap();
        first.shutdown(Shutdown::Write).unwrap();
        is_done.recv_timeout(PATIENCE).expect("the first fails");
        assert!(pump.lock().failed.is_none());
    }
}
