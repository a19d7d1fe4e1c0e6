//! What a connection does, call by call.

use std::io::{ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::{Duration, Instant};

use super::super::{Chunk, KeepAlive};
use super::*;

#[test]
fn an_echo_goes_round() {
    let (mut client, mut server, _end) = connection();
    client.write_all(b"ping").unwrap();
    let mut buffer = [0; 16];
    assert_eq!(server.read(&mut buffer).unwrap(), 4);
    server.write_all(b"pong!").unwrap();
    assert_eq!(client.read(&mut buffer).unwrap(), 5);
    assert_eq!(&buffer[..5], b"pong!");
}

#[test]
fn addresses_are_those_of_the_other_end() {
    let (client, server, _end) = connection();
    assert_eq!(client.peer_addr().unwrap(), server.local_addr().unwrap());
    assert_eq!(server.peer_addr().unwrap(), client.local_addr().unwrap());
    assert_eq!(client.local_addr().unwrap().ip().to_string(), "10.9.0.1");
}

#[test]
fn ipv6_works_alike() {
    let (client, server, _end) = networks();
    let listener = server.listen("[fd09::2]:0").unwrap();
    let (mut stream, accepted) = connect(&client, &listener);
    stream.write_all(b"six").unwrap();
    drop(stream);
    assert_eq!(read_all(accepted).unwrap(), b"six");
}

#[test]
fn one_direction_closes_and_the_other_goes_on() {
    let (mut client, mut server, _end) = connection();
    client.write_all(b"request").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.write(b"more").unwrap_err().kind(), ErrorKind::BrokenPipe);
    assert_eq!(read_all(&server).unwrap(), b"request");
    server.write_all(b"answer").unwrap();
    drop(server);
    assert_eq!(read_all(&client).unwrap(), b"answer");
}

