//! A passive connection between SYN and ACK: SYN-RECEIVED without a control block (RFC 9293 3.10.7.4).

use super::cookie::Memo;
use super::ecn::is_setup_syn;
use super::{Config, Context, reset_for};
use crate::time::{Duration, Instant};
use crate::wire::{SeqNumber, TcpFlags, TcpHeader, TcpOptions, Timestamps};

/// The shift that every SYN-ACK and SYN of ours offers: windows of up to 16 MiB, in steps of 256 bytes.
pub(super) const WINDOW_SHIFT: u8 = 8;
/// First SYN-ACK retransmission, doubled for each further one (RFC 6298 2.1, 5.5).
const FIRST_TIMEOUT: Duration = Duration::from_secs(1);

/// What is remembered of a SYN: enough to answer it again and to build the connection from.
#[derive(Clone, Copy, Debug)]
pub struct HalfOpen {
    /// Initial receive sequence number: the SYN's.
    pub irs: SeqNumber,
    /// Initial send sequence number: our SYN-ACK's.
    pub iss: SeqNumber,
    /// The MSS that we announce.
    pub mss: u16,
    /// The MSS that the peer announced, if it did.
    pub peer_mss: Option<u16>,
    /// The peer's window shift; without it neither side scales (RFC 7323 2.2).
    pub peer_shift: Option<u8>,
    /// Whether the peer permits SACK.
    pub sack: bool,
    /// Whether the connection takes part in ECN: the SYN asks for it, and nobody has cleared this since.
    pub ecn: bool,
    /// The SYN's TSval, if the peer uses timestamps.
    pub ts_recent: Option<u32>,
    /// What we add to our clock for TSval.
    pub timestamp_offset: u32,
    /// The window that we announce, in bytes.
    pub window: u16,
    retries: u8,
    /// SYN-ACKs sent, as far as two.
    answers: u8,
    /// When the first was.
    answered_at: Moment,
    /// Whether a challenge was ever sent, and when that was last.
    challenged: bool,
    challenged_at: Moment,
}

/// An instant in four bytes: microseconds modulo 2^32, which is more than an hour.
#[derive(Clone, Copy, Debug, Default)]
struct Moment(u32);

impl Moment {
    fn at(now: Instant) -> Moment {
        Moment(now.as_micros() as u32)
    }

    fn until(self, now: Instant) -> Duration {
        Duration::from_micros((now.as_micros() as u32).wrapping_sub(self.0).into())
    }
}

/// What to do with a segment for a half-open connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HalfOpenReply {
    /// Nothing; it is dropped, and counted.
    Ignore,
    /// Our SYN is acknowledged: build the [`Connection`](super::Connection) and give it this segment.
    Complete,
    /// Send this segment.
    Answer(TcpHeader),
    /// The peer took its SYN back: forget the entry.
    Dead,
}

/// What to do when the SYN-ACK's timer fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HalfOpenTimeout {
    /// Send the SYN-ACK again, and come back after this long.
    Resend(Duration),
    /// The peer is gone: forget the entry.
    GiveUp,
}

impl HalfOpen {
    /// Remembers a SYN. `mss` is what we announce, from the device's MTU; `window` the first receive window.
    pub fn new(syn: &TcpHeader, iss: SeqNumber, timestamp_offset: u32, mss: u16, window: usize) -> HalfOpen {
        HalfOpen {
            irs: syn.seq,
            iss,
            mss,
            peer_mss: syn.options.mss,
            peer_shift: syn.options.window_scale,
            sack: syn.options.sack_permitted,
            ecn: is_setup_syn(syn),
            ts_recent: syn.options.timestamps.map(|timestamps| timestamps.value),
            timestamp_offset,
            window: u16::try_from(window).unwrap_or(u16::MAX),
            retries: 0,
            answers: 0,
            answered_at: Moment::default(),
            challenged: false,
            challenged_at: Moment::default(),
        }
    }

    /// How long after the SYN-ACK its timer fires for the first time.
    pub const fn first_timeout() -> Duration {
        FIRST_TIMEOUT
    }

