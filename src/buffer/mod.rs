//! Memory for bytes in flight: pooled allocations, and the queues made of them.
//!
//! A [`Chunk`] is a range of one allocation, owned by whoever holds it. A device reads a packet into a chunk; the
//! stack narrows it to the payload and may move it into a [`ReceiveQueue`] as it is; the application may take it out
//! of there whole. On the way down a [`SendQueue`] holds what was written until it is acknowledged, and lends ranges
//! of it, by stream offset, to the segments. Nothing here knows TCP.

mod chunk;
mod pool;
mod receive_queue;
mod send_queue;

pub use chunk::Chunk;
pub use pool::Pool;
pub use receive_queue::ReceiveQueue;
pub use send_queue::SendQueue;
