//! TCP Fast Open (RFC 7413): data on a SYN, and in answer to it before the handshake is complete.
//!
//! *Active*: the data that [`Connection::connect_with_data`] was given waits in the send queue behind our SYN. With a
//! cookie the first SYN carries the beginning of it; what the SYN-ACK does not acknowledge is sent again as soon as the
//! handshake is complete, as if for the first time. A SYN that is sent again has neither data nor option.
//!
//! *Passive*: a connection in SYN-RECEIVED that [`Connection::accept_fast`] has made receives, sends and closes as an
//! established one; only its SYN-ACK is still to be acknowledged. SND.UNA is behind our SYN from the first, so that
//! nothing else has to know.

use super::connection::{Arrival, Connection};
use super::ecn::EcnState;
use super::input::{NEXT, Step};
use super::news::News;
use super::{Context, Error, HalfOpen, Open, SegmentMeta, State, reset_for};
use crate::buffer::Chunk;
use crate::wire::{FastOpenCookie, SeqNumber, TcpFlags, TcpHeader, TcpOptions};

/// What is known of a server that data is to be sent to with the SYN.
///
/// ```
/// use longwire::tcp::FastOpenAttempt;
/// let attempt = FastOpenAttempt::default();
/// assert!(attempt.cookie.is_request(), "nothing is known: asks for a cookie");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FastOpenAttempt {
    /// The cookie that it gave us, or the request for one.
    pub cookie: FastOpenCookie,
    /// The MSS that it announced then, in bytes; `None`: 536 (IPv4) or 1220 (IPv6) is assumed.
    pub peer_mss: Option<u16>,
}

impl Default for FastOpenAttempt {
    fn default() -> Self {
        FastOpenAttempt { cookie: FastOpenCookie::REQUEST, peer_mss: None }
    }
}

/// What an attempt has shown of the server and the path to it.
///
/// ```
/// use longwire::tcp::{FastOpenAttempt, FastOpenReport};
/// use longwire::wire::FastOpenCookie;
/// let report = FastOpenReport { cookie: FastOpenCookie::new(&[7; 8]), peer_mss: 1_460, refused: false };
/// let cookie = report.cookie.expect("it came with the SYN-ACK");
/// let next = FastOpenAttempt { cookie, peer_mss: Some(report.peer_mss) };
/// assert!(!next.cookie.is_request(), "data goes with the next SYN");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FastOpenReport {
    /// The cookie that came with the SYN-ACK.
    pub cookie: Option<FastOpenCookie>,
    /// The MSS that the server announced, at most ours.
    pub peer_mss: u16,
    /// A negative response (RFC 7413 4.1.3.1): the data was not acknowledged and no new cookie came, only a SYN without
    /// the option was answered, if any, or an ICMP error came.
    pub refused: bool,
}

/// Fast Open under way.
#[derive(Debug)]
pub(super) enum FastOpen {
    /// Our SYN has the option.
    Active(FastOpenAttempt),
    /// Our SYN-ACK, which gives out a cookie or none, is not acknowledged.
    Passive { irs: SeqNumber, grant: Option<FastOpenCookie> },
    /// The handshake has ended, and nobody has asked how.
    Over(FastOpenReport),
    /// The connection has ended before our SYN-ACK was acknowledged, and not for want of an answer.
    CutShort,
}

impl Connection {
    /// Active open with data for the peer (RFC 7413 4.2): says how much of it was taken. With an attempt the SYN has the
    /// option, and data once there is a cookie; without one, as after a negative response, this is
    /// [`connect`](Self::connect) and the data follows the handshake.
    pub fn connect_with_data(
        cx: &mut Context<'_>,
        open: Open,
        attempt: Option<FastOpenAttempt>,
        data: &[u8],
    ) -> (Connection, usize) {
        let mut connection = Connection::connect(cx, open);
        let count = data.len().min(connection.send_buffer());
        if count > 0 {
            connection.active.outgoing.get_or_insert_default().queue.write(cx.pool, &data[..count]);
        }
        connection.active.fast_open = attempt.map(|attempt| Box::new(FastOpen::Active(attempt)));
        (connection, count)
    }

