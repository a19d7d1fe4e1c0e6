//! Everything a connection counts.

/// Counters of all connections of a stack together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Connections opened by us.
    pub active_opens: u64,
    /// Connections opened by peers.
    pub passive_opens: u64,
    /// Connections opened by peers with a SYN whose data was taken at once (RFC 7413); not those with a cookie alone.
    pub fast_open_passive: u64,
    /// Connections of ours whose data on the SYN the peer took (RFC 7413).
    pub fast_open_active: u64,
    /// Connections of ours whose data on the SYN had to be sent again.
    pub fast_open_active_failed: u64,
    /// Connections that ended with an error.
    pub failures: u64,
    /// Segments that were sent, resets and SYN-ACKs included.
    pub segments_sent: u64,
    /// Segments that were sent again.
    pub retransmissions: u64,
    /// Retransmission time-outs.
    pub rto: u64,
    /// Fast recoveries: losses found before the timer fired.
    pub fast_recoveries: u64,
    /// Fast recoveries that turned out to be needless, and were undone.
    pub spurious_recoveries: u64,
    /// Retransmission time-outs that turned out to be needless, and were undone.
    pub spurious_timeouts: u64,
    /// Packets that came marked with congestion experienced (RFC 3168).
    pub ecn_marks: u64,
    /// Reductions of the window because the peer echoed a mark.
    pub ecn_reductions: u64,
    /// Tail loss probes sent (RFC 8985 7).
    pub tail_probes: u64,
    /// Losses of the last segment that a probe repaired.
    pub tail_probe_repairs: u64,
    /// Resets sent.
    pub resets_sent: u64,
    /// Resets accepted.
    pub resets_received: u64,
    /// Challenge ACKs sent (RFC 5961).
    pub challenge_acks: u64,
    /// Challenge ACKs withheld by their rate limit.
    pub challenge_acks_limited: u64,
    /// Segments dropped because none of them was in the window.
    pub out_of_window: u64,
    /// Segments dropped by PAWS (RFC 7323 5).
    pub paws_rejected: u64,
    /// Segments dropped for an acknowledgment of what was never sent, or too old (RFC 5961 5).
    pub bad_ack: u64,
    /// Out-of-order payloads that were kept.
    pub out_of_order: u64,
    /// Out-of-order payloads dropped because the limit on bytes or ranges was reached.
    pub reassembly_full: u64,
    /// Payloads dropped over the limit on memory, because there was unread data or a gap before them.
    pub memory_limit_payload: u64,
    /// Segments dropped for missing an ACK, or carrying a SYN where none belongs.
    pub unexpected: u64,
    /// Segment sizes reduced because a router said that the path carries less (RFC 1191, RFC 8201).
    pub path_mtu_reductions: u64,
    /// Segment sizes reduced because full segments went unanswered (RFC 4821).
    pub path_mtu_black_holes: u64,
    /// Zero-window probes sent.
    pub window_probes: u64,
    /// Keep-alive probes sent.
    pub keep_alive_probes: u64,
    /// Connections ended because keep-alive probes went unanswered.
    pub keep_alive_timeouts: u64,
    /// Connections given up because what they sent was not acknowledged any more: the user timeout, or the limit of
    /// tries.
    pub give_ups: u64,
}
