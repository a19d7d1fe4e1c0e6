//! What turns a stack: one shard is one queue of one device and one [`Stack`](crate::stack::Stack).

mod application;
mod clock;
mod ringer;
mod shared;
mod waiters;

pub use application::Application;
pub use clock::Clock;
pub use ringer::Ringer;
pub use shared::SharedStack;
pub use waiters::{Direction, Subscriber, Ticket, Waiter, Waiters};
