//! The asynchronous sockets: on a thread of the driver's, and with the stack as a task of the same runtime.

#![allow(clippy::duplicate_mod, reason = "the same source compiled twice, against either, is a test")]

mod ours;
mod parity;
mod theirs;

use std::future::{Future, poll_fn};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use longwire::device::{Cut, SocketEnd, pair};
use longwire::net::tokio::{OwnedReadHalf, TcpListener, TcpStream, UdpSocket};
use longwire::net::{Builder, Network};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(20);

/// How a network is started.
type Start = fn(Builder) -> std::io::Result<Network>;

/// Two networks on one cable.
fn networks(start: Start) -> (Network, Network) {
    let (a, b) = SocketEnd::pair(1_500).unwrap();
    let network = |device, address: &str| {
        start(Network::builder(Cut::new(device)).address(address.parse().unwrap())).unwrap()
    };
    (network(a, "10.9.0.1/24"), network(b, "10.9.0.2/24"))
}

fn listen(network: &Network) -> (TcpListener, SocketAddr) {
    let listener = TcpListener::from_std(network.listen("0.0.0.0:0").unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, (Ipv4Addr::new(10, 9, 0, 2), address.port()).into())
}

/// A connection: (client, server).
async fn connect(client: &Network, server: &Network) -> (TcpStream, TcpStream) {
    let (listener, address) = listen(server);
    let stream = TcpStream::connect_on(client, address).await.unwrap();
    let (accepted, peer) = listener.accept().await.unwrap();
    assert_eq!((peer, stream.peer_addr().unwrap()), (stream.local_addr().unwrap(), address));
    (stream, accepted)
}

fn noise(seed: u8, len: usize) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8 ^ seed).collect()
}

async fn read_all(mut stream: impl tokio::io::AsyncRead + Unpin) -> Vec<u8> {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await.unwrap();
    all
}

/// Polls a future once, and drops it if it is not ready.
async fn poll_once<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

fn single_threaded() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Runs a test on a runtime of one thread, and fails it when it hangs.
fn run(test: impl Future<Output = ()>) {
    single_threaded().block_on(async { timeout(PATIENCE, test).await.expect("it hangs") });
}

/// Runs a test with both kinds of networks on a runtime of one thread, and fails it when it hangs.
fn on_both(test: impl AsyncFn(Network, Network)) {
    let runtime = single_threaded();
    for start in [Builder::start, Builder::spawn] as [Start; 2] {
        let run = async {
            let (client, server) = networks(start);
            let ends = [client.clone(), server.clone()];
            timeout(PATIENCE, test(client, server)).await.expect("it hangs");
            for end in ends {
                end.shutdown_async(Duration::ZERO).await;
            }
        };
        runtime.block_on(run);
    }
}

#[test]
fn both_directions_of_a_connection_in_two_tasks_each() {
    on_both(async |client, server| {
        const LEN: usize = 1_000_000;
        let (stream, accepted) = connect(&client, &server).await;
        let ends = [(stream, 1), (accepted, 2)].map(|(stream, seed)| {
            let (reading, mut writing) = stream.into_split();
            tokio::spawn(async move {
                writing.write_all(&noise(seed, LEN)).await.unwrap();
                writing.shutdown().await.unwrap();
            });
            tokio::spawn(read_all(reading))
        });
        let [at_client, at_server] = ends;
        assert!(at_client.await.unwrap() == noise(2, LEN));
        assert!(at_server.await.unwrap() == noise(1, LEN));
    });
}

#[test]
fn connecting_goes_on_behind_an_address_that_cannot_even_be_tried() {
    on_both(async |client, server| {
        let (_listener, address) = listen(&server);
        let without_route = SocketAddr::from((Ipv6Addr::LOCALHOST, address.port()));
        assert!(TcpStream::connect_on(&client, without_route).await.is_err());
        let stream = TcpStream::connect_on(&client, &[without_route, address][..]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), address);
    });
}

#[test]
fn writable_waits_for_room_behind_a_short_write() {
    on_both(async |client, server| {
        let (stream, accepted) = connect(&client, &server).await;
        loop {
            while stream.try_write(&[0; 65_521]).is_ok_and(|count| count == 65_521) {}
            if timeout(SHORT, stream.writable()).await.is_err() {
                break;
            }
        }
        let reading = tokio::spawn(read_all(accepted));
        stream.writable().await.unwrap();
        assert!(stream.try_write(b"x").unwrap() > 0);
        drop(stream);
        assert!(reading.await.unwrap().len() > 65_521);
    });
}

