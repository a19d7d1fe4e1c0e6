//! Where the shards of one process hand each other packets.
//!
//! Several queues of one interface have a shard each, and share nothing. The kernel puts what belongs to a flow on the
//! queue on which the flow's last packet of ours went out; before the first one, and once three seconds have passed without
//! one, it knows nothing of it and chooses by a hash of its own. Such a packet may come to the wrong shard. It goes to the
//! right one through here, whose answer teaches the kernel anew: on the hot path nothing comes this way.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::Ringer;
use crate::stack::{Instant, Stack, Stray};

/// Packets that may wait for one shard; what comes beyond them is dropped, as by any queue on the way.
const ROOM: usize = 1024;

/// One shard's place among several.
pub(super) struct Crossing {
    arrivals: Receiver<Stray>,
    /// The way to each shard, by its place.
    lanes: Vec<Lane>,
}

struct Lane {
    sender: SyncSender<Stray>,
    ringer: Ringer,
    /// Packets have gone there, and it has not been rung for.
    is_owed_a_ring: bool,
}

impl Crossing {
    /// A place for each of the shards that `ringers` ring for, in their order.
    pub(super) fn among(ringers: &[Ringer]) -> Vec<Crossing> {
        let (senders, receivers): (Vec<_>, Vec<_>) = ringers.iter().map(|_| sync_channel(ROOM)).unzip();
        let lanes = || {
            let lane = |(sender, ringer): (&SyncSender<_>, &Ringer)| Lane {
                sender: sender.clone(),
                ringer: ringer.clone(),
                is_owed_a_ring: false,
            };
            senders.iter().zip(ringers).map(lane).collect()
        };
        receivers.into_iter().map(|arrivals| Crossing { arrivals, lanes: lanes() }).collect()
    }

    /// Gives `stack` what others have sent, `budget` packets at most. Whether there may be more.
    pub(super) fn receive(&mut self, now: Instant, stack: &mut Stack, budget: usize) -> bool {
        for _ in 0..budget {
            let Ok(stray) = self.arrivals.try_recv() else { return false };
            stack.handle_stray(now, stray);
        }
        true
    }

    /// Sends what `stack` has for others, as far as there is room. To be followed by [`ring`](Crossing::ring), without
    /// the stack's lock.
    pub(super) fn send(&mut self, stack: &mut Stack) {
        while let Some(stray) = stack.poll_stray() {
            let lane = self.lanes.get_mut(stray.to);
            // It fails, too, where the shard has stopped.
            let has_gone = lane.is_some_and(|lane| {
                let has_gone = lane.sender.try_send(stray).is_ok();
                lane.is_owed_a_ring |= has_gone;
                has_gone
            });
            if !has_gone {
                stack.count_lost_stray();
            }
        }
    }

    /// Wakes whoever something was sent to.
    pub(super) fn ring(&mut self) {
        for lane in &mut self.lanes {
            if std::mem::take(&mut lane.is_owed_a_ring) {
                lane.ringer.ring();
            }
        }
    }
}
