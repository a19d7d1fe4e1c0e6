//! The control block of one connection.

use std::sync::Arc;

use super::congestion::Controller;
use super::ecn::EcnState;
use super::half_open::{WINDOW_SHIFT, timestamp_value};
use super::path_mtu::PathLimit;
use super::reassembly::Reassembly;
use super::records::Records;
use super::recovery::Recovery;
use super::recovery::delivery::DeliveryRate;
use super::recovery::rack::{Rack, Reordering};
use super::recovery::sent_log::SentLog;
use super::recovery::tail_probe::TailProbe;
use super::recovery::undo::Undo;
use super::right_sizing::RightSizing;
use super::rtt::RttEstimator;
use super::timers::Timers;
use super::totals::Totals;
use super::window::ReceiveWindow;
use super::{
    Context, Error, Events, PathState, SocketOptions, State, TcpInfo, TimeWait, TimerInfo, TimerKind,
};
use crate::buffer::{ReceiveQueue, SendQueue};
use crate::time::{Duration, Instant};
use crate::wire::{SeqNumber, TcpHeader};

/// Bytes that the timestamps option takes in every segment.
pub(super) const TIMESTAMPS_LEN: u16 = 12;

/// What is to become of a last segment that is not full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tail {
    /// The application has announced that more follows: it does not end with PSH.
    pub(super) more: bool,
    /// It waits for what was announced.
    pub(super) held: bool,
    /// The application has pushed: it waits for nothing.
    pub(super) pushed: bool,
}

/// What exists only while there is something to send or unacknowledged.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    /// From SND.UNA on (behind our SYN until that is acknowledged).
    pub(super) queue: SendQueue,
    pub(super) records: Records,
    pub(super) tail: Tail,
    pub(super) log: SentLog,
    pub(super) recovery: Recovery,
    pub(super) rack: Rack,
    pub(super) rate: DeliveryRate,
    /// When the next data was to leave by the pacing rate, however late it did.
    pub(super) paced_until: Instant,
}

/// What exists only while there is something to read or to put in order.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    /// Up to RCV.NXT.
    pub(super) queue: ReceiveQueue,
    /// Above RCV.NXT.
    pub(super) reassembly: Reassembly,
    /// Where the peer's FIN is, if it came before data that precedes it.
    pub(super) fin: Option<SeqNumber>,
}

/// Things to send that are not data; each goes out with the next segment that can carry it, or alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pending {
    /// A SYN, or in SYN-RECEIVED a SYN-ACK.
    pub(super) syn: bool,
    /// An acknowledgment that somebody waits for.
    pub(super) ack: bool,
    /// An acknowledgment of data that came in order: due, but better late for more of it.
    pub(super) routine_ack: bool,
    pub(super) reset: bool,
    /// A zero-window probe.
    pub(super) probe: bool,
    pub(super) keep_alive: bool,
    /// The first segment of a recovery, or after a partial acknowledgment: no window holds it back.
    pub(super) retransmit: bool,
    /// A tail loss probe: no congestion window holds it back.
    pub(super) tail_probe: bool,
}

/// One TCP connection.
///
/// The methods come in families, in the order in which a caller meets them:
///
/// - *Opening*: [`connect`](Self::connect), or [`accept`](Self::accept) from a [`HalfOpen`](super::HalfOpen).
/// - *Input*: [`handle_segment`](Self::handle_segment), [`handle_timeout`](Self::handle_timeout) at
///   [`deadline`](Self::deadline), [`handle_unreachable`](Self::handle_unreachable),
///   [`handle_packet_too_big`](Self::handle_packet_too_big).
/// - *The application*: [`read`](Self::read), [`write`](Self::write), [`shutdown_write`](Self::shutdown_write),
///   [`close`](Self::close), [`abort`](Self::abort) and their relatives.
/// - *Output*: after any of these, [`take_events`](Self::take_events) and [`poll_transmit`](Self::poll_transmit).
/// - *The end*: [`time_wait`](Self::time_wait) moves it to a compact entry; once [`is_finished`](Self::is_finished)
///   and [`is_orphan`](Self::is_orphan) it can be dropped.
///
/// The send sequence space (RFC 9293 3.3.1):
///
/// ```text
///        1         2          3          4
///    ----------|----------|----------|----------
///           SND.UNA    SND.NXT    SND.UNA
///                                +SND.WND
///
/// 1 - acknowledged   2 - under way (the sent log)   3 - may be sent   4 - not yet
/// ```
#[derive(Debug)]
pub struct Connection {
    pub(super) state: State,
    pub(super) pending: Pending,
    pub(super) events: Events,
    pub(super) error: Option<Error>,

