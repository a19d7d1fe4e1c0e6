//! What tells that a recovery was needless, and what it takes to undo it: Eifel (RFC 3522), D-SACK (RFC 3708).

use crate::tcp::congestion::Controller;
use crate::wire::SeqNumber;

/// A reduction of the window that may still turn out to be needless. It outlives the recovery, as the last D-SACK comes
/// after its end.
#[derive(Clone, Debug)]
pub(in crate::tcp) struct Undo {
    /// Congestion control as it was, unless it remembers that itself.
    prior: Option<Controller>,
    /// Whether the timer fired.
    pub(in crate::tcp) timeout: bool,
    /// SND.UNA and SND.NXT when it began.
    from: SeqNumber,
    upto: SeqNumber,
    /// The first copy: its number, and its TSval if there are timestamps.
    first_copy: Option<(SeqNumber, Option<u32>)>,
    /// Octets sent again of which no D-SACK has come.
    unreported: u32,
}

impl Undo {
    pub(in crate::tcp) fn new(
        prior: Option<Controller>,
        timeout: bool,
        snd_una: SeqNumber,
        snd_nxt: SeqNumber,
    ) -> Self {
        Undo { prior, timeout, from: snd_una, upto: snd_nxt, first_copy: None, unreported: 0 }
    }

    /// Octets from `seq` on were sent again, with this TSval.
    pub(in crate::tcp) fn on_retransmission(&mut self, seq: SeqNumber, octets: u32, tsval: Option<u32>) {
        self.first_copy.get_or_insert((seq, tsval));
        self.unreported = self.unreported.saturating_add(octets);
    }

    /// A D-SACK says that the peer has these octets twice. Once it has said so of everything that was sent again,
    /// nothing had been lost (RFC 3708 4).
    pub(in crate::tcp) fn on_dsack(&mut self, left: SeqNumber, right: SeqNumber) -> bool {
        if self.first_copy.is_none() || right.le(self.from) || right.gt(self.upto) {
            return false;
        }
        self.unreported = self.unreported.saturating_sub(right - left);
        self.unreported == 0
    }

    /// The first acknowledgment of the first copy echoes a timestamp from before it: the original has arrived
    /// (RFC 3522 3.2).
    pub(in crate::tcp) fn is_answer_to_original(&self, ack: SeqNumber, echo: Option<u32>) -> bool {
        let (Some((seq, Some(sent))), Some(echo)) = (self.first_copy, echo) else { return false };
        ack.gt(seq) && SeqNumber(echo).lt(SeqNumber(sent))
    }

    /// Whether nothing can tell any more: data from after the recovery has been acknowledged.
    pub(in crate::tcp) fn is_settled(&self, snd_una: SeqNumber) -> bool {
        snd_una.gt(self.upto)
    }

    /// What brings congestion control back to where it was.
    pub(in crate::tcp) fn into_prior(self) -> Option<Controller> {
        self.prior
    }
}
