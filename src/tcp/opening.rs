//! How a connection begins: constructors, and what the two SYNs settle.

use super::active::Active;
use super::congestion::{Beginning, Controller, initial_window};
use super::connection::{Connection, Pending, TIMESTAMPS_LEN};
use super::ecn::EcnState;
use super::moment::{Hour, Moment};
use super::news::News;
use super::recovery::rack::Reordering;
use super::right_sizing::{RightSizing, RoundTrip};
use super::rtt::RttEstimator;
use super::timers::CoarseDeadline;
use super::totals::Totals;
use super::window::{ReceiveWindow, Scaling};
use super::{Context, HalfOpen, Open, State};
use crate::time::Instant;
use crate::wire::SeqNumber;

/// TCP over IPv4 must take segments of 536 bytes (RFC 9293 3.7.1); what a peer announces below this is a mistake or
/// an attack on our packet rate.
const MIN_MSS: u16 = 48;
/// Segments that are acknowledged one by one at the start, while the peer's window is small.
const QUICK_ACKS: u8 = 16;

impl Connection {
    /// Active open: the SYN goes out at the next [`poll_transmit`](Self::poll_transmit) (RFC 9293 3.10.1).
    pub fn connect(cx: &mut Context<'_>, open: Open) -> Connection {
        cx.counters.active_opens += 1;
        let mut connection = Connection::new(cx, open, State::SynSent);
        connection.active.due.syn = true;
        connection
    }

    /// A passive open whose last ACK is here: in SYN-RECEIVED, to be given that segment next. The time at which it was
    /// received ends the first measurement of the path (RFC 6298 2.2), if the SYN-ACK was sent only once.
    pub fn accept(cx: &mut Context<'_>, half: &HalfOpen, open: Open, received_at: Instant) -> Connection {
        cx.counters.passive_opens += 1;
        let mut connection = Connection::new(cx, open, State::SynReceived);
        connection.snd_nxt = half.iss + 1;
        connection.ecn = EcnState::new(half.ecn);
        connection.synchronise(cx, half.irs, u32::from(half.window));
        connection.negotiate(half.peer_mss, half.peer_shift, half.sack, half.ts_recent, cx.now);
        connection.active.retries = u8::from(half.was_retransmitted());
        if let Some(rtt) = half.rtt(received_at) {
            connection.rtt.sample(rtt);
        }
        // The SYN-ACK went out without us; should the segment that is here not complete the handshake, the timer
        // sends it again.
        connection.restart_retransmit_timer(cx);
        connection
    }

    pub(super) fn new(cx: &Context<'_>, open: Open, state: State) -> Connection {
        let mut active = Active::default();
        active.last_progress = cx.now;
        active.sent_at = cx.now;
        Connection {
            state,
            pending: Pending::default(),
            news: News::default(),
            error: None,
            snd_una: open.iss,
            snd_nxt: open.iss,
            snd_wnd: 0,
            max_snd_wnd: 0,
            snd_wl1: SeqNumber(0),
            rcv_nxt: SeqNumber(0),
            window: ReceiveWindow::default(),
            right_sizing: RightSizing::new(open.options.receive_buffer),
            quick_acks: QUICK_ACKS,
            mss: open.mss,
            snd_mss: open.default_mss.min(open.mss),
            least_mss: open.default_mss.min(open.mss),
            rcv_mss: open.default_mss.min(open.mss),
            scaling: Scaling::default(),
            sack: false,
            timestamps: false,
            ts_recent: 0,
            ts_recent_at: Hour::of(cx.now),
            timestamp_offset: open.timestamp_offset,
            fin_queued: false,
            fin_sent: false,
            orphan: false,
            read_shut: false,
            write_blocked: false,
            fast_opened: false,
            rtt: RttEstimator::default(),
            reordering: Reordering::default(),
            congestion: Controller::opening(u32::from(open.mss)),
            ecn: EcnState::default(),
            paced: cx.config.pacing,
            keep_alive_at: CoarseDeadline::NEVER,
            keep_alive_probes: 0,
            totals: Totals::default(),
            last_sent: Moment::at(cx.now),
            last_received: Moment::at(cx.now),
            options: open.options,
            active,
        }
    }

    /// The peer's SYN has come: its sequence space begins here, with the window that our SYN announced or will.
    pub(super) fn synchronise(&mut self, cx: &Context<'_>, irs: SeqNumber, window: u32) {
        self.rcv_nxt = irs + 1;
        self.snd_wl1 = irs;
        self.window = ReceiveWindow::new(self.rcv_nxt, window);
        self.active.round_trip = RoundTrip::start(cx.now, self.rcv_nxt);
        self.last_received = Moment::at(cx.now);
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
            self.scaling = Scaling::agreed(shift);
        }
        self.sack = sack;
        if let Some(value) = ts_recent {
            self.timestamps = true;
            self.ts_recent = value;
            self.ts_recent_at = Hour::of(now);
            self.snd_mss -= TIMESTAMPS_LEN;
        }
        self.rcv_mss = self.snd_mss;
    }

    /// The handshake is complete as far as the path is concerned.
    pub(super) fn start_congestion_control(&mut self, cx: &Context<'_>, syn_was_lost: bool) {
        let mss = u32::from(self.snd_mss);
        let window = initial_window(cx.config.initial_window, mss, syn_was_lost);
        self.congestion = Controller::new(
            cx.config.congestion,
            &Beginning {
                initial_window: window,
                now: cx.now,
                srtt: self.rtt.srtt(),
                seed: u64::from(self.snd_una.0),
            },
        );
        self.start_validation(cx);
    }
}