    /// Handles a segment of this 4-tuple, in the order of RFC 9293 3.10.7.4.
    pub fn handle_segment(
        &mut self,
        cx: &mut Context<'_>,
        segment: &TcpHeader,
        payload_len: usize,
    ) -> HalfOpenReply {
        let rcv_nxt = self.irs + 1;
        let in_window = segment.seq.ge(rcv_nxt) && segment.seq.lt(rcv_nxt + u32::from(self.window).max(1));
        if segment.has(TcpFlags::RST) {
            // RFC 5961 3.2: only an exact match takes the SYN back.
            return match (segment.seq == rcv_nxt, in_window) {
                (true, _) => HalfOpenReply::Dead,
                (false, true) => self.challenge(cx),
                (false, false) => drop_for(&mut cx.counters.out_of_window),
            };
        }
        if segment.has(TcpFlags::SYN) {
            // A repeated SYN means that our answer was lost; any other gets a challenge (RFC 5961 4.2).
            let repeated = segment.seq == self.irs && !segment.has(TcpFlags::ACK);
            return if repeated { HalfOpenReply::Answer(self.syn_ack(cx.now)) } else { self.challenge(cx) };
        }
        // Old segments of an earlier connection are acknowledged, not reset: the sequence number comes first.
        if self.fails_paws(segment) {
            cx.counters.paws_rejected += 1;
            return self.challenge(cx);
        }
        if !in_window {
            cx.counters.out_of_window += 1;
            return self.challenge(cx);
        }
        if !segment.has(TcpFlags::ACK) {
            return drop_for(&mut cx.counters.unexpected);
        }
        if segment.ack != self.iss + 1 {
            cx.counters.bad_ack += 1;
            return reset_for(segment, payload_len).map_or(HalfOpenReply::Ignore, HalfOpenReply::Answer);
        }
        HalfOpenReply::Complete
    }

    /// The timer fired: how to go on.
    pub fn handle_timeout(&mut self, config: &Config) -> HalfOpenTimeout {
        if self.retries >= config.syn_ack_retries {
            return HalfOpenTimeout::GiveUp;
        }
        self.retries += 1;
        HalfOpenTimeout::Resend(FIRST_TIMEOUT * (1 << self.retries.min(7)))
    }

    /// How often the timer has fired.
    pub const fn retries(&self) -> u8 {
        self.retries
    }

    /// Whether the SYN-ACK was sent more than once, so that the handshake gives no round-trip time (Karn) and the
    /// first data RTO is 3 s (RFC 6298 5.7).
    pub const fn was_retransmitted(&self) -> bool {
        self.retries > 0
    }

    /// The round-trip time that the acknowledgment of the SYN-ACK gives, if that was sent once (Karn).
    pub(super) fn rtt(&self, acknowledged_at: Instant) -> Option<Duration> {
        (self.answers == 1).then(|| self.answered_at.until(acknowledged_at))
    }

    /// The SYN-ACK, without ports, to be sent at once. Options are offered only in answer to the peer's (RFC 7323 1.3).
    pub fn syn_ack(&mut self, now: Instant) -> TcpHeader {
        if self.answers == 0 {
            self.answered_at = Moment::at(now);
        }
        self.answers = (self.answers + 1).min(2);
        let ecn = if self.ecn { TcpFlags::ECE } else { TcpFlags::default() };
        TcpHeader {
            seq: self.iss,
            ack: self.irs + 1,
            flags: TcpFlags::SYN | TcpFlags::ACK | ecn,
            window: self.window,
            options: TcpOptions {
                mss: Some(self.mss),
                window_scale: self.peer_shift.map(|_| WINDOW_SHIFT),
                sack_permitted: self.sack,
                timestamps: self.timestamps(now),
                ..TcpOptions::default()
            },
            ..TcpHeader::default()
        }
    }

    /// The SYN-ACK of a handshake that its sender is going to forget, with a cookie for its sequence number (RFC 4987
    /// 3.6): what else the peer's SYN said goes into TSval, or is not answered for want of one.
    pub fn syn_ack_with_cookie(mut self, now: Instant) -> TcpHeader {
        let memo = Memo { peer_shift: self.peer_shift, sack: self.sack, ecn: self.ecn };
        if self.ts_recent.is_none() {
            (self.peer_shift, self.sack, self.ecn) = (None, false, false);
        }
        let mut syn_ack = self.syn_ack(now);
        if let Some(timestamps) = &mut syn_ack.options.timestamps {
            timestamps.value = memo.write(timestamps.value);
        }
        syn_ack
    }