    pub(super) iss: SeqNumber,
    pub(super) snd_una: SeqNumber,
    pub(super) snd_nxt: SeqNumber,
    pub(super) snd_wnd: u32,
    /// MAX.SND.WND (RFC 5961 5.2; RFC 1122 4.2.3.4).
    pub(super) max_snd_wnd: u32,
    pub(super) snd_wl1: SeqNumber,
    pub(super) snd_wl2: SeqNumber,

    pub(super) irs: SeqNumber,
    pub(super) rcv_nxt: SeqNumber,
    pub(super) window: ReceiveWindow,
    pub(super) right_sizing: RightSizing,
    /// Last.ACK.sent (RFC 7323 4.3).
    pub(super) last_ack_sent: SeqNumber,
    /// Bytes received since then.
    pub(super) unacknowledged: u32,
    pub(super) quick_acks: u8,
    /// A duplicate that the next acknowledgment reports (RFC 2883).
    pub(super) duplicate: Option<(SeqNumber, SeqNumber)>,

    /// The MSS that we announce.
    pub(super) mss: u16,
    /// Most payload bytes a segment of ours carries: the peer's MSS or ours, less the timestamps option.
    pub(super) snd_mss: u16,
    /// What every path carries, options included.
    pub(super) least_mss: u16,
    /// The largest segment that the peer has sent, for acknowledgments and windows.
    pub(super) rcv_mss: u16,
    pub(super) snd_shift: u8,
    pub(super) window_scaling: bool,
    pub(super) sack: bool,
    pub(super) timestamps: bool,
    pub(super) ts_recent: u32,
    pub(super) ts_recent_at: Instant,
    pub(super) timestamp_offset: u32,

    /// Our FIN is to follow the last byte of the queue.
    pub(super) fin_queued: bool,
    /// It has been sent at least once: SND.NXT counts it.
    pub(super) fin_sent: bool,
    /// The application has let the connection go.
    pub(super) orphan: bool,
    /// Reading does not wait any more.
    pub(super) read_shut: bool,
    /// A `write` found no room.
    pub(super) write_blocked: bool,
    /// Probes of a closed window have been sent since it was last open.
    pub(super) probed: bool,

    pub(super) rtt: RttEstimator,
    pub(super) reordering: Reordering,
    pub(super) tail_probe: TailProbe,
    pub(super) congestion: Controller,
    /// What the last reduction of the window can be undone with, until it is known to have been due.
    pub(super) undo: Option<Box<Undo>>,
    /// What the path has shown that it does not carry.
    pub(super) path_limit: Option<Box<PathLimit>>,
    pub(super) ecn: EcnState,
    pub(super) paced: bool,
    /// Congestion control kept us from sending when SND.NXT was here.
    pub(super) cwnd_limited_at: Option<SeqNumber>,
    pub(super) timers: Timers,
    /// Time-outs in a row without an answer.
    pub(super) retries: u8,
    pub(super) keep_alive_probes: u8,
    pub(super) retransmissions: u32,
    pub(super) totals: Totals,
    pub(super) last_sent: Instant,
    pub(super) last_received: Instant,
    /// When SND.UNA last moved, or sending began: where the user timeout counts from.
    pub(super) last_progress: Instant,
    pub(super) last_challenge: Option<Instant>,

    pub(super) options: Arc<SocketOptions>,
    pub(super) outgoing: Option<Box<Outgoing>>,
    pub(super) incoming: Option<Box<Incoming>>,
}

impl Connection {
    /// Where the connection is in its life.
    pub fn state(&self) -> State {
        self.state
    }

    /// SND.UNA: the oldest unacknowledged sequence number.
    pub fn snd_una(&self) -> SeqNumber {
        self.snd_una
    }

    /// SND.NXT: the next sequence number to be sent.
    pub fn snd_nxt(&self) -> SeqNumber {
        self.snd_nxt
    }

    /// Whether the application has let it go with [`close`](Self::close).
    pub fn is_orphan(&self) -> bool {
        self.orphan
    }

    /// Whether it has ended and owes the peer nothing more.
    pub fn is_finished(&self) -> bool {
        match self.state {
            State::Closed => !self.pending.reset,
            State::TimeWait => !self.pending.ack,
            _ => false,
        }
    }

    /// The error that ended the connection. It stays.
    pub fn error(&self) -> Option<Error> {
        self.error
    }

