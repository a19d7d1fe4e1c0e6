//! TIME-WAIT without a control block (RFC 9293 3.6.1; RFC 1337; RFC 6191).

use super::half_open::timestamp_value;
use crate::time::Instant;
use crate::wire::{SeqNumber, TcpFlags, TcpHeader, TcpOptions, Timestamps};

/// What is remembered of a connection until old segments of it have died out. It lasts 2·MSL; the ring of the stack
/// that holds these knows when each ends.
///
/// ```
/// use longwire::tcp::{TimeWait, TimeWaitReply};
/// use longwire::time::Instant;
/// use longwire::wire::{SeqNumber, TcpFlags, TcpHeader};
/// let (snd_nxt, rcv_nxt) = (SeqNumber(500), SeqNumber(900));
/// let ended = TimeWait { snd_nxt, rcv_nxt, window: 100, ts_recent: None, timestamp_offset: 0 };
/// let fin = TcpHeader { seq: rcv_nxt - 1, flags: TcpFlags::FIN | TcpFlags::ACK, ..TcpHeader::default() };
/// assert!(matches!(ended.handle_segment(Instant::ZERO, &fin), TimeWaitReply::Restart(ack) if ack.ack == rcv_nxt));
/// let syn = TcpHeader { seq: rcv_nxt + 1, flags: TcpFlags::SYN, ..TcpHeader::default() };
/// assert_eq!(ended.handle_segment(Instant::ZERO, &syn), TimeWaitReply::Reuse);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TimeWait {
    /// Where our sequence numbers end.
    pub snd_nxt: SeqNumber,
    /// Where the peer's end.
    pub rcv_nxt: SeqNumber,
    /// The window field of our acknowledgments, scaled.
    pub window: u16,
    /// The peer's last TSval, if timestamps were in use.
    pub ts_recent: Option<u32>,
    /// What we add to our clock for TSval.
    pub timestamp_offset: u32,
}

/// What to do with a segment for a 4-tuple in TIME-WAIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeWaitReply {
    /// Nothing; it is dropped.
    Ignore,
    /// Send this acknowledgment.
    Answer(TcpHeader),
    /// Send this acknowledgment and wait 2·MSL from now: the peer had not seen our last one.
    Restart(TcpHeader),
    /// A SYN that cannot be an old one (RFC 6191): forget the entry and treat the segment as new.
    Reuse,
}

impl TimeWait {
    /// Handles a segment of this 4-tuple. A stack that takes no part in timestamps passes segments without them.
    pub fn handle_segment(&self, now: Instant, segment: &TcpHeader) -> TimeWaitReply {
        if segment.has(TcpFlags::RST) {
            // RFC 1337 section 3 fix F1: a reset must not end TIME-WAIT early.
            return TimeWaitReply::Ignore;
        }
        if segment.has(TcpFlags::SYN) && !segment.has(TcpFlags::ACK) && self.is_newer(segment) {
            return TimeWaitReply::Reuse;
        }
        let repeated_fin = segment.has(TcpFlags::FIN) && segment.seq.lt(self.rcv_nxt);
        let answer = TcpHeader {
            seq: self.snd_nxt,
            ack: self.rcv_nxt,
            flags: TcpFlags::ACK,
            window: self.window,
            options: TcpOptions { timestamps: self.timestamps(now), ..TcpOptions::default() },
            ..TcpHeader::default()
        };
        if repeated_fin {
            TimeWaitReply::Restart(answer)
        } else if segment.seq == self.rcv_nxt && !segment.flags.intersects(TcpFlags::SYN | TcpFlags::FIN) {
            // In order and empty: the peer's ordinary acknowledgment, which must not start an exchange of ACKs.
            TimeWaitReply::Ignore
        } else {
            TimeWaitReply::Answer(answer)
        }
    }

    /// RFC 6191 section 2: a higher timestamp proves a new SYN, and so do timestamps where the old connection had none;
    /// without them, or with the same one, a higher sequence number does.
    fn is_newer(&self, syn: &TcpHeader) -> bool {
        match (self.ts_recent, syn.options.timestamps) {
            (Some(recent), Some(timestamps)) if timestamps.value != recent => {
                SeqNumber(timestamps.value).gt(SeqNumber(recent))
            }
            (None, Some(_)) => true,
            _ => syn.seq.gt(self.rcv_nxt),
        }
    }