    /// What such a handshake was, from its last ACK. It gives no round-trip time: the echo is not when it was sent.
    pub fn recalled(
        ack: &TcpHeader,
        peer_mss: u16,
        timestamp_offset: u32,
        mss: u16,
        window: usize,
    ) -> HalfOpen {
        let timestamps = ack.options.timestamps;
        let none = Memo { peer_shift: None, sack: false, ecn: false };
        let Memo { peer_shift, sack, ecn } =
            timestamps.map_or(none, |timestamps| Memo::read(timestamps.echo));
        let syn = TcpHeader { seq: ack.seq - 1, ..TcpHeader::default() };
        HalfOpen {
            peer_mss: Some(peer_mss),
            peer_shift,
            sack,
            ecn,
            ts_recent: timestamps.map(|timestamps| timestamps.value),
            ..HalfOpen::new(&syn, ack.ack - 1, timestamp_offset, mss, window)
        }
    }

    /// A challenge ACK, as seldom as a connection sends them (RFC 5961 10).
    fn challenge(&mut self, cx: &mut Context<'_>) -> HalfOpenReply {
        let interval = cx.config.challenge_ack_interval;
        if self.challenged && self.challenged_at.until(cx.now) < interval {
            return drop_for(&mut cx.counters.challenge_acks_limited);
        }
        self.challenged = true;
        self.challenged_at = Moment::at(cx.now);
        cx.counters.challenge_acks += 1;
        HalfOpenReply::Answer(TcpHeader {
            seq: self.iss + 1,
            ack: self.irs + 1,
            flags: TcpFlags::ACK,
            window: if self.peer_shift.is_some() { self.window >> WINDOW_SHIFT } else { self.window },
            options: TcpOptions { timestamps: self.timestamps(cx.now), ..TcpOptions::default() },
            ..TcpHeader::default()
        })
    }

    fn timestamps(&self, now: Instant) -> Option<Timestamps> {
        self.ts_recent.map(|echo| Timestamps { value: timestamp_value(now, self.timestamp_offset), echo })
    }

    fn fails_paws(&self, segment: &TcpHeader) -> bool {
        match (self.ts_recent, segment.options.timestamps) {
            (Some(recent), Some(timestamps)) => SeqNumber(timestamps.value).lt(SeqNumber(recent)),
            _ => false,
        }
    }
}

/// Drops a segment for a reason that `counter` names.
fn drop_for(counter: &mut u64) -> HalfOpenReply {
    *counter += 1;
    HalfOpenReply::Ignore
}

