//! UDP and echo requests.

use std::io::ErrorKind;

use super::*;

#[test]
fn a_datagram_is_answered() {
    let (client, server, _end) = networks();
    let socket = server.udp((SERVER, 0)).unwrap();
    let address = socket.local_addr().unwrap();
    let served = spawn(move || {
        let mut buffer = [0; 64];
        let (len, from) = socket.recv_from(&mut buffer).unwrap();
        socket.send_to(&buffer[..len], from).unwrap();
    });
    let asking = client.udp("10.9.0.1:0").unwrap();
    assert_eq!(asking.send_to(b"datagram", address).unwrap(), 8);
    let mut buffer = [0; 4];
    assert_eq!(asking.recv_from(&mut buffer).unwrap(), (4, address), "the rest is cut off");
    assert_eq!(&buffer, b"data");
    join(&served);
}

#[test]
fn without_a_datagram_the_timeout_ends_the_wait() {
    let (_client, server, _end) = networks();
    let socket = server.udp((SERVER, 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(30))).unwrap();
    assert_eq!(socket.recv_from(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
    socket.set_nonblocking(true).unwrap();
    assert_eq!(socket.recv_from(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_ping_is_answered_in_both_families() {
    let (client, _server, _end) = networks();
    for address in [SERVER, "fd09::2"] {
        let time = client.ping(address.parse().unwrap(), PATIENCE).unwrap();
        assert!((Duration::from_nanos(1)..PATIENCE).contains(&time), "{address}: {time:?}");
    }
}

#[test]
fn a_ping_to_nobody_times_out() {
    let (client, _server, _end) = networks();
    let error = client.ping("10.9.0.77".parse().unwrap(), Duration::from_millis(30)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
}
