//! How much more than expected is acknowledged at once: acknowledgments and packets that travel in groups need a larger
//! window to be bridged (5.5.9).

use crate::time::Instant;

/// BBR.ExtraAckedFilterLen, in rounds, once the pipe has been full.
pub(super) const LONG: u32 = 10;

/// The largest excess of the last rounds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Aggregation {
    /// BBR.extra_acked_interval_start
    since: Instant,
    /// BBR.extra_acked_delivered
    delivered: u64,
    /// The maximum of this half of the window of rounds, and of the one before it.
    current: u32,
    before: u32,
    /// When this half began, in rounds.
    from: u32,
}

impl Aggregation {
    pub(super) fn new(now: Instant) -> Self {
        Aggregation { since: now, delivered: 0, current: 0, before: 0, from: 0 }
    }

    /// Sending begins anew.
    pub(super) fn restart(&mut self, now: Instant) {
        self.since = now;
    }

    /// BBR.extra_acked
    pub(super) fn get(self) -> u32 {
        self.current.max(self.before)
    }

    /// UpdateACKAggregation. `bw` is what is expected, in bytes a second; the maximum is that of the last `rounds`
    /// rounds, or of as few as half of them.
    pub(super) fn update(&mut self, now: Instant, bw: u64, acked: u32, cwnd: u32, round: u32, rounds: u32) {
        let mut expected = expected(now, self.since, bw);
        if self.delivered <= expected {
            self.delivered = 0;
            self.since = now;
            expected = 0;
        }
        self.delivered += u64::from(acked);
        let extra = u32::try_from(self.delivered.saturating_sub(expected)).unwrap_or(u32::MAX).min(cwnd);
        if round.wrapping_sub(self.from) >= rounds.div_ceil(2) {
            self.before = self.current;
            self.current = 0;
            self.from = round;
        }
        self.current = self.current.max(extra);
    }
}

fn expected(now: Instant, since: Instant, bw: u64) -> u64 {
    let bytes = u128::from(bw) * (now - since).as_nanos() / 1_000_000_000;
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1,000 bytes a millisecond are expected.
    const BW: u64 = 1_000_000;

    #[test]
    fn bbr_5_5_9_as_much_as_expected_is_no_excess() {
        let mut aggregation = Aggregation::new(Instant::ZERO);
        for at in 1..20 {
            aggregation.update(Instant::from_millis(at), BW, 1_000, u32::MAX, 0, LONG);
        }
        assert!(aggregation.get() <= 1_000, "{}", aggregation.get());
    }

    #[test]
    fn bbr_5_5_9_a_burst_is_remembered_for_some_rounds() {
        let mut aggregation = Aggregation::new(Instant::ZERO);
        aggregation.update(Instant::from_millis(1), BW, 10_000, u32::MAX, 0, LONG);
        assert_eq!(aggregation.get(), 10_000);
        for round in 1..30 {
            let at = Instant::from_millis(100 * u64::from(round));
            aggregation.update(at, BW, 1_000, u32::MAX, round, LONG);
            assert!(aggregation.get() == 10_000 || round > LONG / 2, "round {round}");
        }
        assert_eq!(aggregation.get(), 1_000);
        aggregation.update(Instant::from_secs(9), BW, 50_000, 20_000, 31, LONG);
        assert_eq!(aggregation.get(), 20_000, "no more than the window");
    }
}
