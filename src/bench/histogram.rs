//! Durations by the thousand, in bounded memory: counted in buckets whose width grows with the value.

use std::time::Duration;

/// Buckets between a power of two and the next: values are known to within 1 in 128.
const STEPS: u64 = 128;
const STEP_BITS: u32 = STEPS.trailing_zeros();
/// The longest duration that is told apart, in nanoseconds: 2^40, some 18 minutes.
const MOST_BITS: u32 = 40;
const BUCKETS: usize = ((MOST_BITS - STEP_BITS + 1) as usize) * STEPS as usize;

/// How often each duration was seen.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    sum: Duration,
    least: Duration,
    most: Duration,
}

impl Histogram {
    pub(crate) fn new() -> Histogram {
        let (least, most) = (Duration::MAX, Duration::ZERO);
        Histogram { buckets: vec![0; BUCKETS], count: 0, sum: Duration::ZERO, least, most }
    }

    /// One more of this.
    pub(crate) fn record(&mut self, duration: Duration) {
        self.buckets[bucket(duration)] += 1;
        self.count += 1;
        self.sum = self.sum.saturating_add(duration);
        self.least = self.least.min(duration);
        self.most = self.most.max(duration);
    }

    /// Adds what another one has counted.
    pub(crate) fn merge(&mut self, other: &Histogram) {
        for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            *mine += theirs;
        }
        self.count += other.count;
        self.sum = self.sum.saturating_add(other.sum);
        self.least = self.least.min(other.least);
        self.most = self.most.max(other.most);
    }

    /// How many there were.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The mean; zero of nothing.
    pub(crate) fn mean(&self) -> Duration {
        u32::try_from(self.count).ok().and_then(|count| self.sum.checked_div(count)).unwrap_or_default()
    }

    /// The longest; zero of nothing.
    pub(crate) fn most(&self) -> Duration {
        self.most
    }

    /// The duration that `fraction` of all do not exceed: the upper edge of its bucket, and never more than the
    /// longest. Zero of nothing.
    pub(crate) fn quantile(&self, fraction: f64) -> Duration {
        let rank = (fraction * self.count as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return upper_edge(index).min(self.most);
            }
        }
        self.most
    }

    /// The distribution as (duration, how many do not exceed it), for each bucket that is not empty.
    pub(crate) fn steps(&self) -> impl Iterator<Item = (Duration, u64)> + '_ {
        let filled = self.buckets.iter().enumerate().filter(|(_, count)| **count > 0);
        filled.scan(0, |seen, (index, count)| {
            *seen += count;
            Some((upper_edge(index).min(self.most), *seen))
        })
    }
}

/// Below [`STEPS`] a bucket is a nanosecond; above, the highest bits of the value are its number.
fn bucket(duration: Duration) -> usize {
    let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX).min((1 << MOST_BITS) - 1);
    if nanos < STEPS {
        return nanos as usize;
    }
    let shift = nanos.ilog2() - STEP_BITS;
    (u64::from(shift + 1) * STEPS + (nanos >> shift) - STEPS) as usize
}

/// The largest value that belongs to a bucket.
fn upper_edge(index: usize) -> Duration {
    let (row, column) = (index as u64 / STEPS, index as u64 % STEPS);
    let nanos = match row {
        0 => column,
        row => ((column + STEPS + 1) << (row - 1)) - 1,
    };
    Duration::from_nanos(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn micros(values: impl IntoIterator<Item = u64>) -> Histogram {
        let mut histogram = Histogram::new();
        values.into_iter().for_each(|value| histogram.record(Duration::from_micros(value)));
        histogram
    }

    #[track_caller]
    fn assert_near(actual: Duration, micros: u64) {
        let (actual, expected) = (actual.as_secs_f64() * 1e6, micros as f64);
        assert!((actual - expected).abs() <= expected / 100.0, "{actual} is not about {expected}");
    }

    #[test]
    fn quantiles_of_a_known_distribution() {
        let histogram = micros(1..=1_000);
        for (fraction, expected) in
            [(0.0, 1), (0.5, 500), (0.9, 900), (0.99, 990), (0.999, 999), (1.0, 1_000)]
        {
            assert_near(histogram.quantile(fraction), expected);
        }
        assert_near(histogram.mean(), 500);
        assert_eq!((histogram.count(), histogram.most()), (1_000, Duration::from_millis(1)));
    }

    #[test]
    fn nothing_has_no_quantiles() {
        let none = Histogram::new();
        assert_eq!(
            (none.quantile(0.5), none.mean(), none.steps().count()),
            (Duration::ZERO, Duration::ZERO, 0)
        );
    }

    #[test]
    fn one_value_is_every_quantile() {
        let one = micros([12_345]);
        for fraction in [0.0, 0.5, 1.0] {
            assert_eq!(one.quantile(fraction), Duration::from_micros(12_345));
        }
    }

    #[test]
    fn merging_is_as_if_one_had_seen_all() {
        let mut parts = micros(1..=500);
        parts.merge(&micros(501..=1_000));
        let whole = micros(1..=1_000);
        assert_eq!((parts.buckets, parts.count, parts.sum), (whole.buckets, whole.count, whole.sum));
    }

    #[test]
    fn steps_rise_to_the_whole() {
        let steps: Vec<_> = micros([1, 1, 5, 900]).steps().map(|(_, seen)| seen).collect();
        assert_eq!(steps, [2, 3, 4]);
    }

    #[test]
    fn what_is_too_long_counts_as_the_longest() {
        let day = Duration::from_secs(86_400);
        let mut histogram = Histogram::new();
        histogram.record(day);
        assert_eq!(histogram.most(), day);
        assert!(histogram.quantile(0.5) > Duration::from_secs(1_000));
    }

    proptest! {
        #[test]
        fn buckets_hold_what_their_edges_say(nanos in 0..1u64 << MOST_BITS) {
            let index = bucket(Duration::from_nanos(nanos));
            let (above, below) = (upper_edge(index), index.checked_sub(1).map(upper_edge));
            prop_assert!(Duration::from_nanos(nanos) <= above);
            prop_assert!(below.is_none_or(|below| below < Duration::from_nanos(nanos)));
            prop_assert!(above.as_nanos() as u64 - nanos <= nanos / 64);
        }
    }
}
