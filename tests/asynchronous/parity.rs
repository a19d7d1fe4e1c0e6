//! The same programs on `tokio::net` and on `longwire::net::tokio`.

use longwire::device::{Cut, SocketEnd};
use longwire::net::Network;

use super::{ours, theirs};

/// A default network without neighbours: everything is loopback.
fn use_default_network() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let (device, _nobody) = SocketEnd::pair(1_500).unwrap();
        let address = "10.9.0.2/24".parse().unwrap();
        Network::set_default(Network::builder(Cut::new(device)).address(address).start().unwrap());
    });
}

macro_rules! parity {
    ($($program:ident),* $(,)?) => {$(
        #[test]
        fn $program() {
            use_default_network();
            super::run(theirs::programs::$program());
            super::run(ours::programs::$program());
        }
    )*};
}

parity! {
    an_echo_through_borrowed_halves,
    owned_halves_and_what_dropping_them_does,
    readiness_and_what_can_be_done_at_once,
    options_and_errors,
    nobody_listens,
    datagrams,
    a_socket_that_is_not_asynchronous_any_more,
}
