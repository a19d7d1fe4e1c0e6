//! Round-trip time and retransmission time-out (RFC 6298).

use super::Config;
use crate::time::Duration;

/// RTO before anything is known (RFC 6298 2.1).
const INITIAL_RTO: Duration = Duration::from_secs(1);
/// RTO for data once a SYN was lost and nothing was measured (RFC 6298 5.7).
const RTO_AFTER_LOST_SYN: Duration = Duration::from_secs(3);
/// The least clock granularity G. Times are exact, but the peer's delay is not.
const GRANULARITY: Duration = Duration::from_millis(1);

/// SRTT, RTTVAR and the smallest sample, in microseconds; the back-off of the timer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RttEstimator {
    srtt: u32,
    rttvar: u32,
    min_rtt: u32,
    /// How often the time-out has been doubled since the last sample.
    backoff: u8,
    syn_was_lost: bool,
    /// A tail loss probe was sent, and nothing has been measured since.
    probed: bool,
}

impl RttEstimator {
    /// Takes a sample in (RFC 6298 2.2, 2.3). By Karn's rule it is never one of a retransmitted segment. The sample
    /// also ends the back-off (RFC 6298 5.7).
    pub(super) fn sample(&mut self, rtt: Duration) {
        let r = u32::try_from(rtt.as_micros()).unwrap_or(u32::MAX / 8).clamp(1, u32::MAX / 8);
        if self.srtt == 0 {
            self.srtt = r;
            self.rttvar = r / 2;
            self.min_rtt = r;
        } else {
            // RTTVAR <- 3/4 RTTVAR + 1/4 |SRTT - R'|; SRTT <- 7/8 SRTT + 1/8 R'
            self.rttvar = self.rttvar - self.rttvar / 4 + self.srtt.abs_diff(r) / 4;
            self.srtt = (self.srtt - self.srtt / 8 + r / 8).max(1);
            self.min_rtt = self.min_rtt.min(r);
        }
        self.backoff = 0;
        self.probed = false;
    }

    /// A tail loss probe was sent: the next one needs a new sample (RFC 8985 7.3).
    pub(super) fn on_tail_probe(&mut self) {
        self.probed = true;
    }

    /// Whether a sample was taken since the last tail loss probe.
    pub(super) fn is_fresh(&self) -> bool {
        !self.probed
    }

    /// The time-out for what is sent now, back-off included.
    pub(super) fn rto(&self, config: &Config) -> Duration {
        let base = match (self.srtt, self.syn_was_lost) {
            (0, false) => micros(INITIAL_RTO),
            (0, true) => micros(RTO_AFTER_LOST_SYN),
            _ => {
                // RTO <- SRTT + max(G, 4 RTTVAR): what G has to cover comes on top of the round trip.
                let variation = u64::from(4 * self.rttvar);
                u64::from(self.srtt) + variation.max(micros(config.min_rto)).max(micros(GRANULARITY))
            }
        };
        Duration::from_micros((base << self.backoff.min(20)).min(micros(config.max_rto)))
    }

    /// Doubles the time-out (RFC 6298 5.5).
    pub(super) fn back_off(&mut self) {
        self.backoff = self.backoff.saturating_add(1);
    }

    /// Ends the back-off without a sample: the peer has shown that it is there.
    pub(super) fn reset_backoff(&mut self) {
        self.backoff = 0;
    }

    /// The handshake is over and its SYN went out more than once: no sample, and a larger first time-out for data.
    pub(super) fn syn_was_lost(&mut self) {
        self.syn_was_lost = true;
        self.backoff = 0;
    }

    pub(super) fn srtt(&self) -> Option<Duration> {
        (self.srtt > 0).then(|| Duration::from_micros(self.srtt.into()))
    }

    pub(super) fn rttvar(&self) -> Duration {
        Duration::from_micros(self.rttvar.into())
    }

    pub(super) fn min_rtt(&self) -> Option<Duration> {
        (self.srtt > 0).then(|| Duration::from_micros(self.min_rtt.into()))
    }

    pub(super) fn backoff(&self) -> u8 {
        self.backoff
    }
}

/// In whole microseconds, and no more of them than 2^40, which is twelve days: what is asked for with every segment is
/// reckoned in one word.
fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX).min(1 << 40)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn config(min_rto: Duration) -> Config {
        Config { min_rto, ..Config::default() }
    }

    #[test]
    fn rfc_6298_2_1_one_second_before_any_sample() {
        assert_eq!(RttEstimator::default().rto(&Config::default()), ms(1000));
    }

    #[test]
    fn rfc_6298_2_2_first_sample() {
        let mut rtt = RttEstimator::default();
        rtt.sample(ms(100));
        assert_eq!((rtt.srtt(), rtt.rttvar()), (Some(ms(100)), ms(50)));
        assert_eq!(rtt.rto(&config(ms(1))), ms(300));
    }

    #[test]
    fn rfc_6298_2_3_later_samples() {
        let mut rtt = RttEstimator::default();
        rtt.sample(ms(100));
        rtt.sample(ms(180));
        assert_eq!((rtt.srtt(), rtt.rttvar()), (Some(ms(110)), Duration::from_micros(57_500)));
        assert_eq!(rtt.min_rtt(), Some(ms(100)));
    }

    #[test]
    fn rfc_6298_2_4_and_2_5_bounds() {
        let mut rtt = RttEstimator::default();
        rtt.sample(ms(1));
        assert_eq!(rtt.rto(&Config::default()), ms(201), "200 ms on top of the round trip");
        for _ in 0..30 {
            rtt.back_off();
        }
        assert_eq!(rtt.rto(&Config::default()), Duration::from_secs(120));
    }

    #[test]
    fn rfc_6298_5_5_back_off_doubles_and_a_sample_ends_it() {
        let mut rtt = RttEstimator::default();
        rtt.sample(ms(100));
        rtt.back_off();
        rtt.back_off();
        assert_eq!(rtt.rto(&config(ms(1))), ms(1200));
        rtt.sample(ms(100));
        assert!(rtt.rto(&config(ms(1))) < ms(300));
    }

    #[test]
    fn rfc_6298_5_7_three_seconds_after_a_lost_syn() {
        let mut rtt = RttEstimator::default();
        rtt.back_off();
        rtt.syn_was_lost();
        assert_eq!(rtt.rto(&Config::default()), ms(3000));
    }

    #[test]
    fn absurd_samples_stay_finite() {
        let mut rtt = RttEstimator::default();
        for _ in 0..100 {
            rtt.sample(Duration::MAX);
            rtt.sample(Duration::ZERO);
        }
        assert!(rtt.rto(&Config::default()) <= Duration::from_secs(120));
    }
}