    fn timestamps(&self, now: Instant) -> Option<Timestamps> {
        self.ts_recent.map(|echo| Timestamps { value: timestamp_value(now, self.timestamp_offset), echo })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> TimeWait {
        TimeWait {
            snd_nxt: SeqNumber(500),
            rcv_nxt: SeqNumber(900),
            window: 100,
            ts_recent: Some(70),
            timestamp_offset: 0,
        }
    }

    fn handle(seq: u32, flags: TcpFlags, ts: Option<u32>) -> TimeWaitReply {
        let options =
            TcpOptions { timestamps: ts.map(|value| Timestamps { value, echo: 0 }), ..TcpOptions::default() };
        let segment = TcpHeader { seq: SeqNumber(seq), flags, options, ..TcpHeader::default() };
        entry().handle_segment(Instant::from_millis(5), &segment)
    }

    #[test]
    fn a_repeated_fin_is_acknowledged_and_restarts_the_wait() {
        let TimeWaitReply::Restart(ack) = handle(899, TcpFlags::FIN | TcpFlags::ACK, Some(70)) else {
            panic!()
        };
        assert_eq!((ack.seq, ack.ack, ack.flags), (SeqNumber(500), SeqNumber(900), TcpFlags::ACK));
        assert_eq!(ack.options.timestamps, Some(Timestamps { value: 5, echo: 70 }));
    }

    #[test]
    fn rfc_1337_a_reset_is_ignored() {
        assert_eq!(handle(900, TcpFlags::RST, None), TimeWaitReply::Ignore);
    }

    #[test]
    fn rfc_6191_2_with_the_same_timestamp_the_sequence_number_decides() {
        assert_eq!(handle(901, TcpFlags::SYN, Some(70)), TimeWaitReply::Reuse);
        assert!(matches!(handle(899, TcpFlags::SYN, Some(70)), TimeWaitReply::Answer(_)));
    }

    #[test]
    fn rfc_6191_2_timestamps_where_there_were_none_are_new() {
        let without = TimeWait { ts_recent: None, ..entry() };
        let timestamps = Some(Timestamps { value: 1, echo: 0 });
        let options = TcpOptions { timestamps, ..TcpOptions::default() };
        let syn = TcpHeader { seq: SeqNumber(1), flags: TcpFlags::SYN, ..TcpHeader::default() };
        let reply = |syn| without.handle_segment(Instant::ZERO, &syn);
        assert_eq!(reply(TcpHeader { options, ..syn }), TimeWaitReply::Reuse);
        assert!(matches!(reply(syn), TimeWaitReply::Answer(_)));
    }

    #[test]
    fn rfc_6191_a_new_syn_reuses() {
        assert_eq!(handle(1, TcpFlags::SYN, Some(71)), TimeWaitReply::Reuse, "higher timestamp");
        assert!(matches!(handle(2000, TcpFlags::SYN, Some(69)), TimeWaitReply::Answer(_)), "lower timestamp");
        assert_eq!(handle(901, TcpFlags::SYN, None), TimeWaitReply::Reuse, "higher sequence number");
        assert!(matches!(handle(800, TcpFlags::SYN, None), TimeWaitReply::Answer(_)), "old duplicate");
    }

    #[test]
    fn rfc_9293_3_10_7_4_a_syn_that_proves_nothing_is_acknowledged() {
        assert!(matches!(handle(900, TcpFlags::SYN, None), TimeWaitReply::Answer(_)));
        assert!(matches!(handle(900, TcpFlags::SYN | TcpFlags::ACK, Some(71)), TimeWaitReply::Answer(_)));
    }

    #[test]
    fn acknowledgments_do_not_echo_for_ever() {
        assert_eq!(handle(900, TcpFlags::ACK, Some(70)), TimeWaitReply::Ignore);
    }

    #[test]
    fn it_is_small() {
        assert!(size_of::<TimeWait>() <= 24, "{} bytes", size_of::<TimeWait>());
    }
}