#[test]
fn closing_our_direction_ends_a_write_that_waits() {
    let (client, mut server, _end) = connection();
    let mut writer = client.try_clone().unwrap();
    let writing = spawn(move || writer.write_all(&noise(1, 64 << 20)));
    server.read_exact(&mut [0; 1024]).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(join(&writing).unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[test]
fn nobody_listens_is_refused() {
    let (client, _server, _end) = networks();
    assert_eq!(client.connect((SERVER, 81)).unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn a_silent_host_times_out() {
    let (client, _server, _end) = networks();
    let silent = SocketAddr::new("10.9.0.77".parse().unwrap(), 80);
    let error = client.connect_timeout(&silent, Duration::from_millis(50)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    let error = client.connect_timeout(&silent, Duration::ZERO).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[test]
fn a_family_without_an_address_is_unreachable() {
    let (a, _b) = SocketEnd::pair(1_500).unwrap();
    let network = Network::builder(Cut::new(a)).address("10.9.0.1/24".parse().unwrap()).start().unwrap();
    assert_eq!(network.connect("[fd09::2]:80").unwrap_err().kind(), ErrorKind::NetworkUnreachable);
}

#[test]
#[allow(clippy::disallowed_methods, reason = "measures how long a call blocks")]
fn a_read_timeout_is_a_would_block_that_took_its_time() {
    let (mut client, mut server, _end) = connection();
    let timeout = Duration::from_millis(60);
    client.set_read_timeout(Some(timeout)).unwrap();
    assert_eq!(client.try_clone().unwrap().read_timeout().unwrap(), Some(timeout));
    let start = Instant::now();
    assert_eq!(client.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
    assert!((timeout..PATIENCE).contains(&start.elapsed()), "{:?}", start.elapsed());
    server.write_all(b"late").unwrap();
    client.set_read_timeout(None).unwrap();
    assert_eq!(client.read(&mut [0; 8]).unwrap(), 4, "the connection is as it was");
}

#[test]
fn a_write_timeout_ends_waiting_for_a_peer_that_does_not_read() {
    let (mut client, server, _end) = connection();
    client.set_write_timeout(Some(Duration::from_millis(60))).unwrap();
    let bytes = vec![0; 64 * 1024];
    let error = (0..1_000).find_map(|_| client.write(&bytes).err()).unwrap();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    drop(server);
}

#[test]
fn a_timeout_of_zero_is_refused() {
    let (client, _server, _end) = connection();
    for refused in
        [client.set_read_timeout(Some(Duration::ZERO)), client.set_write_timeout(Some(Duration::ZERO))]
    {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    assert_eq!(client.read_timeout().unwrap(), None);
}

#[test]
fn a_nonblocking_connection_never_waits() {
    let (mut client, mut server, _end) = connection();
    client.set_nonblocking(true).unwrap();
    assert_eq!(client.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
    assert_eq!(client.peek(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
    let error = (0..1_000).find_map(|_| client.write(&[0; 64 * 1024]).err()).unwrap();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    server.write_all(b"now").unwrap();
    client.set_nonblocking(false).unwrap();
    assert_eq!(client.read(&mut [0; 8]).unwrap(), 3);
}

#[test]
fn a_nonblocking_listener_never_waits() {
    let (client, server, _end) = networks();
    let listener = listen(&server);
    listener.set_nonblocking(true).unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    listener.set_nonblocking(false).unwrap();
    connect(&client, &listener);
}

#[test]
fn peeking_leaves_what_it_shows() {
    let (mut client, mut server, _end) = connection();
    client.write_all(b"once").unwrap();
    let mut buffer = [0; 8];
    assert_eq!(server.peek(&mut buffer).unwrap(), 4);
    assert_eq!(server.read(&mut buffer).unwrap(), 4);
    assert_eq!(&buffer[..4], b"once");
}

#[test]
fn slices_are_written_together() {
    let (client, server, _end) = connection();
    let slices = [IoSlice::new(b"head "), IoSlice::new(b""), IoSlice::new(b"body")];
    assert_eq!((&client).write_vectored(&slices).unwrap(), 9);
    drop(client);
    assert_eq!(read_all(server).unwrap(), b"head body");
}

#[test]
fn chunks_go_through_whole() {
    let (client, server, _end) = connection();
    let bytes = noise(1, 40_000);
    client.write_chunk(Chunk::from(bytes.clone())).unwrap();
    drop(client);
    let mut received = Vec::new();
    while let Some(chunk) = server.read_chunk().unwrap() {
        received.extend_from_slice(&chunk);
    }
    assert_eq!(received, bytes);
}

#[test]
fn shared_chunks_are_sent_as_often_as_one_likes() {
    let (client, server, _end) = connection();
    let page: std::sync::Arc<[u8]> = noise(2, 20_000).into();
    for _ in 0..3 {
        client.write_chunk(Chunk::from(page.clone())).unwrap();
    }
    drop(client);
    assert_eq!(read_all(server).unwrap(), [&page[..]; 3].concat());
}

#[test]
fn options_are_shared_by_clones() {
    let (client, _server, _end) = connection();
    assert!(!client.nodelay().unwrap());
    client.try_clone().unwrap().set_nodelay(true).unwrap();
    assert!(client.nodelay().unwrap());
    client.set_keepalive(Some(KeepAlive::default())).unwrap();
    assert!(client.nodelay().unwrap(), "one option leaves the others alone");
    assert!(client.info().unwrap().srtt.is_some(), "the handshake was timed");
}

/// As kernel sockets do: whoever asks first is told, and from then on it is just over.
#[test]
fn a_reset_is_told_once() {
    let ends: [fn(&TcpStream) -> ErrorKind; 3] = [
        |mut stream| stream.read(&mut [0; 8]).unwrap_err().kind(),
        |stream| stream.peek(&mut [0; 8]).unwrap_err().kind(),
        |stream| loop {
            if let Some(error) = stream.take_error().unwrap() {
                return error.kind();
            }
            thread::yield_now();
        },
    ];
    for told_by in ends {
        let (client, mut server, _end) = connection();
        client.set_linger(Some(Duration::ZERO)).unwrap();
        drop(client);
        assert_eq!(told_by(&server), ErrorKind::ConnectionReset);
        assert!(server.take_error().unwrap().is_none());
        assert_eq!(server.read(&mut [0; 8]).unwrap(), 0);
        assert!(server.read_chunk().unwrap().is_none());
        assert_eq!(server.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
        assert_eq!(server.peer_addr().unwrap_err().kind(), ErrorKind::NotConnected);
        assert_eq!(server.shutdown(Shutdown::Both).unwrap_err().kind(), ErrorKind::NotConnected);
    }
}

#[test]
fn lingering_waits_until_the_peer_has_everything() {
    let (mut client, server, _end) = connection();
    assert_eq!(client.linger().unwrap(), None);
    client.set_linger(Some(PATIENCE)).unwrap();
    assert_eq!(client.try_clone().unwrap().linger().unwrap(), Some(PATIENCE));
    let bytes = noise(6, 500_000);
    let received = spawn(move || read_all(server).unwrap());
    client.write_all(&bytes).unwrap();
    let network = client.network().clone();
    drop(client);
    let live = network.shared().with(|stack| stack.live_connections());
    assert_eq!(live, 0, "the peer has acknowledged all of it, and the end");
    assert!(join(&received) == bytes);
}

#[test]
#[allow(clippy::disallowed_methods, reason = "measures how long dropping blocks")]
fn lingering_has_an_end() {
    let (client, server, _end) = connection();
    let linger = Duration::from_millis(60);
    client.set_linger(Some(linger)).unwrap();
    client.set_write_timeout(Some(Duration::from_millis(20))).unwrap();
    // More than the peer takes without reading.
    while (&client).write(&[0; 64 * 1024]).is_ok() {}
    let start = Instant::now();
    drop(client);
    assert!((linger..PATIENCE).contains(&start.elapsed()), "{:?}", start.elapsed());
    drop(server);
}

#[test]
fn slices_are_filled_one_after_another() {
    let (mut client, mut server, _end) = connection();
    client.write_all(b"head body").unwrap();
    server.peek(&mut [0; 9]).unwrap();
    let (mut head, mut body) = ([0; 5], [0; 8]);
    let mut slices = [IoSliceMut::new(&mut head), IoSliceMut::new(&mut []), IoSliceMut::new(&mut body)];
    assert_eq!(server.read_vectored(&mut slices).unwrap(), 9);
    assert_eq!((&head, &body[..4]), (b"head ", &b"body"[..]));
    drop(client);
    assert_eq!(server.read_vectored(&mut [IoSliceMut::new(&mut head)]).unwrap(), 0, "the end");
}

#[test]
fn a_connection_has_the_options_of_its_listener() {
    let (client, server, _end) = networks();
    let listener = listen(&server);
    let keep_alive = KeepAlive { idle: PATIENCE, interval: Duration::from_secs(1), count: 2 };
    listener.set_keepalive(Some(keep_alive)).unwrap();
    listener.set_send_buffer_size(1).unwrap();
    listener.set_recv_buffer_size(123_456).unwrap();
    listener.set_tcp_user_timeout(Some(PATIENCE)).unwrap();
    listener.set_ttl(7).unwrap();
    let (_stream, accepted) = connect(&client, &listener);
    assert_eq!(accepted.keepalive().unwrap(), Some(keep_alive));
    assert_eq!(accepted.send_buffer_size().unwrap(), 4_096, "there is a least");
    assert_eq!(accepted.recv_buffer_size().unwrap(), 123_456);
    assert_eq!(accepted.tcp_user_timeout().unwrap(), Some(PATIENCE));
    assert_eq!(accepted.ttl().unwrap(), 7);
}

#[test]
fn a_connection_that_has_only_begun_is_nobodys_yet() {
    let (client, server, _end) = networks();
    let silent = client.start_connect("10.9.0.77:80".parse().unwrap()).unwrap();
    assert_eq!(silent.peer_addr().unwrap_err().kind(), ErrorKind::NotConnected);
    assert_eq!((&silent).write(b"x").unwrap_err().kind(), ErrorKind::WouldBlock);
    let listener = listen(&server);
    let stream = client.start_connect(listener.local_addr().unwrap()).unwrap();
    listener.accept().unwrap();
    while stream.peer_addr().is_err() {
        thread::yield_now();
    }
    assert!(stream.take_error().unwrap().is_none());
}

#[test]
fn a_reader_and_a_writer_share_a_connection() {
    let (client, server, _end) = connection();
    let reader = client.try_clone().unwrap();
    let answer = spawn(move || read_all(reader).unwrap());
    let echo = spawn(move || std::io::copy(&mut &server, &mut &server).unwrap());
    (&client).write_all(b"both at once").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(join(&echo), 12);
    // The server's stream went with its thread: the client's reader sees the end.
    assert_eq!(join(&answer), b"both at once");
}

#[test]
fn a_network_reaches_itself() {
    let (_client, server, _end) = networks();
    let (mut one, other) = connect(&server, &listen(&server));
    one.write_all(b"myself").unwrap();
    drop(one);
    assert_eq!(read_all(other).unwrap(), b"myself");
}

#[test]
fn a_taken_port_is_in_use_and_a_foreign_address_not_available() {
    let (_client, server, _end) = networks();
    let listener = listen(&server);
    let again = server.listen(listener.local_addr().unwrap()).unwrap_err();
    assert_eq!(again.kind(), ErrorKind::AddrInUse);
    assert_eq!(server.listen("10.9.0.9:80").unwrap_err().kind(), ErrorKind::AddrNotAvailable);
}

#[test]
fn a_network_without_an_address_or_above_the_mtu_does_not_start() {
    let device = || Cut::new(SocketEnd::pair(1_500).unwrap().0);
    let lost = Network::builder(device()).start().unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::InvalidInput);
    let builder = Network::builder(device()).address("10.9.0.1/24".parse().unwrap());
    assert_eq!(builder.mtu(1_501).start().unwrap_err().kind(), ErrorKind::InvalidInput);
}
