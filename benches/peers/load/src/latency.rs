//! How long answers took.

use std::time::Duration;

use crate::Figure;

/// Every one of them: a run is short.
#[derive(Default)]
pub struct Latencies(Vec<u32>);

impl Latencies {
    pub fn record(&mut self, took: Duration) {
        self.0.push(u32::try_from(took.as_nanos()).unwrap_or(u32::MAX));
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Median, 99th and 99.9th percentile.
    pub fn figures(mut self) -> [Figure; 3] {
        self.0.sort_unstable();
        let at = |share: f64| {
            let index = (self.0.len() as f64 * share) as usize;
            self.0.get(index).or(self.0.last()).map_or(f64::NAN, |&nanoseconds| f64::from(nanoseconds) / 1e3)
        };
        [("p50_us", at(0.5)), ("p99_us", at(0.99)), ("p999_us", at(0.999))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_all_of_them() {
        let mut latencies = Latencies::default();
        (1..=1_000).rev().for_each(|count| latencies.record(Duration::from_micros(count)));
        assert_eq!(latencies.figures(), [("p50_us", 501.0), ("p99_us", 991.0), ("p999_us", 1_000.0)]);
    }
}