    /// Passive open by a SYN with a valid cookie (RFC 7413 4.2.2): its data can be read, and what is written goes out
    /// behind our SYN-ACK, which gives out `grant`.
    pub fn accept_fast(
        cx: &mut Context<'_>,
        half: &HalfOpen,
        open: Open,
        syn: (&TcpHeader, &SegmentMeta, &mut Chunk),
        grant: Option<FastOpenCookie>,
    ) -> Connection {
        let (header, meta, payload) = syn;
        cx.counters.passive_opens += 1;
        cx.counters.fast_open_passive += u64::from(!payload.is_empty());
        let mut connection = Connection::new(cx, open, State::Established);
        connection.snd_una = half.iss + 1;
        connection.snd_nxt = half.iss + 1;
        connection.ecn = EcnState::new(half.ecn);
        connection.synchronise(cx, half.irs, u32::from(half.window));
        connection.negotiate(half.peer_mss, half.peer_shift, half.sack, half.ts_recent, cx.now);
        connection.snd_wnd = u32::from(header.window); // never scaled in a SYN (RFC 7323 2.2)
        connection.max_snd_wnd = connection.snd_wnd;
        connection.start_congestion_control(cx, false);
        connection.active.fast_open = Some(Box::new(FastOpen::Passive { irs: half.irs, grant }));
        connection.fast_opened = !payload.is_empty();
        connection.active.due.syn = true;
        connection.news.add(News::WRITABLE);
        let seq = header.seq + 1;
        let fin = header.has(TcpFlags::FIN);
        let arrival = &mut Arrival { header, meta, seq, payload, fin, reported: None };
        // What it says of acknowledgments the SYN-ACK does.
        let _ = connection.take_data_of_syn(cx, arrival);
        connection
    }

    /// Its peer did not know our window when it sent that.
    fn take_data_of_syn(&mut self, cx: &mut Context<'_>, arrival: &mut Arrival<'_>) -> Step {
        self.trim(arrival);
        self.seventh_take_text(cx, arrival)?;
        self.eighth_check_fin(cx, arrival)
    }

    /// Whether it was opened by a SYN with data and our SYN-ACK is not acknowledged yet: nothing shows that the peer is
    /// where it says.
    pub fn is_unconfirmed(&self) -> bool {
        self.active
            .fast_open
            .as_deref()
            .is_some_and(|fast_open| matches!(fast_open, FastOpen::Passive { .. }))
    }

    /// Whether this is the SYN that opened it once more.
    pub(super) fn is_syn_again(&self, segment: &TcpHeader) -> bool {
        let irs = match self.active.fast_open.as_deref() {
            Some(FastOpen::Passive { irs, .. }) => *irs,
            _ => return false,
        };
        segment.has(TcpFlags::SYN) && !segment.has(TcpFlags::ACK) && segment.seq == irs
    }

    /// Whether both SYNs are acknowledged.
    pub(super) fn is_synchronised(&self) -> bool {
        self.state.is_synchronised() && !self.is_unconfirmed()
    }

    /// What the attempt of [`connect_with_data`](Self::connect_with_data) has shown, once.
    pub fn take_fast_open_report(&mut self) -> Option<FastOpenReport> {
        match self.active.fast_open.as_deref() {
            Some(&FastOpen::Over(report)) => {
                self.active.fast_open = None;
                Some(report)
            }
            _ => None,
        }
    }

    /// The option that a SYN or SYN-ACK has: only when it is sent for the first time, as the option may be why nobody
    /// answered (RFC 7413 4.1.3.1).
    pub(super) fn fast_open_option(&self) -> Option<FastOpenCookie> {
        match self.active.fast_open.as_deref().filter(|_| self.active.retries == 0)? {
            FastOpen::Active(attempt) => Some(attempt.cookie).filter(|_| self.state == State::SynSent),
            FastOpen::Passive { grant, .. } => *grant,
            FastOpen::Over(_) | FastOpen::CutShort => None,
        }
    }

