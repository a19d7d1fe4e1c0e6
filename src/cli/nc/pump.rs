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
        state.failed = None;
        self.shared.changed.notify_all();
        Ok(())
    }

    /// That connection has ended; what comes waits for the next one.
    pub(super) fn detach(&self) {
        self.lock().connection = None;
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
        let mut connection = loop {
            let connection = state.connection.as_ref().filter(|_| state.failed.is_none());
            if let Some(Ok(connection)) = connection.map(TcpStream::try_clone) {
                break connection;
            }
            state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        };
        drop(state);
        if let Err(error) = connection.write_all(bytes) {
            self.lock().failed = Some(error);
            self.shared.changed.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
