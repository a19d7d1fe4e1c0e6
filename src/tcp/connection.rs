//! The control block of one connection.

use std::sync::Arc;

use super::congestion::{CongestionControl, Controller, initial_window};
use super::half_open::{WINDOW_SHIFT, timestamp_value};
use super::reassembly::Reassembly;
use super::recovery::Recovery;
use super::rtt::RttEstimator;
use super::sent_log::SentLog;
use super::timers::Timers;
use super::window::ReceiveWindow;
use super::{Context, Error, Events, HalfOpen, Open, SocketOptions, State, TcpInfo, TimeWait};
use crate::buffer::{ReceiveQueue, SendQueue};
use crate::time::{Duration, Instant};
use crate::wire::{SeqNumber, TcpHeader};

/// TCP over IPv4 must take segments of 536 bytes (RFC 9293 3.7.1); what a peer announces below this is a mistake or
/// an attack on our packet rate.
const MIN_MSS: u16 = 48;
/// Segments that are acknowledged one by one at the start, while the peer's window is small.
const QUICK_ACKS: u8 = 16;
/// Bytes that the timestamps option takes in every segment.
pub(super) const TIMESTAMPS_LEN: u16 = 12;

/// What exists only while there is something to send or unacknowledged.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    /// From SND.UNA on (behind our SYN until that is acknowledged).
    pub(super) queue: SendQueue,
    pub(super) log: SentLog,
    pub(super) recovery: Recovery,
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
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pending {
    /// A SYN, or in SYN-RECEIVED a SYN-ACK.
    pub(super) syn: bool,
    pub(super) ack: bool,
    pub(super) reset: bool,
    /// A zero-window probe.
    pub(super) probe: bool,
    pub(super) keep_alive: bool,
    /// The first segment of a recovery, or after a partial acknowledgment: no window holds it back.
    pub(super) retransmit: bool,
}

