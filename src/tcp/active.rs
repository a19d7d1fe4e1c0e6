//! What a connection has only while something happens on it.
//!
//! Most connections of a server are idle most of the time, and memory is what limits how many there can be. So the
//! control block itself is what has to outlive silence: identity, sequence numbers, windows, options, what is known of
//! the path. The rest is in one box, which is made when it is first written to and let go once the connection has been
//! quiet for a while (`rest` in `timeouts`). Whoever reads it without there being one sees that of a quiet connection.

use std::ops::{Deref, DerefMut};

use super::fast_open::FastOpen;
use super::kept::{Kept, Renew};
use super::path_mtu::PathFindings;
use super::reassembly::Reassembly;
use super::records::Records;
use super::recovery::Recovery;
use super::recovery::delivery::DeliveryRate;
use super::recovery::rack::Rack;
use super::recovery::sent_log::SentLog;
use super::recovery::tail_probe::TailProbe;
use super::recovery::undo::Undo;
use super::right_sizing::RoundTrip;
use super::timers::Timers;
use crate::buffer::{ReceiveQueue, SendQueue};
use crate::time::Instant;
use crate::wire::SeqNumber;

/// The box, or that there is none. Reading never makes one; writing does, so what may be asked of a quiet connection
/// goes through [`existing`](Active::existing).
#[derive(Debug, Default)]
pub(super) struct Active(Option<Box<Activity>>);

impl Active {
    /// Whether there is one.
    pub(super) fn is_awake(&self) -> bool {
        self.0.is_some()
    }

    /// For writing what a quiet connection need not be told.
    pub(super) fn existing(&mut self) -> Option<&mut Activity> {
        self.0.as_deref_mut()
    }

    /// What is to be sent or unacknowledged, if there is any.
    pub(super) fn outgoing_mut(&mut self) -> Option<&mut Outgoing> {
        self.existing()?.outgoing.as_mut()
    }

    /// What is to be read or put in order, if there is any.
    pub(super) fn incoming_mut(&mut self) -> Option<&mut Incoming> {
        self.existing()?.incoming.as_mut()
    }

    /// The connection has been quiet for a while.
    pub(super) fn let_go(&mut self) {
        self.0 = None;
    }
}

impl Deref for Active {
    type Target = Activity;

    fn deref(&self) -> &Activity {
        static QUIET: Activity = Activity::NEW;
        self.0.as_deref().unwrap_or(&QUIET)
    }
}

impl DerefMut for Active {
    fn deref_mut(&mut self) -> &mut Activity {
        self.0.get_or_insert_with(|| Box::new(Activity::NEW))
    }
}

/// What is in the box.
#[derive(Debug)]
pub(super) struct Activity {
    pub(super) timers: Timers,
    /// In a box of its own, which is gone as soon as everything is acknowledged and nothing has been written in answer: it
    /// is half of the whole, and what is left waits for a retransmission time-out to be let go.
    pub(super) outgoing: Kept<Outgoing>,
    pub(super) incoming: Option<Incoming>,
    /// What to do with the next segment of data, or with the SYN.
    pub(super) due: Due,

    /// When a segment of ours was last sent that takes sequence space.
    pub(super) sent_at: Instant,
    /// When SND.UNA last moved, or sending began: where the user timeout counts from.
    pub(super) last_progress: Instant,
    /// Time-outs in a row without an answer.
    pub(super) retries: u8,
    /// Probes of a closed window have been sent since it was last open.
    pub(super) probed: bool,
    /// Congestion control kept us from sending when SND.NXT was here.
    pub(super) cwnd_limited_at: Option<SeqNumber>,
    /// SND.NXT at the last reduction of the window for a mark (RFC 3168), where CWR goes out: none follows until more
    /// than this is acknowledged.
    pub(super) marked_until: Option<SeqNumber>,
    pub(super) tail_probe: TailProbe,
    /// What the last reduction of the window can be undone with, until it is known to have been due.
    pub(super) undo: Option<Box<Undo>>,
    /// What the path has shown that it does not carry, or may not.
    pub(super) path: Option<Box<PathFindings>>,
    /// During a handshake of TCP Fast Open.
    pub(super) fast_open: Option<Box<FastOpen>>,

