//! The control block of one connection.

use std::sync::Arc;

use super::active::{Active, Due, Outgoing};
use super::congestion::Controller;
use super::ecn::EcnState;
use super::half_open::timestamp_value;
use super::kept::Kept;
use super::moment::{Hour, Moment};
use super::news::News;
use super::recovery::rack::Reordering;
use super::right_sizing::RightSizing;
use super::rtt::RttEstimator;
use super::timers::{CoarseDeadline, Timers};
use super::totals::Totals;
use super::window::{ReceiveWindow, Reception, Scaling};
use super::{
    Context, Error, Events, PathState, SocketOptions, State, TcpInfo, TimeWait, TimerInfo, TimerKind,
};
use crate::time::{Duration, Instant};
use crate::wire::{SeqNumber, TcpHeader};

/// Bytes that the timestamps option takes in every segment.
pub(super) const TIMESTAMPS_LEN: u16 = 12;

/// Things to send that are not data; each goes out with the next segment that can carry it, or alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pending(u8);

impl Pending {
    /// An acknowledgment that somebody waits for.
    pub(super) const ACK: Pending = Pending(1);
    pub(super) const RESET: Pending = Pending(2);
    pub(super) const KEEP_ALIVE: Pending = Pending(4);

    pub(super) fn has(self, what: Pending) -> bool {
        self.0 & what.0 != 0
    }

    pub(super) fn add(&mut self, what: Pending) {
        self.0 |= what.0;
    }

    pub(super) fn remove(&mut self, what: Pending) {
        self.0 &= !what.0;
    }
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
    pub(super) news: News,
    pub(super) error: Option<Error>,

    /// Until our SYN is acknowledged this is the ISS.
    pub(super) snd_una: SeqNumber,
    pub(super) snd_nxt: SeqNumber,
    pub(super) snd_wnd: u32,
    /// MAX.SND.WND (RFC 5961 5.2; RFC 1122 4.2.3.4).
    pub(super) max_snd_wnd: u32,
    pub(super) snd_wl1: SeqNumber,

    pub(super) rcv_nxt: SeqNumber,
    pub(super) window: ReceiveWindow,
    pub(super) right_sizing: RightSizing,
    pub(super) quick_acks: u8,

    /// The MSS that we announce.
    pub(super) mss: u16,
    /// Most payload bytes a segment of ours carries: the peer's MSS or ours, less the timestamps option.
    pub(super) snd_mss: u16,
    /// What every path carries, options included.
    pub(super) least_mss: u16,
    /// The largest segment that the peer has sent, for acknowledgments and windows.
    pub(super) rcv_mss: u16,
    pub(super) scaling: Scaling,
    pub(super) sack: bool,
    pub(super) timestamps: bool,
    pub(super) ts_recent: u32,
    /// What PAWS asks of it is whether it was weeks ago.
    pub(super) ts_recent_at: Hour,
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
    /// Data that came with the first SYN was taken, by us or the peer (RFC 7413).
    pub(super) fast_opened: bool,

    pub(super) rtt: RttEstimator,
    pub(super) reordering: Reordering,
    pub(super) congestion: Controller,
    pub(super) ecn: EcnState,
    pub(super) paced: bool,
    pub(super) keep_alive_at: CoarseDeadline,
    pub(super) keep_alive_probes: u8,
    pub(super) totals: Totals,
    pub(super) last_sent: Moment,
    pub(super) last_received: Moment,

    pub(super) options: Arc<SocketOptions>,
    /// What is there only while something happens.
    pub(super) active: Active,
}

impl Connection {
    /// Where the connection is in its life. One that was opened by a SYN with data is SYN-RECEIVED until its peer has
    /// acknowledged our SYN-ACK, although data flows both ways (RFC 7413 4.2.2).
    pub fn state(&self) -> State {
        match self.state {
            State::Established if self.is_unconfirmed() => State::SynReceived,
            state => state,
        }
    }

