//! Slow start and congestion avoidance (RFC 5681), in bytes.

use super::{Ack, CongestionControl, halve_unused, slow_start};

/// NewReno. Recovery itself (RFC 6582, RFC 6675) is not here: it is the same for every controller.
#[derive(Clone, Debug)]
pub(in crate::tcp) struct NewReno {
    cwnd: u32,
    ssthresh: u32,
    /// Bytes acknowledged since cwnd last grew by a segment (RFC 5681 3.1, appropriate byte counting).
    acked: u32,
}

impl NewReno {
    pub(in crate::tcp) fn new(initial_window: u32) -> Self {
        NewReno { cwnd: initial_window, ssthresh: u32::MAX, acked: 0 }
    }

    /// RFC 5681 equation 4.
    fn reduced(in_flight: u32, mss: u32) -> u32 {
        (in_flight / 2).max(2 * mss)
    }
}

impl CongestionControl for NewReno {
    fn cwnd(&self) -> u32 {
        self.cwnd
    }

    fn ssthresh(&self) -> u32 {
        self.ssthresh
    }

    fn on_ack(&mut self, ack: &Ack) {
        if !ack.cwnd_limited {
            return;
        }
        let bytes = slow_start(&mut self.cwnd, self.ssthresh, ack.bytes);
        // Congestion avoidance: one segment for each window of data (RFC 5681 3.1).
        self.acked = self.acked.saturating_add(bytes);
        if self.acked >= self.cwnd {
            self.acked -= self.cwnd;
            self.cwnd = self.cwnd.saturating_add(ack.mss);
        }
    }

    fn on_loss(&mut self, in_flight: u32, mss: u32) {
        self.ssthresh = Self::reduced(in_flight, mss);
        self.cwnd = self.ssthresh;
        self.acked = 0;
    }

    fn on_timeout(&mut self, in_flight: u32, mss: u32) {
        self.ssthresh = Self::reduced(in_flight, mss);
        self.cwnd = mss;
        self.acked = 0;
    }

    fn on_restart(&mut self, initial_window: u32) {
        self.cwnd = self.cwnd.min(initial_window);
    }

    fn on_disuse(&mut self, least: u32) {
        (self.ssthresh, self.cwnd) = halve_unused(self.cwnd, self.ssthresh, least);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Duration, Instant};
    use crate::wire::SeqNumber;

    const MSS: u32 = 1000;

    fn ack(bytes: u32) -> Ack {
        Ack {
            now: Instant::ZERO,
            bytes,
            srtt: Duration::ZERO,
            rtt: None,
            cwnd_limited: true,
            mss: MSS,
            snd_una: SeqNumber(0),
            snd_nxt: SeqNumber(0),
        }
    }

    #[test]
    fn rfc_5681_3_1_slow_start_doubles_a_round() {
        let mut reno = NewReno::new(10 * MSS);
        for _ in 0..10 {
            reno.on_ack(&ack(MSS));
        }
        assert_eq!(reno.cwnd(), 20 * MSS);
    }

    #[test]
    fn rfc_5681_3_1_congestion_avoidance_adds_a_segment_a_round() {
        let mut reno = NewReno::new(10 * MSS);
        reno.on_loss(20 * MSS, MSS);
        assert_eq!((reno.cwnd(), reno.ssthresh()), (10 * MSS, 10 * MSS));
        for _ in 0..10 {
            reno.on_ack(&ack(MSS));
        }
        assert_eq!(reno.cwnd(), 11 * MSS);
    }

    #[test]
    fn rfc_5681_3_1_a_time_out_leaves_one_segment() {
        let mut reno = NewReno::new(10 * MSS);
        reno.on_timeout(10 * MSS, MSS);
        assert_eq!((reno.cwnd(), reno.ssthresh()), (MSS, 5 * MSS));
        reno.on_timeout(MSS, MSS);
        assert_eq!(reno.ssthresh(), 2 * MSS, "never below two segments");
    }

    #[test]
    fn slow_start_stops_at_the_threshold() {
        let mut reno = NewReno::new(10 * MSS);
        reno.on_timeout(8 * MSS, MSS);
        reno.on_ack(&ack(60 * MSS));
        assert!(reno.cwnd() <= 6 * MSS, "cwnd {}", reno.cwnd());
    }

    #[test]
    fn an_application_that_sends_less_does_not_grow_the_window() {
        let mut reno = NewReno::new(10 * MSS);
        reno.on_ack(&Ack { cwnd_limited: false, ..ack(MSS) });
        assert_eq!(reno.cwnd(), 10 * MSS);
    }

    #[test]
    fn rfc_5681_4_1_restart_after_idle() {
        let mut reno = NewReno::new(10 * MSS);
        reno.on_ack(&ack(50 * MSS));
        reno.on_restart(10 * MSS);
        assert_eq!(reno.cwnd(), 10 * MSS);
    }
}