#[test]
fn two_hundred_connections_at_once() {
    on_both(async |client, server| {
        let (listener, address) = listen(&server);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut reading, mut writing) = stream.split();
                    tokio::io::copy(&mut reading, &mut writing).await.unwrap();
                });
            }
        });
        let clients: Vec<_> = (0..200)
            .map(|number| {
                let client = client.clone();
                tokio::spawn(async move {
                    let mut stream = TcpStream::connect_on(&client, address).await.unwrap();
                    let sent = noise(number, 3_000);
                    stream.write_all(&sent).await.unwrap();
                    stream.shutdown().await.unwrap();
                    read_all(stream).await == sent
                })
            })
            .collect();
        for client in clients {
            assert!(client.await.unwrap());
        }
    });
}

#[test]
fn a_connection_that_nobody_took_waits_for_the_next_accept() {
    on_both(async |client, server| {
        let (listener, address) = listen(&server);
        assert!(timeout(SHORT, listener.accept()).await.is_err());
        let mut streams = Vec::new();
        for _ in 0..3 {
            streams.push(TcpStream::connect_on(&client, address).await.unwrap());
        }
        // Cancelled whenever it is not ready at once.
        let mut accepted = Vec::new();
        while accepted.len() < 3 {
            match poll_once(listener.accept()).await {
                Some(stream) => accepted.push(stream.unwrap()),
                None => tokio::task::yield_now().await,
            }
        }
        assert!(timeout(SHORT, listener.accept()).await.is_err());
    });
}