    /// Octets received since the last acknowledgment was sent.
    pub(super) unacknowledged: u32,
    /// A duplicate that the next acknowledgment reports (RFC 2883).
    pub(super) duplicate: Option<(SeqNumber, SeqNumber)>,
    pub(super) round_trip: RoundTrip,
    pub(super) last_challenge: Option<Instant>,
}

impl Activity {
    /// That of a connection on which nothing has happened yet.
    const NEW: Activity = Activity {
        timers: Timers::NONE,
        outgoing: Kept::NONE,
        incoming: None,
        due: Due::NOTHING,
        sent_at: Instant::ZERO,
        last_progress: Instant::ZERO,
        retries: 0,
        probed: false,
        cwnd_limited_at: None,
        marked_until: None,
        tail_probe: TailProbe::NONE,
        undo: None,
        path: None,
        fast_open: None,
        unacknowledged: 0,
        duplicate: None,
        round_trip: RoundTrip::UNKNOWN,
        last_challenge: None,
    };

    /// Whether the network has something to do with it yet.
    pub(super) fn is_under_way(&self) -> bool {
        self.outgoing.is_some()
            || self.timers.is_any_set()
            || self.unacknowledged > 0
            || self.due != Due::NOTHING
    }

    /// Whether the application has, or what comes next.
    pub(super) fn is_awaited(&self) -> bool {
        self.incoming.is_some() || self.path.is_some() || self.fast_open.is_some()
    }
}

/// What is to become of a last segment that is not full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tail {
    /// The application has announced that more follows: it does not end with PSH.
    pub(super) more: bool,
    /// It waits for what was announced.
    pub(super) held: bool,
    /// The application has pushed: it waits for nothing.
    pub(super) pushed: bool,
}

/// What exists only while there is something to send or unacknowledged.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    /// From SND.UNA on (behind our SYN until that is acknowledged).
    pub(super) queue: SendQueue,
    pub(super) records: Records,
    pub(super) tail: Tail,
    pub(super) log: SentLog,
    pub(super) recovery: Recovery,
    pub(super) rack: Rack,
    pub(super) rate: DeliveryRate,
    /// When the next data was to leave by the pacing rate, however late it did.
    pub(super) paced_until: Instant,
}

impl Renew for Outgoing {
    fn renew(&mut self) {
        let Outgoing { queue, records, tail, log, recovery, rack, rate, paced_until } = self;
        (*queue, *records, *tail) = Default::default();
        log.clear();
        (*recovery, *rack, *rate, *paced_until) = Default::default();
    }
}

/// What exists only while there is something to read or to put in order.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    /// Up to RCV.NXT.
    pub(super) queue: ReceiveQueue,
    /// Above RCV.NXT.
    pub(super) reassembly: Reassembly,
    /// Where the peer's FIN is, if it came before data that precedes it.
    pub(super) fin: Option<SeqNumber>,
}

/// What to send that comes of data or a SYN under way. What else there may be is in
/// [`Pending`](super::connection::Pending).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Due {
    /// A SYN, or in SYN-RECEIVED a SYN-ACK.
    pub(super) syn: bool,
    /// An acknowledgment of data that came in order: due, but better late for more of it.
    pub(super) routine_ack: bool,
    /// A zero-window probe.
    pub(super) probe: bool,
    /// The first segment of a recovery, or after a partial acknowledgment: no window holds it back.
    pub(super) retransmit: bool,
    /// A tail loss probe: no congestion window holds it back.
    pub(super) tail_probe: bool,
}

impl Due {
    pub(super) const NOTHING: Due =
        Due { syn: false, routine_ack: false, probe: false, retransmit: false, tail_probe: false };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buffer::Pool;
    use crate::tcp::recovery::delivery::Snapshot;

    #[test]
    fn what_is_to_be_sent_again_begins_as_if_nothing_had_been() {
        let mut outgoing = Outgoing::default();
        outgoing.queue.write(&Pool::new(), b"abc");
        outgoing.records.end_at(SeqNumber(3));
        outgoing.tail = Tail { more: true, held: true, pushed: true };
        outgoing.log.push(SeqNumber(0), 3, 100, Instant::from_millis(1), Snapshot::default());
        outgoing.rate.start(Instant::from_millis(1));
        outgoing.paced_until = Instant::from_millis(2);
        let new = format!("{:?}", Outgoing::default());
        assert_ne!(format!("{outgoing:?}"), new);
        outgoing.renew();
        assert_eq!(format!("{outgoing:?}"), new);
    }
}
