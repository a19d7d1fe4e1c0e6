//! Proportional rate reduction: how much each acknowledgment lets out during fast recovery (RFC 9937).

/// One episode. All in bytes.
///
/// What is under way goes down to ssthresh in proportion to what is delivered. Once there, or below after many losses,
/// as much is sent as was delivered (PRR-CRB), and a segment more for each acknowledgment that shows that all is well
/// (PRR-SSRB).
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::tcp) struct Prr {
    /// prr_delivered
    delivered: u32,
    /// prr_out
    out: u32,
    /// RecoverFS
    flight: u32,
    /// What is left of sndcnt.
    allowance: u32,
}

/// An acknowledgment during recovery, the one that begins it included.
#[derive(Clone, Copy, Debug)]
pub(in crate::tcp) struct Progress {
    /// DeliveredData
    pub(in crate::tcp) delivered: u32,
    /// inflight, after what the acknowledgment says
    pub(in crate::tcp) pipe: u32,
    pub(in crate::tcp) ssthresh: u32,
    /// SafeACK: SND.UNA has moved, and no further loss shows.
    pub(in crate::tcp) safe: bool,
    pub(in crate::tcp) mss: u32,
}

impl Prr {
    /// An episode begins with `flight` bytes under way, those included that the acknowledgment delivered with which it
    /// begins (RFC 9937 6.1).
    pub(in crate::tcp) fn new(flight: u32) -> Self {
        Prr { flight: flight.max(1), ..Prr::default() }
    }

    /// RFC 9937 6.2.
    pub(in crate::tcp) fn on_ack(&mut self, progress: &Progress) {
        let Progress { delivered, pipe, ssthresh, safe, mss } = *progress;
        self.delivered = self.delivered.saturating_add(delivered);
        self.allowance = if pipe > ssthresh {
            let share = (u64::from(self.delivered) * u64::from(ssthresh)).div_ceil(u64::from(self.flight));
            u32::try_from(share).unwrap_or(u32::MAX).saturating_sub(self.out)
        } else {
            let conserved = self.delivered.saturating_sub(self.out).max(delivered);
            let wanted = if safe { conserved.saturating_add(mss) } else { conserved };
            wanted.min(ssthresh - pipe)
        };
    }

    /// Something was sent, new or again (RFC 9937 6.3).
    pub(in crate::tcp) fn on_sent(&mut self, octets: u32) {
        self.out = self.out.saturating_add(octets);
        self.allowance = self.allowance.saturating_sub(octets);
    }

    /// What may be sent before the next acknowledgment.
    pub(in crate::tcp) fn allowance(&self) -> u32 {
        self.allowance
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MSS: u32 = 1_000;

    fn ack(delivered: u32, pipe: u32, safe: bool) -> Progress {
        Progress { delivered: delivered * MSS, pipe: pipe * MSS, ssthresh: 10 * MSS, safe, mss: MSS }
    }

    /// Twenty segments, one lost, ssthresh 10: every second acknowledgment lets one out, and ten are out at the end.
    #[test]
    fn rfc_9937_6_2_one_loss_is_spread_over_the_whole_recovery() {
        let mut prr = Prr::new(20 * MSS);
        let (mut pipe, mut sent) = (19, Vec::new());
        for _ in 0..19 {
            pipe -= 1;
            prr.on_ack(&ack(1, pipe, false));
            let now = prr.allowance() / MSS;
            prr.on_sent(now * MSS);
            pipe += now;
            sent.push(now);
        }
        assert!(sent.windows(2).all(|pair| pair[0] + pair[1] <= 2), "no bursts: {sent:?}");
        assert_eq!(pipe, 10, "{sent:?}");
    }

    #[test]
    fn rfc_9937_6_2_below_ssthresh_packets_are_conserved() {
        let mut prr = Prr::new(20 * MSS);
        prr.on_ack(&ack(1, 4, false));
        assert_eq!(prr.allowance(), MSS, "PRR-CRB");
        prr.on_sent(MSS);
        assert_eq!(prr.allowance(), 0);
        prr.on_ack(&ack(1, 4, true));
        assert_eq!(prr.allowance(), 2 * MSS, "PRR-SSRB");
    }

    #[test]
    fn rfc_9937_6_2_never_beyond_ssthresh() {
        let mut prr = Prr::new(20 * MSS);
        prr.on_ack(&ack(8, 9, true));
        assert_eq!(prr.allowance(), MSS);
    }

    #[test]
    fn rfc_9937_6_2_what_was_not_sent_in_time_is_made_up_for() {
        let mut prr = Prr::new(20 * MSS);
        for pipe in (3..8).rev() {
            prr.on_ack(&ack(1, pipe, false));
        }
        assert_eq!(prr.allowance(), 5 * MSS);
    }
}
