//! Programs for tokio's sockets. This file is compiled twice, once with `tokio::net` and once with
//! `longwire::net::tokio`: the enclosing module has the names, and the address to bind to.

use std::io::ErrorKind;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::{HOST, TcpListener, TcpStream, UdpSocket};

/// A connection to ourselves: (client, server).
async fn connected() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((HOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stream, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
    let (stream, (accepted, peer)) = (stream.unwrap(), accepted.unwrap());
    assert_eq!((peer, accepted.peer_addr().unwrap()), (stream.local_addr().unwrap(), peer));
    (stream, accepted)
}

pub(crate) async fn an_echo_through_borrowed_halves() {
    let (mut stream, mut accepted) = connected().await;
    let echo = tokio::spawn(async move {
        let (mut reading, mut writing) = accepted.split();
        tokio::io::copy(&mut reading, &mut writing).await.unwrap()
    });
    stream.write_all(b"all the way round").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert_eq!((answer.as_str(), echo.await.unwrap()), ("all the way round", 17));
}

pub(crate) async fn owned_halves_and_what_dropping_them_does() {
    let (stream, accepted) = connected().await;
    let (reading, writing) = stream.into_split();
    let mut stream = reading.reunite(writing).unwrap();
    stream.write_all(b"whole again").await.unwrap();
    let (mut reading, writing) = stream.into_split();
    drop(writing);
    let (mut other_reading, other_writing) = accepted.into_split();
    let mut received = String::new();
    other_reading.read_to_string(&mut received).await.unwrap();
    assert_eq!(received, "whole again");
    other_writing.forget();
    assert!(timeout(Duration::from_millis(20), reading.read(&mut [0; 1])).await.is_err(), "still open");
    drop(other_reading);
    assert_eq!(reading.read(&mut [0; 1]).await.unwrap(), 0);
}

pub(crate) async fn readiness_and_what_can_be_done_at_once() {
    let (stream, accepted) = connected().await;
    let mut buffer = [0; 8];
    assert_eq!(accepted.try_read(&mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock);
    assert!(timeout(Duration::from_millis(20), accepted.readable()).await.is_err());
    stream.writable().await.unwrap();
    assert_eq!(stream.try_write(b"once").unwrap(), 4);
    accepted.readable().await.unwrap();
    assert_eq!(accepted.peek(&mut buffer).await.unwrap(), 4);
    assert_eq!(accepted.try_read(&mut buffer).unwrap(), 4);
    assert_eq!(&buffer[..4], b"once");
    assert_eq!(accepted.try_read(&mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock);
}

pub(crate) async fn options_and_errors() {
    let (stream, accepted) = connected().await;
    stream.set_nodelay(true).unwrap();
    stream.set_ttl(9).unwrap();
    assert_eq!((stream.nodelay().unwrap(), stream.ttl().unwrap()), (true, 9));
    assert!(stream.take_error().unwrap().is_none());
    // Unread data make closing a reset.
    stream.try_write(b"never read").unwrap();
    accepted.readable().await.unwrap();
    drop(accepted);
    let mut stream = stream;
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(stream.write(b"more").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
}

pub(crate) async fn nobody_listens() {
    let listener = TcpListener::bind((HOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let taken = TcpListener::bind(address).await;
    assert_eq!(taken.unwrap_err().kind(), ErrorKind::AddrInUse);
    drop(listener);
    assert_eq!(TcpStream::connect(address).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    let elsewhere = TcpListener::bind("192.0.2.1:0").await;
    assert_eq!(elsewhere.unwrap_err().kind(), ErrorKind::AddrNotAvailable);
}

pub(crate) async fn datagrams() {
    let answering = UdpSocket::bind((HOST, 0)).await.unwrap();
    let asking = UdpSocket::bind((HOST, 0)).await.unwrap();
    let address = answering.local_addr().unwrap();
    asking.connect(address).await.unwrap();
    assert_eq!(asking.peer_addr().unwrap(), address);
    let mut buffer = [0; 16];
    assert!(timeout(Duration::from_millis(20), answering.recv(&mut buffer)).await.is_err());
    assert_eq!(asking.send(b"question").await.unwrap(), 8);
    answering.readable().await.unwrap();
    assert_eq!(answering.peek_from(&mut buffer).await.unwrap().0, 8);
    let (len, from) = answering.recv_from(&mut buffer).await.unwrap();
    assert_eq!((&buffer[..len], from), (&b"question"[..], asking.local_addr().unwrap()));
    answering.send_to(b"answer", from).await.unwrap();
    assert_eq!(asking.recv(&mut buffer).await.unwrap(), 6);
}

pub(crate) async fn a_socket_that_is_not_asynchronous_any_more() {
    let (stream, accepted) = connected().await;
    let stream = stream.into_std().unwrap();
    assert_eq!(std::io::Read::read(&mut &stream, &mut [0; 1]).unwrap_err().kind(), ErrorKind::WouldBlock);
    let mut stream = TcpStream::from_std(stream).unwrap();
    drop(accepted);
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0);
}