    /// Bytes that go with a SYN that has these options: what fits the segment size that the server last announced
    /// (RFC 7413 4.1.3), and none without a cookie.
    pub(super) fn data_on_syn(&self, options: &TcpOptions) -> u32 {
        let Some(FastOpen::Active(attempt)) = self.active.fast_open.as_deref() else { return 0 };
        if options.fast_open.is_none_or(|cookie| cookie.is_request()) {
            return 0;
        }
        let mss = attempt.peer_mss.unwrap_or(self.least_mss).min(self.mss);
        let room = usize::from(mss).saturating_sub(options.wire_len());
        room.min(self.queued()) as u32
    }

    /// Our SYN is acknowledged up to `ack`: what it carried of data, or nothing of it, and then that is to be sent as if
    /// for the first time. `answer` is the peer's SYN-ACK, if it was that.
    pub(super) fn acknowledge_syn(
        &mut self,
        cx: &mut Context<'_>,
        ack: SeqNumber,
        answer: Option<&TcpHeader>,
    ) {
        let (taken, carried) = (ack - (self.snd_una + 1), self.snd_nxt - (self.snd_una + 1));
        (self.snd_una, self.snd_nxt) = (ack, ack);
        if taken > 0 {
            if let Some(outgoing) = self.active.outgoing_mut() {
                outgoing.queue.discard(taken as usize);
            }
            self.totals.bytes_acked += taken;
            self.fast_opened = true;
        }
        if carried > 0 {
            let counter = if taken > 0 {
                &mut cx.counters.fast_open_active
            } else {
                &mut cx.counters.fast_open_active_failed
            };
            *counter += 1;
        }
        if let Some(FastOpen::Active(_)) = self.active.fast_open.as_deref() {
            let cookie =
                answer.and_then(|answer| answer.options.fast_open).filter(|cookie| !cookie.is_request());
            let unanswered = self.active.retries > 0 || carried > 0;
            self.report_fast_open(cookie, taken == 0 && unanswered && cookie.is_none());
        }
    }

    /// Keeps what an attempt has shown until somebody asks.
    pub(super) fn report_fast_open(&mut self, cookie: Option<FastOpenCookie>, refused: bool) {
        let peer_mss = self.snd_mss + self.options_len();
        self.active.fast_open = Some(Box::new(FastOpen::Over(FastOpenReport { cookie, peer_mss, refused })));
    }

    /// The connection is about to end, with this error. That nobody has answered a SYN with the option is a negative
    /// response, too, however we came to give up (RFC 7413 4.1.3.1).
    pub(super) fn end_fast_open(&mut self, error: Option<Error>) {
        let Some(active) = self.active.existing() else { return };
        let timed_out = error == Some(Error::TimedOut);
        match active.fast_open.take().as_deref() {
            Some(FastOpen::Active(_))
                if self.state == State::SynSent && (timed_out || active.retries > 0) =>
            {
                self.report_fast_open(None, true);
            }
            Some(FastOpen::Passive { .. }) if !timed_out => {
                active.fast_open = Some(Box::new(FastOpen::CutShort));
            }
            _ => {}
        }
    }

    /// Whether it has ended before anything showed that the peer is where it says, other than because nobody answered
    /// for so long; once.
    pub(crate) fn take_cut_short(&mut self) -> bool {
        let cut_short = matches!(self.active.fast_open.as_deref(), Some(FastOpen::CutShort));
        if cut_short {
            self.active.fast_open = None;
        }
        cut_short
    }

    /// Our SYN-ACK is acknowledged: the last step of a passive open whose data came with the SYN.
    pub(super) fn confirm(&mut self, cx: &mut Context<'_>, arrival: &Arrival<'_>) -> Step {
        let segment = arrival.header;
        if segment.ack.lt(self.snd_una) || segment.ack.gt(self.snd_nxt) {
            cx.counters.bad_ack += 1;
            return Step::Break(reset_for(segment, arrival.payload.len()));
        }
        if self.measure_handshake(arrival) {
            self.start_congestion_control(cx, true);
        }
        self.active.fast_open = None;
        self.active.retries = 0;
        self.active.due.syn = false;
        self.active.last_progress = cx.now;
        self.news.add(News::CONNECTED);
        if self.in_flight() > 0 {
            self.restart_retransmit_timer(cx);
        } else {
            self.active.timers.retransmit.clear();
        }
        NEXT
    }
}
