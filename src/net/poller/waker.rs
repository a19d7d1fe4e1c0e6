//! Ending a wait from another thread.

use std::io;
use std::sync::Arc;

use mio::Token;

use super::Poller;
use super::queue::Queue;

/// Ends the wait of a [`Poller`] from any thread: mio's `Waker`.
///
/// ```
/// use longwire::net::{Events, Poller, Token, Waker};
///
/// # fn main() -> std::io::Result<()> {
/// let poller = Poller::new()?;
/// let waker = Waker::new(&poller, Token(9))?;
/// std::thread::spawn(move || waker.wake());
/// let mut events = Events::with_capacity(8);
/// poller.poll(&mut events, None)?;
/// assert_eq!(events.iter().next().unwrap().token(), Token(9));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Waker {
    queue: Arc<Queue>,
    token: Token,
}

impl Waker {
    /// A waker whose events have this token.
    ///
    /// # Errors
    /// Never; mio's signature.
    pub fn new(poller: &Poller, token: Token) -> io::Result<Waker> {
        Ok(Waker { queue: Arc::clone(&poller.queue), token })
    }

    /// Ends the wait, or the next one. Calls before the event is taken count as one.
    ///
    /// # Errors
    /// Never; mio's signature.
    pub fn wake(&self) -> io::Result<()> {
        self.queue.wake(self.token);
        Ok(())
    }
}
