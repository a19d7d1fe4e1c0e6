//! HyStart++: leaving slow start when the round-trip time begins to rise, before the queue overflows (RFC 9406).

use super::Ack;
use crate::wire::SeqNumber;

/// The least and the greatest rise that means a queue, in microseconds (MIN_RTT_THRESH, MAX_RTT_THRESH).
const MIN_RISE: u32 = 4_000;
const MAX_RISE: u32 = 16_000;
/// Part of the smallest round-trip time that does, in between (MIN_RTT_DIVISOR).
const RISE_DIVISOR: u32 = 8;
/// Samples that a round needs before it says anything (N_RTT_SAMPLE).
const SAMPLES: u8 = 8;
/// How much slower conservative slow start grows (CSS_GROWTH_DIVISOR).
const GROWTH_DIVISOR: u32 = 4;
/// Rounds of it before congestion avoidance begins (CSS_ROUNDS).
const CONSERVATIVE_ROUNDS: u8 = 5;

/// Where slow start is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// The window grows by what was acknowledged.
    Full,
    /// By a quarter of it: the round-trip time has risen, and may come back.
    Conservative,
    /// The rise stayed: congestion avoidance.
    Over,
}

/// The state of one slow start. Times in microseconds, `u32::MAX` for none yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct HyStart {
    last_round: u32,
    this_round: u32,
    /// What the round-trip time was when conservative slow start began; `u32::MAX` outside of it.
    baseline: u32,
    /// The round ends when this is acknowledged (windowEnd).
    round_end: Option<SeqNumber>,
    samples: u8,
    conservative_rounds: u8,
}

impl Default for HyStart {
    fn default() -> Self {
        HyStart {
            last_round: u32::MAX,
            this_round: u32::MAX,
            baseline: u32::MAX,
            round_end: None,
            samples: 0,
            conservative_rounds: 0,
        }
    }
}

impl HyStart {
    /// RFC 9406 4.2: an acknowledgment in slow start, and how to go on.
    pub(super) fn on_ack(&mut self, ack: &Ack) -> Pace {
        if self.round_end.is_none_or(|end| ack.snd_una.ge(end)) && self.begin_round(ack.snd_nxt) {
            return Pace::Over;
        }
        if let Some(rtt) = ack.rtt {
            self.this_round = self.this_round.min(u32::try_from(rtt.as_micros()).unwrap_or(u32::MAX - 1));
            self.samples = self.samples.saturating_add(1);
        }
        if self.samples >= SAMPLES {
            self.judge();
        }
        if self.is_conservative() { Pace::Conservative } else { Pace::Full }
    }

    /// How much the window grows for so many bytes.
    pub(super) fn growth(pace: Pace, bytes: u32) -> u32 {
        if pace == Pace::Conservative { bytes / GROWTH_DIVISOR } else { bytes }
    }

    fn is_conservative(&self) -> bool {
        self.baseline != u32::MAX
    }

    /// Says whether conservative slow start has lasted long enough; the round in which it began counts.
    fn begin_round(&mut self, snd_nxt: SeqNumber) -> bool {
        if self.is_conservative() {
            self.conservative_rounds += 1;
        }
        self.round_end = Some(snd_nxt);
        self.last_round = self.this_round;
        self.this_round = u32::MAX;
        self.samples = 0;
        self.conservative_rounds >= CONSERVATIVE_ROUNDS
    }

    fn judge(&mut self) {
        if self.is_conservative() {
            if self.this_round < self.baseline {
                // The rise was a passing one.
                self.baseline = u32::MAX;
                self.conservative_rounds = 0;
            }
        } else if self.this_round != u32::MAX && self.last_round != u32::MAX {
            let rise = (self.last_round / RISE_DIVISOR).clamp(MIN_RISE, MAX_RISE);
            if self.this_round >= self.last_round.saturating_add(rise) {
                self.baseline = self.this_round;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Duration, Instant};

    /// A round of `count` acknowledgments with the same round-trip time, and what the last of them said.
    fn round(hystart: &mut HyStart, number: u32, count: u32, rtt: u64) -> Pace {
        let mut pace = Pace::Full;
        for i in 0..count {
            pace = hystart.on_ack(&Ack {
                now: Instant::ZERO,
                bytes: 1_000,
                srtt: Duration::from_millis(rtt),
                rtt: Some(Duration::from_millis(rtt)),
                cwnd_limited: true,
                mss: 1_000,
                snd_una: SeqNumber(number * 100_000 + i),
                snd_nxt: SeqNumber((number + 1) * 100_000),
            });
        }
        pace
    }

    #[test]
    fn rfc_9406_4_2_a_rise_by_an_eighth_slows_down() {
        let mut hystart = HyStart::default();
        assert_eq!(round(&mut hystart, 0, 10, 80), Pace::Full);
        assert_eq!(round(&mut hystart, 1, 10, 89), Pace::Full);
        assert_eq!(round(&mut hystart, 2, 7, 101), Pace::Full, "seven samples say nothing");
        assert_eq!(round(&mut hystart, 2, 10, 101), Pace::Conservative);
        assert_eq!(
            (HyStart::growth(Pace::Full, 1_000), HyStart::growth(Pace::Conservative, 1_000)),
            (1_000, 250)
        );
    }

    #[test]
    fn rfc_9406_4_2_at_least_4_ms_and_at_most_16() {
        let mut hystart = HyStart::default();
        round(&mut hystart, 0, 10, 1);
        assert_eq!(round(&mut hystart, 1, 10, 4), Pace::Full);
        let mut hystart = HyStart::default();
        round(&mut hystart, 0, 10, 400);
        assert_eq!(round(&mut hystart, 1, 10, 416), Pace::Conservative);
    }

    #[test]
    fn rfc_9406_4_2_a_passing_rise_is_forgotten() {
        let mut hystart = HyStart::default();
        round(&mut hystart, 0, 10, 20);
        assert_eq!(round(&mut hystart, 1, 10, 30), Pace::Conservative);
        assert_eq!(round(&mut hystart, 2, 10, 20), Pace::Full);
    }

    #[test]
    fn rfc_9406_4_2_five_conservative_rounds_end_slow_start() {
        let mut hystart = HyStart::default();
        round(&mut hystart, 0, 10, 20);
        for number in 1..=5 {
            assert_eq!(round(&mut hystart, number, 10, 30), Pace::Conservative, "round {number}");
        }
        assert_eq!(round(&mut hystart, 6, 1, 30), Pace::Over);
    }
}
