//! CUBIC (RFC 9438), in bytes.

use super::hystart::{HyStart, Pace};
use super::{Ack, CongestionControl, halve_unused, slow_start};
use crate::time::{Duration, Instant};

/// How fast the window grows, in segments per second cubed (RFC 9438 5.1).
const C: f32 = 0.4;
/// What is left of the window after a loss (RFC 9438 4.6).
const BETA: f32 = 0.7;
/// The additive increase that makes an AIMD flow with this beta as aggressive as Reno (RFC 9438 4.3).
const ALPHA: f32 = 3.0 * (1.0 - BETA) / (1.0 + BETA);

/// The window follows a cubic of the time since the last reduction: quickly back to where the loss was (W_max), slowly
/// around it, quickly beyond; and never slower than Reno would be (RFC 9438 4.2–4.4).
///
/// What is known of the path is all that there is while nothing is learnt. It moves into a box, beside what comes of each
/// acknowledgment, while the window limits the sender: most connections never make it do so.
#[derive(Clone, Debug)]
pub(in crate::tcp) enum Cubic {
    Quiet(Path),
    Growing(Box<Growth>),
}

/// What is known of the path.
#[derive(Clone, Debug)]
pub(in crate::tcp) struct Path {
    cwnd: u32,
    ssthresh: u32,
    /// The first slow start goes on; later ones know their threshold (RFC 9406 4.3).
    first_slow_start: bool,
    /// The window has been reduced at least once: the threshold comes of that, and not of HyStart++ alone.
    reduced: bool,
    /// W_max, in bytes: the window at the last reduction, less if it had not come back to where it was before that.
    w_max: f32,
}

/// How the window grows.
#[derive(Clone, Debug)]
pub(in crate::tcp) struct Growth {
    path: Path,
    hystart: HyStart,
    /// cwnd_prior, in bytes: the window at the last reduction.
    prior: f32,
    /// W_est, in bytes: what Reno's would be.
    w_est: f32,
    /// Growth that is less than a byte.
    fraction: f32,
    /// When the present epoch of growth began, unless it begins with the next acknowledgment.
    epoch: Option<Instant>,
    /// Seconds from then until the window is back at W_max.
    k: f32,
    /// Since when the application has not used the window, if it has not.
    unused_since: Option<Instant>,
}

impl Growth {
    fn new(path: Path, prior: f32) -> Self {
        Growth {
            path,
            hystart: HyStart::default(),
            prior,
            w_est: 0.0,
            fraction: 0.0,
            epoch: None,
            k: 0.0,
            unused_since: None,
        }
    }

    fn on_ack(&mut self, ack: &Ack) {
        self.skip_unused_time(ack.now);
        let bytes = self.slow_start(ack);
        if bytes > 0 {
            self.avoid_congestion(ack, bytes);
        }
    }

    /// Time in which the application did not use the window is none in which it grew (RFC 9438 4.2 and 5.8).
    fn skip_unused_time(&mut self, now: Instant) {
        if let Some(since) = self.unused_since.take()
            && let Some(epoch) = &mut self.epoch
        {
            *epoch += now - since.max(*epoch);
        }
    }

    /// W_cubic(t) = C (t - K)^3 + W_max, in bytes (RFC 9438 4.2, equation 1).
    fn w_cubic(&self, elapsed: Duration, mss: f32) -> f32 {
        let t = elapsed.as_secs_f32() - self.k;
        C * t * t * t * mss + self.path.w_max
    }

    /// Slow start, and what is left of `ack.bytes` behind its end.
    fn slow_start(&mut self, ack: &Ack) -> u32 {
        let path = &mut self.path;
        if path.cwnd >= path.ssthresh {
            return ack.bytes;
        }
        let pace = if path.first_slow_start { self.hystart.on_ack(ack) } else { Pace::Full };
        if pace == Pace::Over {
            path.ssthresh = path.cwnd;
            path.first_slow_start = false;
            return ack.bytes;
        }
        slow_start(&mut path.cwnd, path.ssthresh, HyStart::growth(pace, ack.bytes))
    }

