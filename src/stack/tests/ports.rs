//! Ports of our choice.

use super::*;
use crate::stack::Error;

#[test]
fn every_port_is_given_once_and_then_none_is_left() {
    let mut host = Host::new();
    let mut ports = std::collections::HashSet::new();
    for _ in 0..32_768 {
        let id = host.stack.connect(host.now, at("10.0.0.2", 80), None, None).unwrap();
        assert!(ports.insert(host.stack.local_addr(id).unwrap().port()), "a port twice");
    }
    assert_eq!(host.stack.connect(host.now, at("10.0.0.2", 80), None, None), Err(Error::AddrNotAvailable));
    assert_eq!(host.stack.counters().stack.ports_exhausted, 1);
    assert!(host.stack.connect(host.now, at("10.0.0.2", 81), None, None).is_ok(), "another destination");
}

#[test]
fn a_port_of_a_listener_is_passed_over() {
    let mut host = Host::new();
    let first = host.stack.connect(host.now, at("10.0.0.2", 80), None, None).unwrap();
    let next = host.stack.local_addr(first).unwrap().port().checked_add(1).unwrap();
    host.stack.listen(at("0.0.0.0", next), crate::stack::ListenOptions::default()).unwrap();
    let second = host.stack.connect(host.now, at("10.0.0.2", 80), None, None).unwrap();
    assert_eq!(host.stack.local_addr(second).unwrap().port(), next + 1);
}
