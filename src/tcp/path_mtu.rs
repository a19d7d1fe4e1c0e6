//! Path MTU discovery: how large a segment the path to the peer carries (RFC 1191, RFC 8201), and what to do where no
//! router says so (RFC 4821).
//!
//! All packets forbid fragmentation, so a segment that is too large is dropped and a router says what would have fitted.
//! Nothing but this one connection believes it: whoever forges the message has guessed a sequence number under way
//! (RFC 5927 4.1), and gets smaller segments here for a while.

use super::Context;
use super::connection::{Connection, TIMESTAMPS_LEN};
use crate::time::{Duration, Instant};
use crate::wire::SeqNumber;

/// How long a limit stands before larger segments are tried again (RFC 1191 6.3, RFC 8201 4).
const LIFETIME: Duration = Duration::from_secs(600);
/// After so many time-outs in a row full segments are suspected to be too large for a path that says nothing.
const SUSPICIOUS: u8 = 3;
/// What is tried first then: what fits 1,280 bytes over either family, and so nearly every tunnel.
const TUNNEL_MSS: u16 = 1_220;
/// Steps down for a router that does not say how far: MTUs of RFC 1191 7.1, less 40 for the headers.
const PLATEAUS: [u16; 8] = [31_960, 17_874, 8_126, 4_312, 1_962, 1_452, 966, 536];

/// What is known of the path beyond what both ends agreed upon.
#[derive(Debug, Default)]
pub(super) struct PathFindings {
    limit: Option<Limit>,
    trial: Option<Trial>,
}

/// That it carries less.
#[derive(Debug)]
struct Limit {
    /// SND.MSS without it.
    unlimited: u16,
    until: Instant,
}

/// A smaller segment that went out when full ones had gone unanswered. If it arrives, and full ones still do not, they are
/// too large. If they do, nothing at all had arrived for a while.
#[derive(Debug)]
struct Trial {
    /// Its size, options included.
    mss: u16,
    end: SeqNumber,
    until: Instant,
}

impl Connection {
    /// A router has dropped a segment that is still under way for its size. `mss` is what segment size would have
    /// fitted, options included; `None` if it did not say (RFC 1191 5). Whether that changes anything.
    pub fn handle_packet_too_big(&mut self, cx: &mut Context<'_>, mss: Option<u16>) -> bool {
        let now = self.snd_mss + self.options_len();
        let told = mss.or_else(|| PLATEAUS.into_iter().find(|&plateau| plateau < now)).unwrap_or(now);
        let told = told.max(self.least_mss);
        if !self.state.is_synchronised() || told >= now {
            return false;
        }
        cx.counters.path_mtu_reductions += 1;
        self.limit_segments(cx, told);
        true
    }

    /// The retransmission timer has fired again. If full segments are what does not arrive, smaller ones may (RFC 4821
    /// 7.7; RFC 8899 4.3): one is tried, and tells this from an outage.
    pub(super) fn suspect_black_hole(&mut self, cx: &mut Context<'_>) {
        let Some(hole) = self.active.outgoing.as_ref().and_then(|outgoing| outgoing.log.first_hole()) else {
            return;
        };
        let lost = hole.len.min(hole.size.min(self.snd_mss).into()) + u32::from(self.options_len());
        let trial = self.active.path.as_ref().and_then(|path| path.trial.as_ref());
        let arrived = trial.filter(|trial| trial.end.le(self.snd_una)).map(|trial| trial.mss);
        match arrived.filter(|&mss| u32::from(mss) < lost) {
            Some(mss) => {
                cx.counters.path_mtu_black_holes += 1;
                self.limit_segments(cx, mss);
            }
            None if self.active.retries.is_multiple_of(SUSPICIOUS) => self.try_smaller(cx, lost),
            None => {}
        }
    }

    /// What goes out next is smaller than the segment that was `lost`, options included, if there is anything smaller.
    fn try_smaller(&mut self, cx: &Context<'_>, lost: u32) {
        let first = if self.active.retries == SUSPICIOUS { TUNNEL_MSS } else { self.least_mss };
        let Some(mss) = [first, self.least_mss].into_iter().find(|&mss| u32::from(mss) < lost) else {
            return;
        };
        let size = mss - self.options_len();
        let trial = Trial { mss, end: self.snd_una + size.into(), until: cx.now + LIFETIME };
        let Some(active) = self.active.existing() else { return };
        active.path.get_or_insert_default().trial = Some(trial);
        if let Some(outgoing) = active.outgoing.as_mut() {
            outgoing.log.cut_head(size);
        }
    }

    /// Once its time is over a limit may be no longer true, and when more than a few segments have followed a smaller one,
    /// there were full ones among them.
    pub(super) fn review_path(&mut self, now: Instant) {
        let (snd_una, few) = (self.snd_una, 2 * i32::from(self.snd_mss));
        let Some(active) = self.active.existing() else { return };
        let Some(path) = &mut active.path else { return };
        path.trial.take_if(|trial| trial.until <= now || snd_una.distance(trial.end) > few);
        let over = path.limit.take_if(|limit| limit.until <= now);
        if path.limit.is_none() && path.trial.is_none() {
            active.path = None;
        }
        if let Some(limit) = over {
            self.snd_mss = limit.unlimited;
        }
    }

    /// No segment carries more than `mss`, options included. What is under way and does is lost, and goes out again at
    /// once, cut anew; that tells nothing of congestion (RFC 1191 6.5).
    fn limit_segments(&mut self, cx: &Context<'_>, mss: u16) {
        let path = self.active.path.get_or_insert_default();
        let unlimited = path.limit.as_ref().map_or(self.snd_mss, |limit| limit.unlimited);
        **path = PathFindings { limit: Some(Limit { unlimited, until: cx.now + LIFETIME }), trial: None };
        self.snd_mss = mss - self.options_len();
        if let Some(outgoing) = self.active.outgoing_mut()
            && outgoing.log.cut_anew(self.snd_mss)
        {
            self.active.due.retransmit = true;
        }
    }

    /// Options that every data segment has.
    pub(super) fn options_len(&self) -> u16 {
        if self.timestamps { TIMESTAMPS_LEN } else { 0 }
    }
}
