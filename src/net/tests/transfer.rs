//! Much at once: bytes, threads, connections.

use std::io::Write;
use std::net::Shutdown;

use super::*;
use crate::device::{pair, whole_pair};

const MEGABYTE: usize = 1 << 20;

/// Both directions at once, compared byte for byte.
fn exchange(client: TcpStream, server: TcpStream, len: usize) {
    let ends = [(client, 1), (server, 2)].map(|(stream, seed)| {
        let mut writer = stream.try_clone().unwrap();
        let written = spawn(move || {
            writer.write_all(&noise(seed, len)).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        });
        let read = spawn(move || read_all(stream).unwrap());
        (written, read)
    });
    let [(client_written, client_read), (server_written, server_read)] = ends;
    join(&client_written);
    join(&server_written);
    assert!(join(&server_read) == noise(1, len), "what the server read is not what the client wrote");
    assert!(join(&client_read) == noise(2, len), "what the client read is not what the server wrote");
}

#[test]
fn sixteen_megabytes_each_way_over_a_cable_that_is_often_full() {
    let (client, server, _end) = connection();
    exchange(client, server, 16 * MEGABYTE);
}

#[test]
fn sixteen_megabytes_each_way_in_super_packets() {
    let (a, b) = whole_pair(1_500);
    let (client, server, _end) = networks_over(a, b);
    let (client, server) = connect(&client, &listen(&server));
    exchange(client, server, 16 * MEGABYTE);
}

#[test]
fn a_device_without_a_descriptor_is_looked_at_all_the_same() {
    let (a, b) = pair(1_500);
    let (client, server, _end) = networks_over(a, b);
    let (client, server) = connect(&client, &listen(&server));
    exchange(client, server, MEGABYTE);
}

#[test]
fn several_threads_accept_from_one_listener() {
    let (client, server, _end) = networks();
    let listener = listen(&server);
    let address = listener.local_addr().unwrap();
    let acceptors: Vec<_> = (0..4)
        .map(|_| {
            let listener = listener.try_clone().unwrap();
            spawn(move || {
                for stream in listener.incoming().take(5) {
                    stream.unwrap().write_all(b"hello").unwrap();
                }
            })
        })
        .collect();
    for _ in 0..20 {
        assert_eq!(read_all(client.connect(address).unwrap()).unwrap(), b"hello");
    }
    for acceptor in acceptors {
        join(&acceptor);
    }
}

#[test]
fn two_hundred_connections_at_once() {
    const CONNECTIONS: usize = 200;
    let (client, server, _end) = networks();
    let listener = listen(&server);
    let address = listener.local_addr().unwrap();
    let echo = spawn(move || {
        for stream in listener.incoming().take(CONNECTIONS) {
            let stream = stream.unwrap();
            thread::spawn(move || std::io::copy(&mut &stream, &mut &stream));
        }
    });
    let clients: Vec<_> = (0..CONNECTIONS)
        .map(|seed| {
            let client = client.clone();
            spawn(move || {
                let mut stream = client.connect(address).unwrap();
                let bytes = noise(seed as u64, 2_000);
                stream.write_all(&bytes).unwrap();
                stream.shutdown(Shutdown::Write).unwrap();
                read_all(stream).unwrap() == bytes
            })
        })
        .collect();
    join(&echo);
    assert_eq!(clients.iter().filter(|result| join(result)).count(), CONNECTIONS);
}
