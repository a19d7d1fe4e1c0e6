//! What a connection tells about itself.

use super::{Algorithm, State};
use crate::time::Duration;

/// What the sender believes of the path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PathState {
    /// Nothing is known to be lost.
    #[default]
    Open,
    /// Something has arrived out of order or is missing; nothing was sent again yet.
    Disorder,
    /// Fast recovery.
    Recovery,
    /// Recovery after a retransmission time-out.
    Loss,
}

/// A snapshot of a connection, with what `ss -i` shows.
#[derive(Clone, Debug, PartialEq)]
pub struct TcpInfo {
    /// State.
    pub state: State,
    /// Smoothed round-trip time, if one was measured.
    pub srtt: Option<Duration>,
    /// Its variation.
    pub rttvar: Duration,
    /// Smallest round-trip time seen.
    pub min_rtt: Option<Duration>,
    /// Current retransmission time-out.
    pub rto: Duration,
    /// How congestion is controlled.
    pub congestion: Algorithm,
    /// Bytes a second that the path delivered when the application last did not limit it; 0 with nothing under way.
    pub delivery_rate: u64,
    /// Bytes a second at which data leaves, if sending is paced.
    pub pacing_rate: Option<u64>,
    /// Congestion window in bytes.
    pub cwnd: u32,
    /// Slow-start threshold in bytes, `u32::MAX` until the first loss.
    pub ssthresh: u32,
    /// The peer's window in bytes.
    pub snd_wnd: u32,
    /// Our window in bytes.
    pub rcv_wnd: u32,
    /// Effective send MSS in bytes, options not counted.
    pub snd_mss: u16,
    /// The MSS that we announced, in bytes.
    pub advertised_mss: u16,
    /// The largest segment that the peer has sent, in bytes.
    pub rcv_mss: u16,
    /// What the sender believes of the path.
    pub path: PathState,
    /// Bytes under way that the peer has told of by SACK.
    pub sacked: u32,
    /// Bytes under way that count as lost and were not sent again yet.
    pub lost: u32,
    /// Bytes written and not acknowledged.
    pub send_queue: usize,
    /// Bytes received and not read.
    pub receive_queue: usize,
    /// Bytes sent and not acknowledged.
    pub in_flight: u32,
    /// Consecutive retransmission time-outs.
    pub backoff: u8,
    /// Segments retransmitted in the life of the connection.
    pub retransmissions: u32,
    /// Whether timestamps are in use.
    pub timestamps: bool,
    /// Whether SACK is in use.
    pub sack: bool,
    /// Our and the peer's window shift, if scaling is in use.
    pub window_scale: Option<(u8, u8)>,
}
