//! The rate of the path, and the round trips by which it is measured.

/// Rounds without growth after which the pipe counts as full (5.3.1.2).
const FULL_PIPE_ROUNDS: u8 = 3;

/// Round trips by packets: one has passed when something is acknowledged that was sent after the last one ended (5.5.1).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rounds {
    /// BBR.round_count
    pub(super) count: u32,
    /// BBR.round_start: this acknowledgment began one.
    pub(super) began: bool,
    /// BBR.rounds_since_probe_up
    pub(super) since_probe: u32,
    /// BBR.next_round_delivered
    next: u64,
}

impl Rounds {
    /// UpdateRound
    pub(super) fn update(&mut self, prior_delivered: u64, delivered: u64) {
        self.began = prior_delivered >= self.next;
        if self.began {
            self.start(delivered);
            self.count = self.count.wrapping_add(1);
            self.since_probe = self.since_probe.saturating_add(1);
        }
    }

    /// StartRound
    pub(super) fn start(&mut self, delivered: u64) {
        self.next = delivered;
    }

    /// The measurement begins anew with so much delivered, after a time with nothing to send.
    pub(super) fn restart(&mut self, delivered: u64) {
        self.next = self.next.min(delivered);
    }
}

/// BBR.max_bw_filter: the best rate of this probing cycle and of the one before (5.5.3, 5.5.6).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MaxBandwidth {
    before: u64,
    current: u64,
}

impl MaxBandwidth {
    /// BBR.max_bw
    pub(super) fn get(self) -> u64 {
        self.before.max(self.current)
    }

    pub(super) fn update(&mut self, rate: u64) {
        self.current = self.current.max(rate);
    }

    /// AdvanceMaxBwFilter. A cycle that measured nothing does not make forget what is known.
    pub(super) fn advance(&mut self) {
        if self.current > 0 {
            *self = MaxBandwidth { before: self.current, current: 0 };
        }
    }
}

/// Whether sending faster still delivers faster (5.3.1.2).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FullPipe {
    /// BBR.full_bw
    baseline: u64,
    /// BBR.full_bw_count
    rounds: u8,
    /// BBR.full_bw_now
    pub(super) now: bool,
    /// BBR.full_bw_reached: it has been full once.
    pub(super) reached: bool,
}

impl FullPipe {
    /// ResetFullBW, with a rate to begin from.
    pub(super) fn reset(&mut self, baseline: u64) {
        *self = FullPipe { baseline, rounds: 0, now: false, reached: self.reached };
    }

    /// CheckFullBWReached, once a round.
    pub(super) fn check(&mut self, rate: u64) {
        if self.now || rate == 0 {
            return;
        }
        if rate >= self.baseline.saturating_add(self.baseline / 4) {
            self.reset(rate);
            return;
        }
        self.rounds += 1;
        self.now = self.rounds >= FULL_PIPE_ROUNDS;
        self.reached |= self.now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bbr_5_3_1_2_three_rounds_without_a_quarter_more_are_a_full_pipe() {
        let mut pipe = FullPipe::default();
        for rate in [100, 200, 250, 260, 270] {
            pipe.check(rate);
            assert!(!pipe.reached, "{rate}");
        }
        pipe.check(280);
        assert!(pipe.now && pipe.reached);
        pipe.reset(0);
        assert!(!pipe.now && pipe.reached, "that it was full once is not forgotten");
    }

    #[test]
    fn bbr_5_5_1_a_round_ends_with_what_was_sent_in_it() {
        let mut rounds = Rounds::default();
        rounds.update(0, 1000);
        assert!(rounds.began);
        rounds.update(0, 2000);
        assert!(!rounds.began, "sent before the round began");
        rounds.update(1000, 3000);
        assert!(rounds.began);
        assert_eq!((rounds.count, rounds.since_probe), (2, 2));
    }

    #[test]
    fn bbr_5_5_6_the_best_rate_is_remembered_for_two_cycles() {
        let mut filter = MaxBandwidth::default();
        filter.update(500);
        filter.advance();
        filter.update(300);
        assert_eq!(filter.get(), 500);
        filter.advance();
        assert_eq!(filter.get(), 300);
        filter.advance();
        assert_eq!(filter.get(), 300, "nothing was measured since");
    }
}