/// One TCP connection.
///
/// The methods come in families, in the order in which a caller meets them:
///
/// - *Opening*: [`connect`](Self::connect), or [`accept`](Self::accept) from a [`HalfOpen`].
/// - *Input*: [`handle_segment`](Self::handle_segment), [`handle_timeout`](Self::handle_timeout) at
///   [`deadline`](Self::deadline), [`handle_unreachable`](Self::handle_unreachable).
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
    /// The application does not want to read any more.
    pub(super) read_shut: bool,
    /// A `write` found no room.
    pub(super) write_blocked: bool,
    /// Probes of a closed window have been sent since it was last open.
    pub(super) probed: bool,

    pub(super) rtt: RttEstimator,
    pub(super) congestion: Controller,
    /// Congestion control kept us from sending when SND.NXT was here.
    pub(super) cwnd_limited_at: Option<SeqNumber>,
    pub(super) timers: Timers,
    /// Time-outs in a row without an answer.
    pub(super) retries: u8,
    pub(super) keep_alive_probes: u8,
    pub(super) retransmissions: u32,
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
    /// Active open: the SYN goes out at the next [`poll_transmit`](Self::poll_transmit) (RFC 9293 3.10.1).
    pub fn connect(cx: &mut Context<'_>, open: Open) -> Connection {
        cx.counters.active_opens += 1;
        let mut connection = Connection::new(cx, open, State::SynSent);
        connection.pending.syn = true;
        connection
    }

    /// A passive open whose last ACK is here: in SYN-RECEIVED, to be given that segment next.
    pub fn accept(cx: &mut Context<'_>, half: &HalfOpen, open: Open) -> Connection {
        cx.counters.passive_opens += 1;
        let mut connection = Connection::new(cx, open, State::SynReceived);
        connection.snd_nxt = half.iss + 1;
        connection.synchronise(cx, half.irs, u32::from(half.window));
        connection.negotiate(half.peer_mss, half.peer_shift, half.sack, half.ts_recent, cx.now);
        if half.was_retransmitted() {
            connection.rtt.syn_was_lost();
        }
        connection.start_congestion_control(cx, half.was_retransmitted());
        // The SYN-ACK went out without us; should the segment that is here not complete the handshake, the timer
        // sends it again.
        connection.restart_retransmit_timer(cx);
        connection
    }

    fn new(cx: &Context<'_>, open: Open, state: State) -> Connection {
        Connection {
            state,
            pending: Pending::default(),
            events: Events::default(),
            error: None,
            iss: open.iss,
            snd_una: open.iss,
            snd_nxt: open.iss,
            snd_wnd: 0,
            max_snd_wnd: 0,
            snd_wl1: SeqNumber(0),
            snd_wl2: SeqNumber(0),
            irs: SeqNumber(0),
            rcv_nxt: SeqNumber(0),
            window: ReceiveWindow::default(),
            last_ack_sent: SeqNumber(0),
            unacknowledged: 0,
            quick_acks: QUICK_ACKS,
            duplicate: None,
            mss: open.mss,
            snd_mss: open.default_mss.min(open.mss),
            rcv_mss: open.default_mss.min(open.mss),
            snd_shift: 0,
            window_scaling: false,
            sack: false,
            timestamps: false,
            ts_recent: 0,
            ts_recent_at: cx.now,
            timestamp_offset: open.timestamp_offset,
            fin_queued: false,
            fin_sent: false,
            orphan: false,
            read_shut: false,
            write_blocked: false,
            probed: false,
            rtt: RttEstimator::default(),
            congestion: Controller::new(cx.config.congestion, u32::from(open.mss)),
            cwnd_limited_at: None,
            timers: Timers::default(),
            retries: 0,
            keep_alive_probes: 0,
            retransmissions: 0,
            last_sent: cx.now,
            last_received: cx.now,
            last_progress: cx.now,
            last_challenge: None,
            options: open.options,
            outgoing: None,
            incoming: None,
        }
    }

    /// The peer's SYN has come: its sequence space begins here, with the window that our SYN announced or will.
    pub(super) fn synchronise(&mut self, cx: &Context<'_>, irs: SeqNumber, window: u32) {
        self.irs = irs;
        self.rcv_nxt = irs + 1;
        self.last_ack_sent = self.rcv_nxt;
        self.snd_wl1 = irs;
        self.window = ReceiveWindow::new(self.rcv_nxt, window, 0);
        self.last_received = cx.now;
    }

    /// Both SYNs are known: settles the options (RFC 9293 3.7.1; RFC 7323 1.3; RFC 2018 2).
    pub(super) fn negotiate(
        &mut self,
        peer_mss: Option<u16>,
        peer_shift: Option<u8>,
        sack: bool,
        ts_recent: Option<u32>,
        now: Instant,
    ) {
        if let Some(mss) = peer_mss {
            self.snd_mss = mss.max(MIN_MSS).min(self.mss);
        }
        if let Some(shift) = peer_shift {
            self.window_scaling = true;
            // A shift above 14 is treated as 14 (RFC 7323 2.3).
            self.snd_shift = shift.min(14);
            let size = self.window.size(self.rcv_nxt);
            self.window = ReceiveWindow::new(self.rcv_nxt, size, WINDOW_SHIFT);
        }
        self.sack = sack;
        if let Some(value) = ts_recent {
            self.timestamps = true;
            self.ts_recent = value;
            self.ts_recent_at = now;
            self.snd_mss -= TIMESTAMPS_LEN;
        }
        self.rcv_mss = self.snd_mss;
    }

    /// The handshake is complete as far as the path is concerned.
    pub(super) fn start_congestion_control(&mut self, cx: &Context<'_>, syn_was_lost: bool) {
        let mss = u32::from(self.snd_mss);
        let window = initial_window(cx.config.initial_window, mss, syn_was_lost);
        self.congestion = Controller::new(cx.config.congestion, window);
    }

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
        self.options = options;
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
            cwnd: self.congestion.cwnd(),
            ssthresh: self.congestion.ssthresh(),
            snd_wnd: self.snd_wnd,
            rcv_wnd: self.window.size(self.rcv_nxt),
            snd_mss: self.snd_mss,
            send_queue: self.queued(),
            receive_queue: self.incoming.as_ref().map_or(0, |incoming| incoming.queue.len()),
            in_flight: self.in_flight(),
            backoff: self.rtt.backoff(),
            retransmissions: self.retransmissions,
            timestamps: self.timestamps,
            sack: self.sack,
            window_scale: self.window_scaling.then_some((WINDOW_SHIFT, self.snd_shift)),
        }
    }

    /// Bytes written and not acknowledged.
    pub(super) fn queued(&self) -> usize {
        self.outgoing.as_ref().map_or(0, |outgoing| outgoing.queue.len())
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
        self.options.receive_buffer.saturating_sub(pinned)
    }

    /// Gives the boxes back once they hold nothing.
    pub(super) fn release_memory(&mut self) {
        let idle = |outgoing: &Outgoing| {
            outgoing.queue.is_empty() && outgoing.log.is_empty() && outgoing.recovery.is_open()
        };
        if self.outgoing.as_deref().is_some_and(idle) {
            self.outgoing = None;
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
        self.state = State::Closed;
        self.error = error;
        self.outgoing = None;
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

    /// `Err` says which invariant of the control block is violated. For tests and the simulator.
    pub fn check_invariants(&self) -> Result<(), String> {
        if self.snd_nxt.lt(self.snd_una) {
            return Err(format!("SND.NXT {:?} before SND.UNA {:?}", self.snd_nxt, self.snd_una));
        }
        if self.state == State::Closed {
            return Ok(());
        }
        if let Some(outgoing) = &self.outgoing
            && self.state.is_synchronised()
        {
            outgoing.log.check(self.snd_una, self.snd_nxt)?;
            let under_way =
                (self.in_flight() - u32::from(self.fin_sent && !self.fin_acknowledged())) as usize;
            if under_way > outgoing.queue.len() {
                return Err(format!("{under_way} bytes under way, {} queued", outgoing.queue.len()));
            }
        } else if self.state.is_synchronised() && self.in_flight() > 0 {
            return Err(format!("{} octets in flight and nothing to send them again from", self.in_flight()));
        }
        if self.state.is_synchronised() && self.in_flight() > 0 && !self.timers.retransmit.is_set() {
            return Err("data in flight without a timer".into());
        }
        if let Some(incoming) = &self.incoming {
            incoming.reassembly.check(self.rcv_nxt)?;
            let most = 2 * self.options.receive_buffer + 2 * 66 * 1024;
            if incoming.queue.pinned() + incoming.reassembly.pinned() > most {
                return Err(format!("{} bytes pinned for reading", incoming.queue.pinned()));
            }
        }
        Ok(())
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
