//! What comes of all the requests.

use std::time::Duration;

use crate::net::Instant;

/// Counts and times of one run.
#[derive(Debug)]
pub(super) struct Statistics {
    begun: Instant,
    /// Requests.
    pub(super) sent: u64,
    /// Replies, each request's first.
    pub(super) received: u64,
    /// Replies that were not the first, or to nothing.
    pub(super) unexpected: u64,
    shortest: Duration,
    longest: Duration,
    /// Sums in seconds, of the times and of their squares.
    sum: f64,
    sum_of_squares: f64,
}

impl Statistics {
    pub(super) fn new(begun: Instant) -> Self {
        Statistics {
            begun,
            sent: 0,
            received: 0,
            unexpected: 0,
            shortest: Duration::MAX,
            longest: Duration::ZERO,
            sum: 0.0,
            sum_of_squares: 0.0,
        }
    }

    /// A reply after `time`.
    pub(super) fn record(&mut self, time: Duration) {
        self.received += 1;
        self.shortest = self.shortest.min(time);
        self.longest = self.longest.max(time);
        self.sum += time.as_secs_f64();
        self.sum_of_squares += time.as_secs_f64().powi(2);
    }

    /// The longest time so far, if there was a reply.
    pub(super) fn longest(&self) -> Option<Duration> {
        (self.received > 0).then_some(self.longest)
    }

    /// The lines that everybody's ping ends with.
    pub(super) fn summary(&self, host: &str, now: Instant) -> String {
        let loss = match self.sent {
            0 => 0.0,
            sent => (sent - self.received.min(sent)) as f64 * 100.0 / sent as f64,
        };
        let duplicates = match self.unexpected {
            0 => String::new(),
            count => format!(" +{count} duplicates,"),
        };
        let mut text = format!(
            "\n--- {host} ping statistics ---\n{} packets transmitted, {} received,{duplicates} {loss:.0}% packet loss, time {} ms",
            self.sent,
            self.received,
            (now - self.begun).as_millis(),
        );
        if self.received > 0 {
            let mean = self.sum / self.received as f64;
            let deviation = (self.sum_of_squares / self.received as f64 - mean * mean).max(0.0).sqrt();
            let [shortest, mean, longest, deviation] =
                [self.shortest.as_secs_f64(), mean, self.longest.as_secs_f64(), deviation]
                    .map(|time| time * 1e3);
            text +=
                &format!("\nrtt min/avg/max/mdev = {shortest:.3}/{mean:.3}/{longest:.3}/{deviation:.3} ms");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_has_counts_and_times() {
        let mut statistics = Statistics::new(Instant::from_secs(1));
        statistics.sent = 4;
        for millis in [10, 20, 30] {
            statistics.record(Duration::from_millis(millis));
        }
        assert_eq!(statistics.longest(), Some(Duration::from_millis(30)));
        assert_eq!(
            statistics.summary("h", Instant::from_secs(4)),
            "\n--- h ping statistics ---\n4 packets transmitted, 3 received, 25% packet loss, time 3000 ms\n\
             rtt min/avg/max/mdev = 10.000/20.000/30.000/8.165 ms"
        );
    }

    #[test]
    fn without_replies_there_are_no_times() {
        let mut statistics = Statistics::new(Instant::ZERO);
        statistics.sent = 2;
        assert_eq!(statistics.longest(), None);
        let summary = statistics.summary("h", Instant::ZERO);
        assert!(
            summary.ends_with("2 packets transmitted, 0 received, 100% packet loss, time 0 ms"),
            "{summary}"
        );
    }
}
