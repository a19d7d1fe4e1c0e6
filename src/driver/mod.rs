//! What turns a stack: one shard is one queue of one device and one [`Stack`].
//!
//! [`Driver`] is a [`Shard`] on a thread of its own, with mio underneath; a [`Runner`] is a shard for a loop of yours.
//! Other threads, and [`Application`]s that live on the loop's thread, hold a [`SharedStack`]. A thread that has to wait
//! for a socket does so at a [`Waiter`].

mod application;
mod clock;
mod event_loop;
mod handle;
mod residents;
mod ringer;
mod runner;
mod shard;
mod shared;
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

#[cfg(feature = "tokio")]
pub(crate) use crate::device::watch_in_runtime;

// What this module's own functions take and give.
#[doc(no_inline)]
pub use crate::{
    device::Device,
    stack::{
        Algorithm, Chunk, Cidr, Config, Counters, Duration, Error, Event, Instant, KeepAlive, ListenOptions,
        PathState, Readiness, SocketId, SocketInfo, SocketOptions, SocketState, Stack, SurveyPlace, TcpInfo,
        TimerInfo, TimerKind, Transport,
    },
};
