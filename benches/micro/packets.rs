//! Packets among so many connections, as often as asked for and without any measuring: what a tool watches that counts
//! instructions. `scripts/instructions.sh` is that.

use longwire::wire::{TcpFlags, TcpOptions};

use crate::connections::next;
use crate::peer::Rig;

/// `acknowledgments|exchanges CONNECTIONS COUNT`, and what cargo puts behind it.
pub(super) fn run(words: &[String]) {
    let [what, connections, count, ..] = words else { panic!("packets WHAT CONNECTIONS COUNT") };
    let connections = connections.parse().expect("a number of connections");
    let count: usize = count.parse().expect("a number of packets");
    let (mut rig, mut peers) = Rig::with_connections(connections);
    // A connection's first exchange allocates what it keeps.
    peers.iter_mut().for_each(|peer| rig.exchange(peer));
    let mut index = 0;
    for _ in 0..count {
        let peer = &mut peers[next(&mut index, connections)];
        match what.as_str() {
            "acknowledgments" => rig.receive(peer, TcpFlags::ACK, TcpOptions::default(), b""),
            "exchanges" => rig.exchange(peer),
            other => panic!("{other} are no packets"),
        }
    }
}
