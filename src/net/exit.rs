//! What a program has written reaches its peer although `main` returns: what the kernel does for its own sockets.
//!
//! A static, a detached thread or a leak may hold sockets when `main` returns, and nobody drops those. So the thread
//! that runs `main` has a thread-local value whose destructor does at the end of the process what a kernel does there:
//! closes every socket of every network in order, and waits until it is delivered.

use std::sync::{Mutex, PoisonError};
use std::thread;

use super::Network;
use super::network::WeakNetwork;

/// The networks that may be running.
static NETWORKS: Mutex<Vec<WeakNetwork>> = Mutex::new(Vec::new());

thread_local! {
    /// Of the main thread only: its destructor runs when `main` has returned or called [`std::process::exit`].
    static END: End = const { End };
}

struct End;

/// Has the end of the program wait for `network`, if this is the thread that runs `main`: no other thread learns of it.
pub(super) fn watch(network: &Network) {
    // The standard library gives this name to the main thread.
    if thread::current().name() != Some("main") {
        return;
    }
    END.with(|End| ());
    let mut networks = NETWORKS.lock().unwrap_or_else(PoisonError::into_inner);
    networks.retain(|network| network.upgrade().is_some());
    networks.push(network.downgrade());
}

impl Drop for End {
    fn drop(&mut self) {
        let watched = std::mem::take(&mut *NETWORKS.lock().unwrap_or_else(PoisonError::into_inner));
        let networks: Vec<Network> = watched.iter().filter_map(WeakNetwork::upgrade).collect();
        // All of them close before any is waited for: they may be each other's peers.
        networks.iter().for_each(Network::close_sockets);
        networks.iter().for_each(Network::stop);
    }
}