/// TSval at `now`: a clock of 1 ms behind a per-connection offset (RFC 7323 5.4).
pub(super) fn timestamp_value(now: Instant, offset: u32) -> u32 {
    (now.as_millis() as u32).wrapping_add(offset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buffer::Pool;
    use crate::tcp::Counters;

    const CLIENT: u32 = 1000;
    const SERVER: u32 = 5000;

    fn syn() -> TcpHeader {
        TcpHeader { seq: SeqNumber(CLIENT), flags: TcpFlags::SYN, window: 64_000, ..TcpHeader::default() }
    }

    fn segment(seq: u32, ack: u32, flags: TcpFlags) -> TcpHeader {
        TcpHeader { seq: SeqNumber(seq), ack: SeqNumber(ack), flags, ..TcpHeader::default() }
    }

    fn reply(segment: TcpHeader) -> HalfOpenReply {
        let (config, pool, mut counters) = (Config::default(), Pool::new(), Counters::default());
        let mut cx = Context { now: Instant::ZERO, config: &config, pool: &pool, counters: &mut counters };
        HalfOpen::new(&syn(), SeqNumber(SERVER), 0, 1460, 65_535).handle_segment(&mut cx, &segment, 0)
    }

    #[test]
    fn the_right_ack_completes() {
        assert_eq!(reply(segment(CLIENT + 1, SERVER + 1, TcpFlags::ACK)), HalfOpenReply::Complete);
    }

    #[test]
    fn rfc_9293_3_10_7_4_a_wrong_ack_is_reset() {
        let HalfOpenReply::Answer(reset) = reply(segment(CLIENT + 1, SERVER + 2, TcpFlags::ACK)) else {
            panic!()
        };
        assert_eq!((reset.seq, reset.flags), (SeqNumber(SERVER + 2), TcpFlags::RST));
    }

    #[test]
    fn a_repeated_syn_draws_the_syn_ack_again() {
        let HalfOpenReply::Answer(answer) = reply(syn()) else { panic!() };
        assert_eq!(answer.flags, TcpFlags::SYN | TcpFlags::ACK);
        assert_eq!((answer.seq, answer.ack), (SeqNumber(SERVER), SeqNumber(CLIENT + 1)));
    }

    #[test]
    fn rfc_5961_3_2_resets_must_match_exactly() {
        assert_eq!(reply(segment(CLIENT + 1, 0, TcpFlags::RST)), HalfOpenReply::Dead);
        assert!(matches!(reply(segment(CLIENT + 2, 0, TcpFlags::RST)), HalfOpenReply::Answer(_)));
        assert_eq!(reply(segment(CLIENT + 100_000, 0, TcpFlags::RST)), HalfOpenReply::Ignore);
    }

    #[test]
    fn rfc_9293_3_10_7_4_an_old_segment_with_a_wrong_ack_is_acknowledged_and_not_reset() {
        for seq in [CLIENT, CLIENT + 100_000] {
            let HalfOpenReply::Answer(answer) = reply(segment(seq, SERVER + 9, TcpFlags::ACK)) else {
                panic!()
            };
            assert_eq!((answer.flags, answer.ack), (TcpFlags::ACK, SeqNumber(CLIENT + 1)));
        }
    }

    #[test]
    fn rfc_5961_10_challenges_are_limited() {
        let (config, pool, mut counters) = (Config::default(), Pool::new(), Counters::default());
        let mut half = HalfOpen::new(&syn(), SeqNumber(SERVER), 0, 1460, 65_535);
        let mut at = |millis| {
            let now = Instant::from_millis(millis);
            let mut cx = Context { now, config: &config, pool: &pool, counters: &mut counters };
            half.handle_segment(&mut cx, &segment(CLIENT + 5, 0, TcpFlags::RST), 0)
        };
        assert!(matches!(at(1_000), HalfOpenReply::Answer(_)));
        assert_eq!([at(1_000), at(1_499)], [HalfOpenReply::Ignore; 2]);
        assert!(matches!(at(1_500), HalfOpenReply::Answer(_)));
        assert_eq!((counters.challenge_acks, counters.challenge_acks_limited), (2, 2));
    }

    #[test]
    fn rfc_7323_1_3_options_are_offered_only_in_answer() {
        let bare = HalfOpen::new(&syn(), SeqNumber(SERVER), 0, 1460, 65_535).syn_ack(Instant::ZERO);
        assert_eq!(bare.options, TcpOptions { mss: Some(1460), ..TcpOptions::default() });

        let mut rich = syn();
        rich.options.window_scale = Some(3);
        rich.options.sack_permitted = true;
        rich.options.timestamps = Some(Timestamps { value: 77, echo: 0 });
        let answer =
            HalfOpen::new(&rich, SeqNumber(SERVER), 0, 1460, 65_535).syn_ack(Instant::from_millis(3));
        assert_eq!(answer.options.timestamps, Some(Timestamps { value: 3, echo: 77 }));
        assert!(answer.options.sack_permitted);
        assert_eq!(answer.options.window_scale, Some(WINDOW_SHIFT));
    }

    #[test]
    fn rfc_3168_6_1_1_a_syn_that_asks_is_answered_with_ece() {
        let flags = |asks: TcpFlags, taking_part: bool| {
            let syn = TcpHeader { flags: TcpFlags::SYN | asks, ..syn() };
            let mut half = HalfOpen::new(&syn, SeqNumber(SERVER), 0, 1460, 65_535);
            half.ecn &= taking_part;
            half.syn_ack(Instant::ZERO).flags
        };
        let plain = TcpFlags::SYN | TcpFlags::ACK;
        let both = TcpFlags::ECE | TcpFlags::CWR;
        assert_eq!(flags(both, true), plain | TcpFlags::ECE);
        assert_eq!(flags(both, false), plain);
        assert_eq!(flags(TcpFlags::ECE, true), plain, "that is no request");
    }

    #[test]
    fn syn_ack_retries_double_and_end() {
        let mut half = HalfOpen::new(&syn(), SeqNumber(SERVER), 0, 1460, 65_535);
        let config = Config::default();
        let waits: Vec<u64> = std::iter::from_fn(|| match half.handle_timeout(&config) {
            HalfOpenTimeout::Resend(wait) => Some(wait.as_secs()),
            HalfOpenTimeout::GiveUp => None,
        })
        .collect();
        assert_eq!(waits, [2, 4, 8, 16, 32]);
    }

    #[test]
    fn it_is_small() {
        assert!(size_of::<HalfOpen>() <= 48, "{} bytes", size_of::<HalfOpen>());
    }
}
