//! What a connection has carried in all: for whoever looks on.

use super::u48::U48;

/// Sums over the life of a connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    pub(super) bytes_acked: U48,
    pub(super) bytes_received: U48,
    pub(super) segments_in: u32,
    pub(super) segments_out: u32,
    pub(super) retransmissions: u32,
    /// The last delivery rate of what was sent before: the measuring itself ends with the flight. Four bytes are exact
    /// enough for something to be looked at.
    pub(super) delivery_rate: f32,
}
