//! How connections and networks end.

use std::io::{ErrorKind, Read, Write};
use std::net::ToSocketAddrs;

use super::super::socket::Socket;
use super::*;
use crate::stack::Error;

#[test]
fn dropping_without_shutdown_delivers_everything() {
    let (mut client, server, _end) = connection();
    let bytes = noise(3, 700_000);
    let received = spawn(move || read_all(server).unwrap());
    client.write_all(&bytes).unwrap();
    drop(client);
    assert!(join(&received) == bytes);
}

#[test]
fn dropping_the_last_handle_waits_until_everything_has_gone() {
    let (client, server, mut end) = networks();
    let (mut stream, accepted) = connect(&client, &listen(&server));
    end.0.remove(0);
    drop(client);
    let bytes = noise(4, 700_000);
    let received = spawn(move || read_all(accepted).unwrap());
    stream.write_all(&bytes).unwrap();
    // This was the last handle on the client's network: its loop and device are gone when this returns.
    drop(stream);
    assert!(join(&received) == bytes);
}

#[test]
fn shutting_a_network_down_in_the_middle_of_a_transfer_loses_nothing() {
    let (client, server, _end) = networks();
    let (mut stream, accepted) = connect(&client, &listen(&server));
    let received = spawn(move || read_all(accepted).unwrap());
    let (begun, beginning) = mpsc::channel();
    let written = spawn(move || {
        let bytes = noise(5, 64 * 1024);
        let mut written = 0;
        let error = loop {
            match stream.write(&bytes[written % bytes.len()..]) {
                Ok(count) => written += count,
                Err(error) => break error.kind(),
            }
            if written > 1_000_000 {
                let _ = begun.send(());
            }
        };
        (written, error)
    });
    join(&beginning);
    assert!(client.shutdown(PATIENCE), "everything closed in order");
    let (written, error) = join(&written);
    assert_eq!(error, ErrorKind::BrokenPipe);
    let received = join(&received);
    assert_eq!(received.len(), written);
    assert!(received.iter().eq(noise(5, 64 * 1024).iter().cycle().take(written)));
}

#[test]
fn shutting_down_resets_a_peer_that_does_not_close() {
    let (client, server, _end) = networks();
    let (_stream, mut accepted) = connect(&client, &listen(&server));
    assert!(!client.shutdown(Duration::from_millis(50)), "the peer never closed");
    let writing =
        spawn(move || std::iter::repeat_with(|| accepted.write_all(b"x")).find_map(Result::err).unwrap());
    // The peer had closed its direction, so that nothing but what we write is lost: as kernels report it.
    assert_eq!(join(&writing).kind(), ErrorKind::BrokenPipe);
}

#[test]
fn a_socket_that_is_opened_in_the_middle_of_a_shutdown_is_closed() {
    let (client, server, _end) = networks();
    let listener = listen(&server);
    let (stream, accepted) = connect(&client, &listener);
    // It goes on as long as this connection does.
    let stopping = spawn({
        let server = server.clone();
        move || server.shutdown(PATIENCE)
    });
    while server.check_open().is_ok() {
        thread::yield_now();
    }
    let shared = server.shared();
    let id =
        shared.with(|stack| stack.udp_bind((SERVER, 9).to_socket_addrs().unwrap().next().unwrap())).unwrap();
    assert_eq!(Socket::new(&server, server.shared(), id).unwrap_err().kind(), ErrorKind::NetworkDown);
    assert_eq!(shared.with(|stack| stack.local_addr(id)), Err(Error::StaleSocket));
    drop((stream, accepted));
    assert!(join(&stopping));
}

#[test]
fn shutting_down_ends_every_wait() {
    let (client, server, _end) = networks();
    let listener = listen(&server);
    let (stream, accepted) = connect(&client, &listener);
    let udp = server.udp((SERVER, 0)).unwrap();
    let waits = [
        spawn(move || listener.accept().unwrap_err().kind()),
        spawn(move || udp.recv_from(&mut [0; 8]).unwrap_err().kind()),
    ];
    let reading = spawn(move || (&accepted).read(&mut [0; 8]).map_err(|error| error.kind()));
    let peer = spawn(move || read_all(stream).unwrap());
    assert!(server.shutdown(PATIENCE));
    for wait in waits {
        assert_eq!(join(&wait), ErrorKind::NetworkDown);
    }
    assert_eq!(join(&peer), b"");
    assert_eq!(join(&reading), Ok(0), "the peer closed in answer");
}

#[test]
fn nothing_new_begins_after_a_shutdown() {
    let (client, server, _end) = networks();
    let listener = listen(&server);
    server.shutdown(PATIENCE);
    assert_eq!(server.listen((SERVER, 0)).unwrap_err().kind(), ErrorKind::NetworkDown);
    assert_eq!(server.udp((SERVER, 0)).unwrap_err().kind(), ErrorKind::NetworkDown);
    assert_eq!(server.icmp().unwrap_err().kind(), ErrorKind::NetworkDown);
    assert_eq!(server.connect("10.9.0.1:80").unwrap_err().kind(), ErrorKind::NetworkDown);
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::NetworkDown);
    let gone = client.connect_timeout(&"10.9.0.2:80".parse().unwrap(), Duration::from_millis(50));
    assert_eq!(gone.unwrap_err().kind(), ErrorKind::TimedOut, "the device is closed");
}

#[test]
fn dropping_with_unread_data_resets() {
    let (mut client, server, _end) = connection();
    client.write_all(b"never read").unwrap();
    server.peek(&mut [0; 1]).unwrap();
    drop(server);
    assert_eq!(client.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::ConnectionReset);
}