    /// What changed for the application since the last call; nothing once it has let the connection go.
    pub fn take_events(&mut self) -> Events {
        let events = std::mem::take(&mut self.events);
        if self.orphan { Events::default() } else { events }
    }

    /// In TIME-WAIT: what the compact entry needs. The caller then gives the 4-tuple to that entry; what is left
    /// here stays readable until [`close`](Self::close).
    pub fn time_wait(&self) -> Option<TimeWait> {
        (self.state == State::TimeWait).then(|| TimeWait {
            snd_nxt: self.snd_nxt,
            rcv_nxt: self.rcv_nxt,
            window: self.window.field(self.rcv_nxt),
            ts_recent: self.timestamps.then_some(self.ts_recent),
            timestamp_offset: self.timestamp_offset,
        })
    }

    /// The socket's options.
    pub fn options(&self) -> &SocketOptions {
        &self.options
    }

    /// Changes the socket's options; takes effect with the next [`poll_transmit`](Self::poll_transmit).
    pub fn set_options(&mut self, options: Arc<SocketOptions>) {
        self.right_sizing.limit(options.receive_buffer);
        self.options = options;
        self.note_room();
        self.keep_alive_probes = 0;
        self.timers.keep_alive.clear();
    }

    /// A snapshot with what `ss -i` shows. `config` supplies the bounds of the retransmission time-out.
    pub fn info(&self, config: &super::Config) -> TcpInfo {
        TcpInfo {
            state: self.state,
            srtt: self.rtt.srtt(),
            rttvar: self.rtt.rttvar(),
            min_rtt: self.rtt.min_rtt(),
            rto: self.rtt.rto(config),
            congestion: self.congestion.algorithm(),
            cwnd: self.congestion.cwnd(),
            ssthresh: self.congestion.ssthresh(),
            snd_wnd: self.snd_wnd,
            rcv_wnd: self.window.size(self.rcv_nxt),
            snd_mss: self.snd_mss,
            advertised_mss: self.mss,
            rcv_mss: self.rcv_mss,
            path: self.path_state(),
            sacked: self.outgoing.as_ref().map_or(0, |outgoing| outgoing.log.sacked()),
            lost: self.outgoing.as_ref().map_or(0, |outgoing| outgoing.log.lost()),
            send_queue: self.queued(),
            receive_queue: self.incoming.as_ref().map_or(0, |incoming| incoming.queue.len()),
            in_flight: self.in_flight(),
            backoff: self.rtt.backoff(),
            retransmissions: self.retransmissions,
            timestamps: self.timestamps,
            sack: self.sack,
            window_scale: self.window_scaling.then_some((WINDOW_SHIFT, self.snd_shift)),
            ecn: self.ecn.enabled,
            delivery_rate: self.delivery_rate(),
            pacing_rate: self.pacing_rate(),
            bytes_acked: self.totals.bytes_acked,
            bytes_received: self.totals.bytes_received,
            segments_in: self.totals.segments_in,
            segments_out: self.totals.segments_out,
            last_sent: self.last_sent,
            last_received: self.last_received,
        }
    }

    /// The timer that fires next.
    pub fn next_timer(&self) -> Option<TimerInfo> {
        let persisting = self.state.is_synchronised() && (self.in_flight() == 0 || self.is_probing());
        let (kind, at) = self.timers.next_with_kind(persisting)?;
        let tries = match kind {
            TimerKind::Retransmit | TimerKind::Persist => self.retries,
            TimerKind::KeepAlive => self.keep_alive_probes,
            _ => 0,
        };
        Some(TimerInfo { kind, at, tries })
    }

    /// Of what is under way, or else of what was before.
    fn delivery_rate(&self) -> u64 {
        let latest = self.outgoing.as_ref().map(|outgoing| outgoing.rate.latest());
        latest.filter(|&rate| rate > 0).unwrap_or(self.totals.delivery_rate as u64)
    }

    fn path_state(&self) -> PathState {
        let Some(outgoing) = &self.outgoing else { return PathState::Open };
        let recovery = &outgoing.recovery;
        match (recovery.is_open(), recovery.is_fast()) {
            (true, _) if recovery.dup_acks() > 0 || outgoing.log.sacked() > 0 => PathState::Disorder,
            (true, _) => PathState::Open,
            (_, true) => PathState::Recovery,
            _ => PathState::Loss,
        }
    }

    /// Bytes written and not acknowledged.
    pub(super) fn queued(&self) -> usize {
        self.outgoing.as_ref().map_or(0, |outgoing| outgoing.queue.len())
    }

