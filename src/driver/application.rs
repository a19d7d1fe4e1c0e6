//! Programs that live inside the loop.

use super::SharedStack;
use crate::stack::{Event, Instant};

/// An event-driven program that runs on the loop's own thread: no wake-up, no contention for the stack.
///
/// Give it to a running stack with [`SharedStack::attach`]. The loop calls [`turn`](Application::turn) once in each
/// of its turns, after the packets and the timers and before the output, so that what the application writes goes out
/// together with the acknowledgments of what it read.
///
/// **Events.** They are edge-triggered and coalesced for each socket: read, write and accept until `WouldBlock`. The
/// application gets the events of all sockets that nobody waits on through [`Waiters`](super::Waiters), its own ones
/// among them: listeners that it opened, connections that it accepted or opened. It ignores those whose
/// [`SocketId`](crate::stack::SocketId) it does not know.
///
/// **Rules.** A turn must not block: it holds up every connection of the stack. What may take long belongs to a
/// worker thread, which leaves its result where the application finds it and calls [`Ringer::ring`](super::Ringer);
/// the application may therefore be called without events. It is called without the stack's lock and takes it for as
/// long as each [`SharedStack::with`] lasts.
///
/// **Panics.** A panic in a turn is caught and logged; the stack and everybody else's connections go on, and the
/// application is called again. One that panics in 16 turns in a row is dropped.
///
/// ```
/// use longwire::driver::{Application, SharedStack};
/// use longwire::stack::{Event, SocketId};
/// use longwire::time::Instant;
///
/// /// Sends back what it gets.
/// struct Echo {
///     listener: SocketId,
/// }
///
/// impl Application for Echo {
///     fn turn(&mut self, stack: &SharedStack, now: Instant, events: &[Event]) {
///         stack.with(|stack| {
///             while stack.accept(self.listener).is_ok() {}
///             for event in events.iter().filter(|event| event.socket != self.listener) {
///                 let mut buffer = [0; 4096];
///                 while let Ok(count @ 1..) = stack.read(event.socket, &mut buffer) {
///                     // A server in earnest keeps what the send buffer does not take.
///                     let _ = stack.write(event.socket, &buffer[..count]);
///                 }
///                 if event.kinds.closed {
///                     let _ = stack.close(now, event.socket);
///                 }
///             }
///         });
///     }
/// }
/// ```
pub trait Application: Send {
    /// Does what there is to do now. `events` may be empty.
    fn turn(&mut self, stack: &SharedStack, now: Instant, events: &[Event]);

    /// When it wants to be called even if nothing happens, asked after each turn. `None`: only when something does.
    fn deadline(&self) -> Option<Instant> {
        None
    }
}
