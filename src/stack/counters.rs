//! Everything counted: one field a reason.

use crate::tcp;

/// A group of counters, and its fields as a list of (name, help, value).
macro_rules! group {
    (
        $(#[doc = $about:literal])* $group:ident, $prefix:literal:
        $( #[doc = $help:literal] $field:ident, )*
    ) => {
        $(#[doc = $about])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $group {
            $( #[doc = $help] pub $field: u64, )*
        }

        impl $group {
            fn list(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> + use<> {
                let $group { $($field),* } = *self;
                [$( (concat!($prefix, "_", stringify!($field)), $help.trim_ascii(), $field), )*].into_iter()
            }
        }
    };
}

group! {
    /// IP: packets of any kind, and why some went no further.
    IpCounters, "ip":
    /// Packets that came from the device or from ourselves.
    received,
    /// Packets handed to the device.
    sent,
    /// Packets that the device refused.
    send_failed,
    /// Packets from us to us.
    loopback,
    /// Dropped: shorter than the headers say.
    truncated,
    /// Dropped: neither IPv4 nor IPv6.
    bad_version,
    /// Dropped: contradictory header fields.
    malformed,
    /// Dropped: wrong IPv4 header checksum.
    bad_checksum,
    /// Dropped: source routing.
    source_route,
    /// Dropped: the destination is not one of our addresses.
    destination_not_ours,
    /// Dropped: multicast destination.
    destination_multicast,
    /// Dropped: broadcast destination.
    destination_broadcast,
    /// Dropped: multicast source.
    source_multicast,
    /// Dropped: broadcast source.
    source_broadcast,
    /// Dropped: loopback source.
    source_loopback,
    /// Dropped: unspecified source.
    source_unspecified,
    /// Dropped: source and destination are the same address.
    source_is_destination,
    /// Dropped: the source is another address of ours.
    source_ours,
    /// Fragments received.
    fragments,
    /// Datagrams put together of fragments.
    reassembled,
    /// Dropped: fragments of an impossible length or offset.
    fragments_malformed,
    /// Dropped: fragments that overlap others, or belong to a datagram of which some did (RFC 5722).
    fragments_overlapping,
    /// Dropped: datagrams in more fragments than any path makes of one; those that follow count as overlapping.
    fragments_too_many,
    /// Dropped: datagrams whose fragments did not all come in time.
    fragments_timed_out,
    /// Dropped: datagrams in the making, to make room for newer ones.
    fragments_evicted,
    /// Dropped: a protocol nobody here speaks.
    unknown_protocol,
    /// Dropped: no room for control packets, such as resets, SYN-ACKs and ICMP.
    outbox_full,
    /// Packets handed to the queue that their connection belongs to.
    forwarded,
    /// Dropped: packets of another queue that had no room for them.
    forward_dropped,
}

group! {
    /// ICMP for both families.
    IcmpCounters, "icmp":
    /// Messages received.
    received,
    /// Dropped: wrong checksum.
    bad_checksum,
    /// Dropped: malformed.
    malformed,
    /// Echo requests answered.
    echo_answered,
    /// Dropped: echo requests over IPv6 whose answer does not fit one packet.
    echo_too_large,
    /// Echo replies for a socket.
    echo_replies,
    /// Dropped: echo replies that no socket waits for.
    echo_unexpected,
    /// Dropped: echo replies for a socket whose queue is full.
    echo_queue_full,
    /// Errors that were about one of our connections.
    errors_matched,
    /// Dropped: errors about nothing of ours.
    errors_unmatched,
    /// Dropped: errors whose sequence number is not in flight (RFC 5927 4.1).
    errors_out_of_window,
    /// Dropped: errors of a kind that changes nothing.
    errors_ignored,
    /// Dropped: messages of types without a meaning here.
    unhandled,
    /// Port-unreachable and time-exceeded messages sent.
    errors_sent,
    /// Port-unreachable and time-exceeded messages withheld by the rate limit.
    errors_limited,
}

group! {
    /// UDP.
    UdpCounters, "udp":
    /// Datagrams received for a socket.
    received,
    /// Datagrams sent.
    sent,
    /// Dropped: length that contradicts the packet's.
    malformed,
    /// Dropped: wrong checksum, or none over IPv6 (RFC 8200 8.1).
    bad_checksum,
    /// Dropped: nobody is bound to the port.
    no_socket,
    /// Dropped: the socket's queue is full.
    queue_full,
}

group! {
    /// TCP segments before they reach a connection, and the life of sockets.
    StackCounters, "tcp":
    /// Segments received.
    segments_received,
    /// Dropped: TCP header cut off.
    truncated,
    /// Dropped: impossible data offset.
    malformed,
    /// Dropped: wrong TCP checksum.
    bad_checksum,
    /// Dropped: malformed options.
    bad_options,
    /// Segments to a port or for a connection that is not there.
    no_connection,
    /// Dropped: segments that a listener has no use for.
    listener_ignored,
    /// SYN-ACKs sent for new handshakes.
    handshakes_started,
    /// SYN-ACKs sent again.
    syn_ack_retransmissions,
    /// Half-open connections given up after the last SYN-ACK.
    handshakes_timed_out,
    /// Half-open connections that the peer took back.
    handshakes_reset,
    /// SYN-ACKs sent with a SYN cookie, as the SYN queue was full (RFC 4987).
    cookies_sent,
    /// Connections from a SYN cookie.
    cookies_accepted,
    /// Refused: segments without a valid SYN cookie, soon after some were sent.
    cookies_invalid,
    /// Half-open connections dropped to make room for a SYN that takes over an entry in TIME-WAIT.
    syn_queue_evicted,
    /// SYN-ACKs sent with a cookie for TCP Fast Open (RFC 7413).
    fast_open_cookies_sent,
    /// SYNs with a wrong or expired cookie for TCP Fast Open: their data was not taken.
    fast_open_cookies_invalid,
    /// SYNs with a valid cookie whose data was not taken, as too many such handshakes were pending (RFC 7413 5.1).
    fast_open_queue_full,
    /// Dropped: SYNs while the accept queue was full.
    accept_queue_full_syn,
    /// Dropped: last ACKs of handshakes while the accept queue was full.
    accept_queue_full_ack,
    /// Dropped: SYNs over a listener's maximum of connections.
    listener_limit,
    /// Dropped: SYNs over the limit on sockets.
    socket_limit_syn,
    /// Refused: sockets of ours over the limit.
    socket_limit,
    /// Refused: sockets of ours over the limit on memory.
    memory_limit,
    /// Dropped: SYNs over the limit on memory.
    memory_limit_syn,
    /// Refused: writes over the limit on memory, to a connection with unacknowledged data.
    memory_limit_write,
    /// Refused: connects without a free port.
    ports_exhausted,
    /// Connections that came to TIME-WAIT.
    time_wait,
    /// Dropped: entries in TIME-WAIT, to make room for new ones.
    time_wait_evicted,
    /// Entries in TIME-WAIT that a new connection took over (RFC 6191).
    time_wait_reused,
    /// Dropped: segments for a connection in TIME-WAIT.
    time_wait_ignored,
}

/// Everything counted in a stack.
///
/// ```
/// use longwire::stack::{Counters, IcmpCounters, IpCounters, StackCounters, UdpCounters};
/// let counters = Counters { ip: IpCounters { received: 2, ..IpCounters::default() }, ..Counters::default() };
/// let Counters { icmp, udp, stack, .. } = counters;
/// assert_eq!((icmp, udp, stack), (IcmpCounters::default(), UdpCounters::default(), StackCounters::default()));
/// let received = counters.iter().find(|(name, _help, _value)| *name == "ip_received");
/// assert_eq!(received.map(|(_, _, value)| value), Some(2));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// IP.
    pub ip: IpCounters,
    /// ICMP.
    pub icmp: IcmpCounters,
    /// UDP.
    pub udp: UdpCounters,
    /// TCP in connections.
    pub tcp: tcp::Counters,
    /// TCP around connections.
    pub stack: StackCounters,
}

impl Counters {
    /// All counters as (name, help, value), for metrics. Names begin with the protocol.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        let Counters { ip, icmp, udp, tcp, stack } = self;
        ip.list().chain(icmp.list()).chain(udp.list()).chain(connections(tcp)).chain(stack.list())
    }
}

/// The connections' counters; naming every field makes a new one fail to compile here.
fn connections(counters: &tcp::Counters) -> impl Iterator<Item = (&'static str, &'static str, u64)> + use<> {
    let tcp::Counters {
        active_opens,
        passive_opens,
        fast_open_passive,
        fast_open_active,
        fast_open_active_failed,
        failures,
        segments_sent,
        retransmissions,
        rto,
        fast_recoveries,
        spurious_recoveries,
        spurious_timeouts,
        ecn_marks,
        ecn_reductions,
        tail_probes,
        tail_probe_repairs,
        resets_sent,
        resets_received,
        challenge_acks,
        challenge_acks_limited,
        out_of_window,
        paws_rejected,
        bad_ack,
        out_of_order,
        reassembly_full,
        memory_limit_payload,
        unexpected,
        path_mtu_reductions,
        path_mtu_black_holes,
        window_probes,
        keep_alive_probes,
        keep_alive_timeouts,
        give_ups,
    } = *counters;
    [
        ("tcp_active_opens", "Connections opened by us.", active_opens),
        ("tcp_passive_opens", "Connections opened by peers.", passive_opens),
        ("tcp_fast_open_passive", "Connections opened by a SYN whose data was taken.", fast_open_passive),
        ("tcp_fast_open_active", "Connections of ours whose data on the SYN was taken.", fast_open_active),
        ("tcp_fast_open_active_failed", "Data on our SYNs that was sent again.", fast_open_active_failed),
        ("tcp_failures", "Connections that ended with an error.", failures),
        ("tcp_segments_sent", "Segments sent.", segments_sent),
        ("tcp_retransmissions", "Segments sent again.", retransmissions),
        ("tcp_rto", "Retransmission time-outs.", rto),
        ("tcp_fast_recoveries", "Recoveries entered before the timer fired.", fast_recoveries),
        ("tcp_spurious_recoveries", "Needless recoveries that were undone.", spurious_recoveries),
        ("tcp_spurious_timeouts", "Needless retransmission time-outs that were undone.", spurious_timeouts),
        ("tcp_ecn_marks", "Packets marked with congestion experienced.", ecn_marks),
        ("tcp_ecn_reductions", "Windows reduced because of a mark.", ecn_reductions),
        ("tcp_tail_probes", "Tail loss probes sent.", tail_probes),
        ("tcp_tail_probe_repairs", "Losses that a tail loss probe repaired.", tail_probe_repairs),
        ("tcp_resets_sent", "Resets sent.", resets_sent),
        ("tcp_resets_received", "Resets accepted.", resets_received),
        ("tcp_challenge_acks", "Challenge ACKs sent (RFC 5961).", challenge_acks),
        ("tcp_challenge_acks_limited", "Challenge ACKs withheld by the rate limit.", challenge_acks_limited),
        ("tcp_out_of_window", "Dropped: segments outside the window.", out_of_window),
        ("tcp_paws_rejected", "Dropped: segments older than the last (PAWS).", paws_rejected),
        ("tcp_bad_ack", "Dropped: acknowledgments of what was never sent, or too old.", bad_ack),
        ("tcp_out_of_order", "Out-of-order payloads kept.", out_of_order),
        ("tcp_reassembly_full", "Dropped: out-of-order payloads over the limit.", reassembly_full),
        (
            "tcp_memory_limit_payload",
            "Dropped: payloads over the limit on memory, behind unread data or a gap.",
            memory_limit_payload,
        ),
        ("tcp_unexpected", "Dropped: segments without an ACK, or with a SYN out of place.", unexpected),
        ("tcp_path_mtu_reductions", "Segments made smaller by ICMP (RFC 1191).", path_mtu_reductions),
        ("tcp_path_mtu_black_holes", "Black holes for full segments (RFC 4821).", path_mtu_black_holes),
        ("tcp_window_probes", "Zero-window probes sent.", window_probes),
        ("tcp_keep_alive_probes", "Keep-alive probes sent.", keep_alive_probes),
        ("tcp_keep_alive_timeouts", "Connections whose peer did not answer keep-alive.", keep_alive_timeouts),
        ("tcp_give_ups", "Connections whose peer acknowledged nothing any more.", give_ups),
    ]
    .into_iter()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_counter_has_a_name_of_its_own_and_says_what_it_means() {
        let counters =
            Counters { ip: IpCounters { fragments: 3, ..IpCounters::default() }, ..Counters::default() };
        let names: HashSet<_> = counters.iter().map(|(name, ..)| name).collect();
        assert_eq!(names.len(), counters.iter().count(), "a name twice");
        assert!(counters.iter().all(|(_, help, _)| help.ends_with(['.', ')'])));
        assert!(counters.iter().any(|entry| entry == ("ip_fragments", "Fragments received.", 3)));
    }
}