    /// Whether it may be handed to the application that listens for it.
    pub fn can_be_accepted(&self) -> bool {
        self.state.is_synchronised()
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
            State::Closed => !self.pending.has(Pending::RESET),
            State::TimeWait => !self.pending.has(Pending::ACK),
            _ => false,
        }
    }

    /// The error that ended the connection. It stays.
    pub fn error(&self) -> Option<Error> {
        self.error
    }

    /// What changed for the application since the last call; nothing once it has let the connection go.
    pub fn take_events(&mut self) -> Events {
        let events = self.news.take();
        if self.orphan { Events::default() } else { events }
    }

    /// In TIME-WAIT: what the compact entry needs. The caller then gives the 4-tuple to that entry; what is left
    /// here stays readable until [`close`](Self::close).
    pub fn time_wait(&self) -> Option<TimeWait> {
        (self.state == State::TimeWait).then(|| TimeWait {
            snd_nxt: self.snd_nxt,
            rcv_nxt: self.rcv_nxt,
            window: self.window.field(self.rcv_nxt, self.scaling),
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
        self.keep_alive_at.clear();
    }

    /// A snapshot with what `ss -i` shows. `config` supplies the bounds of the retransmission time-out.
    pub fn info(&self, now: Instant, config: &super::Config) -> TcpInfo {
        TcpInfo {
            state: self.state(),
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
            sacked: self.active.outgoing.as_ref().map_or(0, |outgoing| outgoing.log.sacked()),
            lost: self.active.outgoing.as_ref().map_or(0, |outgoing| outgoing.log.lost()),
            send_queue: self.queued(),
            receive_queue: self.active.incoming.as_ref().map_or(0, |incoming| incoming.queue.len()),
            in_flight: self.in_flight(),
            backoff: self.rtt.backoff(),
            retransmissions: self.totals.retransmissions,
            timestamps: self.timestamps,
            sack: self.sack,
            window_scale: self.scaling.is_agreed().then(|| (self.scaling.ours(), self.scaling.of_peer())),
            ecn: self.ecn.is_enabled(),
            fast_open: self.fast_opened,
            delivery_rate: self.delivery_rate(),
            pacing_rate: self.pacing_rate(),
            bytes_acked: self.totals.bytes_acked.get(),
            bytes_received: self.totals.bytes_received.get(),
            segments_in: self.totals.segments_in,
            segments_out: self.totals.segments_out,
            last_sent: self.last_sent.instant(now),
            last_received: self.last_received.instant(now),
        }
    }

    /// The timer that fires next.
    pub fn next_timer(&self) -> Option<TimerInfo> {
        let persisting = self.is_synchronised() && (self.in_flight() == 0 || self.is_probing());
        let keep_alive = self.keep_alive_at.at().map(|at| (TimerKind::KeepAlive, at));
        let others = self.active.timers.next_with_kind(persisting);
        let (kind, at) = keep_alive.into_iter().chain(others).min_by_key(|&(_, at)| at)?;
        let tries = match kind {
            TimerKind::Retransmit | TimerKind::Persist => self.active.retries,
            TimerKind::KeepAlive => self.keep_alive_probes,
            _ => 0,
        };
        Some(TimerInfo { kind, at, tries })
    }

    /// Of what is under way, or else of what was before.
    fn delivery_rate(&self) -> u64 {
        let latest = self.active.outgoing.as_ref().map(|outgoing| outgoing.rate.latest());
        latest.filter(|&rate| rate > 0).unwrap_or(self.totals.delivery_rate as u64)
    }

    fn path_state(&self) -> PathState {
        let Some(outgoing) = self.active.outgoing.as_ref() else { return PathState::Open };
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
        self.active.outgoing.as_ref().map_or(0, |outgoing| outgoing.queue.len())
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
        let routine = Due { routine_ack: self.active.due.routine_ack, ..Due::NOTHING };
        self.active.outgoing.is_none() && self.active.due == routine && self.pending == Pending::default()
    }

    /// Whether an acknowledgment is owed that somebody waits for: of a gap, of a probe, of a window that has opened.
    pub fn owes_acknowledgment(&self) -> bool {
        self.pending.has(Pending::ACK)
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
            .active
            .incoming
            .as_ref()
            .map_or(0, |incoming| incoming.queue.pinned() + incoming.reassembly.pinned());
        self.right_sizing.size().saturating_sub(pinned)
    }

    pub(super) fn reception(&self) -> Reception {
        Reception {
            rcv_nxt: self.rcv_nxt,
            room: self.receive_room(),
            buffer: self.right_sizing.size(),
            mss: self.mss,
            scaling: self.scaling,
        }
    }

    /// Gives the queues back once they hold nothing.
    pub(super) fn release_memory(&mut self) {
        let Some(active) = self.active.existing() else { return };
        let is_idle = |outgoing: &&Outgoing| {
            outgoing.queue.is_empty() && outgoing.log.is_empty() && outgoing.recovery.is_open()
        };
        if let Some(outgoing) = active.outgoing.as_ref().filter(is_idle) {
            if outgoing.rate.latest() > 0 {
                self.totals.delivery_rate = outgoing.rate.latest() as f32;
            }
            active.outgoing.put_aside();
        }
        active.incoming.take_if(|incoming| {
            incoming.queue.is_empty() && incoming.reassembly.is_empty() && incoming.fin.is_none()
        });
    }

    /// Ends the connection: CLOSED, with the error that every later call repeats. What was received stays readable.
    pub(super) fn end(&mut self, error: Option<Error>) {
        self.snd_nxt = self.acceptable_seq();
        self.end_fast_open(error);
        self.state = State::Closed;
        self.error = error;
        self.snd_una = self.snd_nxt;
        self.keep_alive_at.clear();
        self.pending = Pending::default();
        if let Some(active) = self.active.existing() {
            (active.outgoing, active.undo) = (Kept::NONE, None);
            (active.timers, active.due) = (Timers::NONE, Due::NOTHING);
            active.incoming.take_if(|_| self.orphan);
        }
        if error.is_some() {
            self.news.add(News::FAILED);
        }
        [News::CLOSED, News::READABLE, News::WRITABLE].into_iter().for_each(|news| self.news.add(news));
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
        if tell {
            self.pending.add(Pending::RESET);
        }
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
    /// The duplicate that the next acknowledgment was to report before this segment came (RFC 2883).
    pub(super) reported: Option<(SeqNumber, SeqNumber)>,
}