#[test]
fn a_read_that_is_cancelled_takes_nothing() {
    on_both(async |client, server| {
        const LEN: usize = 200_000;
        let (mut stream, mut accepted) = connect(&client, &server).await;
        let writing = tokio::spawn(async move {
            for piece in noise(3, LEN).chunks(1_000) {
                stream.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        let (mut received, mut cancelled) = (Vec::new(), 0);
        loop {
            let mut buffer = [0; 777];
            match poll_once(accepted.read(&mut buffer)).await {
                None => {
                    cancelled += 1;
                    tokio::task::yield_now().await;
                }
                Some(Ok(0)) => break,
                Some(count) => received.extend_from_slice(&buffer[..count.unwrap()]),
            }
        }
        writing.await.unwrap();
        assert!(received == noise(3, LEN));
        assert!(cancelled > 0, "this has tested nothing");
    });
}

#[test]
fn a_write_that_is_cancelled_has_written_nothing() {
    on_both(async |client, server| {
        let (mut stream, accepted) = connect(&client, &server).await;
        let bytes = noise(4, 10_000);
        let mut written = Vec::new();
        let mut cancelled = 0;
        // Until the buffers of both sides are full, and then with somebody who reads.
        let mut reading = None;
        let mut accepted = Some(accepted);
        while written.len() < 6_000_000 {
            match timeout(Duration::from_millis(5), stream.write(&bytes)).await {
                Ok(count) => written.extend_from_slice(&bytes[..count.unwrap()]),
                Err(_) => {
                    cancelled += 1;
                    reading = reading.or_else(|| accepted.take().map(|end| tokio::spawn(read_all(end))));
                }
            }
        }
        drop(stream);
        assert!(cancelled > 0, "this has tested nothing");
        assert!(reading.unwrap().await.unwrap() == written);
    });
}

#[test]
fn connecting_says_why_not_and_may_be_given_up() {
    on_both(async |client, _server| {
        let refused = TcpStream::connect_on(&client, "10.9.0.2:81").await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        assert!(timeout(SHORT, TcpStream::connect_on(&client, "10.9.0.77:80")).await.is_err());
        let live = client.shared().with(|stack| stack.live_connections());
        assert_eq!(live, 0, "the attempt has gone with its future");
    });
}

#[test]
fn a_half_that_is_dropped_closes_its_direction() {
    on_both(async |client, server| {
        let (stream, accepted) = connect(&client, &server).await;
        let (mut reading, mut writing) = stream.into_split();
        writing.write_all(b"question").await.unwrap();
        drop(writing);
        let (mut there, mut back) = accepted.into_split();
        let mut question = String::new();
        there.read_to_string(&mut question).await.unwrap();
        back.write_all(b"answer").await.unwrap();
        drop(back);
        let mut answer = String::new();
        reading.read_to_string(&mut answer).await.unwrap();
        assert_eq!((question.as_str(), answer.as_str()), ("question", "answer"));
    });
}

#[test]
fn halves_are_put_together_with_their_own() {
    on_both(async |client, server| {
        let (stream, accepted) = connect(&client, &server).await;
        let (here, _open) = stream.into_split();
        let (there, back) = accepted.into_split();
        let mixed = OwnedReadHalf::reunite(here, back).unwrap_err();
        let mut whole = there.reunite(mixed.1).unwrap();
        whole.write_all(b"still open").await.unwrap();
        let mut here = mixed.0;
        let mut buffer = [0; 10];
        here.read_exact(&mut buffer).await.unwrap();
        assert_eq!(&buffer, b"still open");
    });
}

#[test]
fn a_reset_ends_a_read_that_waits() {
    on_both(async |client, server| {
        let (stream, mut accepted) = connect(&client, &server).await;
        let reading = tokio::spawn(async move { accepted.read(&mut [0; 8]).await });
        tokio::task::yield_now().await;
        stream.as_std().set_linger(Some(Duration::ZERO)).unwrap();
        drop(stream);
        assert_eq!(reading.await.unwrap().unwrap_err().kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn peeking_and_readiness_leave_what_is_there() {
    on_both(async |client, server| {
        let (mut stream, mut accepted) = connect(&client, &server).await;
        assert!(timeout(SHORT, accepted.readable()).await.is_err());
        stream.write_all(b"once").await.unwrap();
        accepted.readable().await.unwrap();
        let mut buffer = [0; 8];
        assert_eq!(accepted.peek(&mut buffer).await.unwrap(), 4);
        assert_eq!(accepted.read(&mut buffer).await.unwrap(), 4);
    });
}

#[test]
fn several_tasks_accept_from_one_listener() {
    on_both(async |client, server| {
        let (listener, address) = listen(&server);
        let listener = std::sync::Arc::new(listener);
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                let listener = std::sync::Arc::clone(&listener);
                tokio::spawn(async move { listener.accept().await.map(drop) })
            })
            .collect();
        tokio::task::yield_now().await;
        let mut streams = Vec::new();
        for _ in 0..tasks.len() {
            streams.push(TcpStream::connect_on(&client, address).await.unwrap());
        }
        for task in tasks {
            task.await.unwrap().unwrap();
        }
    });
}

#[test]
fn a_socket_has_one_asynchronous_handle_at_a_time() {
    on_both(async |_client, server| {
        let listener = server.listen("10.9.0.2:0").unwrap();
        let first = TcpListener::from_std(listener.try_clone().unwrap()).unwrap();
        let second = TcpListener::from_std(listener.try_clone().unwrap());
        assert_eq!(second.unwrap_err().kind(), ErrorKind::AlreadyExists);
        drop(first);
        TcpListener::from_std(listener).unwrap();
    });
}

#[test]
fn datagrams_go_round() {
    on_both(async |client, server| {
        let answering = UdpSocket::from_std(server.udp("10.9.0.2:0").unwrap()).unwrap();
        let asking = UdpSocket::from_std(client.udp("10.9.0.1:0").unwrap()).unwrap();
        let address = answering.as_std().local_addr().unwrap();
        asking.as_std().connect(address).unwrap();
        let served = tokio::spawn(async move {
            let mut buffer = [0; 16];
            let (len, from) = answering.recv_from(&mut buffer).await.unwrap();
            answering.send_to(&buffer[..len], from).await.unwrap();
        });
        asking.send(b"datagram").await.unwrap();
        let mut buffer = [0; 16];
        assert_eq!(asking.recv(&mut buffer).await.unwrap(), 8);
        served.await.unwrap();
    });
}

#[test]
fn shutting_down_delivers_what_was_written_and_ends_every_wait() {
    on_both(async |client, server| {
        let (mut stream, accepted) = connect(&client, &server).await;
        let (listener, _) = listen(&client);
        let accepting = tokio::spawn(async move { listener.accept().await.map(drop) });
        // More than there is room for, at the peer and then with us.
        let mut bytes = noise(5, 10_000_000);
        let written = stream.write(&bytes).await.unwrap();
        bytes.truncate(written);
        let reading = tokio::spawn(read_all(accepted));
        tokio::task::yield_now().await;
        assert!(client.shutdown_async(PATIENCE).await, "in order");
        assert!(reading.await.unwrap() == bytes);
        assert_eq!(accepting.await.unwrap().unwrap_err().kind(), ErrorKind::NetworkDown);
        assert!(client.shutdown_async(PATIENCE).await, "once more does no harm");
    });
}

#[test]
fn a_device_without_a_descriptor_is_looked_at_all_the_same() {
    run(async {
        let (a, b) = pair(1_500);
        let network = |device, address: &str| {
            Network::builder(device).address(address.parse().unwrap()).spawn().unwrap()
        };
        let (client, server) = (network(a, "10.9.0.1/24"), network(b, "10.9.0.2/24"));
        let (mut stream, accepted) = connect(&client, &server).await;
        stream.write_all(&noise(6, 100_000)).await.unwrap();
        drop(stream);
        assert!(read_all(accepted).await == noise(6, 100_000));
    });
}

#[test]
fn blocking_sockets_work_on_other_threads_and_end_with_the_runtime() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (client, server) = {
        let _inside = runtime.enter();
        networks(|builder| builder.linger(Duration::ZERO).spawn())
    };
    let listener = server.listen("10.9.0.2:0").unwrap();
    let stream = client.connect(listener.local_addr().unwrap()).unwrap();
    let (mut accepted, _) = listener.accept().unwrap();
    std::io::Write::write_all(&mut &stream, b"from a thread").unwrap();
    let mut buffer = [0; 13];
    std::io::Read::read_exact(&mut accepted, &mut buffer).unwrap();
    let waiting = std::thread::spawn(move || listener.accept().map(drop));
    drop(runtime);
    assert_eq!(waiting.join().unwrap().unwrap_err().kind(), ErrorKind::NetworkDown);
    assert_eq!(client.connect("10.9.0.2:80").unwrap_err().kind(), ErrorKind::NetworkDown);
}

#[test]
fn a_runtime_that_is_dropped_sends_what_was_written() {
    let (a, b) = SocketEnd::pair(1_500).unwrap();
    let server = Network::builder(Cut::new(b)).address("10.9.0.2/24".parse().unwrap()).start().unwrap();
    let listener = server.listen("10.9.0.2:0").unwrap();
    let address = listener.local_addr().unwrap();
    let reading = std::thread::spawn(move || {
        let mut received = Vec::new();
        std::io::Read::read_to_end(&mut listener.accept().unwrap().0, &mut received).unwrap();
        received
    });
    let bytes = noise(7, 1_000_000);
    let runtime = single_threaded();
    let (stream, client) = runtime.block_on(async {
        let client = Network::builder(Cut::new(a)).address("10.9.0.1/24".parse().unwrap()).spawn().unwrap();
        let mut stream = TcpStream::connect_on(&client, address).await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        (stream, client)
    });
    drop(runtime);
    assert!(reading.join().unwrap() == bytes);
    assert_eq!(stream.try_write(b"x").unwrap_err().kind(), ErrorKind::NetworkDown);
    assert!(client.shutdown(PATIENCE), "it has ended, and in order");
}

#[test]
fn waiting_in_another_runtime_ends_with_the_one_that_drives_the_stack() {
    let driving = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (client, server) = {
        let _inside = driving.enter();
        networks(|builder| builder.linger(Duration::ZERO).spawn())
    };
    run(async {
        let (stream, mut accepted) = connect(&client, &server).await;
        let (listener, _) = listen(&server);
        let reading = tokio::spawn(async move { accepted.read(&mut [0; 1]).await });
        let accepting = tokio::spawn(async move { listener.accept().await.map(drop) });
        tokio::task::yield_now().await;
        tokio::task::spawn_blocking(move || drop(driving)).await.unwrap();
        assert_eq!(accepting.await.unwrap().unwrap_err().kind(), ErrorKind::NetworkDown);
        // The end of the stream, a reset or the network's end: whatever came first.
        let _ = reading.await.unwrap();
        assert!(stream.peer_addr().is_err());
    });
}

#[test]
fn a_task_that_never_has_to_wait_lets_others_run() {
    on_both(async |client, _server| {
        let socket = UdpSocket::bind_on(&client, "10.9.0.1:0").await.unwrap();
        let flood = async {
            loop {
                // A full device drops datagrams, and does not make their sender wait for ever.
                let _ = socket.send_to(b"datagram", "10.9.0.2:9").await;
            }
        };
        let ticks = async {
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
        };
        tokio::spawn(async {});
        let flood = pin!(flood);
        tokio::select! {
            biased;
            never = flood => never,
            () = ticks => {}
        }
    });
}