    /// RFC 9438 4.2, equation 2: a new epoch of congestion avoidance.
    fn start_epoch(&mut self, now: Instant, mss: f32) {
        let cwnd = self.path.cwnd as f32;
        self.k = if cwnd < self.path.w_max {
            ((self.path.w_max - cwnd) / mss / C).cbrt()
        } else {
            self.path.w_max = cwnd;
            0.0
        };
        (self.epoch, self.w_est) = (Some(now), cwnd);
    }

    fn avoid_congestion(&mut self, ack: &Ack, bytes: u32) {
        let mss = ack.mss as f32;
        let epoch = self.epoch.unwrap_or_else(|| {
            self.start_epoch(ack.now, mss);
            ack.now
        });
        let (cwnd, acked) = (self.path.cwnd as f32, bytes as f32);
        // Once Reno's window is back where the loss was, it grows as Reno does (RFC 9438 4.3).
        let alpha = if self.w_est >= self.prior { 1.0 } else { ALPHA };
        self.w_est += alpha * acked / cwnd * mss;
        let elapsed = ack.now - epoch;
        if self.w_cubic(elapsed, mss) < self.w_est {
            let reno = self.w_est as u32; // 4.3, the Reno-friendly region
            self.path.cwnd = self.path.cwnd.max(reno);
            return;
        }
        // 4.4 and 4.5: towards where the cubic will be a round-trip from now, at most half as much again.
        let target = self.w_cubic(elapsed + ack.srtt, mss).clamp(cwnd, 1.5 * cwnd);
        self.fraction += (target - cwnd) / cwnd * acked;
        let whole = self.fraction.floor();
        self.fraction -= whole;
        self.path.cwnd = self.path.cwnd.saturating_add(whole as u32);
    }
}

impl Cubic {
    pub(in crate::tcp) fn new(initial_window: u32) -> Self {
        let (cwnd, ssthresh) = (initial_window, u32::MAX);
        Cubic::Quiet(Path { cwnd, ssthresh, first_slow_start: true, reduced: false, w_max: 0.0 })
    }

    fn path(&self) -> &Path {
        match self {
            Cubic::Quiet(path) => path,
            Cubic::Growing(growth) => &growth.path,
        }
    }

    fn path_mut(&mut self) -> &mut Path {
        match self {
            Cubic::Quiet(path) => path,
            Cubic::Growing(growth) => &mut growth.path,
        }
    }

    fn growth(&mut self) -> &mut Growth {
        if let Cubic::Quiet(path) = self {
            // After a rest the threshold tells what cwnd_prior was (RFC 9438 4.6), if there was one.
            let prior = if path.reduced { path.ssthresh as f32 / BETA } else { 0.0 };
            *self = Cubic::Growing(Box::new(Growth::new(path.clone(), prior)));
        }
        match self {
            Cubic::Growing(growth) => growth,
            Cubic::Quiet(_) => unreachable!("it has just become growth"),
        }
    }

    /// RFC 9438 4.6 and 4.7: multiplicative decrease and fast convergence.
    fn reduce(&mut self, mss: u32) {
        let path = self.path_mut();
        let cwnd = path.cwnd as f32;
        // A window that did not come back to where it was makes room for others.
        path.w_max = if cwnd < path.w_max { cwnd * (1.0 + BETA) / 2.0 } else { cwnd };
        path.ssthresh = ((cwnd * BETA) as u32).max(2 * mss);
        (path.first_slow_start, path.reduced) = (false, true);
        let growth = Growth::new(path.clone(), cwnd);
        *self = Cubic::Growing(Box::new(growth));
    }
}

impl CongestionControl for Cubic {
    fn cwnd(&self) -> u32 {
        self.path().cwnd
    }

    fn ssthresh(&self) -> u32 {
        self.path().ssthresh
    }

    fn on_ack(&mut self, ack: &Ack) {
        match self {
            _ if ack.cwnd_limited => self.growth().on_ack(ack),
            Cubic::Growing(growth) => {
                growth.unused_since.get_or_insert(ack.now);
            }
            Cubic::Quiet(_) => {}
        }
    }

    fn on_loss(&mut self, _in_flight: u32, mss: u32) {
        self.reduce(mss);
        let path = self.path_mut();
        path.cwnd = path.ssthresh;
    }

    fn on_timeout(&mut self, _in_flight: u32, mss: u32) {
        self.reduce(mss);
        // 4.8: the next congestion avoidance begins at its own W_max, with K = 0.
        let path = self.path_mut();
        (path.w_max, path.cwnd) = (0.0, mss);
    }

