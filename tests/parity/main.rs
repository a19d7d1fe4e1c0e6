//! The same programs against the standard library's sockets and against ours: they compile against both, and what they
//! see does not depend on whose sockets they are.

#![cfg(feature = "net")]
#![allow(clippy::duplicate_mod, reason = "the same source compiled twice, against either, is the test")]

mod ours;
mod theirs;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use longwire::device::{Cut, SocketEnd};
use longwire::net::{Network, TcpStream};

/// The default network is one for the whole process; so are these tests, one after another.
fn alone() -> MutexGuard<'static, ()> {
    static LOCK: Mutex<()> = Mutex::new(());
    LOCK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A network without neighbours: it talks to itself.
fn network() -> Network {
    let (device, _nobody) = SocketEnd::pair(1_500).unwrap();
    let address = "10.9.0.2/24".parse().unwrap();
    Network::builder(Cut::new(device)).address(address).start().unwrap()
}

/// Runs a program against both and compares what it noted, line by line.
#[track_caller]
fn compare(theirs: fn(&str) -> Vec<String>, ours: fn(&str) -> Vec<String>) {
    let _alone = alone();
    let theirs = theirs("127.0.0.1");
    Network::set_default(network());
    let ours = ours("10.9.0.2");
    if let Some(network) = Network::set_default(None) {
        network.shutdown(Duration::ZERO);
    }
    assert!(!theirs.is_empty());
    assert_eq!(ours, theirs, "left: longwire::net, right: std::net");
}

macro_rules! programs {
    ($($program:ident),+ $(,)?) => {
        $(
            #[test]
            fn $program() {
                compare(theirs::programs::$program, ours::programs::$program);
            }
        )+
    };
}

programs!(
    listening,
    connecting,
    reading,
    writing,
    waiting,
    half_closing,
    resetting,
    vanishing,
    setting_options,
    exchanging_datagrams,
    connecting_datagrams,
);

#[test]
fn without_a_default_network_the_error_says_so() {
    let _alone = alone();
    let error = TcpStream::connect("10.9.0.2:80").unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NetworkDown);
    assert!(error.to_string().contains("Network::set_default"), "{error}");
}
