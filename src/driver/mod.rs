//! What turns a stack: one shard is one queue of one device and one [`Stack`].
//!
//! [`Driver`] is a [`Shard`] on a thread of its own, with mio underneath; a [`Runner`] is a shard for a loop of yours.
//! Other threads, and [`Application`]s that live on the loop's thread, hold a [`SharedStack`]. A thread that has to wait
//! for a socket does so at a [`Waiter`].
//!
//! A stack in a loop of your own:
//!
//! ```
//! use std::sync::{Arc, atomic::{AtomicBool, Ordering}};
//! use longwire::device;
//! use longwire::driver::{Config, Driver, Next, Ringer, Runner, Sleep, StopOrder};
//!
//! # fn main() -> std::io::Result<()> {
//! let (device, _other_end) = device::pair(1_500);
//! let rung = Arc::new(AtomicBool::new(false));
//! let ringer = Ringer::new({
//!     let rung = Arc::clone(&rung);
//!     move || rung.store(true, Ordering::Release) // a loop that sleeps would be woken
//! });
//! let config = Config::new(vec!["10.9.0.2/24".parse().unwrap()]);
//! let mut runner = Runner::new(Box::new(device), config.clone(), ringer)?;
//! let stop: StopOrder = runner.stop_order().clone();
//! stop.give(runner.shared().now());
//! loop {
//!     match runner.turn() {
//!         Next::Turn => {}
//!         // Here it would wait for `runner.fd()`, the ringer and this time.
//!         Next::Sleep(Sleep { deadline: _, at_most: _, until_room: _ }) => {}
//!         Next::Ended { in_order } => break assert!(in_order),
//!     }
//! }
//!
//! // The same on a thread of its own:
//! let (device, _other_end) = device::pair(1_500);
//! let driver = Driver::start(Box::new(device), config)?;
//! assert!(driver.stop(longwire::driver::Duration::ZERO));
//! # Ok(())
//! # }
//! ```

mod application;
mod clock;
mod crossing;
mod event_loop;
mod handle;
mod residents;
mod ringer;
mod runner;
mod shard;
mod shared;
mod socket_map;
mod waiters;
mod wake_sources;

#[cfg(test)]
mod tests;

pub use application::Application;
pub use clock::Clock;
pub use handle::Driver;
pub use ringer::Ringer;
pub use runner::{Next, Runner, Sleep, StopOrder};
pub use shard::{Shard, Turn};
pub use shared::SharedStack;
pub use waiters::{Direction, Subscriber, Ticket, Waiter, Waiters};
pub use wake_sources::WakeSources;

pub(crate) use socket_map::SocketMap;

#[cfg(feature = "tokio")]
pub(crate) use crate::device::watch_in_runtime;

// What this module's own functions take and give.
#[doc(no_inline)]
pub use crate::{
    device::Device,
    stack::{
        Algorithm, Chunk, Cidr, Config, Counters, Duration, Error, Event, Instant, KeepAlive, ListenOptions,
        PathState, Readiness, SendFlags, SocketId, SocketInfo, SocketOptions, SocketState, Stack, Steering,
        SurveyPlace, TcpInfo, TimerInfo, TimerKind, Transport,
    },
};