    fn on_restart(&mut self, initial_window: u32) {
        let path = self.path_mut();
        path.cwnd = path.cwnd.min(initial_window);
        // The pause must not count as time in which the window grew (RFC 9438 4.2, 5.8).
        if let Cubic::Growing(growth) = self {
            growth.epoch = None;
        }
    }

    fn on_rest(&mut self) {
        *self = Cubic::Quiet(self.path().clone());
    }

    fn on_disuse(&mut self, least: u32) {
        let path = self.path_mut();
        (path.ssthresh, path.cwnd) = halve_unused(path.cwnd, path.ssthresh, least);
        self.on_restart(self.cwnd());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::SeqNumber;

    const MSS: u32 = 1000;
    const ACK: Ack = Ack {
        now: Instant::ZERO,
        bytes: 0,
        srtt: Duration::ZERO,
        rtt: None,
        cwnd_limited: true,
        mss: MSS,
        snd_una: SeqNumber(0),
        snd_nxt: SeqNumber(0),
    };

    /// Acknowledges a whole window each round-trip of 100 ms, from `from` on.
    fn rounds(cubic: &mut Cubic, from: u64, count: u64) -> Vec<u32> {
        let srtt = Duration::from_millis(100);
        (0..count)
            .map(|round| {
                let now = Instant::from_millis(from + 100 * round);
                let bytes = cubic.cwnd();
                cubic.on_ack(&Ack { now, bytes, srtt, ..ACK });
                cubic.cwnd()
            })
            .collect()
    }

    #[test]
    fn rfc_9438_4_6_a_loss_leaves_seven_tenths() {
        let mut cubic = Cubic::new(100 * MSS);
        cubic.on_loss(100 * MSS, MSS);
        assert_eq!((cubic.cwnd(), cubic.ssthresh()), (70 * MSS, 70 * MSS));
    }

    #[test]
    fn rfc_9438_4_2_back_at_w_max_after_k_seconds() {
        let mut cubic = Cubic::new(100 * MSS);
        cubic.on_loss(100 * MSS, MSS);
        // K = cbrt(100 * 0.3 / 0.4) = 4.2 s
        let windows = rounds(&mut cubic, 0, 60);
        assert!(windows[38] < 100 * MSS, "{}", windows[38]);
        assert!(windows[44] >= 99 * MSS, "{}", windows[44]);
        let (near, far) = (windows[45] - windows[40], windows[59] - windows[54]);
        assert!(far > 3 * near, "flat around W_max, then steep: {near} and {far}");
    }

    #[test]
    fn rfc_9438_4_3_never_slower_than_reno() {
        let mut cubic = Cubic::new(4 * MSS);
        cubic.on_loss(4 * MSS, MSS);
        let srtt = Duration::from_millis(1);
        for round in 0..100 {
            let (now, bytes) = (Instant::from_millis(round), cubic.cwnd());
            cubic.on_ack(&Ack { now, bytes, srtt, ..ACK });
        }
        assert!(cubic.cwnd() > 50 * MSS, "{}", cubic.cwnd());
    }

    #[test]
    fn rfc_9438_4_7_fast_convergence() {
        let mut cubic = Cubic::new(100 * MSS);
        cubic.on_loss(100 * MSS, MSS);
        cubic.on_loss(70 * MSS, MSS);
        assert!((cubic.path().w_max - 59_500.0).abs() < 1.0, "{}", cubic.path().w_max);
    }

    #[test]
    fn a_pause_does_not_count_as_growth() {
        let mut cubic = Cubic::new(100 * MSS);
        cubic.on_loss(100 * MSS, MSS);
        rounds(&mut cubic, 0, 10);
        cubic.on_restart(100 * MSS);
        let before = cubic.cwnd();
        let after = rounds(&mut cubic, 3_600_000, 1)[0];
        assert!(after < before + before / 20, "{before} to {after}");
    }

    #[test]
    fn rfc_9438_4_3_as_fast_as_reno_from_the_old_window_on() {
        let mut cubic = Cubic::new(100 * MSS);
        cubic.on_loss(100 * MSS, MSS);
        cubic.on_loss(70 * MSS, MSS);
        // W_max is 59.5 segments by fast convergence; the window before was 70.
        assert!((cubic.growth().prior - 70_000.0).abs() < 1.0, "{}", cubic.growth().prior);
        cubic.growth().w_est = 60_000.0;
        cubic.growth().epoch = Some(Instant::ZERO);
        cubic.on_ack(&Ack { bytes: 49 * MSS, ..ACK });
        let w_est = cubic.growth().w_est;
        assert!((w_est - 60_000.0 - ALPHA * 1000.0).abs() < 1.0, "not yet: {w_est}");
    }

    #[test]
    fn rfc_9438_4_8_after_a_time_out_the_cubic_begins_where_slow_start_ended() {
        let mut cubic = Cubic::new(100 * MSS);
        cubic.on_timeout(100 * MSS, MSS);
        assert_eq!((cubic.cwnd(), cubic.ssthresh()), (MSS, 70 * MSS));
        cubic.on_ack(&Ack { bytes: 70 * MSS, ..ACK });
        assert_eq!((cubic.cwnd() / MSS, cubic.growth().k), (70, 0.0));
        assert!((cubic.path().w_max - 70_000.0).abs() < 1.0, "{}", cubic.path().w_max);
    }

    #[test]
    fn rfc_9438_5_8_time_in_which_the_window_was_not_used_does_not_count() {
        let mut cubic = Cubic::new(100 * MSS);
        cubic.on_loss(100 * MSS, MSS);
        rounds(&mut cubic, 0, 10);
        let before = cubic.cwnd();
        for second in 1..600 {
            let now = Instant::from_secs(second);
            cubic.on_ack(&Ack { now, bytes: MSS, cwnd_limited: false, ..ACK });
        }
        assert_eq!(cubic.cwnd(), before);
        let after = rounds(&mut cubic, 600_000, 1)[0];
        assert!(after < before + before / 20, "{before} to {after}");
        assert!(rounds(&mut cubic, 600_100, 50)[49] > 100 * MSS, "and it goes on from there");
    }

    #[test]
    fn rfc_9406_4_3_slow_start_ends_when_the_rtt_rises() {
        let mut cubic = Cubic::new(10 * MSS);
        for round in 0..20_u32 {
            for i in 0..10 {
                let rtt = Some(Duration::from_millis(if round < 3 { 20 } else { 40 }));
                let (snd_una, snd_nxt) = (SeqNumber(round * 100 + i), SeqNumber(round * 100 + 100));
                cubic.on_ack(&Ack { bytes: MSS, rtt, snd_una, snd_nxt, ..ACK });
            }
        }
        assert!((40..100).contains(&(cubic.ssthresh() / MSS)), "{}", cubic.ssthresh());
        assert!(!cubic.path().first_slow_start, "for the first slow start alone");
        cubic.on_rest();
        assert_eq!(cubic.growth().prior, 0.0, "the window was never reduced");
    }

    /// What a later acknowledgment needs, and what a quiet connection keeps.
    #[test]
    fn a_rest_ends_the_epoch_and_leaves_the_window_and_w_max() {
        let mut cubic = Cubic::new(100 * MSS);
        cubic.on_loss(100 * MSS, MSS);
        rounds(&mut cubic, 0, 10);
        let (before, w_max) = (cubic.cwnd(), cubic.path().w_max);
        cubic.on_rest();
        assert!(matches!(cubic, Cubic::Quiet(_)));
        assert_eq!((cubic.cwnd(), cubic.path().w_max), (before, w_max));
        let after = rounds(&mut cubic, 3_600_000, 1)[0];
        assert!(after < before + before / 20, "{before} to {after}");
        cubic.on_ack(&Ack { cwnd_limited: false, ..ACK });
        let mut fresh = Cubic::new(10 * MSS);
        fresh.on_ack(&Ack { bytes: MSS, cwnd_limited: false, ..ACK });
        assert!(matches!(fresh, Cubic::Quiet(_)), "an application that does not fill the window needs none");
    }

    #[test]
    fn slow_start_doubles() {
        let mut cubic = Cubic::new(10 * MSS);
        assert_eq!(rounds(&mut cubic, 0, 2), [20 * MSS, 40 * MSS]);
    }
}
