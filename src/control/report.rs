//! A socket as it is told to those who ask.

use serde::{Deserialize, Serialize};

use crate::driver::{
    Duration, Instant, PathState, SocketId, SocketInfo, TcpInfo, TimerInfo, TimerKind, Transport,
};

/// One socket, half-open connection or entry in TIME-WAIT.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SocketReport {
    /// Tells it from every other one that has been and will be; half-open ones and those in TIME-WAIT have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// Of several queues the one whose stack it is on; an id is of one queue's sockets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<u32>,
    /// `tcp`, `udp` or `icmp`.
    pub protocol: String,
    /// `ESTABLISHED`, `LISTEN` and so on; `UNCONNECTED` for datagrams without a peer.
    pub state: String,
    /// Bytes received and not read; for a listener the connections that wait to be accepted.
    pub receive_queue: u64,
    /// Bytes written and not acknowledged; for a listener the most connections that may wait.
    pub send_queue: u64,
    /// Our end: `10.9.0.2:80`, `[fd09::2]:80`.
    pub local: String,
    /// The peer's end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    /// The timer that fires next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timer: Option<TimerReport>,
    /// What only a connection has, if it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp: Option<Box<TcpReport>>,
}

/// A timer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimerReport {
    /// `rto`, `persist`, `reorder`, `tlp`, `pace`, `delack`, `keepalive`, `finwait2`, `synack` or `timewait`.
    pub kind: String,
    /// When it fires, in milliseconds from now.
    pub in_ms: u64,
    /// How often it has fired in a row without an answer.
    pub tries: u8,
}

/// What only a connection has. Times end in their unit; windows, queues and rates are in bytes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TcpReport {
    /// What controls congestion: `cubic`, `newreno`.
    pub congestion: String,
    /// Congestion window.
    pub cwnd: u32,
    /// Slow-start threshold; none until the first loss.
    pub ssthresh: Option<u32>,
    /// Smoothed round-trip time; none before the first measurement.
    pub srtt_us: Option<u64>,
    /// Its variation.
    pub rttvar_us: u64,
    /// Smallest round-trip time seen.
    pub min_rtt_us: Option<u64>,
    /// Retransmission time-out.
    pub rto_us: u64,
    /// Time-outs in a row.
    pub backoff: u8,
    /// Segments sent again in the life of the connection.
    pub retransmissions: u32,
    /// `open`, `disorder`, `recovery` or `loss`.
    pub path: String,
    /// Bytes sent and not acknowledged.
    pub in_flight: u32,
    /// Those of them that the peer has told of by SACK.
    pub sacked: u32,
    /// Those that count as lost and were not sent again yet.
    pub lost: u32,
    /// The peer's window.
    pub snd_wnd: u32,
    /// Our window.
    pub rcv_wnd: u32,
    /// Effective send MSS.
    pub snd_mss: u16,
    /// The largest segment that the peer has sent.
    pub rcv_mss: u16,
    /// The MSS that we announced.
    pub advertised_mss: u16,
    /// Bytes of ours acknowledged in the life of the connection.
    pub bytes_acked: u64,
    /// Bytes received in order.
    pub bytes_received: u64,
    /// Segments sent.
    pub segments_out: u32,
    /// Segments received.
    pub segments_in: u32,
    /// Bytes a second that the path delivered when the application last did not limit it.
    pub delivery_rate: Option<u64>,
    /// Bytes a second at which data leaves, if sending is paced.
    pub pacing_rate: Option<u64>,
    /// Since data was last sent.
    pub last_sent_ms: u64,
    /// Since a segment was last received.
    pub last_received_ms: u64,
    /// Whether timestamps are in use.
    pub timestamps: bool,
    /// Whether SACK is in use.
    pub sack: bool,
    /// Whether ECN is in use.
    pub ecn: bool,
    /// Our and the peer's window shift, if scaling is in use.
    pub window_scale: Option<(u8, u8)>,
}

impl SocketReport {
    pub(super) fn new(info: &SocketInfo, details: bool, now: Instant) -> SocketReport {
        SocketReport {
            queue: None,
            id: info.id.map(SocketId::to_bits),
            protocol: protocol_name(info.transport).to_owned(),
            state: info.state.name().to_owned(),
            receive_queue: info.receive_queue as u64,
            send_queue: info.send_queue as u64,
            local: info.local.to_string(),
            remote: info.remote.map(|remote| remote.to_string()),
            timer: info.timer.map(|timer| TimerReport::new(timer, now)),
            tcp: info.tcp.as_ref().filter(|_| details).map(|tcp| Box::new(TcpReport::new(tcp, now))),
        }
    }
}

impl TimerReport {
    fn new(timer: TimerInfo, now: Instant) -> TimerReport {
        let TimerInfo { kind, at, tries } = timer;
        TimerReport { kind: timer_name(kind).to_owned(), in_ms: millis(at - now), tries }
    }
}

impl TcpReport {
    fn new(info: &TcpInfo, now: Instant) -> TcpReport {
        TcpReport {
            congestion: info.congestion.name().to_owned(),
            cwnd: info.cwnd,
            ssthresh: Some(info.ssthresh).filter(|&threshold| threshold != u32::MAX),
            srtt_us: info.srtt.map(micros),
            rttvar_us: micros(info.rttvar),
            min_rtt_us: info.min_rtt.map(micros),
            rto_us: micros(info.rto),
            backoff: info.backoff,
            retransmissions: info.retransmissions,
            path: path_name(info.path).to_owned(),
            in_flight: info.in_flight,
            sacked: info.sacked,
            lost: info.lost,
            snd_wnd: info.snd_wnd,
            rcv_wnd: info.rcv_wnd,
            snd_mss: info.snd_mss,
            rcv_mss: info.rcv_mss,
            advertised_mss: info.advertised_mss,
            bytes_acked: info.bytes_acked,
            bytes_received: info.bytes_received,
            segments_out: info.segments_out,
            segments_in: info.segments_in,
            delivery_rate: Some(info.delivery_rate).filter(|&rate| rate > 0),
            pacing_rate: info.pacing_rate,
            last_sent_ms: millis(now - info.last_sent),
            last_received_ms: millis(now - info.last_received),
            timestamps: info.timestamps,
            sack: info.sack,
            ecn: info.ecn,
            window_scale: info.window_scale,
        }
    }
}

pub(super) const fn protocol_name(transport: Transport) -> &'static str {
    match transport {
        Transport::Tcp => "tcp",
        Transport::Udp => "udp",
        Transport::Icmp => "icmp",
    }
}

const fn timer_name(kind: TimerKind) -> &'static str {
    match kind {
        TimerKind::Retransmit => "rto",
        TimerKind::Persist => "persist",
        TimerKind::Reordering => "reorder",
        TimerKind::TailProbe => "tlp",
        TimerKind::Pace => "pace",
        TimerKind::DelayedAck => "delack",
        TimerKind::KeepAlive => "keepalive",
        TimerKind::FinWait2 => "finwait2",
        TimerKind::SynAck => "synack",
        TimerKind::TimeWait => "timewait",
    }
}

const fn path_name(path: PathState) -> &'static str {
    match path {
        PathState::Open => "open",
        PathState::Disorder => "disorder",
        PathState::Recovery => "recovery",
        PathState::Loss => "loss",
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
