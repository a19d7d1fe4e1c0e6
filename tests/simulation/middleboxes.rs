//! Boxes on the way that thin acknowledgments, shrink windows and clamp segment sizes. What a host sends through them is
//! judged in every world; here is what it may cost.

use longwire::sim::Middlebox;
use longwire::time::Duration;

use crate::pair::{CLIENT, Pair, SERVER};

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn through(back: Middlebox) -> Pair {
    let mut pair = Pair::establish("delay=10ms,rate=50mbit,queue=5MiB");
    pair.world.set_middlebox(SERVER, CLIENT, back);
    pair
}

/// One acknowledgment in 8 ms stands for 35 segments: the window opens by what it covers (RFC 5681 3.1, RFC 3465), and
/// nothing takes the silence for a loss.
#[test]
fn stretched_acknowledgments_cost_no_time_out() {
    let mut pair = through(Middlebox { ack_spacing: Duration::from_millis(8), ..Middlebox::default() });
    pair.transfer(CLIENT, 4_000_000, secs(2));
    let counters = &pair.client().counters().tcp;
    assert_eq!((counters.rto, counters.retransmissions), (0, 0));
}

#[test]
fn every_second_acknowledgment_lost_costs_no_time_out() {
    let mut pair = through(Middlebox { ack_loss: 0.5, ..Middlebox::default() });
    pair.transfer(CLIENT, 4_000_000, secs(2));
    assert_eq!(pair.client().counters().tcp.rto, 0);
}

/// A window that was shrunk leaves more in flight than it admits (RFC 9293 3.8.6, SHLD-14 and MUST-34): the sender waits,
/// and goes on from where the peer is.
#[test]
fn a_peer_that_shrinks_its_window_gets_every_byte() {
    for (every, limit) in [(3, 30), (40, 60), (700, 120)] {
        let every = Some(Duration::from_millis(every));
        let mut pair = through(Middlebox { window_changes_every: every, ..Middlebox::default() });
        pair.transfer(CLIENT, 2_000_000, secs(limit));
        pair.world.set_middlebox(SERVER, CLIENT, Middlebox::default());
        pair.close();
    }
}
