//! What a connection tells about itself.

use super::{Algorithm, State};
use crate::time::{Duration, Instant};

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimerKind {
    /// Retransmission (RFC 6298).
    Retransmit,
    /// The probe of a closed window (RFC 9293 3.8.6.1).
    Persist,
    /// What has not come by then is lost (RFC 8985 6.2).
    Reordering,
    /// The tail loss probe (RFC 8985 7).
    TailProbe,
    /// When pacing lets the next data out.
    Pace,
    /// The delayed acknowledgment (RFC 9293 3.8.6.3).
    DelayedAck,
    /// The next look whether the peer is still there (RFC 9293 3.8.4).
    KeepAlive,
    /// The end of FIN-WAIT-2 for a connection that nobody holds.
    FinWait2,
    /// The next SYN-ACK of a half-open connection.
    SynAck,
    /// The end of TIME-WAIT (RFC 9293 3.6.1).
    TimeWait,
}

/// The timer of a connection that fires next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerInfo {
    /// What it is for.
    pub kind: TimerKind,
    /// When it fires.
    pub at: Instant,
    /// How often it has fired in a row without an answer.
    pub tries: u8,
}

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
    /// Whether both sides take part in ECN (RFC 3168).
    pub ecn: bool,
    /// Whether data on the first SYN was taken (RFC 7413): the peer's by us, or ours by the peer.
    pub fast_open: bool,
    /// Bytes a second that the path delivered when the application last did not limit it; 0 before the first sample.
    pub delivery_rate: u64,
    /// Bytes a second at which data leaves, if sending is paced.
    pub pacing_rate: Option<u64>,
    /// Bytes of ours that the peer has acknowledged in the life of the connection, as far as 2^48 - 1 (256 TiB).
    pub bytes_acked: u64,
    /// Bytes received in order in the life of the connection, as far as 2^48 - 1.
    pub bytes_received: u64,
    /// Segments received that were acceptable; one that arrived merged counts once.
    pub segments_in: u32,
    /// Segments sent of whatever kind; one that leaves to be cut counts once.
    pub segments_out: u32,
    /// When data was last sent.
    pub last_sent: Instant,
    /// When an acceptable segment was last received.
    pub last_received: Instant,
}