    /// SEG.SEQ for a segment without data. While the peer's window is closed SND.NXT counts a probe that lies beyond
    /// it: a peer that tests acceptability by the letter (RFC 9293 3.4) would drop the acknowledgment or the reset.
    pub(super) fn acceptable_seq(&self) -> SeqNumber {
        if self.state.is_synchronised() && self.is_probing() { self.snd_una } else { self.snd_nxt }
    }

    /// Whether there is nothing to send but, at most, an acknowledgment of data that came in order. While more packets
    /// lie in the device it may wait for them: the sender has them under way already, and one that stands for many
    /// costs both sides less.
    pub fn output_can_wait(&self) -> bool {
        let routine = Pending { routine_ack: self.pending.routine_ack, ..Pending::default() };
        self.outgoing.is_none() && self.pending == routine
    }

    /// Whether an acknowledgment is owed that somebody waits for: of a gap, of a probe, of a window that has opened.
    pub fn owes_acknowledgment(&self) -> bool {
        self.pending.ack
    }

    /// Octets of sequence space between SND.UNA and SND.NXT.
    pub(super) fn in_flight(&self) -> u32 {
        self.snd_nxt - self.snd_una
    }

    /// Whether our FIN is acknowledged.
    pub(super) fn fin_acknowledged(&self) -> bool {
        self.fin_sent && self.snd_una == self.snd_nxt
    }

    /// TSval at `now`.
    pub(super) fn timestamp(&self, now: Instant) -> u32 {
        timestamp_value(now, self.timestamp_offset)
    }

    /// Memory left for what the peer sends. The limit counts what is pinned, not what it holds.
    pub(super) fn receive_room(&self) -> usize {
        let pinned = self
            .incoming
            .as_ref()
            .map_or(0, |incoming| incoming.queue.pinned() + incoming.reassembly.pinned());
        self.right_sizing.size().saturating_sub(pinned)
    }

    /// Gives the boxes back once they hold nothing.
    pub(super) fn release_memory(&mut self) {
        let idle = |outgoing: &Outgoing| {
            outgoing.queue.is_empty() && outgoing.log.is_empty() && outgoing.recovery.is_open()
        };
        if let Some(outgoing) = self.outgoing.take_if(|outgoing| idle(outgoing))
            && outgoing.rate.latest() > 0
        {
            self.totals.delivery_rate = outgoing.rate.latest() as f32;
        }
        let idle = |incoming: &Incoming| {
            incoming.queue.is_empty() && incoming.reassembly.is_empty() && incoming.fin.is_none()
        };
        if self.incoming.as_deref().is_some_and(idle) {
            self.incoming = None;
        }
    }

    /// Ends the connection: CLOSED, with the error that every later call repeats. What was received stays readable.
    pub(super) fn end(&mut self, error: Option<Error>) {
        self.snd_nxt = self.acceptable_seq();
        self.state = State::Closed;
        self.error = error;
        self.outgoing = None;
        self.undo = None;
        self.snd_una = self.snd_nxt;
        self.timers = Timers::default();
        self.pending = Pending::default();
        self.events.failed |= error.is_some();
        self.events.closed = true;
        self.events.readable = true;
        self.events.writable = true;
        if self.orphan {
            self.incoming = None;
        }
    }

    /// Ends the connection because of something that went wrong, and counts it.
    pub(super) fn fail(&mut self, cx: &mut Context<'_>, error: Error) {
        cx.counters.failures += 1;
        self.end(Some(error));
    }

    /// Ends the connection and tells the peer so with a reset.
    pub(super) fn fail_with_reset(&mut self, cx: &mut Context<'_>, error: Error) {
        let tell = self.state.is_synchronised() || self.state == State::SynReceived;
        self.fail(cx, error);
        self.pending.reset = tell;
    }

    /// The time-out for what is sent now.
    pub(super) fn rto(&self, cx: &Context<'_>) -> Duration {
        self.rtt.rto(cx.config)
    }
}

/// A segment on its way through the steps of RFC 9293 3.10.7.4, trimmed as they go.
pub(super) struct Arrival<'a> {
    pub(super) header: &'a TcpHeader,
    pub(super) meta: &'a super::SegmentMeta,
    /// The sequence number of the payload's first byte (behind a SYN).
    pub(super) seq: SeqNumber,
    pub(super) payload: &'a mut crate::buffer::Chunk,
    /// Whether a FIN follows the payload.
    pub(super) fin: bool,
}
